"""Real data of a run: read from a file or the hub, its columns found by name, known by a hash."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..core.identity import run_key
from ..datasets import as_dataset, load_asdiv, load_clinc150, load_self_instruct, load_sentiment
from ..datasets.files import format_of, lines
from ..datasets.loaders import read_set
from ..datasets.validation import check_texts

# Names that a column may have, by what it is used for; the first that is there is taken.
ROLES: dict[str, tuple[str, ...]] = {
    "question": ("question", "problem", "query", "instruction", "prompt", "text"),
    "answer": ("answer", "solution", "response", "output", "completion", "code"),
    "text": (
        "text", "sentence", "question", "problem", "query", "prompt", "instruction", "review",
        "content", "description",
    ),
    "label": ("label", "class", "intent", "sentiment", "category", "type"),
}  # fmt: skip

# What one text of a public set is.
ABOUT = {
    "gsm8k": "a grade-school math word problem",
    "asdiv": "a short math word problem for children",
    "mbpp": "a task for a beginner in Python, in one or two sentences",
    "clinc150": "a request to a voice assistant",
    "sst2": "a sentence of a film review",
    "ag_news": "a news item of one or two sentences",
    "sentiment_sentences": "a customer's sentence about a product",
}


@dataclass(frozen=True)
class RealData:
    """Rows of a real set, its columns named after what they are used for.

    Attributes:
        name: of the file, or on the hub.
        rows: dictionaries with a text per role (a label may be a number), or rows of a table.
        columns: by role, the name that its column has in the source.
    """

    name: str
    rows: Sequence[Mapping[str, Any]]
    columns: Mapping[str, str]

    def __post_init__(self) -> None:
        if not self.rows:
            raise ValueError(f"{self.name} holds no rows; name data that hold some")

    @cached_property
    def key(self) -> str:
        """16 hex digits that name the rows."""
        return run_key(rows=list(self.rows))[:16]

    def text_of(self, row: Mapping[str, Any]) -> str:
        """The texts of a row, or a row of a table as JSON."""
        texts = [row[role] for role in ("question", "answer", "text") if role in self.columns]
        return "\n".join(texts) or json.dumps(row, default=str)

    def facts(self) -> dict[str, Any]:
        """Name, hash, number of rows and columns, for the record."""
        return {"data": self.name, "data_hash": self.key, "data_rows": len(self.rows),
                "data_columns": dict(self.columns)}  # fmt: skip


def about_of(data: RealData, about: str | None = None) -> str:
    """A description of one text: what is given, what is known of a public set, or "a text"."""
    return about or next((text for name, text in ABOUT.items() if name in data.name), "a text")


def read_data(
    source: str | Path,
    roles: Sequence[str],
    *,
    optional: Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
) -> RealData:
    """Read a set from a file, a folder with `train.jsonl`, or the hub.

    Args:
        source: a path, or a hub name such as "gsm8k" or "openai/gsm8k".
        roles: of `ROLES`, those that a row must have. optional: those it may have.
        columns: by role, the name of its column; others are guessed by `ROLES`.

    Raises:
        ConnectionError, FileNotFoundError: the hub or the file is not there.
        ValueError: no rows, a column is missing (the message lists those found), or a row lacks a
            text.
    """
    rows = read_shape(Path(source)) or read_set(source, "train")
    name = name_of(source)
    if not rows:
        return RealData(name, [], {})  # which is refused
    found = find_columns(list(rows[0]), roles, optional, columns or {}, name)
    for role in found.keys() - {"label"}:
        check_texts([row.get(found[role]) for row in rows], found[role])
    named = [{role: row.get(column) for role, column in found.items()} for row in rows]
    return RealData(name, as_dataset(named).to_list(), found)


def name_of(source: str | Path) -> str:
    """The name of a file or folder without its path, with the folder's where it says more; else
    the hub name as it is."""
    path = Path(source)
    if not path.exists():
        return str(source)
    whole = path.resolve()
    named = whole.stem.split(".")[0] not in ("train", "test", "data", "model", "problems", "news")
    return whole.name if named else f"{whole.parent.name}/{whole.name}"


def read_shape(path: Path) -> list[dict[str, Any]] | None:
    """The rows of a file whose shape is a known set's own; None for any other."""
    if not path.is_file():
        return None
    kind = format_of(path)
    if kind == ".json" and path.name in ("data_full.json", "data_small.json"):
        return load_clinc150(path).to_list()
    if kind in (".txt", ".tsv") and lines(path)[:1] and ends_in_sentiment(lines(path)[0]):
        return load_sentiment(path).to_list()
    if kind == ".jsonl" and lines(path)[:1] and '"instances"' in lines(path)[0]:
        return load_self_instruct(path).to_list()
    if kind == ".jsonl" and lines(path)[:1] and '"formula"' in lines(path)[0]:
        return load_asdiv(path).to_list()
    return None


def ends_in_sentiment(line: str) -> bool:
    """True for a text with a letter, one tab and 0 or 1."""
    text, tab, label = line.partition("\t")
    return bool(tab) and label.strip() in ("0", "1") and any(map(str.isalpha, text))


def find_columns(
    there: Sequence[str],
    roles: Sequence[str],
    optional: Sequence[str] = (),
    given: Mapping[str, str] | None = None,
    name: str = "the data",
) -> dict[str, str]:
    """The column of each role: the one that is given, else the first name of `ROLES`.

    Raises:
        ValueError: no such column or role; the message lists what was found.
    """
    given, found = dict(given or {}), {}
    listed = ", ".join(map(str, there)) or "none"
    for role in set(given) - {*roles, *optional}:
        raise ValueError(f"--column {role}=... is not used here; use {', '.join(roles)}")
    for role in (*roles, *optional):
        taken = set(found.values()) | set(given.values())
        known = [given[role]] if role in given else [c for c in ROLES[role] if c not in taken]
        column = next((column for column in known if column in there), None)
        if column is None and (role in roles or role in given):
            raise ValueError(
                f"{name} has no column for the {role} ({' or '.join(known)}); found {listed}. "
                f"Name it: --column {role}=NAME"
            )
        if column is not None:
            found[role] = column
    return found
