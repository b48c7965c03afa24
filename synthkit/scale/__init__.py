"""Costly steps over many rows, on one machine or on a Ray cluster, and what adds up over parts."""

from .maps import map_rows
from .sketches import MeanFeatures, stream_influence
from .stages import Ask, Embed, Generate, Gradients, Stage

__all__ = [
    "Ask",
    "Embed",
    "Generate",
    "Gradients",
    "MeanFeatures",
    "Stage",
    "map_rows",
    "stream_influence",
]
