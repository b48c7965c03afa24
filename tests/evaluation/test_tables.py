"""Measures of synthetic tables: by hand where they can be, and fooled by nothing that is known."""

import datetime
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthkit.datasets import load_table
from synthkit.difflm.schema import TableSchema
from synthkit.evaluation import table_utility as P
from synthkit.evaluation import tables as T
from synthkit.worlds import load_world

WORLD = load_world("census")
ONE = (P.Trees(0.1, 16),)  # one setting: nothing to choose, so faster
SDMETRICS = "0.32.0"  # what the recorded scores are from


def mixed(n=200, seed=0):
    """A table of every kind of column, with missing values."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "size": rng.normal(10, 3, n).round(2),
            "count": rng.integers(0, 50, n),
            "colour": rng.choice(["red", "green", 'a "b", c'], n, p=[0.6, 0.37, 0.03]),
            "flag": rng.random(n) < 0.3,
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D"),
        }
    )
    frame.loc[::9, "size"] = np.nan
    frame.loc[::7, "colour"] = None
    frame.loc[::11, "day"] = pd.NaT
    return frame


def numbers(*values):
    return pd.DataFrame({"x": list(values)})


# --- columns --------------------------------------------------------------------------------------


def test_kinds_of_columns():
    kinds = {"size": "number", "count": "number", "colour": "category", "flag": "category"}
    assert T.column_kinds(mixed()) == kinds | {"day": "date"}
    assert T.column_kinds(mixed(), ["count"])["count"] == "category"
    with pytest.raises(ValueError, match=r"categories= names \['sizes'\]; the columns are"):
        T.column_kinds(mixed(), ["sizes"])


def test_numbers_of_a_column():
    values = pd.Series(["3", 2.5, None, "x", math.inf, True], dtype=object)
    assert P.numbers_of(values[:5]).tolist()[:2] == [3.0, 2.5]
    assert np.isnan(P.numbers_of(values[:5])[2:]).all()
    days = pd.Series(["1970-01-03", None, "no day"])
    assert P.numbers_of(days, "date")[0] == 2 and np.isnan(P.numbers_of(days, "date")[1:]).all()
    zoned = pd.Series(pd.to_datetime(["1970-01-02T00:00Z"]))
    assert P.numbers_of(zoned, "date").tolist() == [1.0]


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
    for measure in (T.shape_error, T.pair_error, T.invalid_rate, T.rare_coverage, T.c2st):
        with pytest.raises(error, match=words):
            measure(mixed(), bad)
    with pytest.raises(error, match=words):
        T.utility(bad, mixed(), "flag")
    with pytest.raises(error, match=words):
        T.closest_record(mixed(), bad, mixed())


# --- shape and pairs ------------------------------------------------------------------------------


def test_shape_error_by_hand():
    assert T.shape_error(numbers(1, 2, 3, 4), numbers(1, 2, 3, 4)) == 0
    assert T.shape_error(numbers(1, 2, 3, 4), numbers(3, 4, 5, 6)) == 50
    assert T.shape_error(numbers(1, 2), numbers(8, 9)) == 100
    words = (numbers(*"aab"), numbers(*"abbc"))  # |2/3-1/4| + |1/3-2/4| + |0-1/4|, halved
    assert T.shape_error(*words) == pytest.approx(100 * (5 / 12 + 1 / 6 + 1 / 4) / 2)
    first = pd.DataFrame({"x": [1, 2, 3, 4], "y": list("aabb")})
    assert T.shape_error(first, first.assign(x=[3, 4, 5, 6])) == 25  # 50 and 0


def test_shape_error_equals_the_kolmogorov_smirnov_statistic():
    from scipy.stats import ks_2samp

    rng = np.random.default_rng(1)
    a, b = rng.normal(size=300).round(1), rng.normal(0.3, 1.2, size=170).round(1)
    assert T.shape_error(numbers(*a), numbers(*b)) == pytest.approx(100 * ks_2samp(a, b).statistic)


def test_missing_values_are_left_out_and_empty_columns_count():
    with_gaps = numbers(1, None, 2, 3, np.nan, 4)
    assert T.shape_error(numbers(1, 2, 3, 4), with_gaps) == 0
    assert T.shape_error(numbers(1, 2), numbers(None, math.inf)) == 100
    assert math.isnan(T.shape_error(numbers(None, None), numbers(1, 2)))


def test_numbers_that_are_codes():
    real, wrong = numbers(1, 2, 2), numbers(3, 2, 2)
    assert T.shape_error(real, wrong, categories=["x"]) == pytest.approx(100 / 3)
    assert T.shape_error(real, wrong.astype(float), categories=["x"]) == pytest.approx(100 / 3)


def test_pair_error_by_hand():
    real = pd.DataFrame({"x": [1, 2, 3, 4], "y": [2, 4, 6, 8]})
    assert T.pair_error(real, real) == 0
    turned = real.assign(y=[8, 6, 4, 2])
    assert T.pair_error(real, turned) == pytest.approx(100)  # from 1 to -1
    assert T.pair_error(real, real.assign(y=5)) == pytest.approx(50)  # from 1 to 0
    assert math.isnan(T.pair_error(real.assign(y=5), real))
    words = pd.DataFrame({"x": list("aabb"), "y": list("ccdd")})
    crossed = words.assign(y=list("cdcd"))  # half of the rows move to cells that were empty
    assert T.pair_error(words, crossed) == pytest.approx(50)
    both = pd.DataFrame({"x": list("aabb"), "y": [0.0, 0.0, 10.0, 10.0]})
    assert T.pair_error(both, both.assign(y=[0.0, 10.0, 0.0, 10.0])) == pytest.approx(50)


def test_a_missing_category_is_a_category_of_a_pair():
    words = pd.DataFrame({"x": ["a", None, "b", None], "y": list("cdcd")})
    assert T.pair_error(words, words) == 0
    assert T.pair_error(words, words.assign(x=list("aabb"))) == pytest.approx(50)


def test_an_extreme_value_moves_the_bins_of_its_own_table_only():
    rng = np.random.default_rng(0)
    real = pd.DataFrame({"x": rng.normal(size=2000), "y": rng.choice(["a", "b"], 2000)})
    other = pd.DataFrame({"x": rng.normal(size=2000), "y": rng.choice(["a", "b"], 2000)})
    assert T.pair_error(real, other, edges="real") < 5
    other.loc[0, "x"] = 1000.0
    assert T.pair_error(real, other, edges="real") < 5
    assert T.pair_error(real, other, edges="own") > 50
    with pytest.raises(ValueError, match="edges is 'own'"):
        T.pair_error(real, other, edges="mine")


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(2, 40))
def test_errors_are_shares_that_vanish_on_the_table_itself(seed, n, m):
    a, b = mixed(n, seed), mixed(m, seed + 1)
    order = np.random.default_rng(seed).permutation(n)
    for edges in ("own", "real"):
        assert T.pair_error(a, a.iloc[order], edges=edges) == pytest.approx(0, abs=1e-9)
        assert 0 <= T.pair_error(a, b, edges=edges) <= 100 + 1e-9
    assert T.shape_error(a, a.iloc[order]) == 0
    assert 0 <= T.shape_error(a, b) <= 100
    assert T.shape_error(a, b) == pytest.approx(T.shape_error(b, a))


def two_tables():
    real, synthetic = mixed(400, 0), mixed(300, 1)
    synthetic.loc[:20, "colour"] = "blue"
    return real, synthetic


def test_errors_equal_the_recorded_ones_of_sdmetrics():
    """What SDMetrics (the version above) reports with its thresholds at 0: 100 - 100 x score."""
    real, synthetic = two_tables()
    assert T.shape_error(real, synthetic) == pytest.approx(7.092149561, abs=1e-6)
    assert T.pair_error(real, synthetic) == pytest.approx(100 - 100 * 0.852968, abs=1e-4)


def test_errors_equal_those_of_sdmetrics():
    reports = pytest.importorskip("sdmetrics.reports.single_table")
    real, synthetic = two_tables()
    sdtypes = {"number": "numerical", "category": "categorical", "date": "datetime"}
    kinds = T.column_kinds(real)
    metadata = {"columns": {name: {"sdtype": sdtypes[kind]} for name, kind in kinds.items()}}
    report = reports.QualityReport()
    for part in report._properties.values():
        if hasattr(part, "real_correlation_threshold"):
            part.real_correlation_threshold = part.real_association_threshold = 0
    report.real_correlation_threshold = report.real_association_threshold = 0
    report.generate(real, synthetic, metadata, verbose=False)
    score = report.get_properties().set_index("Property")["Score"]
    assert T.shape_error(real, synthetic) == pytest.approx(
        100 - 100 * score["Column Shapes"], abs=1e-4
    )
    assert T.pair_error(real, synthetic) == pytest.approx(
        100 - 100 * score["Column Pair Trends"], abs=1e-4
    )


# --- dates ----------------------------------------------------------------------------------------

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
    assert T.column_kinds(frame)["d"] == kind
    with_none = pd.concat([frame, pd.DataFrame({"d": [None], "y": 0}, dtype=object)])
    column = TableSchema.infer(with_none.astype({"d": values.dtype, "y": int}))["d"]
    assert (column.kind == "date") == (kind != "category")
    if values.dtype in ("object", "str"):
        assert T.column_kinds(frame, ["d"])["d"] == "category"


def test_texts_are_numbers_of_days_in_their_own_form():
    days = P.numbers_of(TEXTS, "date %d.%m.%Y")
    assert days.tolist() == [(day - datetime.date(1970, 1, 1)).days for day in DAYS.date]
    assert np.isnan(
        P.numbers_of(pd.Series(["2020-01-01", None, "31.02.2020"]), "date %d.%m.%Y")
    ).all()
    real = pd.DataFrame({"d": TEXTS, "x": range(60)})
    shifted = real.assign(d=TEXTS.shift(-6, fill_value=TEXTS[59]))
    as_times = [
        each.assign(d=pd.to_datetime(each["d"], format="%d.%m.%Y")) for each in (real, shifted)
    ]
    for measure in (T.shape_error, T.pair_error):
        assert measure(real, shifted) == measure(*as_times) > 0 == measure(real, real)
    other = real.assign(d=["03.02.2020", "01.01.2019", *TEXTS[2:]])
    assert T.invalid_values(real, other)["d"].tolist() == [False, True] + [False] * 58
    assert T.closest_record(real, shifted, other) == T.closest_record(
        *(t.assign(d=pd.to_datetime(t["d"], format="%d.%m.%Y")) for t in (real, shifted, other))
    )


def test_time_zones_are_no_difference():
    utc = ZONED.dt.tz_convert("UTC")
    assert (P.numbers_of(ZONED, "date") == P.numbers_of(utc, "date")).all()
    summer = pd.Series(["2020-01-01T00:30:00+01:00", "2020-07-01T00:30:00+02:00", None])
    days = P.numbers_of(summer, "date")
    assert days[:2].tolist() == [18261 + 23.5 / 24, 18443 + 22.5 / 24] and np.isnan(days[2])


# --- large whole numbers --------------------------------------------------------------------------


@pytest.mark.parametrize("start", [2**53, 2**60, 2**63 - 600, -(2**63)])
@pytest.mark.parametrize("dtype", ["int64", "Int64"])
def test_whole_numbers_that_no_float_holds_are_measured_exactly(start, dtype):
    def table(first, n=90):
        numbers = pd.Series([start + first + i for i in range(n)], dtype=dtype)
        return pd.DataFrame({"id": numbers, "c": list("abc") * (n // 3)})

    def small(first):
        return table(first).assign(id=np.arange(first, first + 90))

    a, b, c = (table(first) for first in (0, 45, 200))
    assert T.shape_error(a, b) == T.shape_error(small(0), small(45)) == pytest.approx(25)
    assert T.pair_error(a, b) == T.pair_error(small(0), small(45))
    assert T.pair_error(a, b, edges="real") == T.pair_error(small(0), small(45), edges="real") > 0
    assert T.invalid_values(a, b)["id"].tolist() == [False] * 45 + [True] * 45
    assert T.c2st(a, c) == T.c2st(small(0), small(200))
    found = T.closest_record(a, b, c)
    assert found == T.closest_record(small(0), small(45), small(200))
    assert found.copies == 0 and found.natural == 0.5
    assert T.closest_record(a, b, a).copies == 1


def test_copies_are_looked_for_on_exact_values():
    """Ids over the whole range of 64 bits: neighbours are one float, and no copies."""
    ids = np.random.default_rng(0).integers(-(2**62), 2**62, 50) // 2 * 2
    train, near = (pd.DataFrame({"id": ids + i, "x": 1.0}) for i in (0, 1))
    found = T.closest_record(train, near, near.astype({"id": "Int64"}))
    assert found.copies == found.natural == 0
    assert T.closest_record(train, near, train.astype({"id": str})).copies == 1
    gaps = train.astype({"id": "Int64"})
    gaps.loc[:9, "id"] = None
    assert T.closest_record(gaps, near, gaps[:10]).copies == 1
    assert T.closest_record(train, near, gaps).copies == 0.8


def test_columns_left_out_change_the_natural_rate():
    rng = np.random.default_rng(0)
    train, test = (
        pd.DataFrame(
            {"id": np.arange(k, k + 100), "c": rng.choice(list("ab"), 100), "y": [0, 1] * 50}
        )
        for k in (0, 100)
    )
    options = {"seeds": (0,), "grid": ONE}
    every = T.evaluate_table(train, test, train, "y", **options).iloc[0]
    without = T.evaluate_table(train, test, train, "y", without=["id"], **options).iloc[0]
    assert (every["natural_copies"], without["natural_copies"]) == (0, 1)
    assert every["copies"] == without["copies"] == 1
    assert (
        T.reference_rows(train, test, "y", without=["id"], **options)["copies"].tolist() == [1] * 3
    )


# --- right values and rare ones -------------------------------------------------------------------


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
    bad = T.invalid_values(real, made)
    assert bad["n"].tolist() == [False, True, True, True, False, False]
    assert bad["x"].tolist() == [False, True, False, True, False, True]
    assert bad["c"].tolist() == [False, True, False, True, False, False]
    assert bad["d"].tolist() == [False, True, False, True, True, False]
    assert bad.index.tolist() == list("uvwxyz")
    assert T.invalid_rate(real, made) == pytest.approx(5 / 6)
    assert T.invalid_rate(real, real) == 0 and T.invalid_rate(mixed(), mixed()) == 0


def test_an_empty_real_column_allows_nothing_but_missing_values():
    real = pd.DataFrame({"x": [np.nan, np.nan], "y": [1, 2]})
    found = T.invalid_values(real, pd.DataFrame({"x": [np.nan, 1.0], "y": [1, 2]}))
    assert found["x"].tolist() == [False, True]


def test_rare_coverage_by_hand():
    real = pd.DataFrame({"c": ["a"] * 96 + list("bcde"), "d": ["x"] * 50 + ["y"] * 50})
    assert T.rare_coverage(real, real) == 1
    assert T.rare_coverage(real, real[:97]) == 0.25
    assert T.rare_coverage(real, real.assign(c="a")) == 0
    assert T.rare_coverage(real, real.assign(d="x"), rare=0.5) == pytest.approx(5 / 6)
    assert math.isnan(T.rare_coverage(real[["d"]], real))
    for rare in (0, 1.1):
        with pytest.raises(ValueError, match="rare is a share"):
            T.rare_coverage(real, real, rare=rare)


def test_categories_that_no_row_has_are_none():
    levels = list("abcdz")
    real = pd.DataFrame({"c": pd.Categorical(list("a" * 97 + "bcd"), levels), "x": range(100)})
    assert T.rare_coverage(real, real) == 1
    assert T.rare_coverage(real, real.assign(c=pd.Categorical(["a"] * 100, levels))) == 0
    made = real.assign(c=pd.Categorical(["z"] * 50 + ["b"] * 50, levels))
    assert T.invalid_rate(real, made) == 0.5 and T.invalid_rate(real, real) == 0
    assert P.places_of(real["c"]).keys() == set("abcd")


# --- copies ---------------------------------------------------------------------------------------


def test_distances_by_hand():
    train = pd.DataFrame({"x": [0.0, 10.0], "c": ["a", "b"], "k": [3, 3]})
    holdout = pd.DataFrame({"x": [0.0, 10.0], "c": ["b", "a"], "k": [3, 3]})
    made = pd.DataFrame({"x": [1.0, 1.0, 5.0, 0.0], "c": ["a", "b", "z", None], "k": [3, 3, 3, 4]})
    found = T.closest_record(train, holdout, made)
    # to train .1, min(1.1, .9) = .9, 1.5, 2; to holdout .9 (ten away), .1, 1.5, 2: two ties
    assert found.nearer_train.mean == 0.5 and found.rows == 2
    assert found.distance == pytest.approx(1.2)
    assert found.copies == found.natural == 0
    first = T.closest_record(train, holdout, made.iloc[[0, 0, 2]])
    assert first.nearer_train.mean == pytest.approx(2.5 / 3)


def test_missing_values_lie_near_each_other():
    train = pd.DataFrame({"x": [np.nan, 8.0, 4.0], "c": [None, "a", "a"]})
    holdout = pd.DataFrame({"x": [4.0, 4.0, 4.0], "c": ["a", "a", "a"]})
    found = T.closest_record(train, holdout, train.iloc[[0, 0]])
    assert found.copies == 1 and found.nearer_train.mean == 1 and found.distance == 0
    assert found.natural == 1  # the held-out row is the third training row


def test_near_rows_are_those_of_a_plain_search():
    train, holdout, made = (mixed(60, seed) for seed in range(3))
    kinds = T.column_kinds(train)
    spread = {
        name: np.nanmax(values := P.numbers_of(train[name], kind)) - np.nanmin(values)
        for name, kind in kinds.items()
        if kind != "category"
    }

    def gap(a, b):
        total = 0.0
        for name, kind in kinds.items():
            x, y = a[name], b[name]
            if pd.isna(x) or pd.isna(y):
                total += pd.isna(x) != pd.isna(y)
            elif kind == "category":
                total += x != y
            else:
                total += abs(x - y) / (pd.Timedelta("1D") if kind == "date" else 1) / spread[name]
        return total

    rows = [list(table.to_dict("records")) for table in (train, holdout, made)]
    near, far = (np.array([min(gap(a, b) for b in x) for a in rows[2]]) for x in rows[:2])
    found = T.closest_record(train, holdout, made)
    assert found.distance == pytest.approx(np.median(near))
    assert found.nearer_train.mean == pytest.approx(np.mean((near < far) + 0.5 * (near == far)))


def test_a_copier_is_caught_and_fresh_rows_are_not():
    train, holdout, fresh = (WORLD.frame(500, seed) for seed in range(3))
    honest = T.closest_record(train, holdout, fresh)
    assert honest.nearer_train.low < 0.5 < honest.nearer_train.high and honest.copies < 0.05
    copier = T.closest_record(train, holdout, train.sample(frac=1, random_state=0))
    assert copier.copies == 1 and copier.nearer_train.low > 0.9 > 0.05 > copier.natural
    blurred = train.assign(commute=train["commute"] + 0.001)
    assert T.closest_record(train, holdout, blurred).copies == 0
    assert T.closest_record(train, holdout, blurred).nearer_train.low > 0.9
    assert T.closest_record(train, holdout, blurred, without=["commute"]).copies == 1


def test_a_column_of_names_makes_no_copies():
    rng = np.random.default_rng(0)
    names = ([f"{k}{i}" for i in range(400)] for k in "abc")
    tables = [pd.DataFrame({"name": n, "x": rng.choice([0.0, -0.0], 400)}) for n in names]
    found = T.closest_record(*tables)
    assert found.copies == found.natural == 0 and found.distance == 1
    assert found.nearer_train.mean == 0.5
    assert T.closest_record(*tables, without=["name"]).copies == 1


def test_equal_halves_and_what_is_needed():
    train, holdout, made = WORLD.frame(300, 0), WORLD.frame(90, 1), WORLD.frame(50, 2)
    assert T.closest_record(train, holdout, made).rows == 90
    assert T.closest_record(train, holdout, made, most=40).rows == 40
    assert T.closest_record(train, holdout, made, seed=1) == T.closest_record(
        train, holdout, made, seed=1
    )
    with pytest.raises(ValueError, match="needs 2 synthetic rows"):
        T.closest_record(train, holdout, made[:1])
    with pytest.raises(ValueError, match=r"without=\['id'\]"):
        T.closest_record(train, holdout, made, without=["id"])
    with pytest.raises(ValueError, match="a column to compare"):
        T.closest_record(train[["age"]], holdout, made, without=["age"])


# --- reference tables -----------------------------------------------------------------------------


def sorted_values(frame, name):
    return sorted(map(str, frame[name].tolist()))


def test_independent_columns_keep_every_column():
    frame = mixed(300)
    drawn = T.independent_columns(frame, seed=1)
    assert all(sorted_values(drawn, name) == sorted_values(frame, name) for name in frame)
    assert (drawn.dtypes == frame.dtypes).all() and not drawn.equals(frame)
    assert drawn.equals(T.independent_columns(frame, seed=1))
    assert not drawn.equals(T.independent_columns(frame, seed=2))


@pytest.mark.parametrize("target", ["flag", "colour"])
def test_class_conditional_columns_keep_every_class(target):
    frame = mixed(300)
    drawn = T.class_conditional(frame, target, seed=1)
    assert (drawn.dtypes == frame.dtypes).all()
    assert drawn[target].equals(frame[target])
    for value, part in frame.groupby(target, dropna=False):
        same = drawn[drawn[target].isna() if pd.isna(value) else drawn[target] == value]
        for name in frame:
            assert sorted_values(same, name) == sorted_values(part, name)
    assert not drawn["size"].equals(frame["size"])
    assert drawn.equals(T.class_conditional(frame, target, seed=1))


def test_class_conditional_columns_of_a_numeric_target_keep_its_tenths():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"y": rng.normal(size=2000)}).assign(x=lambda f: f["y"] + 0.01)
    drawn = T.class_conditional(frame, "y")
    assert drawn["y"].equals(frame["y"])
    assert 0.9 < drawn.corr().iloc[0, 1] < 0.99
    with pytest.raises(ValueError, match="no column 'z'"):
        T.class_conditional(frame, "z")


def test_the_pairs_of_columns_within_a_class_are_gone():
    rng = np.random.default_rng(0)
    x = rng.normal(size=4000)
    frame = pd.DataFrame({"x": x, "z": x, "y": rng.choice(["a", "b"], 4000)})
    drawn = T.class_conditional(frame, "y")
    for value in "ab":
        assert abs(drawn[drawn["y"] == value][["x", "z"]].corr().iloc[0, 1]) < 0.1


def test_reference_tables_have_their_names():
    frame = WORLD.frame(1200, 0)
    tables = T.reference_tables(frame, "income")
    assert {name: len(table) for name, table in tables.items()} == {
        "1,000 real rows": 1000, "independent within classes": 1200, "independent columns": 1200,
    }  # fmt: skip
    assert "1,000 real rows" not in T.reference_tables(frame[:1000], "income")


def test_tvae_is_a_reference_table_where_it_is_asked_for(monkeypatch):
    monkeypatch.setattr(T, "tvae_table", lambda train, **how: train.assign(**how))
    made = T.reference_tables(mixed(), "flag", seed=4, tvae_epochs=2)["TVAE"]
    assert (made["epochs"] == 2).all() and (made["seed"] == 4).all()


# --- what a table teaches -------------------------------------------------------------------------


def classes(n, seed, noise=0.0):
    """A table whose label is the product of two signs: no single column tells it."""
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=n), rng.choice(["p", "q"], n)
    label = (x > 0) ^ (z == "p") ^ (rng.random(n) < noise)
    return pd.DataFrame({"x": x, "z": z, "y": np.where(label, "yes", "no")})


def test_utility_of_a_table_with_and_without_the_rule():
    train, test = classes(600, 0), classes(400, 1)
    found = T.utility(train, test, "y", seeds=(0, 3), grid=ONE)
    assert found.index.tolist() == [0, 3] and list(found) == ["auc", "f1", "accuracy"]
    assert (found["auc"] > 0.97).all() and (found["f1"] > 0.9).all()
    without = T.utility(T.class_conditional(train, "y"), test, "y", seeds=(0,), grid=ONE)
    assert abs(without["auc"][0] - 0.5) < 0.12


def test_utility_repeats_and_its_scores_are_those_of_the_definition():
    train, test = classes(400, 0, noise=0.1), classes(300, 1)
    first, again = (T.utility(train, test, "y", seeds=(2,), grid=ONE) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    flipped = test.assign(y=test["y"].map({"yes": "no", "no": "yes"}))
    turned = T.utility(train, flipped, "y", seeds=(2,), grid=ONE)["accuracy"][2]
    assert turned == pytest.approx(1 - first["accuracy"][2], abs=0.05) and turned < 0.2
    shuffled = test.sample(frac=1, random_state=0)
    assert T.utility(train, shuffled, "y", seeds=(2,), grid=ONE).equals(first)


def test_test_rows_choose_nothing():
    """The score on a test table is the mean over its rows, so no row changes another one's."""
    train, test = classes(400, 0, noise=0.2), classes(300, 1)
    halves = [test[::2], test[1::2]]
    accuracy = [T.utility(train, half, "y", seeds=(0,))["accuracy"][0] for half in halves]
    whole = T.utility(train, test, "y", seeds=(0,))["accuracy"][0]
    assert whole == pytest.approx(np.mean(accuracy))


def test_strange_values_are_tolerated():
    train, test = classes(400, 0), classes(300, 1)
    odd = train.assign(x=train["x"].astype(object))
    odd.loc[:9, "x"] = "not a number"
    odd.loc[10:14, "x"] = math.inf
    odd.loc[15:19, "z"] = "a category of its own"
    odd.loc[20:39, "y"] = "perhaps"  # no class of the test table
    odd.loc[40:44, "y"] = None
    test = test.copy()
    test.loc[:5, "z"] = "unseen"
    test.loc[6:9, ["x", "z"]] = np.nan
    assert T.utility(odd, test, "y", seeds=(0,), grid=ONE)["auc"][0] > 0.93
    many = train.assign(name=[f"n{i}" for i in range(len(train))], none=np.nan)
    wide = test.assign(name="n3", none=np.nan)
    assert T.utility(many, wide, "y", seeds=(0,), grid=ONE)["auc"][0] > 0.9


def test_the_types_are_those_of_the_real_table():
    train, test = classes(400, 0), classes(300, 1)
    text = train.assign(x=train["x"].map(str))
    assert T.utility(text, test, "y", seeds=(0,), grid=ONE).equals(
        T.utility(train, test, "y", seeds=(0,), grid=ONE)
    )


@pytest.mark.parametrize("label", ["no", "perhaps"])
def test_a_table_of_one_class_or_of_none_teaches_nothing(label):
    found = T.utility(classes(100, 0).assign(y=label), classes(100, 1), "y", seeds=(0, 1))
    assert (found["auc"] == 0.5).all() and len(found) == 2


def test_a_class_of_few_rows_is_no_obstacle():
    train, test = classes(60, 0), classes(100, 1)
    few = pd.concat([train[train["y"] == "no"], train[train["y"] == "yes"][:2]])
    assert 0 <= T.utility(few, test, "y", seeds=(0,))["auc"][0] <= 1
    assert len(T.utility(train[:3], test, "y", seeds=(0,))) == 1


def test_more_than_two_classes():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=900), "c": rng.choice(list("ab"), 900)})
    frame["y"] = pd.cut(frame["x"], [-9, -0.5, 0.5, 9], labels=False)
    found = T.utility(frame[:600], frame[600:], "y", seeds=(0,), grid=ONE)
    assert found["auc"][0] > 0.98 and found["f1"][0] > 0.95
    two_of_three = frame[:600][frame["y"][:600] > 0]
    assert 0.5 < T.utility(two_of_three, frame[600:], "y", seeds=(0,), grid=ONE)["auc"][0] < 0.98


def test_a_class_that_only_the_training_table_has_teaches_nothing():
    train, test = classes(300, 0), classes(200, 1)
    levels = ["no", "perhaps", "yes"]
    plain = T.utility(train, test, "y", seeds=(0,), grid=ONE)
    train, test = (each.assign(y=pd.Categorical(each["y"], levels)) for each in (train, test))
    more = pd.concat([train, train[:40].assign(y=pd.Categorical(["perhaps"] * 40, levels))])
    assert T.utility(more, test, "y", seeds=(0,), grid=ONE).equals(plain)


def test_regression():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=900), "c": rng.choice(list("ab"), 900)})
    frame["y"] = 3 * frame["x"] + 5 * (frame["c"] == "a")
    train, test = frame[:600].copy(), frame[600:]
    found = T.utility(train, test, "y", seeds=(0, 1), grid=ONE)
    assert list(found) == ["rmse", "r2"] and (found["r2"] > 0.95).all()
    spread = test["y"].std(ddof=0)
    assert np.allclose(found["r2"], 1 - (found["rmse"] / spread) ** 2)
    train.loc[:99, "y"] = np.nan
    assert (T.utility(train, test, "y", seeds=(0,), grid=ONE)["r2"] > 0.9).all()
    alone = T.utility(T.independent_columns(train), test, "y", seeds=(0,), grid=ONE)
    assert alone["r2"][0] < 0.1
    nothing = T.utility(train.assign(y=np.nan), test, "y", seeds=(0,))
    assert nothing["rmse"][0] == pytest.approx(np.sqrt(np.mean(test["y"] ** 2)))
    codes = T.utility(frame.assign(y=frame["y"] > 0), test.assign(y=test["y"] > 0), "y", seeds=(0,))
    assert "auc" in codes


def test_the_task_is_what_the_target_says():
    frame = pd.DataFrame(
        {"x": range(100), "few": [0, 1] * 50, "many": range(100), "c": ["a", "b"] * 50}
    )
    assert "auc" in T.utility(frame, frame, "few", seeds=(0,), grid=ONE)
    assert "rmse" in T.utility(frame, frame, "few", seeds=(0,), task="regression", grid=ONE)
    assert "rmse" in T.utility(frame, frame, "many", seeds=(0,), grid=ONE)
    for options, words in (
        ({"target": "none"}, "no target 'none'"),
        ({"target": "few", "task": "ranking"}, "got 'ranking'"),
        ({"target": "c", "task": "regression"}, "which no regression predicts"),
    ):
        with pytest.raises(ValueError, match=words):
            T.utility(frame, frame, **options)
    with pytest.raises(ValueError, match=r"has 1 value\(s\) in the test table"):
        T.utility(frame, frame.assign(few=1), "few")
    for report in (T.utility, lambda a, b, c, s: T.reference_rows(a, b, c, seeds=s)):
        with pytest.raises(ValueError, match="at least one seed"):
            report(frame, frame, "few", ())
    with pytest.raises(ValueError, match="beside other columns"):
        T.utility(frame[["few"]], frame[["few"]], "few")


# --- real or synthetic ----------------------------------------------------------------------------


def test_c2st_knows_the_same_from_the_different():
    real, fresh = WORLD.frame(600, 0), WORLD.frame(600, 1)
    assert abs(T.c2st(real, fresh) - 0.5) < 0.08
    assert T.c2st(real, T.independent_columns(fresh)) > 0.8
    assert T.c2st(real, fresh.assign(commute=fresh["commute"] + 0.25)) > 0.85
    assert T.c2st(real, fresh.assign(region="Moon")) == 1
    few = real[:100], fresh[:100]
    assert T.c2st(*few, seed=1) == T.c2st(*few, seed=1) != T.c2st(*few, seed=2)


def test_c2st_takes_equally_many_rows_and_says_what_it_needs():
    real = classes(50, 0)
    assert 0 <= T.c2st(real, real[:3]) <= 1
    assert T.c2st(real, real.assign(x=np.nan)) == 1
    for made, folds in ((real[:2], 3), (real, 1)):
        with pytest.raises(ValueError, match="needs at least 2 folds"):
            T.c2st(real, made, folds=folds)


# --- the whole report -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def report():
    train, test = WORLD.frame(1500, 0), WORLD.frame(900, 1)
    references = T.reference_rows(train, test, "income", seeds=(0,), grid=ONE)
    fresh = T.evaluate_table(train, test, WORLD.frame(1500, 2), "income", seeds=(0, 1), grid=ONE)
    return pd.concat([references, fresh])


def test_the_report_holds_every_measure_of_every_table(report):
    assert report.index.tolist() == [
        "real", "1,000 real rows", "independent within classes", "independent columns", "synthetic",
    ]  # fmt: skip
    assert {"auc", "auc_sd", "f1", "shape_error", "pair_error", "c2st", "copies"} < set(report)
    assert report["rows"].tolist() == [1500, 1000, 1500, 1500, 1500]
    assert report.drop(columns=["auc_sd", "f1_sd", "accuracy_sd"]).notna().all(axis=None)
    assert report["auc_sd"].notna().tolist() == [False] * 4 + [True]


def test_on_the_census_world_the_reference_rows_lie_apart(report):
    auc = report["auc"]
    assert auc["real"] > auc["independent within classes"] + 0.05
    assert auc["independent within classes"] > auc["independent columns"] + 0.1
    assert auc["real"] < WORLD.bayes_auc + 0.02 and abs(auc["real"] - auc["synthetic"]) < 0.03
    c2st = report["c2st"]
    assert abs(c2st["real"] - 0.5) < 0.06 and abs(c2st["synthetic"] - 0.5) < 0.06
    assert c2st["independent within classes"] > 0.75 and c2st["independent columns"] > 0.8
    shape, pair = report["shape_error"], report["pair_error_real_bins"]
    assert shape["independent columns"] == shape["independent within classes"] == 0 < shape["real"]
    assert pair["real"] < pair["independent within classes"] < pair["independent columns"]
    assert report["copies"]["1,000 real rows"] == 1 > 0.1 > report["copies"]["synthetic"]
    assert (report["invalid"].drop(["real", "synthetic"]) == 0).all()


def test_tables_by_name_and_regression():
    frame = mixed(400).drop(columns="flag")
    tables = {"one": frame[:200], "two": T.independent_columns(frame[:200])}
    found = T.evaluate_table(
        frame[:200], frame[200:], tables, "size", seeds=(0,), without=["day"], grid=ONE
    )
    assert found.index.tolist() == ["one", "two"] and {"rmse", "r2", "rmse_sd"} < set(found)
    assert found["copies"].tolist()[0] == 1


# --- real tables ----------------------------------------------------------------------------------


def real_halves(shared_data, name, n):
    frame = load_table(shared_data / name / "train.csv").sample(2 * n, random_state=0)
    return frame[:n].reset_index(drop=True), frame[n:].reset_index(drop=True)


def test_on_adult_independence_within_classes_is_nearly_enough(shared_data):
    train, test = real_halves(shared_data, "adult", 3000)
    apart = T.class_conditional(train, "income")
    auc = [T.utility(t, test, "income", seeds=(0,), grid=ONE)["auc"][0] for t in (train, apart)]
    assert 0.88 < auc[0] < 0.94 and abs(auc[0] - auc[1]) < 0.04
    assert T.c2st(test, apart) > 0.93
    assert 3.5 < T.pair_error(train, apart) < 8 and T.shape_error(train, apart) == 0
    assert 0.5 < T.shape_error(train, test) < 3


def test_on_default_extreme_rows_spoil_the_published_pair_error(shared_data):
    """Held-out real rows have a far larger error when each table gets bins of its own."""
    train, test = real_halves(shared_data, "default", 8000)
    codes = ["default_payment_next_month", "sex", "education"]
    own, same = (T.pair_error(train, test, edges=e, categories=codes) for e in ("own", "real"))
    assert own > 1.5 * same and same < 4


def test_on_magic_it_is_not(shared_data):
    train, test = real_halves(shared_data, "magic", 3000)
    same, apart = train, T.class_conditional(train, "class_label")
    auc = [T.utility(t, test, "class_label", seeds=(0,), grid=ONE)["auc"][0] for t in (same, apart)]
    assert 0.90 < auc[0] < 0.95 and auc[0] - auc[1] > 0.04
