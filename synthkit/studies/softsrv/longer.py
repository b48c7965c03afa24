"""The study on real texts with four times the steps and texts: does a context tell more then?

`SYNTHKIT_PRECISION=bfloat16 python -m synthkit.studies.softsrv.longer FILE` runs it with SmolLM2.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...lm import load_lm
from ..real import at_sizes
from ..runner import run
from .real import PRESETS, SoftSRVReal, read
from .real import study as real_study

if TYPE_CHECKING:
    from ..real_data import RealData
    from ..study import Study


@dataclass(frozen=True)
class Longer(SoftSRVReal):
    """Four times the steps of `SoftSRVReal`'s study, on as many more questions.

    Written after SSNP's loss of the shorter study was known for one seed, and before any of SSMC.
    The same claims are tested, by the same rule. In 40 steps of 8 a network has seen 320 questions
    once, and a map from contexts to prompts needs many. Expected with 1,280 of them: SSMC's loss
    lies .05 nats a token or more below SSNP's, and .1 at most; SSNP gains .03 by the longer
    training. Refuted if the whole interval of the gap lies below .05. Whether MAUVE follows is
    open. The few-shot template is left out, since no number of steps changes it.
    """


STUDY = PRESETS["study"]
STEPS = 4 * STUDY.changes["steps"]
LONGER = Longer(**{
    **vars(STUDY), "n_train": 4 * STUDY.n_train, "shots": 0,
    "changes": {**STUDY.changes, "steps": STEPS, "eval_every": STEPS // 4},
})  # fmt: skip


def study(data: RealData) -> Study:
    """The study of `real.study` at the sizes of `LONGER`, in a place of its own."""
    command = "python -m synthkit.studies.softsrv.longer FILE"
    return at_sizes(real_study, data, LONGER, f"{STEPS} steps", command)


if __name__ == "__main__":
    read_texts = read(sys.argv[1], columns={})
    run(study(read_texts), "study", lm=load_lm("smollm2"), progress=True)
