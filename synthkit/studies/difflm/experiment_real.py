"""DiffLM on real tables by path: the same arms and measures as in the census world."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from ..study import Case, Study, log_name
from . import report
from .experiment import PRESETS, ExperimentPreset, TableTrial, fixed, rows_hash, table_units

if TYPE_CHECKING:
    import pandas as pd


def split_table(
    frame: pd.DataFrame, share: float = 0.2, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(train, test) of a table, by chance; no row is in both, whatever the index.

    Raises:
        ValueError: a share that leaves one side without rows.
    """
    frame = frame.reset_index(drop=True)  # `drop` takes all rows of a label
    test = frame.sample(frac=share, random_state=seed)
    train = frame.drop(test.index)
    if not len(test) or not len(train):
        raise ValueError(f"a test share of {share:g} splits {len(frame)} rows into nothing and all")
    return train.reset_index(drop=True), test.reset_index(drop=True)


def draw_rows(
    preset: ExperimentPreset, seed: int, *, frame: pd.DataFrame, share: float, most: int | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(train, test) of a table, with at most `most` rows to learn from."""
    train, test = split_table(frame, share, seed)
    if most is not None and most < len(train):
        train = train.sample(most, random_state=seed).reset_index(drop=True)
    return train, test


def study(
    tables: Mapping[str, tuple[pd.DataFrame, str]],
    *,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    test_share: float = 0.2,
    most: int | None = None,
) -> Study:
    """Every table, each with a log of its own; `runner.run` runs it.

    Further seeds, tables and other libraries can be added to the same folder; anything else needs
    another one.

    Args:
        tables: by name, a table (`synthkit.datasets.load_table` reads it) and its target.
        options: by a table's name, options of `DiffLM`, such as `{"ranks": None}`.
        test_share: of the rows, split off with the seed.
        most: rows to learn from at most, drawn from the rest; None for all.

    Raises:
        ValueError: a name that no file can have; when it runs, a table that `DiffLM` or the
            measures refuse.
    """
    options, split = dict(options or {}), {"test_share": test_share, "most": most}

    def cases(preset: ExperimentPreset) -> list[Case]:
        found = []
        for name, (frame, target) in tables.items():
            own = dict(options.get(name, {}))
            key = {"rows": rows_hash(frame), "target": target, "options": own, **split}
            draw = partial(draw_rows, frame=frame, share=test_share, most=most)
            trial = partial(TableTrial, name=name, draw=draw, target=target, options=own)
            case = (table_units(preset), trial, {"table": name}, key, log_name(name))
            found.append(Case(*case))
        return found

    return Study(
        "difflm", "DiffLM", cases, PRESETS,
        place="{table}",
        claims=report.CLAIMS,
        tables=report.TABLES,
        figures=report.FIGURES,
        notes=f"Real tables by path, {test_share:.0%} of the rows held out. AUC, F1: boosted "
        "trees trained on the table, tested on real rows. Pair errors without thresholds.",
        settings=fixed,
        model=report.MODEL,
        command="run(synthkit.studies.difflm.experiment_real.study(tables))",
        given={**split, "options": options},
    )  # fmt: skip
