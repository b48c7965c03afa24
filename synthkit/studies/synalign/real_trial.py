"""One seed of SynAlign on real texts: what is written once, and all that is measured of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from ...embed.tfidf import TfidfEmbedder
from ...evaluation.contamination import near_copy_rates
from ...evaluation.text import distinct_n
from ...synalign.alignment import systematic_resample
from ...synalign.attributes import describe
from ...synalign.judging import effective_size
from ...synalign.pool import as_rows, write_pool
from ...synalign.schemas import SURFACE
from ...synalign.state import SynAlignFit, classes_of
from ...synalign.synthesizer import SynAlign
from ...teacher import LMTeacher
from ..real import RealTrial
from .sides import Sides, rightness

UNWEIGHTED, TILTING, EXACT = "unweighted", "tilting", "exact"
SUBSET = "random subset"  # as large as the effective sample of the exact weights
BEST = "best possible"  # exact weights that are fitted to the texts that judge
REAL = "real alone"
FREE, HELD, COMMONEST = "free answer", "held to the schema", "commonest value"
LABEL, UNIFORM = "label only (SimPrompt)", "uniform attributes (AttrPrompt)"
ANY, READ, EXPLORED = "random demonstrations", "true records", "SynAlign"
WAYS, TILTED = (LABEL, UNIFORM, ANY, READ, EXPLORED), ", tilted"
OWN_ENCODER, POOLS = "own encoder", (50, 100, 200)
FEWEST_APART = 10  # texts of a side that a classifier needs
KEPT = 12  # texts of each way to ask that are kept
PER_CLASS = 10  # rows to learn from, on average, below which labels are left out
# What the classes of a public set are called, and each class in words.
SENTIMENT = "sentiment", {0: "negative", 1: "positive"}
CLASSES: dict[str, tuple[str, dict[Any, str]]] = {
    "sst2": SENTIMENT,
    "sentiment_sentences": SENTIMENT,
    "ag_news": ("topic", {1: "world", 2: "sports", 3: "business", 4: "science"}),
}


def classes_of_set(name: str) -> tuple[str, dict[Any, str]]:
    """Names of the classes of a set in prompts, and words for them where they are known."""
    return next((told for known, told in CLASSES.items() if known in name), ("label", {}))


@dataclass
class SynAlignTrial(RealTrial):
    """One set, model and seed.

    Attributes:
        about: a description of the texts, for the writing prompt.
    """

    about: str = ""
    asks: ClassVar[bool] = True

    @cached_property
    def column(self) -> str | None:
        """Names of the classes in prompts; None: there are none, or too few rows of each."""
        train = self.parts[0]
        classes = {row.get("label") for row in train}
        known = "label" in train[0] and len(train) >= PER_CLASS * len(classes)
        return classes_of_set(self.data.name)[0] if known else None

    def rows(self, part: int, n: int | None = None) -> list[dict[str, Any]]:
        """The first `n` rows of a part (see `parts`), their classes in words."""
        words = classes_of_set(self.data.name)[1]
        return [
            {"text": row["text"]}
            | ({self.column: words.get(row["label"], row["label"])} if self.column else {})
            for row in self.parts[part][:n]
        ]

    def asked(self) -> Any:
        """The writer."""
        preset = self.preset
        options = {"max_new_tokens": preset.max_new_tokens, "temperature": preset.temperature}
        return self.writer(seed=self.seed, **options)

    def fit(self, name: str, **changes: Any) -> SynAlign:
        """The method, fitted; `changes` are of its preset."""
        method = SynAlign(
            self.lm, teacher=self.asked(), encoder=self.preset.encoder,
            schema=replace(SURFACE, write=SURFACE.write.replace("one new text", self.about)),
            preset=replace(self.preset.resolved(), **changes), seed=self.seed,
        )  # fmt: skip
        fit = {"validation": self.rows(2), "label": self.column, "progress": self.progress}
        return method.fit(self.rows(0), checkpoint=self.checkpoint(f"records-{name}"), **fit)

    @cached_property
    def method(self) -> SynAlign:
        return self.fit("own")

    @cached_property
    def pool(self) -> Any:
        """The texts that the method wrote.

        Raises:
            ValueError: fewer than two can be used.
        """
        n, own = self.preset.n_sample, {"progress": self.progress}
        rows = self.method.pool(n, checkpoint=self.checkpoint("answers"), **own)
        if len(rows) < 2:
            raise ValueError(
                f"{len(rows)} of {n} texts can be used ({self.method.report.reasons()}); "
                "name another teacher, or a larger model"
            )
        return rows

    def sides(self, rows: Any) -> Sides:
        """Written texts beside the real ones."""
        real, encoder = self.method.fitted.real, self.method.fitted.encoder
        texts = [[real.texts[int(i)] for i in part] for part in (real.fit, real.held_out)]
        labels = real.labels and (
            classes_of(rows, real.column), *map(real.labels_of, (real.fit, real.held_out))
        )  # fmt: skip
        vectors = encoder(list(rows["text"])), real.vectors[real.fit], real.vectors[real.held_out]
        return Sides((list(rows["text"]), *texts), labels, vectors)

    @cached_property
    def own(self) -> Sides:
        """The texts that the method wrote, beside the real texts."""
        return self.sides(self.pool)

    # --- the units --------------------------------------------------------------------------------

    def measure(self) -> None:
        """Texts that are written once, and each way to weight them."""
        own, n = self.own, len(self.pool)
        weights = {UNWEIGHTED: own.equal()}
        weights |= {arm: own.weights(arm, self.seed) for arm in (TILTING, EXACT)}
        size = max(2, round(effective_size(weights[EXACT])))
        subset = np.random.default_rng(self.seed).permutation(n)[:size]
        weights[SUBSET] = np.isin(np.arange(n), subset) / size
        for arm, each in {**weights, BEST: own.best()}.items():
            self.add(arm, own.distances(each))
            self.add(arm, {
                "TV, attributes": own.attributes(each),
                "C2ST AUC": own.told_apart(each, size, self.seed) if size >= FEWEST_APART else None,
                "accuracy, alone": own.accuracy(each),
            })  # fmt: skip
            if arm in (UNWEIGHTED, TILTING, EXACT):
                self.draw(arm, self.pool, each)

    def measure_fitted(self) -> None:
        """Weights that are fitted to fewer real texts, and students that learn from these too."""
        own = self.own
        for m in (*self.preset.fitted, len(own.texts[1])):
            self.add(few(REAL, m), {"accuracy, beside real": own.accuracy(None, m)})
            for arm in (UNWEIGHTED, TILTING, EXACT):
                each = own.equal() if arm == UNWEIGHTED else own.weights(arm, self.seed, m)
                found = own.distances(each)
                self.add(few(arm, m), {
                    "over unweighted": found["over unweighted"],
                    "effective share": found["effective share"],
                    "accuracy, alone": own.accuracy(each),
                    "accuracy, beside real": own.accuracy(each, m),
                })  # fmt: skip

    def measure_reasons(self) -> None:
        """Parts of the distance that is left: the encoder, the kernel, the pool."""
        own, known = self.own, {text for side in self.own.texts for text in side}
        others = [row["text"] for row in self.fitting[0] if row["text"] not in known]
        seen = {"the same texts": own.texts[1], "the pool": own.texts[0], "other texts": others}
        cases = {OWN_ENCODER: (own, 1.0)}
        for name, texts in seen.items():
            if len(texts) > 1:
                cases[f"TF-IDF of {name}"] = own.seen_by(TfidfEmbedder().fit(texts)), 1.0
        cases |= {f"{factor} of the width": (own, factor) for factor in (0.5, 2.0)}
        cases |= {f"{n} texts": (own.take(n), 1.0) for n in POOLS if n < len(self.pool)}
        for name, (each, factor) in cases.items():
            if not each.differ:
                continue
            weights = {arm: each.weights(arm, self.seed, factor=factor) for arm in (TILTING, EXACT)}
            weights[BEST] = each.best(factor)
            self.add(name, {"real to real, over chance": each.real_to_real(factor)})
            for arm, some in weights.items():
                found = each.distances(some, factor)["over unweighted"]
                self.add(name, {f"over unweighted, {arm}": found})

    def measure_records(self) -> None:
        """Descriptions by the model, free and held to the schema, against the texts themselves."""
        rows, schema = self.rows(0, self.preset.n_described), self.method.fitted.full_schema
        words = [{name: str(value) for name, value in row.items()} for row in rows]
        truth = [{**row, **schema.read(row["text"])} for row in words]
        teacher = LMTeacher(self.lm, max_new_tokens=160)
        for arm, by in {FREE: Unbound(teacher), HELD: teacher}.items():
            found = describe(by, [row["text"] for row in rows], schema, retries=0)
            said = [record if kind == "answer" else None
                    for record, kind in zip(found.records, found.origin)]  # fmt: skip
            self.add(arm, {"valid records": found.counts["answer"] / len(rows)})
            self.add(arm, rightness(said, truth, schema.names))
        commonest = {name: Counter(row[name] for row in truth).most_common(1)[0][0]
                     for name in schema.names}  # fmt: skip
        self.add(COMMONEST, rightness([commonest] * len(truth), truth, schema.names))

    def measure_ways(self) -> None:
        """As many texts from each way to ask."""
        fit, n = self.method.fitted, self.preset.n_asked
        rng, kinds = np.random.default_rng(self.seed), [self.kind(row) for row in fit.records]
        shown = [fit.real.texts[i] for i in fit.demonstrations]
        ways = {
            LABEL: replace(fit, records=kinds),
            UNIFORM: replace(fit, records=[
                {**kind, **{each.name: str(rng.choice(each.values)) for each in SURFACE.attributes}}
                for kind in kinds
            ]),
            READ: replace(fit, records=[
                {**kind, **SURFACE.read(text)} for kind, text in zip(kinds, shown)
            ]),
            ANY: self.fit("any", select="random").fitted,
        }  # fmt: skip
        pools = {name: self.written_by(name, each, n) for name, each in ways.items()}
        pools[EXPLORED] = self.pool.select(range(min(n, len(self.pool))))
        for name, rows in pools.items():
            self.measure_way(name, rows)

    def kind(self, record: Mapping[str, str]) -> dict[str, str]:
        """The class of a record, alone."""
        return {name: value for name, value in record.items() if name == self.column}

    def written_by(self, name: str, fit: SynAlignFit, n: int) -> Any:
        """`n` texts from the records of `fit`, without those that cannot be used."""
        how = {"seed": self.seed, "progress": self.progress}
        file = self.checkpoint(f"answers-{name.split()[0]}")
        rows = write_pool(self.asked(), fit, self.preset.resolved(), n, checkpoint=file, **how)
        return as_rows([row for row in rows if row["text"]])

    def measure_way(self, name: str, rows: Any) -> None:
        """A way to ask by its texts: equally weighted, and tilted."""
        sides = self.sides(rows)
        for suffix, each in {"": sides.equal(), TILTED: sides.weights(TILTING, self.seed)}.items():
            self.add(name, {
                f"MMD^2, asked{suffix}": sides.distances(each)["MMD^2, held out"],
                f"TV, asked{suffix}": sides.attributes(each),
                f"accuracy, asked{suffix}": sides.accuracy(each),
            })  # fmt: skip
        shown = [row["follows"] for row in rows if row["follows"] is not None]
        self.add(name, {
            "follows its record": float(np.mean(shown)) if shown else None,
            "words": float(np.mean([len(text.split()) for text in rows["text"]])),
            "different pairs of words": distinct_n(list(rows["text"]), 2),
        })  # fmt: skip
        self.keep(f"asked {name}", [{"text": text} for text in list(rows["text"])[:KEPT]])

    def draw(self, arm: str, rows: Any, weights: np.ndarray) -> None:
        """Keep the texts that `weights` draw; near copies are counted among them."""
        index = systematic_resample(weights, len(rows), self.seed)
        drawn = [rows[int(i)] for i in index]
        names = [name for name in ("text", "label") if name in rows.column_names]
        self.keep(arm, [{name: row[name] for name in names} for row in drawn])
        real = [row["text"] for row in self.parts[0]]
        copies = near_copy_rates([row["text"] for row in drawn], real)["train"].mean
        self.add(arm, {"near copies, train": copies})


class Unbound:
    """A local model as a teacher whose answers no schema holds."""

    def __init__(self, teacher: LMTeacher):
        self.complete, self.name = teacher.complete, teacher.name


def few(arm: str, m: int) -> str:
    """The arm that has `m` real texts."""
    return f"{arm}, {m} real"
