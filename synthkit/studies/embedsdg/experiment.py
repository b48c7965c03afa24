"""EmbedSDG's claims, measured in the math world: where a student fails, and what helps it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np

from ...embedsdg.sparsity import density_at
from ...embedsdg.synthesizer import EmbedSDG
from ...evaluation.contamination import HeldOut, question_key
from ...lm.finetune import FinetunePreset, accuracy, finetune
from ...worlds.math import MathWorld, read_question
from ...worlds.targets.distribution import entropy, shares
from ..study import Case, Trial, Unit
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
WORLD = "math"


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


def cases(preset: ExperimentPreset) -> list[Case]:
    """One world, with an arm for each thing that the teacher may be shown."""
    tuned = ["retrain"] if preset.proceed is None else ["retrain", "continue"]
    scores = tuple(f"accuracy ({protocol})" for protocol in tuned)
    units = [
        Unit(NO_DATA, without_data, measures=("accuracy (retrain)",)),
        Unit(RELATION, relate, ("student",)),
    ]
    for arm in (*preset.arms, CEILING):
        units.append(Unit(arm, partial(run_arm, arm=arm), measures=scores))
    return [Case(units, MathTrial)]


@dataclass(frozen=True)
class Data:
    """The draws of one data seed: the world's order of families, D, and two test sets."""

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


@dataclass
class MathTrial(Trial):
    """One data seed: D, the student that is trained on it, and that student's map."""

    @cached_property
    def data(self) -> Data:
        return draw(self.preset, self.seed)

    @cached_property
    def student(self):
        return self.train(self.lm, self.data.real, self.preset.retrain)

    @cached_property
    def method(self) -> EmbedSDG:
        method = EmbedSDG(self.student, preset=self.preset.method, seed=self.seed)
        return method.fit(self.data.real)

    def train(self, lm, rows: Sequence[Mapping], how: FinetunePreset):
        return finetune(lm, rows, how, seed=self.seed, progress=self.progress)

    def density(self, rows: Sequence[Mapping]) -> np.ndarray:
        """Questions of D around each of these on the map, (n,)."""
        fitted = self.method.map
        points = fitted.place([row["question"] for row in rows])
        return density_at(fitted.points, points, fitted.grid)

    def finish(self) -> None:
        """Draw the map, unless there was nothing left to run."""
        if "method" in vars(self):
            from ..view import save_figure

            save_figure(self.log.path.with_name("map.png"), partial(plot_map, self), (5, 4))


def without_data(trial: MathTrial) -> None:
    """The student of D alone."""
    trial.add(NO_DATA, score(trial.student, trial.data, "retrain"))


def run_arm(trial: MathTrial, arm: str) -> None:
    """Synthetic rows of one arm, and what students learn from them."""
    data, preset = trial.data, trial.preset
    rows, about = make_rows(trial, arm)
    trial.add(arm, about)
    if preset.proceed is not None:
        further = trial.train(trial.student, rows, preset.proceed)
        trial.add(arm, score(further, data, "continue"))
    grown = trial.train(trial.lm, [*data.real, *rows], preset.retrain)
    trial.add(arm, score(grown, data, "retrain"))


def make_rows(trial: MathTrial, arm: str) -> tuple[list[dict], dict[str, float]]:
    """The synthetic rows of one arm, and measures of their composition."""
    data, preset, seed, found = trial.data, trial.preset, trial.seed, {}
    if arm == CEILING:
        rows = MathWorld(zipf=0.0).rows(preset.n_synthetic, seed=f"uniform-{seed}")
        families = [row["family"] for row in rows]
    else:
        tests = [row["question"] for row in (*data.balanced, *data.alike)]
        teacher = data.world.teacher(seed=seed)
        source = EmbedSDG(
            trial.student, teacher=teacher, preset=preset.method, seed=seed, **ARMS[arm]
        ).fit(data.real)
        rows = list(source.sample(preset.n_synthetic, held_out=HeldOut(tests, n=None)))
        families = [read_question(row["question"]).family for row in rows]
        seeds = [data.real[i]["family"] for row in rows for i in row["seeds"]]
        found["rare share of seeds"] = np.mean([family in data.rare for family in seeds])
        found["share of replies rejected"] = 1 - len(rows) / source.report.facts["prompts"]
        if ARMS[arm]["sketch"] == "decode":
            well = [read_question(row["sketch"]) is not None for row in rows]
            found["share of sketches well formed"] = np.mean(well)
    found["rare share of rows"] = np.mean([family in data.rare for family in families])
    found["entropy of families (nats)"] = entropy(shares(Counter(families)))
    found["mean density of rows"] = trial.density(rows).mean()
    return rows, found


def score(student, data: Data, protocol: str) -> dict[str, float]:
    """Accuracy on the balanced test, on its rare half, and the answers' likelihood."""
    right = accuracy(student, data.balanced)
    rare = np.array([row["family"] in data.rare for row in data.balanced])
    prompts = [f"Question: {row['question']}\nAnswer:" for row in data.balanced]
    nll = student.nll([f" {row['answer']}" for row in data.balanced], prompts=prompts)
    return {
        f"rare accuracy ({protocol})": right[rare].mean(),
        f"answer NLL ({protocol})": nll.mean(),
        f"accuracy ({protocol})": right.mean(),
    }


def relate(trial: MathTrial) -> None:
    """The relation of density and accuracy, per example, per cell, over 45 bins and by family."""
    from scipy.stats import spearmanr

    data, fitted = trial.data, trial.method.map
    found = density_accuracy(
        trial.density(data.alike),
        accuracy(trial.student, data.alike),
        fitted.place([row["question"] for row in data.alike]),
        fitted.grid,
        groups=[row["family"] for row in data.alike],
        seed=trial.seed,
    )
    right, world = accuracy(trial.student, data.balanced), data.world
    families = np.array([row["family"] for row in data.balanced])
    by_family = {name: float(right[families == name].mean()) for name in world.families}
    frequencies = [world.frequencies[name] for name in by_family]
    for name, frequency in zip(by_family, frequencies):
        trial.add(name, {"family accuracy": by_family[name], "family frequency": frequency})
    frequent = world.families[: len(by_family) // 4]
    trial.add("student", {
        "accuracy, frequent quarter": np.mean([by_family[name] for name in frequent]),
        "accuracy, rare half": np.mean([by_family[name] for name in data.rare]),
        "family Spearman": spearmanr(frequencies, list(by_family.values())).statistic,
        "per-cell Spearman": found.cell_rho,
        "within-family Spearman": found.within_rho,
        "45-bin Pearson": found.binned_pearson,
        "45-bin Spearman": found.binned_spearman,
        "permutation p": found.example_p,
        "per-example Spearman": found.example_rho,
    })  # fmt: skip


def plot_map(trial: MathTrial, axes) -> None:
    """D on the student's map, rare families apart from frequent ones by colour and shape."""
    from ...core.plots import COLOURS

    rare = np.array([row["family"] in trial.data.rare for row in trial.data.real])
    for mask, name, marker, colour in (
        (~rare, "frequent families", ".", COLOURS["sky"]),
        (rare, "rare families", "x", COLOURS["vermilion"]),
    ):
        axes.plot(*trial.method.map.points[mask][:, :2].T, marker, color=colour, ms=4, label=name)
    axes.set(xlabel="first component", ylabel="second component")
    axes.legend(loc="best", fontsize=9)
