"""Arguments that every method takes, checked in one way: seeds, counts, language models."""

from __future__ import annotations

import operator
from typing import Any

LARGEST_SEED = 2**31 - 1  # what numpy, torch and scikit-learn all take


def as_seed(seed: Any, default: int | None = None) -> int:
    """A seed as an int.

    Args:
        default: the seed where `seed` is None, if there is one.

    Raises:
        TypeError, ValueError: it is no whole number, or not from 0 to 2^31 - 1.
    """
    seed = default if seed is None else seed
    found = _whole(seed, "seed")
    if not 0 <= found <= LARGEST_SEED:
        raise ValueError(f"seed must be a whole number from 0 to 2^31 - 1, got {seed!r}")
    return found


def as_count(n: Any, name: str = "n") -> int:
    """How many are wanted, as an int.

    Args:
        name: of the argument, for the errors.

    Raises:
        TypeError, ValueError: it is no whole number, or less than 1.
    """
    if (found := _whole(n, name)) < 1:
        raise ValueError(f"{name} must be at least 1, got {n}")
    return found


def as_model(lm: Any, owner: str) -> Any:
    """`lm` itself; TypeError when it is no language model of the kit, or like one.

    Args:
        owner: the method that needs it, for the error.
    """
    if hasattr(lm, "fingerprint"):
        return lm
    name = repr(lm) if isinstance(lm, str) else ""
    raise TypeError(
        f"{owner} needs a language model as load_lm makes one, found {type(lm).__name__} "
        f"{lm!r:.60}; give load_lm({name})"
    )


def _whole(value: Any, name: str) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError:
        kind = type(value).__name__
        raise TypeError(f"{name} must be a whole number, got {value!r:.60} ({kind})") from None
