"""The studies of the kit by name, and their recorded results."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .study import Study

NAMES = ("embedsdg", "softsrv", "spa", "synalign", "difflm")
LONGEST_FIRST = ("embedsdg", "difflm", "synalign", "spa", "softsrv")  # by time at scale fast
# The recorded results that a study's claims are held against.
RECORDED = {
    "embedsdg-study": "embedsdg",
    "softsrv-study": "softsrv",
    "spa-study": "spa",
    "synalign-study": "synalign",
    "difflm-study": "difflm",
    "difflm-real-tables": "difflm",
}


def check_name(name: str) -> None:
    """Raise ValueError where no study has that name; nothing is imported."""
    if name not in NAMES:
        raise ValueError(f"no study is called {name!r}; there is {', '.join(NAMES)}")


def load_study(name: str) -> Study:
    """A study by name.

    Raises:
        ValueError: there is none of that name.
    """
    check_name(name)
    return import_module(f"{__package__}.{name}.report").STUDY
