"""A language model as the methods see it: embed, attend, generate, score, adapt."""

from .attention import ATTENTION_POOLINGS
from .loading import load_lm
from .model import LM
from .rows import IGNORED

__all__ = ["IGNORED", "LM", "ATTENTION_POOLINGS", "load_lm"]
