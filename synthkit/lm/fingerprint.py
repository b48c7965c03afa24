"""A short name for the weights in use, cheap enough to take at every step of a run."""

from __future__ import annotations

import hashlib
import itertools
import json

import torch
from torch import nn

_SAMPLES = 64  # values read from each tensor


def fingerprint(model: nn.Module, adapter: str | None = None) -> str:
    """16 hex digits from the config and 64 evenly spaced values of each tensor.

    Args:
        model: a transformers model.
        adapter: the active adapter, which counts; an idle one does not.
    """
    config = model.config.get_text_config()
    keys = ("model_type", "hidden_size", "num_hidden_layers", "num_attention_heads")
    facts = {key: getattr(config, key, None) for key in (*keys, "vocab_size")}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    samples = []
    for name, tensor in model.named_parameters():
        owner = _adapter_of(name)
        if owner is not None and owner != adapter:
            continue
        flat = tensor.detach().reshape(-1)
        at = torch.linspace(0, len(flat) - 1, min(_SAMPLES, len(flat)), dtype=torch.float64)
        samples.append(flat[at.round().long().to(flat.device)].float().cpu())
        digest.update(f"{name.replace('.base_layer', '')}{tuple(tensor.shape)}".encode())
    digest.update(torch.cat(samples).numpy().tobytes())
    return digest.hexdigest()[:16]


def _adapter_of(parameter: str) -> str | None:
    """The adapter that a parameter of this name belongs to, if it is one of LoRA's."""
    parts = parameter.split(".")
    for part, following in itertools.pairwise(parts):
        if part.startswith("lora_"):
            return following
    return None
