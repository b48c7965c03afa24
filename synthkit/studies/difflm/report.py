"""Report of the DiffLM experiment: its tables, its claims with verdicts, and its figures.

"Pair error" is everywhere the one with the bins of the real table on both sides. SDMetrics gives
each table bins over its own range, so that a single extreme value moves all of them; its own form,
which papers print, stands beside it where the two differ.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...core.intervals import mean_interval, paired_interval
from .. import claims as claims_lab
from ..claims import Claim, gap, level, level_of
from ..measurements import caveats, mean, print_table, save_figure, values
from .experiment import (
    BAYES,
    COLLAPSED,
    DIFFUSION,
    FEW,
    FREE,
    FREE_SHARP,
    FREELY,
    INDEPENDENT,
    INJECTED,
    MIXES,
    NORMAL,
    OTHERS,
    REAL,
    WITHIN,
    mixed_arm,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from ..results import Result

# Written down before the study. Adult: about what 1,000 real rows teach. Default: what they taught
# in a pilot; columns independent within classes are a claim of their own. MAGIC: an aim, above what
# such columns taught.
AUC_BARS = {"adult": 0.88, "default": 0.716, "magic": 0.90}
PAIRS = "pair error, %"  # with the bins of the real table, see above
OWN_BINS = "pair error, %: own bins of each table"
BINS_DIFFER = 0.5  # in %: from there on both pair errors are shown
COLUMNS = {
    "AUC": "auc",
    "F1": "f1",
    "RMSE": "rmse",
    "R²": "r2",
    "shape error, %": "shape_error",
    PAIRS: "pair_error_real_bins",
    OWN_BINS: "pair_error",
    "C2ST": "c2st",
    "nearer to train": "nearer_train",
    "copies": "copies",
    "real rows copied by chance": "natural_copies",
    "rare values": "rare_coverage",
    "pairs, TV": "joint, pairs",
    "triples, TV": "joint, triples",
    "impossible": "joint, impossible rows",
}


def tables(result: Result) -> list[str]:
    """The tables of a run, in its order."""
    return list(dict.fromkeys(row["table"] for row in result.measurements))


def table(result: Result, name: str) -> pd.DataFrame:
    """Mean of every arm over the seeds on one table; columns that no arm has are left out.

    "pair error, %" is measured with the bins of the real table on both sides. SDMetrics gives each
    table bins over its own range, so that one extreme value moves all of them; that form has a
    column of its own where it differs by more than 0.5 % in some arm and seed. "copies" is the
    share of an arm's rows that equal a training row, "real rows copied by chance" the same share of
    real rows that are held out. "the exact law", where it is known, predicts the target as well as
    anything can.
    """
    import pandas as pd

    arms = dict.fromkeys(row["arm"] for row in result.measurements if row["table"] == name)
    apart = {*FREELY, *map(mixed_arm, MIXES)}
    rows = [
        {"arm": arm, **{k: mean(values(result, m, arm, table=name)) for k, m in COLUMNS.items()}}
        for arm in sorted(arms, key=lambda arm: arm != BAYES)  # the bound first
        if arm not in apart
    ]
    frame = pd.DataFrame(rows, columns=["arm", *COLUMNS]).set_index("arm")
    if not any(bins_differ(result, name, arm) for arm in frame.index):
        frame = frame.drop(columns=OWN_BINS)
    return frame.dropna(axis=1, how="all")


def bins_differ(result: Result, name: str, arm: str) -> bool:
    """Whether SDMetrics' own pair error of an arm is another, on some seed."""
    own, real = (
        values(result, measure, arm, table=name) for measure in ("pair_error", COLUMNS[PAIRS])
    )
    return bool((np.abs(own - real) > BINS_DIFFER).any())


def below_exact(result: Result, name: str) -> pd.DataFrame:
    """How much less each arm teaches than the exact law knows, as AUC; empty where none is known.

    One row an arm: the paired difference to "the exact law" on the same test rows, over the seeds,
    with its interval where there are three. Sampling error can make it negative.
    """
    import pandas as pd

    best, rows = values(result, "auc", BAYES, table=name), {}
    for arm in table(result, name).index.drop(BAYES, errors="ignore"):
        found = values(result, "auc", arm, table=name)
        both = np.isfinite(best) & np.isfinite(found)
        if both.sum() >= 3:
            rows[arm] = str(paired_interval(best[both], found[both]))
        elif both.any():
            rows[arm] = f"{(best - found)[both].mean():+.3f}"
    frame = pd.DataFrame({"AUC below the exact law": rows}, dtype=object)
    return frame.rename_axis("arm")


def latents(result: Result, name: str) -> pd.DataFrame:
    """Whether the latents are used, and how many rows are valid without the trie."""
    import pandas as pd

    wanted = {
        "rise of a wrong latent": "rise of a wrong latent",
        "share of active dimensions": "active dimensions",
        "KL, nats": "KL",
        "alarm": "collapsed",
        "valid": "valid",
    }
    rows = []
    for arm in (DIFFUSION, *INJECTED, COLLAPSED, *FREELY):
        found = {k: mean(values(result, m, arm, table=name)) for k, m in wanted.items()}
        if any(value is not None for value in found.values()):
            rows.append({"arm": arm, **found})
    return pd.DataFrame(rows, columns=["arm", *wanted]).set_index("arm")


def teaches(result: Result, name: str) -> str:
    """The measure of what a table teaches, larger is better: AUC, or R2 of a numeric target."""
    found = {row["measure"] for row in result.measurements if row["table"] == name}
    return "auc" if "auc" in found else "r2"


def mixes(result: Result) -> pd.DataFrame:
    """What real rows teach with synthetic rows beside them, on every table: AUC, or R2.

    Columns are the shares of synthetic rows that are added; a cell is the change against the real
    rows alone, over the seeds, with its interval where there are three.
    """
    import pandas as pd

    rows = {}
    for name in tables(result):
        measure = teaches(result, name)
        real = values(result, measure, REAL, table=name)
        row = {"real alone": f"{np.nanmean(real):.3f}" if np.isfinite(real).any() else "-"}
        for share in MIXES:
            both = values(result, measure, mixed_arm(share), table=name) - real
            both = both[np.isfinite(both)]
            if len(both):
                told = mean_interval(both) if len(both) >= 3 else f"{both.mean():+.3f}"
                row[f"+ {share:.0%}"] = str(told)
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index")


TIMES = {"seconds": 1, "sampling seconds": 1, "epochs": 2, "rows": 2}  # digits that are shown


def times(result: Result) -> pd.DataFrame:
    """CPU seconds and epochs that each method took on every table, means over the seeds.

    "CPU seconds" are those of the fit. DiffLM's sampling, of as many rows as there are to learn
    from, is apart (None where a run did not measure it).
    """
    import pandas as pd

    rows = []
    for name in tables(result):
        for arm in (DIFFUSION, *OTHERS):
            seconds, sampling, *rest = (
                mean(values(result, measure, arm, table=name), digits)
                for measure, digits in TIMES.items()
            )
            if seconds is not None or sampling is not None:
                rows.append((name, arm, seconds, sampling, *rest))
    columns = ["table", "method", "CPU seconds", "CPU seconds of sampling", "epochs",
               "rows made / asked for"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns).set_index(["table", "method"])


def claims(result: Result) -> list[Claim]:
    """Every claim on every table."""
    found = []
    for name in tables(result):
        for make in (_latent_claims, _joint_claims, _rival_claims):
            found += make(result, name)
    return found


def verdicts(result: Result) -> pd.DataFrame:
    """The claims as a table; see `lab.claims.verdicts`."""
    return claims_lab.verdicts(claims(result))


def _latent_claims(result: Result, name: str) -> list[Claim]:
    at, measure = {"where": name, "table": name}, teaches(result, name)
    alarm = values(result, "collapsed", COLLAPSED, table=name)
    rise, valid = "rise of a wrong latent", "valid without the trie"
    return [
        level_of(result, "a wrong latent costs half as much again", rise, DIFFUSION, 0.5, **at),
        level("a forced collapse raises the alarm", alarm, 1.0, where=name),
        level_of(result, valid, "valid", FREE, 0.95, **at),
        level_of(result, f"{valid}, at temperature 0.5", "valid", FREE_SHARP, 0.95, **at),
        gap(result, "latents from the diffusion teach more than from N(0, I)", measure, DIFFUSION,
            NORMAL, 0.05, in_paper=True, **at),
    ]  # fmt: skip


def _joint_claims(result: Result, name: str) -> list[Claim]:
    """Of these the paper's abstract makes one: that synthetic rows can teach more than real."""
    at, measure = {"where": name, "table": name}, teaches(result, name)
    invalid = -values(result, "invalid", DIFFUSION, table=name)
    found = [
        level("every row is valid with the trie", invalid, 0.0, where=name),
        gap(result, "pair error below independent columns", "pair_error_real_bins", INDEPENDENT,
            DIFFUSION, 0.0, strict=True, **at),
        gap(result, "teaches more than columns independent within classes", measure, DIFFUSION,
            WITHIN, 0.0, strict=True, **at),
        gap(result, "teaches as much as 1,000 real rows", measure, DIFFUSION, FEW, 0.0, **at),
        gap(result, "teaches more than all real rows", measure, DIFFUSION, REAL, 0.0, strict=True,
            in_paper=True, **at),
        level_of(result, "C2ST at most .90 (its sign turned)", "c2st", DIFFUSION, -0.90, sign=-1,
                 **at),
    ]  # fmt: skip
    if name in AUC_BARS:
        bar = AUC_BARS[name]
        found.append(level_of(result, "AUC reaches its bar", "auc", DIFFUSION, bar, **at))
    if any(row["arm"] == BAYES for row in result.measurements if row["table"] == name):
        text = "triples nearer to the exact law than columns independent within classes"
        how = {"strict": True, **at}
        found.append(gap(result, text, "joint, triples", WITHIN, DIFFUSION, 0.0, **how))
    return found


def _rival_claims(result: Result, name: str) -> list[Claim]:
    """Other ways to let the latent in, real rows beside synthetic ones, other libraries.

    A library gets as many seconds as DiffLM took, and may need fewer; see `times`.
    """
    at, measure = {"where": name, "table": name, "strict": True}, teaches(result, name)
    against = {f"soft tokens teach more than {kind}": (DIFFUSION, arm)
               for arm, kind in INJECTED.items()}  # fmt: skip
    for share in MIXES[1::2]:
        text = f"real and {share:.0%} synthetic rows teach more than the real ones"
        against[text] = (mixed_arm(share), REAL)
    for other in OTHERS:
        against[f"teaches more than {other} in at most its time"] = (DIFFUSION, other)
    return [gap(result, text, measure, *pair, 0.0, **at) for text, pair in against.items()]


def show(result: Result, out: Path) -> None:
    """Print the tables and save the figures of a run to `out`."""
    notes = (
        "AUC, F1: taught by the table, tested on real rows. C2ST: .5 cannot be told apart.",
        "Pair error: with the bins of the real table. SDMetrics gives each table bins over its own "
        "range, and one extreme value moves them all.",
    )
    for name in tables(result):
        title = f"DiffLM, {name}: {result.scale} scale, seeds {result.seeds}"
        print_table(table(result, name), title, (*notes, *caveats(result)))
        print_table(latents(result, name), f"Latents, {name}")
        if len(below := below_exact(result, name)):
            print_table(below, f"What the exact law knows and no table taught, {name}")
    if (
        not (added := mixes(result).dropna(axis=1, how="all"))
        .drop(columns="real alone", errors="ignore")
        .empty
    ):
        print_table(added, "Real rows with synthetic ones beside them")
    if len(times(result)):
        print_table(times(result).reset_index().set_index("table"), "Times")
    claims_lab.print_claims(claims(result))
    for name in tables(result):
        save_figure(out / f"pairs-{name}.png", partial(plot_pairs, result, name), (7.5, 3.4))


def plot_pairs(result: Result, name: str, axes: Axes, legend: bool = True) -> None:
    """Pair error against what the table teaches, a dot a seed; circles are DiffLM's arms."""
    from ...core.plots import OKABE_ITO

    measure, colours = teaches(result, name), [c for c in OKABE_ITO if c != "yellow"]
    for i, arm in enumerate(table(result, name).index):
        x = values(result, "pair_error_real_bins", arm, table=name)
        y = values(result, measure, arm, table=name)
        if not np.isfinite(x).any():
            continue  # the exact law is no table
        marker = "o" if arm.startswith("DiffLM") else "s"
        colour = OKABE_ITO[colours[i % len(colours)]]
        axes.plot(x, y, marker, color=colour, alpha=0.75, ms=6, label=arm)
    axes.set(xlabel="pair error, % (0 = as the real rows)", xlim=(0, None))
    axes.set_ylabel("AUC on real rows" if measure == "auc" else "R² on real rows")
    if legend:
        axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8, frameon=False)
