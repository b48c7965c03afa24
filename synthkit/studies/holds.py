"""Claims and where they hold: with small models, with a real one, and in the paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.plots import COLOURS
from .claims import NOT_RUN, REFUTED, SUPPORTED, UNDECIDED
from .ledger_view import weakest
from .registry import load_study

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

WORLDS, REAL = "small models", "SmolLM2"
REAL_MODELS = ("smollm2",)  # the rest are the kit's own, small ones, or none
MARKS = {  # of a verdict in the figure: marker, colour
    SUPPORTED: ("o", "blue"), UNDECIDED: ("D", "orange"), REFUTED: ("X", "vermilion"),
    NOT_RUN: ("_", "black"),
}  # fmt: skip


def holds(frame: pd.DataFrame) -> pd.DataFrame:
    """A row per group of claims that SmolLM2 was tested on.

    Columns: method, claim (the group's title), paper (its number, "yes" where the paper claims
    without one, "no" where only the kit claims), and for the small models and SmolLM2 the weakest
    verdict with the share of tests that support the claim, such as "undecided, 2/3".

    Args:
        frame: from `ledger.ledger`.
    """
    import pandas as pd

    real = frame["model"].str.lower().isin(REAL_MODELS)
    rows = []
    for (method, group), of in frame.groupby(["method", "group"], sort=False):
        on_real = of[real.loc[of.index]]
        if (on_real["verdict"] == NOT_RUN).all():
            continue
        told = of[of["paper"] != ""]
        number = next((each for each in told["reported"] if each), "yes" if len(told) else "no")
        rows.append({
            "method": method, "claim": group, "paper": number,
            WORLDS: weakest(of[~real.loc[of.index]]), REAL: weakest(on_real),
        })  # fmt: skip
    return pd.DataFrame(rows, columns=["method", "claim", "paper", WORLDS, REAL])


def lines(frame: pd.DataFrame) -> list[str]:
    """A sentence per method on its first claim in `holds`, and one that counts them all."""
    told = []
    for method, rows in frame.groupby("method", sort=False):
        first = rows.iloc[0]
        found = "; ".join(f"with {who}, {said(first[who])}" for who in (WORLDS, REAL))
        told.append(f"**{name_of(method)}**, *{first['claim']}*: {found}.")
    words = frame[REAL].str.partition(",")[0]
    counts = [f"{(words == word).sum()} {word}" for word in (SUPPORTED, UNDECIDED, REFUTED)]
    return [*told, f"Verdicts on all {len(frame)} claims tested with SmolLM2: {', '.join(counts)}."]


def name_of(method: str) -> str:
    """A method's name as its paper writes it."""
    return load_study(method).title.partition(" on ")[0]


def said(cell: str) -> str:
    """A cell of `holds` in words: "undecided (2 of 3 tests support it)"."""
    word, _, share = cell.partition(", ")
    if not share:
        return word
    number, _, of = share.partition("/")
    tests = "test supports" if of == "1" else "tests support"
    return f"{word} ({number} of {of} {tests} it)"


def figure(frame: pd.DataFrame) -> Figure:
    """`holds` as a picture: a row per claim, a mark for the verdict with each kind of model."""
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(7.2, 0.8 + 0.215 * len(frame)))
    for x, column in enumerate((WORLDS, REAL)):
        for y, cell in enumerate(frame[column]):
            word, _, share = cell.partition(", ")
            marker, colour = MARKS[word]
            ax.plot(x, y, marker, color=COLOURS[colour], markersize=8)
            ax.annotate(f"{word} {share}", (x, y), (9, 0), textcoords="offset points",
                        va="center", fontsize=8)  # fmt: skip
    names = [f"{name_of(row.method)}: {row.claim}" for row in frame.itertuples()]
    ax.set_yticks(range(len(frame)), names)
    ax.set_xticks([0, 1], [WORLDS, REAL])
    ax.set(xlim=(-0.2, 1.9), ylim=(len(frame) - 0.5, -0.5))
    ax.tick_params(length=0, labelsize=8.5)
    ax.xaxis.tick_top()
    ax.spines[["left", "bottom"]].set_visible(False)
    return fig
