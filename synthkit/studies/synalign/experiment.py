"""SynAlign's claims one by one in the reviews world, whose attributes are known of every text."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...embed.encoders import TfidfEmbedder
from ...evaluation.text import distinct_n
from ...lm.finetune import FinetunePreset, finetune
from ...synalign.alignment import (
    align,
    alignment_report,
    class_wise,
    density_ratio_weights,
    median_distance,
    ratio_weights,
    systematic_resample,
    total_variation,
)
from ...synalign.attributes import REVIEWS
from ...synalign.baselines import attrprompt, simprompt
from ...synalign.exploration import (
    coverage,
    gp_select,
    k_centre_select,
    medoid_select,
    random_select,
)
from ...synalign.synthesizer import SynAlign
from ...worlds import load_world
from ...worlds.reviews import VALUES, read_attributes
from ..measurements import Log
from .prediction import tuned_accuracy
from .ranking import interleave, mrr, ndcg
from .retriever import Retriever, relevant_by

# Ways to choose demonstrations, and the part of the experiment in which they are compared.
EXPLORATION = "exploration"
GP, RANDOM = "GP uncertainty", "random"
SELECTIONS: dict[str, Callable[..., np.ndarray]] = {
    GP: lambda x, k, seed: gp_select(x, k, seed=seed).picks,
    RANDOM: lambda x, k, seed: random_select(x, k, seed=seed),
    "k-centre": lambda x, k, seed: k_centre_select(x, k, seed=seed),
    "medoids": lambda x, k, seed: medoid_select(x, k, seed=seed),
}
# Pools of which nothing but the law is wrong, or nothing at all: the law of the reviews world.
POOLS = {"skewed pool": "llm", "balanced pool": "uniform"}
SKEWED, BALANCED = POOLS
FEW = "skewed pool, few real texts"
# Weights of a pool.
UNWEIGHTED, TILTING, EXACT = "unweighted", "tilting", "exact"
ADAM, DENSITY, ORACLE = "softmax and Adam", "density ratio", "oracle ratio"
NARROW, POOLED, REAL = "exact, kernel too narrow", "tilting, without classes", "real texts"
WEIGHTS = (UNWEIGHTED, TILTING, EXACT, DENSITY, ORACLE)
SKEWED_ONLY = (ADAM, NARROW, POOLED)
RETRIEVER, UNTUNED = "retriever", "not tuned"
STUDENT, MIXED = "fine-tuned student", "half real, half tilting"
TAUGHT = (UNWEIGHTED, TILTING, REAL, MIXED)
SEARCHED = (UNTUNED, UNWEIGHTED, TILTING, REAL)
FITTED_TO_FEW = (UNWEIGHTED, TILTING, EXACT)
LABEL, TASKS = "sentiment", ("sentiment", "tone")
UNREADABLE = "cannot be read"  # the attributes of a text that the world could not have written


@dataclass(frozen=True)
class ExperimentPreset:
    """Sizes of the experiment.

    Attributes:
        n_real: real texts that weights are fitted to; n_few: in the part with few of them.
        n_pool: synthetic texts of a pool; n_held_out: real texts that measure.
        n_drawn: texts that a student is trained on; draws: times that they are drawn.
        picks: demonstrations whose coverage is measured.
        weights: arms of every pool; skewed_only: arms of the skewed pool alone.
        n_habits: reviews with a chat model's habits that the writer is trained on.
        n_written: texts that it writes, by each way to ask; 0 for none.
        per_record: of them, texts from one demonstration.
        student: how a small language model is trained to name the label; None for no such student.
        n_tested: held-out texts that this student names the label of, and that are searched.
        retrieval: whether a retriever is tuned.
        seeds: each draws its own texts.
    """

    n_real: int = 600
    n_few: int = 25
    n_pool: int = 5000
    n_held_out: int = 3000
    n_drawn: int = 1000
    draws: int = 3
    picks: int = 60
    weights: tuple[str, ...] = WEIGHTS
    skewed_only: tuple[str, ...] = SKEWED_ONLY
    n_habits: int = 800
    n_written: int = 960
    per_record: int = 4
    student: FinetunePreset | None = field(default_factory=lambda: FinetunePreset(epochs=3))
    n_tested: int = 600
    retrieval: bool = True
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)


PRESETS = {
    "fast": ExperimentPreset(
        n_real=400,
        n_pool=2000,
        n_held_out=1000,
        n_drawn=600,
        picks=40,
        weights=(UNWEIGHTED, TILTING),
        skewed_only=(),
        n_habits=320,
        n_written=120,
        student=None,
        retrieval=False,
        seeds=(0,),
    ),
    "study": ExperimentPreset(),
}


@dataclass(frozen=True)
class Texts:
    """Texts with their attributes, and where an encoder puts them.

    Attributes:
        rows: each with `text` and the five attributes.
        points: (n, d).
    """

    rows: Sequence[Mapping[str, Any]]
    points: np.ndarray

    def of(self, *names: str) -> list:
        """An attribute of every text, or several as tuples."""
        if len(names) == 1:
            return [row[names[0]] for row in self.rows]
        return [tuple(row[name] for name in names) for row in self.rows]


@dataclass
class Trial:
    """One seed: its real texts and the pools beside them, each drawn once."""

    lm: Any
    preset: ExperimentPreset
    seed: int
    log: Log

    @cached_property
    def real(self) -> list[dict]:
        return load_world("reviews").rows(self.preset.n_real, f"real {self.seed}")

    @cached_property
    def held_out(self) -> list[dict]:
        return load_world("reviews").rows(self.preset.n_held_out, f"held out {self.seed}")

    @cached_property
    def writer(self):
        return habitual_writer(self.lm, self.preset.n_habits, self.seed)

    def placed(self, *sets: Sequence[Mapping]) -> tuple[Texts, ...]:
        """Sets of texts and the held-out ones, by an encoder that is fitted on the sets."""
        encode = TfidfEmbedder(dims=64).fit([row["text"] for rows in sets for row in rows])
        return tuple(
            Texts(rows, encode([row["text"] for row in rows]).astype(float))
            for rows in (*sets, self.held_out)
        )

    def add(self, part: str, arm: str, measured: Mapping[str, float]) -> None:
        log = self.log.labelled(part=part)
        for measure, value in measured.items():
            log.add(measure, arm, self.seed, value)

    def done(self, part: str, *units: str) -> bool:
        """True if all these units of a part are finished."""
        log = self.log.labelled(part=part)
        return all(log.done(unit, self.seed) for unit in units)

    def unit(self, part: str, unit: str) -> AbstractContextManager[None]:
        return self.log.labelled(part=part).unit(unit, self.seed)


# --- exploration ---------------------------------------------------------------------------------


def run_exploration(trial: Trial) -> None:
    """How near demonstrations lie to real texts that were not among the candidates."""
    if trial.done(EXPLORATION, *SELECTIONS):
        return
    real, held_out = trial.placed(trial.real)
    for arm, select in SELECTIONS.items():
        if trial.done(EXPLORATION, arm):
            continue
        with trial.unit(EXPLORATION, arm):
            picks = select(real.points, trial.preset.picks, seed=trial.seed)
            found = coverage(real.points, picks, held_out.points)
            cells = real.of(*VALUES)
            seen = {cells[i] for i in picks}
            trial.add(EXPLORATION, arm, {
                "combinations seen": np.mean([cell in seen for cell in held_out.of(*VALUES)]),
                "combinations": len(seen),
                "farthest": found["largest distance"],
                "distance": found["mean distance"],
            })  # fmt: skip


# --- weights of a pool ---------------------------------------------------------------------------


def run_pool(trial: Trial, part: str, arms: Sequence[str], n_real: int | None = None) -> None:
    """Every arm's weights on one pool, and students trained on what they draw."""
    if trial.done(part, *arms, REAL):
        return
    law = POOLS.get(part, POOLS[SKEWED])
    rows = load_world("reviews", distribution=law).rows(trial.preset.n_pool, f"pool {trial.seed}")
    pool, real, held_out = trial.placed(rows, trial.real[:n_real])
    for arm in (arm for arm in arms if not trial.done(part, arm)):
        with trial.unit(part, arm), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of weights that collapse, which are measured here
            weights = weigh(arm, pool, real)
            trial.add(part, arm, measure_weights(trial, pool, real, held_out, weights))
    if not trial.done(part, REAL):
        with trial.unit(part, REAL):
            at = np.arange(len(real.rows))
            trial.add(part, REAL, student_accuracy(trial, real, held_out, [at]))


def weigh(arm: str, pool: Texts, real: Texts) -> np.ndarray:
    """One arm's weights of the pool, (n,); within each label unless the arm says otherwise."""
    S, R = pool.points, real.points
    labels = pool.of(LABEL), real.of(LABEL)
    if arm == UNWEIGHTED:
        return np.full(len(S), 1 / len(S))
    if arm == DENSITY:
        return class_wise(lambda i, j: density_ratio_weights(S[i], R[j]), *labels)
    if arm == ORACLE:
        cells = (LABEL, "tone", "style", "length")
        return ratio_weights(pool.of(*cells), real.of(*cells))
    if arm == POOLED:
        return align(S, R)
    if arm == NARROW:
        narrow = median_distance(np.vstack([S, R])) / 32
        return align(S, R, labels=labels, method="exact", bandwidth=narrow)
    method = {TILTING: "tilting", EXACT: "exact", ADAM: "adam"}[arm]
    return align(S, R, labels=labels, method=method)


def measure_weights(
    trial: Trial, pool: Texts, real: Texts, held_out: Texts, weights: np.ndarray
) -> dict[str, float]:
    """Distance to the held-out texts, attributes, effective size, and what students learn."""
    n, sigma = len(real.rows), median_distance(np.vstack([pool.points, real.points]))
    found = alignment_report(pool.points, held_out.points, weights, fitted=n, bandwidth=sigma)
    measured = {
        "MMD2 ratio": found.ratio,
        "MMD2 floors": found.mmd2 / found.floor,
        "effective size": found.effective,
        "largest weight": found.largest,
    }
    for name in VALUES:
        measured[f"TV {name}"] = total_variation(pool.of(name), held_out.of(name), weights)
    draws = [
        systematic_resample(weights, trial.preset.n_drawn, seed=10 * trial.seed + draw)
        for draw in range(trial.preset.draws)
    ]
    return {**measured, **student_accuracy(trial, pool, held_out, draws)}


def student_accuracy(
    trial: Trial, pool: Texts, held_out: Texts, draws: Sequence[np.ndarray]
) -> dict[str, float]:
    """Accuracy of a logistic regression on the embedding, a mean over the draws, by task."""
    from sklearn.linear_model import LogisticRegression

    found = {}
    for task in TASKS:
        labels, wanted = np.array(pool.of(task)), held_out.of(task)
        scores = []
        for at in draws:
            student = LogisticRegression(max_iter=300).fit(pool.points[at], labels[at])
            scores.append(student.score(held_out.points, wanted))
        found[f"accuracy, {task}"] = float(np.mean(scores))
    return found


# --- a small language model as student -----------------------------------------------------------


def run_student(trial: Trial) -> None:
    """A fine-tuned language model names the label; it can read what a linear student cannot."""
    preset = trial.preset
    if trial.done(STUDENT, *TAUGHT):
        return
    world = load_world("reviews", distribution=POOLS[SKEWED])
    rows = world.rows(preset.n_pool, f"pool {trial.seed}")
    pool, real, _ = trial.placed(rows, trial.real)
    drawn = {
        arm: [rows[i] for i in systematic_resample(weigh(arm, pool, real), len(trial.real))]
        for arm in (UNWEIGHTED, TILTING)
    }
    half = len(trial.real) // 2
    sets = {
        **drawn,
        REAL: trial.real,
        MIXED: [*trial.real[:half], *drawn[TILTING][: len(trial.real) - half]],
    }
    test = named(trial.held_out[: preset.n_tested])
    sarcastic = np.array([row["tone"] == "sarcastic" for row in trial.held_out])
    for arm, train in sets.items():
        if trial.done(STUDENT, arm):
            continue
        with trial.unit(STUDENT, arm):
            score = tuned_accuracy(trial.lm, named(train), test, preset.student, trial.seed)
            right = score.right[sarcastic[: preset.n_tested]]
            trial.add(STUDENT, arm, {
                "accuracy, sarcastic": right.mean(),
                "macro F1": score.macro_f1,
                "accuracy": score.accuracy,
            })  # fmt: skip


def named(rows: Sequence[Mapping]) -> list[dict[str, str]]:
    """Rows with `text` and, as `label`, what a student is asked for."""
    return [{"text": row["text"], "label": row[LABEL]} for row in rows]


# --- a retriever ---------------------------------------------------------------------------------

ASKED_FOR = ("topic", "tone")  # what a query names, and what makes a document relevant


def run_retriever(trial: Trial) -> None:
    """A bi-encoder tuned on synthetic (query, text) pairs, drawn by weight and at random."""
    if trial.done(RETRIEVER, RETRIEVER):
        return
    preset, seed = trial.preset, trial.seed
    rows = load_world("reviews", distribution=POOLS[SKEWED]).rows(preset.n_pool, f"pool {seed}")
    pool, real, held_out = trial.placed(rows, trial.real)
    sets = {
        arm: [rows[i] for i in systematic_resample(weigh(arm, pool, real), preset.n_drawn, seed)]
        for arm in (UNWEIGHTED, TILTING)
    }
    test = held_out.rows[: preset.n_tested]
    queries = sorted({" ".join(row[name] for name in ASKED_FOR) for row in test})
    relevant = relevant_by(queries, [" ".join(row[name] for name in ASKED_FOR) for row in test])
    texts = [*queries, *(row["text"] for row in (*rows, *trial.real))]
    encode, rankings = TfidfEmbedder(dims=64).fit(texts), {}
    for arm, drawn in {**sets, REAL: trial.real, UNTUNED: []}.items():
        retriever = Retriever(encode, seed=seed)
        if drawn:
            asked = [" ".join(row[name] for name in ASKED_FOR) for row in drawn]
            retriever.fit([(q, row["text"]) for q, row in zip(asked, drawn)], groups=asked)
        rankings[arm] = retriever.rank(queries, [row["text"] for row in test])
    with trial.unit(RETRIEVER, RETRIEVER):
        for arm in SEARCHED:
            ranked = rankings[arm]
            clicks = interleave(ranked, rankings[UNWEIGHTED], relevant, seed).share.mean
            trial.add(RETRIEVER, arm, {
                "clicks won": clicks if arm != UNWEIGHTED else 0.5,
                "MRR": mrr(ranked, relevant).mean(),
                "nDCG@10": ndcg(ranked, relevant, 10).mean(),
            })  # fmt: skip


# --- texts that a model writes -------------------------------------------------------------------


def habitual_writer(lm, n: int, seed: int = 0):
    """The embedded model with the habits of a chat model: long, formal and enthusiastic reviews.

    Asked by the label alone, the embedded model would write by the world's own law, which it was
    trained on, and leave nothing to align. The writer sees no real review. Half of its rows ask
    with all attributes, so that it still follows them.
    """
    rows = load_world("reviews", distribution=POOLS[SKEWED]).rows(n, f"habits {seed}")
    examples = []
    for i, row in enumerate(rows):
        names = REVIEWS.names if i % 2 else (LABEL,)
        prompt = REVIEWS.write_prompt({name: row[name] for name in names})
        examples.append({"prompt": prompt, "completion": row["text"]})
    return finetune(lm, examples, FinetunePreset(epochs=3), seed=seed)


def run_written(trial: Trial) -> None:
    """What the model writes by each way to ask, as many texts each; and the last one aligned."""
    for arm in (arm for arm in WRITERS if not trial.done(WRITTEN, arm)):
        with trial.unit(WRITTEN, arm):
            rows = WRITERS[arm](trial)
            pool, real, held_out = trial.placed(read_back(rows), trial.real)
            equal = np.full(len(rows), 1 / len(rows))
            trial.add(WRITTEN, arm, measure_texts(pool, rows))
            trial.add(WRITTEN, arm, measure_weights(trial, pool, real, held_out, equal))
            if arm == SYNALIGN:
                weights = weigh(TILTING, pool, real)
                found = measure_weights(trial, pool, real, held_out, weights)
                trial.add(WRITTEN, ALIGNED, found)


def read_back(rows) -> list[dict[str, Any]]:
    """Written texts with the attributes that they show; the label is the one asked for."""
    found = []
    for row in rows:
        try:
            seen = read_attributes(row["text"])
        except ValueError:  # not a review that the world could write
            seen = dict.fromkeys(VALUES, UNREADABLE)
        found.append({**seen, "shown": seen[LABEL], LABEL: row["label"], "text": row["text"]})
    return found


def measure_texts(pool: Texts, rows) -> dict[str, float]:
    """How varied written texts are, and how many are what was asked for."""
    texts, readable = pool.of("text"), [row["shown"] != UNREADABLE for row in pool.rows]
    return {
        "different texts": len(set(texts)) / len(texts),
        "distinct pairs of words": distinct_n(texts, 2),
        "combinations": len(set(pool.of(*VALUES))),
        "readable": float(np.mean(readable)),
        "label shown": float(np.mean([row["shown"] == row[LABEL] for row in pool.rows])),
    }


def demonstrated(select: str) -> Callable[[Trial], Any]:
    """SynAlign's two calls, with demonstrations chosen in one way; nothing is weighted yet."""

    def write(trial: Trial):
        preset = trial.preset
        sizes = {"picks": preset.n_written // preset.per_record, "per_record": preset.per_record}
        method = SynAlign(trial.writer, select=select, seed=trial.seed, **sizes)
        return method.fit(trial.real, label=LABEL).pool(trial.preset.n_written, seed=trial.seed)

    return write


def asked_by(baseline: Callable) -> Callable[[Trial], Any]:
    """A baseline that sees no real text, only the labels or the attributes' values."""

    def write(trial: Trial):
        return baseline(trial.writer, trial.preset.n_written, seed=trial.seed)

    return write


WRITTEN, ALIGNED = "written by the model", "SynAlign, aligned"
SYNALIGN, ANY_DEMONSTRATION = "SynAlign, unweighted", "random demonstrations"
SIMPLE, ATTRIBUTED = "label only (SimPrompt)", "uniform attributes (AttrPrompt)"
WRITERS: dict[str, Callable[[Trial], Any]] = {
    SIMPLE: asked_by(simprompt),
    ATTRIBUTED: asked_by(attrprompt),
    ANY_DEMONSTRATION: demonstrated("random"),
    SYNALIGN: demonstrated("gp"),
}


# --- all of it -----------------------------------------------------------------------------------


def run_seed(lm, preset: ExperimentPreset, seed: int, log: Log) -> None:
    """Every part of the experiment for one seed; units that are finished in `log` stay."""
    trial = Trial(lm, preset, seed, log)
    run_exploration(trial)
    run_pool(trial, SKEWED, (*preset.weights, *preset.skewed_only))
    run_pool(trial, BALANCED, preset.weights)
    run_pool(trial, FEW, FITTED_TO_FEW, preset.n_few)
    if preset.retrieval:
        run_retriever(trial)
    if preset.n_written:
        run_written(trial)
    if preset.student is not None:
        run_student(trial)


def expected(preset: ExperimentPreset) -> list[dict[str, str]]:
    """The measurements that every seed must have."""
    arms = {
        EXPLORATION: tuple(SELECTIONS),
        SKEWED: (*preset.weights, *preset.skewed_only, REAL),
        BALANCED: (*preset.weights, REAL),
        FEW: (*FITTED_TO_FEW, REAL),
        RETRIEVER: SEARCHED if preset.retrieval else (),
        WRITTEN: (*WRITERS, ALIGNED) if preset.n_written else (),
        STUDENT: TAUGHT if preset.student is not None else (),
    }
    return [{"part": part, "arm": arm} for part in arms for arm in arms[part]]


def reproduce(
    scale: str = "fast",
    seeds: Sequence[int] | None = None,
    out: str | Path = "runs/synalign-fast",
    progress: bool = False,
):
    """Run the experiment at one scale and write `result.json` and figures to `out`.

    An interrupted run continues: what is measured of an arm is on disk when the arm is whole.

    Raises:
        ValueError: a scale without an experiment; the paper's needs a real model, for which there
            is `SynAlign(load_lm(...), preset="paper")`.
    """
    from ..runner import run_study
    from .report import show

    return run_study(
        "synalign", PRESETS, run_seed, show, scale=scale, seeds=seeds, out=out, progress=progress,
        expected=expected,
        notes="Reviews, whose attributes are known of every text. Pools with a known law are "
        "written by the world itself, the others by the embedded model with a LoRA adapter that "
        "gives it a chat model's habits. Embeddings are TF-IDF with an SVD; students are logistic "
        "regressions on them, or the embedded model.",
        instead='with a real model, see SynAlign(load_lm(...), preset="paper")',
    )  # fmt: skip
