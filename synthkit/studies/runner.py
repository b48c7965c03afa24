"""The frame of a method's experiment: a scale's preset, seeds in turn, a log, a recorded result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .measurements import Log, study_key

if TYPE_CHECKING:
    from .results import Result


def without_seeds(preset: Any) -> Any:
    """A preset, whichever seeds it names."""
    return replace(preset, seeds=())


def with_method(presets: Mapping[str, Any]) -> Callable[[Any], Any]:
    """From an experiment's preset to itself and what `method`, a name in `presets`, stands for."""

    def fixed(preset: Any) -> tuple[Any, Any]:
        name = preset.method
        return without_seeds(preset), presets[name] if isinstance(name, str) else name

    return fixed


def run_study(
    method: str,
    presets: Mapping[str, Any],
    run_seed: Callable[[Any, Any, int, Log], None],
    show: Callable[[Result, Path], None],
    *,
    scale: str,
    seeds: Sequence[int] | None,
    out: str | Path,
    notes: str,
    instead: str,
    progress: bool = False,
    flat: Callable[[Any], dict[str, Any]] = asdict,
    fixed: Callable[[Any], Any] = without_seeds,
    expected: Callable[[Any], Iterable[Mapping[str, str]]] = lambda preset: (),
) -> Result:
    """Run an experiment at one scale on the embedded model, and write `result.json` to `out`.

    An interrupted run continues: a unit that is finished is on disk, and the result is the same to
    the byte, but for times and dates.

    Args:
        method: its name, as on the command line.
        presets: by scale; each has `seeds`.
        run_seed: from (lm, preset, seed, log) to measurements in the log; what is in the log
            already it does not run again.
        show: prints the result's tables and writes its figures to a folder.
        scale, seeds, out, progress: as on the command line; None for the preset's seeds.
        notes: what a reader of the numbers has to know.
        instead: what there is for a scale without an experiment.
        flat: the preset as plain values, to be recorded.
        fixed: from a preset to what of it the measurements depend on, presets it names included.
        expected: from a preset to what must have been measured for every seed; see `record`.

    Raises:
        ValueError: a scale without an experiment; a log in `out` of another preset, model or
            version, or a damaged one; a result with holes.
    """
    from tqdm import tqdm

    from ..lm import load_lm
    from .results import record

    if scale not in presets:
        known = " or ".join(presets)
        raise ValueError(f"the experiment runs at scale {known}, not {scale!r}; {instead}")
    preset, out, lm = presets[scale], Path(out), load_lm()
    seeds = list(preset.seeds if seeds is None else seeds)
    key = study_key(method=method, preset=fixed(preset), model=lm.fingerprint)
    with Log(out / "measurements.jsonl", key) as log:
        for seed in tqdm(seeds, desc="seeds", disable=not progress):
            run_seed(lm, preset, seed, log)
        result = record(
            out / "result.json",
            method=method,
            command=f"synthkit reproduce {method} --scale {scale}",
            preset=flat(preset),
            scale=scale,
            model={**lm.describe(), "fingerprint": lm.fingerprint},
            seeds=seeds,
            measurements=[row for row in log.rows if row["seed"] in seeds],
            notes=notes,
            expected=expected(preset),
        )
    show(result, out)
    return result
