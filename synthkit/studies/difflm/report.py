"""The DiffLM study: its claims, its tables and its figure.

"Pair error" is everywhere the one with the bins of the real table on both sides. SDMetrics gives
each table bins over its own range, so that a single extreme value moves all of them; its own form,
which papers print, stands beside it where the two differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..claims import Claim, Gap, Level
from ..measurements import means, places, told, values
from ..study import Figure, Study, Table
from .experiment import (
    BAYES_OPTIMAL,
    CENSUS,
    CLASS_CONDITIONAL,
    COLLAPSED,
    DIFFUSION,
    FEW,
    INDEPENDENT,
    INJECTED,
    MIXES,
    NORMAL,
    OTHERS,
    PRESETS,
    REAL,
    UNCONSTRAINED,
    UNCONSTRAINED_SHARP,
    WAYS,
    WITHOUT_TRIE,
    cases,
    fixed,
    mixed_arm,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from ..results import Result

# Written down before the study. Adult: about the AUC of 1,000 real rows. Default: theirs in a
# pilot; columns independent within classes are a claim of their own. MAGIC: an aim, above that of
# such columns.
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


# Of the main table; what is valid without the trie, and mixed rows, have tables of their own.
ARMS = (BAYES_OPTIMAL, REAL, FEW, CLASS_CONDITIONAL, INDEPENDENT, *WAYS, COLLAPSED, *INJECTED,
        *OTHERS)  # fmt: skip


def utility(result: Result, place: Mapping[str, str]) -> str:
    """The measure of what a table is worth to train on, larger is better: AUC, or R2."""
    found = {row["measure"] for row in result.measurements if place.items() <= row.items()}
    return "auc" if "auc" in found else "r2"


def table(result: Result, name: str) -> pd.DataFrame:
    """Mean of every arm over the seeds on one table; columns that no arm has are left out.

    SDMetrics' own pair error has a column where it differs by more than 0.5 % in some arm and seed.
    "copies" is the share of an arm's rows that equal a training row, "real rows copied by chance"
    that of held-out real rows. "Bayes-optimal" is the exact distribution, where it is known.
    """
    frame = means(result, COLUMNS, ARMS, table=name)
    if OWN_BINS in frame and not any(bins_differ(result, name, arm) for arm in frame.index):
        frame = frame.drop(columns=OWN_BINS)
    return frame


def bins_differ(result: Result, name: str, arm: str) -> bool:
    """Tell whether SDMetrics' own pair error of an arm is another, on some seed."""
    own, real = (values(result, COLUMNS[each], arm, table=name) for each in (OWN_BINS, PAIRS))
    return bool((np.abs(own - real) > BINS_DIFFER).any())


def below_exact(result: Result, name: str) -> pd.DataFrame:
    """Gap of each arm's AUC to the Bayes-optimal one, paired on test rows; empty if not known."""
    import pandas as pd

    best, rows = values(result, "auc", BAYES_OPTIMAL, table=name), {}
    for arm in table(result, name).index.drop(BAYES_OPTIMAL, errors="ignore"):
        gap = best - values(result, "auc", arm, table=name)
        if np.isfinite(gap).any():
            rows[arm] = told(gap)
    frame = pd.DataFrame({"AUC below the Bayes-optimal one": rows}, dtype=object)
    return frame.rename_axis("arm")


def latents(result: Result, name: str) -> pd.DataFrame:
    """Use of the latents, and the share of rows that are valid without the trie."""
    columns = {
        "shuffled-latent gap": "shuffled-latent gap",
        "share of active dimensions": "active dimensions",
        "KL, nats": "KL",
        "alarm": "collapsed",
        "valid": "valid",
    }
    return means(result, columns, (DIFFUSION, *INJECTED, COLLAPSED, *WITHOUT_TRIE), table=name)


def mixes(result: Result) -> pd.DataFrame:
    """Change of the utility (AUC, or R2) of real rows by shares of synthetic ones beside them."""
    import pandas as pd

    rows = {}
    for name, place in places(result, "{table}").items():
        measure = utility(result, place)
        real = values(result, measure, REAL, **place)
        both = {f"+ {share:.0%}": values(result, measure, mixed_arm(share), **place) - real
                for share in MIXES}  # fmt: skip
        added = {head: told(gap) for head, gap in both.items() if np.isfinite(gap).any()}
        if added:
            rows[name] = {"real alone": f"{np.nanmean(real):.3f}", **added}
    return pd.DataFrame.from_dict(rows, orient="index")


TIMES = {"CPU seconds": "seconds", "CPU seconds of sampling": "sampling seconds",
         "epochs": "epochs", "rows made / asked for": "rows"}  # fmt: skip


def times(result: Result) -> pd.DataFrame:
    """CPU seconds and epochs of each method's fit on every table, means over the seeds.

    DiffLM's sampling, of as many rows as there are to learn from, is apart.
    """
    import pandas as pd

    found = {name: means(result, TIMES, (DIFFUSION, *OTHERS), table=name).round(2)
             for name in places(result, "{table}")}  # fmt: skip
    frame = pd.concat(found).rename_axis(["table", "method"])
    return frame.round({"CPU seconds": 1, "CPU seconds of sampling": 1}).dropna(how="all")


# --- the claims -----------------------------------------------------------------------------------

_more = partial(Claim, strict=True)


def _beyond(id: str, text: str, arm: str, against: str, **how) -> Claim:
    """A claim that one table is worth more to train on than another."""
    return _more(id, text, Gap(utility, arm, against), **how)


CLAIMS = (
    Claim("latent-used", "a shuffled latent costs half as much again",
          Level("shuffled-latent gap", DIFFUSION), 0.5),
    Claim("alarm", "a forced collapse raises the alarm", Level("collapsed", COLLAPSED), 1.0),
    Claim("valid", "valid without the trie", Level("valid", UNCONSTRAINED), 0.95),
    Claim("valid-sharp", "valid without the trie, at temperature 0.5",
          Level("valid", UNCONSTRAINED_SHARP), 0.95),
    Claim("diffusion", "more utility with latents from the diffusion than from N(0, I)",
          Gap(utility, DIFFUSION, NORMAL), 0.05, paper="diffusion"),
    Claim("trie", "every row is valid with the trie", Level("invalid", DIFFUSION, sign=-1)),
    _more("pairs", "pair error below independent columns",
          Gap("pair_error_real_bins", INDEPENDENT, DIFFUSION)),
    _beyond("class-conditional", "more utility than columns independent within classes",
            DIFFUSION, CLASS_CONDITIONAL),
    Claim("few", "as much utility as 1,000 real rows", Gap(utility, DIFFUSION, FEW)),
    _beyond("real", "more utility than all real rows", DIFFUSION, REAL, paper="beats-real"),
    Claim("c2st", "C2ST at most .90", Level("c2st", DIFFUSION, sign=-1), -0.90),
    Claim("auc", "AUC reaches its bar", Level("auc", DIFFUSION), AUC_BARS),
    _more("triples",
          "triples nearer to the exact distribution than columns independent within classes",
          Gap("joint, triples", CLASS_CONDITIONAL, DIFFUSION), at=(CENSUS,)),
    # Other ways to let the latent in, real rows beside synthetic ones, other libraries. A library
    # gets as many seconds as DiffLM took, and may need fewer; see `times`.
    *(_beyond(f"soft-tokens-{kind}", f"more utility with soft tokens than with {kind}",
              DIFFUSION, arm) for arm, kind in INJECTED.items()),
    *(_beyond(f"mixed-{share:.0%}",
              f"more utility with {share:.0%} synthetic rows beside the real ones",
              mixed_arm(share), REAL) for share in MIXES[1::2]),
    *(_beyond(f"against-{other}", f"more utility than {other} in at most its time",
              DIFFUSION, other) for other in OTHERS),
)  # fmt: skip


def plot_pairs(result: Result, name: str, axes: Axes, legend: bool = True) -> None:
    """Pair error against the utility of the table, a dot a seed; circles are DiffLM's arms."""
    from ...core.plots import COLOURS

    measure, colours = utility(result, {"table": name}), [c for c in COLOURS if c != "yellow"]
    for i, arm in enumerate(table(result, name).index):
        x = values(result, "pair_error_real_bins", arm, table=name)
        y = values(result, measure, arm, table=name)
        if not np.isfinite(x).any():
            continue  # the Bayes-optimal classifier is no table
        marker = "o" if arm.startswith("DiffLM") else "s"
        colour = COLOURS[colours[i % len(colours)]]
        axes.plot(x, y, marker, color=colour, alpha=0.75, ms=6, label=arm)
    axes.set(xlabel="pair error, % (0 = training table)", xlim=(0, None))
    axes.set_ylabel("AUC on real rows" if measure == "auc" else "R² on real rows")
    if legend and axes.lines:
        axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8, frameon=False)


NOTES = (
    "AUC, F1: of trees trained on the table, tested on real rows. C2ST: .5 cannot be told apart.",
    "Pair error: with the bins of the real table. SDMetrics gives each table bins over its own "
    "range, and one extreme value moves them all.",
)
TABLES = (
    Table(table, notes=NOTES),
    Table(latents, "latents"),
    Table(below_exact, "what is missing to the Bayes-optimal AUC"),
    Table(mixes, "real rows with synthetic ones beside them", overall=True),
    Table(times, "times", overall=True),
)
FIGURES = (Figure("pairs", plot_pairs, (7.5, 3.4)),)
MODEL = {"name": "format model, trained on columns shuffled independently"}
STUDY = Study(
    "difflm", "DiffLM", cases, PRESETS,
    place="{table}",
    claims=CLAIMS,
    tables=TABLES,
    figures=FIGURES,
    notes="Rows of the census world. The frozen decoder is a format model that was trained on "
    "columns shuffled independently, not the embedded model. AUC, F1: boosted trees trained on "
    "the table, tested on real rows. Errors in %, pair errors without thresholds.",
    instead='with a real model, see DiffLM(load_lm(...), preset="paper")',
    settings=fixed,
    model=MODEL,
)  # fmt: skip
verdicts, tables = STUDY.verdicts, STUDY.places
