"""SynAlign on real texts: what its weights do for a pool whose skew is known, since we made it.

A measure reads "length skew: TV, cluster". The distances (TV) are those of the weighted pool to
test rows that no weight was fitted to. `ALIGNED` aligns the embeddings, and can match no more than
the encoder sees. `SHOWN` has a text's attributes and cluster beside its embedding, each with the
same length. `REAL` is the reference itself, equally weighted.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ...embed.encoders import load_embedder
from ...synalign.alignment import align, alignment_report, systematic_resample
from ...synalign.attributes import Schema
from ...synalign.judging import total_variation
from ...synalign.schemas import SURFACE
from ..study import Case, Study, Table, Trial, Unit, log_name
from .pools import Labelled, SkewedPool, labelled, skewed_pool
from .prediction import linear_score
from .ranking import interleave, mrr, ndcg, recall_at_k
from .retriever import Retriever, label_pairs, relevant_by
from .weights import density_ratio_weights, ratio_weights

if TYPE_CHECKING:
    import pandas as pd

    from ..results import Result

UNWEIGHTED, ALIGNED, SHOWN = "unweighted", "aligned", "aligned, attributes shown"
DENSITY, ORACLE, REAL = "density ratio", "oracle ratio", "real texts"
UNTUNED, RETRIEVER = "not tuned", "retriever"
CLUSTER, NONE = "cluster", "no"  # skews that are not named after an attribute
ABSENT = "none"  # the value of an attribute that a text does not show


@dataclass(frozen=True)
class RealTextPreset:
    """Settings by which a real set is skewed and measured.

    Attributes:
        skews: what is thinned: `CLUSTER` (k-means on the vectors of the whole set, an attribute
            like any other), an attribute that can be seen in a text, a column, or `NONE`.
        keep, thin, shares: of `skewed_pool`.
        subset: rows drawn from the pool to train a student, as a share of the pool.
        draws: subsets an arm; its accuracy is their mean.
        clusters: of k-means, and at most one for 100 rows of the set.
        strength: C of the linear student.
        seeds: 0 to 2 of the Amazon sentences served to choose how attributes are shown.
    """

    skews: tuple[str, ...] = (CLUSTER, "length", NONE)
    keep: float = 0.1
    thin: float = 0.5
    shares: tuple[float, float, float] = (0.5, 0.25, 0.25)
    subset: float = 0.5
    draws: int = 3
    clusters: int = 20
    strength: float = 10.0
    seeds: tuple[int, ...] = (3, 4, 5)


@dataclass
class RealTrial(Trial):
    """One labelled real set, encoder and seed.

    Attributes:
        rows: with text and label, named by `label` and `text`.
        embedder: what `load_embedder` takes; one given by its name is fitted on the texts that it
            may see, one that is given is used as it is.
        schema: attributes that can be seen in a text.
    """

    rows: Any = None
    embedder: Any = "tfidf"
    label: str = "label"
    text: str = "text"
    schema: Schema = SURFACE

    @cached_property
    def full(self) -> Labelled:
        return labelled(self.rows, self.label, self.text)

    @cached_property
    def clusters(self) -> dict[str, int]:
        """The k-means cluster of each text of the whole set."""
        from sklearn.cluster import KMeans

        texts = list(self.full.texts)
        k = max(2, min(self.preset.clusters, len(texts) // 100))
        vectors = self.encoder(texts)(texts)
        found = KMeans(k, n_init=4, random_state=self.seed).fit(vectors)
        return dict(zip(texts, found.labels_.tolist()))

    def encoder(self, texts: Sequence[str]) -> Any:
        """The encoder; one that is only named is fitted on `texts`."""
        encode = load_embedder(self.embedder)
        return encode.fit(list(texts)) if isinstance(self.embedder, str) else encode

    def skewed(self, skew: str) -> Skewed:
        """The pool in which `skew` is thinned, with its reference and test rows.

        Raises:
            ValueError: rows that do not fit (see `skewed_pool`), or a skew of no known name.
        """
        preset = self.preset
        keep = 1.0 if skew == NONE else preset.keep
        sizes = {"keep": keep, "thin": preset.thin, "shares": preset.shares}
        split = skewed_pool(self.full, self.modes(skew), seed=self.seed, **sizes)
        encode = self.encoder([*split.pool.texts, *split.reference.texts])  # sees no test text
        parts = (split.pool, split.reference, split.test)
        seen = [[{CLUSTER: self.clusters[text], **self.schema.read(text)} for text in part.texts]
                for part in parts]  # fmt: skip
        columns = {
            name: tuple([record.get(name, ABSENT) for record in side] for side in seen)
            for name in (CLUSTER, *self.schema.names)
        }
        return Skewed(split, encode, [encode(list(part.texts)) for part in parts], columns)

    def modes(self, skew: str) -> list[Hashable]:
        """The group of each row, by which the pool is thinned."""
        if skew == CLUSTER:
            return [self.clusters[text] for text in self.full.texts]
        if skew == NONE:
            return [""] * len(self.full)
        if skew in self.schema.names:
            return [self.schema.read(text).get(skew, ABSENT) for text in self.full.texts]
        return list(labelled(self.rows, skew, self.text).labels)


@dataclass(frozen=True)
class Skewed:
    """A pool, its reference and its test rows, as the arms see them.

    Attributes:
        encode: the encoder.
        vectors: of pool, reference and test.
        columns: the cluster and the attributes: by name, the values in pool, reference and test.
    """

    split: SkewedPool
    encode: Any
    vectors: list[np.ndarray]
    columns: Mapping[str, tuple[list[Hashable], ...]]


# --- weights of a pool ----------------------------------------------------------------------------


def one_hot(columns: Mapping[str, tuple[list[Hashable], ...]], side: int) -> np.ndarray:
    """The attributes of one part, (n, values of all attributes): a 1 for each that a text has."""
    blocks = []
    for values in columns.values():
        names = list(dict.fromkeys(value for part in values for value in part))
        blocks.append([[value == name for name in names] for value in values[side]])
    return np.hstack(blocks).astype(float)


def arm_weights(skewed: Skewed, seed: int) -> dict[str, np.ndarray]:
    """The weights of every arm, (n,) each."""
    split, (x, y, _) = skewed.split, skewed.vectors
    labels = (split.pool.labels, split.reference.labels)
    seen = [np.hstack([part, one_hot(skewed.columns, i)]) for i, part in enumerate((x, y))]
    cells = [list(zip(part.labels, part.modes)) for part in (split.pool, split.reference)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of cells that only one side has: rare modes in a sample
        return {
            UNWEIGHTED: np.full(len(x), 1 / len(x)),
            ALIGNED: align(x, y, labels=labels, seed=seed),
            SHOWN: align(*seen, labels=labels, seed=seed),
            DENSITY: density_ratio_weights(x, y),
            ORACLE: ratio_weights(*cells),
        }


def measure_pool(trial: RealTrial, skew: str) -> None:
    """All measures of all arms for one pool."""
    skewed, preset = trial.skewed(skew), trial.preset
    split, (x, y, z) = skewed.split, skewed.vectors
    modes = (split.pool.modes, split.reference.modes, split.test.modes)
    judged = {"thinned": modes, **skewed.columns}

    def add(arm: str, measured: Mapping[str, float]) -> None:
        trial.add(arm, {f"{skew} skew: {name}": value for name, value in measured.items()})

    def score(x: np.ndarray, train: Labelled, weights: np.ndarray | None = None):
        return linear_score(x, train.labels, z, split.test.labels, weights, preset.strength)

    for arm, weights in arm_weights(skewed, trial.seed).items():
        add(arm, distances(judged, weights, side=0))
        report = alignment_report(x, z, weights, fitted=len(split.reference))
        share = report.effective / report.n
        add(arm, {"MMD^2 over unweighted": report.ratio, "effective share": share})
        add(arm, _scores("all", [score(x, split.pool, weights)]))
        drawn = []
        for draw in range(preset.draws):
            rows = draw_rows(arm, weights, preset, 1000 * trial.seed + draw)
            drawn.append(score(x[rows], split.pool.take(rows)))
        add(arm, _scores("subset", drawn))
    add(REAL, distances(judged, np.ones(len(split.reference)), side=1))
    add(REAL, _scores("all", [score(y, split.reference)]))


def draw_rows(
    arm: str, weights: np.ndarray, preset: RealTextPreset, seed: int, least: int = 2
) -> np.ndarray:
    """A share of the pool's rows, drawn by an arm's weights or, unweighted, by chance."""
    m = max(least, round(preset.subset * len(weights)))
    if arm == UNWEIGHTED:
        return np.random.default_rng(seed).permutation(len(weights))[:m]
    return systematic_resample(weights, m, seed=seed)


def distances(judged: Mapping[str, Any], weights: np.ndarray, side: int) -> dict[str, float]:
    """TV of each attribute to the test rows, and the mean of those that are not named apart."""
    found = {name: total_variation(v[side], v[2], weights) for name, v in judged.items()}
    rest = [value for name, value in found.items() if name not in ("thinned", CLUSTER)]
    named = {f"TV, {name}": value for name, value in found.items()}
    return {**named, "TV, mean of attributes": float(np.mean(rest))}


def _scores(name: str, scores: Sequence) -> dict[str, float]:
    return {
        f"accuracy, {name}": float(np.mean([score.accuracy for score in scores])),
        f"macro F1, {name}": float(np.mean([score.macro_f1 for score in scores])),
    }


# --- the retriever --------------------------------------------------------------------------------


def measure_retrievers(trial: RealTrial, skew: str = CLUSTER) -> None:
    """Retrievers tuned on rows drawn from a skewed pool, by weight and at random.

    A query is a text, a document that answers it another one of its label. Queries and documents
    of the test are two halves of the test rows. "clicks won from random" is the share that
    interleaving gives an arm against `UNWEIGHTED`: simulated users, no A/B test.
    """
    skewed, seed = trial.skewed(skew), trial.seed
    split, weights = skewed.split, arm_weights(skewed, seed)
    sets = {REAL: split.reference}
    for arm in (UNWEIGHTED, ALIGNED, SHOWN):
        rows = draw_rows(arm, weights[arm], trial.preset, seed, least=20)
        sets[arm] = split.pool.take(rows)
    texts, relevant = questions(split.test, seed)
    rankings = {UNTUNED: Retriever(skewed.encode, seed=seed).rank(*texts)}
    for arm, part in sets.items():
        pairs, groups = label_pairs(part.texts, part.labels, seed)
        tuned = Retriever(skewed.encode, seed=seed).fit(pairs, groups)
        rankings[arm] = tuned.rank(*texts)
    for arm, ranked in rankings.items():
        trial.add(arm, {
            "MRR": mrr(ranked, relevant).mean(),
            "nDCG@10": ndcg(ranked, relevant, 10).mean(),
            "recall@50": recall_at_k(ranked, relevant, 50).mean(),
        })  # fmt: skip
        if arm != UNWEIGHTED:
            won = interleave(ranked, rankings[UNWEIGHTED], relevant, seed)
            trial.add(arm, {"clicks won from random": won.mean})


def questions(test: Labelled, seed: int) -> tuple[tuple[list[str], list[str]], list]:
    """Queries and documents, two halves of the test rows, and what is relevant to each query."""
    order = np.random.default_rng(seed).permutation(len(test))
    half = len(order) // 2
    queries, documents = test.take(order[:half]), test.take(order[half:])
    relevant = relevant_by(queries.labels, documents.labels)
    asked = [i for i, wanted in enumerate(relevant) if wanted]
    texts = list(queries.take(asked).texts), list(documents.texts)
    return texts, [relevant[i] for i in asked]


# --- several sets and seeds, recorded -------------------------------------------------------------


def units(preset: RealTextPreset) -> list[Unit]:
    """A unit for each skew, and one for the retrievers."""
    arms = (UNWEIGHTED, ALIGNED, SHOWN, DENSITY, ORACLE, REAL)
    tuned = (UNTUNED, UNWEIGHTED, ALIGNED, SHOWN, REAL)
    found = []
    for skew in preset.skews:
        measures = (f"{skew} skew: accuracy, all",)
        found.append(Unit(f"{skew} skew", partial(measure_pool, skew=skew), arms, measures))
    return [*found, Unit(RETRIEVER, measure_retrievers, tuned, ("MRR",))]


def study(
    sets: Mapping[str, Any], encoders: Mapping[str, Any] | None = None, label: str = "label"
) -> Study:
    """Every set with every encoder, each with a log of its own; `runner.run` runs it.

    Args:
        sets: by name, rows with text and label (`synthkit.datasets` reads them from files).
        encoders: by name, embedders of `RealTrial`; default: TF-IDF.
    """
    encoders = encoders or {"TF-IDF": "tfidf"}

    def cases(preset: RealTextPreset) -> list[Case]:
        return [
            Case(
                units(preset),
                partial(RealTrial, rows=rows, embedder=embedder, label=label),
                {"set": name, "encoder": encoder},
                {"rows": rows, "encoder": load_embedder(embedder).settings, "label": label},
                log_name(name, encoder),
            )
            for name, rows in sets.items()
            for encoder, embedder in encoders.items()
        ]

    return Study(
        "synalign", "SynAlign on real texts", cases, {"study": RealTextPreset()},
        place="",
        tables=(Table(table, overall=True),),
        notes="Real texts by path. TV of the weighted pool to test rows; accuracy of a linear "
        "student. The attributes that are shown are those that TV is measured on.",
        model={"name": f"{' and '.join(encoders)} embeddings, no language model"},
        command="run(synthkit.studies.synalign.experiment_real.study(sets, encoders))",
    )  # fmt: skip


def table(result: Result, *measures: str) -> pd.DataFrame:
    """Mean over the seeds: a row each set, encoder and measure (default: all), a column each arm.

    Raises:
        ValueError: the result has none of these measures.
    """
    frame = result.frame()
    if measures:
        frame = frame[frame["measure"].isin(measures)]
    if frame.empty:
        raise ValueError(f"the result has none of {', '.join(measures)}")
    keys = ["set", "encoder", "measure"]
    return frame.pivot_table("value", keys, "arm", sort=False).round(3).rename_axis(None, axis=1)
