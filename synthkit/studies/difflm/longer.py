"""The studies on real data with four times the steps: does the decoder listen to the latents?

`SYNTHKIT_PRECISION=bfloat16 python -m synthkit.studies.difflm.longer FILE` runs one with SmolLM2.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...lm import load_lm
from ..real import at_sizes
from ..runner import run
from .real import DiffLMReal, presets_of, read
from .real import study as real_study

if TYPE_CHECKING:
    from ..real_data import RealData
    from ..study import Study

TIMES = 4


@dataclass(frozen=True)
class LongerPrograms(DiffLMReal):
    """Four times the steps of the study on programs, of `DiffLMReal`.

    Written when one seed of the shorter study was known: 17 of 32 programs parsed, and another
    program's latent cost no more than its own (.02 %), so the soft tokens told the model to write
    programs, and not which. The same claims are tested. Expected after 2,048 texts, ten rounds: the
    share that parses rises to .7 or more, and another's latent still costs less than a tenth more,
    since sixty-four tokens hold far more than a latent learns in ten rounds. A tenth of near copies
    at most.
    """


@dataclass(frozen=True)
class LongerRows(DiffLMReal):
    """Four times the steps of the study on MAGIC's rows, of `DiffLMReal`.

    Written when that study was known (AUC .59, columns within classes .79, the format model .81;
    another row's latent cost nothing more), and that on programs with four times the steps, whose
    decoder had begun to listen (a quarter more for another's latent). The same claims are tested.
    Expected after 3,200 rows: another row's latent costs a hundredth to a tenth more. If it does,
    rows from latents of training rows teach an AUC above .65, and rows from the diffusion one
    between .6 and .75: still below columns within classes, and below the format model. If the
    latents still say nothing, no more steps of this size will help a table, whose numbers a frozen
    model writes as text without knowing their scale.
    """


def longer(kind: type[DiffLMReal], usual: DiffLMReal) -> DiffLMReal:
    """The usual sizes with `TIMES` the steps of the autoencoder, and four looks at it."""
    steps = TIMES * usual.changes["autoencoder_steps"]
    more = {"autoencoder_steps": steps, "autoencoder_eval_every": steps // 4}
    return kind(**{**vars(usual), "changes": {**usual.changes, **more}})


def study(data: RealData) -> Study:
    """The study of `real.study` with more steps, in a place of its own."""
    is_table = "text" not in data.columns
    preset = longer(LongerRows if is_table else LongerPrograms, presets_of(data)["study"])
    steps = preset.changes["autoencoder_steps"]
    command = "python -m synthkit.studies.difflm.longer FILE"
    return at_sizes(real_study, data, preset, f"{steps} steps", command)


if __name__ == "__main__":
    found = read(sys.argv[1], columns={})
    run(study(found), "study", lm=load_lm("smollm2"), progress=True)
