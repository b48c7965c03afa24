"""The measurements of an experiment: written as they come, read back by measure and arm."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..statistics import Interval, paired_interval
from ..storage import append_jsonl, read_json, read_jsonl, write_json

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from .results import Result


class Log:
    """Measurements of one run, kept in a file as they come, so that a run can be resumed.

    Args:
        path: the JSON Lines file.
        labels: columns that every row of this log carries, such as `world="math"`.
    """

    def __init__(self, path: str | Path, **labels: str):
        self.path, self.labels = Path(path), labels
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.rows = read_jsonl(self.path, tolerate_torn=True) if self.path.exists() else []

    def labelled(self, **labels: str) -> Log:
        """The same file and rows, for measurements that carry further `labels`."""
        log = Log.__new__(Log)
        log.path, log.rows, log.labels = self.path, self.rows, {**self.labels, **labels}
        return log

    def has(self, measure: str, arm: str, seed: int) -> bool:
        return self.found(measure, arm, seed) is not None

    def found(self, measure: str, arm: str, seed: int) -> float | None:
        """The value of one measurement; None where it is not made yet."""
        wanted = {**self.labels, "measure": measure, "arm": arm, "seed": seed}
        return next((row["value"] for row in self.rows if _matches(row, wanted)), None)

    def add(self, measure: str, arm: str, seed: int, value: float) -> None:
        """Put one measurement on disk; a value that is not finite is none.

        One that is there already stays: an arm that was cut short is measured again from its start.
        """
        key = {**self.labels, "measure": measure, "arm": arm, "seed": seed}
        row = {**key, "value": round(float(value), 5)}
        if math.isfinite(row["value"]) and not self.has(measure, arm, seed):
            append_jsonl(self.path, row)
            self.rows.append(row)


def keep_settings(log: Log, settings: Mapping[str, Any]) -> None:
    """Write down what the measurements of `log` are made with, or compare it with what is written.

    To be called before the first measurement. `settings.json` lies beside the log and has an entry
    for the labels of `log`, so that a run may take up further tables. What a run may be given later
    (further seeds) does not belong into `settings`. While nothing with these labels is measured,
    new settings replace the old ones.

    Raises:
        ValueError: measurements with these labels were made with other settings, or nobody knows
            with which ones, since a log of an older version has no `settings.json`.
        TypeError, ValueError: `settings` is not JSON.
    """
    path = log.path.with_name("settings.json")
    kept = read_json(path) if path.exists() else {}
    key = ", ".join(f"{name} {value!r}" for name, value in sorted(log.labels.items()))
    if not any(_matches(row, log.labels) for row in log.rows):
        write_json(path, {**kept, key: dict(settings)})
        return
    what = f"{log.path} holds measurements of {key}"
    if key not in kept:
        raise ValueError(
            f"{what}, and no settings.json says what they were made with; choose another folder"
        )
    old, new = _flat(kept[key]), _flat(json.loads(json.dumps(settings)))
    changed = [
        f"{name} was {old.get(name, 'not set')!r} and is {new.get(name, 'not set')!r}"
        for name in sorted({*old, *new})
        if name not in old or name not in new or old[name] != new[name]
    ]
    if changed:
        raise ValueError(
            f"{what} that were made with other settings: {'; '.join(changed)}. Choose another "
            "folder, or go on with the old settings"
        )


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    """Nested settings as one level, with names such as `preset.n_free`."""
    if not isinstance(value, Mapping):
        return {name: value}
    parts = ((f"{name}.{key}" if name else str(key), each) for key, each in value.items())
    return {k: v for part, each in parts for k, v in _flat(each, part).items()}


def values(result: Result, measure: str, arm: str, **labels: str) -> np.ndarray:
    """One measure of one arm, `(seeds,)`, in the order of the run's seeds; NaN where not run."""
    wanted = {**labels, "measure": measure, "arm": arm}
    known = {row["seed"]: row["value"] for row in result.measurements if _matches(row, wanted)}
    return np.array([known.get(seed, np.nan) for seed in result.seeds])


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


def caveats(result: Result) -> tuple[str, ...]:
    """What a reader of a run's tables has to be told: nothing, or that its seeds are too few."""
    if len(result.seeds) >= 3:
        return ()
    return ("Fewer than three seeds: the numbers show that it runs, and decide nothing.",)


def save_figure(path: Path, draw: Callable[[Axes], None], size: tuple[float, float]) -> None:
    """Draw on new axes of that size in inches, without a display, and write the figure."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from ..plots import style

    style()
    figure, axes = plt.subplots(figsize=size)
    draw(axes)
    figure.savefig(path)
    plt.close(figure)


def print_table(frame: pd.DataFrame, title: str, notes: tuple[str, ...] = ()) -> None:
    """Print a table whose index is its first column, and notes under it."""
    from rich.console import Console
    from rich.table import Table

    printed = Table(title=title)
    for name in (frame.index.name or "", *frame.columns):
        printed.add_column(str(name), justify="right" if printed.columns else "left")
    for name, row in frame.iterrows():
        printed.add_row(str(name), *(_cell(value) for value in row))
    console = Console(width=120)
    console.print(printed)
    for note in notes:
        console.print(note)


def _cell(value: Any) -> str:
    return "-" if value is None or value != value else str(value)


def _matches(row: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(row.get(key) == value for key, value in wanted.items())
