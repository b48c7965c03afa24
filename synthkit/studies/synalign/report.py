"""Report of the SynAlign experiment: its tables, its claims with verdicts, and its figures."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import claims as claims_lab
from ..claims import Claim, gap, level, level_of
from ..measurements import caveats, mean, print_table, save_figure, values
from .experiment import (
    ALIGNED,
    ANY_DEMONSTRATION,
    BALANCED,
    EXACT,
    EXPLORATION,
    FEW,
    GP,
    NARROW,
    POOLED,
    RANDOM,
    REAL,
    RETRIEVER,
    SIMPLE,
    SKEWED,
    STUDENT,
    SYNALIGN,
    TASKS,
    TILTING,
    UNWEIGHTED,
    WRITTEN,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from ..results import Result

# What each part's table shows: the column's name and its measure.
EXPLORED = {
    "distance to the nearest": "distance",
    "farthest": "farthest",
    "combinations": "combinations",
    "held-out texts whose combination was seen": "combinations seen",
}
WEIGHTED = {
    "MMD² ratio": "MMD2 ratio",
    "MMD² floors": "MMD2 floors",
    "TV tone": "TV tone",
    "TV style": "TV style",
    "TV length": "TV length",
    "effective": "effective size",
    "largest": "largest weight",
    "acc. tone": "accuracy, tone",
    "acc. sentiment": "accuracy, sentiment",
}
ASKED = {
    "different": "different texts",
    "combinations": "combinations",
    "readable": "readable",
    "label shown": "label shown",
    "MMD² floors": "MMD2 floors",
    "TV tone": "TV tone",
    "TV style": "TV style",
    "acc. tone": "accuracy, tone",
    "acc. sentiment": "accuracy, sentiment",
}
TAUGHT = {
    "accuracy": "accuracy",
    "macro F1": "macro F1",
    "accuracy, sarcastic": "accuracy, sarcastic",
}
FOUND = {"MRR": "MRR", "nDCG@10": "nDCG@10", "clicks won": "clicks won"}
PARTS = {
    EXPLORATION: EXPLORED,
    SKEWED: WEIGHTED,
    BALANCED: WEIGHTED,
    FEW: WEIGHTED,
    WRITTEN: ASKED,
    STUDENT: TAUGHT,
    RETRIEVER: FOUND,
}


def table(result: Result, part: str) -> pd.DataFrame:
    """Mean of every arm of one part over the seeds; `-` where an arm has no such number."""
    import pandas as pd

    arms = dict.fromkeys(row["arm"] for row in result.measurements if row["part"] == part)
    columns = PARTS[part]
    rows = [
        {"arm": arm, **{k: mean(values(result, m, arm, part=part)) for k, m in columns.items()}}
        for arm in arms
    ]
    return pd.DataFrame(rows, columns=["arm", *columns]).set_index("arm")


def parts(result: Result) -> list[str]:
    """The parts that a run has, in the order of the report."""
    there = {row["part"] for row in result.measurements}
    return [part for part in PARTS if part in there]


def claims(result: Result) -> list[Claim]:
    """Every claim, part by part; those marked as the paper's are what its abstract promises."""
    return [
        *_exploration_claims(result),
        *_distance_claims(result),
        *_use_claims(result),
        *_failure_claims(result),
        *_writing_claims(result),
    ]


def verdicts(result: Result) -> pd.DataFrame:
    """The claims as a table; see `lab.claims.verdicts`."""
    return claims_lab.verdicts(claims(result))


def _exploration_claims(result: Result) -> list[Claim]:
    at = {"where": EXPLORATION, "part": EXPLORATION, "strict": True}
    nearer = "picks lie nearer to new texts than random ones"
    farthest = "the farthest new text is nearer than with random ones"
    return [
        gap(result, nearer, "distance", RANDOM, GP, 0.0, **at),
        gap(result, farthest, "farthest", RANDOM, GP, 0.0, **at),
    ]


def _distance_claims(result: Result) -> list[Claim]:
    """The bars on the skewed pool, with the default weights; small is good unless said."""
    at = {"where": SKEWED, "part": SKEWED}
    most = {"MMD2 ratio": 0.06, "MMD2 floors": 1.5, "TV tone": 0.06, "TV style": 0.10}
    found = [
        level_of(result, f"minus {measure}", measure, TILTING, -bar, sign=-1, **at)
        for measure, bar in {**most, "largest weight": 0.02}.items()
    ]
    return [*found, level_of(result, "effective size", "effective size", TILTING, 300, **at)]


def _use_claims(result: Result) -> list[Claim]:
    """Whether students of weighted texts do better: they should where the pool is skewed."""
    found, pair = [], (TILTING, UNWEIGHTED)
    for task in TASKS:
        measure, text = f"accuracy, {task}", f"weights help a student of the {task}"
        no_help = f"weights do not help a student of the {task}"
        found += [
            gap(result, text, measure, *pair, 0.06, where=SKEWED, in_paper=True, part=SKEWED),
            gap(result, no_help, measure, *reversed(pair), -0.02, where=BALANCED, part=BALANCED),
            gap(result, text, measure, ALIGNED, SYNALIGN, 0.0, where=WRITTEN, strict=True,
                in_paper=True, part=WRITTEN),
        ]  # fmt: skip
    at = {"where": SKEWED, "strict": True, "in_paper": True}
    text, more = "weights help a fine-tuned model name the sentiment", "accuracy"
    found.append(gap(result, text, more, *pair, 0.0, part=STUDENT, **at))
    text = "weights help a retriever (nDCG@10)"
    return [*found, gap(result, text, "nDCG@10", *pair, 0.0, part=RETRIEVER, **at)]


def _failure_claims(result: Result) -> list[Claim]:
    """What the method is said to suffer from: few real texts, a wrong bandwidth, no classes."""
    found = []
    for task in TASKS:
        text, measure = f"a ridge beats exact weights ({task})", f"accuracy, {task}"
        found.append(gap(result, text, measure, TILTING, EXACT, 0.04, where=FEW, part=FEW))
    at = {"part": SKEWED, "where": SKEWED, "strict": True}
    narrow = "a kernel too narrow is farther from the real texts"
    drift = "without classes the labels' shares drift"
    return [
        *found,
        gap(result, narrow, "MMD2 ratio", NARROW, EXACT, 0.0, **at),
        gap(result, drift, "TV sentiment", POOLED, TILTING, 0.0, **at),
    ]


def _writing_claims(result: Result) -> list[Claim]:
    """Two calls with attributes against one call with a label, and exploration against chance."""
    at = {"part": WRITTEN, "where": WRITTEN, "strict": True}
    more = "attributes make more combinations than a label alone"
    found = [gap(result, more, "combinations", SYNALIGN, SIMPLE, 0.0, **at)]
    for name in ("tone", "style"):
        near, measure = f"attributes bring the {name} nearer than a label alone", f"TV {name}"
        still = f"weights bring the {name} nearer still"
        found += [
            gap(result, near, measure, SIMPLE, SYNALIGN, 0.0, in_paper=True, **at),
            gap(result, still, measure, SYNALIGN, ALIGNED, 0.0, in_paper=True, **at),
        ]
    more = "explored demonstrations give more combinations than random ones"
    distance = -values(result, "MMD2 floors", ALIGNED, part=WRITTEN)
    return [
        *found,
        gap(result, more, "combinations", SYNALIGN, ANY_DEMONSTRATION, 0.0, **at),
        level("minus MMD2 floors of the aligned texts", distance, -1.5, where=WRITTEN),
    ]


def show(result: Result, out: Path) -> None:
    """Print a table a part and save the figures of a run to `out`."""
    notes = ("MMD² ratio: weighted over unweighted; floors: in units of real against real.",)
    for part in parts(result):
        title = f"SynAlign, {part}: {result.scale} scale, seeds {result.seeds}"
        print_table(table(result, part), title, (*notes, *caveats(result)))
    claims_lab.print_claims(claims(result))
    for part in (SKEWED, WRITTEN):
        if part in parts(result):
            path = out / f"attributes-{part.split()[0]}.png"
            save_figure(path, partial(plot_attributes, result, part), (6.5, 3.6))


def plot_attributes(result: Result, part: str, axes: Axes) -> None:
    """Total variation of tone (dots) and style (squares) from the real law, a mark a seed."""
    from ...core.plots import OKABE_ITO

    arms = [arm for arm in table(result, part).index if arm != REAL]
    for height, arm in enumerate(reversed(arms)):
        for name, marker, colour in (("tone", "o", "blue"), ("style", "s", "vermilion")):
            numbers = values(result, f"TV {name}", arm, part=part)
            places = np.full(len(numbers), height + (0.12 if name == "tone" else -0.12))
            axes.plot(numbers, places, marker, color=OKABE_ITO[colour], alpha=0.6, ms=5)
            if height == len(arms) - 1:
                axes.annotate(
                    name, (np.nanmax(numbers), places[0]), xytext=(6, 0), va="center",
                    textcoords="offset points", color=OKABE_ITO[colour],
                )  # fmt: skip
    axes.set_yticks(range(len(arms)), list(reversed(arms)))
    axes.set(xlabel="total variation from the real texts (0 = same shares)", xlim=(0, None))
