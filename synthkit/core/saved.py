"""Saved fits in a folder: whole or not there, with a version, checked when read."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from .. import __version__
from . import parallel
from .files import (
    beside,
    dump_json,
    lock_file,
    locked,
    make_folder,
    read_json,
    sha256_file,
    write_bytes,
    write_json,
)

FORMAT = 2  # of a save; a folder with another one is refused
MANIFEST = "manifest.json"
_DATA = "data-"  # how the folder of a generation begins
_GENERATION = re.compile(rf"{_DATA}[0-9a-f]{{12}}")


@dataclass(frozen=True)
class Saved:
    """A folder that `open_saved` has checked.

    Attributes:
        folder: the folder.
        kind: what is in it, such as "softsrv".
        facts: the settings and small values it was saved with.
        files: size and SHA-256 of each file by name.
    """

    folder: Path
    kind: str
    facts: dict[str, Any]
    files: dict[str, dict[str, Any]]
    generation: str

    def read(self, name: str) -> bytes:
        """The bytes of a file."""
        return self.path(name).read_bytes()

    def path(self, name: str) -> Path:
        """The path of a file, or of a folder of files, for callers who read it themselves.

        Raises:
            ValueError: nothing of that name was saved.
        """
        if name not in self.files and not any(each.startswith(f"{name}/") for each in self.files):
            raise ValueError(f"{self.folder} holds no {name}, only {', '.join(self.files)}")
        return self.folder / self.generation / name


def save_folder(
    folder: str | Path, kind: str, files: Mapping[str, bytes], facts: Mapping[str, Any]
) -> Path:
    """Save `files` and `facts` in `folder`, whole or not at all, also over an older save.

    The files go to a sub-folder of their own; then `manifest.json` is replaced in one step, which
    makes them the content of the folder; then the older ones are removed. What a killed call has
    left goes with them; other files in the folder stay. Equal content gives equal bytes. Of several
    processes (see `synthkit.core.parallel`) all call, the first one writes, and all wait for it.

    Args:
        folder: made if it is absent.
        kind: what is saved, such as "softsrv"; `open_saved` asks for it.
        files: bytes by name; a name may have folders, such as "adapters/part0/weights".
        facts: JSON values.

    Returns:
        The folder.

    Raises:
        OSError: the disk is full, or the folder cannot be written; the older save is untouched.
        TypeError, ValueError: `facts` is not JSON, or a name leads out of the folder.
    """
    folder = Path(folder)
    listed = {}
    for name, data in files.items():
        _check_name(name)
        listed[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    content: dict[str, Any] = {
        "format": FORMAT, "kind": kind, "synthkit": __version__, "facts": dict(facts),
        "files": listed,
    }  # fmt: skip
    content["generation"] = _DATA + _sum(content)[:12]
    if parallel.is_first():
        _write(folder, content, files)
    parallel.wait()
    return folder


def _write(folder: Path, content: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    make_folder(folder)
    with locked(folder / "save"):
        try:
            for name, data in files.items():
                write_bytes(folder / content["generation"] / name, data)
            write_json(folder / MANIFEST, {**content, "sum": _sum(content)})
        finally:
            _sweep(folder)


def _sweep(folder: Path) -> None:
    """Remove all generations but the one that the manifest names: older ones and partial ones."""
    manifest = folder / MANIFEST
    try:
        kept = read_json(manifest)["generation"] if manifest.is_file() else None
    except (OSError, ValueError, KeyError, TypeError):
        return  # a damaged manifest does not say what may go
    for old in _generations(folder):
        if old.name != kept:
            shutil.rmtree(old, ignore_errors=True)


def remove_saved(folder: Path) -> None:
    """Remove what `save_folder` put into `folder`, and the folder when nothing else is in it."""
    manifest = folder / MANIFEST
    for path in (manifest, lock_file(folder / "save"), *beside(manifest)):
        path.unlink(missing_ok=True)
    for old in _generations(folder):
        shutil.rmtree(old, ignore_errors=True)
    with suppress(OSError):  # absent, or of use to somebody else
        folder.rmdir()


def _generations(folder: Path) -> list[Path]:
    return [path for path in folder.glob(f"{_DATA}*") if _GENERATION.fullmatch(path.name)]


def open_saved(folder: str | Path, kind: str) -> Saved:
    """Open what `save_folder` put into `folder`, after a check of every file.

    Raises:
        FileNotFoundError: nothing was saved there.
        ValueError: something else was saved, or in another format, or a file is missing or
            damaged.
    """
    folder = Path(folder)
    content = _manifest(folder)
    if content["kind"] != kind:
        raise ValueError(
            f"{folder} holds {content['kind']!r} where {kind!r} is wanted; name another folder"
        )
    saved = Saved(folder, *(content[key] for key in ("kind", "facts", "files", "generation")))
    for name, facts in saved.files.items():
        _check_name(name)
        path = folder / saved.generation / name
        if not path.is_file():
            raise _damaged(folder, f"{name} is missing")
        if (size := path.stat().st_size) != facts["bytes"]:
            raise _damaged(folder, f"{name} has {size:,} bytes, not {facts['bytes']:,}")
        if sha256_file(path) != facts["sha256"]:
            raise _damaged(folder, f"the checksum of {name} does not fit its content")
    return saved


def _manifest(folder: Path) -> dict[str, Any]:
    if not (folder / MANIFEST).is_file():
        raise FileNotFoundError(f"{folder} holds no {MANIFEST}; give a folder made by save")
    try:
        content = read_json(folder / MANIFEST)
    except ValueError as error:
        raise _damaged(folder, str(error)) from error
    if not isinstance(content, dict) or not isinstance(content.get("format"), int):
        raise _damaged(folder, f"{MANIFEST} says no format")
    if content["format"] != FORMAT:
        advice = "update it" if content["format"] > FORMAT else "fit and save again"
        raise ValueError(
            f"{folder} was saved by synthkit {content.get('synthkit')} (format "
            f"{content['format']}); this is {__version__}, which reads format {FORMAT}: {advice}"
        )
    if content.pop("sum", None) != _sum(content):
        raise _damaged(folder, f"the checksum of {MANIFEST} does not fit its content")
    if not _GENERATION.fullmatch(content["generation"]):
        raise _damaged(folder, f"{MANIFEST} names {content['generation']!r} as its data")
    return content


def _sum(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(dump_json(content, "what is saved").encode()).hexdigest()


def _check_name(name: str) -> None:
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or ":" in name:
        raise ValueError(f"{name!r} is no name of a file in a folder")


def _damaged(folder: Path, found: str) -> ValueError:
    return ValueError(f"the save in {folder} is damaged: {found}. Save it again, or take a copy")
