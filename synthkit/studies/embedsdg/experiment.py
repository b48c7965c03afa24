"""EmbedSDG's claims, measured in the math world: where a student fails, and what helps it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...embedsdg.prompts import HeldOut, question_key
from ...embedsdg.sparsity import density_at
from ...embedsdg.synthesizer import PRESETS as METHOD_PRESETS
from ...embedsdg.synthesizer import EmbedSDG
from ...lm.finetune import FinetunePreset, accuracy, finetune
from ...worlds.math import MathWorld, read_question
from ..measurements import Log
from .density_accuracy import density_accuracy

# What the teacher is shown, in every arm of the comparison. The first is the paper's baseline and
# the last of the sparse ones its method; those between change one thing at a time.
ARMS: dict[str, dict[str, Any]] = {
    "random, one seed": {"where": "random", "seeds": 1, "sketch": "skip"},
    "random, pair": {"where": "random", "seeds": 2, "sketch": "skip"},
    "dense, pair": {"where": "dense", "seeds": 2, "sketch": "skip"},
    "sparse, one seed": {"where": "sparse", "seeds": 1, "sketch": "skip"},
    "sparse, pair": {"where": "sparse", "seeds": 2, "sketch": "skip"},
    "EmbedSDG": {"where": "sparse", "seeds": 2, "sketch": "decode"},
}
BASELINE, METHOD, CEILING = "random, one seed", "EmbedSDG", "uniform over families"
NO_DATA = "no synthetic data"
RELATION = "density and accuracy"  # a unit of measurements, no arm


@dataclass(frozen=True)
class ExperimentPreset:
    """Sizes of the experiment.

    Attributes:
        n_real: questions and answers in D, Zipf-distributed over families.
        n_synthetic: rows that every arm adds.
        per_family: test questions a family; the test is balanced, so that rare families count.
        n_density: test questions drawn like D, for the relation of density and accuracy.
        retrain: how a student is trained on D, or on D and synthetic rows (Definition 2.1).
        proceed: how a student is trained further on synthetic rows alone (Table 1).
        arms: the arms that are run; the ceiling is always among them.
        method: the preset of EmbedSDG.
        seeds: the data seeds; each has its own order of families, D, tests and training seed.
    """

    n_real: int
    n_synthetic: int
    per_family: int
    n_density: int
    retrain: FinetunePreset
    proceed: FinetunePreset | None
    arms: tuple[str, ...] = tuple(ARMS)
    method: str = "study"
    seeds: tuple[int, ...] = field(default=(0, 1, 2, 3, 4))


PRESETS = {
    "fast": ExperimentPreset(
        n_real=400,
        n_synthetic=160,
        per_family=4,
        n_density=200,
        retrain=FinetunePreset(epochs=6),
        proceed=None,
        arms=(BASELINE, METHOD),
        method="fast",
        seeds=(0,),
    ),
    "study": ExperimentPreset(
        n_real=600,
        n_synthetic=240,
        per_family=10,
        n_density=2000,
        retrain=FinetunePreset(epochs=6),
        proceed=FinetunePreset(epochs=3, lr=3e-4),
    ),
}


@dataclass(frozen=True)
class Data:
    """What one data seed draws: the world's order of families, D, and two test sets."""

    world: MathWorld
    real: list[dict]
    balanced: list[dict]
    alike: list[dict]  # drawn like D

    @property
    def rare(self) -> set[str]:
        """The less frequent half of the families."""
        families = self.world.families
        return set(families[len(families) // 2 :])


def draw(preset: ExperimentPreset, seed: int) -> Data:
    """D and its tests for one data seed; no test question is in D."""
    world = MathWorld(order_seed=seed)
    balanced = world.balanced(preset.per_family, seed=seed)
    alike = world.rows(preset.n_density, seed=f"alike-{seed}")
    tested = {question_key(row["question"]) for row in (*balanced, *alike)}
    drawn = world.rows(2 * preset.n_real, seed=f"real-{seed}")
    real = [row for row in drawn if question_key(row["question"]) not in tested]
    return Data(world, real[: preset.n_real], balanced, alike)


def run_seed(lm, preset: ExperimentPreset, seed: int, log: Log, progress: bool = False):
    """All measurements of one data seed, added to `log`; units that are finished stay.

    Returns:
        What the figures show: the fitted method, the tests and whether each was answered. None
        when there was nothing left to run.
    """
    arms = (*preset.arms, CEILING)
    if all(log.done(unit, seed) for unit in (NO_DATA, RELATION, *arms)):
        return None
    data = draw(preset, seed)
    student = finetune(lm, data.real, preset.retrain, seed=seed, progress=progress)
    if not log.done(NO_DATA, seed):
        with log.unit(NO_DATA, seed):
            _score(log, student, data, NO_DATA, seed, "retrain")
    method = EmbedSDG(student, preset=preset.method, seed=seed).fit(data.real)
    correct = accuracy(student, data.alike)
    density = _density(method, data)
    if not log.done(RELATION, seed):
        with log.unit(RELATION, seed):
            _relate(log, method, data, density, correct, student, seed)
    for arm in arms:
        if log.done(arm, seed):
            continue
        with log.unit(arm, seed):
            rows = make_rows(arm, method, data, preset, seed, log)
            grown = finetune(lm, [*data.real, *rows], preset.retrain, seed=seed, progress=progress)
            if preset.proceed is not None:
                further = finetune(student, rows, preset.proceed, seed=seed, progress=progress)
                _score(log, further, data, arm, seed, "continue")
            _score(log, grown, data, arm, seed, "retrain")
    return {"method": method, "data": data, "density": density, "correct": correct}


def make_rows(
    arm: str, method: EmbedSDG, data: Data, preset: ExperimentPreset, seed: int, log: Log
) -> list[dict]:
    """The synthetic rows of one arm; their composition goes into `log`."""
    if arm == CEILING:
        rows = MathWorld(zipf=0.0).rows(preset.n_synthetic, seed=f"uniform-{seed}")
        families = [row["family"] for row in rows]
    else:
        tests = [row["question"] for row in (*data.balanced, *data.alike)]
        source = EmbedSDG(
            method.lm, data.world.teacher(seed=seed), preset=preset.method, seed=seed, **ARMS[arm]
        ).fit(data.real)
        sample = source.sample(preset.n_synthetic, held_out=HeldOut(tests, n=None))
        rows = list(sample)
        families = [read_question(row["question"]).family for row in rows]
        seeds = [data.real[i]["family"] for row in rows for i in row["seeds"]]
        asked = sum(source.report.values())
        log.add("rare share of seeds", arm, seed, np.mean([f in data.rare for f in seeds]))
        log.add("share of replies rejected", arm, seed, 1 - len(rows) / asked)
        if ARMS[arm]["sketch"] == "decode":
            well = [read_question(row["sketch"]) is not None for row in rows]
            log.add("share of sketches well formed", arm, seed, np.mean(well))
    log.add("rare share of rows", arm, seed, np.mean([f in data.rare for f in families]))
    log.add("entropy of families (nats)", arm, seed, _entropy(families))
    log.add("mean density of rows", arm, seed, _mean_density(method, rows))
    return rows


def _entropy(names: Sequence[str]) -> float:
    shares = np.array(list(Counter(names).values())) / len(names)
    return float(-(shares * np.log(shares)).sum())


def _density(method: EmbedSDG, data: Data) -> np.ndarray:
    points = method.map.place([row["question"] for row in data.alike])
    return density_at(method.map.points, points, method.map.grid)


def _mean_density(method: EmbedSDG, rows: Sequence[Mapping]) -> float:
    points = method.map.place([row["question"] for row in rows])
    return float(density_at(method.map.points, points, method.map.grid).mean())


def _score(log: Log, student, data: Data, arm: str, seed: int, protocol: str) -> None:
    """Accuracy on the balanced test, on its rare half, and the answers' likelihood."""
    right = accuracy(student, data.balanced)
    rare = np.array([row["family"] in data.rare for row in data.balanced])
    prompts = [f"Question: {row['question']}\nAnswer:" for row in data.balanced]
    nll = student.nll([f" {row['answer']}" for row in data.balanced], prompts=prompts)
    log.add(f"rare accuracy ({protocol})", arm, seed, right[rare].mean())
    log.add(f"answer NLL ({protocol})", arm, seed, nll.mean())
    log.add(f"accuracy ({protocol})", arm, seed, right.mean())


def _relate(log: Log, method, data: Data, density, correct, student, seed: int) -> None:
    """The relation of density and accuracy, per example, per cell, over 45 bins and by family."""
    found = density_accuracy(
        density,
        correct,
        method.map.place([row["question"] for row in data.alike]),
        method.map.grid,
        groups=[row["family"] for row in data.alike],
        seed=seed,
    )
    right = accuracy(student, data.balanced)
    families = np.array([row["family"] for row in data.balanced])
    by_family = {name: float(right[families == name].mean()) for name in data.world.families}
    frequent = data.world.families[: len(by_family) // 4]
    for name, value in by_family.items():
        log.add("family accuracy", name, seed, value)
        log.add("family frequency", name, seed, data.world.frequencies[name])
    for name, group in (("frequent quarter", frequent), ("rare half", data.rare)):
        log.add(f"accuracy, {name}", "student", seed, np.mean([by_family[f] for f in group]))
    log.add("family Spearman", "student", seed, _family_spearman(data.world, by_family))
    log.add("per-cell Spearman", "student", seed, found.cell_rho)
    log.add("within-family Spearman", "student", seed, found.within_rho)
    log.add("45-bin Pearson", "student", seed, found.binned_pearson)
    log.add("45-bin Spearman", "student", seed, found.binned_spearman)
    log.add("permutation p", "student", seed, found.example_p)
    log.add("per-example Spearman", "student", seed, found.example_rho)


def _family_spearman(world: MathWorld, by_family: Mapping[str, float]) -> float:
    from scipy.stats import spearmanr

    frequencies = [world.frequencies[name] for name in by_family]
    return float(spearmanr(frequencies, list(by_family.values())).statistic)


def expected(preset: ExperimentPreset) -> list[dict[str, str]]:
    """The measurements that every seed must have."""
    tuned = ["retrain"] + ["continue"] * (preset.proceed is not None)
    found = [{"arm": NO_DATA, "measure": "accuracy (retrain)"}, {"arm": "student"}]
    return found + [
        {"arm": arm, "measure": f"accuracy ({protocol})"}
        for arm in (*preset.arms, CEILING)
        for protocol in tuned
    ]


def reproduce(
    scale: str = "fast",
    seeds: Sequence[int] | None = None,
    out: str | Path = "runs/embedsdg-fast",
    progress: bool = False,
):
    """Run the experiment at one scale and write `result.json` and figures to `out`.

    An interrupted run continues: what is measured of an arm is on disk when the arm is whole.

    Raises:
        ValueError: a scale without an experiment; the paper's needs a real model and a real
            teacher, for which there are `EmbedSDG` and `export_prompts`.
    """
    from ..runner import run_study, with_method
    from .report import show

    shown = None

    def each(lm, preset, seed: int, log: Log) -> None:
        nonlocal shown
        shown = run_seed(lm, preset, seed, log, progress) or shown

    return run_study(
        "embedsdg", PRESETS, each, lambda result, folder: show(result, shown, folder),
        scale=scale, seeds=seeds, out=out, progress=progress,
        fixed=with_method(METHOD_PRESETS), expected=expected,
        notes="Students are the embedded model with a LoRA adapter; the teacher is the world's "
        "oracle; tests are balanced over families. Arms of one seed share D, tests and seed.",
        instead="with a real model and teacher, see EmbedSDG and export_prompts",
    )  # fmt: skip
