"""The measurements of a study: written as they come, read back by measure, arm and place."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from itertools import chain
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__
from ..core.intervals import Interval, mean_interval, paired_interval
from ..core.resume import ResumeLog, run_key

if TYPE_CHECKING:
    import pandas as pd

    from .results import Result

_PLACE = ("labels", "unit", "seed")
UNLABELLED = {"measure", "arm", "seed", "value"}  # columns of a row beside the labels of its place


class Log:
    """Measurements of one run, kept in a file as they come, so that a run can be resumed.

    A unit (an arm of one seed, say) is measured in a `with` block of `unit`. Its rows reach the
    disk together when the block ends, and then the mark that it is finished; of a unit that was cut
    short nothing stays, and it is measured again.

    Args:
        path: the JSON Lines file (a `ResumeLog`).
        key: of what the measurements depend on; see `study_key`.
        labels: columns that every row of this log carries, such as `world="math"`.

    Attributes:
        rows: of the finished units, in the order in which they were measured.

    Raises:
        ValueError: the file belongs to another run, is damaged or in use; see `ResumeLog`.
    """

    def __init__(self, path: str | Path, key: str = "", **labels: str):
        self.path, self.labels = Path(path), labels
        self._log = ResumeLog(path, key, place=_PLACE, what="the measurements of a study")
        finished = (e for place, e in self._log.entries.items() if self._log.is_finished(*place))
        self.rows: list[dict[str, Any]] = [row for entry in finished for row in entry["rows"]]
        self._open: list[list[dict[str, Any]]] = []  # rows of the unit under way, if any

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *error: object) -> None:
        self._log.close()

    def labelled(self, **labels: str) -> Log:
        """The same file and rows, for measurements that carry further `labels`."""
        log = copy(self)
        log.labels = {**self.labels, **labels}
        return log

    def done(self, unit: str, seed: int) -> bool:
        """True if a unit with these labels is finished."""
        return self._log.is_finished(*self._place(unit, seed))

    @contextmanager
    def unit(self, unit: str, seed: int) -> Iterator[None]:
        """Measure one unit in a `with` block; it counts only if the block ends without an error."""
        self._open.append([])
        try:
            yield
        except BaseException:
            self._open.pop()
            raise
        place = self._place(unit, seed)
        self._log.add({**dict(zip(_PLACE, place)), "rows": self._open.pop()})
        self._log.finish(*place)
        self.rows += self._log.entries[place]["rows"]

    def add(self, measure: str, arm: str, seed: int, value: float | None) -> None:
        """Add one measurement to the unit under way; outside of any it is a unit of its own.

        One that is there already stays. A value that is not finite is kept as None: there is none.
        """
        if self._find(measure, arm, seed) is not None:
            return
        if not self._open:
            with self.unit(f"{measure} of {arm}", seed):
                return self.add(measure, arm, seed, value)
        number = math.nan if value is None else round(float(value), 5)
        key = {**self.labels, "measure": measure, "arm": arm, "seed": seed}
        self._open[-1].append({**key, "value": number if math.isfinite(number) else None})

    def found(self, measure: str, arm: str, seed: int) -> float | None:
        """The value of one measurement; None where it is not made, or has none."""
        return (self._find(measure, arm, seed) or {}).get("value")

    def _find(self, measure: str, arm: str, seed: int) -> dict[str, Any] | None:
        wanted = {**self.labels, "measure": measure, "arm": arm, "seed": seed}
        return next((r for r in chain(self.rows, *self._open) if _matches(r, wanted)), None)

    def _place(self, unit: str, seed: int) -> tuple[str, str, int]:
        return ", ".join(f"{name}={value}" for name, value in self.labels.items()), unit, seed


def study_key(**parts: Any) -> str:
    """The key of a study's log: a hash of `parts` (see `run_key`) and of the kit's version.

    Parts are what the measurements depend on: data, presets, the model. Seeds are none, since each
    row has its own, and further ones may be measured later.
    """
    return run_key(version=__version__, **parts)


def samples_file(folder: Path, arm: str, seed: int) -> Path:
    """The file of the rows that an arm wrote with one seed."""
    return folder / "samples" / f"{re.sub(r'[^a-z0-9]+', '-', arm.lower()).strip('-')}-{seed}.jsonl"


# --- read back ------------------------------------------------------------------------------------


def places(result: Result, form: str) -> dict[str, dict[str, str]]:
    """The labels of every place where a run measured, by its name, in the order of the run.

    Args:
        form: how labels name a place, such as "{world}, {skew} skew".
    """
    names = [name for _, name, _, _ in Formatter().parse(form) if name]
    found = [{name: row[name] for name in names} for row in result.measurements
             if all(name in row for name in names)]  # fmt: skip
    return {form.format(**labels): labels for labels in found}


def values(result: Result, measure: str, arm: str, **labels: str) -> np.ndarray:
    """One measure of one arm, `(seeds,)`, in the order of the run's seeds; NaN without a value."""
    wanted = {**labels, "measure": measure, "arm": arm}
    known = {row["seed"]: row["value"] for row in result.measurements if _matches(row, wanted)}
    return np.array([known.get(seed, np.nan) for seed in result.seeds], dtype=float)


def difference(result: Result, measure: str, arm: str, against: str, **labels: str) -> Interval:
    """The paired difference of two arms over the run's seeds, with its 95 % interval.

    Raises:
        ValueError: fewer than three seeds have both arms; a single run proves nothing.
    """
    a, b = (values(result, measure, name, **labels) for name in (arm, against))
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < 3:
        raise ValueError(f"{both.sum()} seeds have both {arm!r} and {against!r}; three are needed")
    return paired_interval(a[both], b[both])


def mean(numbers: np.ndarray, digits: int = 3) -> float | None:
    """The mean of what is there, rounded; None when nothing is."""
    there = numbers[np.isfinite(numbers)]
    return round(float(there.mean()), digits) if len(there) else None


def told(numbers: np.ndarray) -> str:
    """The mean of what is there: with its interval from three numbers on, else with a sign."""
    there = numbers[np.isfinite(numbers)]
    if len(there) >= 3:
        return str(mean_interval(there))
    return f"{there.mean():+.3f}" if len(there) else "-"


def means(
    result: Result, columns: Mapping[str, str], arms: tuple[str, ...] | None = None, **labels: str
) -> pd.DataFrame:
    """Mean over the seeds, a row for each arm; arms and columns without any number are left out.

    Args:
        columns: by heading, a measure.
        arms: in order; default: as they were measured.
        labels: of the place.
    """
    import pandas as pd

    if arms is None:
        there = (row["arm"] for row in result.measurements if _matches(row, labels))
        arms = tuple(dict.fromkeys(there))
    rows = [
        {"arm": arm, **{k: mean(values(result, m, arm, **labels)) for k, m in columns.items()}}
        for arm in arms
    ]
    frame = pd.DataFrame(rows, columns=["arm", *columns]).set_index("arm")
    return frame.dropna(axis=1, how="all").dropna(how="all")


def _matches(row: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(row.get(key) == value for key, value in wanted.items())
