"""Worlds: generators of data whose truth is known, so that a claim can be measured."""

from importlib import import_module

from .base import World
from .targets import load_target

__all__ = ["World", "WORLDS", "load_target", "load_world"]

WORLDS = {
    "math": "MathWorld",
    "code": "CodeWorld",
    "facts": "FactsWorld",
    "reviews": "ReviewsWorld",
    "tools": "ToolsWorld",
}


def load_world(name: str, **options) -> World:
    """The world called `name`: one of math, code, facts, reviews, tools.

    Raises:
        ValueError: there is no world of that name (the message lists those there are).
    """
    if name not in WORLDS:
        raise ValueError(f"no world is called {name!r}; choose one of {', '.join(WORLDS)}")
    return getattr(import_module(f".{name}", __name__), WORLDS[name])(**options)
