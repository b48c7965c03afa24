"""The ledger for readers: a row per group of claims, printed, and all rows as a file."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

from ..core.files import write_json, write_text
from .claims import NOT_RUN, REFUTED, RULE, SUPPORTED, UNDECIDED
from .registry import load_study

if TYPE_CHECKING:
    import pandas as pd

WEAKEST = (REFUTED, UNDECIDED, SUPPORTED)
GROUP_RULE = (
    "A row sums up a group of tests. It shows the weakest of them, with the number needed where "
    "this is not 0, and beside the verdict how many of the tests support the claim. A number "
    "marked ? was not read in the paper itself."
)
WIDTHS = {"claim": 4, "tested": 4, "paper": 3, "ours": 4, "model": 2}  # of cells that wrap


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per group: method, claim, paper (its number), ours, model, verdict, lesson.

    Args:
        frame: from `ledger.ledger`. What is shown of a group: see `GROUP_RULE`.
    """
    import pandas as pd

    grouped = frame.groupby(["method", "group"], sort=False)
    rows = [{"method": method, "claim": group, **_summed(of)} for (method, group), of in grouped]
    columns = ["method", "claim", "paper", "ours", "model", "verdict", "lesson"]
    return pd.DataFrame(rows, columns=columns)


def _summed(rows: pd.DataFrame) -> dict[str, str]:
    row = {"paper": "-", "ours": "-", "model": "-", "verdict": NOT_RUN,
           "lesson": rows["lesson"].iloc[0]}  # fmt: skip
    for number, verified in rows.loc[rows["reported"] != "", ["reported", "verified"]].to_numpy():
        row["paper"] = number + ("" if verified else " ?")
        break
    run = rows[rows["verdict"] != NOT_RUN]
    if run.empty:
        return row
    verdict = weakest(run)
    shown = run[run["verdict"] == verdict.partition(",")[0]].iloc[0]
    return row | {
        "ours": f"{shown['shown']} ({shown['place']}){_needs(shown['needed'])}",
        "model": f"{short_model(shown['model'])}, {shown['scale']}",
        "verdict": verdict,
    }


def weakest(rows: pd.DataFrame) -> str:
    """The weakest verdict of the tests that were run, and how many of them support the claim."""
    run = rows.loc[rows["verdict"] != NOT_RUN, "verdict"]
    if run.empty:
        return NOT_RUN
    verdict = next(word for word in WEAKEST if (run == word).any())
    return f"{verdict}, {(run == SUPPORTED).sum()}/{len(run)}"


def _needs(needed: str) -> str:
    return f", needs {needed}" if float(needed.split()[1]) else ""


def short_model(name: str) -> str:
    """The model's name without what is told after a comma."""
    return name.partition(",")[0]


def every_row(frame: pd.DataFrame) -> pd.DataFrame:
    """Each row in few columns: method, claim, tested, ours, needed, model, verdict."""
    place = frame["place"].map(lambda name: name and f" ({name})")
    return frame[["method", "claim"]].assign(
        tested=frame["tested"].where(frame["tested"] != frame["claim"], ""),
        ours=frame["shown"] + place,
        needed=frame["needed"],
        model=frame["model"].map(short_model),
        verdict=frame["verdict"],
    )


def show(frame: pd.DataFrame, *, width: int = 100) -> None:
    """Print `summary` or `every_row`, a table per method, and the rule of the verdicts.

    Args:
        width: of the page, in characters.
    """
    from rich.console import Console
    from rich.table import Table

    console = Console(width=width)
    for method, rows in frame.groupby("method", sort=False):
        table = Table(title=load_study(str(method)).title, expand=True)
        rows = rows.drop(columns="method")
        for name in rows:
            table.add_column(str(name), ratio=WIDTHS.get(name), no_wrap=name not in WIDTHS)
        for row in rows.itertuples(index=False):
            table.add_row(*row)
        console.print(table)
    for rule in (RULE, *((GROUP_RULE,) if "lesson" in frame else ())):
        print(fill(rule, width))


def save(frame: pd.DataFrame, path: Path) -> Path:
    """Write the ledger as CSV or JSON, by the ending of the file's name.

    Raises:
        ValueError: another ending.
    """
    if path.suffix == ".csv":
        return write_text(path, frame.to_csv(index=False))
    if path.suffix == ".json":
        known = frame.astype(object).where(frame.notna(), None)
        return write_json(path, known.to_dict("records"))
    raise ValueError(f"the ledger is written as .csv or .json; {path.name} is neither")
