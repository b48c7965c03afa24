"""Arguments checked in one way everywhere: seeds, counts, numbers, language models."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from inspect import signature
from numbers import Real
from typing import Any

import numpy as np

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


def as_count(n: Any, name: str = "n", *, least: int = 1) -> int:
    """A count of what is wanted, as an int.

    Args:
        name: of the argument, for the errors.

    Raises:
        TypeError, ValueError: it is no whole number, or less than `least`.
    """
    if (found := _whole(n, name)) < least:
        raise ValueError(f"{name} must be at least {least}, got {n}")
    return found


def as_number(x: Any, name: str, *, zero: bool = True) -> int | float:
    """A finite number that is not negative.

    Args:
        name: of the argument, for the errors.
        zero: whether it may be 0.

    Raises:
        TypeError, ValueError: it is none.
    """
    kind = type(x).__name__
    if isinstance(x, bool) or not isinstance(x, Real):
        raise TypeError(f"{name} must be a number, got {x!r:.60} ({kind})")
    if not math.isfinite(x) or x < 0 or (x == 0 and not zero):
        raise ValueError(f"{name} must be {'0 or more' if zero else 'above 0'}, got {x}")
    return x if isinstance(x, int | float) else float(x)


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


def check_keywords(hook: Callable, given: Iterable[str], owner: str) -> None:
    """Raise TypeError when a keyword is none of those that `hook` takes.

    Args:
        hook: a method; its first argument is no option.
        given: names of the keywords.
        owner: the public method that hands them on, for the error.
    """
    known = list(signature(hook).parameters.values())[1:]
    if any(each.kind is each.VAR_KEYWORD for each in known):
        return
    if unknown := sorted(set(given) - {each.name for each in known}):
        raise TypeError(f"{owner}() got an unexpected keyword argument {unknown[0]!r}")


def _whole(value: Any, name: str) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError:
        kind = type(value).__name__
        raise TypeError(f"{name} must be a whole number, got {value!r:.60} ({kind})") from None


def finite_rows(rows: Any, name: str) -> np.ndarray:
    """`rows` as a float64 array (n, d) of finite numbers; a tensor is detached.

    Args:
        name: what the rows are, in the plural, for the errors.

    Raises:
        ValueError: another shape, or a number that is not finite (the row is named).
    """
    if hasattr(rows, "detach"):
        rows = rows.detach().cpu().double().numpy()
    rows = np.asarray(rows, dtype=np.float64)
    if rows.ndim != 2:
        raise ValueError(f"{name} must have shape (n, d), got {rows.shape}")
    wrong = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(wrong):
        raise ValueError(
            f"{len(wrong)} of {len(rows)} {name} are not finite, the first is row {wrong[0]}; "
            "embed those texts again or leave them out"
        )
    return rows


def derive_seed(*numbers: int) -> int:
    """One seed from several numbers, such as a run's seed and the number of a part."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0]) >> 1  # below 2^31
