"""Modes in which a model runs for a while: frozen, recomputed, with seeded noise, without bars."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

if TYPE_CHECKING:
    from .model import LM


@contextmanager
def frozen(lm: LM) -> Iterator[None]:
    """Inside, the model is in eval mode and none of its weights asks for a gradient."""
    asking = [p for p in lm.model.parameters() if p.requires_grad]
    for parameter in asking:
        parameter.requires_grad_(False)
    try:
        with lm.evaluating():
            yield
    finally:
        for parameter in asking:
            parameter.requires_grad_(True)


@contextmanager
def recomputed(model: nn.Module, on: bool = True) -> Iterator[None]:
    """Inside, the layers of a transformers model compute their activations again for the gradient.

    In train mode and in eval mode, with the same numbers (gradient checkpointing).
    """
    from transformers.modeling_layers import GradientCheckpointingLayer

    layers = [layer for layer in model.modules() if isinstance(layer, GradientCheckpointingLayer)]
    before = [layer.__dict__.get("forward") for layer in layers]
    for layer in layers if on else ():
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
    try:
        yield
    finally:
        for layer, forward in zip(layers if on else (), before):
            layer.__dict__.pop("forward", None)
            layer.__dict__.update({"forward": forward} if forward else {})


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Inside, torch's random numbers begin at `seed`; outside, they are as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


@contextmanager
def quiet_bars() -> Iterator[None]:
    """Without the "Loading weights" bars, which clutter a notebook."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
