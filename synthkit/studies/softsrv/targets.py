"""The study on real texts with other targets, and with the ways that it left out.

`SYNTHKIT_PRECISION=bfloat16 python -m synthkit.studies.softsrv.targets FILE` runs it with SmolLM2.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...lm import load_lm
from ..real import at_sizes
from ..runner import run
from .real import PRESETS, VARIANTS, SoftSRVReal, read
from .real import study as real_study

if TYPE_CHECKING:
    from ..real_data import RealData
    from ..study import Study


@dataclass(frozen=True)
class Targets(SoftSRVReal):
    """The sizes of `SoftSRVReal`'s study, on SST-2's sentences and AG News's descriptions.

    Written after the studies on questions, and before any run on these two. The same claims are
    tested, by the same rule, at the same learning rates. With them stand SSMP2, a LoRA on the
    generator with as many steps and texts, and a template whose texts the model judges and mends by
    itself. LoRA's rate comes from the same questions of seed 90 as the prompts' rates: it reached
    2.236, 2.203 and 2.197 nats at 5e-4, 2e-3 and 5e-3 (SSMC 2.220).

    - LoRA's loss on test texts lies below SSMC's: it changes every layer, where a prompt stands
      before them. Whether its texts come nearer by MAUVE is open; it may copy more.
    - Self-refinement brings the template's texts no nearer to real ones, since a model of 135 M
      weights cannot judge: the interval of the difference in MAUVE contains 0, or lies below.
    - SSMC's loss lies .02 to .05 below SSNP's, as after as many steps on questions, and SSMP2's
      between the two. Both templates are beaten in MAUVE.
    """


STUDY = PRESETS["study"]
MORE = {"variants": tuple(VARIANTS), "tuned": 5e-3, "refined": 96}
TARGETS = Targets(**{**vars(STUDY), **MORE})


def study(data: RealData) -> Study:
    """The study of `real.study` with the ways of `MORE`, in a place of its own."""
    command = "python -m synthkit.studies.softsrv.targets FILE"
    return at_sizes(real_study, data, TARGETS, "more ways", command)


if __name__ == "__main__":
    run(study(read(sys.argv[1], columns={})), "study", lm=load_lm("smollm2"), progress=True)
