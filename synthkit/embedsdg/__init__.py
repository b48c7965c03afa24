"""EmbedSDG (arXiv 2603.22294): synthetic data made where a student's embedding space is thin."""

from .presets import EmbedSDGPreset
from .synthesizer import EmbedSDG, import_answers

__all__ = ["EmbedSDG", "EmbedSDGPreset", "import_answers"]
