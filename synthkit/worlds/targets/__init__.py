"""Targets: narrow, skewed parts of a world, of a known distribution, for generators to aim at."""

from importlib import import_module

from .base import Target, factor_tv

__all__ = ["TARGETS", "Target", "factor_tv", "load_target"]

TARGETS = {"math": "MathTarget", "code": "CodeTarget", "facts": "FactsTarget"}


def load_target(name: str) -> Target:
    """The target called `name`: one of math, code, facts.

    Raises:
        ValueError: there is no target of that name (the message lists those there are).
    """
    if name not in TARGETS:
        raise ValueError(f"no target is called {name!r}; choose one of {', '.join(TARGETS)}")
    return getattr(import_module(f".{name}", __name__), TARGETS[name])()
