"""Filter of sampled texts: each is kept, or turned away for a reason that is counted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..core.texts import count_words
from ..evaluation.contamination import as_held_out, masked, question_key

if TYPE_CHECKING:
    from datasets import Dataset

KEPT = "kept"
EMPTY = "empty"
UNTERMINATED = "unterminated"
CONTAMINATED = "contaminated"
DUPLICATE = "duplicate"
NEAR_COPY = "near copy of a real text"
UNANSWERED = "unanswered"

# In the order in which they are asked for: a text has the first that fits.
STATUSES = (CONTAMINATED, EMPTY, UNTERMINATED, DUPLICATE, NEAR_COPY, UNANSWERED, KEPT)
DROPPED = (CONTAMINATED, EMPTY, UNTERMINATED, DUPLICATE, UNANSWERED)  # near copies are only named
NEAR = ("own", "train")

# The columns of every sampled set before the common ones; `as_rows` makes the table.
COLUMNS = {
    "text": "string",
    "question": "string",
    "answer": "string",
    "context": "int64",
    "kind": "string",
    "near_copy_own": "bool",
    "near_copy_train": "bool",
    "teacher": "string",
}


@dataclass(frozen=True)
class Verdict:
    """Decision of the filter about one text.

    Attributes:
        status: one of `STATUSES`.
        near_copy_own: True if it is, with numbers masked, the text it was conditioned on; None
            where there is no such text.
        near_copy_train: True if it is, with numbers masked, any training text.
    """

    status: str
    near_copy_own: bool | None
    near_copy_train: bool


class Filter:
    """Judges texts one after the other, and remembers those it let pass.

    Args:
        train: the training texts, which no sampled text may repeat.
        held_out: test texts that must not be repeated; those that do are turned away, always.
        min_words: a text of fewer words (see `synthkit.core.texts.count_words`) counts as empty.
        near_copy: which near copies get a status of their own: those of the text they were
            conditioned on ("own") or of any training text ("train"). Both are always noted.
        drop: the statuses that are turned away; `()` keeps all others, with their status.

    Raises:
        ValueError: an unknown status or kind of near copy, or `min_words` below 1.
    """

    def __init__(
        self,
        train: Iterable[str] = (),
        *,
        held_out: Any = None,
        min_words: int = 1,
        near_copy: str = "own",
        drop: Collection[str] = DROPPED,
    ):
        check_choices(min_words, near_copy, drop)
        self.held_out, self.min_words = as_held_out(held_out), min_words
        self.near_copy, self.drop = near_copy, {CONTAMINATED, *drop}
        train = list(train)
        self._seen = {question_key(text) for text in train}
        self._masked = {masked(text) for text in train}

    def keeps(self, status: str) -> bool:
        """Tell whether texts of that status are let pass."""
        return status not in self.drop

    def judge(self, text: str, *, ended: bool = True, own: str | None = None) -> Verdict:
        """The verdict on `text`; one that passes counts as seen from then on.

        Args:
            ended: True if the model ended it, rather than the limit of tokens.
            own: the real text it was conditioned on.
        """
        form = masked(text)
        copies_own = None if own is None else form == masked(own)
        copies_train = form in self._masked
        near = copies_own if self.near_copy == "own" else copies_train
        key = question_key(text)
        status = KEPT
        if text in self.held_out:
            status = CONTAMINATED
        elif count_words(text) < self.min_words:
            status = EMPTY
        elif not ended:
            status = UNTERMINATED
        elif key in self._seen:
            status = DUPLICATE
        elif near:
            status = NEAR_COPY
        if self.keeps(status):
            self._seen.add(key)
        return Verdict(status, copies_own, copies_train)


def check_choices(min_words: int, near_copy: str, drop: Collection[str]) -> None:
    """Raise ValueError when one of the filter's options is impossible."""
    if min_words < 1:
        raise ValueError(f"min_words must be at least 1, got {min_words}")
    if near_copy not in NEAR:
        raise ValueError(f"near_copy must be one of {NEAR}, got {near_copy!r}")
    droppable = [status for status in STATUSES if status != KEPT]
    one = isinstance(drop, str) or not isinstance(drop, Collection)
    unknown = [drop] if one else [each for each in drop if each not in droppable]
    if unknown:
        raise ValueError(
            f"drop must be a collection of statuses among {droppable}, found {unknown}"
        )


def as_rows(rows: Sequence[dict], **shared: Any) -> Dataset:
    """Rows with the columns and types of `COLUMNS`, also when there are none.

    Args:
        shared: columns that have one value in all rows.
    """
    from datasets import Dataset, Features, Value

    features = Features({name: Value(kind) for name, kind in COLUMNS.items()})
    table = {name: [{**shared, **row}[name] for row in rows] for name in COLUMNS}
    return Dataset.from_dict(table, features=features)
