"""The finished phases of a fit, kept in a folder, so an interrupted fit resumes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from . import parallel
from .packing import Files
from .resume import ResumeLog
from .saved import Saved, open_saved, remove_saved, save_folder

Made = TypeVar("Made")


class Phases:
    """The phases of one fit. Use it in a `with` block: while it is open, others are refused.

    Of several processes (see `synthkit.core.parallel`) the first one keeps the log, and all make or
    read a phase together.

    Args:
        folder: made if it is absent; None keeps nothing.
        key: what tells this fit from all others: see `synthkit.core.resume.run_key`.
        what: what is fitted, for the errors, such as "a fit of SPA".

    Raises:
        ValueError: the folder holds another fit, a damaged log, or one in use elsewhere.
    """

    def __init__(self, folder: str | Path | None = None, key: str = "", what: str = "a fit"):
        self.folder = None if folder is None else Path(folder)
        if self.folder is not None and self.folder.is_file():
            raise ValueError(f"{folder} is a file, where {what} is kept in a folder; name another")
        log = self.folder / "fit.jsonl" if self.folder and parallel.is_first() else None
        self._log = ResumeLog(log, key, what=what)
        self._names: set[str] = set()

    def __enter__(self) -> Phases:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is not None and self._log.is_empty and not self._under_way():
            self.clear()  # nothing is kept, so that another fit can have the folder
        self._log.close()

    def running(self, name: str) -> Path | None:
        """The file of a training under way."""
        self._names.add(name)
        return None if self.folder is None else self.folder / f"{name}.training"

    def phase(
        self,
        name: str,
        make: Callable[[], Made],
        pack: Callable[[Made], Files],
        unpack: Callable[[Saved], Made],
        identity: str = "",
    ) -> Made:
        """Make a phase with `make()`, or read what an earlier run left of it.

        Args:
            name: of the phase, and of its folder.
            pack, unpack: from what was made to its files, and back.
            identity: what the phase depends on beside the fit's key, if anything: with another
                one it is made anew.

        Raises:
            ValueError: the phase's files are damaged.
        """
        if self.folder is None:
            return make()
        self._names.add(name)
        place, kind = self.folder / name, f"phase {name}"
        if parallel.from_first(self._log.is_finished(name, identity) and place.is_dir()):
            try:
                return unpack(open_saved(place, kind))
            except (ValueError, FileNotFoundError) as error:
                raise ValueError(f"{error}; remove {place} to have it made anew") from error
        made = make()
        save_folder(place, kind, pack(made), {"identity": identity})
        self._log.finish(name, identity)
        self._drop(name)
        return made

    def clear(self) -> None:
        """Remove what the fit has left; to be called when its result is on disk elsewhere."""
        if self.folder is None:
            return
        if parallel.is_first():
            self._remove(self.folder)
        self.folder = None  # what another fit may keep there is not ours to clear

    def _remove(self, folder: Path) -> None:
        self._log.remove()  # first: it must not tell of what is gone
        for name in sorted(self._names):
            remove_saved(folder / name)
            self._drop(name)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()

    def _under_way(self) -> bool:
        return self.folder is not None and any(self.folder.glob("*.training"))

    def _drop(self, name: str) -> None:
        if (path := self.running(name)) is not None and parallel.is_first():
            path.unlink(missing_ok=True)
