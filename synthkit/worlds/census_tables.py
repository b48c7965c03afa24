"""The tables of the census world's Bayesian network: its grids, its arrows, its probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

VALUES: dict[str, tuple[Any, ...]] = {  # every value of every column, parents before children
    "age": tuple(range(18, 78)),
    "sex": ("Female", "Male"),
    "region": ("North", "East", "South", "West"),
    "education": ("School", "College", "Bachelor", "Master", "Doctorate"),
    "marital": ("Single", "Married", "Divorced", "Widowed"),
    "occupation": (None, "Craft", "Service", "Sales", "Office", "Manager", "Specialist"),
    "hours": tuple(range(0, 61, 5)),
    "commute": tuple(step / 2 for step in range(50)),
    "capital": (-5000, -1000, 0, 500, 2000, 8000, 20000, 99999),
    "income": ("<=50K", ">50K"),
}
PARENTS: dict[str, tuple[str, ...]] = {
    "age": (),
    "sex": (),
    "region": (),
    "education": ("age", "region"),
    "marital": ("age", "sex"),
    "occupation": ("age", "sex", "education"),
    "hours": ("sex", "occupation"),
    "commute": ("region", "hours"),
    "capital": ("age", "education"),
    "income": ("age", "education", "occupation", "hours", "capital"),
}
BANDS: dict[str, tuple[float, ...]] = {  # where a band of a number begins, after the first band
    "age": (25, 35, 45, 55, 65),
    "hours": (5, 30, 40, 45),
    "commute": (0.5, 5, 10, 15),
    "capital": (0, 500, 8000),
}

_AGE = np.array(VALUES["age"], dtype=float)
_HOURS = np.array(VALUES["hours"], dtype=float)
_CAPITAL = np.array(VALUES["capital"], dtype=float)
_KM = np.array(VALUES["commute"])


def conditional_tables() -> dict[str, np.ndarray]:
    """P(column | parents) of every column: one axis a parent, in order, the column's axis last."""
    return {
        "age": _normal(_AGE, 42, 17) * 0.9 + 0.1 / len(_AGE),
        "sex": np.array([0.52, 0.48]),
        "region": np.array([0.35, 0.30, 0.20, 0.15]),
        "education": _education(),
        "marital": _marital(),
        "occupation": _occupation(),
        "hours": _hours(),
        "commute": _commute(),
        "capital": _capital(),
        "income": _income(),
    }


def _shares(weights: np.ndarray) -> np.ndarray:
    return weights / weights.sum(axis=-1, keepdims=True)


def _normal(grid: np.ndarray, mean: Any, sd: float) -> np.ndarray:
    """A normal curve on a grid, one more axis than `mean`."""
    return _shares(np.exp(-(((grid - np.asarray(mean)[..., None]) / sd) ** 2) / 2))


def _education() -> np.ndarray:
    """(age, region, education): higher degrees from an age on; the young hold more of them."""
    base = np.array(
        [[40, 27, 20, 9, 4], [30, 30, 25, 11, 4], [48, 27, 16, 7, 2], [22, 26, 30, 16, 6]]
    )
    least = np.array([0, 19, 21, 23, 26])
    drift = np.exp(-np.outer((_AGE - 45) / 60, np.arange(5)))  # (age, education)
    allowed = _AGE[:, None] >= least
    return _shares(base[None].astype(float) * (drift * allowed)[:, None])


def _marital() -> np.ndarray:
    """(age, sex, marital): most marry in their twenties; widows are older, and often women."""
    wed = 1 / (1 + np.exp(-(_AGE[:, None] - np.array([25, 28])) / 3.5))  # (age, sex)
    parted = np.where(_AGE >= 22, 0.22 * (1 - np.exp(-(_AGE - 21) / 25)), 0.0)[:, None]
    late = np.where(_AGE >= 30, ((_AGE - 29) / 48) ** 3, 0.0)[:, None]
    widowed = late * np.array([0.75, 0.25])
    left = 0.95 * wed * (1 - widowed)
    single = (1 - 0.95 * wed) * (1 - widowed)
    return np.stack([single, left * (1 - parted), left * parted, widowed], axis=-1)


def _occupation() -> np.ndarray:
    """(age, sex, education, occupation): specialists have a degree, managers are 24 or older."""
    by_education = np.array([
        [18, 30, 28, 13, 8, 3, 0], [14, 20, 18, 19, 19, 10, 0], [10, 5, 7, 18, 22, 18, 20],
        [8, 2, 3, 9, 12, 28, 38], [6, 1, 1, 2, 6, 19, 65],
    ], dtype=float)  # fmt: skip
    by_sex = np.array([[1.3, 0.3, 1.6, 1.0, 1.7, 0.7, 0.9], [0.8, 1.8, 0.6, 1.0, 0.5, 1.3, 1.1]])
    weights = np.tile(by_sex[:, None] * by_education, (len(_AGE), 1, 1, 1))
    away = 1 + 3 * np.exp(-(_AGE - 18) / 3) + np.exp((_AGE - 60) / 3)  # studying or retired
    weights[..., 0] *= away[:, None, None]
    weights[_AGE >= 72, ..., 1:] = 0
    weights[_AGE < 24, ..., 5] = 0
    return _shares(weights)


def _hours() -> np.ndarray:
    """(sex, occupation, hours): 0 for who has no occupation and for no one else."""
    mean = np.array([[0, 38, 28, 33, 35, 44, 39], [0, 42, 34, 40, 38, 49, 43]], dtype=float)
    spread, usual = _normal(_HOURS, mean, 8.0), _HOURS == 40
    p = _shares((0.6 * spread + 0.4 * usual) * (_HOURS > 0))
    p[:, 5] = _shares(p[:, 5] * (_HOURS >= 30))  # a manager works 30 or more
    p[:, 0] = _HOURS == 0
    return p


def _commute() -> np.ndarray:
    """(region, hours, commute): 0 km at home, some work there; who works little lives near."""
    mean = np.array([4.0, 6.0, 11.0, 16.0])[:, None] * (0.6 + _HOURS / 100)  # (region, hours)
    p = _shares(_KM * np.exp(-2 * _KM / mean[..., None])) * 0.88
    p[..., 0] += 0.12
    p[:, 0] = _KM == 0
    return p


def _capital() -> np.ndarray:
    """(age, education, capital): most often 0; large gains and losses come with age and degree."""
    base = np.array([1.0, 2.5, 0.0, 4.0, 3.0, 1.6, 0.6, 0.15])
    size = np.abs(_CAPITAL) / 1e4
    wealth = np.clip((_AGE - 20) / 40, 0, 1)[:, None] + np.array([0, 0.1, 0.4, 0.7, 0.9])
    p = base * np.exp(np.minimum(size, 2.0) * (2 * wealth[..., None] - 1.5))
    p[_AGE < 30, :, -1] = 0
    some = 0.05 + 0.15 * wealth  # the share with any gain or loss
    p = some[..., None] * _shares(p)
    p[..., 2] = 1 - some
    return p


def _income() -> np.ndarray:
    """(age, education, occupation, hours, capital, income): what pays differs between groups.

    Experience pays with a degree and costs without; long hours pay in craft and sales, short ones
    among specialists; a loss is a sign of wealth with age. Without work only capital pays.
    """
    age = ((_AGE - 44) / 12)[:, None, None, None, None]
    hours = ((_HOURS - 39) / 8)[:, None]
    degree = np.array([-1.9, -0.8, 0.6, 1.8, 2.6])[:, None, None, None]
    pay = np.array([0.0, -0.2, -1.2, 0.0, -0.6, 0.9, 0.4])[:, None, None]
    overtime = np.array([0.0, 2.0, 0.5, 2.0, -0.6, 0.8, -2.0])[:, None, None]
    capital = np.array([-0.5, -0.3, 0.0, -0.6, 0.5, 2.0, 4.0, 6.0])
    losses = np.array([2.2, 1.2, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]) * age
    score = -0.6 + age * degree * 0.75 - 0.25 * age**2 + 0.4 * degree
    score = score + pay + overtime * hours + capital + losses
    high = 1 / (1 + np.exp(-1.3 * score))
    high[:, :, 0] = np.where(_CAPITAL >= 8000, 0.7, 0.0)  # no occupation
    high[:, :, 0, 1:] = 0.0  # these cells have probability 0 anyway
    return np.stack([1 - high, high], axis=-1)
