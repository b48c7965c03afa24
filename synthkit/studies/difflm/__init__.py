"""The DiffLM study."""
