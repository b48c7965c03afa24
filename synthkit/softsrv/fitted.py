"""Result of a fit of SoftSRV, before its training and as files."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..core.packing import (
    Files,
    Read,
    json_bytes,
    read_rows,
    read_tensors,
    row_bytes,
    tensor_bytes,
)
from ..lm.contexts import Context
from ..lm.prompt_tuning import pack_soft_prompt, unpack_soft_prompt
from ..lm.soft_prompts import SoftPrompt, new_soft_prompt
from ..lm.training import History
from .presets import SoftSRVPreset
from .texts import split

if TYPE_CHECKING:
    from .synthesizer import SoftSRV


@dataclass
class Fitted:
    """Result of `SoftSRV.fit`.

    Attributes:
        prompt: P_theta. encoder: E.
        texts: the n training texts; rows: where each stood in the real data.
        contexts: their z, `(n, d_e)`.
        history: steps, losses and the best step, see `synthkit.lm.training.History`.
    """

    prompt: SoftPrompt
    encoder: Context
    texts: list[str]
    rows: list[int]
    contexts: Tensor
    history: History = field(default_factory=History)


def context_of(lm: Any, preset: SoftSRVPreset, encoder: Any, seed: int) -> Context:
    """E, as a preset and a given encoder have it."""
    return Context(lm, preset.context, preset.dim, seed=seed, encoder=encoder)


def untrained(
    lm: Any, texts: list[str], rows: list[int], preset: SoftSRVPreset, encoder: Context, seed: int
) -> Fitted:
    """The contexts of the texts, and a fresh P_theta."""
    sizes = {"k": preset.k, "hidden": preset.hidden}
    prompt = new_soft_prompt(lm, preset.kind, encoder, preset.length, **sizes, seed=seed)
    return Fitted(prompt, encoder, texts, rows, encoder(texts))


def begin_fit(
    method: SoftSRV, material: tuple[list[str], list[int]], validation: tuple | None
) -> tuple[Fitted, list[str]]:
    """An untrained fit, and the texts that stop its training.

    Args:
        material: the texts, and where each stood in the real data.
        validation: such a pair, or None to set a share of the material aside.

    Raises:
        ValueError: fewer than two texts would be left to train on.
    """
    texts, rows = material
    share = 0.0 if validation else method.preset.held_out_share
    train, held = split(len(texts), share, method.seed)
    stop = validation[0] if validation else [texts[i] for i in held]
    kept = [texts[i] for i in train], [rows[i] for i in train]
    return untrained(method.lm, *kept, method.preset, method.encoder, method.seed), stop


def pack_fitted(fitted: Fitted) -> Files:
    """The files of a fit: prompt, texts, contexts and history."""
    rows = zip(fitted.rows, fitted.texts)
    return {
        **pack_soft_prompt(fitted.prompt),
        "real.jsonl": row_bytes({"row": row, "text": text} for row, text in rows),
        "contexts.safetensors": tensor_bytes({"contexts": fitted.contexts}),
        "history.json": json_bytes(asdict(fitted.history)),
    }


def unpack_fitted(read: Read, lm, encoder: Context) -> Fitted:
    """Unpack what `pack_fitted` packed, without embedding anything again.

    Raises:
        ValueError: `encoder` puts the first text elsewhere than that of the fit.
    """
    rows = read_rows(read("real.jsonl"))
    texts, contexts = [row["text"] for row in rows], read_tensors(read("contexts.safetensors"))
    fitted = Fitted(
        unpack_soft_prompt(read).to(lm.device), encoder, texts, [row["row"] for row in rows],
        contexts["contexts"], History.of(json.loads(read("history.json"))),
    )  # fmt: skip
    check_encoder(fitted)
    return fitted


def check_encoder(fitted: Fitted) -> None:
    """Raise ValueError when a given encoder is not the one that the fit's contexts come from."""
    if fitted.encoder.kind != "encoder":
        return
    z, known = fitted.encoder(fitted.texts[:1]), fitted.contexts[:1]
    if z.shape != known.shape or not torch.allclose(z, known, atol=1e-3):
        raise ValueError(
            f"{fitted.encoder!r} gives the first text another context than the encoder of the fit; "
            "give that one as encoder=, or fit again"
        )
