"""The results of a long run so far, on disk as they come, so an interrupted run resumes."""

from __future__ import annotations

import hashlib
import json
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .files import append_line, drop_lock, dump_json, lock_file, make_folder
from .identity import run_key

__all__ = ["ResumeLog", "run_key"]

FORMAT = 1
_START = b'{"sum": "'
_HEAD = len('{"sum": "0123456789abcdef", ')  # what stands before the content of a line


class ResumeLog:
    """Entries of one run and marks of its finished units, kept in a JSON Lines file.

    An entry is kept at its place; the first one there stays. A unit (an arm, a phase, a seed) is
    finished only when it is marked: that entries are there says nothing, since a kill may have
    come between two of them. Each line carries a checksum, and is on disk when the call returns.

    Use it in a `with` block, or call `close`; while it is open, other processes are refused.

    Args:
        path: the file, made if it is absent; None keeps everything in memory.
        key: what tells this run from all others: see `run_key`.
        place: the fields of an entry that say where it belongs; without them it is its number.
        what: what the file holds, for the errors, such as "the answers of a teacher".

    Attributes:
        entries: the entries by place, a tuple of those fields' values.

    Raises:
        ValueError: the file belongs to another run, is no such log, has a damaged line, or is in
            use by another process.
    """

    def __init__(
        self, path: str | Path | None, key: str, *, place: tuple[str, ...] = (), what: str = "a run"
    ):
        self.path, self.place, self.what = None if path is None else Path(path), place, what
        self.entries: dict[tuple, dict[str, Any]] = {}
        self._finished: set[tuple] = set()
        self._let_go = lambda: None
        if self.path is None:
            return
        self._let_go = weakref.finalize(self, _release, _hold(self.path, what), self.path)
        try:
            self._read(self.path, key)
        except BaseException:
            self.close()
            raise

    def add(self, entry: Mapping[str, Any]) -> None:
        """Keep one entry, unless there is one at its place."""
        entry = dict(entry)
        if self._at(entry) not in self.entries:
            self._write("entry", entry)
            self.entries[self._at(entry)] = entry

    def finish(self, *unit: str | int | float | None) -> None:
        """Mark a unit as done; to be called when all that it makes is on disk."""
        if unit not in self._finished:
            self._write("finished", [list(unit), len(self.entries)])
            self._finished.add(unit)

    def is_finished(self, *unit: str | int | float | None) -> bool:
        """True if `finish` was called for this unit, now or before an interruption."""
        return unit in self._finished

    @property
    def is_empty(self) -> bool:
        """True if there is no entry and no finished unit."""
        return not self.entries and not self._finished

    def close(self) -> None:
        """Let other processes have the file."""
        self._let_go()

    def remove(self) -> None:
        """Delete the file; to be called when what was made from it is on disk elsewhere."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
        self.close()

    def __enter__(self) -> ResumeLog:
        return self

    def __exit__(self, *error: object) -> None:
        if self.is_empty:
            self.remove()  # so that another run can have the file
        else:
            self.close()

    def _at(self, entry: Mapping[str, Any]) -> tuple:
        return tuple(entry[name] for name in self.place) or (len(self.entries),)

    def _write(self, kind: str, content: Any) -> None:
        if self.path is not None:
            append_line(self.path, _line(kind, content))

    def _read(self, path: Path, key: str) -> None:
        if path.exists():
            self._check_ours(path.read_bytes().lstrip(), key)  # before the file is touched
            append_line(path, b"")  # mends a last line that an interruption tore
        text = path.read_bytes() if path.exists() else b""
        lines = [line for line in text.split(b"\n") if line.strip()]
        if not lines:
            self._write("run", {"format": FORMAT, "key": key, "what": self.what})
            return
        self._check_run(lines[0], key)
        for number, line in enumerate(lines[1:], start=2):
            if not _sound(line):
                raise ValueError(
                    f"{self.path}, line {number}, is damaged: its checksum does not fit. Delete "
                    "that line to have what it held made again, or remove the file"
                )
            self._take(json.loads(line))

    def _take(self, line: Mapping[str, Any]) -> None:
        if "entry" in line:
            self.entries.setdefault(self._at(line["entry"]), line["entry"])
        else:
            unit, n_entries = line["finished"]
            if n_entries <= len(self.entries):  # else a line was deleted: the unit has a hole
                self._finished.add(tuple(unit))

    def _check_ours(self, text: bytes, key: str) -> None:
        first, end, _ = text.partition(b"\n")
        begun = not end and _START.startswith(first[: len(_START)])  # an interruption tore it
        if first and not begun:
            self._check_run(first, key)

    def _check_run(self, line: bytes, key: str) -> None:
        run = json.loads(line).get("run", {}) if _sound(line) else {}
        if not run:
            raise ValueError(
                f"{self.path} is no log of {self.what} (or one of an older version, or its first "
                "line is damaged); remove it or name another file"
            )
        if run["format"] > FORMAT:
            raise ValueError(
                f"{self.path} was written by a newer synthkit (format {run['format']}, this one "
                f"reads {FORMAT}); update synthkit or name another file"
            )
        if run["key"] != key:
            raise ValueError(
                f"{self.path} holds {run['what']} with other data, settings, model, teacher or "
                f"seed (key {run['key'][:8]}, now {key[:8]}); remove it or name another file"
            )


def _line(kind: str, content: Any) -> bytes:
    body = f'"{kind}": {dump_json(content, "an entry")}'.encode()
    return b'{"sum": "%s", %s}\n' % (_sum(body), body)


def _sum(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest()[:16].encode()


def _sound(line: bytes) -> bool:
    """True if a line is whole and as it was written."""
    body = line.strip()[_HEAD:-1]
    return line.strip() == b'{"sum": "%s", %s}' % (_sum(body), body)


def _hold(path: Path, what: str):
    """The lock of `path`, taken; a process takes it as often as it likes."""
    from filelock import FileLock, Timeout

    if path.is_dir():
        raise ValueError(f"{path} is a folder, where {what} go in a file; name a file in it")
    make_folder(path.parent)
    # One lock for the process, so that a log which a past error keeps alive is no obstacle.
    lock = FileLock(lock_file(path), is_singleton=True, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ValueError(
            f"{path} is in use: another process writes {what} to it. Wait until that ends, or "
            "name another file"
        ) from None
    return lock


def _release(lock, path: Path) -> None:
    if lock.lock_counter == 1:
        drop_lock(lock_file(path))
    lock.release()
