"""SPA (arXiv 2411.06722): partition a synthetic set by influence, adapt, answer in many ways."""

from .influence import METHODS, influence_scores
from .partition import Partition, make_partition
from .presets import SPAPreset
from .synthesizer import SPA

__all__ = ["METHODS", "SPA", "Partition", "SPAPreset", "influence_scores", "make_partition"]
