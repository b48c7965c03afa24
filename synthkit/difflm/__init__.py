"""DiffLM (arXiv 2411.03250): a latent space, a diffusion in it, and a frozen decoder."""

from .presets import DiffLMPreset
from .synthesizer import DiffLM

__all__ = ["DiffLM", "DiffLMPreset"]
