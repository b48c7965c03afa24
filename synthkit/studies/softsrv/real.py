"""SoftSRV on real texts with a real model, beside a template that a person would write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from ...core.presets import choose_preset
from ...evaluation.contamination import near_copy_rates
from ...evaluation.mauve import LEAST, mauve, text_features
from ...lm.shapes import Shape
from ...softsrv.baselines import template
from ...softsrv.filters import UNTERMINATED
from ...softsrv.presets import PRESETS as METHOD_PRESETS
from ...softsrv.presets import SoftSRVPreset
from ...softsrv.synthesizer import SoftSRV
from ..plans import Work
from ..real import Paper, RealPreset, RealTrial, real_study
from ..real_data import RealData, about_of, read_data
from ..study import Study, Unit

read = partial(read_data, roles=("text",))
UNPROMPTED, TEMPLATE, REAL = "no prompt", "zero-shot template", "real test rows"
VARIANTS: dict[str, dict[str, Any]] = {"SSNP": {"kind": "ssnp"}, "SSMC": {"kind": "ssmc"}}
COLUMNS = {
    "loss": "loss",
    "near copies": "near copies, train",
    "different": "distinct",
    "ended": "ended",
    "MAUVE": "MAUVE",
    "rows": "rows written",
}
PROMPT = "Write one new text of this kind: {about}. Write the text only."
PAPER = Paper(
    "google/gemma-2b-it", Shape(256_000, 2048, 16_384, 18, 8, 1, 256, tied=True),
    "openai/gsm8k", 7473, 60,
    "the paper does not name its frozen model; Gemma 2B is its student",
)  # fmt: skip


@dataclass(frozen=True)
class SoftSRVReal(RealPreset):
    """Sizes of SoftSRV on real texts."""

    steps: ClassVar[tuple[str, ...]] = ("steps",)

    def resolved(self) -> SoftSRVPreset:
        changes = {"max_new_tokens": self.max_new_tokens, **self.changes}
        return choose_preset(self.method, METHOD_PRESETS, changes, "SoftSRV")


PRESETS = {
    "fast": SoftSRVReal(
        longest=96, max_new_tokens=96,
        changes={"steps": 30, "batch_size": 8, "eval_every": 10, "lr_ssmc": 5e-3}
    ),
    "study": SoftSRVReal(
        n_train=384, n_stop=64, n_test=300, n_sample=300, longest=192, max_new_tokens=192,
        method="study", changes={"steps": 200, "batch_size": 16, "eval_every": 25}, seeds=(0, 1, 2),
    ),
    "paper": SoftSRVReal(
        n_train=None, n_stop=256, n_test=1000, n_sample=2000, longest=512, max_new_tokens=512,
        method="paper", changes={"batch_size": 32, "accumulation": 8, "recomputing": True},
        seeds=(0, 1, 2),
    ),
}  # fmt: skip


@dataclass
class SoftSRVTrial(RealTrial):
    """One set, frozen model and seed.

    Attributes:
        about: a description of the texts, for the template.
    """

    about: str = ""

    def texts(self, part: int) -> list[str]:
        return [row["text"] for row in self.parts[part]]

    def measure_frozen(self) -> None:
        """The model without a prompt, and the real rows by the measures of written ones."""
        test = self.texts(2)
        tokens = np.array([len(ids) + 1 for ids in self.lm.token_ids(test)])
        nats = self.lm.nll(test).numpy() @ tokens
        self.add(UNPROMPTED, {"loss": nats / tokens.sum()})
        self.add(REAL, score(test, self.texts(0), [], self.seed))

    def measure_template(self) -> None:
        how = {"preset": self.preset.resolved(), "drop": (), "seed": self.seed}
        made = template(self.lm, [PROMPT.format(about=self.about)], self.texts(0), **how)
        self.measure_writer(TEMPLATE, made)

    def measure_variant(self, arm: str) -> None:
        preset = choose_preset(self.preset.resolved(), METHOD_PRESETS, VARIANTS[arm], "SoftSRV")
        method = SoftSRV(self.lm, preset=preset, seed=self.seed, drop=())
        how = {"checkpoint": self.checkpoint(arm), "progress": self.progress}
        method.fit(self.texts(0), validation=self.texts(1) or None, **how)
        self.measure_writer(arm, method)

    def measure_writer(self, arm: str, writer: Any) -> None:
        """Loss on the test rows, and the scores of rows that are written and kept."""
        self.add(arm, {"loss": writer.loss(self.texts(2))})
        rows = writer.sample(self.preset.n_sample, batch_size=16, progress=self.progress)
        texts = list(rows["text"])
        self.keep(arm, [{"text": text} for text in texts])
        ended = np.mean([status != UNTERMINATED for status in rows["status"]])
        self.add(arm, {"ended": ended, **score(texts, self.texts(0), self.texts(2), self.seed)})


def score(
    texts: Sequence[str], train: Sequence[str], real: Sequence[str], seed: int
) -> dict[str, float]:
    """Near copies of the training texts, different texts, and with enough of both MAUVE."""
    filled = [text if text.strip() else "(empty)" for text in texts]
    found = {
        "near copies, train": near_copy_rates(filled, train)["train"].mean,
        "distinct": len(set(texts)) / len(texts),
    }
    if min(len(texts), len(real)) >= LEAST:
        found["MAUVE"] = mauve(*text_features(filled, list(real), seed=seed)).mauve
    return found


def units(preset: SoftSRVReal) -> list[Unit]:
    """A unit for the frozen model, one for the template, and one per kind of soft prompt."""
    return [
        Unit(UNPROMPTED, SoftSRVTrial.measure_frozen, (UNPROMPTED, REAL)),
        Unit(TEMPLATE, SoftSRVTrial.measure_template, measures=("loss",)),
        *(
            Unit(arm, partial(SoftSRVTrial.measure_variant, arm=arm), measures=("loss",))
            for arm in VARIANTS
        ),
    ]


def work(preset: SoftSRVReal, row: float) -> list[Work]:
    """The parts of a run on rows of `row` tokens, per seed."""
    how = preset.resolved()
    looks, prompt = 1 + how.steps // how.eval_every, row + how.length
    written = preset.n_sample * min(1.5 * row, how.max_new_tokens)
    judged = Work("frozen model and template", read=2 * preset.n_test * row, written=written)
    return [judged] + [
        Work(arm, how.steps, how.steps * how.batch_size * prompt,
             (looks * preset.n_stop + preset.n_test) * prompt, written)
        for arm in VARIANTS
    ]  # fmt: skip


def study(data: RealData, *, about: str | None = None, command: str = "", **given: Any) -> Study:
    """SoftSRV on one set of texts; `runner.run(study, scale, lm=lm)` runs it.

    Args:
        data: rows with `text`.
        about: a description of one text, for the template: "a grade-school math word problem".
            None: what is known of a public set, else "a text".
        command, given: how it was asked for, for the record.
    """
    told = about_of(data, about)
    return real_study(
        "softsrv", "SoftSRV on real texts", data, partial(SoftSRVTrial, about=told), units,
        PRESETS, COLUMNS,
        samples=(TEMPLATE, "SSMC"),
        notes="Loss in nats per token of held-out texts, their end included.",
        table_notes=(f"loss: nats per token of held-out texts. The template asks for: {told}.",),
        given={"about": told, **given},
        key={"about": told},
        work=work,
        command=command,
    )  # fmt: skip
