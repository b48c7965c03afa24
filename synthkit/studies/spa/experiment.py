"""SPA's claims in worlds whose modes are known: diversity at equal quality, and what causes it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np
from scipy.special import comb
from sklearn.metrics import adjusted_rand_score

from ...embed.encoders import LMEmbedder
from ...evaluation import diversity
from ...lm.training import batch_at
from ...spa.baselines import diverse_beams, sampled, single_adapter
from ...spa.bm25 import bm25_scores
from ...spa.influence import influence_scores
from ...spa.partition import Partition, make_partition
from ...spa.presets import SPAPreset
from ...spa.synthesizer import SPA
from ..study import Case, Trial, Unit
from .records_base import records_base
from .retraining import fidelity
from .testbeds import TESTBEDS, Rows, Testbed, make_testbed

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
EMBEDDING = "embedding clusters"  # of the mean input embeddings of the rows
PARTS = (INFLUENCE, WRONG, VARIANCE, COVER, RANDOM, BM25, CLUSTERS, OTHER_SEEDS, ORACLE)
ARMS = (*SINGLE, BEAM, *PARTS)
CORE = (*SINGLE, BEAM, INFLUENCE, WRONG, VARIANCE, RANDOM, BM25, ORACLE)
# Other numbers of parts, by the arm's name; and the share of rows with even modes.
COUNTS = {"influence, 3 parts": 3, "influence, 12 parts": 12}
MIXED = {"influence, a quarter real": INFLUENCE, "random parts, a quarter real": RANDOM}
METHODS = ("datainf", "ekfac")  # whose scores are held against retraining
RETRAINING = "retraining"  # a unit of measurements, no arm
REFERENCE = "reference adapter"  # of all rows: what its training costs

METHOD = SPAPreset(
    reference_updates=60, part_updates=30, batch_size=16, min_size=8, on_small="fill"
)


@dataclass(frozen=True)
class ExperimentPreset:
    """Sizes of the experiment; sweeps and retraining are run in the first testbed alone.

    Attributes:
        testbeds: names of `TESTBEDS`.
        arms: ways to several answers that are compared in the first testbed; core: in the others.
        n_rows: rows of the training set; n_asked: prompts that are answered.
        counts, mixed: whether there are sweeps over the number of parts and with real rows.
        n_fidelity, subsets, steps: rows, random halves and steps of retraining; 0 rows for none.
        seeds: each draws its own rows, queries and prompts, and trains its own adapters.
    """

    testbeds: tuple[str, ...] = ("records, strong skew", "records, mild skew", "code, strong skew")
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
        testbeds=("records, strong skew",), arms=(GREEDY, HOT, RANDOM, INFLUENCE), n_rows=240,
        n_asked=24, method=replace(METHOD, reference_updates=40, part_updates=20), counts=False,
        mixed=False, n_fidelity=0, seeds=(0,),
    ),
    "study": ExperimentPreset(),
}  # fmt: skip


def cases(preset: ExperimentPreset) -> list[Case]:
    """A case for each testbed; sweeps and retraining belong to the first."""
    first, found = preset.testbeds[0], []
    for name in preset.testbeds:
        units = [arm_unit(arm) for arm in (preset.arms if name == first else preset.core)]
        if name == first and preset.counts:
            units += [arm_unit(arm, rule=COVER, n_parts=count) for arm, count in COUNTS.items()]
        if name == first and preset.mixed:
            units += [arm_unit(arm, rule=rule, mixed=True) for arm, rule in MIXED.items()]
        if name == first and preset.n_fidelity:
            units.append(Unit(RETRAINING, hold_against_retraining, METHODS, ("LDS",)))
        found.append(Case(units, partial(PartsTrial, name=name), TESTBEDS[name]))
    return found


def arm_unit(arm: str, **how) -> Unit:
    """The unit of one way to several answers."""
    return Unit(arm, partial(run_arm, arm=arm, **how), measures=("diversity",))


@dataclass
class PartsTrial(Trial):
    """One testbed and seed: the reference adapter and what is made from it, each made once."""

    name: str = ""

    @property
    def how(self) -> SPAPreset:
        """The choices of the method."""
        return self.preset.method

    @cached_property
    def base(self):
        """The model that every adapter is trained on."""
        in_records = TESTBEDS[self.name]["world"] == "records"
        return records_base(self.lm) if in_records else self.lm

    def testbed_with(self, **options) -> Testbed:
        sizes = self.preset.n_rows, self.preset.n_asked
        return make_testbed(self.name, *sizes, self.seed, **options)

    @cached_property
    def testbed(self) -> Testbed:
        return self.testbed_with()

    @property
    def references(self) -> tuple[list[str], list[str]]:
        """Texts that adapters read for their KL."""
        return self.testbed.references

    @cached_property
    def quarter_real(self) -> PartsTrial:
        """The same with a quarter of the rows as real answers might be."""
        trial = replace(self)
        trial.base, trial.testbed = self.base, self.testbed_with(real=0.25)
        return trial

    @cached_property
    def single(self) -> SPA:
        """One adapter, trained on all rows: it answers alone, and influence is taken on it."""
        with self.cost(REFERENCE, "training") as read:
            made = single_adapter(self.base, self.testbed.rows, preset=self.how, seed=self.seed)
            read.extend(self.texts_of(self.testbed.rows, self.how.reference_updates))
        return made

    def texts_of(self, rows: Rows, updates: int) -> list[str]:
        """Texts that an adapter reads which learns from these rows in so many updates."""
        size = self.how.batch_size
        order = [i for step in range(updates) for i in batch_at(step, len(rows), size, self.seed)]
        return ["{question}{answer}".format(**rows[i]) for i in order]

    @contextmanager
    def cost(self, arm: str, step: str) -> Iterator[list[str]]:
        """Measure the CPU-seconds of a step, and the tokens of the texts it puts on the list."""
        texts, start = [], time.process_time()
        yield texts
        self.add(arm, {f"seconds, {step}": time.process_time() - start})
        self.add(arm, {f"tokens, {step}": sum(map(len, self.lm.token_ids(texts)))})

    def keep(self, arm: str, groups: Sequence[Sequence[str]], right: np.ndarray) -> None:
        """Keep what an arm wrote, with whether it is right; here nothing is kept."""

    @cached_property
    def scores(self) -> np.ndarray:
        """Influence of the rows on the 2 K queries, (2 K, n)."""
        single, testbed, how = self.single, self.testbed, self.how
        with self.cost(INFLUENCE, "scores") as read:
            found = influence_scores(
                single.adapted, testbed.rows, testbed.queries, adapter=single.adapters[0],
                method=how.method, project=how.project, block_size=how.block_size, seed=self.seed,
            )  # fmt: skip
            rows = [*testbed.rows, *testbed.queries]
            read.extend("{question}{answer}".format(**row) for row in rows)
        return found

    @cached_property
    def lexical(self) -> np.ndarray:
        """BM25+ of the rows on K queries of other topics, (K, n)."""
        with self.cost(BM25, "scores"):
            return bm25_scores(self.testbed.others, self.testbed.rows)

    def cut(self, rule: str, n_parts: int | None = None) -> Partition:
        """The parts of a rule of `PARTS`, as many as there are modes unless `n_parts` is given."""
        k, how = n_parts or self.testbed.n_modes, self.how
        if rule in (ORACLE, RANDOM, OTHER_SEEDS):
            name = {ORACLE: "oracle", RANDOM: "random", OTHER_SEEDS: "same data"}[rule]
            k = None if rule == ORACLE else k
            return make_partition(name, k, factor=self.testbed.mode, seed=self.seed)
        sizes = {"min_size": how.min_size, "on_small": how.on_small, "seed": self.seed}
        if rule == BM25:
            return make_partition("bm25", k, scores=self.lexical, ties="random", **sizes)
        if rule == EMBEDDING:
            texts = ["{question}\n{answer}".format(**row) for row in self.testbed.rows]
            return make_partition("embedding", k, vectors=LMEmbedder(self.lm)(texts), **sizes)
        if rule == CLUSTERS:
            return make_partition("kmeans", k, scores=self.scores[:k], **sizes)
        if rule in (VARIANCE, COVER):
            sizes["query_rule"] = "variance" if rule == VARIANCE else "cover"
            return make_partition("influence", k, scores=self.scores, **sizes)
        first = self.scores[: max(k, self.testbed.n_modes)]  # one question in every mode
        sign = -1 if rule == WRONG else 1
        return make_partition("influence", k, scores=first, sign=sign, **sizes)


def run_arm(
    trial: PartsTrial, arm: str, rule: str = "", n_parts: int | None = None, mixed: bool = False
) -> None:
    """One arm; `rule` names its partition where the arm's own name does not."""
    if mixed:
        log, trial = trial.log, trial.quarter_real
        trial.log = log
    if arm in SINGLE or arm == BEAM:
        groups = answer_alone(trial, arm)
    else:
        groups = answer_in_parts(trial, arm, trial.cut(rule or arm, n_parts))
    right = trial.testbed.judge(trial.testbed.asked, groups)
    trial.keep(arm, groups, right)
    trial.add(arm, measure_answers(trial.testbed, groups, right))


def answer_alone(trial: PartsTrial, arm: str) -> list[list[str]]:
    """K answers to each prompt from the one adapter."""
    prompts, k, single = trial.testbed.prompts, trial.testbed.n_modes, trial.single
    n = 1 if arm == GREEDY else k  # greedy answers are all alike
    with trial.cost(arm, "answers") as made:
        if arm == BEAM:
            rows = diverse_beams(single, prompts, k)
        else:
            rows = sampled(single, prompts, n, seed=trial.seed, **SINGLE[arm])
        made.extend(rows["text"])
    return [group * (k // n) for group in grouped(rows, n)]


def grouped(answers: Mapping[str, Sequence[str]], k: int) -> list[list[str]]:
    """The texts of a sample, the k of each prompt together."""
    texts = list(answers["text"])
    return [texts[i : i + k] for i in range(0, len(texts), k)]


def answer_in_parts(trial: PartsTrial, arm: str, partition: Partition) -> list[list[str]]:
    """One greedy answer of each part's adapter to each prompt; what the parts are is measured."""
    testbed = trial.testbed
    spa = SPA(trial.base, preset=trial.how, seed=trial.seed)
    with trial.cost(arm, "training") as read:
        spa.fit(testbed.rows, parts=partition)
        for part in range(partition.n_parts):
            rows = [testbed.rows[i] for i in partition.rows(part)]
            read.extend(trial.texts_of(rows, trial.how.part_updates))
    measure_parts(trial, arm, partition)
    kl = diversity.average_kl(spa.adapted, spa.adapters, *trial.references)
    trial.add(arm, {"KL": diversity.mean_kl(kl), "parts": partition.n_parts})
    with trial.cost(arm, "answers") as made:
        answers = spa.answer(testbed.prompts, seed=trial.seed)
        made.extend(answers["text"])
    return grouped(answers, partition.n_parts)


def measure_parts(trial: PartsTrial, arm: str, partition: Partition) -> None:
    """Measures of the parts of an arm."""
    if partition.rule != "same data":
        factors = {"mode": trial.testbed.mode, "topic": trial.testbed.topic}
        for name, factor in factors.items():
            value = adjusted_rand_score(factor, partition.labels)
            trial.add(arm, {f"adjusted Rand index, {name}": value})
        trial.add(arm, {"largest part": partition.largest_share})


def measure_answers(
    testbed: Testbed, groups: Sequence[Sequence[str]], right: np.ndarray
) -> dict[str, float]:
    """Diversity and quality of K answers to each prompt; `right` (n, K) says which are right."""
    modes = [
        {testbed.mode_of(text) for text, ok in zip(group, flags) if ok}
        for group, flags in zip(groups, right)
    ]
    return {
        "diversity": diversity.pair_diversity(groups).mean(),
        "unique fraction": diversity.unique_fraction(groups).mean(),
        "pass@1": right.mean(),
        "pass@5": pass_at(5, right),
        f"pass@{right.shape[1]}": right.any(1).mean(),
        "working answers": diversity.distinct_working(groups, right).mean(),
        "working modes": np.mean([len(found) for found in modes]),
    }


def pass_at(k: int, right: np.ndarray) -> float:
    """Share of prompts that k answers would solve, from n >= k each, `right` (n_prompts, n).

    It is NaN with fewer answers than k.

    Source: Chen et al., Codex (arXiv 2107.03374), equation 1, an unbiased estimate.
    """
    n, solved = right.shape[1], right.sum(1)
    return float(np.mean(1 - comb(n - solved, k) / comb(n, k))) if n >= k else np.nan


def hold_against_retraining(trial: PartsTrial) -> None:
    """Scores against adapters trained without some of the rows."""
    preset, testbed = trial.preset, trial.testbed
    found = fidelity(
        trial.base, testbed.rows[: preset.n_fidelity], testbed.queries[: testbed.n_modes],
        methods=METHODS, subsets=preset.subsets, controls=2, seed=trial.seed,
        checkpoint=trial.log.path.with_name(f"retraining-{trial.seed}.jsonl"),
        schedule=preset.method.schedule(preset.steps),
    )  # fmt: skip
    trial.add("random tenth", {"rise without": found.random_rises.mean()})
    for name in METHODS:
        trial.add(name, {"rise without": found.rises[name].mean(), "LDS": found.lds[name].mean()})
