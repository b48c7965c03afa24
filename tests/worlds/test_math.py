"""The math world: right rows are accepted, every kind of wrong row is caught."""

import random
import re
from collections import Counter

import pytest

from synthkit.worlds.math import MathWorld
from synthkit.worlds.math_families import FAMILIES


@pytest.fixture(scope="module")
def rows():
    return MathWorld().balanced(12, seed=1)


def test_forty_families_with_unlike_skills():
    assert len({f.name for f in FAMILIES}) == len(FAMILIES) >= 39
    assert len({(f.steps, f.skill) for f in FAMILIES}) >= 38
    templates = [p for f in FAMILIES for p in f.phrasings]
    assert len(set(templates)) == len(templates)


def test_frequencies_follow_zipfs_law():
    world = MathWorld(zipf=1.0, order_seed=5)
    counts = Counter(row["family"] for row in world.rows(8000, seed=0))
    distance = sum(abs(counts[f] / 8000 - p) for f, p in world.frequencies.items()) / 2
    assert distance < 0.03
    assert MathWorld(order_seed=1).families != MathWorld(order_seed=2).families


@pytest.mark.parametrize("number", ["final line", "step", "final column", "question"])
def test_altered_numbers_are_caught(rows, number):
    world = MathWorld()
    for row in rows:
        bad = dict(row)
        if number == "final line":
            bad["answer"] = row["answer"].replace("#### ", "#### 1")
        elif number == "final column":
            bad["final"] = str(int(row["final"]) + 1)
        elif number == "step":
            bad["answer"] = re.sub(
                r"= (\d+)", lambda m: f"= {int(m[1]) + 1}", row["answer"], count=1
            )
        else:  # another first number in the question: the old answer no longer fits
            bad["question"] = re.sub(
                r"(?<![\d])(\d+)", lambda m: f"{int(m[1]) + 60}", row["question"], count=1
            )
        assert not world.check(bad), (number, bad)


def test_every_family_has_far_more_questions_than_a_set_holds():
    world = MathWorld()
    for family in world.families:
        rng = random.Random(0)
        questions = {world.problem(family, rng)["question"] for _ in range(1000)}
        assert len(questions) > 700, family
