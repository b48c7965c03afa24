"""SoftSRV (arXiv 2410.16534): soft prompts that steer a frozen model towards a target."""

from .presets import SoftSRVPreset
from .synthesizer import SoftSRV

__all__ = ["SoftSRV", "SoftSRVPreset"]
