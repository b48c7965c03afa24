"""EmbedSDG's students on real questions by their answers: three doses, and the model as a teacher.

`python -m synthkit.studies.embedsdg.doses FILE` runs it with SmolLM2.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ...lm import load_lm
from ..real import at_sizes
from ..runner import run
from ..study import Unit
from .real import (
    ASKED,
    CONTINUES,
    DRAWN,
    EMBEDSDG,
    LOSS,
    PRESETS,
    REAL,
    EmbedSDGReal,
    EmbedSDGTrial,
    read,
)
from .real import study as real_study

if TYPE_CHECKING:
    from ..real_data import RealData
    from ..study import Study

TOLD = "three doses"  # what the place adds to the name of the data


@dataclass(frozen=True)
class Doses(EmbedSDGReal):
    """`EmbedSDGReal`'s study with more rows and with answers, over three seeds.

    Written before any run in which SmolLM2 answers. The student learns 64 real rows and goes on
    with 12, 36 or 108 rows of the pool, chosen by EmbedSDG or drawn at random. It answers the 64
    held-out problems of that study greedily, with 24 tokens at most, and an answer is right if the
    number behind its last `####` is. Each way's rows are learned once, so more rows are more
    updates as well. The tests are those of `real_claims` for this place.

    - Supported: with 108 rows the loss of right answers is lower than with 12, and the student is
      right more often than before. Expected: both; accuracy near .1 before, and near .2 after.
    - Supported: 108 rows of EmbedSDG's make it right more often than as many drawn at random.
      Expected: undecided, as for the loss, since 64 answers decide nothing below .1.
    - The model itself as the teacher, 16 replies per manner. Supported: at least half of those that
      continue two examples are accepted, which asks for their form and not for right answers.
      Expected: .3 to .8, and .1 at most of those that are asked for the form in the chat template.

    Attributes:
        doses: numbers of rows of each way.
    """

    doses: tuple[int, ...] = (12, 36, 108)


DOSES = Doses(**{
    **vars(PRESETS["study"]), "n_sample": max(Doses.doses), "n_own": 16, "max_new_tokens": 96,
    "answer_tokens": 24, "ways": (EMBEDSDG, DRAWN), "seeds": (0, 1, 2),
})  # fmt: skip


def dose(way: str, n: int) -> str:
    """The arm of `n` rows made one way."""
    return f"{way}, {n} rows"


def measure_dose(trial: EmbedSDGTrial, way: str, n: int) -> None:
    """Measure a student that has learned `n` rows made one way."""
    rows = trial.fit(way).sample(n, held_out=trial.parts[2], progress=trial.progress)
    trial.keep(dose(way, n), [{name: row[name] for name in ("question", "answer")} for row in rows])
    trial.add(dose(way, n), trial.taught(list(rows)) if len(rows) else {LOSS: None})


def units(preset: Doses) -> list[Unit]:
    """A unit for the student of real rows, for each dose of a way, and for the model's replies."""
    return [
        Unit(REAL, EmbedSDGTrial.measure_real, measures=(LOSS, "accuracy")),
        *(
            Unit(dose(way, n), partial(measure_dose, way=way, n=n), measures=(LOSS, "accuracy"))
            for way in preset.ways for n in preset.doses
        ),
        *(
            Unit(arm, partial(EmbedSDGTrial.measure_own, arm=arm), measures=("accepted",))
            for arm in (CONTINUES, ASKED)
        ),
    ]  # fmt: skip


def study(data: RealData) -> Study:
    """Three doses of each way, in a place of its own."""
    command = "python -m synthkit.studies.embedsdg.doses FILE"
    return at_sizes(partial(real_study, units=units), data, DOSES, TOLD, command)


if __name__ == "__main__":
    run(study(read(sys.argv[1], columns={})), "study", lm=load_lm("smollm2"), progress=True)
