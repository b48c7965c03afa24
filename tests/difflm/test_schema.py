"""Table schemas: kinds inferred from a table, codes and back, JSON, and tables that are refused."""

import datetime
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from synthkit.core.files import read_json, write_json
from synthkit.difflm.columns import MISSING, Category, Constant, Date, Number, Ranked
from synthkit.difflm.conditions import codes_for
from synthkit.difflm.schema import TableSchema


def column(values, dtype=None, **options):
    """The kind inferred for one column that stands beside another."""
    series = pd.Series(values, dtype=dtype)
    frame = pd.DataFrame({"x": series, "other": np.arange(len(series)) % 2})
    return TableSchema.infer(frame, **options)["x"]


def came_back(values, dtype=None, **options):
    """A column before and after its codes; it must be the same, type and all."""
    series = pd.Series(values, dtype=dtype, name="x")
    frame = pd.DataFrame({"x": series, "other": np.arange(len(series)) % 2})
    schema = TableSchema.infer(frame, **options)
    again = schema.restore(schema.codes(frame))
    pd.testing.assert_frame_equal(again, frame)
    return schema["x"]


# --- kinds ---------------------------------------------------------------------------------------

DAYS = [f"2024-{month:02d}-{day:02d}" for month in (1, 2, 11) for day in (1, 9, 28)]
STAMPS = pd.to_datetime(DAYS)
SCORES = [0.5, 1.25, -3.75, 8.0, 2.5]


@pytest.mark.parametrize(
    "values, dtype, kind",
    [
        (["a", "b", "a"], None, Category),
        (["a", None, "a"], None, Category),
        (["a", "b", None], "object", Category),
        (["a", "b", None], "string", Category),
        ([True, False, True], None, Category),
        ([True, None, False], "boolean", Category),
        ([True, None, False], "object", Category),
        ([1, "1", 1.5, True], "object", Category),
        (["lo", "hi", None, "lo"], pd.CategoricalDtype(["lo", "mid", "hi"], True), Category),
        ([0, 1, 1, 0], None, Category),
        ([0.0, 1.0, np.nan], None, Category),
        ([3, 14, 159, 26], None, Number),
        ([3, 14, 159, 26], "int16", Number),
        ([3, 14, None, 26], "Int64", Number),
        ([3, 14, None, 26], "object", Number),
        ([3, 14, None, 26], "float64", Number),
        (SCORES, None, Number),
        ([*SCORES, None], "float32", Number),
        ([*SCORES, None], "Float64", Number),
        (DAYS, None, Date),
        ([*DAYS, None], None, Date),
        (["03.01.2024", "12.05.2024", "30.05.2023"], None, Date),
        (["2024-01-01T00:30:00", "2024-01-02T07:15:59"], None, Date),
        (STAMPS, None, Date),
        (STAMPS.tz_localize("Europe/Berlin"), None, Date),
        ([*STAMPS[:3], None], "datetime64[ns]", Date),
        ([datetime.date(2024, 1, 5), None, datetime.date(1999, 12, 31)], "object", Date),
        ([STAMPS[0], None, STAMPS[3]], "object", Date),
        ([STAMPS[0], None, None], "datetime64[us]", Date),
        ([DAYS[0], None, None], None, Date),
        (["a"] * 3, None, Constant),
        ([7] * 3, None, Constant),
        ([STAMPS[0]] * 3, None, Constant),
        (["x"] * 3, "category", Constant),
        ([None, 5, 5], None, Category),
    ],
)  # fmt: skip
def test_kinds_are_inferred_and_types_come_back(values, dtype, kind):
    found = came_back(values, dtype)
    assert type(found) is kind
    expected = kind is not Constant and bool(pd.Series(values, dtype=dtype).isna().any())
    assert found.missing == expected


def test_every_entry_missing_is_told_and_kept():
    for dtype in ("object", "float64", "datetime64[us]"):
        with pytest.warns(UserWarning, match="'x' misses every entry"):
            assert isinstance(came_back([None] * 3, dtype), Constant)


def test_numbers_that_recur_are_categories_and_rare_ones_are_not():
    often, seldom = np.arange(400) % 10, np.arange(400) % 100
    assert isinstance(column(often), Category) and isinstance(column(seldom), Number)
    assert isinstance(column(often, few=9), Number)
    assert column(often).values == tuple(range(10))


# --- grids ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values, digits, exponent",
    [
        ([1.5, 2.25, 3.125], 4, -3),
        ([1.5, 2.25, 3.125], 1, -1),
        ([1.5, 2.25, 3.125], None, -3),
        ([12_345, 67_890, 40_404], 4, 1),
        ([12_345, 67_890, 40_404], None, 0),
        ([100_000_001, 100_000_007, 100_000_002], 4, 0),
        ([1e-7, 2e-7, 4e-7], 4, -7),
        ([0.1, 0.2, 0.1 + 0.2], None, -15),
        ([1e12, 2.5e15, 3.25e18], 4, 15),
    ],
)
def test_step_of_a_column(values, digits, exponent):
    found = column(values, digits=digits)
    assert found.exponent == exponent and found.step == pytest.approx(10.0**exponent)


def test_a_few_huge_values_do_not_set_the_step():
    small = np.arange(1, 1001) * 7
    assert column(np.r_[small, 90_000_000], digits=4).exponent == 0
    assert column(np.r_[small, np.zeros(9000, int), 90_000_000], digits=4).exponent == 0


@pytest.mark.parametrize(
    "values, origin", [([1990, 2005, 2020], 1990), ([17, 40, 90], 0), ([-5, 0, 5], 0)]
)
def test_numbers_far_from_zero_are_written_from_a_round_one(values, origin):
    assert column(values).origin == origin


@given(
    st.lists(st.integers(-(10**9), 10**9), min_size=3, max_size=30, unique=True),
    st.integers(0, 6),
    st.one_of(st.none(), st.integers(1, 6)),
)
@example([0, 5095, -104995], 0, 5)
@settings(deadline=None, max_examples=60)
def test_numbers_come_back_to_half_a_step_and_codes_exactly(whole, places, digits):
    values = np.array(whole) / 10**places
    frame = pd.DataFrame({"x": values, "y": np.arange(len(values)) % 2})
    schema = TableSchema.infer(frame, digits=digits)
    codes = schema.codes(frame)
    again = schema.restore(codes)
    error = np.abs(again["x"] - values).max()
    assert error <= schema["x"].step / 2 * (1 + 1e-9)
    assert (schema.codes(again) == codes).all()
    if digits is None:
        pd.testing.assert_frame_equal(again, frame)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, unique=True))
@settings(deadline=None, max_examples=60)
def test_any_float_stays_within_the_range_of_its_column(values):
    frame = pd.DataFrame({"x": values, "y": np.arange(len(values)) % 2})
    schema = TableSchema.infer(frame)
    codes = schema.codes(frame)
    again = schema.restore(codes)["x"]
    assert again.between(min(values), max(values)).all()
    assert (schema.codes(schema.restore(codes)) == codes).all()


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, unique=True),
    st.integers(2, 20),
)
@settings(deadline=None, max_examples=60)
def test_ranks_keep_the_order_the_range_and_the_nearest_value(values, ranks):
    frame = pd.DataFrame({"x": values, "y": np.arange(len(values)) % 2})
    schema = TableSchema.infer(frame, ranks=ranks)
    levels = np.array(schema["x"].ranks)
    assert len(levels) <= ranks and set(levels) <= set(values) and (np.diff(levels) > 0).all()
    assert (levels[0], levels[-1]) == (min(values), max(values))
    codes = schema.codes(frame)
    again = schema.restore(codes)
    assert (np.diff(codes[np.argsort(values), 0]) >= 0).all()
    assert (schema.codes(again) == codes).all()
    with np.errstate(over="ignore"):
        nearest = np.abs(np.array(values)[:, None] - levels).min(1)
        assert (np.abs(again["x"] - values) <= nearest * (1 + 1e-9)).all()
    if len(values) <= ranks:
        pd.testing.assert_frame_equal(again, frame)


def test_ranks_come_back_in_their_types_and_with_gaps():
    kind = came_back([3, 14, None, 26], "Int64", ranks=9)
    assert isinstance(kind, Ranked) and kind.integer and kind.missing and kind.ranks == (3, 14, 26)
    came_back([0.5, np.nan, 2.25, -1.0], ranks=9)
    assert isinstance(column(["a", "b", "a"], ranks=9), Category)
    assert not column([0, 0.25, 0.5, 0.75, 1.0, 1.25, 2.0], ranks=2).integer, "0 and 2 are kept"
    stamps = column([10**18 + 7, 10**18 + 8, 10**18 + 9], ranks=9)
    assert stamps.integer and stamps.ranks[0] == 10**18 + 7
    schema = TableSchema.infer(pd.DataFrame({"x": [1.5, 2.5, 9.0], "y": [0, 1, 0]}), ranks=3)
    assert TableSchema.from_json(json.loads(json.dumps(schema.to_json()))) == schema
    outside = pd.DataFrame({"x": [10.0], "y": [0]})
    with pytest.raises(ValueError, match=r"'x': 10.0 \(row 0\) lies outside 1.5 to 9.0"):
        schema.codes(outside)
    assert schema.codes(outside, "nearest")[0, 0] == 2
    with pytest.raises(ValueError, match="ranks must be at least 2"):
        TableSchema.infer(pd.DataFrame({"x": [1, 2], "y": [0, 1]}), ranks=1)


@pytest.mark.parametrize("start", [10**18, 2**60, 2**63 - 41, -(2**60), -(2**63) + 1])
@pytest.mark.parametrize("options", [{}, {"digits": None}, {"ranks": 9}])
def test_whole_numbers_of_64_bits_keep_their_last_digit(start, options):
    values = [start + away for away in (0, 1, 2, 5, 7, 40)]
    found = came_back(values, **options)
    assert found.integer and found.low == start and found.high == start + 40


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=3, max_size=30, unique=True))
@example([-(2**63), 2**63 - 1, 0, 5, -77])
@settings(deadline=None, max_examples=60)
def test_any_whole_number_of_64_bits_comes_back_to_half_a_step(values):
    frame = pd.DataFrame({"x": np.array(values), "y": np.arange(len(values)) % 2})
    schema = TableSchema.infer(frame, digits=None)
    codes = schema.codes(frame)
    again = schema.restore(codes)["x"]
    assert schema["x"].step in (1, 10) and again.dtype == np.int64
    assert all(abs(a - b) <= schema["x"].step // 2 for a, b in zip(again.tolist(), values))
    assert (schema.codes(schema.restore(codes)) == codes).all() and MISSING not in codes


def test_ranks_and_categories_of_large_whole_numbers_are_compared_exactly():
    values = 2**60 + np.arange(50)
    ranks = column(values, ranks=7).ranks
    assert set(ranks) <= set(values.tolist()) and len(ranks) == 7
    wide = TableSchema.infer(
        pd.DataFrame({"x": [-(2**63), 2**63 - 1, 0] * 2, "y": [0, 1] * 3}), few=2, ranks=2
    )
    near = pd.DataFrame({"x": [-(2**62), 2**62, -1, 0], "y": 0})
    assert wide.codes(near)[:, 0].tolist() == [0, 1, 0, 1], "distances of more than 63 bits"
    few = TableSchema.infer(pd.DataFrame({"x": [2**60, 2**60 + 9] * 2, "y": [0, 1, 1, 0]}))
    other = pd.DataFrame({"x": [2**60 + 8, 2**60 + 1], "y": 0})
    assert few.codes(other, "nearest")[:, 0].tolist() == [1, 0]


@pytest.mark.parametrize("part", [2, 7])
def test_times_between_two_seconds_do_not_leave_the_range_of_their_column(part):
    texts = f"2020-01-01T00:00:00.{part}", "2020-01-03T10:00:00.7", "2020-01-02T10:00:00.1"
    times = pd.Series(pd.to_datetime(list(texts)))
    frame = pd.DataFrame({"x": times, "y": [0, 1, 0]})
    schema = TableSchema.infer(frame)
    date, codes = schema["x"], schema.codes(frame)
    again = schema.restore(codes)["x"]
    assert again.between(times.min(), times.max()).all() and again.max() == times.max()
    assert ((again - times).abs() <= pd.Timedelta("0.5s")).all()
    assert (schema.codes(schema.restore(codes)) == codes).all()
    assert TableSchema.from_json(json.loads(json.dumps(schema.to_json()))) == schema
    assert column(times, digits=None).ends is None and column(STAMPS).ends is None
    second, first, last = pd.Timedelta("1s"), times.min(), times.max()
    for near, code in ((first, date.low), (last, date.high)):
        for time in (near, date.restore(np.array([code]))[0]):
            assert date.low <= date.place(time) <= date.high and round(date.place(time)) == code
        assert date.place(near.round("s") - 2 * second) == code - 2
    for condition, (low, high) in [
        (last, (date.high, date.high)),
        ((first, last), (date.low, date.high)),
        ((None, last - second / 9), (date.low, date.high - 1)),
        ((first + second / 9, None), (1, date.high)),
        ((None, second + first.floor("s")), (date.low, 1)),
    ]:
        assert codes_for(schema, {"x": condition})[0].intervals == ((low, high),)
    for outside in (last + second / 9, (None, first - second / 9)):
        with pytest.raises(ValueError, match="nothing satisfies"):
            codes_for(schema, {"x": outside})


@pytest.mark.parametrize("options", [{}, {"ranks": 9}])
def test_single_precision_numbers_are_read_however_they_are_written(options):
    values = np.array([0.1, 0.3, 0.2], dtype="float32")
    frame = pd.DataFrame({"x": values, "y": [0, 1, 0]})
    schema = TableSchema.infer(frame, **options)
    codes = schema.codes(frame)
    pd.testing.assert_frame_equal(schema.restore(codes), frame)
    assert (schema.codes(frame.astype({"x": float})) == codes).all()
    assert schema["x"].low <= 0.1 and schema["x"].high == float(values[1]) > 0.3
    for value, code in zip(values, codes[:, 0]):
        for written in (value, float(value), float(str(value))):
            assert codes_for(schema, {"x": written})[0].intervals == ((code, code),)


# --- other rows ----------------------------------------------------------------------------------

TABLE = pd.DataFrame(
    {
        "age": [25, 31, 47, 52],
        "sex": ["F", "M", "F", "M"],
        "kids": [0, 1, 0, 1],
        "day": STAMPS[:4],
        "one": "x",
    }
)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"age": 60}, r"'age': 60 \(row 0\) lies outside 25 to 52"),
        ({"sex": "X"}, r"'sex': 'X' \(row 0\) is not among its 2 values"),
        ({"sex": None}, r"'sex' misses a value in row 0"),
        ({"age": float("nan")}, r"'age' misses a value in row 0"),
        ({"kids": 2}, r"'kids': .*2.* is not among"),
        ({"kids": "1"}, r"'kids': '1' .* is not among"),
        ({"day": pd.Timestamp("1990-01-01")}, "'day': 1990-01-01 .* lies outside"),
        ({"one": "y"}, r"'one': 'y' \(row 0\), but it was always 'x'"),
        ({"age": "old"}, "'age' should hold numbers"),
        ({"age": np.inf}, "'age' holds 1 infinite value"),
    ],
)
def test_rows_that_the_schema_does_not_hold(change, message):
    row = TABLE.iloc[[0]].astype(object).assign(**{key: [each] for key, each in change.items()})
    with pytest.raises(ValueError, match=message):
        TableSchema.infer(TABLE).codes(row)


def test_nearest_values_stand_for_numbers_and_dates_not_seen():
    schema = TableSchema.infer(TABLE)
    row = TABLE.iloc[[0]].assign(age=99, kids=7, day=pd.Timestamp("1990-01-01"))
    near = schema.restore(schema.codes(row, "nearest")).iloc[0]
    assert (near["age"], near["kids"], near["day"]) == (52, 1, STAMPS[0])
    with pytest.raises(ValueError, match="not among"):
        schema.codes(row.assign(sex="X"), "nearest")
    with pytest.raises(ValueError, match="'error' or 'nearest', found 'clip'"):
        schema.codes(row, "clip")


@pytest.mark.parametrize(
    "value, kind",
    [
        (datetime.date(2020, 1, 1), datetime.date),
        (datetime.datetime(2020, 1, 1, 5), pd.Timestamp),
        (pd.Timestamp("2020-01-01", tz="Europe/Berlin"), pd.Timestamp),
    ],
)
def test_a_date_that_never_varies_comes_back_as_its_own_type(value, kind):
    frame = pd.DataFrame({"x": pd.Series([value] * 3, dtype=object), "y": [0, 1, 0]})
    schema = TableSchema.infer(frame)
    again = schema.restore(schema.codes(frame))["x"]
    assert type(again[0]) is kind and again.tolist() == [value] * 3 and again.dtype == object
    assert TableSchema.from_json(json.loads(json.dumps(schema.to_json()))) == schema
    assert codes_for(schema, {"x": value})[0].intervals == ((0, 0),)
    with pytest.raises(ValueError, match="but it was always '2020-01-01"):
        schema.codes(frame.assign(x=datetime.date(2021, 1, 1)))


@pytest.mark.parametrize("dtype", ["Int64", "boolean", "string", "category"])
def test_a_constant_that_is_missing_later_is_told(dtype):
    value = {"Int64": 5, "boolean": True}.get(dtype, "a")
    frame = pd.DataFrame({"x": pd.Series([value] * 3, dtype=dtype), "y": [0, 1, 0]})
    schema = TableSchema.infer(frame)
    gap = frame.assign(x=pd.Series([value, None, value], dtype=dtype))
    assert schema.codes(gap, "nearest")[:, 0].tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match=r"'x': .* \(row 1\), but it was always"):
        schema.codes(gap)


# --- dates as texts ------------------------------------------------------------------------------

DAY_FIRST = ["03.02.2020", "25.02.2020", "04.12.2019", "28.01.2020"]


def test_day_first_texts_are_read_by_their_form():
    schema = TableSchema.infer(pd.DataFrame({"d": DAY_FIRST, "y": [0, 1, 0, 1]}))
    codes = [schema["d"].place(text) for text in DAY_FIRST]
    assert codes == schema.codes(pd.DataFrame({"d": DAY_FIRST, "y": 0}))[:, 0].tolist()
    for text, code in zip(DAY_FIRST, codes):
        for value in (text, pd.to_datetime(text, format="%d.%m.%Y"), f"{text[6:]}-{text[3:5]}-"
                      f"{text[:2]}"):  # fmt: skip
            assert codes_for(schema, {"d": value})[0].intervals == ((code, code),)
    with pytest.raises(ValueError, match="'d' holds dates, found '2020-02-03'"):
        schema["d"].place("2020-02-03")
    for wrong in ("soon", "13.13.2020"):
        with pytest.raises(ValueError, match="'d' holds dates, found"):
            codes_for(schema, {"d": (wrong, None)})


# --- bad tables ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frame, error, message",
    [
        ([[1, 2]], TypeError, "a table must be .*; found list"),
        ("adult.csv", TypeError, r"found str: adult.csv; load_table"),
        (pd.DataFrame(), ValueError, "no columns"),
        (TABLE[:0], ValueError, "at least 2 rows, found 0"),
        (TABLE[:1], ValueError, "at least 2 rows, found 1"),
        (pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]), ValueError, "is called 'a'"),
        (pd.DataFrame([[1, 2], [3, 4]], columns=["a", " "]), ValueError, "column 1 has a blank"),
        (pd.DataFrame([[1, 2], [3, 4]]), TypeError, "names are texts, found 0"),
        (TABLE[["one"]], ValueError, "no column varies"),
        (TABLE.assign(age=[1, 2, np.inf, -np.inf]), ValueError, "'age' holds 2 infinite values"),
        (TABLE.assign(x=[[1], [2], [3], [4]]), ValueError, "'x' holds list values"),
        (TABLE.assign(x=pd.Series(list(STAMPS[:4].tz_localize("UTC")), dtype=object)), ValueError,
         "'x' holds times of a time zone as objects"),
        (TABLE.assign(x=["a", np.inf, 1, "b"]), ValueError, "'x' holds float values such as inf"),
        (TABLE.assign(x=np.array([1, 2, 3, 2**63], "uint64")), ValueError, "more than 64 bits"),
        (TABLE.assign(x=[b"a", b"b", b"a", b"b"]), ValueError, "'x' holds bytes values"),
        (TABLE.assign(x=TABLE["day"] - STAMPS[0]), ValueError, "'x' holds Timedelta values"),
        (TABLE.assign(x=pd.cut(TABLE["age"], 2)), ValueError, "'x' holds Interval values"),
        (TABLE.assign(x=["a", {"b": 1}, "c", "d"]), ValueError, "'x' holds dict values"),
    ],
)  # fmt: skip
def test_bad_tables_are_refused(frame, error, message):
    with pytest.raises(error, match=message):
        TableSchema.infer(frame)


@pytest.mark.parametrize(
    "values",
    [
        pd.to_datetime(["2020-01-01", "2020-01-02"] * 2),
        [datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)] * 2,
        [1.0, np.inf, 1.0, 2.0],
        pd.Categorical(["a", "b"] * 2, ["a", "b", np.inf]),
        pd.Categorical([STAMPS[0]] * 4),
    ],
)
def test_categories_that_json_cannot_hold_are_refused_at_once(values):
    with pytest.raises(ValueError, match=r"'x' holds .* as categories, where words, numbers or"):
        TableSchema.infer(TABLE.assign(x=pd.Categorical(values)))


def test_bad_settings_are_refused():
    for options, message in [
        ({"target": "income"}, "no column 'income'; the table has 'age'"),
        ({"digits": 0}, "digits must be at least 1"),
        ({"max_categories": 1}, "'sex' holds 2 different values in 4 rows.*max_categories"),
    ]:
        with pytest.raises(ValueError, match=message):
            TableSchema.infer(TABLE, **options)


# --- files and real tables -----------------------------------------------------------------------


def test_json_keeps_everything(tmp_path):
    levels = pd.Categorical(["lo", "hi", "lo", "hi"], ["lo", "mid", "hi"], ordered=True)
    frame = TABLE.assign(level=levels, ok=[True, False, None, True], x=[0.5, 1.25, None, 7])
    schema = TableSchema.infer(frame, "sex")
    write_json(tmp_path / "schema.json", schema.to_json())
    assert TableSchema.from_json(read_json(tmp_path / "schema.json")) == schema


@pytest.mark.parametrize("columns", [[{"kind": "poem"}], [{"kind": "category", "colour": 1}], 5])
def test_json_that_is_no_schema(columns):
    with pytest.raises(ValueError, match="this is no table schema"):
        TableSchema.from_json({"version": 1, "columns": columns, "target": None})
