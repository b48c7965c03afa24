"""Text classification as a test of a training set: students, mixed sets and skewed real pools."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.intervals import Interval, bootstrap_interval
from ...core.presets import choose_preset
from ...datasets import values_of
from ...embed.encoders import load_embedder
from ...synalign.exploration import checked_vectors
from .pools import Labelled, SkewedPool, labelled, mixes, skewed_pool

if TYPE_CHECKING:
    import pandas as pd

    from ...lm.finetune import FinetunePreset

__all__ = [
    "Labelled", "Score", "SkewedPool", "compare", "difference", "labelled", "linear_accuracy",
    "linear_score", "mixes", "skewed_pool", "tuned_accuracy",
]  # fmt: skip

PROMPT = "Text: {text}\nLabel:"  # what the fine-tuned student completes


# --- scores ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Score:
    """A student's predictions on a test set; all figures follow from them."""

    labels: tuple[Hashable, ...]  # n, the true ones
    predicted: tuple[Hashable, ...]  # n

    @property
    def right(self) -> np.ndarray:
        """(n,) of bool."""
        return np.array([a == b for a, b in zip(self.labels, self.predicted, strict=True)])

    @property
    def accuracy(self) -> float:
        return float(self.right.mean())

    @property
    def macro_f1(self) -> float:
        """The mean F1 of the labels that occur among the true ones."""
        return _macro_f1(*self._codes())

    def _codes(self) -> tuple[np.ndarray, np.ndarray]:
        """Both columns as whole numbers (n,)."""
        code = {label: i for i, label in enumerate(dict.fromkeys(self.labels + self.predicted))}
        return tuple(np.array([code[x] for x in side]) for side in (self.labels, self.predicted))


def _macro_f1(labels: np.ndarray, predicted: np.ndarray) -> float:
    size = int(max(labels.max(), predicted.max())) + 1
    true, said = (np.bincount(side, minlength=size) for side in (labels, predicted))
    hits = np.bincount(labels[labels == predicted], minlength=size)
    there = true > 0
    return float((2 * hits[there] / (true + said)[there]).mean())


def difference(a: Score, b: Score, measure: str = "accuracy", n: int = 2000, seed: int = 0):
    """`a` minus `b` with its paired bootstrap `Interval` over the test rows.

    Args:
        measure: "accuracy" or "macro F1".
        n: resamples of the test rows, the same rows for both students.

    Raises:
        ValueError: the scores are not of the same test rows, or an unknown measure.
    """
    if a.labels != b.labels:
        raise ValueError("two students are compared on the same test rows in the same order")
    if measure == "accuracy":
        return bootstrap_interval(a.right.astype(float) - b.right, n=n, seed=seed)
    if measure != "macro F1":
        raise ValueError(f"no measure is called {measure!r}; choose 'accuracy' or 'macro F1'")
    (true, one), (again, other) = a._codes(), b._codes()

    def gap(rows: np.ndarray) -> float:
        i = rows.astype(int)
        return _macro_f1(true[i], one[i]) - _macro_f1(again[i], other[i])

    return bootstrap_interval(np.arange(len(true)), gap, n=n, seed=seed)


def compare(scores: Mapping[str, Score], against: str, seed: int = 0) -> pd.DataFrame:
    """A row a student: accuracy, macro F1, and the difference in accuracy to one of them.

    Raises:
        KeyError: no student is called `against`.
    """
    import pandas as pd

    if against not in scores:
        raise KeyError(f"no student is called {against!r}; found {', '.join(scores)}")
    rows = {}
    for name, score in scores.items():
        gap: Interval | str = ""
        if name != against:
            gap = difference(score, scores[against], seed=seed)
        rows[name] = {
            "accuracy": round(score.accuracy, 3),
            "macro F1": round(score.macro_f1, 3),
            f"accuracy - {against}": str(gap),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("trained on")


# --- students -------------------------------------------------------------------------------------


def linear_score(
    vectors: Any,  # (n, d), of the training rows
    labels: Sequence[Hashable],  # n
    test_vectors: Any,  # (m, d)
    test_labels: Sequence[Hashable],  # m
    weights: Any = None,  # (n,), not negative, scaled to mean 1; default: equal
    strength: float = 10.0,  # C, the inverse ridge of logistic regression
) -> Score:
    """A logistic regression on vectors; rows of weight 0 are left out.

    Raises:
        ValueError: counts, widths or weights that do not fit, fewer than two labels to learn, or
            no label in common with the test rows.
    """
    from sklearn.linear_model import LogisticRegression

    x = checked_vectors(vectors, "training vectors")
    z = checked_vectors(test_vectors, "test vectors", width=x.shape[1])
    labels, test_labels = values_of(labels, "labels"), values_of(test_labels, "test_labels")
    if len(x) != len(labels) or len(z) != len(test_labels):
        raise ValueError(
            f"{len(x)} training vectors with {len(labels)} labels and {len(z)} test vectors with "
            f"{len(test_labels)}: give one label a row"
        )
    w = _row_weights(weights, len(x))
    there = np.flatnonzero(w)
    names = list(dict.fromkeys(labels[i] for i in there))
    _check_labels(names, test_labels)
    code = {name: i for i, name in enumerate(names)}
    model = LogisticRegression(C=strength, max_iter=2000)
    model.fit(x[there], [code[labels[i]] for i in there], sample_weight=w[there])
    return Score(tuple(test_labels), tuple(names[i] for i in model.predict(z)))


def _row_weights(weights: Any, n: int) -> np.ndarray:
    """Weights of mean 1, (n,)."""
    w = np.ones(n) if weights is None else np.asarray(weights, dtype=float)
    if w.shape != (n,) or not np.isfinite(w).all() or (w < 0).any() or not w.sum() > 0:
        raise ValueError(
            f"weights must hold one finite number >= 0 for each of {n} training rows, not all 0; "
            f"got shape {w.shape}"
        )
    return w * n / w.sum()


def _check_labels(known: Sequence[Hashable], test: Sequence[Hashable]) -> None:
    """Errors and a warning for labels that cannot be learned."""
    if len(known) < 2:
        raise ValueError(
            f"a student needs two labels to tell apart; the training rows have {known}"
        )
    unseen = Counter(label for label in test if label not in set(known))
    if unseen.total() == len(test):
        raise ValueError(
            f"training and test rows have no label in common: {known[:5]} and {list(unseen)[:5]}"
        )
    if unseen:
        warnings.warn(
            f"{unseen.total()} of {len(test)} test rows have labels that no training row has, and "
            f"count as wrong: {list(unseen)[:5]}",
            stacklevel=3,
        )


def linear_accuracy(
    train: Any,
    test: Any,
    embedder: Any = "tfidf",
    weights: Any = None,
    strength: float = 10.0,
) -> Score:
    """A linear student on frozen embeddings, scored on test rows.

    Args:
        train, test: rows with text and label (see `labelled`).
        embedder: what `synthkit.embed.encoders.load_embedder` takes; one given by its name is
            fitted on the training texts, an embedder that is given is used as it is.
        weights: (n,) of the training rows, such as `align` returns.
        strength: the inverse ridge C.

    Raises:
        ValueError: see `labelled` and `linear_score`.
    """
    train, test = labelled(train), labelled(test)
    encode = load_embedder(embedder)
    if isinstance(embedder, str):
        encode.fit(list(train.texts))
    vectors = (encode(list(rows.texts)) for rows in (train, test))
    x, z = vectors
    return linear_score(x, train.labels, z, test.labels, weights, strength)


def tuned_accuracy(
    lm: Any,
    train: Any,
    test: Any,
    preset: str | FinetunePreset = "fast",
    seed: int = 0,
    *,
    words: Mapping[Hashable, str] | None = None,
    batch_size: int = 64,
    progress: bool = False,
) -> Score:
    """A small language model fine-tuned to write the label, scored by which label costs least.

    The cost of a label is -log p(its words and the end of text | `PROMPT`), in nats. A text that
    does not fit the context is cut at its end.

    Args:
        lm: a `synthkit.LM`; it stays as it is.
        train, test: rows with text and label (see `labelled`).
        preset: of `synthkit.lm.finetune`, by name or itself.
        words: how each label is written; default: the label itself, "_" read as a blank.

    Raises:
        ValueError: labels that are written alike or not at all, and the errors of `labelled`.
    """
    from ...lm.finetune import PRESETS, finetune

    train, test = labelled(train), labelled(test)
    preset = choose_preset(preset, PRESETS, {}, "the student")
    names = list(dict.fromkeys(train.labels))
    _check_labels(names, test.labels)
    written = _label_words(names, words)
    room = lm.context - max(map(len, lm.token_ids([*written.values()]))) - 2  # BOS and EOS
    examples = [
        {"prompt": _prompt(lm, text, room), "completion": written[label]}
        for text, label in zip(train.texts, train.labels)
    ]
    student = finetune(lm, examples, preset, seed=seed, progress=progress)
    prompts = [_prompt(lm, text, room) for text in test.texts]
    costs = [_cost(student, prompts, written[name], batch_size) for name in names]
    best = np.argmin(np.stack(costs), axis=0)
    return Score(test.labels, tuple(names[i] for i in best))


def _label_words(names: Sequence[Hashable], words: Mapping[Hashable, str] | None) -> dict:
    """ " word" for each label."""
    found = {name: str((words or {}).get(name, name)).replace("_", " ").strip() for name in names}
    if len(set(found.values())) < len(found) or not all(found.values()):
        raise ValueError(f"labels must be written differently, and not be empty; got {found}")
    return {name: f" {word}" for name, word in found.items()}


def _prompt(lm: Any, text: str, room: int) -> str:
    """`PROMPT` with as much of the text as fits into `room` tokens."""
    prompt = PROMPT.format(text=text)
    while (over := len(lm.token_ids([prompt])[0]) - room) > 0:
        kept = max(0, min(len(text) - 1, int(len(text) * (1 - over / (over + room)))))
        if not text:
            raise ValueError(f"the context holds {lm.context} tokens, too few for any text")
        text = text[:kept]
        prompt = PROMPT.format(text=text)
    return prompt


def _cost(lm: Any, prompts: Sequence[str], word: str, batch_size: int) -> np.ndarray:
    """Nats of `word` and the end after each prompt, (n,)."""
    tokens = len(lm.token_ids([word])[0]) + (lm.eos_id is not None)
    mean = lm.nll([word] * len(prompts), prompts=list(prompts), batch_size=batch_size)
    return mean.numpy() * tokens
