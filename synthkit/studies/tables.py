"""Tables of recorded runs: means with their intervals, arms beside each other, Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..core.intervals import mean_interval
from .results import LONG, available_results, load_result

if TYPE_CHECKING:
    import pandas as pd

    from .results import Result


def summarise(
    rows: Sequence[Mapping[str, Any]] | pd.DataFrame,
    by: str | Sequence[str],
    value: str,
) -> pd.DataFrame:
    """Mean and 95 % Student t interval of `value` in each group of rows.

    Args:
        rows: raw measurements; those without a value (None) are left out.
        by: the column or columns that make a group; groups keep the order of their first row.
        value: the column of numbers.

    Returns:
        The columns of `by`, then `mean`, `low`, `high` and `n`. One measurement has no interval:
        `low` and `high` are NaN there.

    Raises:
        ValueError: a column is not there, or a value is not a finite number.
    """
    import pandas as pd

    frame = pd.DataFrame(rows)
    groups = [by] if isinstance(by, str) else list(by)
    if missing := [name for name in [*groups, value] if name not in frame]:
        raise ValueError(f"no column {', '.join(missing)}; found {', '.join(map(str, frame))}")
    out = []
    there = frame[frame[value].notna()]
    for key, group in there.groupby(groups, sort=False, dropna=False):
        numbers = group[value].astype(float).tolist()
        if not all(map(math.isfinite, numbers)):
            raise ValueError(f"{value} holds a number that is not finite in the group {key}")
        found = mean_interval(numbers) if len(numbers) > 1 else None
        ends = (found.low, found.high) if found else (math.nan, math.nan)
        out.append([*key, sum(numbers) / len(numbers), *ends, len(numbers)])
    return pd.DataFrame(out, columns=[*groups, "mean", "low", "high", "n"])


def overview(names: Sequence[str] | None = None) -> pd.DataFrame:
    """Every measure of the recorded runs with its interval, one row a measure and arm.

    Args:
        names: of recorded results; default: all.

    Returns:
        Columns result, scale, model, measure, arm, mean, low, high, n; the arm of a run with
        further labels (such as its world) names them. Results that are not in the long form
        (`measure` and `value`) are left out.
    """
    import pandas as pd

    columns = ["result", "scale", "model", "measure", "arm", "mean", "low", "high", "n"]
    parts = [pd.DataFrame(columns=columns)]
    for name in available_results() if names is None else names:
        result = load_result(name)
        frame = result.frame()
        if not set(frame) >= LONG:
            continue
        if labels := [name for name in frame if name not in LONG]:
            frame["arm"] += " (" + frame[labels].astype(str).agg(", ".join, axis=1) + ")"
        about = {"result": name, "scale": result.scale, "model": str(result.model.get("name", ""))}
        parts.append(summarise(frame, ["measure", "arm"], "value").assign(**about)[columns])
    return pd.concat(parts[1:] or parts, ignore_index=True)


def side_by_side(
    result: Result, columns: Mapping[str, Mapping[str, str]], arms: Sequence[str]
) -> pd.DataFrame:
    """Arms in lines, measures or labels in columns, each cell "mean [low, high]" over the seeds.

    Args:
        columns: by heading, what rows must carry: a measure, and labels such as a world.
        arms: in order; one without any of the numbers is left out.
    """
    import pandas as pd

    def cell(wanted: Mapping[str, str]) -> str:
        rows = [row for row in result.measurements if wanted.items() <= row.items()]
        found = summarise(rows, "arm", "value") if rows else ()
        if not len(found):
            return "-"
        mean, low, high = found.loc[0, ["mean", "low", "high"]]
        return f"{mean:.2f}" if math.isnan(low) else f"{mean:.2f} [{low:.2f}, {high:.2f}]"

    lines = [{head: cell({**wanted, "arm": arm}) for head, wanted in columns.items()}
             for arm in arms]  # fmt: skip
    kept = [{"arm": arm, **line} for arm, line in zip(arms, lines) if set(line.values()) != {"-"}]
    return pd.DataFrame(kept, columns=["arm", *columns])
