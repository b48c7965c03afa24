"""Files written whole or not at all, JSON Lines that survive an interrupted run, and checksums."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_CHUNK = 1 << 20  # bytes read at a time
_HALF = re.compile("[\ud800-\udfff]")  # half a character, which UTF-8 cannot hold


@contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """Hold `path` for one writer at a time, of all processes and threads; others wait.

    The lock is a hidden file beside `path`; the system frees it when its holder dies.
    """
    from filelock import FileLock

    file = lock_file(path)
    with FileLock(file, poll_interval=0.002):
        try:
            yield
        finally:
            drop_lock(file)


def drop_lock(file: Path) -> None:
    """Remove a lock file that is held; whoever waits for it sees that it went, and makes another.

    Older releases of filelock do that themselves, and then it must not be done twice.
    """
    from filelock import __version__

    if int(__version__.split(".")[0]) >= 4:
        with suppress(OSError):  # an open file cannot go on every system; it does no harm there
            file.unlink()


def lock_file(path: str | Path) -> Path:
    """The path of the lock of `path`."""
    return _beside(Path(path), "lock")


def make_folder(path: str | Path) -> None:
    """Make a folder and those above it, unless it is there.

    Raises:
        NotADirectoryError: a file stands in its place or above it.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        told = f"cannot make the folder {path}: a file is in its place or above it; name another"
        raise NotADirectoryError(errno.ENOTDIR, told) from error


def check_file(path: str | Path) -> None:
    """Make the folder of a file that is written later.

    Raises:
        OSError: it cannot be made, or a folder stands in the file's place.
    """
    make_folder(Path(path).parent)
    if Path(path).is_dir():
        raise IsADirectoryError(errno.EISDIR, f"{path} is a folder; name a file in it")


def beside(path: Path) -> list[Path]:
    """The hidden files beside `path` that a killed write may leave."""
    return [_beside(path, what) for what in ("tmp", "lock")]


def write_bytes(path: str | Path, data: bytes) -> Path:
    """Write `data` to `path` in one step: a reader sees the old file or the new one, never a part.

    The bytes go to a temporary file in the same folder (made if it is absent), are flushed to the
    disk, and take the name of the old file, whose permissions they keep. What a killed call left
    is overwritten.

    Returns:
        The path written.

    Raises:
        OSError: the file could not be written; the message says how many bytes were wanted. The
            old file, if there was one, is untouched and the temporary file is gone.
    """
    path = Path(path)
    with _told(path, len(data)):
        make_folder(path.parent)
        with locked(path):
            _replace(path, data)
    return path


def _replace(path: Path, data: bytes) -> None:
    temporary = _beside(path, "tmp")
    try:
        with open(temporary, "wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        if path.exists():
            os.chmod(temporary, stat.S_IMODE(path.stat().st_mode))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)  # already gone when all went well


def _beside(path: Path, what: str) -> Path:
    """A hidden file in the folder of `path` that belongs to it; short enough for any disk."""
    name = path.name
    if len(name.encode()) > 200:
        name = sha256_text(name)
    return path.with_name(f".{name}.{what}")


def write_text(path: str | Path, text: str) -> Path:
    """Write `text` as UTF-8, line ends as they are (see `write_bytes`)."""
    return write_bytes(path, text.encode("utf-8"))


def write_json(path: str | Path, value: Any) -> Path:
    """Write `value` as one JSON document (see `write_bytes`).

    Raises:
        TypeError, ValueError: `value` is not JSON; NaN and infinity are refused.
    """
    return write_text(path, dump_json(value, f"the value for {Path(path).name}", 2) + "\n")


def write_jsonl(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write `rows` as JSON Lines, one object a line (see `write_bytes`).

    Raises:
        TypeError, ValueError: a row is not JSON; the message gives its number, from 0.
    """
    return write_text(path, "".join(_line(row, f"row {i}") for i, row in enumerate(rows)))


def append_jsonl(path: str | Path, row: Mapping[str, Any]) -> Path:
    """Add `row` to the end of a JSON Lines file, and return when the disk has it.

    A last line that an interrupted run left torn is removed first, so that the new row never sticks
    to it. Several processes and threads may append to one file.

    Raises:
        OSError: the row could not be written; the rows before it are as they were.
        TypeError, ValueError: the row is not JSON, or the file ends in something else than rows.
    """
    path = Path(path)
    data = _line(row, "the row").encode("utf-8")
    with _told(path, len(data)):
        make_folder(path.parent)
        with locked(path):
            append_line(path, data)
    return path


def append_line(path: Path, data: bytes) -> None:
    """Append a whole line to a file that the caller has locked; see `append_jsonl`."""
    with _told(path, len(data)), open(path, "ab+", buffering=0) as handle:
        data = _mend(handle) + data
        size = handle.seek(0, os.SEEK_END)
        try:
            if handle.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(handle.fileno())
        except OSError:
            handle.truncate(size)
            raise


def dump_json(value: Any, what: str, indent: int | None = None) -> str:
    """`value` as JSON text that any file holds; an error says `what` it was."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
        if _HALF.search(text):
            text = json.dumps(value, allow_nan=False, indent=indent)
        return text
    except (TypeError, ValueError) as error:
        raise type(error)(f"{what} cannot be written as JSON: {error}") from error


def read_json(path: str | Path) -> Any:
    """The one JSON document in `path`.

    Raises:
        ValueError: the file is not JSON; the message names the file and the line.
    """
    path = Path(path)
    try:
        return json.loads(path.read_bytes().decode("utf-8-sig"), parse_float=_finite)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path.name}, line {error.lineno}: not JSON ({error.msg}); "
            f"found {_shown(error.doc.split(chr(10))[error.lineno - 1])}"
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name}: not UTF-8 text at byte {error.start}") from error
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error


def read_jsonl(path: str | Path, *, tolerate_torn: bool = False) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file, in order; blank lines are passed over.

    Args:
        path: the file, UTF-8.
        tolerate_torn: drop a last line that has no line end and is not JSON, which is what an
            interrupted `append_jsonl` leaves.

    Raises:
        ValueError: a line is not a JSON object; the message names the file and the line (from 1)
            and shows what was found.
    """
    path = Path(path)
    rows = []
    lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        value, reason = _parsed(line)
        if isinstance(value, dict):
            rows.append(value)
            continue
        last = number == len(lines)  # it has no line end
        torn = last and reason is not None and _is_torn(line)
        if torn and tolerate_torn:
            continue
        what = reason or f"a JSON {type(value).__name__}, where an object is needed"
        advice = (
            "; an interrupted run may have torn it: tolerate_torn=True drops it" if torn else ""
        )
        raise ValueError(f"{path.name}, line {number}: {what}; found {_shown(line)}{advice}")
    return rows


def sha256_file(path: str | Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def sha256_text(text: str) -> str:
    """The SHA-256 of a text's UTF-8 bytes, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _line(row: Mapping[str, Any], what: str) -> str:
    if not isinstance(row, Mapping):
        raise TypeError(f"{what} must be a mapping of column to value, got {type(row).__name__}")
    return dump_json(dict(row), what) + "\n"


def _parsed(line: bytes) -> tuple[Any, str | None]:
    """The JSON value of a line and None, or None and the reason why it has none."""
    try:
        return json.loads(line.decode("utf-8"), parse_float=_finite), None
    except UnicodeDecodeError as error:
        return None, f"not UTF-8 text at byte {error.start}"
    except json.JSONDecodeError as error:
        return None, f"not JSON ({error.msg}, column {error.colno})"
    except ValueError as error:
        return None, str(error)


def _finite(number: str) -> float:
    """A number of a JSON text as a float; ValueError where it is too large for one."""
    value = float(number)
    if math.isinf(value):
        raise ValueError(f"{number[:40]} is too large for a float; write it as a text")
    return value


def _mend(handle) -> bytes:
    """Cut a torn last line off an open file; the line end a whole last line still needs."""
    size = handle.seek(0, os.SEEK_END)
    if not size:
        return b""
    handle.seek(size - 1)
    if handle.read(1) == b"\n":
        return b""
    handle.seek(0)
    whole = handle.read()  # rare: only after an interruption, or in a file from elsewhere
    start = whole.rfind(b"\n") + 1
    if _parsed(whole[start:])[1] is None:
        return b"\n"
    if not _is_torn(whole[start:]):
        raise ValueError(
            f"{handle.name} ends in {_shown(whole[start:])}, which no interrupted run leaves: it "
            "is another file; name a new one"
        )
    handle.truncate(start)
    return b""


def _is_torn(line: bytes) -> bool:
    """True if a row whose writing was interrupted can look like this."""
    return line.startswith(b"{") or not line.strip(b"\0")


@contextmanager
def _told(path: Path, wanted: int) -> Iterator[None]:
    """Have an OSError say how many bytes were wanted, and what became of the old file."""
    try:
        yield
    except OSError as error:
        if error.__cause__ is not None:  # told already
            raise
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "the disk is full" if full else error.strerror or str(error)
        after = "the old file is untouched" if path.exists() else "no file was made"
        advice = "; free some space and run again" if full else ""
        raise OSError(
            error.errno,
            f"cannot write {path}: {reason}; {wanted:,} bytes were wanted, {after}{advice}",
        ) from error


def _shown(line: str | bytes) -> str:
    """The start of a line, short enough for a message."""
    text = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
    return repr(text if len(text) <= 80 else text[:77] + "...")
