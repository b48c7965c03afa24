"""SynAlign (arXiv 2502.08661): explore, reason about attributes, align the distribution by MMD."""

from .alignment import align, mmd2
from .attributes import Attribute, Schema
from .presets import SynAlignPreset
from .synthesizer import SynAlign

__all__ = ["Attribute", "Schema", "SynAlign", "SynAlignPreset", "align", "mmd2"]
