"""Prefix tries and valid rows: exact masks and conditions."""

import datetime

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import constrained_rows

from synthkit.difflm.rows import RowCodec
from synthkit.difflm.schema import TableSchema
from synthkit.difflm.trie import Digits, PrefixTrie, RowConstraint


def tokens_after(trie, *prefix):
    """The valid tokens after one prefix."""
    mask = trie.allowed(torch.tensor([prefix], dtype=torch.long).reshape(1, -1))
    return mask[0].nonzero()[:, 0].tolist()


def every_row(trie):
    """All valid rows, by walking the whole trie."""
    rows = torch.zeros(1, 0, dtype=torch.long)
    for _ in range(trie.length):
        row, token = trie.allowed(rows).nonzero(as_tuple=True)
        rows = torch.cat([rows[row], token[:, None]], 1)
    return rows


# --- given sequences -----------------------------------------------------------------------------

WORDS = [(3, 4), (3, 4, 5), (3, 6), (7,)]


def test_trie_of_words_by_hand():
    trie = PrefixTrie(WORDS, 9, eos=0)
    assert trie.nodes == 6, "the root, 3, 34, 345, 36 and 7"
    assert tokens_after(trie) == [3, 7]
    assert tokens_after(trie, 3) == [4, 6]
    assert tokens_after(trie, 3, 4) == [0, 5], "a word ends here, and a longer one goes on"
    assert tokens_after(trie, 3, 4, 5) == [0]
    assert tokens_after(trie, 4) == [] and tokens_after(trie, 3, 5, 5) == []
    assert tokens_after(PrefixTrie(WORDS, 9), 7) == []


sequences = st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=4), min_size=1, max_size=12)


@given(sequences, st.lists(st.integers(0, 7), max_size=4))
@settings(deadline=None, max_examples=80)
def test_trie_agrees_with_a_search_of_the_list(words, prefix):
    trie = PrefixTrie(words, 8, eos=0)
    begun = [word for word in words if word[: len(prefix)] == prefix]
    expected = {word[len(prefix)] if len(word) > len(prefix) else 0 for word in begun}
    assert set(tokens_after(trie, *prefix)) == expected


@pytest.mark.parametrize(
    "words, message",
    [
        ([], "at least one"),
        ([[1], []], "sequence 1 is empty"),
        ([[1, 9]], "token 9 is not in 0 to 8"),
    ],
)
def test_bad_sequences_are_refused(words, message):
    with pytest.raises(ValueError, match=message):
        PrefixTrie(words, 9)


# --- digits --------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(0, 999), st.integers(0, 60)), max_size=3),
    st.lists(st.tuples(st.integers(1, 999), st.integers(0, 60)), max_size=3),
    st.booleans(),
    st.sampled_from([2, 10]),
)
@settings(deadline=None, max_examples=40)
def test_digits_allow_exactly_the_wanted_numbers(plus, minus, missing, base):
    """The trie that is never built, against all numbers of three digits."""
    top = base**3 - 1

    def apart(pairs):
        kept, before = [], -2
        for first, width in sorted(pairs):
            if before + 1 < first <= top:
                before = min(first + width, top)
                kept.append((first, before))
        return tuple(kept)

    plus, minus = apart(plus), apart(minus)
    if not (plus or minus or missing):
        return
    after = 3 + 3 * base
    part = Digits(3, base, 3, plus, minus, (after, after + 1), after + 2 if missing else None)
    trie = RowConstraint([part], after + 3, bos=1, eos=2)
    wanted = {tuple([after + 2] * 4)} if missing else set()
    for sign, intervals in zip(part.signs, (plus, minus)):
        for number in (n for first, last in intervals for n in range(first, last + 1)):
            digits = [3 + (2 - p) * base + number // base**p % base for p in (2, 1, 0)]
            wanted.add((sign, *digits))
    rows = every_row(trie)
    assert {tuple(row) for row in rows.tolist()} == wanted
    assert trie.count() == len(wanted) and trie.holds(rows).all()


# --- rows of a table -----------------------------------------------------------------------------

PEOPLE = pd.DataFrame(
    {
        "age": [17, 25, 31, 38, 47, 90] * 3,
        "sex": ["Female", "Male", "Male"] * 6,
        "work": ["none", None, "State"] * 6,
        "gain": [0.5, 5000.0, -120.25, None, 77.75, 99.5] * 3,
        "day": pd.to_datetime(["2024-01-01", "2024-02-29", "2023-12-31"] * 6),
        "place": "here",
        "level": pd.Categorical(["lo", "mid", "hi"] * 6, ["lo", "mid", "hi"], ordered=True),
    }
)
CODEC = RowCodec(TableSchema.infer(PEOPLE, digits=None))


def test_the_order_of_a_row_is_kept_and_ends():
    trie = CODEC.constraint()
    ids = CODEC.encode(PEOPLE)
    assert trie.length == CODEC.length and trie.holds(ids).all()
    assert tokens_after(trie, *ids[0].tolist()) == [CODEC.eos]
    assert tokens_after(trie, *ids[0].tolist(), CODEC.eos) == [CODEC.eos]
    assert tokens_after(trie, CODEC.bos, *ids[0, :2].tolist()) == tokens_after(
        trie, *ids[0, :2].tolist()
    )


@pytest.mark.parametrize("piece", [1, 2, 3])
def test_drawn_rows_are_valid_and_what_is_invalid_is_invalid(piece):
    codec = RowCodec(CODEC.schema, piece=piece)
    trie = codec.constraint()
    ids = constrained_rows(trie, 400)
    assert codec.why_invalid(ids) == [None] * 400 and trie.holds(ids).all()
    assert (codec.encode(codec.decode(ids)) == ids).all()
    broken = ids.clone()
    generator = torch.Generator().manual_seed(1)
    rows, places = torch.arange(400), torch.randint(codec.length, (400,), generator=generator)
    broken[rows, places] = torch.randint(codec.vocab_size, (400,), generator=generator)
    reasons = codec.why_invalid(broken)
    assert trie.holds(broken).tolist() == [why is None for why in reasons]
    assert 0 < sum(why is not None for why in reasons) < 400


NIGHT = pd.Timestamp("2024-02-29")
CONDITIONS = {
    "equal": ({"sex": "Female"}, lambda t: t["sex"] == "Female"),
    "set": ({"work": {"none", "State"}}, lambda t: t["work"].isin(["none", "State"])),
    "list with a missing value": (
        {"work": ["none", None]},
        lambda t: t["work"].isin(["none"]) | t["work"].isna(),
    ),
    "missing": ({"gain": None}, lambda t: t["gain"].isna()),
    "nan is missing": ({"gain": float("nan")}, lambda t: t["gain"].isna()),
    "range": ({"age": (30, 40)}, lambda t: t["age"].between(30, 40)),
    "range of fractions": ({"gain": (-10.5, 77.75)}, lambda t: t["gain"].between(-10.5, 77.75)),
    "ends between steps": ({"gain": (0.001, 0.019)}, lambda t: t["gain"].eq(0.01)),
    "open above": ({"gain": (4000, None)}, lambda t: t["gain"] >= 4000),
    "open below": ({"gain": (None, -100)}, lambda t: t["gain"] <= -100),
    "open": ({"gain": (None, None)}, lambda t: t["gain"].notna()),
    "wider than the table": ({"age": (-1e9, 1e9)}, lambda t: t["age"].between(17, 90)),
    "numbers": ({"age": {18, 19, 90, 1000}}, lambda t: t["age"].isin([18, 19, 90])),
    "numpy": ({"age": np.int64(31)}, lambda t: t["age"] == 31),
    "negative number": ({"gain": -0.25}, lambda t: t["gain"] == -0.25),
    "day": ({"day": "2024-02-29"}, lambda t: t["day"] == NIGHT),
    "days": ({"day": ("2024-01-31", datetime.date(2024, 2, 2))},
             lambda t: t["day"].between("2024-01-31", "2024-02-02")),
    "levels": ({"level": ("mid", None)}, lambda t: t["level"] >= "mid"),
    "constant": ({"place": "here"}, lambda t: t["place"] == "here"),
    "several": ({"sex": "Male", "age": (80, 90), "gain": None},
                lambda t: (t["sex"] == "Male") & (t["age"] >= 80) & t["gain"].isna()),
}  # fmt: skip


@pytest.mark.parametrize("name", CONDITIONS)
def test_conditions_hold_in_every_row_and_leave_the_rest_free(name):
    conditions, satisfied = CONDITIONS[name]
    trie = CODEC.constraint(conditions)
    rows = CODEC.decode(constrained_rows(trie, 300))
    assert satisfied(rows).all()
    free = CODEC.decode(constrained_rows(CODEC.constraint(), 300, seed=1))
    holds = trie.holds(CODEC.encode(free))
    assert (holds.numpy() == satisfied(free).to_numpy()).all(), "no valid row was shut out"


def test_rounded_columns_keep_their_conditions():
    frame = pd.DataFrame({"x": [12_345, 67_891, 40_404], "y": [0, 1, 0]})
    codec = RowCodec(TableSchema.infer(frame, digits=2))
    assert codec.schema["x"].step == 1000
    for low, high in [(12_345, 13_000), (67_000, None), (67_891, 67_891), (None, 12_345)]:
        found = codec.decode(constrained_rows(codec.constraint({"x": (low, high)}), 60))["x"]
        assert found.between(low or 0, high or 10**9).all()


def test_ranges_are_exact_on_ranks():
    frame = pd.DataFrame({"x": [-7.5, 0.1, 2.0, 2.5, 40.0, 1e6], "y": [0, 1, 0, 1, 0, 1]})
    codec = RowCodec(TableSchema.infer(frame, ranks=6))
    for low, high in [(0.1, 2.5), (None, 0), (2.2, None), (2.0, 2.0), (-100, 1e9)]:
        found = set(codec.decode(constrained_rows(codec.constraint({"x": (low, high)}), 80))["x"])
        ends = -np.inf if low is None else low, np.inf if high is None else high
        wanted = frame["x"].between(*ends)
        assert found == set(frame["x"][wanted])
    with pytest.raises(ValueError, match="nothing satisfies"):
        codec.constraint({"x": (3, 4)})
    frame = pd.DataFrame({"x": np.arange(41.0), "y": np.arange(41) % 2})
    thin = RowCodec(TableSchema.infer(frame, ranks=5))  # 0, 10, 20, 30, 40
    assert set(thin.decode(constrained_rows(thin.constraint({"x": (5, 25)}), 80))["x"]) == {10, 20}
    with pytest.raises(ValueError, match=r"5 values from 0\.0 to 40\.0 and none between them"):
        thin.constraint({"x": 7})


@pytest.mark.parametrize(
    "conditions, message",
    [
        ({"Sex": "Female"}, "no column 'Sex'; the table has 'age', 'sex'"),
        ({"sex": "female"}, "nothing satisfies .*'sex': 'female'; .*'Female', 'Male'"),
        ({"sex": None}, "nothing satisfies .*'sex'"),
        ({"sex": ("A", "G")}, "'sex': a range needs numbers, dates or ordered categories"),
        ({"age": (91, None)}, "nothing satisfies .*'age'.* 17 to 90"),
        ({"age": (None, 16)}, "nothing satisfies"),
        ({"age": (40, 30)}, "nothing satisfies"),
        ({"age": 30.5}, "nothing satisfies"),
        ({"age": (30.2, 30.8)}, "nothing satisfies"),
        ({"age": (1, 2, 3)}, r"a range is \(low, high\), found \(1, 2, 3\)"),
        ({"age": set()}, "nothing satisfies"),
        ({"age": "old"}, "'age' holds numbers, found 'old'"),
        ({"age": (float("inf"), None)}, "'age' holds numbers, found inf"),
        ({"age": True}, "'age' holds numbers, found True"),
        ({"day": "soon"}, "'day' holds dates, found 'soon'"),
        ({"day": ("2024-03-01", None)}, "nothing satisfies"),
        ({"place": "there"}, "nothing satisfies .*always 'here'"),
        ({"level": ("low", None)}, "'level' has no level 'low'; it has 'lo', 'mid', 'hi'"),
    ],
)
def test_conditions_that_nothing_satisfies(conditions, message):
    with pytest.raises(ValueError, match=message):
        CODEC.constraint(conditions)
