"""SynAlign (arXiv 2502.08661): explore, reason about attributes, align the distribution by MMD."""

from .alignment import align, mmd2
from .attributes import Attribute, Schema
from .synthesizer import SynAlign, SynAlignPreset

__all__ = ["Attribute", "Schema", "SynAlign", "SynAlignPreset", "align", "mmd2"]
