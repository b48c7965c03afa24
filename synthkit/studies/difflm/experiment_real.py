"""DiffLM on real tables by path: the same arms and measures as in the census world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..measurements import Log, in_order, study_key
from .experiment import (
    PRESETS,
    ExperimentPreset,
    Trial,
    check_names,
    expected,
    fixed,
    rows_hash,
    run_table,
)

if TYPE_CHECKING:
    import pandas as pd

    from ..results import Result


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


def reproduce(
    tables: Mapping[str, tuple[pd.DataFrame, str]],
    preset: str | ExperimentPreset = "study",
    *,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    test_share: float = 0.2,
    most: int | None = None,
    seeds: Sequence[int] | None = None,
    out: str | Path = "runs/difflm-real-tables",
    progress: bool = False,
) -> Result:
    """Every table and seed, recorded in `out/result.json`; it goes on if interrupted.

    Each table has a log of its own in `out`, keyed by what it is measured with: rows and target,
    preset, options, `test_share`, `most`. Further seeds, tables and other libraries can be added to
    the same `out`; anything else needs another folder.

    Args:
        tables: by name, a table (`synthkit.datasets.load_table` reads it) and its target.
        preset: of `experiment.PRESETS`, by name or itself; the numbers of rows are the table's own.
        options: by a table's name, options of `DiffLM`, such as `{"ranks": None}`.
        test_share: of the rows, split off with the seed.
        most: rows to learn from at most, drawn from the rest; None for all.

    Raises:
        ValueError: an unknown preset, a name that no file can have, other settings than those that
            `out` was measured with, or a table that `DiffLM` or the measures refuse.
    """
    from ..results import record

    if isinstance(preset, str) and preset not in PRESETS:
        raise ValueError(f"no preset {preset!r}; choose one of {', '.join(PRESETS)}")
    chosen = PRESETS[preset] if isinstance(preset, str) else preset
    seeds, out = list(chosen.seeds if seeds is None else seeds), Path(out)
    check_names(tables)
    own = {table: dict((options or {}).get(table, {})) for table in tables}
    with ExitStack() as stack:
        logs = {}
        for table, (frame, target) in tables.items():  # all of them, before anything is measured
            key = study_key(
                rows=rows_hash(frame), target=target, preset=fixed(chosen, own[table]),
                options=own[table], test_share=test_share, most=most,
            )  # fmt: skip
            log = Log(out / f"measurements-{table}.jsonl", key, table=table)
            logs[table] = stack.enter_context(log)
        for seed, (table, (frame, target)) in product(seeds, tables.items()):
            train, test = split_table(frame, test_share, seed)
            if most is not None and most < len(train):
                train = train.sample(most, random_state=seed).reset_index(drop=True)
            how = (chosen, seed, logs[table], own[table], progress)
            run_table(Trial(table, train, test, target, *how))
        return record(
            out / "result.json",
            method="difflm",
            command="synthkit.studies.difflm.experiment_real.reproduce(tables)",
            preset={**asdict(chosen), "most": most, "options": dict(options or {})},
            scale=preset if isinstance(preset, str) else "study",
            model={"name": "format model, trained on columns shuffled independently"},
            seeds=seeds,
            measurements=in_order(logs.values(), seeds),
            notes=f"Real tables by path, {test_share:.0%} of the rows held out. AUC, F1: boosted "
            "trees taught by the table, tested on real rows. Pair errors without thresholds.",
            expected=[each for table in tables for each in expected(chosen, table, world=False)],
        )
