"""The studies of the kit by name, their recorded results, and all their claims in one list."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from .study import Study

NAMES = ("embedsdg", "softsrv", "spa", "synalign", "difflm")
# The recorded results that a study's claims are held against.
RECORDED = {
    "embedsdg-study": "embedsdg",
    "softsrv-study": "softsrv",
    "spa-study": "spa",
    "synalign-study": "synalign",
    "difflm-study": "difflm",
    "difflm-real-tables": "difflm",
}


def load_study(name: str) -> Study:
    """A study by name.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in NAMES:
        raise ValueError(f"no study is called {name!r}; there is {', '.join(NAMES)}")
    return import_module(f"{__package__}.{name}.report").STUDY


def all_claims() -> pd.DataFrame:
    """Every claim of every study, one row each.

    Columns: study, id, claim, paper (where the paper says so; empty for a claim of the kit's own),
    reported (the paper's number, where it is known), rule, least, strict, at (its places; empty for
    all).
    """
    import pandas as pd

    rows = [
        {
            "study": name,
            "id": claim.id,
            "claim": claim.text,
            "paper": claim.paper,
            "reported": claim.reported,
            "rule": str(claim.rule),
            "least": claim.least,
            "strict": claim.strict,
            "at": ", ".join(claim.at),
        }
        for name in NAMES
        for claim in load_study(name).claims
    ]
    return pd.DataFrame(rows)
