"""Report of the EmbedSDG experiment: its table, its claims with verdicts, and its figures."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.intervals import Interval
from .. import claims as claims_lab
from .. import measurements
from ..claims import Claim, gap, level_of
from ..measurements import caveats, mean, print_table, save_figure, values
from .experiment import ARMS, BASELINE, CEILING, METHOD, NO_DATA

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from ..results import Result

ORDER = (NO_DATA, *ARMS, CEILING)


def difference(
    result: Result, arm: str, against: str = BASELINE, measure: str = "accuracy (retrain)"
) -> Interval:
    """The paired difference of two arms' accuracies (see `lab.measurements.difference`)."""
    return measurements.difference(result, measure, arm, against)


def claims(result: Result) -> list[Claim]:
    """The paper's claims on accuracy and density, and those that its comparison leaves open."""
    accuracy, seeds, where = "accuracy (retrain)", "rare share of seeds", "math"
    pairs, sparse = "random, pair", "sparse, pair"
    compared = [
        ("EmbedSDG teaches more than random single seeds", accuracy, METHOD, BASELINE, True),
        ("EmbedSDG teaches more than random pairs", accuracy, METHOD, pairs, False),
        ("sparse pairs teach more than random pairs", accuracy, sparse, pairs, False),
        ("the sketch adds to sparse pairs", accuracy, METHOD, sparse, False),
        ("rows even over families teach more than random", accuracy, CEILING, BASELINE, False),
        ("EmbedSDG's seeds have more rare families", seeds, METHOD, pairs, False),
    ]
    found = [
        gap(result, text, measure, arm, against, 0.0, where=where, strict=True, in_paper=paper)
        for text, measure, arm, against, paper in compared
    ]
    related = {"per-example Spearman": False, "within-family Spearman": False,
               "45-bin Pearson": True}  # fmt: skip
    for measure, paper in related.items():
        text, how = f"accuracy rises with density ({measure})", {"strict": True, "where": where}
        found.append(level_of(result, text, measure, "student", 0.0, in_paper=paper, **how))
    return found


def verdicts(result: Result) -> pd.DataFrame:
    """The claims as a table; see `lab.claims.verdicts`."""
    return claims_lab.verdicts(claims(result))


def table(result: Result) -> pd.DataFrame:
    """Mean of every arm over seeds: accuracies, rare shares, and the difference to the baseline."""
    import pandas as pd

    columns = {
        "accuracy": "accuracy (retrain)",
        "rare families": "rare accuracy (retrain)",
        "continue": "accuracy (continue)",
        "rare seeds": "rare share of seeds",
        "rare rows": "rare share of rows",
    }
    rows = []
    for arm in ORDER:
        found = {name: values(result, measure, arm) for name, measure in columns.items()}
        if not np.isfinite(found["accuracy"]).any():
            continue
        means = {name: mean(numbers) for name, numbers in found.items()}
        rows.append({"arm": arm, **means, "against baseline": _against(result, arm)})
    return pd.DataFrame(rows).set_index("arm")


def _against(result: Result, arm: str) -> str:
    if arm == BASELINE:
        return "-"
    try:
        found = difference(result, arm)
    except ValueError:
        gap = values(result, "accuracy (retrain)", arm) - values(
            result, "accuracy (retrain)", BASELINE
        )
        return f"{np.nanmean(gap):+.3f} (n={np.isfinite(gap).sum()})"
    return f"{found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def show(result: Result, shown: dict[str, Any] | None, out: Path) -> None:
    """Print the table and save the figures of a run to `out`."""
    notes = [
        "accuracy: of a student retrained on D and the arm's rows, on a test balanced over "
        f"families; the baseline is {BASELINE!r}."
    ]
    title = f"EmbedSDG in the math world: {result.scale} scale, seeds {result.seeds}"
    print_table(table(result), title, (*notes, *caveats(result)))
    claims_lab.print_claims(claims(result))
    save_figure(out / "accuracy.png", partial(plot_arms, result), (6.5, 3.4))
    if shown:
        drawn = partial(plot_map, shown["method"], shown["data"])
        save_figure(out / "map.png", drawn, (5, 4))


def plot_arms(result: Result, axes: Axes, measure: str = "accuracy (retrain)") -> None:
    """Every seed of every arm as a dot, its mean as a bar; the baseline's mean as a line."""
    from ...core.plots import OKABE_ITO

    arms = [arm for arm in ORDER if np.isfinite(values(result, measure, arm)).any()]
    for height, arm in enumerate(reversed(arms)):
        numbers = values(result, measure, arm)
        colour = OKABE_ITO["vermilion"] if arm == METHOD else OKABE_ITO["blue"]
        axes.plot(numbers, np.full(len(numbers), height), "o", color=colour, alpha=0.5)
        axes.plot(np.nanmean(numbers), height, "|", color=colour, markersize=18, mew=2.5)
    axes.axvline(np.nanmean(values(result, measure, BASELINE)), color="0.7", lw=1, zorder=0)
    axes.set_yticks(range(len(arms)), list(reversed(arms)))
    axes.set_xlabel("accuracy on a test balanced over families")


def plot_map(method, data, axes: Axes) -> None:
    """D on the student's map, rare families apart from frequent ones by colour and shape."""
    from ...core.plots import OKABE_ITO

    rare = np.array([row["family"] in data.rare for row in data.real])
    for mask, name, marker, colour in (
        (~rare, "frequent families", ".", OKABE_ITO["sky"]),
        (rare, "rare families", "x", OKABE_ITO["vermilion"]),
    ):
        axes.plot(*method.map.points[mask][:, :2].T, marker, color=colour, ms=4, label=name)
    axes.set(xlabel="first component", ylabel="second component")
    axes.legend(loc="best", fontsize=9)
