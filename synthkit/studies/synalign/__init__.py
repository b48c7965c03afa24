"""The SynAlign study."""
