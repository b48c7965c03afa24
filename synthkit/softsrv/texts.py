"""The texts of a target, and those set aside to stop a training in time."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..datasets import as_dataset

QUESTION_LINE = "\nQuestion: "  # between a passage and its question


def target_texts(real: Any) -> list[str]:
    """The texts x_i of a target: column `text`, `question` (`passage` above it) or `prompt`.

    Args:
        real: texts, or a table of any kind that `synthkit.datasets.as_frame` reads.

    Raises:
        TypeError: neither of these. ValueError: no such column (the message lists those found), no
            rows, or a row without text.
    """
    rows = as_dataset(real)
    there = rows.column_names
    if "text" in there:
        return list(as_dataset(rows, "text")["text"])
    if "passage" in there and "question" in there:
        rows = as_dataset(rows, "passage", "question")
        return [QUESTION_LINE.join(pair) for pair in zip(rows["passage"], rows["question"])]
    for column in ("question", "prompt"):
        if column in there:
            return list(as_dataset(rows, column)[column])
    found = ", ".join(there)
    raise ValueError(
        f"needs a column 'text', 'question' (and 'passage') or 'prompt'; found {found}"
    )


def question_of(text: str) -> str:
    """The question of a text: what stands behind its question line, or all of it."""
    return text.rpartition(QUESTION_LINE)[2]


def measured_texts(lm: Any, real: Any) -> tuple[list[str], list[int]]:
    """The texts of a target and their lengths in tokens; ValueError for a model without EOS."""
    if lm.eos_id is None:
        raise ValueError(f"{lm.name!r} has no end token, so its texts would never end")
    texts = target_texts(real)
    return texts, [len(ids) for ids in lm.token_ids(texts)]


def split(n: int, share: float, seed: int) -> tuple[list[int], list[int]]:
    """Indices below `n`: a training part and a held-out part of `share`, both in order.

    Raises:
        ValueError: fewer than two texts would be left to train on.
    """
    held = max(1, round(share * n)) if share else 0
    if n - held < 2:
        raise ValueError(
            f"SoftSRV needs at least {2 + held} texts, two to train on and {held} held out; "
            f"found {n}"
        )
    order = np.random.default_rng(seed).permutation(n)
    return np.sort(order[held:]).tolist(), np.sort(order[:held]).tolist()
