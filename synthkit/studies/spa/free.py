"""SPA on free answers with a real model, with the adapters of the code world's study.

`python -m synthkit.studies.spa.free FILE` runs it with SmolLM2.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...lm import load_lm
from ..real import at_sizes
from ..runner import run
from .experiment import INFLUENCE, RANDOM
from .programs import PRESETS as PROGRAMS
from .real import read
from .real import study as real_study
from .sizes import SPAReal

if TYPE_CHECKING:
    from ..real_data import RealData
    from ..study import Study

TOLD = "few updates"  # what the place adds to the name of the data


@dataclass(frozen=True)
class Free(SPAReal):
    """As many adapters, updates and rows per update as on programs; the answers are free.

    Written before any run of SmolLM2 on such tasks, for the seed tasks of Self-Instruct with at
    most 128 tokens. The tests are those of `real_claims` for this place.

    - Diversity. Supported: the adapters of parts by influence give more different answers to a
      prompt than those of random parts. Expected: undecided, with .9 to 1 of the pairs different in
      both, since long answers hardly ever agree word for word.
    - Alikeness. Supported: the answers of influence's adapters are less alike (self-BLEU) than
      those of random parts. Expected: undecided, within .05. The rows have no few ways of answering
      that a cut could find, as programs have.
    - Supported: influence's adapters predict held-out answers as well as those of random parts, by
      .1 nats a token at most. Expected: supported.
    """


STUDY = PROGRAMS["study"]
FREE = Free(
    n_train=96, n_stop=STUDY.n_stop, n_test=20, n_sample=12, longest=128, max_new_tokens=48,
    method=STUDY.method, changes=STUDY.changes, seeds=STUDY.seeds, rules=(INFLUENCE, RANDOM),
)  # fmt: skip


def study(data: RealData) -> Study:
    """The study of `real.study` with the adapters of the code world's, in a place of its own."""
    command = "python -m synthkit.studies.spa.free FILE"
    return at_sizes(real_study, data, FREE, TOLD, command)


if __name__ == "__main__":
    run(study(read(sys.argv[1])), "study", lm=load_lm("smollm2"), progress=True)
