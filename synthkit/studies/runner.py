"""Run a study: seeds in turn, a log that an interrupted run resumes from, a recorded result."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .measurements import Log, study_key
from .report import show
from .results import Result, record
from .study import Case, Study
from .view import View


def run(study: Study, preset: Any = "fast", **options: Any) -> Result:
    """`run_and_show`, for its result alone."""
    return run_and_show(study, preset, **options)[0]


def run_and_show(
    study: Study,
    preset: Any = "fast",
    *,
    lm: Any = None,
    seeds: Sequence[int] | None = None,
    out: str | Path | None = None,
    limit: int | None = None,
    progress: bool = False,
) -> tuple[Result, View]:
    """Run a study, write `result.json`, its figures and its page to `out`, and print its tables.

    An interrupted run continues: a unit that is finished is on disk, and the result is the same to
    the byte, but for times and dates. Further seeds can be added to the same `out`.

    Args:
        preset: a scale of the study's presets, or one of your own, which is recorded as "study".
        lm: the model of a study that asks one; default: the embedded one.
        seeds: default: those of the preset.
        out: a folder; default: in `runs`, with the study's name and the scale.
        limit: cuts every count and every number of steps to it, so that a large preset is tried
            from end to end; for studies on real data.

    Raises:
        ValueError: a scale without a preset; a log in `out` of other data, another preset, model or
            version, or a damaged one; a result with holes (see `results.record`).
    """
    from tqdm import tqdm

    scale, preset = chosen(study, preset, limit)
    seeds = list(preset.seeds if seeds is None else seeds)
    out = Path(out or Path("runs") / f"{study.name}-{scale}")
    if lm is None and study.model is None:
        from ..lm import load_lm

        lm = load_lm("embedded")
    cases = study.cases(preset)
    with ExitStack() as stack:  # all logs are opened, or refused, before anything is measured
        logs = {
            case.log: stack.enter_context(Log(out / case.log, _key(study, case, preset, lm)))
            for case in {case.log: case for case in cases}.values()
        }
        for seed in tqdm(seeds, desc="seeds", disable=not progress):
            for case in cases:
                measure(case, lm, case.preset or preset, seed, logs[case.log], progress)
        rows = [row for log in logs.values() for row in log.rows]
    result = record(
        out / "result.json",
        method=study.name,
        command=study.command or f"synthkit reproduce {study.name} --scale {scale}",
        preset={**asdict(preset), **study.given, **({"limit": limit} if limit else {})},
        scale=scale,
        model=study.model or {**lm.describe(), "fingerprint": lm.fingerprint},
        seeds=seeds,
        measurements=[row for seed in seeds for row in rows if row["seed"] == seed],
        notes=study.notes,
        expected=[wanted for case in cases for wanted in case.expected()],
    )
    return result, show(study, result, out)


def measure(case: Case, lm: Any, preset: Any, seed: int, log: Log, progress: bool = False) -> None:
    """Measure every unit of one case and seed that is not finished in `log`."""
    log = log.labelled(**case.labels)
    trial = case.trial(lm, preset, seed, log, progress)
    for unit in case.units:
        trial.log = log.labelled(**unit.labels)
        if not trial.log.done(unit.name, seed):
            with trial.log.unit(unit.name, seed):
                unit.measure(trial)
    trial.finish()


def chosen(study: Study, preset: Any, limit: int | None = None) -> tuple[str, Any]:
    """The scale and the preset, cut to `limit`.

    Raises:
        ValueError: a scale without a preset, a limit below 1, or one of a study that has none.
    """
    scale = preset if isinstance(preset, str) else "study"
    if isinstance(preset, str):
        if preset not in study.presets:
            known = " or ".join(study.presets)
            raise ValueError(f"the study runs at scale {known}, not {preset!r}; {study.instead}")
        preset = study.presets[preset]
    if limit is None:
        return scale, preset
    if limit < 1 or not hasattr(preset, "limited"):
        raise ValueError(
            f"a limit is a whole number of 1 or more, for a study on real data; found {limit}"
        )
    return scale, preset.limited(limit)


def _key(study: Study, case: Case, preset: Any, lm: Any) -> str:
    return study_key(
        method=study.name,
        preset=study.settings(case.preset or preset),
        model=None if lm is None else lm.fingerprint,
        **case.key,
    )
