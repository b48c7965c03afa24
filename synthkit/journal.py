"""What a long run has made so far, on file as it comes, so that an interrupted run goes on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .storage import append_jsonl, read_jsonl


class Journal:
    """Entries of one run, each at its place: in a JSONL file, or without one in memory.

    The first line of the file holds the run's key. A last line that was cut off is dropped.

    Args:
        path: the file, or None to keep the entries in memory only.
        key: what tells this run from others, such as a hash of its settings and inputs.
        place: the fields of an entry that say where it belongs.
        other: what a file with another key holds, for the error.

    Attributes:
        known: the entries by place, a tuple of those fields' values.

    Raises:
        ValueError: the file belongs to another run.
    """

    def __init__(
        self, path: str | Path | None, key: str, place: tuple[str, ...], other: str = "another run"
    ):
        self.path, self.place = None if path is None else Path(path), place
        self.known: dict[tuple, dict[str, Any]] = {}
        if self.path is None:
            return
        rows = read_jsonl(self.path, tolerate_torn=True) if self.path.exists() else []
        if rows and rows[0].get("key") != key:
            raise ValueError(f"{self.path.name} holds {other}; remove it or name another file")
        if not rows:
            append_jsonl(self.path, {"key": key})
        self.known = {self._at(row): row for row in rows[1:]}

    def add(self, entry: Mapping[str, Any]) -> None:
        """Keep one entry, unless there is one at its place."""
        at = self._at(entry)
        if at in self.known:
            return
        if self.path is not None:
            append_jsonl(self.path, entry)
        self.known[at] = dict(entry)

    def _at(self, entry: Mapping[str, Any]) -> tuple:
        return tuple(entry[name] for name in self.place)
