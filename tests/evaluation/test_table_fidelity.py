"""Fidelity of tables by hand: columns, pairs, dates, large numbers, values that are ruled out."""

import datetime
import math

import numpy as np
import pandas as pd
import pytest
from evaluation.samples import mixed, numbers, real_halves
from hypothesis import given, settings
from hypothesis import strategies as st

from synthkit.difflm.schema import TableSchema
from synthkit.evaluation import table_columns as C
from synthkit.evaluation import table_fidelity as F
from synthkit.evaluation import table_privacy as R
from synthkit.evaluation import table_utility as U

SDMETRICS = "0.32.0"  # what the recorded scores are from


def test_kinds_of_columns():
    kinds = {"size": "number", "count": "number", "colour": "category", "flag": "category"}
    assert C.column_kinds(mixed()) == kinds | {"day": "date"}
    assert C.column_kinds(mixed(), ["count"])["count"] == "category"
    with pytest.raises(ValueError, match=r"categories= names \['sizes'\]; the columns are"):
        C.column_kinds(mixed(), ["sizes"])


def test_numbers_of_a_column():
    values = pd.Series(["3", 2.5, None, "x", math.inf, True], dtype=object)
    assert C.numbers_of(values[:5]).tolist()[:2] == [3.0, 2.5]
    assert np.isnan(C.numbers_of(values[:5])[2:]).all()
    days = pd.Series(["1970-01-03", None, "no day"])
    assert C.numbers_of(days, "date")[0] == 2 and np.isnan(C.numbers_of(days, "date")[1:]).all()
    zoned = pd.Series(pd.to_datetime(["1970-01-02T00:00Z"]))
    assert C.numbers_of(zoned, "date").tolist() == [1.0]


@pytest.mark.parametrize(
    ("bad", "error", "words"),
    [
        ([1, 2], TypeError, "a table must be a pandas.DataFrame.*found list"),
        (pd.DataFrame(), ValueError, "a table has 0 rows and 0 columns"),
        (mixed()[:0], ValueError, "a table has 0 rows and 5 columns"),
        (mixed().drop(columns="day"), ValueError, r"no column \['day'\] in a table with"),
        (mixed()[[*mixed(), "day"]], ValueError, "a column name occurs twice"),
    ],
)
def test_bad_tables_are_told(bad, error, words):
    for measure in (F.shape_error, F.pair_error, F.invalid_rate, F.rare_coverage, U.c2st):
        with pytest.raises(error, match=words):
            measure(mixed(), bad)
    with pytest.raises(error, match=words):
        U.utility(bad, mixed(), "flag")
    with pytest.raises(error, match=words):
        R.closest_record(mixed(), bad, mixed())


SHAPES = [  # real values, synthetic ones, the error in %
    ((1, 2, 3, 4), (1, 2, 3, 4), 0),
    ((1, 2, 3, 4), (3, 4, 5, 6), 50),
    ((1, 2), (8, 9), 100),
    ("aab", "abbc", 100 * (5 / 12 + 1 / 6 + 1 / 4) / 2),  # |2/3-1/4| + |1/3-2/4| + |0-1/4|, halved
    ((1, 2, 3, 4), (1, None, 2, 3, math.nan, 4), 0),
    ((1, 2), (None, math.inf), 100),
    ((None, None), (1, 2), math.nan),
]


@pytest.mark.parametrize(("real", "made", "error"), SHAPES)
def test_shape_error_by_hand(real, made, error):
    assert F.shape_error(numbers(*real), numbers(*made)) == pytest.approx(error, nan_ok=True)
    first = pd.DataFrame({"x": [1, 2, 3, 4], "y": list("aabb")})
    assert F.shape_error(first, first.assign(x=[3, 4, 5, 6])) == 25  # 50 and 0


def test_shape_error_equals_the_kolmogorov_smirnov_statistic():
    from scipy.stats import ks_2samp

    rng = np.random.default_rng(1)
    a, b = rng.normal(size=300).round(1), rng.normal(0.3, 1.2, size=170).round(1)
    assert F.shape_error(numbers(*a), numbers(*b)) == pytest.approx(100 * ks_2samp(a, b).statistic)


def test_pair_error_by_hand():
    real = pd.DataFrame({"x": [1, 2, 3, 4], "y": [2, 4, 6, 8]})
    assert F.pair_error(real, real) == 0
    turned = real.assign(y=[8, 6, 4, 2])
    assert F.pair_error(real, turned) == pytest.approx(100)  # from 1 to -1
    assert F.pair_error(real, real.assign(y=5)) == pytest.approx(50)  # from 1 to 0
    assert math.isnan(F.pair_error(real.assign(y=5), real))
    words = pd.DataFrame({"x": list("aabb"), "y": list("ccdd")})
    crossed = words.assign(y=list("cdcd"))  # half of the rows move to cells that were empty
    assert F.pair_error(words, crossed) == pytest.approx(50)
    both = pd.DataFrame({"x": list("aabb"), "y": [0.0, 0.0, 10.0, 10.0]})
    assert F.pair_error(both, both.assign(y=[0.0, 10.0, 0.0, 10.0])) == pytest.approx(50)


@pytest.mark.parametrize("unit", [1e-310, 1e-200, 1e200, 1e300])
def test_pair_error_does_not_depend_on_the_unit(unit):
    x, y = np.random.default_rng(0).normal(size=(2, 40))
    real, made = pd.DataFrame({"x": x, "y": x + y}), pd.DataFrame({"x": x, "y": y})
    scaled = F.pair_error(real.assign(x=unit * x), made.assign(x=unit * x))
    assert scaled == pytest.approx(F.pair_error(real, made), rel=1e-6)


def test_a_missing_category_is_a_category_of_a_pair():
    words = pd.DataFrame({"x": ["a", None, "b", None], "y": list("cdcd")})
    assert F.pair_error(words, words) == 0
    assert F.pair_error(words, words.assign(x=list("aabb"))) == pytest.approx(50)


def test_an_extreme_value_moves_the_bins_of_its_own_table_only():
    rng = np.random.default_rng(0)
    real = pd.DataFrame({"x": rng.normal(size=2000), "y": rng.choice(["a", "b"], 2000)})
    other = pd.DataFrame({"x": rng.normal(size=2000), "y": rng.choice(["a", "b"], 2000)})
    assert F.pair_error(real, other, edges="real") < 5
    other.loc[0, "x"] = 1000.0
    assert F.pair_error(real, other, edges="real") < 5
    assert F.pair_error(real, other, edges="own") > 50
    with pytest.raises(ValueError, match="edges is 'own'"):
        F.pair_error(real, other, edges="mine")


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(2, 40))
def test_errors_are_shares_that_vanish_on_the_table_itself(seed, n, m):
    a, b = mixed(n, seed), mixed(m, seed + 1)
    order = np.random.default_rng(seed).permutation(n)
    for edges in ("own", "real"):
        assert F.pair_error(a, a.iloc[order], edges=edges) == pytest.approx(0, abs=1e-9)
        assert 0 <= F.pair_error(a, b, edges=edges) <= 100 + 1e-9
    assert F.shape_error(a, a.iloc[order]) == 0
    assert 0 <= F.shape_error(a, b) <= 100
    assert F.shape_error(a, b) == pytest.approx(F.shape_error(b, a))


def two_tables():
    real, synthetic = mixed(400, 0), mixed(300, 1)
    synthetic.loc[:20, "colour"] = "blue"
    return real, synthetic


def test_errors_equal_the_recorded_ones_of_sdmetrics():
    """What SDMetrics (the version above) reports with its thresholds at 0: 100 - 100 x score."""
    real, synthetic = two_tables()
    assert F.shape_error(real, synthetic) == pytest.approx(7.092149561, abs=1e-6)
    assert F.pair_error(real, synthetic) == pytest.approx(100 - 100 * 0.852968, abs=1e-4)


DAYS = pd.date_range("2020-01-01", periods=60, freq="37h")

TEXTS = pd.Series(DAYS.strftime("%d.%m.%Y"))

ZONED = pd.Series(DAYS.tz_localize("Europe/Berlin"))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (TEXTS, "date %d.%m.%Y"),
        (TEXTS.where(DAYS > DAYS[5]), "date %d.%m.%Y"),
        (pd.Series(DAYS.strftime("%Y-%m-%d %H:%M:%S"), dtype="string"), "date %Y-%m-%d %H:%M:%S"),
        (pd.Series(DAYS.date), "date"),
        (pd.Series([*DAYS[:5], None], dtype=object), "date"),
        (ZONED, "date"),
        (TEXTS + "?", "category"),
        (TEXTS.astype("category"), "category"),
        (pd.Series([None, None], dtype=object), "category"),
    ],
)
@pytest.mark.filterwarnings("ignore:column 'd' misses every entry")
def test_dates_are_judged_as_they_are_generated(values, kind):
    frame = pd.DataFrame({"d": values, "y": np.arange(len(values)) % 2})
    assert C.column_kinds(frame)["d"] == kind
    with_none = pd.concat([frame, pd.DataFrame({"d": [None], "y": 0}, dtype=object)])
    column = TableSchema.infer(with_none.astype({"d": values.dtype, "y": int}))["d"]
    assert (column.kind == "date") == (kind != "category")
    if values.dtype in ("object", "str"):
        assert C.column_kinds(frame, ["d"])["d"] == "category"


def test_texts_are_numbers_of_days_in_their_own_form():
    days = C.numbers_of(TEXTS, "date %d.%m.%Y")
    assert days.tolist() == [(day - datetime.date(1970, 1, 1)).days for day in DAYS.date]
    assert np.isnan(
        C.numbers_of(pd.Series(["2020-01-01", None, "31.02.2020"]), "date %d.%m.%Y")
    ).all()
    real = pd.DataFrame({"d": TEXTS, "x": range(60)})
    shifted = real.assign(d=TEXTS.shift(-6, fill_value=TEXTS[59]))
    as_times = [
        each.assign(d=pd.to_datetime(each["d"], format="%d.%m.%Y")) for each in (real, shifted)
    ]
    for measure in (F.shape_error, F.pair_error):
        assert measure(real, shifted) == measure(*as_times) > 0 == measure(real, real)
    other = real.assign(d=["03.02.2020", "01.01.2019", *TEXTS[2:]])
    assert F.invalid_values(real, other)["d"].tolist() == [False, True] + [False] * 58
    assert R.closest_record(real, shifted, other) == R.closest_record(
        *(t.assign(d=pd.to_datetime(t["d"], format="%d.%m.%Y")) for t in (real, shifted, other))
    )


def test_time_zones_are_no_difference():
    utc = ZONED.dt.tz_convert("UTC")
    assert (C.numbers_of(ZONED, "date") == C.numbers_of(utc, "date")).all()
    summer = pd.Series(["2020-01-01T00:30:00+01:00", "2020-07-01T00:30:00+02:00", None])
    days = C.numbers_of(summer, "date")
    assert days[:2].tolist() == [18261 + 23.5 / 24, 18443 + 22.5 / 24] and np.isnan(days[2])


@pytest.mark.parametrize("start", [2**53, 2**60, 2**63 - 600, -(2**63)])
@pytest.mark.parametrize("dtype", ["int64", "Int64"])
def test_whole_numbers_that_no_float_holds_are_measured_exactly(start, dtype):
    def table(first, n=90):
        numbers = pd.Series([start + first + i for i in range(n)], dtype=dtype)
        return pd.DataFrame({"id": numbers, "c": list("abc") * (n // 3)})

    def small(first):
        return table(first).assign(id=np.arange(first, first + 90))

    a, b, c = (table(first) for first in (0, 45, 200))
    assert F.shape_error(a, b) == F.shape_error(small(0), small(45)) == pytest.approx(25)
    assert F.pair_error(a, b) == F.pair_error(small(0), small(45))
    assert F.pair_error(a, b, edges="real") == F.pair_error(small(0), small(45), edges="real") > 0
    assert F.invalid_values(a, b)["id"].tolist() == [False] * 45 + [True] * 45
    assert U.c2st(a, c) == U.c2st(small(0), small(200))
    found = R.closest_record(a, b, c)
    assert found == R.closest_record(small(0), small(45), small(200))
    assert found.copies == 0 and found.natural == 0.5
    assert R.closest_record(a, b, a).copies == 1


def test_invalid_values_by_hand():
    real = pd.DataFrame(
        {
            "n": [1, 5, 9],
            "x": [0.5, None, 2.0],
            "c": ["a", "b", "b"],
            "d": pd.to_datetime(["2020-01-01"] * 3),
        }
    )
    made = pd.DataFrame(
        {
            "n": [1, 10, 2.5, None, "7", 9],
            "x": [1.0, 2.1, None, math.inf, 0.5, "?"],
            "c": ["a", "A", "b", None, "b", "b"],
            "d": ["2020-01-01", "2020-01-02", "2020-01-01", None, "never", "2020-01-01"],
        },
        index=list("uvwxyz"),
    )
    bad = F.invalid_values(real, made)
    assert bad["n"].tolist() == [False, True, True, True, False, False]
    assert bad["x"].tolist() == [False, True, False, True, False, True]
    assert bad["c"].tolist() == [False, True, False, True, False, False]
    assert bad["d"].tolist() == [False, True, False, True, True, False]
    assert bad.index.tolist() == list("uvwxyz")
    assert F.invalid_rate(real, made) == pytest.approx(5 / 6)
    assert F.invalid_rate(real, real) == 0 and F.invalid_rate(mixed(), mixed()) == 0


def test_an_empty_real_column_allows_nothing_but_missing_values():
    real = pd.DataFrame({"x": [np.nan, np.nan], "y": [1, 2]})
    found = F.invalid_values(real, pd.DataFrame({"x": [np.nan, 1.0], "y": [1, 2]}))
    assert found["x"].tolist() == [False, True]


def test_rare_coverage_by_hand():
    real = pd.DataFrame({"c": ["a"] * 96 + list("bcde"), "d": ["x"] * 50 + ["y"] * 50})
    assert F.rare_coverage(real, real) == 1
    assert F.rare_coverage(real, real[:97]) == 0.25
    assert F.rare_coverage(real, real.assign(c="a")) == 0
    assert math.isnan(F.rare_coverage(real[["d"]], real))


def test_categories_that_no_row_has_are_none():
    levels = list("abcdz")
    real = pd.DataFrame({"c": pd.Categorical(list("a" * 97 + "bcd"), levels), "x": range(100)})
    assert F.rare_coverage(real, real) == 1
    assert F.rare_coverage(real, real.assign(c=pd.Categorical(["a"] * 100, levels))) == 0
    made = real.assign(c=pd.Categorical(["z"] * 50 + ["b"] * 50, levels))
    assert F.invalid_rate(real, made) == 0.5 and F.invalid_rate(real, real) == 0
    assert C.places_of(real["c"]).keys() == set("abcd")


def test_on_default_extreme_rows_spoil_the_published_pair_error(shared_data):
    """Held-out real rows have a far larger error when each table gets bins of its own."""
    train, test = real_halves(shared_data, "default", 8000)
    codes = ["default_payment_next_month", "sex", "education"]
    own, same = (F.pair_error(train, test, edges=e, categories=codes) for e in ("own", "real"))
    assert own > 1.5 * same and same < 4


def test_numbers_that_are_codes():
    real, wrong = numbers(1, 2, 2), numbers(3, 2, 2)
    assert F.shape_error(real, wrong, categories=["x"]) == pytest.approx(100 / 3)
    assert F.shape_error(real, wrong.astype(float), categories=["x"]) == pytest.approx(100 / 3)


def test_errors_equal_those_of_sdmetrics():
    reports = pytest.importorskip("sdmetrics.reports.single_table")
    real, synthetic = two_tables()
    sdtypes = {"number": "numerical", "category": "categorical", "date": "datetime"}
    kinds = C.column_kinds(real)
    metadata = {"columns": {name: {"sdtype": sdtypes[kind]} for name, kind in kinds.items()}}
    report = reports.QualityReport()
    for part in report._properties.values():
        if hasattr(part, "real_correlation_threshold"):
            part.real_correlation_threshold = part.real_association_threshold = 0
    report.real_correlation_threshold = report.real_association_threshold = 0
    report.generate(real, synthetic, metadata, verbose=False)
    score = report.get_properties().set_index("Property")["Score"]
    assert F.shape_error(real, synthetic) == pytest.approx(
        100 - 100 * score["Column Shapes"], abs=1e-4
    )
    assert F.pair_error(real, synthetic) == pytest.approx(
        100 - 100 * score["Column Pair Trends"], abs=1e-4
    )
