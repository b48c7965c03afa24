"""The SynAlign study: its claims, its tables and its figure."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..claims import Claim, Gap, Level
from ..measurements import means, values
from ..study import Figure, Study, Table
from .experiment import (
    ALIGNED,
    BALANCED,
    EXPLORATION,
    FEW,
    GP,
    PRESETS,
    RANDOM,
    RETRIEVER,
    SKEWED,
    STUDENT,
    WRITTEN,
    cases,
)
from .weights import EXACT, NARROW, POOLED, REAL, TASKS, TILTING, UNWEIGHTED
from .writing import ANY_DEMONSTRATION, SIMPLE, SYNALIGN

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from ..results import Result

# The columns of all parts; each part has some of them.
COLUMNS = {
    "distance to the nearest": "distance",
    "farthest": "farthest",
    "different": "different texts",
    "combinations": "combinations",
    "held-out texts whose combination was seen": "combinations seen",
    "readable": "readable",
    "label shown": "label shown",
    "MMD² ratio": "MMD2 ratio",
    "MMD² / noise floor": "MMD2 / noise floor",
    "TV tone": "TV tone",
    "TV style": "TV style",
    "TV length": "TV length",
    "effective": "effective size",
    "largest": "largest weight",
    "acc. tone": "accuracy, tone",
    "acc. sentiment": "accuracy, sentiment",
    "accuracy": "accuracy",
    "macro F1": "macro F1",
    "accuracy, sarcastic": "accuracy, sarcastic",
    "MRR": "MRR",
    "nDCG@10": "nDCG@10",
    "clicks won": "clicks won",
}
UNWEIGHTED_COLUMNS = ("MMD² ratio", "TV length", "effective", "largest")  # not of written texts

_more = partial(Claim, strict=True)


def _nearer(id: str, text: str, measure: str, part: str, arm: str, against: str, **how) -> Claim:
    """A claim that a distance or error of one arm is smaller than that of another."""
    return _more(id, text, Gap(measure, against, arm), at=(part,), **how)


# The bars on the skewed pool, with the default weights; small is good.
BARS = {"MMD2 ratio": 0.06, "MMD2 / noise floor": 1.5, "TV tone": 0.06, "TV style": 0.10,
        "largest weight": 0.02}  # fmt: skip

CLAIMS = (
    _nearer("explore-distance", "picks lie nearer to new texts than random ones",
            "distance", EXPLORATION, GP, RANDOM),
    _nearer("explore-farthest", "the farthest new text is nearer than with random ones",
            "farthest", EXPLORATION, GP, RANDOM),
    *(Claim(f"bar-{measure}", f"small {measure}", Level(measure, TILTING, sign=-1), -bar,
            at=(SKEWED,)) for measure, bar in BARS.items()),
    Claim("bar-effective", "effective size", Level("effective size", TILTING), 300, at=(SKEWED,)),
    # Students of weighted texts should do better where the pool is skewed.
    *(Claim(f"use-{task}", f"weights help a student of the {task}",
            Gap(f"accuracy, {task}", TILTING, UNWEIGHTED), 0.06, paper="students", at=(SKEWED,))
      for task in TASKS),
    *(Claim(f"no-use-{task}", f"weights do not help a student of the {task}",
            Gap(f"accuracy, {task}", UNWEIGHTED, TILTING), -0.02, at=(BALANCED,))
      for task in TASKS),
    *(_more(f"use-written-{task}", f"weights help a student of the {task}",
            Gap(f"accuracy, {task}", ALIGNED, SYNALIGN), paper="students", at=(WRITTEN,))
      for task in TASKS),
    _more("use-tuned", "weights help a fine-tuned model name the sentiment",
          Gap("accuracy", TILTING, UNWEIGHTED), paper="students", at=(STUDENT,)),
    _more("use-retriever", "weights help a retriever (nDCG@10)",
          Gap("nDCG@10", TILTING, UNWEIGHTED), paper="retriever", at=(RETRIEVER,)),
    # What the method is said to suffer from: few real texts, a wrong bandwidth, no classes.
    *(Claim(f"ridge-{task}", f"a ridge beats exact weights ({task})",
            Gap(f"accuracy, {task}", TILTING, EXACT), 0.04, at=(FEW,)) for task in TASKS),
    _nearer("narrow", "a kernel too narrow is farther from the real texts",
            "MMD2 ratio", SKEWED, EXACT, NARROW),
    _nearer("classes", "without classes the labels' shares drift",
            "TV sentiment", SKEWED, TILTING, POOLED),
    # Two calls with attributes against one call with a label, and exploration against chance.
    _more("combinations-label", "attributes make more combinations than a label alone",
          Gap("combinations", SYNALIGN, SIMPLE), at=(WRITTEN,)),
    *(_nearer(f"attributes-{name}", f"attributes bring the {name} nearer than a label alone",
              f"TV {name}", WRITTEN, SYNALIGN, SIMPLE, paper="attributes")
      for name in ("tone", "style")),
    *(_nearer(f"weights-{name}", f"weights bring the {name} nearer still",
              f"TV {name}", WRITTEN, ALIGNED, SYNALIGN, paper="weights")
      for name in ("tone", "style")),
    _more("combinations-explored",
          "explored demonstrations give more combinations than random ones",
          Gap("combinations", SYNALIGN, ANY_DEMONSTRATION), at=(WRITTEN,)),
    Claim("written-noise", "small MMD2 / noise floor of the aligned texts",
          Level("MMD2 / noise floor", ALIGNED, sign=-1), -1.5, at=(WRITTEN,)),
)  # fmt: skip


def table(result: Result, part: str) -> pd.DataFrame:
    """Mean of every arm of one part over the seeds; `-` where an arm has no such number."""
    left_out = UNWEIGHTED_COLUMNS if part == WRITTEN else ()
    columns = {name: measure for name, measure in COLUMNS.items() if name not in left_out}
    return means(result, columns, part=part)


def plot_attributes(result: Result, part: str, axes: Axes) -> None:
    """Total variation of tone (dots) and style (squares) from the real texts, a mark a seed."""
    from ...core.plots import COLOURS

    arms = [arm for arm in table(result, part).index if arm != REAL][::-1]
    marks = {"tone": ("o", "blue", 0.12), "style": ("s", "vermilion", -0.12)}
    for name, (marker, colour, up) in marks.items():
        for height, arm in enumerate(arms):
            numbers = values(result, f"TV {name}", arm, part=part)
            places = np.full(len(numbers), height + up)
            axes.plot(numbers, places, marker, color=COLOURS[colour], alpha=0.6, ms=5)
        axes.annotate(
            name, (np.nanmax(numbers), places[0]), xytext=(6, 0), va="center",
            textcoords="offset points", color=COLOURS[colour],
        )  # fmt: skip
    axes.set_yticks(range(len(arms)), arms)
    axes.set(xlabel="total variation from the real texts (0 = same shares)", xlim=(0, None))


STUDY = Study(
    "synalign", "SynAlign", cases, PRESETS,
    place="{part}",
    claims=CLAIMS,
    tables=(
        Table(table, notes=(
            "MMD² ratio: weighted over unweighted. Noise floor: MMD² of real against real.",
        )),
    ),
    figures=(Figure("attributes", plot_attributes, (6.5, 3.6), at=(SKEWED, WRITTEN)),),
    notes="Reviews, whose attributes are known of every text. Pools with a known distribution are "
    "written by the world itself, the others by the embedded model with a LoRA adapter that "
    "gives it a chat model's habits. Embeddings are TF-IDF with an SVD; students are logistic "
    "regressions on them, or the embedded model.",
    instead='with a real model, see SynAlign(load_lm(...), preset="paper")',
)  # fmt: skip
verdicts, parts = STUDY.verdicts, STUDY.places
