"""The choices of EmbedSDG by scale."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from ..core.arguments import as_count


@dataclass(frozen=True)
class EmbedSDGPreset:
    """The choices of EmbedSDG, with the paper's symbol where it has one.

    Attributes:
        weights: the pooling of SM^w, see `LM.attention_weights`.
        reducer, k: dim_red[K] and K.
        windows: windows along an axis (None: the default of `Grid.fit`).
        threshold: T; None takes the smallest that gives enough regions.
        passes: pairs that a region is expected to give when T is chosen.
        max_uses: pairs that one seed may be in.
        rescale, pad: how the average is made decodable, see `average_embedding`.
        where: "sparse" (the method), "dense" or "random" seeds.
        seeds: questions shown to the teacher, 2 (P_g) or 1 (P_b, the baseline's prompt).
        sketch: "decode" (the method), "nearest" (nearest tokens, no decoding) or "skip".
        max_rounds: how often rejected rows are asked for anew.

    The preset "paper" holds what arXiv 2603.22294 states: t-SNE with K = 2, T = 10, and equation 4
    as printed (`rescale="none"`). Many models cannot read such small columns: `fit` measures it,
    and warns with the weights and rescaling that copy best. What "attention weight of a token"
    means is not defined there, so `weights` is our choice. The paper does not state `windows`,
    `max_uses` or `max_rounds`.

    The prompts are no part of a preset: they are in our own words, with the structure of the
    paper's listings, unless `EmbedSDG(prompts=)` gives others. Ours differ in that P_d ends with
    "Output:" (the paper's stops at the input), shows fewer than four copies where the context is
    short, and is the embedded model's own format for that model; P_g leaves the sketch and its rule
    out where there is none; and a teacher with a chat template gets it as a user's message.
    """

    weights: str = "received_corrected"
    reducer: str = "pca"
    k: int = 3
    windows: int | None = None
    threshold: int | None = None
    passes: int = 2
    max_uses: int = 3
    rescale: str = "clip"
    pad: str = "zero"
    where: str = "sparse"
    seeds: int = 2
    sketch: str = "decode"
    max_rounds: int = 8

    def __post_init__(self):
        choices = {
            "where": ("sparse", "dense", "random"),
            "seeds": (1, 2),
            "sketch": ("decode", "nearest", "skip"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, got {getattr(self, name)!r}")
        as_count(self.max_rounds, "max_rounds")


PRESETS = MappingProxyType(
    {
        "fast": EmbedSDGPreset(windows=16),
        "study": EmbedSDGPreset(windows=16),
        "paper": EmbedSDGPreset(
            weights="received", reducer="tsne", k=2, threshold=10, windows=60, rescale="none"
        ),
    }
)
