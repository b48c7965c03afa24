"""SynAlign on real texts: what its weights do for a pool whose skew is known, since we made it."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...embed.encoders import load_embedder
from ...synalign.alignment import (
    align,
    alignment_report,
    density_ratio_weights,
    ratio_weights,
    systematic_resample,
    total_variation,
)
from ...synalign.attributes import SURFACE, Schema
from ..measurements import Log, study_key
from .pools import Labelled, SkewedPool, labelled, skewed_pool
from .prediction import linear_score
from .retriever import Retriever, interleave, label_pairs, mrr, ndcg, recall_at_k, relevant_by

if TYPE_CHECKING:
    import pandas as pd

    from ..results import Result

Measurement = tuple[str, str, float]  # measure, arm, value
UNWEIGHTED, ALIGNED, SHOWN = "unweighted", "aligned", "aligned, attributes shown"
DENSITY, ORACLE, REAL = "density ratio", "oracle ratio", "real texts"
UNTUNED = "not tuned"
CLUSTER, NONE = "cluster", "no"  # skews that are not named after an attribute
ABSENT = "none"  # the value of an attribute that a text does not show


@dataclass(frozen=True)
class RealTextPreset:
    """How a real set is skewed and measured.

    Attributes:
        keep, thin, shares: of `skewed_pool`.
        subset: rows drawn from the pool to train a student, as a share of the pool.
        draws: subsets an arm; its accuracy is their mean.
        clusters: of k-means, and at most one for 100 rows of the set.
        strength: C of the linear student.
    """

    keep: float = 0.1
    thin: float = 0.5
    shares: tuple[float, float, float] = (0.5, 0.25, 0.25)
    subset: float = 0.5
    draws: int = 3
    clusters: int = 20
    strength: float = 10.0


def real_text_study(
    rows: Any,
    embedder: Any = "tfidf",
    seed: int = 0,
    *,
    skews: Sequence[str] = (CLUSTER, "length", NONE),
    schema: Schema = SURFACE,
    preset: RealTextPreset | None = None,
    label: str = "label",
    text: str = "text",
) -> list[Measurement]:
    """Skewed pools of one labelled real set, weighted to its own law, as (measure, arm, value).

    A measure reads "length skew: TV, cluster". The distances (TV) are those of the weighted pool
    to test rows that no weight was fitted to. `ALIGNED` aligns the embeddings, and can match no
    more than the encoder sees. `SHOWN` has a text's attributes and cluster beside its embedding,
    each with the same length. `REAL` is the reference itself, equally weighted.

    Args:
        rows: rows with text and label.
        embedder: what `load_embedder` takes; one given by its name is fitted on the texts that it
            may see, one that is given is used as it is.
        seed: of the cut, the skew and the draws.
        skews: what is thinned: `CLUSTER` (k-means on the vectors of the whole set, an attribute
            like any other), an attribute of `schema`, a column of `rows`, or `NONE`.
        schema: attributes that can be seen in a text.

    Raises:
        ValueError: rows that do not fit (see `skewed_pool`), or a skew that is none of these.
    """
    preset, found = preset or RealTextPreset(), []
    full = labelled(rows, label, text)
    clusters = dict(zip(full.texts, _clusters(full.texts, embedder, preset.clusters, seed)))
    for skew in skews:
        modes = _modes(rows, full, skew, clusters, schema, text)
        keep = 1.0 if skew == NONE else preset.keep
        split = skewed_pool(
            full, modes, keep=keep, thin=preset.thin, shares=preset.shares, seed=seed
        )
        columns = observed(split, clusters, schema)
        measured = measure(split, _vectors(split, embedder), columns, preset, seed)
        found += [(f"{skew} skew: {name}", arm, value) for name, arm, value in measured]
    return found


def _fitted(embedder: Any, texts: Sequence[str]) -> Any:
    """The encoder; one that is only named is fitted on `texts`."""
    encode = load_embedder(embedder)
    return encode.fit(list(texts)) if isinstance(embedder, str) else encode


def _clusters(texts: Sequence[str], embedder: Any, k: int, seed: int) -> list[int]:
    """The k-means cluster of each text: an attribute like any other, defined on the whole set."""
    from sklearn.cluster import KMeans

    vectors = _fitted(embedder, texts)(list(texts))
    k = max(2, min(k, len(texts) // 100))
    return KMeans(k, n_init=4, random_state=seed).fit(vectors).labels_.tolist()


def _modes(rows, full: Labelled, skew: str, clusters, schema: Schema, text: str) -> list[Hashable]:
    """What is thinned, for each row."""
    if skew == CLUSTER:
        return [clusters[each] for each in full.texts]
    if skew == NONE:
        return [""] * len(full)
    if skew in schema.names:
        return [schema.read(each).get(skew, ABSENT) for each in full.texts]
    return list(labelled(rows, skew, text).labels)


def _vectors(split: SkewedPool, embedder: Any) -> list[np.ndarray]:
    """Vectors of pool, reference and test; an encoder that learns sees no test text."""
    encode = _fitted(embedder, [*split.pool.texts, *split.reference.texts])
    return [encode(list(p.texts)) for p in (split.pool, split.reference, split.test)]


# --- measures -------------------------------------------------------------------------------------

Columns = dict[str, tuple[list[Hashable], ...]]  # attribute: values in pool, reference and test


def observed(split: SkewedPool, clusters: Mapping[str, int], schema: Schema) -> Columns:
    """The cluster and the attributes of every row of the three parts."""
    parts = (split.pool, split.reference, split.test)
    records = [
        [{CLUSTER: clusters[text], **schema.read(text)} for text in part.texts] for part in parts
    ]
    return {
        name: tuple([record.get(name, ABSENT) for record in side] for side in records)
        for name in (CLUSTER, *schema.names)
    }


def one_hot(columns: Columns, side: int) -> np.ndarray:
    """The attributes of one part, (n, values of all attributes): a 1 for each that a text has."""
    blocks = []
    for values in columns.values():
        names = list(dict.fromkeys(value for part in values for value in part))
        blocks.append([[value == name for name in names] for value in values[side]])
    return np.hstack(blocks).astype(float)


def arm_weights(split: SkewedPool, vectors, columns: Columns, seed: int) -> dict[str, np.ndarray]:
    """The weights of every arm, (n,) each."""
    x, y, _ = vectors
    labels = (split.pool.labels, split.reference.labels)
    seen = [np.hstack([part, one_hot(columns, side)]) for side, part in enumerate((x, y))]
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


def measure(
    split: SkewedPool, vectors, columns: Columns, preset: RealTextPreset, seed: int
) -> list[Measurement]:
    """All measures of all arms for one pool."""
    modes = (split.pool.modes, split.reference.modes, split.test.modes)
    judged = {"thinned": modes, **columns}
    found: list[Measurement] = []
    for arm, w in arm_weights(split, vectors, columns, seed).items():
        found += _distances(arm, judged, w, side=0)
        report = alignment_report(vectors[0], vectors[2], w, fitted=len(split.reference))
        found.append(("MMD^2 over unweighted", arm, report.ratio))
        found.append(("effective share", arm, report.effective / report.n))
        found += _students(arm, split, vectors, w, preset, seed)
    found += _distances(REAL, judged, np.ones(len(split.reference)), side=1)
    score = _score(vectors[1], split.reference, vectors, split.test, None, preset)
    return [
        *found,
        ("accuracy, all", REAL, score.accuracy),
        ("macro F1, all", REAL, score.macro_f1),
    ]


def _distances(arm: str, judged: Mapping[str, Any], w: np.ndarray, side: int) -> list[Measurement]:
    """TV of each attribute to the test rows, and the mean of those that are not named apart."""
    found = {name: total_variation(v[side], v[2], w) for name, v in judged.items()}
    rest = [value for name, value in found.items() if name not in ("thinned", CLUSTER)]
    return [
        *((f"TV, {name}", arm, value) for name, value in found.items()),
        ("TV, mean of attributes", arm, float(np.mean(rest))),
    ]


def _students(arm, split, vectors, w, preset, seed) -> list[Measurement]:
    """Students on the weighted pool and on rows drawn by weight."""
    n = len(split.pool)
    m = max(2, round(preset.subset * n))
    whole = _score(vectors[0], split.pool, vectors, split.test, w, preset)
    drawn = []
    for draw in range(preset.draws):
        own = 1000 * seed + draw
        rows = np.random.default_rng(own).permutation(n)[:m]
        if arm != UNWEIGHTED:
            rows = systematic_resample(w, m, seed=own)
        part = split.pool.take(rows)
        drawn.append(_score(vectors[0][rows], part, vectors, split.test, None, preset))
    return [
        ("accuracy, all", arm, whole.accuracy),
        ("macro F1, all", arm, whole.macro_f1),
        ("accuracy, subset", arm, float(np.mean([score.accuracy for score in drawn]))),
        ("macro F1, subset", arm, float(np.mean([score.macro_f1 for score in drawn]))),
    ]


def _score(x, train: Labelled, vectors, test: Labelled, w, preset: RealTextPreset):
    return linear_score(x, train.labels, vectors[2], test.labels, w, preset.strength)


# --- the retriever --------------------------------------------------------------------------------


def retriever_study(
    rows: Any,
    embedder: Any = "tfidf",
    seed: int = 0,
    *,
    skew: str = CLUSTER,
    schema: Schema = SURFACE,
    preset: RealTextPreset | None = None,
    tuning: Any = "fast",
    label: str = "label",
    text: str = "text",
) -> list[Measurement]:
    """Retrievers tuned on rows drawn from a skewed pool, by weight and at random.

    A query is a text, a document that answers it another one of its label. Queries and documents
    of the test are two halves of the test rows. "clicks won from random" is the share that
    interleaving gives an arm against `UNWEIGHTED`: simulated users, no A/B test.

    Args:
        skew: what is thinned, as in `real_text_study`; so are the arguments not named here.
        tuning: a preset of `Retriever`.
    """
    preset = preset or RealTextPreset()
    full = labelled(rows, label, text)
    clusters = dict(zip(full.texts, _clusters(full.texts, embedder, preset.clusters, seed)))
    modes = _modes(rows, full, skew, clusters, schema, text)
    split = skewed_pool(
        full, modes, keep=preset.keep, thin=preset.thin, shares=preset.shares, seed=seed
    )
    encode = _fitted(embedder, [*split.pool.texts, *split.reference.texts])
    vectors = [encode(list(p.texts)) for p in (split.pool, split.reference, split.test)]
    weights = arm_weights(split, vectors, observed(split, clusters, schema), seed)
    m = max(20, round(preset.subset * len(split.pool)))
    sets = {REAL: split.reference}
    for arm in (UNWEIGHTED, ALIGNED, SHOWN):
        drawn = np.random.default_rng(seed).permutation(len(split.pool))[:m]
        if arm != UNWEIGHTED:
            drawn = systematic_resample(weights[arm], m, seed=seed)
        sets[arm] = split.pool.take(drawn)
    rankings, relevant = _rankings(sets, split.test, encode, tuning, seed)
    return _retrieval(rankings, relevant, seed)


def _rankings(sets: Mapping[str, Labelled], test: Labelled, encode: Any, tuning: Any, seed: int):
    """What each retriever ranks for the test queries, and which documents are relevant."""
    order = np.random.default_rng(seed).permutation(len(test))
    half = len(order) // 2
    queries, documents = test.take(order[:half]), test.take(order[half:])
    relevant = relevant_by(queries.labels, documents.labels)
    asked = [i for i, wanted in enumerate(relevant) if wanted]
    texts = list(queries.take(asked).texts), list(documents.texts)
    rankings = {UNTUNED: Retriever(encode, tuning, seed).rank(*texts)}
    for arm, part in sets.items():
        pairs, groups = label_pairs(part.texts, part.labels, seed)
        rankings[arm] = Retriever(encode, tuning, seed).fit(pairs, groups).rank(*texts)
    return rankings, [relevant[i] for i in asked]


def _retrieval(rankings: Mapping[str, np.ndarray], relevant, seed: int) -> list[Measurement]:
    found: list[Measurement] = []
    for arm, ranked in rankings.items():
        found += [
            ("MRR", arm, float(mrr(ranked, relevant).mean())),
            ("nDCG@10", arm, float(ndcg(ranked, relevant, 10).mean())),
            ("recall@50", arm, float(recall_at_k(ranked, relevant, 50).mean())),
        ]
        if arm != UNWEIGHTED:
            preference = interleave(ranked, rankings[UNWEIGHTED], relevant, seed)
            found.append(("clicks won from random", arm, preference.share.mean))
    return found


# --- several sets and seeds, recorded -------------------------------------------------------------


def reproduce(
    sets: Mapping[str, Any],
    encoders: Mapping[str, Any] | None = None,
    *,
    label: str = "label",
    seeds: Sequence[int] = (3, 4, 5),
    out: str | Path = "runs/synalign-real-text",
):
    """Both studies on every set, recorded in `out/result.json`; it goes on if interrupted.

    Seeds 0 to 2 of the Amazon sentences served to choose how attributes are shown to the aligner.

    Args:
        sets: by name, rows with text and label (`synthkit.datasets` reads them from files).
        encoders: by name, embedders of `real_text_study`; default: TF-IDF.
    """
    from ..results import record

    out, encoders = Path(out), encoders or {"TF-IDF": "tfidf"}
    preset = RealTextPreset()
    told = {name: load_embedder(each).settings for name, each in encoders.items()}
    key = study_key(sets=dict(sets), encoders=told, preset=preset, label=label)
    with Log(out / "measurements.jsonl", key) as log:
        for seed, (name, rows), (encoder, embedder) in product(
            seeds, sets.items(), encoders.items()
        ):
            labels = log.labelled(set=name, encoder=encoder)
            for study in (real_text_study, retriever_study):
                if labels.done(study.__name__, seed):
                    continue
                with labels.unit(study.__name__, seed):
                    for measure, arm, value in study(rows, embedder, seed, label=label):
                        labels.add(measure, arm, seed, value)
        return record(
            out / "result.json",
            method="synalign",
            command="synthkit.studies.synalign.experiment_real.reproduce(sets, encoders)",
            preset=asdict(preset),
            scale="study",
            model={"name": f"{' and '.join(encoders)} embeddings, no language model"},
            seeds=seeds,
            measurements=[row for row in log.rows if row["seed"] in seeds],
            notes="Real texts by path. TV of the weighted pool to test rows; accuracy of a linear "
            "student. The attributes that are shown are those that TV is measured on.",
            expected=[{"set": name, "encoder": each} for name in sets for each in encoders],
        )


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
