"""Report of the SoftSRV experiment: its tables, its claims with verdicts, and its figures."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import claims as claims_lab
from ..claims import Claim, gap, level
from ..measurements import caveats, mean, print_table, save_figure, values
from .experiment import ARMS, DIAL, ENGINEERED, REAL, TEMPERATURES, VARIANTS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from ..results import Result

COLUMNS = {
    "loss": "loss",
    "MAUVE": "MAUVE",
    "well formed": "well formed",
    "joint TV": "TV, joint",
    "copies of own": "near copies, own",
    "copies of any": "near copies, train",
    "student": "student accuracy",
    "student loss": "student loss",
}
SMALL = "SSMC, small context"
CONTEXTUAL = tuple(name for name in VARIANTS if name != "SSNP")


def worlds(result: Result) -> list[str]:
    """The worlds of a run, in its order."""
    return list(dict.fromkeys(row["world"] for row in result.measurements))


def table(result: Result, world: str, arms: tuple[str, ...] = ARMS) -> pd.DataFrame:
    """Mean of every arm over the seeds in one world; `-` where an arm has no such number."""
    import pandas as pd

    rows = []
    for arm in arms:
        found = {k: mean(values(result, m, arm, world=world)) for k, m in COLUMNS.items()}
        if found["MAUVE"] is not None:
            rows.append({"arm": arm, **found})
    return pd.DataFrame(rows).set_index("arm")


def claims(result: Result) -> list[Claim]:
    """Every claim in every world of the run."""
    found = []
    for world in worlds(result):
        for make in (_loss_claims, _match_claims, _copy_claims, _use_claims):
            found += make(result, world)
    return found


def verdicts(result: Result) -> pd.DataFrame:
    """The claims as a table; see `lab.claims.verdicts`."""
    return claims_lab.verdicts(claims(result))


def _loss_claims(result: Result, world: str) -> list[Claim]:
    entropy = values(result, "entropy", "target", world=world)
    passed = {
        name: entropy - values(result, "loss", name, world=world) for name in ("SSMC", "SSNP")
    }
    return [
        gap(result, "SSNP above SSMP8 in loss", "loss", "SSNP", "SSMP8", 0.10, world=world),
        gap(result, "SSNP above SSMC in loss", "loss", "SSNP", "SSMC", 0.12, world=world),
        level("SSMC below the target's entropy", passed["SSMC"], 0.0, where=world),
        level("SSNP not below the target's entropy", -passed["SSNP"], -0.02, where=world),
    ]


def _match_claims(result: Result, world: str) -> list[Claim]:
    """That prompts learned match better than prompts written is the paper's; the rest is ours."""
    best = _best_contextual(result, world)
    text = f"best contextual variant ({best}) near real against real"
    wanted = [
        ("SSNP above the engineered template in MAUVE", "SSNP", ENGINEERED, 0.10, True),
        ("SSMP8 above SSNP in MAUVE", "SSMP8", "SSNP", 0.25, False),
        (text, best, REAL, -0.08, False),
    ]
    return [
        gap(result, text, "MAUVE", arm, against, least, in_paper=paper, world=world)
        for text, arm, against, least, paper in wanted
    ]


def _copy_claims(result: Result, world: str) -> list[Claim]:
    text, measure = "small context copies no more than chance + .10", "near copies, train"
    return [gap(result, text, measure, REAL, SMALL, -0.10, world=world)]


def _use_claims(result: Result, world: str) -> list[Claim]:
    """By accuracy, and by the loss on the right answers, which still tells where all are right.

    The paper's students are better by accuracy, of its method against written prompts.
    """
    found, at = [], {"strict": True, "world": world}
    for name in CONTEXTUAL:
        for other in (ENGINEERED, "SSNP"):
            text, theirs = f"student of {name} better than of {other}", other == ENGINEERED
            found += [
                gap(result, text, "student accuracy", name, other, 0.0, in_paper=theirs, **at),
                gap(result, f"{text} (loss)", "student loss", other, name, 0.0, **at),
            ]
    return found


def _best_contextual(result: Result, world: str) -> str:
    """The contextual variant of highest mean MAUVE."""
    scores = {name: mean(values(result, "MAUVE", name, world=world)) for name in CONTEXTUAL}
    known = {name: score for name, score in scores.items() if score is not None}
    return max(known, key=known.get) if known else CONTEXTUAL[0]


def dial(result: Result, world: str) -> pd.DataFrame:
    """What wider contexts pass and what it costs: nats a text, near copies, MAUVE."""
    import pandas as pd

    widths = {8: SMALL, **{width: f"context of {width}" for width in DIAL}}
    arms = {str(width): widths[width] for width in sorted(widths)}
    arms = {"none (SSNP)": "SSNP", **arms, "all (SSMC)": "SSMC"}
    rows = []
    for name, arm in arms.items():
        loss = values(result, "loss", arm, world=world)
        if not np.isfinite(loss).any():
            continue
        entropy = values(result, "entropy", "target", world=world)
        tokens = values(result, "entropy per text", "target", world=world) / entropy
        rows.append(
            {
                "context": name,
                "nats passed": mean((entropy - loss) * tokens, 2),
                "copies of own": mean(values(result, "near copies, own", arm, world=world)),
                "copies of any": mean(values(result, "near copies, train", arm, world=world)),
                "MAUVE": mean(values(result, "MAUVE", arm, world=world)),
            }
        )
    return pd.DataFrame(rows).set_index("context")


def sweep(result: Result, world: str, arms: list[str]) -> pd.DataFrame:
    """Loss, match, copies and form of the given arms."""
    import pandas as pd

    columns = {k: COLUMNS[k] for k in ("loss", "MAUVE", "well formed", "joint TV", "copies of any")}
    rows = []
    for arm in arms:
        found = {k: mean(values(result, m, arm, world=world)) for k, m in columns.items()}
        if found["MAUVE"] is not None:
            rows.append({"arm": arm, **found})
    return pd.DataFrame(rows).set_index("arm")


def temperature_arms(name: str = SMALL) -> list[str]:
    """The arms of the sweep over temperatures, the one at 1, and of contexts between two texts."""
    return [*(f"{name}, temperature {t}" for t in TEMPERATURES), name, f"{name}, mixed contexts"]


def show(result: Result, out: Path) -> None:
    """Print a table a world and save the figures of a run to `out`."""
    notes = ["MAUVE: 1 = the same distribution; its ceiling here is the first line."]
    for world in worlds(result):
        title = f"SoftSRV, target in the {world} world: {result.scale} scale, seeds {result.seeds}"
        print_table(table(result, world), title, (*notes, *caveats(result)))
    claims_lab.print_claims(claims(result))
    for world in worlds(result):
        save_figure(out / f"match-{world}.png", partial(plot_match, result, world), (6.5, 3.4))


def plot_match(result: Result, world: str, axes: Axes) -> None:
    """MAUVE of every arm, a dot a seed, and the mean as a bar."""
    from ...core.plots import OKABE_ITO

    arms = list(table(result, world).index)
    for height, arm in enumerate(reversed(arms)):
        numbers = values(result, "MAUVE", arm, world=world)
        colour = OKABE_ITO["vermilion"] if arm in VARIANTS else OKABE_ITO["blue"]
        axes.plot(numbers, np.full(len(numbers), height), "o", color=colour, alpha=0.5)
        axes.plot(np.nanmean(numbers), height, "|", color=colour, markersize=16, mew=2.5)
    axes.set_yticks(range(len(arms)), list(reversed(arms)))
    axes.set(xlim=(-0.02, 1.02), xlabel="MAUVE against real texts (1 = same distribution)")


def plot_dial(result: Result, world: str, axes: Axes) -> None:
    """Match and near copies of their own text against the nats a context passes."""
    from ...core.plots import OKABE_ITO

    frame = dial(result, world)
    for column, colour, marker in (("MAUVE", "blue", "o"), ("copies of own", "vermilion", "s")):
        there = frame[frame[column].notna()]
        axes.plot(there["nats passed"], there[column], marker, ls="-", color=OKABE_ITO[colour])
        axes.annotate(
            column, (there["nats passed"].iloc[-1], there[column].iloc[-1]), xytext=(6, 0),
            textcoords="offset points", color=OKABE_ITO[colour], va="center",
        )  # fmt: skip
    axes.set(xlabel="nats a text that the context passes", ylabel="share", ylim=(-0.02, 1.05))
    axes.margins(x=0.25)
