"""Fixed point: number formats, range analysis, and an integer run of a lowered model as the oracle."""
