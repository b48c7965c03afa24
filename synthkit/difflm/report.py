"""What the DiffLM experiment shows: its tables, its claims with verdicts, and its figures."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..lab import claims as claims_lab
from ..lab.claims import Claim, gap, level, level_of
from ..lab.measurements import caveats, mean, print_table, save_figure, values
from .experiment import (
    CENSUS,
    COLLAPSED,
    DIFFUSION,
    FREE,
    INDEPENDENT,
    NORMAL,
    WITHIN,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from ..lab.results import Result

COLUMNS = {
    "AUC": "auc",
    "F1": "f1",
    "RMSE": "rmse",
    "shape error, %": "shape_error",
    "pair error, %": "pair_error_real_bins",
    "C2ST": "c2st",
    "nearer to train": "nearer_train",
    "copies": "copies",
    "rare values": "rare_coverage",
    "pairs, TV": "joint, pairs",
    "triples, TV": "joint, triples",
    "impossible": "joint, impossible rows",
}


def tables(result: Result) -> list[str]:
    """The tables of a run, in its order."""
    return list(dict.fromkeys(row["table"] for row in result.measurements))


def table(result: Result, name: str) -> pd.DataFrame:
    """Mean of every arm over the seeds on one table; columns that no arm has are left out."""
    import pandas as pd

    arms = dict.fromkeys(row["arm"] for row in result.measurements if row["table"] == name)
    rows = [
        {"arm": arm, **{k: mean(values(result, m, arm, table=name)) for k, m in COLUMNS.items()}}
        for arm in arms
        if arm != FREE
    ]
    frame = pd.DataFrame(rows, columns=["arm", *COLUMNS]).set_index("arm")
    return frame.dropna(axis=1, how="all")


def latents(result: Result, name: str) -> pd.DataFrame:
    """Whether the latents are used, and how many rows are valid without the trie."""
    import pandas as pd

    wanted = {
        "rise of a wrong latent": "rise of a wrong latent",
        "active dimensions": "active dimensions",
        "KL, nats": "KL",
        "alarm": "collapsed",
        "valid": "valid",
    }
    rows = []
    for arm in (DIFFUSION, COLLAPSED, FREE):
        found = {k: mean(values(result, m, arm, table=name)) for k, m in wanted.items()}
        if any(value is not None for value in found.values()):
            rows.append({"arm": arm, **found})
    return pd.DataFrame(rows, columns=["arm", *wanted]).set_index("arm")


def claims(result: Result) -> list[Claim]:
    """Every claim on every table that has the numbers for it, from at least three seeds."""
    found = []
    for name in tables(result):
        found += _latent_claims(result, name)
        found += _joint_claims(result, name)
    return found


def verdicts(result: Result) -> pd.DataFrame:
    """The claims as a table: what, where, measured, needed, verdict."""
    return claims_lab.verdicts(claims(result))


def _latent_claims(result: Result, name: str) -> list[Claim]:
    at = {"where": name, "table": name}
    alarm = values(result, "collapsed", COLLAPSED, table=name)
    rise, valid = "rise of a wrong latent", "valid without the trie"
    return [
        *level_of(result, "a wrong latent costs half as much again", rise, DIFFUSION, 0.5, **at),
        *level("a forced collapse raises the alarm", alarm, 1.0, where=name),
        *level_of(result, valid, "valid", FREE, 0.95, **at),
        *gap(result, "latents from the diffusion teach more than from N(0, I)", "auc",
             DIFFUSION, NORMAL, 0.05, **at),
    ]  # fmt: skip


def _joint_claims(result: Result, name: str) -> list[Claim]:
    at = {"where": name, "table": name}
    invalid = -values(result, "invalid", DIFFUSION, table=name)
    found = [
        *level("every row is valid with the trie", invalid, 0.0, where=name),
        *gap(result, "pair error below independent columns", "pair_error_real_bins", INDEPENDENT,
             DIFFUSION, 0.0, strict=True, **at),
        *gap(result, "teaches more than columns independent within classes", "auc", DIFFUSION,
             WITHIN, 0.0, strict=True, **at),
        *level_of(result, "minus C2ST", "c2st", DIFFUSION, -0.90, sign=-1, **at),
    ]  # fmt: skip
    if name == CENSUS:
        text = "triples nearer to the exact law than columns independent within classes"
        found += gap(result, text, "joint, triples", WITHIN, DIFFUSION, 0.0, strict=True, **at)
    return found


def show(result: Result, out: Path) -> None:
    """Print the tables and save the figures of a run to `out`."""
    notes = ("AUC, F1: taught by the table, tested on real rows. C2ST: .5 cannot be told apart.",)
    for name in tables(result):
        title = f"DiffLM, {name}: {result.scale} scale, seeds {result.seeds}"
        print_table(table(result, name), title, (*notes, *caveats(result)))
        print_table(latents(result, name), f"Latents, {name}")
    if len(result.seeds) >= 3:
        print_table(verdicts(result).set_index("claim"), "Claims")
    for name in tables(result):
        save_figure(out / f"pairs-{name}.png", partial(plot_pairs, result, name), (6.5, 3.4))


def plot_pairs(result: Result, name: str, axes: Axes) -> None:
    """Pair error against what the table teaches, a dot a seed, every arm named once."""
    from ..plots import OKABE_ITO

    teaches = "auc" if "AUC" in table(result, name) else "rmse"
    for arm in table(result, name).index:
        x = values(result, "pair_error_real_bins", arm, table=name)
        y = values(result, teaches, arm, table=name)
        if not np.isfinite(x * y).any():
            continue
        colour = OKABE_ITO["vermilion" if arm.startswith("DiffLM") else "blue"]
        axes.plot(x, y, "o", color=colour, alpha=0.6, ms=5)
        axes.annotate(
            arm, (np.nanmax(x), np.nanmean(y)), xytext=(6, 0), textcoords="offset points",
            va="center", color=colour, fontsize=9,
        )  # fmt: skip
    axes.set(xlabel="pair error, % (0 = as the real rows)", xlim=(0, None))
    axes.set_ylabel("AUC on real rows" if teaches == "auc" else "RMSE on real rows")
    axes.margins(x=0.35)
