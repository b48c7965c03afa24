"""DiffLM on a real table or real texts, with a language model as the frozen decoder."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from ...datasets import load_sentiment, load_table, load_tool_schemas
from ...datasets.files import format_of, lines, local_file
from ...datasets.loaders import read_set
from ...datasets.reading import read_rows
from ...datasets.tool_schemas import holds_tools
from ...difflm.presets import PRESETS as METHOD_PRESETS
from ...difflm.presets import DiffLMPreset, with_changes
from ...difflm.synthesizer import DiffLM
from ...evaluation.contamination import near_copy_rates
from ...evaluation.table_fidelity import pair_error
from ...evaluation.table_privacy import closest_record
from ...evaluation.table_utility import FOLDS, c2st, utility
from ...evaluation.tables import class_conditional, independent_columns
from ...lm.shapes import SHAPES
from ..plans import Work
from ..real import Paper, RealPreset, RealTrial, real_study
from ..real_data import RealData, ends_in_sentiment, name_of, read_data
from ..study import Study, Unit
from .experiment_texts import written_alone
from .text_sets import TextSet, measure, read_tool

DIFFUSION, FREE = "DiffLM", "DiffLM, unconstrained"
REAL, WITHIN, APART = "real rows", "independent within classes", "independent columns"
ALONE = "frozen model alone"
ENCODED = "DiffLM, latents of training rows"  # a control: no diffusion that could err
FORMAT = "format model, in no more time"  # DiffLM without a language model
TEXT_COLUMNS = ("text", "code", "content", "output")  # of a file that holds texts, no table
TABLES = (".csv", ".tsv", ".parquet", ".pq", ".feather", ".arrow", ".xlsx", ".xls", ".ods")
CLASSES = 20  # most values of a last column that is taken for the target
TRAINED = {"reads": "tokens", "autoencoder_lr": 1e-3}  # an encoder of the kit's own
COLUMNS = {
    "valid": "valid",
    "AUC, test rows": "AUC",
    "pair error, %": "pair error",
    "C2ST": "C2ST",
    "nearer to train": "nearer to train",
    "parses": "parses",
    "runs": "runs",
    "sound": "sound",
    "near copies": "near copies, train",
    "different": "distinct",
    "rows": "rows written",
}
PAPER = Paper(
    "mistralai/Mistral-7B-Instruct-v0.3", SHAPES["mistral-7b"],
    "scikit-learn/adult-census-income", 32_561, 150,
    "the paper's encoder is bert-base-uncased; where it cannot be had, one of the kit's own is "
    "trained from nothing",
)  # fmt: skip
ENCODER = "bert-base-uncased"
AUTO = METHOD_PRESETS["auto"]
NARROW = 256  # the denoiser's width in a run with a limit


@dataclass(frozen=True)
class DiffLMReal(RealPreset):
    """Sizes of DiffLM on real rows or texts.

    Expectations of the preset "study" with SmolLM2, frozen, written before its run. Sizes were set
    by the time of two CPU cores, not by what they bring.

    - MAGIC, rows as JSON. Supported: rows drawn with the trie teach a higher AUC than columns
      drawn independently within classes, and no lower one than the format model's in the same
      time. Refuted: the interval lies below. Steps are few (800 rows are seen, the format model
      sees 77,000), so a refutation is likely. If another row's latent then costs hardly more than
      a row's own, and rows from latents of training rows teach no more either, the fault is that
      decoder and injector have not learned to listen, and not the diffusion's.
    - Without the trie at least half of the drafts are rows, since JSON is known to the model.
    - MBPP, programs of at most 64 tokens. Supported: at least half of those written parse and
      define a function, where the frozen model alone writes none. A pilot on fewer programs had 22
      of 24 after 1,200 texts; here 512 are seen, two and a half rounds. Refuted: less than half.
      Near copies above a tenth would show that programs are repeated.

    Expectations for texts, written later, when the studies on MAGIC and MBPP were known, and before
    any run of SmolLM2 on other texts. An earlier study with the embedded model, which knows no
    JSON, had written no valid text.

    - Schemas of functions (BFCL, at most 112 tokens, 640 seen) and short descriptions of services
      (ToolAlpaca), both as JSON. Supported: at least half of those written parse, and more drafts
      end than of the frozen model alone. Expected: more than .8 of ToolAlpaca's and about half of
      BFCL's parse, since its brackets are nested; of those that parse, nearly all have a sound
      schema.
    - Sentences of film reviews (SST-2, at most 64 tokens, 512 seen): nearly all end.
    - On none of the three does the decoder listen after so few texts: another text's latent costs
      less than a tenth more.

    Written when these three were known, and before a run on news (AG News, descriptions of at most
    64 tokens, 512 seen): they are twice as long as the sentences, so .6 to .9 of the drafts end,
    and more than of the frozen model alone. Again another text's latent costs less than a tenth
    more.

    Attributes:
        n_free: rows that are drawn without the trie of valid rows, each once.
        n_encoded: rows written from latents of training rows; 0: none.
        compared: whether DiffLM without a language model learns the same table, in no more time.
    """

    n_free: int = 16
    n_encoded: int = 0
    compared: bool = False

    steps: ClassVar[tuple[str, ...]] = (
        "autoencoder_steps", "autoencoder_batch_size", "diffusion_steps", "diffusion_batch_size",
        "diffusion_sample_steps", "max_tries",
    )  # fmt: skip

    def resolved(self) -> DiffLMPreset:
        return with_changes(self.method, self.changes)

    def limited(self, n: int) -> DiffLMReal:
        """See `RealPreset.limited`; the denoiser, 445 M weights in the paper, is narrowed too."""
        cut = super().limited(n)
        hidden = min(NARROW, self.option("diffusion_hidden"))
        return replace(cut, changes={**cut.changes, "diffusion_hidden": hidden})

    def option(self, name: str) -> Any:
        part, _, knob = name.partition("_")
        inner = getattr(self.resolved(), part, None)
        return super().option(name) if inner is None else getattr(inner, knob)


STUDY = DiffLMReal(
    n_train=1000, n_stop=32, n_test=4000, n_sample=160, n_free=48, n_encoded=160, compared=True,
    longest=160, seeds=(0, 1, 2),
    changes={"digits": 3, "autoencoder_steps": 100, "autoencoder_eval_every": 50,
             "autoencoder_lr": 5e-3, "autoencoder_batch_size": 8, "latent": 32, "tokens": 8,
             "beta": 1e-3, "floor": 5e-4, "autoencoder_width": 128},
)  # fmt: skip
PRESETS = {
    "fast": DiffLMReal(
        n_train=160, n_stop=16, n_test=300, n_sample=64, longest=160,
        changes={"autoencoder_steps": 40, "autoencoder_eval_every": 20, "diffusion_steps": 400,
                 "autoencoder_batch_size": 8, "beta": 1e-3, "floor": 5e-4, "max_tries": 3},
    ),
    "study": STUDY,
    "paper": DiffLMReal(
        n_train=None, n_stop=500, n_test=6000, n_sample=20_000, n_free=1000, longest=512,
        max_new_tokens=512, method="paper", seeds=(0, 1, 2),
        changes={"autoencoder_accumulation": 64, "autoencoder_recomputing": True},
    ),
}  # fmt: skip
PROGRAMS = replace(
    STUDY, n_train=200, n_stop=24, n_test=60, n_sample=32, n_free=0, n_encoded=16, compared=False,
    longest=64, max_new_tokens=64,
    changes={**STUDY.changes, "autoencoder_steps": 64, "autoencoder_eval_every": 32},
)  # fmt: skip
TOOLS = replace(
    PROGRAMS, longest=112, max_new_tokens=112,
    changes={**STUDY.changes, "autoencoder_steps": 80, "autoencoder_eval_every": 40},
)  # fmt: skip


def read(source: str | Path, *, columns: Mapping[str, str]) -> RealData:
    """A table, or the texts of one column.

    Args:
        columns: "text" names the column of texts, "target" that which a classifier predicts.

    Raises:
        Errors of `load_table` and `read_data`; ValueError for both, or for a column not there.
    """
    if {"text", "target"} <= set(columns) or set(columns) - {"text", "target"}:
        raise ValueError(f"--column is text=NAME or target=NAME here, one of them; got {columns}")
    path = Path(source)
    if not columns and (texts := known_texts(path)):
        return RealData(name_of(source), [{"text": text} for text in texts], {"text": "text"})
    is_table = path.is_file() and format_of(path) in TABLES
    rows = None if is_table else read_set(source)
    texts = [name for name in TEXT_COLUMNS if rows and name in rows[0]]
    if "text" in columns or (texts and "target" not in columns):
        chosen = columns.get("text") or ("code" if "code" in texts else texts[0])
        found = read_data(source, ("text",), columns={"text": chosen})
        rows = [{"text": "\n".join(row["text"].splitlines())} for row in found.rows]
        return replace(found, rows=rows)  # each line ends alike, "\r\n" too
    nested = [name for name, value in (rows or [{}])[0].items() if isinstance(value, (list, dict))]
    if nested:
        raise ValueError(
            f"{name_of(source)} is no table: {', '.join(nested)} hold lists or objects. Name a "
            "column of texts: --column text=NAME"
        )
    frame = load_table(source if is_table else rows)
    last = str(frame.columns[-1])
    target = columns.get("target") or (last if 1 < frame[last].nunique() <= CLASSES else None)
    if target is not None and target not in frame.columns:
        raise ValueError(
            f"{name_of(source)} has no column {target!r}; found {', '.join(frame.columns)}"
        )
    return RealData(name_of(source), frame.to_dict("records"), {"target": target} if target else {})


def known_texts(path: Path) -> list[str]:
    """The texts of a file whose rows would pass for a table: tools, or sentences, each with its
    sentiment. None of any other file."""
    kind = format_of(path)
    if not path.is_file() or kind not in (".json", ".jsonl", ".tsv"):
        return []
    if kind == ".tsv":
        first = lines(local_file(path))[:1]
        return load_sentiment(path)["text"] if first and ends_in_sentiment(first[0]) else []
    first = next(iter(read_rows(local_file(path))), {})
    return load_tool_schemas(path)["text"] if holds_tools(first) else []


@dataclass
class DiffLMTrial(RealTrial):
    """One set, model and seed: a fitted DiffLM."""

    @property
    def is_table(self) -> bool:
        return "text" not in self.data.columns

    @cached_property
    def kind(self) -> str | None:
        return kind_of(self.data)

    def as_data(self, rows: Sequence[Mapping[str, Any]]) -> Any:
        """Rows as `DiffLM.fit` takes them: a table, or texts."""
        return load_table(rows) if self.is_table else [row["text"] for row in rows]

    @cached_property
    def method(self) -> DiffLM:
        """The fit, with the paper's encoder where the preset asks for one and it can be had."""
        train, stop, _ = self.parts
        changes, given = dict(self.preset.changes), {}
        changes["validation_share"] = len(stop) / len(train + stop)  # drawn by `fit`
        if self.preset.resolved().autoencoder.reads == "text":
            given = pretrained(ENCODER)
            changes |= {} if given else TRAINED
        method = DiffLM(self.lm, preset=with_changes(self.preset.method, changes), seed=self.seed,
                        **given)  # fmt: skip
        return method.fit(
            self.as_data(train + stop), checkpoint=self.checkpoint("fit"), progress=self.progress,
            **self.named_target,
        )  # fmt: skip

    @property
    def named_target(self) -> dict[str, str]:
        """The target as an option, where there is one."""
        return {k: v for k, v in self.data.columns.items() if k == "target"}

    def measure_references(self) -> None:
        """Real rows, and the table that keeps each column's own distribution in a class."""
        train, n, target = (
            self.as_data(self.parts[0]),
            self.preset.n_sample,
            self.data.columns.get("target"),
        )
        if not self.is_table:
            self.score(REAL, self.as_data(self.parts[2]))
            return self.measure_alone()
        self.score(REAL, train[:n])
        apart = class_conditional(train, target, self.seed) if target else independent_columns(
            train, self.seed)  # fmt: skip
        self.score(WITHIN if target else APART, apart[:n])

    def measure_alone(self) -> None:
        """Measure what the frozen model writes without a latent."""
        preset = self.preset
        how = {"max_new_tokens": preset.max_new_tokens, "seed": self.seed, "batch_size": 16}
        texts = written_alone(self.lm, preset.n_sample, **how)
        ended = [text for text in texts if text.finish_reason == "stop" and text.strip()]
        self.add(ALONE, {"valid": len(ended) / len(texts)})
        self.score(ALONE, list(map(str, texts)), kept=True)

    def measure_fit(self) -> None:
        """CPU seconds of the fit, and what the decoder makes of its latents."""
        begun = time.process_time()
        collapse = self.method.fitted.collapse
        self.add(DIFFUSION, {
            "seconds": time.process_time() - begun, "shuffled-latent gap": collapse.shuffled_gap,
            "pretrained encoder": self.method.preset.autoencoder.reads == "text",
        })  # fmt: skip

    def measure_diffusion(self) -> None:
        """Rows from the diffusion; without the trie of valid rows each is drawn once."""
        preset, method, how = self.preset, self.method, {"progress": self.progress}
        begun = time.process_time()
        made = method.sample(preset.n_sample, checkpoint=self.checkpoint("drafts"), **how)
        drafts = len(made) + sum(method.report.rejected.values())
        took = time.process_time() - begun
        self.add(DIFFUSION, {"valid": len(made) / drafts, "sampling seconds": took})
        self.score(DIFFUSION, self.rows_of(made), kept=True)
        if self.is_table:
            free = method.sample(preset.n_free, constrained=False, max_tries=1, **how)
            self.add(FREE, {"valid": len(free) / preset.n_free, "rows written": len(free)})

    def measure_encoded(self) -> None:
        """Rows written from latents of training rows."""
        made = self.method.sample(self.preset.n_encoded, prior="encoding", progress=self.progress)
        self.score(ENCODED, self.rows_of(made), kept=True)

    def measure_format(self) -> None:
        """DiffLM with its format model, which learns the same rows in no more time."""
        train, stop, _ = self.parts
        begun, seconds = time.process_time(), self.log.found("seconds", DIFFUSION, self.seed)
        method = DiffLM(seconds=min(seconds, AUTO.seconds), seed=self.seed)
        method.fit(self.as_data(train + stop), progress=self.progress, **self.named_target)
        self.add(FORMAT, {"seconds": time.process_time() - begun})
        self.score(FORMAT, method.table(self.preset.n_sample), kept=True)

    def rows_of(self, made: Any) -> Any:
        """A sample as a table in its types, or as texts."""
        return self.method.fitted.form.typed(made) if self.is_table else list(made["text"])

    def score(self, arm: str, rows: Any, kept: bool = False) -> None:
        """Utility, pair error and copies of a table; copies and variety of texts."""
        if kept and self.is_table:
            self.keep(arm, json.loads(rows.to_json(orient="records")))
        elif kept:
            self.keep(arm, [{"text": text} for text in rows])
        if not len(rows):
            return
        if not self.is_table:
            return self.score_texts(arm, rows)
        train, test = self.as_data(self.parts[0]), self.as_data(self.parts[2])
        target = self.data.columns.get("target")
        self.add(arm, {"pair error": pair_error(test, rows)})
        if self.preset.compared and min(len(test), len(rows)) >= FOLDS:  # C2ST needs so many
            near = closest_record(train, test, rows, seed=self.seed)
            self.add(arm, {"C2ST": c2st(test, rows, self.seed), "near copies, train": near.copies,
                           "nearer to train": near.nearer_train.mean})  # fmt: skip
        if target and test[target].nunique() > 1:  # few rows to test on may hold one class
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of few rows, which the table shows
                found = utility(rows, test, target, seeds=(self.seed,))
            self.add(arm, {"AUC": found["auc"].mean() if "auc" in found else None})

    def score_texts(self, arm: str, texts: Sequence[str]) -> None:
        """Copies and variety; of programs the shares that parse and run, in the sandbox, and of
        tools those that are JSON of the set's fields and have a sound schema."""
        train = self.as_data(self.parts[0])
        copies = near_copy_rates(texts, train)["train"].mean
        found = {"near copies, train": copies, "distinct": len(set(texts)) / len(texts)}
        if self.kind is not None:
            shares = measure(texts, TextSet(train, self.kind), train, self.as_data(self.parts[2]))
            found["parses"] = shares["valid"]
            found |= {name: shares[name] for name in ("runs", "sound", "novel") if name in shares}
        self.add(arm, found)


def kind_of(data: RealData) -> str | None:
    """The kind of a set's texts, if they are structured: programs ("code") or tools ("tools")."""
    if data.columns.get("text") == "code":
        return "code"
    texts = [row.get("text", "") for row in data.rows]
    tools = map(read_tool, texts)
    return "tools" if all(tool and {"name", "description"} <= set(tool) for tool in tools) else None


def pretrained(name: str) -> dict[str, Any]:
    """The encoder of that name as an option of `DiffLM`; none, with a warning, if not to be had."""
    from transformers import AutoModel, AutoTokenizer

    try:
        options = {"trust_remote_code": False}
        found = (AutoModel.from_pretrained(name, **options), AutoTokenizer.from_pretrained(name))
    except (OSError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        warnings.warn(
            f"{name}, the paper's encoder, was not to be had ({reason}): an encoder of the kit's "
            "own is trained from nothing",
            stacklevel=2,
        )
        return {}
    return {"encoder": found}


def units(preset: DiffLMReal) -> Sequence[Unit]:
    """A unit for what DiffLM is compared with, and those of DiffLM."""
    found = [
        Unit("references", DiffLMTrial.measure_references, (REAL,)),
        Unit("the fit", DiffLMTrial.measure_fit, (DIFFUSION,), ("seconds",)),
        Unit(DIFFUSION, DiffLMTrial.measure_diffusion, measures=("valid",)),
    ]
    if preset.n_encoded:
        found.append(Unit(ENCODED, DiffLMTrial.measure_encoded))
    return found + ([Unit(FORMAT, DiffLMTrial.measure_format)] if preset.compared else [])


def work(preset: DiffLMReal, row: float) -> list[Work]:
    """The parts of a run on rows of `row` tokens, per seed."""
    parts = preset.resolved()
    auto, noise = parts.autoencoder, parts.diffusion
    net = 2 * auto.latent * noise.hidden + 4 * noise.blocks * noise.hidden**2  # weights
    length, looks = row + auto.tokens, 1 + auto.steps // auto.eval_every
    return [
        Work("autoencoder", auto.steps, auto.steps * auto.batch_size * length,
             looks * preset.n_stop * length),
        Work("diffusion of latents", noise.steps,
             operations=6 * noise.steps * noise.batch_size * net),
        Work("rows", written=(preset.n_sample + preset.n_free) * row),
    ]  # fmt: skip


def presets_of(data: RealData) -> dict[str, DiffLMReal]:
    """The sizes of each scale, of which "study" depends on what the rows are."""
    if "text" not in data.columns:
        return PRESETS
    return {**PRESETS, "study": TOOLS if kind_of(data) == "tools" else PROGRAMS}


def study(data: RealData, *, command: str = "", **given: Any) -> Study:
    """DiffLM on one table or set of texts; `runner.run(study, scale, lm=lm)` runs it.

    Args:
        data: what `read` read.
        command, given: how it was asked for, for the record.
    """
    return real_study(
        "difflm", "DiffLM on real rows", data, DiffLMTrial, units,
        presets_of(data), COLUMNS, samples=(DIFFUSION,),
        notes="Valid: share of drafts that are rows or texts with an end. AUC: of boosted trees "
        "that learn from the rows written and are tested on real ones.",
        table_notes=(
            "valid: share of drafts that are rows, or texts with an end. AUC: of boosted trees "
            "that learn from so many rows and are tested on real ones.",
        ),
        given=given,
        work=work,
        command=command,
    )  # fmt: skip
