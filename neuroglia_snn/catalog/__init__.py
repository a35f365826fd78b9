"""Model and hardware files: from a name or a TOML file to a spec."""
