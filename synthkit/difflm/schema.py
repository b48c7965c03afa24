"""Schema of a table: the kind of each column, inferred once, kept as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..datasets.containers import as_frame
from .columns import Category, Column, Constant, Date, Number, Ranked
from .inference import UNITS, infer_column
from .values import is_number

KINDS = {each.kind: each for each in (Category, Number, Ranked, Date, Constant)}
VERSION = 1


@dataclass(frozen=True)
class TableSchema:
    """The columns of a table, in order, and the one that a model would predict, if any."""

    columns: tuple[Column, ...]
    target: str | None = None

    @classmethod
    def infer(
        cls, frame: pd.DataFrame, target: str | None = None, *, digits: int | None = 4,
        max_categories: int = 1000, few: int = 128, ranks: int | None = None,
    ) -> TableSchema:  # fmt: skip
        """The schema of a table.

        Words, truth values and categories become a `Category`; so do numbers with at most `few`
        different values that each occur in some 20 rows. Other numbers become a `Number` (with
        `ranks`, a `Ranked`), texts that are all dates a `Date`, and a column of one value a
        `Constant`.

        Args:
            frame: at least two rows; every entry a word, a number, a truth value, a date or None.
            digits: significant digits of a column's typical size that numbers on a grid keep; None
                keeps all (15 of fractions, 18 of whole numbers, of large ones counted from a round
                one). Dates keep seconds, or with None microseconds.
            max_categories: the most values that a column of words may have.
            few: see above; 2 writes every number that is not binary in digits.
            ranks: write such numbers by rank among at most so many values of the table (`Ranked`)
                instead of on a grid; for columns with long tails. None: on a grid.

        Raises:
            TypeError, ValueError: no table; a bad name; entries that no table holds; too many
                different words; dates in several forms; no column that varies.

        Warns:
            UserWarning: a column is empty, names the rows, or may hold its dates in another form.
        """
        frame = check_table(frame)
        if len(frame) < 2:
            raise ValueError(f"a schema needs at least 2 rows, found {len(frame)}")
        if digits is not None and digits < 1:
            raise ValueError(f"digits must be at least 1, or None for all of them; found {digits}")
        if ranks is not None and ranks < 2:
            raise ValueError(f"ranks must be at least 2, or None for a grid; found {ranks}")
        if target is not None and target not in frame.columns:
            raise ValueError(f"no column {target!r}; the table has {_listed(frame.columns)}")
        columns = tuple(
            infer_column(frame[name], digits, max_categories, few, ranks) for name in frame.columns
        )
        if all(isinstance(column, Constant) for column in columns):
            raise ValueError("no column varies, so there is nothing to learn from this table")
        return cls(columns, target)

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise ValueError(f"no column {name!r}; the table has {_listed(self.names)}")

    def codes(self, frame: pd.DataFrame, unseen: str = "error") -> np.ndarray:
        """A table's codes (n, columns), int64; `columns.MISSING` where a value is missing.

        A number or date outside the range is an "error", or stands for the "nearest" one.
        """
        if unseen not in ("error", "nearest"):
            raise ValueError(f"unseen is 'error' or 'nearest', found {unseen!r}")
        frame = check_table(frame)
        absent = [name for name in self.names if name not in frame.columns]
        if absent:
            raise ValueError(f"the table lacks {_listed(absent)}; it has {_listed(frame.columns)}")
        return np.stack([each.codes(frame[each.name], unseen) for each in self.columns], axis=1)

    def restore(self, codes: np.ndarray) -> pd.DataFrame:
        """The table of codes (n, columns), each column in its own type."""
        series = [each.restore(codes[:, i]) for i, each in enumerate(self.columns)]
        return pd.DataFrame(dict(enumerate(series))).set_axis(self.names, axis=1)

    def describe(self) -> pd.DataFrame:
        """A line per column: kind, type, what it holds, step and whether entries are missing."""
        lines = {
            each.name: [
                each.kind, "category" if getattr(each, "levels", None) else each.dtype,
                _holds(each), _step(each), each.missing,
            ]
            for each in self.columns
        }  # fmt: skip
        heads = ["kind", "type", "holds", "step", "missing"]
        return pd.DataFrame.from_dict(lines, "index", columns=heads).rename_axis("column")

    def to_json(self) -> dict:
        """The schema as plain JSON values."""
        columns = [asdict(column) for column in self.columns]
        return {"version": VERSION, "target": self.target, "columns": columns}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TableSchema:
        """The schema that `to_json` wrote; ValueError where it is none."""
        try:
            if value["version"] != VERSION:
                raise ValueError(f"version {value['version']!r}, where {VERSION} is read")
            return cls(tuple(map(_column_from, value["columns"])), value["target"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"this is no table schema: {error}") from error


def check_table(frame: Any) -> pd.DataFrame:
    """`frame` as a DataFrame with usable column names: texts, none blank or there twice."""
    frame = as_frame(frame)
    if frame.shape[1] == 0:
        raise ValueError("the table has no columns")
    for name in frame.columns:
        if not isinstance(name, str):
            raise TypeError(
                f"column names are texts, found {name!r}; frame.columns.astype(str) makes them so"
            )
        if not name.strip():
            raise ValueError(f"column {list(frame.columns).index(name)} has a blank name; name it")
    twice = sorted(name for name, count in Counter(frame.columns).items() if count > 1)
    if twice:
        raise ValueError(f"more than one column is called {_listed(twice)}; rename them")
    return frame


# --- JSON and text -------------------------------------------------------------------------------


def _column_from(value: Mapping[str, Any]) -> Column:
    kind = KINDS.get(value.get("kind"))
    if kind is None:
        raise ValueError(f"kind {value.get('kind')!r}; the kinds are {', '.join(KINDS)}")
    lists = {key: tuple(each) for key, each in value.items() if isinstance(each, (list, tuple))}
    return kind(**{**{key: each for key, each in value.items() if key != "kind"}, **lists})


def _holds(column: Column) -> str:
    if isinstance(column, Constant):
        return "nothing" if column.missing else f"always {column.value!r}"
    if isinstance(column, Category) and not all(map(is_number, column.values)):
        return f"{len(column.values)} values"
    values = getattr(column, "values", getattr(column, "ranks", None))
    return ("" if values is None else f"{len(values)} values, ") + column.span()


def _step(column: Column) -> str:
    if isinstance(column, Number):
        return f"{column.step:,}" if column.exponent >= 0 else f"{column.step:.{-column.exponent}f}"
    names = ("day", "hour", "minute", "second", "millisecond", "microsecond")
    return names[UNITS.index(column.unit)] if isinstance(column, Date) else ""


def _listed(names) -> str:
    return ", ".join(map(repr, names))
