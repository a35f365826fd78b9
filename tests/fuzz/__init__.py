"""Model files that nobody would write: mutated, hostile, random; and what must hold of each."""
