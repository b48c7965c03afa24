"""Checks of token ids, latents and decoders, facts of a codec, and the weight of each place."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def check_ids(codec, ids: Tensor, least: int = 2) -> Tensor:
    """Token ids (n, at most `codec.length`) of at least so many rows, or an error."""
    if not isinstance(ids, Tensor) or ids.dtype not in (torch.long, torch.int):
        found = ids.dtype if isinstance(ids, Tensor) else type(ids).__name__
        raise TypeError(f"token ids are a tensor of whole numbers (encode makes it), found {found}")
    if ids.dim() != 2 or not 0 < ids.shape[1] <= codec.length:
        raise ValueError(
            f"token ids are (rows, at most {codec.length}) here, found {tuple(ids.shape)}; was "
            "another codec used?"
        )
    if len(ids) < least:
        raise ValueError(f"found {len(ids)} rows, {least} or more are needed")
    low, high = int(ids.min()), int(ids.max())
    if low < 0 or high >= codec.vocab_size:
        raise ValueError(
            f"token ids run from 0 to {codec.vocab_size - 1} here, found {low} to {high}"
        )
    return ids.long()


def check_latents(latents: Any, d: int, least: int = 1) -> Tensor:
    """At least so many finite latents as float32 (n, d) on the CPU, or a ValueError."""
    latents = torch.as_tensor(latents).detach().to("cpu", torch.float32)
    if latents.dim() != 2 or latents.shape[1] != d:
        raise ValueError(f"latents must be (n, {d}), found {tuple(latents.shape)}")
    if len(latents) < least:
        raise ValueError(f"{len(latents)} latents are too few: give {least} or more")
    wrong = ~torch.isfinite(latents).all(1)
    if wrong.any():
        raise ValueError(
            f"{int(wrong.sum())} of {len(latents)} latents are not finite, the first is row "
            f"{int(wrong.nonzero()[0])}; check the encoder that made them"
        )
    return latents


def check_decoder(decoder, codec, kind: str) -> None:
    """Raise ValueError when a decoder cannot write a codec's rows with this kind of injection."""
    if (known := decoder.get_input_embeddings().num_embeddings) < codec.vocab_size:
        raise ValueError(f"the codec has {codec.vocab_size} tokens, the decoder {known}")
    if codec.bos is None and kind != "soft":
        raise ValueError("there is no begin token to write from; use kind='soft'")


def about(codec) -> dict[str, Any]:
    """Facts of a codec that must be the same when what was trained with it is loaded."""
    return {"vocab_size": codec.vocab_size, "length": codec.length, "widths": _widths(codec)}


def _widths(codec) -> list[int]:
    """Tokens of each column of a row; none of a text."""
    return [field.width for field in getattr(codec, "fields", ())]


def place_weights(codec, falling: float = 1.0) -> Tensor:
    """Weight of each place of a row, (length,), with equal columns; 1 on average.

    Within a column each place counts `falling` times as much as the one before it.
    """
    places = [falling ** torch.arange(width, dtype=torch.float) for width in _widths(codec)]
    shares = torch.cat([each / each.sum() for each in places])
    return shares * (len(shares) / len(codec.fields))
