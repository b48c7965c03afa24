"""Recorded runs: what was measured, by which command, with which model and seeds, on which day."""

from __future__ import annotations

import math
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..core.files import read_json, write_json
from ..core.paths import data_dir
from ..core.processes import cores

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1
# Arms and measures that recorded files have under an older name.
_RENAMED = {
    "the exact law": "Bayes-optimal",
    "DiffLM, free sampling": "DiffLM, unconstrained",
    "DiffLM, free sampling at 0.5": "DiffLM, unconstrained at 0.5",
    "rise of a wrong latent": "shuffled-latent gap",
    "MMD2 floors": "MMD2 / noise floor",
}
SCALES = ("fast", "study", "paper")
# An absolute path names a machine: /home/..., C:\..., ~/...
_PATH = re.compile(r"(?:^|[\s'\"=(:,])(?:~?/[\w.-]+/[\w./-]+|[A-Za-z]:[\\/]\w)")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Result:
    """One recorded run.

    Attributes:
        method: name of the method ("embedsdg").
        command: what was typed, without paths of a machine.
        preset: the knobs in use, by name. scale: fast, study or paper.
        model: the model's name and fingerprint, or other facts that tell it apart.
        seeds: every seed that was run, also those that went badly.
        measurements: raw rows, one measurement each, never averages. The long form, with columns
            `measure`, `value`, `seed` and `arm`, is what `overview` reads.
        notes: what a reader has to know.
        date: the day in UTC. commit: of the code, if known; dirty: whether it had been changed.
        versions: of python, synthkit, torch, transformers. cores: of the machine.
    """

    method: str
    command: str
    preset: dict[str, Any]
    scale: str
    model: dict[str, Any]
    seeds: list[int]
    measurements: list[dict[str, Any]]
    notes: str
    date: str
    commit: str | None
    dirty: bool | None
    versions: dict[str, str]
    cores: int
    format: int = FORMAT

    def frame(self) -> pd.DataFrame:
        """The measurements as a table, one row each."""
        import pandas as pd

        return pd.DataFrame(self.measurements)


def record(
    path: str | Path,
    *,
    method: str,
    command: str,
    preset: Any,
    scale: str,
    model: str | Mapping[str, Any],
    seeds: Iterable[int],
    measurements: Iterable[Mapping[str, Any]],
    notes: str = "",
    expected: Iterable[Mapping[str, str]] = (),
) -> Result:
    """Write a run to `path` as JSON, whole or not at all, with what is needed to run it again.

    Args:
        path: the file; `data/results/<name>.json` makes it known to `load_result`.
        preset: a mapping or a dataclass.
        model: facts of the model (such as `lm.describe()`), or its name alone.
        measurements: flat rows of text, numbers, booleans and None (no value).
        expected: what must be there for every seed: an arm with its labels, and a measure or more.

    Returns:
        The result as it was written.

    Raises:
        ValueError: a value that is not finite, not flat or not there, an absolute path, or a hole:
            what one seed has (measure, arm and labels) another one has not, or it is expected and
            not there. The message names row and column, or the holes. Nothing is written then.
    """
    commit, dirty = _code_state()
    result = Result(
        method=method,
        command=command,
        preset=_plain(asdict(preset) if hasattr(preset, "__dataclass_fields__") else dict(preset)),
        scale=scale,
        model=_plain({"name": model} if isinstance(model, str) else dict(model)),
        seeds=[int(seed) for seed in seeds],
        measurements=[_plain(dict(row)) for row in measurements],
        notes=notes,
        date=datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        commit=commit,
        dirty=dirty,
        versions=_versions(),
        cores=cores(),
    )
    _validate(asdict(result), Path(path).name)
    _check_holes(result, expected, Path(path).name)
    write_json(path, asdict(result))
    return result


def results_dir() -> Path:
    """The folder of the recorded runs that come with the kit (it may not exist yet)."""
    return data_dir() / "results"


def available_results() -> list[str]:
    """The names that `load_result` knows, in alphabetical order."""
    return sorted(path.stem for path in results_dir().glob("*.json"))


def load_result(name: str | Path) -> Result:
    """A recorded run, by the name of a file in `data/results`, or by a path.

    Raises:
        FileNotFoundError: there is none of that name; the message lists those there are.
        ValueError: the file is not a result; the message says what is wrong in it.
    """
    path = Path(name)
    if path.suffix != ".json":
        path = results_dir() / f"{name}.json"
    if not path.is_file():
        known = ", ".join(available_results()) or "none yet"
        raise FileNotFoundError(f"no recorded result is called {path.stem!r}; there is: {known}")
    document = read_json(path)
    _validate(document, path.name)
    for row in document["measurements"]:
        for name in ("arm", "measure"):
            if row.get(name) in _RENAMED:
                row[name] = _RENAMED[row[name]]
    return Result(**document)


# --- what is written, and what is refused ---------------------------------------------------------


def _plain(value: Any) -> Any:
    """`value` with presets, numpy's scalars, tuples and paths turned into what JSON knows."""
    if hasattr(value, "__dataclass_fields__"):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return value.name
    return value.item() if type(value).__module__ == "numpy" and hasattr(value, "item") else value


_KINDS: dict[str, Any] = {
    "method": str, "command": str, "preset": dict, "scale": str, "model": dict, "seeds": list,
    "measurements": list, "notes": str, "date": str, "commit": (str, type(None)),
    "dirty": (bool, type(None)), "versions": dict, "cores": int, "format": int,
}  # fmt: skip


def _validate(document: Any, name: str) -> None:
    """Refuse what is not a result.

    Raises:
        ValueError: see `record` and `load_result`.
    """
    if not isinstance(document, dict) or set(document) != set(_KINDS):
        found = ", ".join(document) if isinstance(document, dict) else type(document).__name__
        raise ValueError(f"{name} is not a recorded result: it needs {', '.join(_KINDS)}; "
                         f"found {found}")  # fmt: skip
    for key, kind in _KINDS.items():
        if not isinstance(document[key], kind):
            raise ValueError(f"{name}: {key} is {document[key]!r}, of the wrong type")
    seeds = document["seeds"]
    for key, good, wanted in (
        ("format", document["format"] == FORMAT, f"the format {FORMAT}"),
        ("scale", document["scale"] in SCALES, f"one of {', '.join(SCALES)}"),
        ("date", re.fullmatch(r"\d{4}-\d\d-\d\d", document["date"]), "written as 2000-12-31"),
        ("commit", _COMMIT.fullmatch(document["commit"] or "0" * 40), "40 hexadecimal digits"),
        ("seeds", seeds and all(type(s) is int for s in seeds) and len(set(seeds)) == len(seeds),
         "one whole number or more, each once"),
        ("measurements", document["measurements"], "at least one measurement"),
    ):  # fmt: skip
        if not good:
            raise ValueError(f"{name}: {key} is {document[key]!r}; it must be {wanted}")
    for i, row in enumerate(document["measurements"]):
        _validate_row(row, f"{name}, measurement {i}")
    for where, value in _leaves(document, ""):
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name}: {where} is {value}; leave such a value out, or give None")
        if isinstance(value, str) and _PATH.search(value):
            raise ValueError(f"{name}: {where} holds a path of a machine: {value!r}; name it only")


def _validate_row(row: Any, where: str) -> None:
    if not isinstance(row, dict) or not row:
        raise ValueError(f"{where} is {row!r}; a row maps columns to values")
    for column, value in row.items():
        if not isinstance(value, (str, int, float, bool, type(None))):
            raise ValueError(f"{where}: {column} is a {type(value).__name__}; rows are flat")
    if not any(isinstance(v, (int, float)) and not isinstance(v, bool) for v in row.values()):
        if None not in row.values():
            raise ValueError(f"{where} holds no number: {row}")


LONG = {"measure", "arm", "seed", "value"}  # the columns of the long form


def _check_holes(result: Result, expected: Iterable[Mapping[str, str]], name: str) -> None:
    """Refuse a result in which a seed lacks what another one has, or what is expected of all."""
    there: dict[tuple, set[int]] = {}
    for row in (row for row in result.measurements if set(row) >= LONG):
        what = tuple((key, row[key]) for key in row if key not in ("seed", "value"))
        there.setdefault(what, set()).add(row["seed"])
    holes = [
        (what, seed) for what, seeds in there.items() for seed in result.seeds if seed not in seeds
    ]
    for wanted in expected:
        if not any(set(wanted.items()) <= set(what) for what in there):
            holes += [(tuple(wanted.items()), seed) for seed in result.seeds]
    if holes:
        shown = "; ".join(
            f"{', '.join(f'{key} {value!r}' for key, value in what)}, seed {seed}"
            for what, seed in holes[:3]
        )
        raise ValueError(
            f"{name} would have {len(holes)} hole{'s'[: len(holes) - 1]}: {shown}"
            f"{' ...' if len(holes) > 3 else ''}. Measure what is missing, or record None where "
            "there can be no value"
        )


def _leaves(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Every value inside, with the keys that lead to it."""
    if not isinstance(value, (dict, list)):
        yield where, value
        return
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield from _leaves(item, f"{where}.{key}" if where else str(key))


def _code_state() -> tuple[str | None, bool | None]:
    """The commit of a checkout and whether it has uncommitted changes; unknown in a wheel."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None, None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        # A result that is being written must not make its own checkout look changed.
        changed = _git(root, "status", "--porcelain", "--", ".", ":!data/results", ":!runs")
    except (OSError, subprocess.SubprocessError):
        return None, None
    return (commit, bool(changed)) if _COMMIT.fullmatch(commit) else (None, None)


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=root, capture_output=True, text=True, timeout=30, check=True
    )
    return done.stdout.strip()


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version(), "synthkit": __version__}
    if precision := os.environ.get("SYNTHKIT_PRECISION"):
        found["precision"] = precision
    for name in ("torch", "transformers"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
