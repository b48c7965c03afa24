"""The EmbedSDG study."""
