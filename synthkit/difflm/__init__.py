"""DiffLM (arXiv 2411.03250): a latent space, a diffusion in it, and a frozen decoder."""

from .synthesizer import DiffLM, DiffLMPreset

__all__ = ["DiffLM", "DiffLMPreset"]
