"""SoftSRV (arXiv 2410.16534): soft prompts that steer a frozen model towards a target."""

from .synthesizer import SoftSRV, SoftSRVPreset

__all__ = ["SoftSRV", "SoftSRVPreset"]
