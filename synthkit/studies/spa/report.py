"""The SPA study: its claims, its tables and its figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..claims import Claim, Gap, Level
from ..measurements import means
from ..report import plot_arms
from ..study import Figure, Study, Table
from .experiment import (
    ARMS,
    BM25,
    COUNTS,
    GREEDY,
    HOT,
    INFLUENCE,
    METHODS,
    MIXED,
    PARTS,
    PRESETS,
    RANDOM,
    WRONG,
    cases,
)
from .testbeds import PLACE, TESTBEDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes

    from ..results import Result

SAME = ("pass@1", "working answers", "working modes", "KL")  # named as they are measured
ARI = "adjusted Rand index, mode"
COLUMNS = {"diversity": "diversity", "unique": "unique fraction", **dict(zip(SAME, SAME))}
COLUMNS |= {"ARI mode": ARI, "ARI topic": "adjusted Rand index, topic"}
SWEEPS = (*COUNTS, *MIXED)
FIRST = "records, strong skew"  # where scores are held against retraining
LEAST_GAIN = {  # of diversity over random parts
    name: {"strong": 0.5, "mild": 0.15}[about["skew"]] for name, about in TESTBEDS.items()
}

CLAIMS = (
    Claim("diversity-random", "more diverse than random parts",
          Gap("diversity", INFLUENCE, RANDOM), LEAST_GAIN,
          paper="diversity-random"),
    Claim("diversity-lexical", "more diverse than BM25+ parts", Gap("diversity", INFLUENCE, BM25),
          {name: 0.5 * (name == FIRST) for name in TESTBEDS}, paper="diversity-lexical"),
    Claim("diversity-temperature", "more diverse than temperature 1",
          Gap("diversity", INFLUENCE, HOT)),
    Claim("diversity-alone", "one adapter, greedy, is never diverse",
          Level("diversity", GREEDY, sign=-1)),
    Claim("right-alone", "as right as one adapter, greedy", Gap("pass@1", INFLUENCE, GREEDY), -0.02,
          paper="pass-1"),
    Claim("right-temperature", "at least as right as temperature 1",
          Gap("pass@1", INFLUENCE, HOT)),
    Claim("working-temperature", "more working answers than temperature 1",
          Gap("working answers", INFLUENCE, HOT), strict=True),
    Claim("modes", "influence finds the modes (ARI)", Level(ARI, INFLUENCE), 0.5),
    Claim("modes-random", "random parts do not (|ARI|)",
          Level(ARI, RANDOM, sign=-1, absolute=True), -0.02),
    Claim("modes-sign", "the right sign finds more than the wrong one (ARI)",
          Gap(ARI, INFLUENCE, WRONG), 0.2),
    *(Claim(f"lds-{name}", f"LDS of {name}", Level("LDS", name), 0.3, at=(FIRST,))
      for name in METHODS),
    *(Claim(f"removal-{name}",
            f"loss rises more without the best tenth of {name} than of random rows",
            Gap("rise without", name, "random tenth"), at=(FIRST,)) for name in METHODS),
)  # fmt: skip


def table(result: Result, place: str, arms: Sequence[str] = (*ARMS, *SWEEPS)) -> pd.DataFrame:
    """Mean of every arm over the seeds in one testbed; `-` where an arm has no such number."""
    return means(result, COLUMNS, arms, **TESTBEDS[place])


def fidelity_table(result: Result, place: str = FIRST) -> pd.DataFrame:
    """Scores against retraining: LDS, and the rise of a query's loss without its best tenth."""
    columns = {"LDS": "LDS", "rise without": "rise without"}
    frame = means(result, columns, (*METHODS, "random tenth"), **TESTBEDS[place])
    return frame.rename_axis("method")


def plot_modes(result: Result, place: str, axes: Axes) -> None:
    """Kinds of right answer per prompt: a dot per seed, a bar at the mean; beside it pass@1."""
    at, frame = TESTBEDS[place], table(result, place, ARMS).sort_values("working modes")
    colours = dict.fromkeys(set(ARMS) - set(PARTS), "black")
    colours |= {arm: "vermilion" for arm in PARTS if arm.startswith(INFLUENCE)}
    arms, label = list(frame.index)[::-1], "kinds of right answer per prompt"
    plot_arms(result, axes, "working modes", arms, colours, label=label, **at)
    for height, right in enumerate(frame["pass@1"]):
        axes.annotate(
            f"{right:.2f}", (1.02, height), xycoords=("axes fraction", "data"), va="center"
        )
    axes.annotate("right", (1.02, -0.1), xycoords="axes fraction", annotation_clip=False)


STUDY = Study(
    "spa", "SPA", cases, PRESETS,
    place=PLACE,
    claims=CLAIMS,
    tables=(
        Table(table, notes=(
            "All of one adapter a part are greedy; modes: right answers that differ in kind.",
        )),
    ),
    figures=(Figure("diversity", plot_modes, (6.5, 4)),),
    notes="Base, reference and parts are LoRA on the embedded model. Modes: orders of three "
    "statements (records), styles of a program (code); programs are judged by their tests.",
    instead='with a real model, see SPA(load_lm(...), preset="paper")',
)  # fmt: skip
verdicts, testbeds = STUDY.verdicts, STUDY.places
