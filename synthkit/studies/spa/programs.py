"""SPA on the code world with a real model: programs are executed, and their styles are known.

Rows, queries and prompts are those of the world study's testbed "code, strong skew", so that the
embedded model and a real one stand side by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np
import torch
from scipy.stats import spearmanr

from ...core.files import write_jsonl
from ...lm.mixed_adapters import share_weights
from ...spa.influence import example_losses, influence_scores
from ...spa.presets import SPAPreset
from ...spa.streaming import as_pairs
from ...spa.synthesizer import train_on
from ..measurements import samples_file
from ..plans import Work
from ..real import DATA, arm_table, real_study
from ..real_data import RealData
from ..study import Study, Table, Unit
from .experiment import (
    BM25,
    EMBEDDING,
    GREEDY,
    HOT,
    INFLUENCE,
    RANDOM,
    SINGLE,
    WRONG,
    PartsTrial,
    arm_unit,
    measure_parts,
)
from .sizes import WORLD, SPAReal
from .testbeds import Testbed, code_testbed

SKEW = "strong"
BASE, BASE_SKEW, BASE_SEED = "base", "natural", 1000  # of the programs that the base has read
EXACT = "scores"  # a unit of measurements, no arm
ARMS = (GREEDY, HOT, INFLUENCE, RANDOM)
CUTS = (BM25, EMBEDDING, WRONG)  # whose parts are looked at, without adapters
SAME = ("diversity", "pass@1", "pass@5", "working answers", "working modes", "KL")
COLUMNS = {**dict(zip(SAME, SAME)), "ARI style": "adjusted Rand index, mode"}
COLUMNS |= {"ARI task": "adjusted Rand index, topic"}
STEPS = ("scores", "training", "answers")
COSTS = {f"{what}, {step}": f"{what}, {step}" for step in STEPS for what in ("seconds", "tokens")}


@dataclass(frozen=True)
class CodeReal(SPAReal):
    """Sizes of SPA on the code world: `n_train` rows, `n_sample` prompts, and arms as `rules`.

    Attributes:
        n_base, base_updates, base_lr: programs that the base reads before the study begins, and
            how; the base alone answers such questions with numbers.
        n_exact: rows whose scores are held against autograd. n_kl: right answers that adapters
            read for their KL.

    **Expected of the preset "study" with SmolLM2, written before it was run.** Sizes, rate and
    steps were chosen on seed 90, which no claim is tested on, and cut to half an hour of one core.
    The claims are those of `real_claims` with their thresholds; what each outcome would mean:

    - The bar: parts by influence give more different answers than random parts, and are as right
      (pass@1 at most .05 lower). Supported if both intervals say so. If diversity rises and pass@1
      falls by more than .05, SPA buys diversity with mistakes on a real model; if diversity does
      not rise, a pretrained model has no use for the cut.
    - Against temperature 1 influence should be *more right* and show more working styles; it need
      not be more diverse, since a warm model writes a different mistake each time.
    - The kit's own worry: random parts of a real model may differ nearly as much as parts by
      influence, by chance alone (in the world they reach .70 of 1). Then working styles, which
      count only right answers, tell them apart, or nothing does.
    - Influence should find the styles (ARI of .5 and more, as in the world), and the wrong sign
      should find fewer (by .2). An ARI below .2 would say that gradients of a real model group
      rows by something else, such as their task.
    - BM25+ and clusters of embeddings group rows by their words, so by task: the ARI of their
      parts with the styles should be near 0. (Their adapters did not fit the time.)
    """

    rules: tuple[str, ...] = ARMS
    n_base: int = 384
    base_updates: int = 48
    base_lr: float = 2e-3
    n_exact: int = 12
    n_kl: int = 8

    least: ClassVar[Mapping[str, int]] = {**SPAReal.least, "n_train": 60}


PRESETS = {
    "fast": CodeReal(
        n_train=96, n_stop=6, n_test=8, n_sample=8, max_new_tokens=64,
        rules=(GREEDY, HOT, INFLUENCE, RANDOM), n_exact=2,
        changes={"n_parts": 6, "reference_updates": 8, "part_updates": 4, "batch_size": 8,
                 "lr": 3e-3, "min_size": 4, "project": 32, "block_size": 8},
    ),
    "study": CodeReal(
        n_train=72, n_stop=6, n_test=10, n_sample=10, max_new_tokens=64, n_exact=4, n_kl=3,
        changes={"n_parts": 6, "reference_updates": 6, "part_updates": 4, "batch_size": 6,
                 "lr": 2e-3, "min_size": 5, "project": 32, "block_size": 8},
        seeds=(0, 1, 2),
    ),
}  # fmt: skip


@dataclass
class CodeTrial(PartsTrial):
    """One model and seed; rows, queries and prompts are drawn with the seed."""

    data: RealData | None = None

    @property
    def how(self) -> SPAPreset:
        return self.preset.resolved()

    @cached_property
    def base(self):
        """The model after it has read programs of the world; all seeds of a run share it."""
        folder, student = self.log.path.parent, share_weights(self.lm)
        if (folder / BASE).is_dir():
            student.load_adapter(BASE, folder / BASE)
        else:
            how = SPAPreset(lr=self.preset.base_lr, batch_size=8)
            train_on(student, BASE, as_pairs(self.taught), self.preset.base_updates, how, 0)
            student.save_adapter(BASE, folder)
        student.set_adapter(BASE)
        return student.merged()

    @cached_property
    def taught(self) -> list[dict[str, Any]]:
        """Programs that the base has read, whatever the seed."""
        return code_testbed(self.preset.n_base, 1, BASE_SEED, BASE_SKEW).rows

    @cached_property
    def testbed(self) -> Testbed:
        preset, known = self.preset, {row["question"] for row in self.taught}
        bed = code_testbed(preset.n_train, 2 * preset.n_sample, self.seed, SKEW)
        asked = [row for row in bed.asked if row["question"] not in known]
        return replace(bed, asked=asked[: preset.n_sample])

    @property
    def references(self) -> tuple[list[str], list[str]]:
        asked, answers = self.testbed.references
        return asked[: self.preset.n_kl], answers[: self.preset.n_kl]

    def measure_data(self) -> None:
        """Count the rows, and their tokens."""
        rows, testbed = self.testbed.rows, self.testbed
        tokens = self.lm.token_ids(["{question}{answer}".format(**row) for row in rows])
        self.add(DATA, {
            "to learn from": len(rows), "to stop": testbed.n_modes, "to test": len(testbed.asked),
            "tokens per row": np.mean([len(ids) for ids in tokens]),
        })  # fmt: skip

    def keep(self, arm: str, groups: Sequence[Sequence[str]], right: np.ndarray) -> None:
        rows = [
            {"question": row["question"], "answer": text, "passes": bool(passes)}
            | {"style": self.testbed.mode_of(text)}
            for row, group, flags in zip(self.testbed.asked, groups, right)
            for text, passes in zip(group, flags)
        ]
        write_jsonl(samples_file(self.log.path.parent, arm, self.seed), rows)
        self.add(arm, {"rows written": len(rows)})


def hold_against_autograd(trial: CodeTrial) -> None:
    """Scores of a few rows against gradients that autograd takes one row at a time."""
    lm, (name,), testbed = trial.single.adapted, trial.single.adapters, trial.testbed
    rows, queries = testbed.rows[: trial.preset.n_exact], testbed.queries[: testbed.n_modes]
    ours = influence_scores(lm, rows, queries, adapter=name, method="dot", block_size=8)
    exact = (exact_gradients(lm, name, queries) @ exact_gradients(lm, name, rows).T).numpy()
    used = trial.scores[: len(queries), : len(rows)]
    trial.add(EXACT, {
        "largest error": np.abs(ours - exact).max() / np.abs(exact).max(),
        "rank correlation, dot": np.mean([spearmanr(*e).statistic for e in zip(ours, exact)]),
        "rank correlation, used": np.mean([spearmanr(*e).statistic for e in zip(used, exact)]),
    })  # fmt: skip


def exact_gradients(lm, adapter: str, rows: Sequence[Mapping[str, Any]]) -> torch.Tensor:
    """The gradient (P,) of each row's loss on an adapter, (n, P), by a backward pass per row."""
    found = []
    with lm.use_adapter(adapter), lm.evaluating(), torch.enable_grad():
        weights = [weight for weight in lm.model.parameters() if weight.requires_grad]
        for pair in as_pairs(rows):
            grads = torch.autograd.grad(example_losses(lm, [pair])[0].sum(), weights)
            found.append(torch.cat([each.flatten().float() for each in grads]))
    return torch.stack(found)


def units(preset: CodeReal) -> list[Unit]:
    """A unit per arm, one per cut that is only looked at, and one that checks the scores."""
    cuts = [Unit(f"{arm}, cut", partial(measure_cut, arm=arm), (arm,)) for arm in CUTS]
    return [*map(arm_unit, preset.rules), *cuts, Unit(EXACT, hold_against_autograd)]


def measure_cut(trial: CodeTrial, arm: str) -> None:
    """The parts of a cut, without adapters."""
    measure_parts(trial, arm, trial.cut(arm))


def work(preset: CodeReal, row: float) -> list[Work]:
    """The parts of a run on rows of `row` tokens, per seed."""
    how = preset.resolved()
    per_update = how.batch_size * row
    written = preset.n_sample * how.n_parts * min(row, how.max_new_tokens)
    read = (preset.n_train + 2 * how.n_parts + 2 * preset.n_exact) * row
    updates = how.n_parts * how.part_updates
    reference = how.reference_updates
    return [
        Work("reference adapter", reference, reference * per_update),
        Work("influence scores", trained=read),
    ] + [
        Work(arm, written=written) if arm in SINGLE
        else Work(arm, updates, updates * per_update, written=written)
        for arm in preset.rules
    ]  # fmt: skip


def world_rows() -> RealData:
    """Rows of the code world, as data; each seed of the study draws its own."""
    rows = code_testbed(500, 1, 0, SKEW).rows
    return RealData(WORLD, rows, {"question": "question", "answer": "answer"})


def code_study(data: RealData, **told: Any) -> Study:
    """SPA on the code world; arguments as in `real.study`."""
    study = real_study(
        "spa", "SPA on programs", data, CodeTrial, units, PRESETS, COLUMNS,
        samples=(INFLUENCE,),
        notes="One adapter per part answers greedily; modes are styles of a program. Programs are "
        "judged by their tests, in the sandbox. Seconds are those of one core.",
        work=work,
        **told,
    )  # fmt: skip
    costs = Table(partial(arm_table, columns=COSTS), "CPU-seconds and tokens per seed")
    return replace(study, tables=(*study.tables, costs))
