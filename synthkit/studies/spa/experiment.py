"""SPA's claims in worlds whose modes are known: diversity at equal quality, and what causes it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import adjusted_rand_score

from ...evaluation.diversity import (
    average_kl,
    distinct_working,
    mean_kl,
    pair_diversity,
    unique_fraction,
)
from ...spa.baselines import diverse_beams, sampled, single_adapter
from ...spa.bm25 import bm25_scores
from ...spa.influence import influence_scores
from ...spa.partition import Partition, make_partition
from ...spa.synthesizer import SPA, SPAPreset, as_rows, read_rows
from ..measurements import Log
from .records_base import records_base
from .retraining import fidelity
from .testbeds import GROUNDS, Ground

# One adapter on all rows, and how it is decoded.
GREEDY, HOT = "one adapter, greedy", "one adapter, temperature 1"
SINGLE: dict[str, dict[str, float]] = {
    GREEDY: {"temperature": 0.0},
    "one adapter, temperature 0.5": {"temperature": 0.5},
    HOT: {"temperature": 1.0},
    "one adapter, nucleus 0.9": {"temperature": 1.0, "top_p": 0.9},
}
BEAM = "one adapter, diverse beam"
# One adapter a part, all greedy, and where the parts come from.
INFLUENCE, WRONG = "influence", "influence, wrong sign"
VARIANCE, COVER = "influence, variance rule", "influence, covering rule"
RANDOM, BM25, CLUSTERS = "random parts", "BM25+", "k-means of scores"
OTHER_SEEDS, ORACLE = "same data, other seeds", "true modes"
PARTS = (INFLUENCE, WRONG, VARIANCE, COVER, RANDOM, BM25, CLUSTERS, OTHER_SEEDS, ORACLE)
ARMS = (*SINGLE, BEAM, *PARTS)
CORE = (*SINGLE, BEAM, INFLUENCE, WRONG, VARIANCE, RANDOM, BM25, ORACLE)
# Other numbers of parts, by the arm's name; and the share of rows with even modes.
COUNTS = {"influence, 3 parts": 3, "influence, 12 parts": 12}
MIXED = {"influence, a quarter real": INFLUENCE, "random parts, a quarter real": RANDOM}
METHODS = ("datainf", "ekfac")  # whose scores are held against retraining
RETRAINING = "retraining"  # a unit of measurements, no arm

METHOD = SPAPreset(
    reference_updates=60, part_updates=30, batch_size=16, min_size=8, on_small="fill"
)


@dataclass(frozen=True)
class ExperimentPreset:
    """Sizes of the experiment.

    Attributes:
        grounds: pairs of a world and a skew of its modes.
        arms: ways to several answers that are compared in the first ground; core: in the others.
        n_rows: rows of the training set; n_asked: prompts that are answered.
        method: the preset of SPA.
        counts, mixed: whether the sweeps over the number of parts and with real rows are run, in
            the first ground.
        n_fidelity, subsets, steps: rows, random halves and steps of each training of the test by
            retraining, in the first ground; 0 rows for none.
        seeds: each draws its own rows, queries and prompts, and trains its own adapters.
    """

    grounds: tuple[tuple[str, str], ...] = (
        ("records", "strong"),
        ("records", "mild"),
        ("code", "strong"),
    )
    arms: tuple[str, ...] = ARMS
    core: tuple[str, ...] = CORE
    n_rows: int = 400
    n_asked: int = 32
    method: SPAPreset = field(default_factory=lambda: METHOD)
    counts: bool = True
    mixed: bool = True
    n_fidelity: int = 120
    subsets: int = 24
    steps: int = 40
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)


PRESETS = {
    "fast": ExperimentPreset(
        grounds=(("records", "strong"),),
        arms=(GREEDY, HOT, RANDOM, INFLUENCE),
        n_rows=240,
        n_asked=24,
        method=replace(METHOD, reference_updates=40, part_updates=20),
        counts=False,
        mixed=False,
        n_fidelity=0,
        seeds=(0,),
    ),
    "study": ExperimentPreset(),
}


@dataclass
class Study:
    """One ground and seed: the reference adapter and what is made from it, each made once."""

    lm: Any
    preset: ExperimentPreset
    ground: Ground
    seed: int
    log: Log

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        return read_rows(self.ground.rows)[0]

    @cached_property
    def single(self) -> SPA:
        """One adapter, trained on all rows: it answers alone, and influence is taken on it."""
        return single_adapter(self.lm, self.ground.rows, preset=self.preset.method, seed=self.seed)

    @cached_property
    def scores(self) -> np.ndarray:
        """Influence of the rows on the 2 K queries, (2 K, n)."""
        asked = as_rows(read_rows(self.ground.queries)[0])
        single, start = self.single, time.process_time()
        found = influence_scores(
            single.adapted, as_rows(self.pairs), asked, adapter=single.adapters[0],
            method=self.preset.method.method, seed=self.seed,
        )  # fmt: skip
        self.add(INFLUENCE, {"seconds": time.process_time() - start})
        return found

    @cached_property
    def lexical(self) -> np.ndarray:
        """BM25+ of the rows on K queries of other topics, (K, n)."""
        others = as_rows(read_rows(self.ground.others)[0])
        start = time.process_time()
        found = bm25_scores(others, as_rows(self.pairs))
        self.add(BM25, {"seconds": time.process_time() - start})
        return found

    def done(self, unit: str) -> bool:
        return self.log.done(unit, self.seed)

    def add(self, arm: str, measured: dict[str, float]) -> None:
        for measure, value in measured.items():
            self.log.add(measure, arm, self.seed, value)

    def cut(self, arm: str, n_parts: int | None = None) -> Partition:
        """The parts of an arm of `PARTS`, as many as there are modes unless `n_parts` is given."""
        k, how = n_parts or self.ground.n_modes, self.preset.method
        sizes = {"min_size": how.min_size, "on_small": how.on_small, "seed": self.seed}
        if arm == ORACLE:
            return make_partition("oracle", factor=self.ground.mode, seed=self.seed)
        if arm == RANDOM:
            return make_partition("random", k, n=len(self.pairs), seed=self.seed)
        if arm == OTHER_SEEDS:
            return make_partition("same data", k, n=len(self.pairs))
        if arm == BM25:
            return make_partition("bm25", k, scores=self.lexical, ties="random", **sizes)
        if arm == CLUSTERS:
            return make_partition("kmeans", k, scores=self.scores[:k], **sizes)
        if arm in (VARIANCE, COVER):
            rule = "variance" if arm == VARIANCE else "cover"
            return make_partition("influence", k, scores=self.scores, query_rule=rule, **sizes)
        first = self.scores[: max(k, self.ground.n_modes)]  # one question in every mode
        sign = -1 if arm == WRONG else 1
        return make_partition("influence", k, scores=first, sign=sign, **sizes)


def measure_answers(ground: Ground, groups: Sequence[Sequence[str]]) -> dict[str, float]:
    """Diversity and quality of K answers to each prompt."""
    right = ground.judge(ground.asked, groups)
    modes = [
        {ground.mode_of(text) for text, ok in zip(group, flags) if ok}
        for group, flags in zip(groups, right)
    ]
    return {
        "diversity": pair_diversity(groups).mean(),
        "unique fraction": unique_fraction(groups).mean(),
        "pass@1": right.mean(),
        f"pass@{right.shape[1]}": right.any(1).mean(),
        "working answers": distinct_working(groups, right).mean(),
        "working modes": np.mean([len(found) for found in modes]),
    }


def answer_alone(study: Study, arm: str) -> list[list[str]]:
    """K answers to each prompt from the one adapter."""
    prompts, k = study.ground.prompts, study.ground.n_modes
    if arm == BEAM:
        return grouped(diverse_beams(study.single, prompts, k), k)
    return grouped(sampled(study.single, prompts, k, seed=study.seed, **SINGLE[arm]), k)


def grouped(answers, k: int) -> list[list[str]]:
    """The texts of a sample, the k of each prompt together."""
    texts = list(answers["text"])
    return [texts[i : i + k] for i in range(0, len(texts), k)]


def answer_in_parts(study: Study, arm: str, partition: Partition) -> list[list[str]]:
    """One greedy answer of each part's adapter to each prompt; what the parts are is measured."""
    ground = study.ground
    spa = SPA(study.lm, partition=partition, preset=study.preset.method, seed=study.seed)
    spa.fit(ground.rows)
    if partition.rule != "same data":
        agreement = {"mode": ground.mode, "topic": ground.topic}
        for name, factor in agreement.items():
            value = adjusted_rand_score(factor, partition.labels)
            study.add(arm, {f"adjusted Rand index, {name}": value})
        study.add(arm, {"largest part": partition.largest_share})
    kl = average_kl(spa.adapted, spa.adapters, *ground.references)
    study.add(arm, {"KL": mean_kl(kl), "parts": partition.n_parts})
    return grouped(spa.sample(ground.prompts, seed=study.seed), partition.n_parts)


def run_arm(study: Study, arm: str, like: str | None = None, n_parts: int | None = None) -> None:
    """One arm, unless it is finished; `like` names the rule where the arm's name does not."""
    if study.done(arm):
        return
    rule = like or arm
    with study.log.unit(arm, study.seed):
        if rule in PARTS:
            groups = answer_in_parts(study, arm, study.cut(rule, n_parts))
        else:
            groups = answer_alone(study, arm)
        study.add(arm, measure_answers(study.ground, groups))


def run_ground(lm, preset: ExperimentPreset, world: str, skew: str, seed: int, log: Log) -> None:
    """All arms of one ground and seed, and the sweeps in the first; finished ones stay."""

    def study_of(**options) -> Study:
        ground = GROUNDS[world](preset.n_rows, preset.n_asked, seed, skew, **options)
        return Study(lm, preset, ground, seed, log.labelled(world=world, skew=skew))

    if world == "records":
        lm = records_base(lm)
    study = study_of()
    first = (world, skew) == preset.grounds[0]
    for arm in preset.arms if first else preset.core:
        run_arm(study, arm)
    if not first:
        return
    if preset.counts:
        for arm, count in COUNTS.items():
            run_arm(study, arm, COVER, count)
    if preset.mixed:
        mixed = study_of(real=0.25)
        for arm, rule in MIXED.items():
            run_arm(mixed, arm, rule)
    if preset.n_fidelity:
        hold_against_retraining(study)


def hold_against_retraining(study: Study) -> None:
    """Scores against adapters trained without some of the rows."""
    preset, log = study.preset, study.log
    if study.done(RETRAINING):
        return
    found = fidelity(
        study.lm,
        as_rows(study.pairs[: preset.n_fidelity]),
        as_rows(read_rows(study.ground.queries[: study.ground.n_modes])[0]),
        methods=METHODS,
        subsets=preset.subsets,
        controls=2,
        seed=study.seed,
        checkpoint=log.path.with_name(f"retraining-{study.seed}.jsonl"),
        schedule=preset.method.schedule(preset.steps),
    )
    with log.unit(RETRAINING, study.seed):
        study.add("random tenth", {"rise without": found.random_rises.mean()})
        for name in METHODS:
            rise, lds = found.rises[name].mean(), found.lds[name].mean()
            study.add(name, {"rise without": rise, "LDS": lds})


def expected(preset: ExperimentPreset) -> list[dict[str, str]]:
    """The measurements that every seed must have."""
    found = []
    for number, (world, skew) in enumerate(preset.grounds):
        arms = list(preset.core)
        if number == 0:
            arms = [*preset.arms, *COUNTS] if preset.counts else list(preset.arms)
            arms += MIXED if preset.mixed else ()
        found += [
            {"world": world, "skew": skew, "arm": arm, "measure": "diversity"} for arm in arms
        ]
    judged = METHODS if preset.n_fidelity else ()
    return found + [{"arm": name, "measure": "LDS"} for name in judged]


def reproduce(
    scale: str = "fast",
    seeds: Sequence[int] | None = None,
    out: str | Path = "runs/spa-fast",
    progress: bool = False,
):
    """Run the experiment at one scale and write `result.json` and figures to `out`.

    An interrupted run continues: what is measured of an arm is on disk when the arm is whole.

    Raises:
        ValueError: a scale without an experiment; the paper's needs a real model, for which there
            is `SPA(load_lm(...), preset="paper")`.
    """

    from ..runner import run_study
    from .report import show

    def each(lm, preset, seed: int, log: Log) -> None:
        for world, skew in preset.grounds:
            run_ground(lm, preset, world, skew, seed, log)

    return run_study(
        "spa", PRESETS, each, show, scale=scale, seeds=seeds, out=out, progress=progress, flat=flat,
        expected=expected,
        notes="Base, reference and parts are LoRA on the embedded model. Modes: orders of three "
        "statements (records), styles of a program (code); programs are judged by their tests.",
        instead='with a real model, see SPA(load_lm(...), preset="paper")',
    )  # fmt: skip


def flat(preset: ExperimentPreset) -> dict[str, Any]:
    """The preset as plain values, its grounds as names."""
    names = [f"{world}, {skew} skew" for world, skew in preset.grounds]
    return {**asdict(replace(preset, grounds=())), "grounds": names}
