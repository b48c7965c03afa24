"""Arguments of several commands, read from the words that were typed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal

from ..core.arguments import LARGEST_SEED

SCALES = ("fast", "study", "paper")
Scale = Literal["fast", "study", "paper"]


def read_scale(scale: str | None) -> str:
    """The scale asked for; without one, that of the environment; without that, fast.

    Raises:
        ValueError: it is none of fast, study, paper.
    """
    chosen = scale or os.environ.get("SYNTHKIT_SCALE") or "fast"
    if chosen not in SCALES:
        where = "--scale" if scale else "SYNTHKIT_SCALE"
        raise ValueError(f"{where} is {chosen!r}; choose one of {', '.join(SCALES)}")
    return chosen


def read_columns(pairs: Sequence[str] | None) -> dict[str, str]:
    """Columns written as `ROLE=NAME`, by role.

    Raises:
        ValueError: no equals sign, a side of it is empty, or a role comes twice.
    """
    found = {}
    for pair in pairs or ():
        role, _, name = pair.partition("=")
        if not role.strip() or not name.strip():
            raise ValueError(f"--column is {pair!r}; write ROLE=NAME, such as question=query")
        if role.strip() in found:
            raise ValueError(f"--column names the {role.strip()} twice; name it once")
        found[role.strip()] = name.strip()
    return found


def read_seeds(text: str | None) -> list[int] | None:
    """Seeds written as `0,1,2`; None where none were given.

    Raises:
        ValueError: not whole numbers from 0 to 2^31 - 1, or one of them twice.
    """
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    seeds = [int(part) for part in parts if part.isdecimal()]
    if len(set(seeds)) < len(parts) or max(seeds) > LARGEST_SEED:
        raise ValueError(
            f"--seeds is {text[:60]!r}; write different whole numbers up to 2^31 - 1, such as 0,1,2"
        )
    return seeds
