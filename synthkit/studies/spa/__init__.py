"""The SPA study."""
