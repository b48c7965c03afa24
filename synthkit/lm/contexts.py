"""Contexts: a text becomes a vector that tells what kind of text it is, and not which one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from .decoding import positions, supported
from .rows import check_texts, right_pad

if TYPE_CHECKING:
    from .model import LM

CONTEXTS = ("input_mean", "hidden_mean", "random", "encoder", "learned")


class Context:
    """E: a text becomes a context vector z, with as much lost on the way as wanted.

    Args:
        lm: the model whose embeddings are averaged.
        kind: "input_mean", the mean of the text's input embeddings: a bag of words;
            "hidden_mean", the mean of its last hidden states;
            "random", a fixed Gaussian projection of the input mean to `dim` numbers;
            "encoder", what `encoder` says;
            "learned", the input mean again: the linear map to `dim` numbers is trained with the
            soft prompt (its `learned_dim`).
        dim: for "random" and "learned" only.
        seed: of the random projection.
        encoder: a function from texts to an (n, d_e) array, or the name or folder of a
            sentence-transformers model, which is loaded when it is first used.

    Raises:
        ValueError: an unknown kind, or a `dim` or `encoder` missing or not wanted.

    Source: SoftSRV's frozen sequence embedder E. The paper averages the token embeddings of a
    small language model; "input_mean" and "hidden_mean" are the two readings of that.
    """

    def __init__(
        self, lm: LM, kind: str = "input_mean", dim: int | None = None, *, seed: int = 0,
        encoder: Callable | str | Path | None = None,
    ):  # fmt: skip
        if kind not in CONTEXTS:
            raise ValueError(f"unknown context {kind!r}; choose one of {CONTEXTS}")
        if (dim is not None) != (kind in ("random", "learned")) or (dim is not None and dim < 1):
            raise ValueError(f"dim goes with 'random' and 'learned'; found {kind!r}, dim={dim}")
        if (encoder is not None) != (kind == "encoder"):
            raise ValueError(f"encoder= goes with kind='encoder'; found {kind!r}, {encoder!r}")
        self.lm, self.kind, self.dim, self.seed, self.encoder = lm, kind, dim, seed, encoder
        self._encode = encoder if callable(encoder) else None

    def __repr__(self) -> str:
        return f"Context({', '.join(f'{k}={v!r}' for k, v in self.settings.items())})"

    @property
    def settings(self) -> dict:
        """Arguments that make it again; of a function only the name, so give it again."""
        encoder = self.encoder if self.encoder is None else str(self.encoder)
        if callable(self.encoder):
            encoder = getattr(self.encoder, "__name__", type(self.encoder).__name__)
        return {"kind": self.kind, "dim": self.dim, "seed": self.seed, "encoder": encoder}

    @property
    def width(self) -> int:
        """d_e, the length of z."""
        if self.kind == "encoder":
            return self(["a"]).shape[1]
        return self.dim if self.kind == "random" else self.lm.hidden_size

    def __call__(self, texts: Sequence[str], batch_size: int = 64) -> Tensor:
        """z of each text, (n, d_e) float32 on the CPU, without gradients.

        Raises:
            ValueError: there are no texts, one is empty or too long, or the encoder returned
                something other than n rows of finite numbers.
        """
        texts = check_texts(texts)
        if not texts:
            raise ValueError("there are no texts to take contexts from")
        parts = [texts[i : i + batch_size] for i in range(0, len(texts), batch_size)]
        return torch.cat([self._part(part) for part in parts])

    def _part(self, texts: list[str]) -> Tensor:
        if self.kind == "encoder":
            return self._encoded(texts)
        if self.kind == "hidden_mean":
            return mean_hidden(self.lm, texts)
        mean = torch.stack([rows.float().mean(0).cpu() for rows in self.lm.embed_tokens(texts)])
        if self.kind == "random":
            noise = np.random.default_rng(self.seed).normal(size=(mean.shape[1], self.dim))
            return mean @ torch.tensor(noise / math.sqrt(len(noise)), dtype=torch.float32)
        return mean

    def _encoded(self, texts: list[str]) -> Tensor:
        if self._encode is None:
            from sentence_transformers import SentenceTransformer

            self._encode = SentenceTransformer(str(self.encoder)).encode
        z = np.asarray(self._encode(texts), dtype=np.float32)
        if z.ndim != 2 or len(z) != len(texts) or not np.isfinite(z).all():
            raise ValueError(
                f"the encoder made {z.shape} of {len(texts)} texts"
                f"{'' if np.isfinite(z).all() else ' with NaN or infinite values'}; it must return "
                f"({len(texts)}, d_e) finite numbers"
            )
        return torch.from_numpy(z)


@torch.no_grad()
def mean_hidden(lm: LM, texts: Sequence[str]) -> Tensor:
    """The mean of each text's last hidden states, (n, N) float32 on the CPU, BOS left out."""
    front = lm.with_bos([])
    rows = [front + ids for ids in lm.text_ids(texts, len(front))]
    ids, mask = right_pad(rows, device=lm.device)
    extra = {"position_ids": positions(mask), "use_cache": False, "logits_to_keep": 1}
    extra = supported(lm.model, **extra)
    with lm.evaluating():
        out = lm.model(input_ids=ids, attention_mask=mask, output_hidden_states=True, **extra)
    hidden = out.hidden_states[-1].float()  # (n, m, N)
    weight = mask.to(hidden.device)[..., None].clone()
    weight[:, : len(front)] = 0
    return ((hidden * weight).sum(1) / weight.sum(1)).cpu()
