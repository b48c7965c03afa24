"""The study on real programs with four times the steps: does the decoder listen to the latents?

`SYNTHKIT_PRECISION=bfloat16 python -m synthkit.studies.difflm.longer FILE` runs it with SmolLM2.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...lm import load_lm
from ..real import at_sizes
from ..runner import run
from .real import PROGRAMS, DiffLMReal, read
from .real import study as real_study

if TYPE_CHECKING:
    from ..real_data import RealData
    from ..study import Study


@dataclass(frozen=True)
class Longer(DiffLMReal):
    """Four times the steps of the study on programs, of `DiffLMReal`.

    Written when one seed of the shorter study was known: 17 of 32 programs parsed, and another
    program's latent cost no more than its own (.02 %), so the soft tokens told the model to write
    programs, and not which. The same claims are tested. Expected after 2,048 texts, ten rounds: the
    share that parses rises to .7 or more, and another's latent still costs less than a tenth more,
    since sixty-four tokens hold far more than a latent learns in ten rounds. A tenth of near copies
    at most.
    """


STEPS = 4 * PROGRAMS.changes["autoencoder_steps"]
LONGER = Longer(**{
    **vars(PROGRAMS),
    "changes": {**PROGRAMS.changes, "autoencoder_steps": STEPS, "autoencoder_eval_every": 64},
})  # fmt: skip


def study(data: RealData) -> Study:
    """The study of `real.study` at the sizes of `LONGER`, in a place of its own."""
    command = "python -m synthkit.studies.difflm.longer FILE"
    return at_sizes(real_study, data, LONGER, f"{STEPS} steps", command)


if __name__ == "__main__":
    read_texts = read(sys.argv[1], columns={})
    run(study(read_texts), "study", lm=load_lm("smollm2"), progress=True)
