"""Report of the SPA experiment: its tables, its claims with verdicts, and its figures."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import claims as claims_lab
from ..claims import Claim, gap, level, level_of
from ..measurements import caveats, mean, print_table, save_figure, values
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
    RANDOM,
    WRONG,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from ..results import Result

COLUMNS = {
    "diversity": "diversity",
    "unique": "unique fraction",
    "pass@1": "pass@1",
    "working answers": "working answers",
    "working modes": "working modes",
    "KL": "KL",
    "ARI mode": "adjusted Rand index, mode",
    "ARI topic": "adjusted Rand index, topic",
}
SWEEPS = (*COUNTS, *MIXED)
LEAST_GAIN = {"strong": 0.5, "mild": 0.15}  # of diversity over random parts


def grounds(result: Result) -> list[dict[str, str]]:
    """The labels of each ground of a run, in its order."""
    found = dict.fromkeys((row["world"], row["skew"]) for row in result.measurements)
    return [{"world": world, "skew": skew} for world, skew in found]


def where(ground: dict[str, str]) -> str:
    """A ground in words."""
    return f"{ground['world']}, {ground['skew']} skew"


def table(
    result: Result, ground: dict[str, str], arms: tuple[str, ...] = (*ARMS, *SWEEPS)
) -> pd.DataFrame:
    """Mean of every arm over the seeds on one ground; `-` where an arm has no such number."""
    import pandas as pd

    rows = []
    for arm in arms:
        found = {k: mean(values(result, m, arm, **ground)) for k, m in COLUMNS.items()}
        if found["diversity"] is not None:
            rows.append({"arm": arm, **found})
    return pd.DataFrame(rows).set_index("arm")


def fidelity_table(result: Result) -> pd.DataFrame:
    """Scores against retraining: LDS, and the rise of a query's loss without its best tenth."""
    import pandas as pd

    ground = grounds(result)[0]
    rows = []
    for name in (*METHODS, "random tenth"):
        found = {m: mean(values(result, m, name, **ground)) for m in ("LDS", "rise without")}
        if found["rise without"] is not None:
            rows.append({"method": name, **found})
    return pd.DataFrame(rows, columns=["method", "LDS", "rise without"]).set_index("method")


def claims(result: Result) -> list[Claim]:
    """Every claim on every ground; LDS and removal on the first, where retraining is run."""
    found = []
    for ground in grounds(result):
        for make in (_diversity_claims, _quality_claims, _partition_claims):
            found += make(result, ground)
    return found + _fidelity_claims(result, grounds(result)[0])


def verdicts(result: Result) -> pd.DataFrame:
    """The claims as a table; see `lab.claims.verdicts`."""
    return claims_lab.verdicts(claims(result))


def _diversity_claims(result: Result, ground: dict[str, str]) -> list[Claim]:
    least, at = LEAST_GAIN[ground["skew"]], {"where": where(ground), **ground}
    words = 0.5 if ground["world"] == "records" and ground["skew"] == "strong" else 0.0
    alone = values(result, "diversity", GREEDY, **ground)
    return [
        gap(result, "more diverse than random parts", "diversity", INFLUENCE, RANDOM, least,
            in_paper=True, **at),
        gap(result, "more diverse than BM25+ parts", "diversity", INFLUENCE, BM25, words,
            in_paper=True, **at),
        gap(result, "more diverse than temperature 1", "diversity", INFLUENCE, HOT, 0.0, **at),
        level("one adapter, greedy, is never diverse", -alone, 0.0, where=where(ground)),
    ]  # fmt: skip


def _quality_claims(result: Result, ground: dict[str, str]) -> list[Claim]:
    at, more = {"where": where(ground), **ground}, "more working answers than temperature 1"
    return [
        gap(result, "as right as one adapter, greedy", "pass@1", INFLUENCE, GREEDY, -0.02,
            in_paper=True, **at),
        gap(result, "at least as right as temperature 1", "pass@1", INFLUENCE, HOT, 0.0, **at),
        gap(result, more, "working answers", INFLUENCE, HOT, 0.0, strict=True, **at),
    ]  # fmt: skip


def _partition_claims(result: Result, ground: dict[str, str]) -> list[Claim]:
    measure, at = "adjusted Rand index, mode", {"where": where(ground), **ground}
    by_chance = -np.abs(values(result, measure, RANDOM, **ground))
    return [
        level_of(result, "influence finds the modes (ARI)", measure, INFLUENCE, 0.5, **at),
        level("random parts do not (|ARI|)", by_chance, -0.02, where=where(ground)),
        gap(result, "the right sign finds more than the wrong one (ARI)", measure, INFLUENCE,
            WRONG, 0.2, **at),
    ]  # fmt: skip


def _fidelity_claims(result: Result, ground: dict[str, str]) -> list[Claim]:
    at, found = {"where": where(ground), **ground}, []
    for name in METHODS:
        text = f"loss rises more without the best tenth of {name} than of random rows"
        found += [
            level_of(result, f"LDS of {name}", "LDS", name, 0.3, **at),
            gap(result, text, "rise without", name, "random tenth", 0.0, **at),
        ]
    return found


def show(result: Result, out: Path) -> None:
    """Print a table a ground and save the figures of a run to `out`."""
    notes = ["All of one adapter a part are greedy; modes: right answers that differ in kind."]
    for ground in grounds(result):
        title = f"SPA, {where(ground)}: {result.scale} scale, seeds {result.seeds}"
        print_table(table(result, ground), title, (*notes, *caveats(result)))
    claims_lab.print_claims(claims(result))
    for ground in grounds(result):
        path = out / f"diversity-{ground['world']}-{ground['skew']}.png"
        save_figure(path, partial(plot_modes, result, ground), (6.5, 4))


def plot_modes(result: Result, ground: dict[str, str], axes: Axes) -> None:
    """Kinds of right answer a prompt, a dot a seed and a bar for the mean; beside it pass@1."""
    from ...core.plots import OKABE_ITO

    frame = table(result, ground, ARMS).sort_values("working modes")
    for height, (arm, row) in enumerate(frame.iterrows()):
        numbers = values(result, "working modes", arm, **ground)
        alone = arm not in PARTS
        name = "black" if alone else "vermilion" if arm.startswith(INFLUENCE) else "blue"
        dot = {"marker": "s" if alone else "o", "color": OKABE_ITO[name]}
        axes.plot(numbers, np.full(len(numbers), height), ls="", ms=5, alpha=0.5, **dot)
        axes.plot(np.nanmean(numbers), height, "|", color=OKABE_ITO[name], ms=14, mew=2.5)
        right = f"{row['pass@1']:.2f}"
        axes.annotate(right, (1.02, height), xycoords=("axes fraction", "data"), va="center")
    axes.annotate("right", (1.02, -0.1), xycoords="axes fraction", annotation_clip=False)
    axes.set_yticks(range(len(frame)), list(frame.index))
    axes.set_xlabel("kinds of right answer, a prompt")
