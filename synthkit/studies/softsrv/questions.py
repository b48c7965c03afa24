"""The paper's open questions on real texts: how many texts are enough, and which context is best?

`python -m synthkit.studies.softsrv.questions FILE` runs them with SmolLM2.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ...lm import load_lm
from ..real import at_sizes
from ..runner import run
from ..study import Unit
from .real import PRESETS, REAL, SoftSRVReal, SoftSRVTrial, read
from .real import study as real_study

if TYPE_CHECKING:
    from ..real_data import RealData
    from ..study import Study

TOLD = "open questions"  # what the place adds to the name of the data
USUAL = "SSMC, as usual"
FEW, FEWER = "96 texts", "24 texts"
HIDDEN, LEARNED = "mean of hidden states", "context learned with the prompt"
WAYS: dict[str, dict[str, Any]] = {
    USUAL: {"changes": {}},
    FEW: {"changes": {}, "n_texts": 96},
    FEWER: {"changes": {}, "n_texts": 24},
    HIDDEN: {"changes": {"context": "hidden_mean"}},
    LEARNED: {"changes": {"context": "learned", "dim": 64}},
}


@dataclass(frozen=True)
class Questions(SoftSRVReal):
    """SSMC of `SoftSRVReal`'s study with one thing changed at a time; 32 texts are written.

    Written before any run of these ways with SmolLM2, for GSM8K's questions, on which SSMC's loss
    differed between seeds by little. The tests are those of `real_claims` for this place.

    - Texts. Every prompt takes 40 steps of 8 texts, so 320 texts are seen once, 96 three times and
      24 thirteen times. Supported: 24 texts leave a higher loss on test questions than 320 (more
      than 0), and 96 texts one that is higher by .05 nats at most. Expected: .1 and .02.
    - Copies. Supported: with 24 texts at most a tenth of the texts written are near copies of the
      training texts. Expected: none, since a mean of embeddings does not tell the order of words.
    - Context. Supported: the mean of the last hidden states reconstructs better than that of the
      input embeddings, and so does a context that is learned with the prompt. Expected: both
      undecided or refuted, within .02 nats, since after 40 steps a context tells only .02 in all.

    The rates are those of the study, which were chosen for the usual context.
    """


QUESTIONS = Questions(**{
    **vars(PRESETS["study"]), "variants": tuple(WAYS), "shots": 0, "student": None, "n_sample": 32,
})  # fmt: skip


def units(preset: SoftSRVReal) -> list[Unit]:
    """A unit for other real rows, and one for each of `WAYS`."""
    ways = (
        Unit(arm, partial(SoftSRVTrial.measure_variant, arm=arm, **WAYS[arm]),
             measures=("loss", "ended"))
        for arm in preset.variants
    )  # fmt: skip
    return [Unit(REAL, SoftSRVTrial.measure_real, measures=("distinct",)), *ways]


def study(data: RealData) -> Study:
    """SSMC in the ways of `WAYS`, in a place of its own."""
    command = "python -m synthkit.studies.softsrv.questions FILE"
    return at_sizes(partial(real_study, units=units), data, QUESTIONS, TOLD, command)


if __name__ == "__main__":
    run(study(read(sys.argv[1], columns={})), "study", lm=load_lm("smollm2"), progress=True)
