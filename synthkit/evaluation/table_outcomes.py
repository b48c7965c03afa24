"""Utility and privacy of a synthetic table, as rows of a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .measure import Measure, next_draw
from .table_columns import FEW_VALUES, column_kinds
from .table_privacy import closest_record
from .table_utility import utility
from .text import rate

if TYPE_CHECKING:
    import pandas as pd

LEARNED = 5000  # rows that the trees learn from
DRAWS = 5  # of these, and of the test rows with replacement
SCORES = {
    "auc": ("0.5 = chance", 0, 1),
    "rmse": ("0 = exact", 0, np.inf),
    "r2": ("0 = chance", -np.inf, 1),
}
IDENTIFIES = 0.9  # the share of different values from which a column identifies rows

Part = tuple[list[Measure], list[str]]  # measures, and what to know before reading


def utility_part(
    frames: Sequence[pd.DataFrame],
    target: str | None,
    categories: Sequence[str],
    rng: np.random.Generator,
) -> Part:
    """Scores of trees that learned from either table on the test rows."""
    real, synthetic, *test = frames
    if target is None or not test:
        return [], ["Utility is left out: it needs test data and target, the column to predict."]
    size, held_out = min(len(real), len(synthetic), LEARNED), test[0]
    scores: list[list[pd.DataFrame]] = [[], []]
    classes = _classes(held_out[target], target, categories) if target in held_out else None
    for seed in range(DRAWS):
        asked = held_out.take(_bootstrap(classes, len(held_out), rng))
        for side, found in zip((synthetic, real), scores):
            learned = side.take(rng.permutation(len(side))[:size])
            found.append(utility(learned, asked, target, (seed,), categories=categories))
    rows = []
    for name in scores[0][0]:
        reading, *ends = SCORES.get(name, ("1 = all right", 0, 1))
        sides = (next_draw([each[name].iloc[0] for each in side], 0, *ends) for side in scores)
        rows.append(Measure("utility", f"TSTR {name}", reading, *sides))
    return rows, _missing_classes(synthetic[target], classes)


def _classes(test: pd.Series, target: str, categories: Sequence[str]) -> pd.Series | None:
    """The target if it is of classes, None if of numbers."""
    kind = column_kinds(test.to_frame(), [target] if target in categories else [])[target]
    return test if kind == "category" or test.nunique() <= FEW_VALUES else None


def _bootstrap(classes: pd.Series | None, n: int, rng: np.random.Generator) -> np.ndarray:
    """Places of n rows drawn with replacement, of each class as many as there are."""
    import pandas as pd

    groups = np.zeros(n, int) if classes is None else pd.factorize(classes)[0]
    places = (np.flatnonzero(groups == group) for group in np.unique(groups))
    return np.concatenate([rng.choice(place, len(place)) for place in places])


def _missing_classes(synthetic: pd.Series, classes: pd.Series | None) -> list[str]:
    if classes is None:
        return []
    missing = sorted(map(str, set(classes.dropna()) - set(synthetic.dropna())))
    told = f"The synthetic table lacks {len(missing)} of the classes of {classes.name}"
    return [f"{told}: {', '.join(missing[:10])}."] if missing else []


def closest_part(
    frames: Sequence[pd.DataFrame], categories: Sequence[str], rng: np.random.Generator
) -> Part:
    """The DCR share (see `closest_record`) of the synthetic rows, and of one half of the test rows;
    the other half of them is what both are compared with."""
    real, synthetic, *test = frames
    if not test or len(test[0]) < 4:
        return [], ["DCR share is left out: it needs test data, which the generator has not seen."]
    played, held_out = (
        test[0].take(half) for half in np.array_split(rng.permutation(len(test[0])), 2)
    )
    found = [
        closest_record(real, held_out, made, categories=categories).nearer_train
        for made in (synthetic, played)
    ]
    return [Measure("privacy", "DCR share", "0.5 = copies nothing", *found)], []


def identifying(real: pd.DataFrame, kinds: dict[str, str]) -> list[str]:
    """The columns of words or whole numbers whose values nearly all differ."""
    from pandas.api import types

    names = []
    for name, kind in kinds.items():
        known = real[name].dropna()
        whole = kind == "category" or types.is_integer_dtype(known)
        if whole and known.nunique() > max(FEW_VALUES, IDENTIFIES * len(known)):
            names.append(name)
    return names


def identifiers_part(frames: Sequence[pd.DataFrame], names: Sequence[str]) -> Part:
    """The share of rows that hold a value of the real rows in a column that identifies a row."""
    if not names:
        return [], ["Identifiers: no column of the real table has nearly all values different."]
    real, synthetic, *test = frames
    held = [
        rate(np.any([side[name].isin(real[name].dropna()) for name in names], axis=0))
        for side in (synthetic, *test)
    ]
    if not test:
        again = [real[name].duplicated(keep=False) & real[name].notna() for name in names]
        held.append(rate(np.any(again, axis=0)))
    told = (
        f"Columns that identify a row: {', '.join(map(str, names))}; of these, words are left out "
        "of the other measures."
    )
    return [Measure("privacy", "identifiers", "share with a real row's", *held)], [told]
