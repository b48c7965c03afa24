"""Rejection sampling in rounds: a slot whose draft is turned away is drafted again."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from .arguments import as_count


class Batch(NamedTuple):
    """Slots to draft for together.

    Attributes:
        turn: the round's number, from 0. start: of the batch among the round's open slots.
        slots: of the batch. n_open: slots that were open when the round began.
    """

    turn: int
    start: int
    slots: list[int]
    n_open: int


def open_batches(
    n: int, kept: Collection[int], *, rounds: int, batch_size: int, unit: str = "row",
    progress: bool = False,
) -> Iterator[Batch]:  # fmt: skip
    """Yield the slots below `n` that `kept` lacks in batches, in at most so many rounds.

    The caller drafts for a batch, and puts the slots it fills into `kept` before it asks for the
    next one.

    Args:
        kept: slots that are filled, such as a dictionary from a slot to what fills it.
        unit: what a slot holds, for the progress bar.

    Raises:
        TypeError, ValueError: `batch_size` is no whole number of at least 1.
    """
    from tqdm import tqdm

    size = as_count(batch_size, "batch_size")
    with tqdm(total=n, desc="sample", unit=unit, disable=not progress) as bar:
        for turn in range(rounds):
            slots = [slot for slot in range(n) if slot not in kept]
            for start in range(0, len(slots), size):
                before = len(kept)
                yield Batch(turn, start, slots[start : start + size], len(slots))
                bar.update(len(kept) - before)
