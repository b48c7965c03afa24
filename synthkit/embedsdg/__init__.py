"""EmbedSDG (arXiv 2603.22294): synthetic data made where a student's embedding space is thin."""

from .synthesizer import EmbedSDG, EmbedSDGPreset, import_answers

__all__ = ["EmbedSDG", "EmbedSDGPreset", "import_answers"]
