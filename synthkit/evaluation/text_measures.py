"""Measures of texts that `evaluate` takes: fidelity, diversity, novelty, utility with labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.intervals import Interval, mean_interval
from ..datasets import columns_of, is_table, texts_of
from ..datasets.validation import bad_rows, is_blank
from .mauve import text_features
from .measure import OF_FEATURES, Found, Gauge, Halves, Measure, copy_note, size_note
from .text import (
    _products,
    contaminated,
    distinct_n,
    exact_duplicates,
    jensen_shannon,
    near_duplicates,
    one_nn_accuracy,
    rate,
    self_bleu,
    tfidf,
)
from .two_samples import c2st_linear, neighbour_ratio, vendi

FEW = 8  # classes that a note names
LARGEST_HALF = 1000  # the time of the 1-NN test grows with its square


@dataclass(frozen=True)
class Texts:
    """Texts with their TF-IDF rows (sparse), their features (n, d), and labels where there are."""

    texts: list[str]
    rows: Any
    features: np.ndarray
    labels: list | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, index: np.ndarray) -> Texts:
        """Those at the places of `index`; without the labels, which no sample needs."""
        return Texts([self.texts[i] for i in index], self.rows[index], self.features[index])


GAUGES = (
    Gauge("fidelity", "word JSD", "0 = same", lambda x, a: jensen_shannon(x.texts, a.texts, 1)),
    Gauge(
        "fidelity", "word-pair JSD", "0 = same", lambda x, a: jensen_shannon(x.texts, a.texts, 2)
    ),
    Gauge(
        "fidelity", "1-NN accuracy", "0.5 = same", lambda x, a: one_nn_accuracy(x.texts, a.texts)
    ),
    Gauge("fidelity", "C2ST AUC", "0.5 = same", lambda x, a: c2st_linear(x.rows, a.rows)),
    *OF_FEATURES,
    Gauge("diversity", "distinct-2", "1 = all differ", lambda x, a: distinct_n(x.texts, 2)),
    Gauge(
        "diversity", "self-BLEU-4", "1 = all alike", lambda x, a: float(self_bleu(x.texts).mean())
    ),
    Gauge(
        "diversity",
        "Vendi score",
        "unlike texts",
        lambda x, a: vendi((x.rows @ x.rows.T).toarray()),
        1.0,
        np.inf,
        1,
    ),
    Gauge(
        "diversity", "repeated texts", "share", lambda x, a: float(exact_duplicates(x.texts).mean())
    ),
)


def measure_texts(
    real: Any,
    synthetic: Any,
    test: Any,
    *,
    target: str | None,
    text: str | None,
    rng: np.random.Generator,
    splits: int,
    limit: int,
) -> Found:
    """All measures of texts; the arguments are those of `evaluate`."""
    given = [real, synthetic, *([] if test is None else [test])]
    texts = [texts_of(data, text) for data in given]
    labels = [_labels(data, target) for data in given]
    if labels[0] == texts[0]:
        raise ValueError(f"the target {target!r} is the column of texts; name that of the classes")
    keep = [np.sort(rng.permutation(len(each))[:limit]) for each in texts]
    kept = [[each[i] for i in index] for each, index in zip(texts, keep)]
    picked = [each and [each[i] for i in index] for each, index in zip(labels, keep)]
    features = text_features(*kept)
    real_, synthetic_, *held_out = map(Texts, kept, tfidf(*kept), features, picked)
    other = held_out[0] if held_out else None
    halves = Halves(real_, synthetic_, other, LARGEST_HALF, splits, rng)
    rows, notes = halves.measures(GAUGES)
    rows += _against_all(texts, real_, synthetic_, halves.other)
    used, missing = _utility(real_, synthetic_, other)
    share = next(row for row in rows if row.name == "exact copies").synthetic.mean
    first = size_note(halves.size, "texts") + copy_note(share, "texts") + _limit_note(texts, limit)
    told = "random halves of the real texts" if halves.other is None else "the test texts"
    sizes = len(real_), len(synthetic_), halves.size
    return Found(rows + used, first + notes + missing, "texts", *sizes, told)


def _labels(data: Any, target: str | None) -> list | None:
    if target is None:
        return None
    columns = columns_of(data) if is_table(data) else {}
    if target not in columns:
        raise ValueError(f"no column {target!r} to predict; found {', '.join(columns) or 'none'}")
    values = columns[target]
    if blank := [i for i, value in enumerate(values) if is_blank(value)]:
        raise ValueError(bad_rows(target, blank, values, "a label"))
    return values


def _limit_note(texts: Sequence[Sequence[str]], limit: int) -> list[str]:
    largest = max(map(len, texts))
    if largest <= limit:
        return []
    return [
        f"At most {limit:,} texts of each set (of up to {largest:,}) are measured; exact copies "
        "and contamination are looked for among all of them."
    ]


def two_nearest_texts(texts: Any, against: Any = None) -> np.ndarray:
    """The cosine distances (n, 2) of each text to its two nearest; see `novelty`."""
    pairs = []
    for _, cosine in _products(texts, against):
        pairs.append(np.sort(np.partition(cosine, -2, axis=1)[:, -2:], axis=1)[:, ::-1])
    distance = np.clip(1 - np.concatenate(pairs), 0, 1)
    return np.where(distance < 1e-9, 0, distance)


def _against_all(
    texts: Sequence[list[str]], real: Texts, synthetic: Texts, other: Texts | None
) -> list[Measure]:
    """Novelty and copies of the synthetic texts, and of other real texts: `other`, or each real
    text against the other ones."""
    all_real, all_synthetic, *test = texts
    s_near = two_nearest_texts(synthetic.rows, real.rows)
    if other is None:
        r_near = two_nearest_texts(real.rows)
        copies = exact_duplicates(all_real, keep_first=False)
    else:
        r_near = two_nearest_texts(other.rows, real.rows)
        copies = exact_duplicates(test[0], all_real)
    pairs = {"exact copies": (exact_duplicates(all_synthetic, all_real), copies)}
    for name, masked in (("near copies", False), ("near copies, masked", True)):
        one, same = {"mask_digits": masked}, (real.texts if other is None else other.texts)
        pairs[name] = (
            near_duplicates(synthetic.texts, real.texts, **one),
            near_duplicates(same, None if other is None else real.texts, keep_first=False, **one),
        )
    if test:
        pairs["contamination"] = (contaminated(all_synthetic, *test), contaminated(all_real, *test))
    nearest = (mean_interval(near[:, 0]) for near in (s_near, r_near))
    ratios = (mean_interval(neighbour_ratio(near)) for near in (s_near, r_near))
    return [
        Measure("novelty", "nearest real text", "0 = a copy", *nearest),
        Measure("novelty", "neighbour ratio", "near 0 = one text's copy", *ratios),
        *(Measure("novelty", name, "share", rate(s), rate(r)) for name, (s, r) in pairs.items()),
    ]


def _utility(real: Texts, synthetic: Texts, test: Texts | None) -> tuple[list[Measure], list[str]]:
    """Accuracy on the test texts of a linear classifier that learned from either side."""
    if test is None or test.labels is None:
        return [], ["Utility is left out: it needs test data and target, the column to predict."]
    size, rng = min(len(real), len(synthetic)), np.random.default_rng(0)
    sides = [_accuracy(side, test, rng.permutation(len(side))[:size]) for side in (synthetic, real)]
    missing = sorted({str(each) for each in test.labels} - {str(x) for x in synthetic.labels or ()})
    few = ", ".join([*missing[:FEW], "..."] if len(missing) > FEW else missing)
    told = f"The synthetic texts lack {len(missing)} of the test's classes: {few}."
    return (
        [Measure("utility", "TSTR accuracy", "1 = all right", *sides)],
        [told] if missing else [],
    )


def _accuracy(train: Texts, test: Texts, index: np.ndarray) -> Interval:
    from sklearn.linear_model import LogisticRegression

    classes = [str(train.labels[i]) for i in index]
    if len(set(classes)) == 1:  # nothing to learn: the one answer
        guesses = np.full(len(test), classes[0])
    else:
        model = LogisticRegression(C=10, max_iter=300)
        guesses = model.fit(train.rows[index], classes).predict(test.rows)
    return rate(guesses == np.array([str(label) for label in test.labels]))
