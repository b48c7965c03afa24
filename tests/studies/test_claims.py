"""Claims about a study: verdicts by interval alone, and numbers that show them."""

import numpy as np
import pytest

from synthkit.core.intervals import mean_interval
from synthkit.studies.claims import Claim, Finding, Level, level, tally, verdicts


@pytest.mark.parametrize(
    ("numbers", "least", "strict", "verdict", "measured"),
    [
        ((0.95, 0.96, 0.97), 0.9, False, "supported", "0.96 [0.94, 0.98], n=3"),
        ((0.85, 0.86, 0.87), 0.9, False, "refuted", "0.86 [0.84, 0.88], n=3"),
        ((0.88, 0.91, 0.95), 0.9, False, "undecided", "0.91 [0.83, 1.00], n=3"),
        ((1.0, 1.0, 1.0), 1.0, False, "supported", "1.00 [1.00, 1.00], n=3"),  # reached
        ((0.0, 0.0, 0.0), 0.0, True, "undecided", "0.00 [0.00, 0.00], n=3"),  # not exceeded
        ((0.0494, 0.0500, 0.0506), 0.0487, False, "undecided", "0.0500 [0.0485, 0.0515], n=3"),
        ((0.5, 0.5 + 1e-12, 0.5), 0.5, False, "supported", "0.50 [0.50, 0.50], n=3"),  # rounding
        ((5.0, 6.0), 0.0, True, "undecided", "5.500, n=2"),  # two seeds decide nothing
        ((5.0,), 0.0, True, "undecided", "5.000, n=1"),
        ((), 0.0, True, "not run", "-"),
    ],
)
def test_the_interval_alone_decides_and_the_number_shows_it(
    numbers, least, strict, verdict, measured
):
    claim = Finding("it works", "somewhere", numbers, least, strict)
    (row,) = verdicts([claim]).to_dict("records")
    assert (claim.verdict, claim.measured) == (verdict, measured)
    assert (row["verdict"], row["measured"], row["in the paper"]) == (verdict, measured, "no")
    digits = 2 if round(least, 2) == least else 4
    assert row["needed"] == f"{'>' if strict else '>='} {least:+.{digits}f}"


@pytest.mark.parametrize(
    ("numbers", "least", "verdict", "measured", "needed"),
    [
        ((0.04, 0.05, 0.06), -0.08, "supported", "0.05 [0.03, 0.07], n=3", "<= 0.08"),
        ((0.04, 0.05, 0.06), -0.02, "refuted", "0.05 [0.03, 0.07], n=3", "<= 0.02"),
        ((0.0, 0.0, 0.0), 0.0, "supported", "0.00 [0.00, 0.00], n=3", "<= 0.00"),
        ((0.25,), -0.125, "undecided", "0.250, n=1", "<= 0.125"),
    ],
)
def test_what_should_be_small_is_shown_with_its_own_sign(
    numbers, least, verdict, measured, needed, recorded
):
    result = recorded({("error", "a"): numbers}, seeds=range(len(numbers)))
    found = Claim("id", "small", Level("error", "a", sign=-1), least).find(result, "here", {})
    assert (found.verdict, found.measured, found.needed) == (verdict, measured, needed)


def test_verdicts_turn_with_the_sign_of_the_claim():
    rng = np.random.default_rng(0)
    turned = {"supported": "refuted", "refuted": "supported", "undecided": "undecided"}
    for _ in range(200):
        numbers, least = rng.normal(rng.normal(), 1, size=rng.integers(1, 6)), rng.normal()
        found = level("", numbers, least).verdict
        assert level("", -numbers, -least).verdict == turned[found]
        if len(numbers) >= 3:
            interval = mean_interval(numbers)
            assert (found == "undecided") == (interval.low <= least <= interval.high)


def test_what_was_not_run_is_counted_apart():
    theirs = {"claim": Claim("id", "text", Level("m", "a"), paper="Table 1")}
    claims = [
        level("a", [1.0, 1.1, 1.2], 0.0, **theirs), level("b", [np.nan] * 3, 0.0),
        level("c", [-1.0, -1.1, np.nan, -1.2], 0.0, **theirs),
    ]  # fmt: skip
    told = tally(verdicts(claims))
    assert told == (
        "2 claims: 1 supported, 1 refuted; of the 2 that the paper makes, 1 supported; 1 not run"
    )
    assert tally(verdicts([])) == "0 claims: none run"
