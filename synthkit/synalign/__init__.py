"""SynAlign (arXiv 2502.08661): explore, reason about attributes, align the distribution by MMD."""

from .alignment import align, mmd2

__all__ = ["align", "mmd2"]
