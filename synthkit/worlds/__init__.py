"""Worlds: generators of data whose truth is known, so that a claim can be measured."""

from importlib import import_module

from .base import World
from .targets import load_target

__all__ = ["World", "UNREAD", "WORLDS", "load_target", "load_world"]

WORLDS = {  # the embedded model was trained on texts of these
    "math": "MathWorld",
    "code": "CodeWorld",
    "facts": "FactsWorld",
    "reviews": "ReviewsWorld",
    "tools": "ToolsWorld",
}
UNREAD = {"records": "RecordsWorld", "census": "CensusWorld"}  # and never read a text of these


def load_world(name: str, **options) -> World:
    """The world called `name`: one of math, code, facts, reviews, tools, records, census.

    Raises:
        ValueError: there is no world of that name (the message lists those there are).
    """
    known = WORLDS | UNREAD
    if name not in known:
        raise ValueError(f"no world is called {name!r}; choose one of {', '.join(known)}")
    return getattr(import_module(f".{name}", __name__), known[name])(**options)
