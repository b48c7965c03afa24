"""The SoftSRV study."""
