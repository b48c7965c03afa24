"""SPA on real answers with a real model: greedy answers of several adapters beside dice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from ...core.presets import choose_preset
from ...evaluation.diversity import pair_diversity
from ...evaluation.text import self_bleu
from ...lm.shapes import Shape
from ...spa.baselines import one_adapter, sampled
from ...spa.presets import PRESETS as METHOD_PRESETS
from ...spa.rows import read_rows
from ...spa.synthesizer import SPA
from ..plans import Work
from ..real import Paper, RealTrial, real_study
from ..real_data import RealData, read_data
from ..study import Study, Unit
from .experiment import HOT, INFLUENCE, RANDOM
from .programs import code_study, world_rows
from .sizes import WORLD, SPAReal

RULES = {INFLUENCE: "influence", RANDOM: "random"}
COLUMNS = {
    "diversity": "diversity",
    "self-BLEU": "self-BLEU",
    "answer loss": "answer loss",
    "cut off": "cut off",
    "rows": "rows written",
}
PAPER = Paper(
    "codellama/CodeLlama-7b-Python-hf", Shape(32_000, 4096, 11_008, 32, 32, 32, 128),
    "ise-uiuc/Magicoder-OSS-Instruct-75K", 75_197, 450,
    "the paper inverts the Hessian by LiSSA, the kit by DataInf; the queries are rows of the set, "
    "where the paper has twelve written by hand",
)  # fmt: skip


PRESETS = {
    "fast": SPAReal(
        n_train=64, n_stop=6, n_test=32, n_sample=10, longest=160, max_new_tokens=80,
        rules=(INFLUENCE,),
        changes={"n_parts": 3, "reference_updates": 10, "part_updates": 6, "batch_size": 8,
                 "lr": 1e-3, "min_size": 4},
    ),
    "study": SPAReal(
        n_train=600, n_stop=16, n_test=100, n_sample=60, longest=384, max_new_tokens=256,
        method="study", changes={"n_parts": 6, "batch_size": 16, "lr": 1e-3}, seeds=(0, 1, 2),
    ),
    "paper": SPAReal(
        n_train=None, n_stop=12, n_test=500, n_sample=164, longest=768, max_new_tokens=512,
        method="paper", changes={"block_size": 1}, seeds=(0, 1, 2),
    ),
}  # fmt: skip


@dataclass
class SPATrial(RealTrial):
    """One set, model and seed."""

    @cached_property
    def prompts(self) -> list[str]:
        """The test rows that are answered."""
        return [row["question"] for row in self.parts[2][: self.preset.n_sample]]

    def measure_rule(self, arm: str) -> None:
        """Greedy answers of the parts' adapters; by influence, also those of the reference."""
        train, queries, _ = self.parts
        own = {"queries": queries} if RULES[arm] == "influence" else {}
        preset = choose_preset(
            self.preset.resolved(), METHOD_PRESETS, {"partition": RULES[arm]}, "SPA"
        )
        spa = SPA(self.lm, preset=preset, seed=self.seed)
        spa.fit(train, checkpoint=self.checkpoint(arm), progress=self.progress, **own)
        how = {"batch_size": 16, "progress": self.progress}
        self.score(arm, spa, spa.answer(self.prompts, **how), spa.adapters)
        if own:
            one = one_adapter(spa)
            drawn = sampled(spa, self.prompts, len(spa.adapters), **how)
            self.score(HOT, spa, drawn, [one])

    def score(self, arm: str, spa: SPA, rows: Any, adapters: Sequence[str]) -> None:
        """Diversity of the answers to a prompt, and the loss of the adapters on real answers."""
        names = {"prompt": "question", "text": "answer", "adapter": "adapter"}
        self.keep(arm, [{new: row[old] for old, new in names.items()} for row in rows])
        n = len(rows) // len(self.prompts)
        groups = [rows["text"][i : i + n] for i in range(0, len(rows), n)]
        self.add(arm, {
            "diversity": np.mean(pair_diversity(groups)) if n > 1 else None,
            "self-BLEU": np.mean([self_bleu(group).mean() for group in groups]) if n > 1 else None,
            "cut off": np.mean([status == "cut off" for status in rows["status"]]),
            "answer loss": np.mean([held_out_loss(spa, name, self.parts[2]) for name in adapters]),
        })  # fmt: skip


def held_out_loss(spa: SPA, adapter: str, rows: Sequence[Mapping[str, Any]]) -> float:
    """Nats per token of the answers of `rows`, their end included, under one adapter."""
    prompts, completions = zip(*read_rows(list(rows))[0])
    lm = spa.adapted
    sizes = np.array([len(ids) + 1 for ids in lm.token_ids(completions)])
    with lm.use_adapter(adapter):
        return float(lm.nll(completions, prompts=prompts).numpy() @ sizes / sizes.sum())


def units(preset: SPAReal) -> list[Unit]:
    """A unit per way to cut the rows."""
    return [
        Unit(
            arm, partial(SPATrial.measure_rule, arm=arm), (arm, HOT) if arm == INFLUENCE else (),
            measures=("answer loss",),
        )
        for arm in preset.rules
    ]  # fmt: skip


def work(preset: SPAReal, row: float) -> list[Work]:
    """The parts of a run on rows of `row` tokens, per seed."""
    how = preset.resolved()
    per_update = how.batch_size * row
    answers = preset.n_sample * how.n_parts
    written = answers * min(row, how.max_new_tokens)
    judged = preset.n_test * row
    reference = Work("reference adapter and temperature 1", how.reference_updates,
                     how.reference_updates * per_update, judged, written)  # fmt: skip
    scores = Work("influence scores", trained=((preset.n_train or 0) + preset.n_stop) * row)
    updates = how.n_parts * how.part_updates
    return [reference, scores] + [
        Work(arm, updates, updates * per_update, how.n_parts * judged, written)
        for arm in preset.rules
    ]


def read(source: str | Path, *, columns: Mapping[str, str] | None = None) -> RealData:
    """Rows with question and answer: of a set (see `read_data`), or of the code world."""
    if source == WORLD:
        return world_rows()
    return read_data(source, ("question", "answer"), columns=columns)


def study(data: RealData, *, command: str = "", **given: Any) -> Study:
    """SPA on one set of answers; `runner.run(study, scale, lm=lm)` runs it.

    Args:
        data: rows with `question` and `answer`; those of the code world have a study of their own.
        command, given: how it was asked for, for the record.
    """
    if data.name == WORLD:
        return code_study(data, command=command, given=given)
    return real_study(
        "spa", "SPA on real answers", data, SPATrial, units, PRESETS, COLUMNS,
        samples=(INFLUENCE,),
        notes="Answer loss in nats per token of held-out answers, a mean over the adapters.",
        table_notes=(
            "diversity: pairs of answers to a prompt that differ. self-BLEU: how alike they are. "
            "answer loss: nats per token of held-out answers, a mean over the adapters.",
        ),
        given=given,
        work=work,
        command=command,
    )  # fmt: skip
