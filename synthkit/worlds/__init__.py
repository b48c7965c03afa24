"""Worlds: generators of data whose truth is known, so that a claim can be measured."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, overload

from .base import World
from .targets import load_target

if TYPE_CHECKING:
    from .census import CensusWorld
    from .code import CodeWorld
    from .facts import FactsWorld
    from .math import MathWorld
    from .records import RecordsWorld
    from .reviews import ReviewsWorld
    from .tools import ToolsWorld

__all__ = ["World", "UNREAD", "WORLDS", "load_target", "load_world"]

WORLDS = {  # the embedded model was trained on texts of these
    "math": "MathWorld",
    "code": "CodeWorld",
    "facts": "FactsWorld",
    "reviews": "ReviewsWorld",
    "tools": "ToolsWorld",
}
UNREAD = {"records": "RecordsWorld", "census": "CensusWorld"}  # and never read a text of these


@overload
def load_world(name: Literal["math"], **options: Any) -> MathWorld: ...
@overload
def load_world(name: Literal["code"], **options: Any) -> CodeWorld: ...
@overload
def load_world(name: Literal["facts"], **options: Any) -> FactsWorld: ...
@overload
def load_world(name: Literal["reviews"], **options: Any) -> ReviewsWorld: ...
@overload
def load_world(name: Literal["tools"], **options: Any) -> ToolsWorld: ...
@overload
def load_world(name: Literal["records"], **options: Any) -> RecordsWorld: ...
@overload
def load_world(name: Literal["census"], **options: Any) -> CensusWorld: ...
@overload
def load_world(name: str, **options: Any) -> World: ...
def load_world(name: str, **options: Any) -> World:
    """The world called `name`: one of math, code, facts, reviews, tools, records, census.

    Raises:
        ValueError: there is no world of that name (the message lists those there are).
    """
    known = WORLDS | UNREAD
    if name not in known:
        raise ValueError(f"no world is called {name!r}; choose one of {', '.join(known)}")
    return getattr(import_module(f".{name}", __name__), known[name])(**options)
