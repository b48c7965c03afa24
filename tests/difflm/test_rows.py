"""Rows as tokens and as JSON: exact round trips, and a reason for every row that is not valid."""

import itertools
import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthkit.datasets import load_table
from synthkit.difflm.rows import (
    FAULTS,
    RowCodec,
    from_json,
    rows_from_json,
    to_json,
    token_names,
)
from synthkit.difflm.schema import TableSchema

DAYS = pd.to_datetime(["2024-01-01", "2024-02-29", "2023-12-31", None])
TABLE = pd.DataFrame(
    {
        "sex": ["F", "M", "M", "F"],
        "age": [17, 25, 90, 48],
        "gain": [0.5, -120.25, None, 77.0],
        "place": "here",
        "note": ['say "hi"', "a,b\n{c}", None, "a,b\n{c}"],
        "day": DAYS,
        "gone": [None] * 4,
        "ok": [True, False, True, True],
    }
)


@pytest.fixture(scope="module")
def codec():
    with pytest.warns(UserWarning, match="'gone' misses every entry"):
        return RowCodec(TableSchema.infer(TABLE, digits=None))


def small(**columns):
    return RowCodec(TableSchema.infer(pd.DataFrame(columns), digits=None))


# --- layout --------------------------------------------------------------------------------------


def test_a_row_by_hand():
    codec = small(sex=list("FMMF"), age=[17, 25, 90, 48], gain=[-3.5, None, 12.0, 2.5])
    assert (codec.pad, codec.bos, codec.eos) == (0, 1, 2)
    assert token_names(codec)[3:] == [
        "sex=F", "sex=M",
        *(f"age:{digit}_" for digit in range(10)), *(f"age:_{digit}" for digit in range(10)),
        *(f"gain:{digit}__" for digit in range(10)), *(f"gain:_{digit}_" for digit in range(10)),
        *(f"gain:__{digit}" for digit in range(10)), "gain:+", "gain:-", "gain:?",
    ]  # fmt: skip
    ids = codec.encode(pd.DataFrame({"sex": ["M", "F"], "age": [25, 90], "gain": [-3.5, None]}))
    names = np.array(token_names(codec))
    assert ids.dtype == torch.int64 and codec.length == 7 and codec.vocab_size == 58
    first, second = names[ids.numpy()].tolist()
    assert first == ["sex=M", "age:2_", "age:_5", "gain:-", "gain:0__", "gain:_3_", "gain:__5"]
    assert second == ["sex=F", "age:9_", "age:_0", *["gain:?"] * 4]


def test_each_token_belongs_to_one_column(codec):
    fields = codec.fields
    assert [field.column.name for field in fields] == ["sex", "age", "gain", "note", "day", "ok"]
    assert fields[0].first == 3 and fields[-1].last == codec.vocab_size
    for before, after in itertools.pairwise(fields):
        assert after.first == before.last and after.start == before.start + before.width
    names = token_names(codec)
    assert len(names) == len(set(names)) == codec.vocab_size


@pytest.mark.parametrize("piece, length", [(1, 6), (2, 3), (3, 2)])
def test_digits_in_pieces(piece, length):
    frame = pd.DataFrame({"x": [7, 123_456, 99_000], "y": [0, 1, 0]})
    codec = RowCodec(TableSchema.infer(frame, digits=None), piece=piece)
    assert codec.length == length + 1
    assert codec.vocab_size == 3 + length * 10**piece + 2
    pd.testing.assert_frame_equal(codec.decode(codec.encode(frame)), frame)
    assert f"x:{'0' * piece:_<6}" in token_names(codec)


# --- round trips ---------------------------------------------------------------------------------


words = st.text(max_size=6)
optional = st.booleans()


@st.composite
def tables(draw):
    """Tables of words, truth values, whole and decimal numbers, dates, and gaps in all of them."""
    n = draw(st.integers(2, 12))

    def column(values, gaps):
        found = draw(st.lists(values, min_size=n, max_size=n))
        holes = draw(st.lists(st.booleans(), min_size=n, max_size=n)) if gaps else [False] * n
        return [None if hole else value for hole, value in zip(holes, found)]

    whole = st.integers(-(10**12), 10**12)
    places = draw(st.integers(0, 5))
    days = st.integers(-30_000, 40_000).map(
        lambda d: pd.Timestamp("1970-01-01") + pd.Timedelta(d, "D")
    )
    frame = pd.DataFrame(
        {
            "word": pd.Series(column(words, True), dtype="object"),
            "whole": column(whole, False),
            "decimal": pd.Series(column(whole, True), dtype=float) / 10**places,
            "small": pd.Series(column(st.integers(-128, 127), False), dtype="int8"),
            "day": pd.Series(column(days, True), dtype="datetime64[us]"),
            "both": np.arange(n) % 2 == 0,
        }
    )
    return frame


@given(tables(), st.integers(1, 3))
@settings(deadline=None, max_examples=40)
@pytest.mark.filterwarnings("ignore:.*misses every entry")
def test_any_table_comes_back_exactly(frame, piece):
    schema = TableSchema.infer(frame, digits=None)
    codec = RowCodec(TableSchema.from_json(json.loads(json.dumps(schema.to_json()))), piece=piece)
    ids = codec.encode(frame)
    pd.testing.assert_frame_equal(codec.decode(ids), frame)
    assert codec.why_invalid(ids) == [None] * len(frame)
    assert codec.constraint().holds(ids).all()


@given(tables(), st.integers(1, 4))
@settings(deadline=None, max_examples=20)
@pytest.mark.filterwarnings("ignore:.*misses every entry")
def test_rounded_rows_come_back_as_they_were_rounded(frame, digits):
    codec = RowCodec(TableSchema.infer(frame, digits=digits))
    ids = codec.encode(frame)
    again = codec.decode(ids)
    assert (codec.encode(again) == ids).all() and (again.dtypes == frame.dtypes).all()
    whole = (again["whole"] - frame["whole"]).abs().max()
    assert whole <= getattr(codec.schema["whole"], "step", 0) / 2


# --- rows that are not valid ---------------------------------------------------------------------


def test_each_fault_has_its_reason():
    codec = small(sex=list("FMMF"), age=[17, 25, 90, 48], gain=[-3.5, None, 12.0, 2.5])
    good = codec.encode(pd.DataFrame({"sex": ["M"], "age": [25], "gain": [-3.5]}))[0]
    _, age, gain = codec.fields

    def changed(**places):
        row = good.clone()
        for place, token in places.items():
            row[int(place[1:])] = token
        return row

    rows = {
        None: good,
        "sex: a token of another column": changed(_0=age.first),
        "age: a token of another column": changed(_1=gain.first),
        "age: outside the range": changed(_1=age.zeros[0] + 9, _2=age.zeros[1] + 9),
        "gain: outside the range": changed(_3=gain.signs[0], _4=gain.zeros[0] + 9),
        "gain: missing in part": changed(_5=gain.missing),
        "gain: minus zero": changed(_4=gain.zeros[0], _5=gain.zeros[1], _6=gain.zeros[2]),
        "gain: a token of another column": changed(_3=gain.zeros[0]),
    }
    assert codec.why_invalid(torch.stack(list(rows.values()))) == list(rows)
    assert {reason.split(": ")[1] for reason in rows if reason} == set(FAULTS[1:])
    below = changed(_1=age.zeros[0], _2=age.zeros[1])
    assert codec.why_invalid(below[None]) == ["age: outside the range"]
    swapped = changed(_1=age.zeros[1] + 2, _2=age.zeros[0] + 5)
    assert codec.why_invalid(swapped[None]) == ["age: a token of another column"]
    missing = changed(_3=gain.missing, _4=gain.missing, _5=gain.missing, _6=gain.missing)
    assert codec.why_invalid(missing[None]) == [None]


def test_marks_and_other_lengths_are_not_rows(codec):
    ids = codec.encode(TABLE)
    marked = torch.cat([torch.full((4, 1), codec.bos), ids], 1)
    told = f"{codec.length + 1} tokens, where a row has {codec.length}"
    assert codec.why_invalid(marked) == [told] * 4
    ids[1, 0] = codec.eos
    assert codec.why_invalid(ids)[1] == "sex: a token of another column"
    with pytest.raises(ValueError, match=r"1 rows are not valid, the first is row 1: sex: a token"):
        codec.decode(ids)
    with pytest.raises(ValueError, match=r"found the shape \(4,\)"):
        codec.why_invalid(ids[:, 0])


@given(st.lists(st.integers(-5, 60), min_size=7, max_size=7))
@settings(deadline=None, max_examples=100)
def test_any_tokens_are_a_row_or_have_a_reason(tokens):
    codec = small(sex=list("FMMF"), age=[17, 25, 90, 48], gain=[-3.5, None, 12.0, 2.5])
    ids = torch.tensor([tokens])
    (reason,) = codec.why_invalid(ids)
    assert codec.constraint().holds(ids).item() == (reason is None)
    if reason is None:
        assert (codec.encode(codec.decode(ids)) == ids).all()


# --- JSON ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def texts():
    return [to_json(row) for row in TABLE.to_dict("records")]


def test_json_of_a_row(texts):
    assert json.loads(texts[0]) == {
        "sex": "F", "age": 17, "gain": 0.5, "place": "here", "note": 'say "hi"',
        "day": "2024-01-01T00:00:00", "gone": None, "ok": True,
    }  # fmt: skip
    assert "\n" not in "".join(texts) and '"gain": null' in texts[2]
    assert to_json({"a": np.int8(3), "b": "é", "c": pd.NaT}) == '{"a": 3, "b": "é", "c": null}'


def test_rows_come_back_from_json(texts, codec):
    frame, reasons = rows_from_json(texts, codec.schema)
    pd.testing.assert_frame_equal(frame, TABLE)
    assert reasons == Counter()


def replaced(text, **values):
    return json.dumps({**json.loads(text), **values})


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda text: text[:-1], "not JSON"),
        (lambda text: text + "}", "not JSON"),
        (lambda text: "Here it is: " + text, "not JSON"),
        (lambda text: text.replace("17", "NaN"), "not JSON"),
        (lambda text: text.replace("17", "-Infinity"), "not JSON"),
        (lambda text: "[" * 100_000, "not JSON"),
        (lambda text: f"[{text}]", "not an object"),
        (lambda text: "17", "not an object"),
        (lambda text: text.replace('{"sex"', '{"age": 20, "sex"'), "age: there twice"),
        (lambda text: text.replace('"sex"', '"Sex"'), "sex: absent"),
        (lambda text: replaced(text, more=1), "a column that the table has not"),
        (lambda text: replaced(text, sex="X"), "sex: unknown value"),
        (lambda text: replaced(text, sex=None), "sex: null"),
        (lambda text: replaced(text, sex=["F"]), "sex: unknown value"),
        (lambda text: replaced(text, age="17"), "age: not a number"),
        (lambda text: replaced(text, age=True), "age: not a number"),
        (lambda text: replaced(text, age=17.5), "age: not a whole number"),
        (lambda text: replaced(text, age=1e400), "not JSON"),
        (lambda text: text.replace("17", "1e400"), "age: outside the range"),
        (lambda text: replaced(text, age=91), "age: outside the range"),
        (lambda text: replaced(text, gain=-120.3), "gain: outside the range"),
        (lambda text: replaced(text, day="soon"), "day: not a date"),
        (lambda text: replaced(text, day=5), "day: not a date"),
        (lambda text: replaced(text, day="2025-01-01"), "day: outside the range"),
        (lambda text: replaced(text, gone="x"), "gone: not empty"),
        (lambda text: replaced(text, place="there"), "place: unknown value"),
        (lambda text: replaced(text, ok=1), "ok: unknown value"),
    ],
)
def test_json_that_is_no_row_has_a_reason(texts, codec, change, reason):
    assert from_json(change(texts[0]), codec.schema) == (None, reason)


def test_order_and_spaces_of_json_do_not_matter(texts, codec):
    row = json.loads(texts[0])
    mixed = json.dumps(dict(reversed(row.items())), indent=2)
    assert from_json(mixed, codec.schema) == (row, None)
    assert list(from_json(mixed, codec.schema)[0]) == codec.schema.names
    assert from_json(replaced(texts[0], age=17.0), codec.schema)[1] is None


def test_the_ends_of_columns_are_read_from_json():
    """The largest number of 32 bits and the first and last time with a part of a second."""
    x = np.array([0.1, 0.3, 0.2], dtype="float32")
    t = pd.to_datetime(["2020-01-01T00:00:00.7", "2020-01-03T10:00:00.7", "2020-01-02T10:00:00.1"])
    schema = TableSchema.infer(frame := pd.DataFrame({"x": x, "t": t, "y": [0, 1, 0]}))
    drawn = schema.restore(schema.codes(frame))
    for table in (frame, drawn):
        found, reasons = rows_from_json(map(to_json, table.to_dict("records")), schema)
        assert not reasons
        pd.testing.assert_frame_equal(found, drawn)


# --- real tables ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name, most", [("adult", 20), ("default", 80), ("magic", 48)])
@pytest.mark.parametrize("piece", [1, 2])
def test_real_tables_are_short_rows_that_come_back(shared_data, name, most, piece):
    frame = load_table(shared_data / name / "train.csv")
    codec = RowCodec(TableSchema.infer(frame), piece=piece)
    ids = codec.encode(frame)
    assert codec.length <= most and ids.shape == (len(frame), codec.length)
    again = codec.decode(ids)
    assert (codec.encode(again) == ids).all()
    exact = [each.name for each in codec.schema.columns if each.kind != "number"]
    pd.testing.assert_frame_equal(again[exact], frame[exact])
    assert codec.constraint().holds(ids[:500]).all()
