"""Claims about a study: verdicts, and numbers that show them."""

import pytest

from synthkit.lab.claims import Claim, verdicts
from synthkit.statistics import Interval


@pytest.mark.parametrize(
    ("mean", "low", "least", "strict", "holds", "measured"),
    [
        (0.912, 0.88, 0.9, False, True, "0.91 [0.88, 0.94], n=3"),
        (0.897, 0.87, 0.9, False, False, "0.897 [0.870, 0.924], n=3"),
        (-0.0004, -0.03, 0.0, False, False, "-0.0004 [-0.0300, 0.0292], n=3"),
        (0.9, 0.87, 0.9, False, True, "0.90 [0.87, 0.93], n=3"),
        (0.998, 0.998 - 1e-12, 0.95, False, True, "1.00 [1.00, 1.00], n=3"),
        (0.05, 0.004, 0.0, True, True, "0.050 [0.004, 0.096], n=3"),
        (0.05, -0.004, 0.0, True, False, "0.05 [-0.00, 0.10], n=3"),
    ],
)
def test_a_number_shows_its_verdict(mean, low, least, strict, holds, measured):
    claim = Claim("it works", "somewhere", Interval(mean, low, 2 * mean - low, 3), least, strict)
    assert claim.holds is holds and claim.measured == measured
    (row,) = verdicts([claim]).to_dict("records")
    assert row["measured"] == measured and row["verdict"] == ("holds" if holds else "does not hold")
    assert row["needed"] == f"{'>' if strict else '>='} {least:+.2f}"
