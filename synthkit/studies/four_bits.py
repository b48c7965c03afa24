"""A real model in 4 bits beside itself in 16: loss, soft prompt, copies, programs that parse.

    python -m synthkit.studies.four_bits GSM8K MBPP [MODEL]

runs the study on the CPU with the two sets (files, folders or hub names) and writes
`runs/four_bits-study`. The model is SmolLM2 if none is named.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from ..core.identity import run_key
from ..datasets import load_mbpp
from ..datasets.loaders import load_questions
from ..embedsdg.interpolation import best_way
from ..lm import LM, load_lm
from ..softsrv.synthesizer import SoftSRV
from ..worlds.code import recognise_style
from .claims import Claim, Gap
from .measurements import means
from .results import Result
from .runner import run
from .study import Case, Study, Table, Trial, Unit

BITS = {"16 bits": None, "4 bits": 4}
MEASURES = ("loss", "loss, soft prompt", "copied", "likeness", "parse")
TASK = "{task} Write the Python function only."
_FENCED = re.compile(r"```(?:python)?\n(.*?)(?:```|\Z)", re.DOTALL)


@dataclass(frozen=True)
class FourBitsPreset:
    """Sizes of the study, and what was expected of SmolLM2 before it ran.

    NF4 costs a model of 135 million weights more than a large one: 0.02 to 0.15 nats per token of
    untouched questions. A short fit of a soft prompt gains more than 0.2 nats in 4 bits too, and
    the cost behind it stays below 0.15. So small a model copies few questions back from their
    embeddings, if any, and writes Python that mostly parses; 4 bits take at most 0.2 of either
    share, and of the likeness of copies.

    Attributes:
        n_train: questions for the soft prompt. n_test: others that judge it.
        n_copied: of the test questions, those that are put back into words.
        n_programs: tasks that are answered.
        longest: tokens of a question at most. max_new_tokens: of a program.
        steps, batch_size: of the soft prompt.
    """

    n_train: int = 64
    n_test: int = 64
    n_copied: int = 24
    n_programs: int = 24
    longest: int = 48
    max_new_tokens: int = 160
    steps: int = 24
    batch_size: int = 8
    seeds: tuple[int, ...] = (0, 1, 2)


@dataclass
class FourBitsTrial(Trial):
    """One seed: the same rows for the model at both precisions.

    Attributes:
        lms: by arm. questions, tasks: to draw from.
    """

    lms: Mapping[str, LM] = field(default_factory=dict)
    questions: Sequence[str] = ()
    tasks: Sequence[str] = ()

    @cached_property
    def parts(self) -> list[list[str]]:
        """Questions to learn from, questions to test on, and tasks; drawn with the seed.

        Raises:
            ValueError: too few questions that are short enough.
        """
        lm, preset = next(iter(self.lms.values())), self.preset
        rng = np.random.default_rng(self.seed)
        lengths = map(len, lm.token_ids(self.questions))
        short = [q for q, n in zip(self.questions, lengths) if n <= preset.longest]
        needed = preset.n_train + preset.n_test
        if len(short) < needed:
            raise ValueError(
                f"{needed} questions of at most {preset.longest} tokens are needed; found "
                f"{len(short)}"
            )
        drawn = rng.permutation(short)[:needed].tolist()
        ends = accumulate((preset.n_train, preset.n_test), initial=0)
        tasks = rng.permutation(self.tasks)[: preset.n_programs].tolist()
        return [*(drawn[a:b] for a, b in pairwise(ends)), tasks]

    def measure(self, arm: str) -> None:
        """Add the measures of the model at one precision."""
        lm, preset, (train, test, tasks) = self.lms[arm], self.preset, self.parts
        sizes = {"steps": preset.steps, "batch_size": preset.batch_size, "held_out_share": 0.0}
        prompt = SoftSRV(lm, kind="ssnp", seed=self.seed, **sizes).fit(train)
        tokens = np.array([len(ids) + 1 for ids in lm.token_ids(test)])
        copies = best_way(lm, test[: preset.n_copied])[0]
        self.add(arm, {
            "loss": lm.nll(test).numpy() @ tokens / tokens.sum(),
            "loss, soft prompt": prompt.loss(test),
            "copied": copies.count(1.0) / len(copies),
            "likeness": np.mean(copies),
            "parse": np.mean([parses(text) for text in programs(lm, tasks, preset)]),
        })  # fmt: skip


def programs(lm: LM, tasks: Sequence[str], preset: FourBitsPreset) -> list[str]:
    """The model's greedy answer to each task."""
    prompts = [TASK.format(task=task) for task in tasks]
    return lm.generate(prompts, max_new_tokens=preset.max_new_tokens, chat=lm.chat, batch_size=24)


def parses(answer: str) -> bool:
    """Tell whether the first fenced part of an answer, or else all of it, holds a function."""
    fenced = _FENCED.search(answer)
    return recognise_style(fenced[1] if fenced else answer) != "unreadable"


def _costs(measure: str, text: str, most: float, *, loss: bool = False) -> Claim:
    """A claim that 4 bits make a measure worse by so much at most."""
    plain, small = BITS
    better, worse = (plain, small) if loss else (small, plain)
    return Claim(measure, f"4 bits cost at most {most} {text}", Gap(measure, better, worse), -most)


CLAIMS = (
    Claim("cost", "4 bits cost loss", Gap("loss", "4 bits", "16 bits"), 0.02),
    _costs("loss", "nats per token of untouched questions", 0.15, loss=True),
    _costs("loss, soft prompt", "nats per token behind a soft prompt", 0.15, loss=True),
    Claim("gain", "a soft prompt gains in 4 bits",
          Gap("loss", "4 bits", "4 bits", less="loss, soft prompt"), 0.2),
    _costs("copied", "of the questions that are copied", 0.2),
    _costs("likeness", "of the copies' likeness", 0.2),
    _costs("parse", "of the programs that parse", 0.2),
)  # fmt: skip


def table(result: Result) -> Any:
    """Mean over the seeds, a row per precision."""
    return means(result, dict(zip(MEASURES, MEASURES)))


def study(lms: Mapping[str, LM], questions: Sequence[str], tasks: Sequence[str]) -> Study:
    """The study of one model, loaded by `BITS`; `runner.run(study)` runs it.

    Args:
        questions: texts of the loss, the soft prompt and the copies. tasks: what to program.
    """
    rows = {"questions": questions, "tasks": tasks}
    data = {name: run_key(rows=list(texts))[:16] for name, texts in rows.items()}
    plain, small = (lms[arm] for arm in BITS)
    facts = {**plain.describe(), "fingerprint": plain.fingerprint, "in 4 bits": small.fingerprint}

    def cases(preset: FourBitsPreset) -> list[Case]:
        units = [
            Unit(arm, partial(FourBitsTrial.measure, arm=arm), measures=MEASURES) for arm in BITS
        ]
        trial = partial(FourBitsTrial, lms=lms, questions=questions, tasks=tasks)
        return [Case(units, trial, key={**data, "weights": facts["fingerprint"]})]

    return Study(
        "four_bits", "4 bits", cases, {"study": FourBitsPreset()},
        place="",
        claims=CLAIMS,
        tables=(Table(table, overall=True),),
        notes="Loss in nats per token of held-out questions, their end included. 16-bit weights "
        "against NF4; products in float32, on a CPU. The package index has SmolLM2 in 4 bits of "
        "another kind (GGUF Q4_1): from there, NF4 rounds for the second time.",
        model=facts,
        command="python -m synthkit.studies.four_bits GSM8K MBPP",
        given=data,
    )  # fmt: skip


def main(questions: str, tasks: str, model: str = "smollm2") -> Result:
    """Load the model at both precisions and the two sets, and run the study."""
    lms = {arm: load_lm(model, bits=bits, device="cpu") for arm, bits in BITS.items()}
    return run(
        study(lms, load_questions(questions)["question"][:], load_mbpp(tasks)["prompt"][:]),
        "study", progress=True,
    )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
