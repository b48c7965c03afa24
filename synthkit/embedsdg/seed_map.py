"""Real questions on the map of a student's own embeddings: pairs of seeds, and sketches of them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core.packing import (
    Files,
    Read,
    array_bytes,
    inside,
    read_arrays,
    read_rows,
    row_bytes,
    under,
)
from ..embed.reduction import Reducer
from ..teacher.templates import fill
from .grid import Grid
from .interpolation import decode, interpolate, nearest_tokens, warn_of_lost
from .presets import EmbedSDGPreset
from .prompts import SHOTS, decode_prompt
from .sparsity import (
    SeedPair,
    choose_threshold,
    count_windows,
    dense_regions,
    embed_texts,
    random_pairs,
    select_pairs,
    sparse_regions,
)

PROBES = 6  # questions that a student is asked to copy


@dataclass
class SeedMap:
    """A data set on the map that a student's own embeddings draw.

    Attributes:
        lm: the student (a `synthkit.LM`).
        questions, answers: the real data, n of each.
        reducer: from vectors to the map.
        points: the questions' places, (n, K).
        grid, counts: the windows, and the points in each.
    """

    lm: Any
    preset: EmbedSDGPreset
    questions: list[str]
    answers: list[str]
    reducer: Reducer
    points: np.ndarray
    grid: Grid = field(init=False)
    counts: np.ndarray = field(init=False)

    def __post_init__(self):
        self.grid = Grid.fit(self.points, self.preset.windows)
        self.counts = count_windows(self.points, self.grid)

    @classmethod
    def draw(
        cls, lm: Any, preset: EmbedSDGPreset, questions: list[str], answers: list[str], *, seed: int
    ) -> SeedMap:
        """Embed the questions (equation 2) and fit the reduction (equation 3) to them.

        Raises:
            ValueError: no window holds two questions, and pairs are to come from windows.
        """
        reducer = Reducer(preset.reducer, preset.k, seed=seed)
        points = reducer.fit_transform(embed_texts(lm, questions, weights=preset.weights))
        drawn = cls(lm, preset, questions, answers, reducer, points)
        if preset.where != "random":
            drawn.check_windows()
        return drawn

    def check_windows(self) -> None:
        """Raise ValueError when no window holds two questions, so that there are no pairs."""
        if self.counts.max() >= 2:
            return
        grids = (Grid.fit(self.points, n) for n in range(self.grid.n_windows[0] - 1, 0, -1))
        wider = next((g for g in grids if count_windows(self.points, g).max() >= 2), None)
        remedy = f"take windows={wider.n_windows[0]} or fewer, or give" if wider else "give"
        raise ValueError(
            f"no window of the map holds two of the {len(self.questions)} questions: {remedy} more"
        )

    def place(self, texts: Sequence[str]) -> np.ndarray:
        """Places of other texts on the map, (len(texts), K)."""
        vectors = embed_texts(self.lm, list(texts), weights=self.preset.weights)
        return self.reducer.transform(vectors)

    def threshold(self, n: int) -> int | None:
        """T for `n` pairs: the preset's, or one that flags enough regions; None for random seeds.

        For sparse regions it is the smallest such T, for dense ones, which hold T points or more,
        the largest.
        """
        preset = self.preset
        if preset.threshold or preset.where == "random":
            return None if preset.where == "random" else preset.threshold
        if preset.where == "sparse":
            return choose_threshold(self.counts, n, passes=preset.passes)
        usable = np.sort(self.counts[self.counts >= 2])[::-1]
        needed = -(-2 * n // preset.passes)
        return int(usable[min(needed, len(usable)) - 1]) if len(usable) else 2

    def pairs(self, n: int, seed: int, threshold: int | None = None) -> list[SeedPair]:
        """`n` pairs of seeds, or as many as there are: from thin regions, dense ones, or anywhere.

        A chosen T that is too strict for `n` pairs is loosened step by step; the preset's is kept.
        """
        if self.preset.where == "random":
            return random_pairs(len(self.questions), n, seed, self.questions, strict=False)
        sparse = self.preset.where == "sparse"
        threshold = threshold or self.threshold(n)
        while True:
            regions = (sparse_regions if sparse else dense_regions)(
                self.counts, self.grid, threshold, seed=seed
            )
            pairs = select_pairs(
                self.points, regions, n, seed=seed, texts=self.questions,
                max_uses=self.preset.max_uses, strict=False,
            )  # fmt: skip
            last = threshold > self.counts.max() if sparse else threshold <= 2
            if len(pairs) == n or last or self.preset.threshold:
                return pairs
            threshold += 1 if sparse else -1

    def check_copies(self, template: str | None = None) -> float | None:
        """Share of a few questions that the student copies; see `warn_of_lost`, which warns.

        None where the preset has no sketch decoded, or no question fits the context.
        """
        preset, probes = self.preset, self.questions[:PROBES]
        if preset.sketch != "decode" or preset.seeds == 1:
            return None
        form = fitting_form(self.lm, max(map(len, self.lm.token_ids(probes))), template)
        scaling = {"weights": preset.weights, "rescale": preset.rescale}
        return warn_of_lost(self.lm, probes, form=form, **scaling)

    def sketches(self, pairs: Sequence[SeedPair], template: str | None = None) -> list[str | None]:
        """One sketch per pair as the preset says: decoded, nearest tokens, or None.

        Args:
            template: of the decoding prompt, with {text}; None is the kit's.
        """
        preset = self.preset
        if preset.sketch == "skip" or preset.seeds == 1 or not pairs:
            return [None] * len(pairs)
        ends = [[self.questions[i] for i in side] for side in zip(*((p.a, p.b) for p in pairs))]
        blocks = interpolate(
            self.lm, *ends, weights=preset.weights, pad=preset.pad, rescale=preset.rescale
        )
        if preset.sketch == "nearest":
            return [nearest_tokens(self.lm, block) for block in blocks]
        form = fitting_form(self.lm, max(map(len, blocks)), template)
        return decode_fitting(self.lm, blocks, form)

    def pack(self) -> Files:
        """The files of the map: reducer, points and texts."""
        texts = zip(self.questions, self.answers)
        return {
            "points.safetensors": array_bytes(points=self.points),
            "real.jsonl": row_bytes({"question": q, "answer": a} for q, a in texts),
            **under("reducer", self.reducer.pack()),
        }

    @classmethod
    def unpack(cls, read: Read, lm: Any, preset: EmbedSDGPreset) -> SeedMap:
        """The map that `pack` packed; nothing is embedded again."""
        rows = read_rows(read("real.jsonl"))
        texts = [[row[name] for row in rows] for name in ("question", "answer")]
        points = read_arrays(read("points.safetensors"))["points"]
        return cls(lm, preset, *texts, Reducer.unpack(inside(read, "reducer")), points)


def fitting_form(lm: Any, longest: int, template: str | None = None) -> tuple[str, str]:
    """The decoding prompt, before and after the block, with as many copies as there is room for.

    Args:
        longest: columns of the longest block.
        template: of the user's, with {text}; it stands as it is.
    """
    if template is not None:
        before, after = (fill(part) for part in template.split("{text}"))
        return before, after
    kit = "embedded" if lm.is_embedded else "paper"
    for count in range(len(SHOTS), 0, -1):
        form = decode_prompt(SHOTS[:count], form=kit)
        if _length(lm, form) + 2 * longest < lm.context:
            break
    return form


def decode_fitting(lm: Any, blocks: Sequence, form: tuple[str, str]) -> list[str | None]:
    """A sketch of every block that fits the context with its prompt and its copy, else None."""
    room = lm.context - _length(lm, form)
    fits = [i for i, block in enumerate(blocks) if 2 * len(block) < room]
    if len(fits) < len(blocks):
        warnings.warn(
            f"{len(blocks) - len(fits)} of {len(blocks)} blocks are too long to decode: their "
            "prompts have no sketch",
            stacklevel=2,
        )
    found: list[str | None] = [None] * len(blocks)
    for i, sketch in zip(fits, decode(lm, [blocks[i] for i in fits], form=form)):
        found[i] = sketch.text
    return found


def _length(lm: Any, form: tuple[str, str]) -> int:
    return sum(map(len, lm.token_ids(list(form))))
