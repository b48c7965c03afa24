"""The EmbedSDG study: its claims, its table and its figure."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ...core.intervals import Interval
from ...embedsdg.synthesizer import PRESETS as METHOD_PRESETS
from .. import measurements
from ..claims import Claim, Gap, Level
from ..measurements import means, values
from ..report import plot_arms as plot_dots
from ..study import Figure, Study, Table, settings_with
from .experiment import ARMS, BASELINE, CEILING, METHOD, NO_DATA, PRESETS, WORLD, cases

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from ..results import Result

ORDER = (NO_DATA, *ARMS, CEILING)
ACCURACY = "accuracy (retrain)"
COLUMNS = {
    "accuracy": ACCURACY,
    "rare families": "rare accuracy (retrain)",
    "continue": "accuracy (continue)",
    "rare seeds": "rare share of seeds",
    "rare rows": "rare share of rows",
}
RANDOM, SPARSE = "random, pair", "sparse, pair"

_more = partial(Claim, strict=True)
CLAIMS = (
    _more("seeds", "EmbedSDG's students beat those of random single seeds",
          Gap(ACCURACY, METHOD, BASELINE), paper="better-than-random"),
    _more("pairs", "EmbedSDG's students beat those of random pairs", Gap(ACCURACY, METHOD, RANDOM)),
    _more("sparse", "students of sparse pairs beat those of random pairs",
          Gap(ACCURACY, SPARSE, RANDOM)),
    _more("sketch", "the sketch adds to sparse pairs", Gap(ACCURACY, METHOD, SPARSE)),
    _more("even", "students of rows even over families beat those of random",
          Gap(ACCURACY, CEILING, BASELINE)),
    _more("rare", "EmbedSDG's seeds have more rare families",
          Gap("rare share of seeds", METHOD, RANDOM)),
    _more("density", "accuracy rises with density (per-example Spearman)",
          Level("per-example Spearman", "student")),
    _more("density-within", "accuracy rises with density (within-family Spearman)",
          Level("within-family Spearman", "student")),
    _more("density-binned", "accuracy rises with density (45-bin Pearson)",
          Level("45-bin Pearson", "student"), paper="density-pearson"),
)  # fmt: skip


def difference(
    result: Result, arm: str, against: str = BASELINE, measure: str = ACCURACY
) -> Interval:
    """The paired difference of two arms' accuracies (see `measurements.difference`)."""
    return measurements.difference(result, measure, arm, against)


def table(result: Result, place: str = WORLD) -> pd.DataFrame:
    """Mean of every arm over seeds: accuracies, rare shares, and the difference to the baseline."""
    frame = means(result, COLUMNS, ORDER)
    frame["against baseline"] = [_against(result, arm) for arm in frame.index]
    return frame


def _against(result: Result, arm: str) -> str:
    if arm == BASELINE:
        return "-"
    gap = values(result, ACCURACY, arm) - values(result, ACCURACY, BASELINE)
    n = int(np.isfinite(gap).sum())
    if n < 3:
        return f"{np.nanmean(gap):+.3f} (n={n})" if n else "-"
    found = difference(result, arm)
    return f"{found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def plot_arms(result: Result, axes: Axes, measure: str = ACCURACY) -> None:
    """Every seed of every arm as a dot, its mean as a bar; the baseline's mean as a line."""
    label = "accuracy on a test balanced over families"
    plot_dots(result, axes, measure, ORDER, {METHOD: "vermilion"}, label=label)
    baseline = values(result, measure, BASELINE)
    if np.isfinite(baseline).any():
        axes.axvline(np.nanmean(baseline), color="0.7", lw=1, zorder=0)


STUDY = Study(
    "embedsdg", "EmbedSDG", cases, PRESETS,
    place=WORLD,
    claims=CLAIMS,
    tables=(
        Table(table, notes=(
            "accuracy: of a student retrained on D and the arm's rows, on a test balanced over "
            f"families; the baseline is {BASELINE!r}.",
        )),
    ),
    figures=(Figure("accuracy", lambda result, place, axes: plot_arms(result, axes)),),
    notes="Students are the embedded model with a LoRA adapter; the teacher is the world's "
    "oracle; tests are balanced over families. Arms of one seed share D, tests and seed.",
    instead="with a real model and teacher, see EmbedSDG and export_prompts",
    settings=settings_with(METHOD_PRESETS),
)  # fmt: skip
verdicts = STUDY.verdicts
