"""Text classification as a test of a training set: a linear student, and a language model."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...lm.finetune import FinetunePreset, finetune
from ...synalign.checks import as_weights
from .pools import labelled

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
        from sklearn.metrics import f1_score

        codes = {label: i for i, label in enumerate(dict.fromkeys(self.labels + self.predicted))}
        true, said = ([codes[x] for x in side] for side in (self.labels, self.predicted))
        return float(f1_score(true, said, labels=sorted(set(true)), average="macro"))


# --- students -------------------------------------------------------------------------------------


def linear_score(
    vectors: Any,  # (n, d), of the training rows, dense or sparse
    labels: Sequence[Hashable],  # n
    test_vectors: Any,  # (m, d)
    test_labels: Sequence[Hashable],  # m
    weights: Any = None,  # (n,), not negative, scaled to mean 1; default: equal
    strength: float = 10.0,  # C, the inverse ridge of logistic regression
) -> Score:
    """A logistic regression on vectors; rows of weight 0 are left out.

    A label that only test rows have counts as wrong. ValueError: fewer than two labels to learn, or
    none in common with the test rows.
    """
    from scipy.sparse import issparse
    from sklearn.linear_model import LogisticRegression

    x, test = (side if issparse(side) else np.asarray(side, dtype=float)
               for side in (vectors, test_vectors))  # fmt: skip
    w = as_weights(weights, len(labels)) * len(labels)
    there = np.flatnonzero(w)
    names = list(dict.fromkeys(labels[i] for i in there))
    _check_labels(names, test_labels)
    code = {name: i for i, name in enumerate(names)}
    model = LogisticRegression(C=strength, max_iter=2000)
    model.fit(x[there], [code[labels[i]] for i in there], sample_weight=w[there])
    predicted = model.predict(test)
    return Score(tuple(test_labels), tuple(names[i] for i in predicted))


def _check_labels(known: Sequence[Hashable], test: Sequence[Hashable]) -> None:
    """Raise ValueError for labels that cannot be learned."""
    if len(known) < 2:
        raise ValueError(f"a student needs two labels to tell apart; training rows have {known}")
    if not set(known) & set(test):
        raise ValueError(f"no label in common: {known[:5]} to learn and {[*test][:5]} to test")


def tuned_accuracy(lm: Any, train: Any, test: Any, preset: FinetunePreset, seed: int = 0) -> Score:
    """A small language model fine-tuned to write the label, scored by which label costs least.

    The cost of a label is -log p(its words and the end of text | `PROMPT`), in nats. A text that
    does not fit the context is cut at its end.

    ValueError: labels that cannot be learned, and the errors of `labelled`.
    """
    train, test = labelled(train), labelled(test)
    names = list(dict.fromkeys(train.labels))
    _check_labels(names, test.labels)
    written = {name: f" {name}" for name in names}
    room = lm.context - max(map(len, lm.token_ids([*written.values()]))) - 2  # BOS and EOS
    examples = [
        {"prompt": _prompt(lm, text, room), "completion": written[label]}
        for text, label in zip(train.texts, train.labels)
    ]
    student = finetune(lm, examples, preset, seed=seed)
    prompts = [_prompt(lm, text, room) for text in test.texts]
    costs = [_cost(student, prompts, written[name]) for name in names]
    best = np.argmin(np.stack(costs), axis=0)
    return Score(test.labels, tuple(names[i] for i in best))


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


def _cost(lm: Any, prompts: Sequence[str], word: str) -> np.ndarray:
    """Nats of `word` and the end after each prompt, (n,)."""
    tokens = len(lm.token_ids([word])[0]) + (lm.eos_id is not None)
    mean = lm.nll([word] * len(prompts), prompts=list(prompts), batch_size=64)
    return mean.numpy() * tokens
