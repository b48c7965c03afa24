"""Whatever holds data is taken everywhere, and what holds none is named in words."""

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from synthkit.datasets import as_dataset, as_frame, rows_of, texts_of
from synthkit.datasets.dates import date_forms, read_dates, write_dates
from synthkit.difflm.schema import TableSchema
from synthkit.evaluation.table_utility import Trees
from synthkit.evaluation.tables import evaluate_table
from synthkit.evaluation.text import distinct_n, exact_duplicates, novelty
from synthkit.lm.rows import check_texts
from synthkit.softsrv.texts import target_texts
from synthkit.spa.bm25 import bm25_scores
from synthkit.spa.streaming import as_pairs
from synthkit.synalign.alignment import align

LARGE = 2**60 + 1  # a float rounds it


def table(n=60):
    """Types that containers are apt to lose: large numbers and truth values with gaps."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "x": rng.normal(size=n).round(2),
            "id": pd.array([None, *range(LARGE, LARGE + n - 1)], dtype="Int64"),
            "flag": pd.array([None, *[True, False] * n][:n], dtype="boolean"),
            "word": rng.choice(list("abc"), n),
            "day": pd.date_range("2020-01-01", periods=n, unit="us"),
            "t": [0, 1] * (n // 2),
        }
    )


def kinds_of(frame):
    return {
        "frame": frame,
        "arrow columns": frame.convert_dtypes(dtype_backend="pyarrow"),
        "string[pyarrow]": frame.astype({"word": "string[pyarrow]"}),
        "category": frame.astype({"word": "category"}),
        "pyarrow.Table": pa.Table.from_pandas(frame),
        "record batch": pa.RecordBatch.from_pandas(frame),
        "Dataset": datasets.Dataset.from_pandas(frame),
        "selected": datasets.Dataset.from_pandas(frame).select(range(len(frame))),
        "rows": frame.to_dict("records"),
    }


@pytest.mark.parametrize("kind", kinds_of(table(4)))
def test_a_table_of_every_kind_is_taken_and_keeps_its_values(kind):
    frame = table()
    data = kinds_of(frame)[kind]
    schema = TableSchema.infer(data, "t")
    back = schema.restore(schema.codes(data))
    assert [None if pd.isna(v) else int(v) for v in back["id"]] == [None, *range(LARGE, LARGE + 59)]
    assert back["flag"].isna().tolist() == [True] + [False] * 59
    assert pd.Timestamp(back["day"][1]) == frame["day"][1]
    assert as_dataset(data)[1]["id"] == LARGE and as_dataset(data)[0]["flag"] is None
    assert len(as_frame(data)) == len(rows_of(data)) == 60
    grid = (Trees(0.1, 4),)
    found = evaluate_table(data, data, {"itself": data, "frame": frame}, "t", seeds=(0,), grid=grid)
    assert found.loc["itself"].equals(found.loc["frame"]) and found["invalid"].tolist() == [0, 0]


TEXTS = ["a blue hat", "two red hats", "a green coat", "six coats"]


@pytest.mark.parametrize(
    "make",
    [
        tuple,
        pd.Series,
        pd.Index,
        np.array,
        pa.array,
        lambda texts: pd.Series(texts, dtype="string[pyarrow]"),
        lambda texts: pd.Series(texts, dtype=pd.ArrowDtype(pa.string())),
        lambda texts: pa.chunked_array([texts]),
        lambda texts: datasets.Dataset.from_dict({"text": texts})["text"],
        lambda texts: datasets.Dataset.from_dict({"text": texts}),
        lambda texts: pd.DataFrame({"text": texts}),
        lambda texts: pa.table({"text": texts}),
        lambda texts: [{"text": text} for text in texts],
    ],
)
def test_texts_in_every_container_are_the_same_texts(make):
    data = make(TEXTS)
    assert texts_of(data) == check_texts(data) == target_texts(data) == TEXTS
    assert list(as_dataset(data)["text"]) == TEXTS
    assert as_pairs(data) == [("", text) for text in TEXTS]
    assert distinct_n(data) == distinct_n(TEXTS)
    assert not exact_duplicates(data).any() and exact_duplicates(data, data).all()
    assert np.allclose(novelty(data, data), 0)
    assert np.allclose(align(data, data, ridge=1.0), align(TEXTS, TEXTS, ridge=1.0))
    assert np.allclose(bm25_scores(data, data), bm25_scores(TEXTS, TEXTS))


@pytest.mark.parametrize(
    "data", [None, 3, 2.5, "one text", b"x", {"a": [1]}, [None], [1], object()]
)
@pytest.mark.parametrize(
    "take", [texts_of, as_frame, as_dataset, check_texts, target_texts, TableSchema.infer,
             lambda data: align(data, TEXTS), lambda data: evaluate_table(data, data, data, "t")]
)  # fmt: skip
def test_what_is_no_data_is_named_in_words(take, data):
    with pytest.raises(TypeError, match=r"must|needs|one string|one side"):
        take(data)


@pytest.mark.parametrize(
    ("data", "text", "found"),
    [
        ({"question": ["q"], "answer": ["x"]}, None, ["q\nx"]),
        ({"question": ["q"], "answer": ["x"]}, "answer", ["x"]),
        ({"question": ["q"]}, None, ["q"]),
        ({"body": ["a"]}, None, "'text' or 'question'; found body"),
        ({"answer": ["a"]}, None, "found answer"),
        ({"text": ["a"]}, "body", "no column 'body'; found text"),
        ({"text": ["a", None]}, None, "row 1 is"),
        ({"text": [3]}, None, "column 'text' must hold texts; row 0"),
        ({"text": []}, None, "empty"),
    ],
)
def test_the_column_of_texts_is_found_or_what_is_there_is_told(data, text, found):
    if isinstance(found, list):
        assert texts_of(pd.DataFrame(data), text) == found
        return
    with pytest.raises((TypeError, ValueError), match=found):
        texts_of(pd.DataFrame(data), text)


def test_splits_and_streams_are_told_apart_from_tables():
    split = datasets.Dataset.from_dict({"text": TEXTS})
    for data in (datasets.DatasetDict(train=split), split.to_iterable_dataset()):
        with pytest.raises((TypeError, ValueError), match=r"split|read all of its rows"):
            as_frame(data)
        with pytest.raises((TypeError, ValueError), match=r"split|read all of its rows"):
            texts_of(data)


# --- types that do not agree --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("real", "made"),
    [
        ([0, 1], ["0", "1"]),
        ([0, 1], ["0.0", "1.0"]),
        (["0", "1"], [0, 1]),
        (["0", "1"], [0.0, 1.0]),
        ([False, True], [0, 1]),
        ([False, True], ["false", "True"]),
        ([0.5, 1.5], ["0.5", "1.5"]),
        (pd.Categorical(["0", "1"]), [0, 1]),
        (pd.Categorical([0, 1]), ["0", "1"]),
    ],
)
def test_a_target_of_another_type_is_cast(real, made):
    x = np.tile([0.0, 1.0], 30) + np.random.default_rng(0).normal(size=60) / 9
    train = pd.DataFrame({"x": x, "t": pd.Series(real).take([0, 1] * 30).reset_index(drop=True)})
    same = train.assign(t=pd.Series(made).take([0, 1] * 30).reset_index(drop=True))
    options = {"seeds": (0,), "grid": (Trees(0.1, 4),)}
    found = evaluate_table(train, train, {"same": train, "cast": same}, "t", **options)
    assert found.loc["cast"].equals(found.loc["same"])
    assert found["auc"].min() > 0.9 and found["invalid"].tolist() == [0, 0]


# --- dates as people write them, and identifiers ------------------------------------------------


@pytest.mark.parametrize(
    "form",
    ["%-m/%-d/%Y", "%d.%m.%y", "%b %d, %Y", "%B %-d, %Y", "%-d %b %Y", "%d-%b-%Y",
     "%-m/%-d/%Y %-I:%M %p", "%Y-%m-%dT%H:%M:%S.%f", "%a, %d %b %Y"],
)  # fmt: skip
def test_dates_come_back_as_they_were_written(form):
    step = "41min" if "%M" in form else "11D"
    dates = pd.Series(pd.date_range("2019-12-30 22:00", periods=80, freq=step, unit="us"))
    texts = write_dates(dates, form)
    assert date_forms(texts)[0] == form and write_dates(read_dates(texts, form), form).equals(texts)
    column = TableSchema.infer(pd.DataFrame({"when": texts, "x": np.arange(80) % 3}))["when"]
    assert column.kind == "date"
    assert column.restore(column.codes(texts)).tolist() == texts.tolist()


def test_days_and_months_in_both_orders_are_named():
    texts = [f"{i}/{1 + i % 12}/2020" for i in range(1, 29)] + ["1/13/2020"]
    with pytest.raises(ValueError, match=r"such as '1/2/2020'.* \('1/13/2020', say\)"):
        TableSchema.infer(pd.DataFrame({"when": texts, "x": range(29)}))


@pytest.mark.parametrize("odd", ["unknown", "3/4/2020", "2020-01-05T10:00:00+01:00"])
def test_words_that_are_nearly_all_dates_are_refused_with_a_way_out(odd):
    days = pd.date_range("2020-01-01", periods=50).strftime("%Y-%m-%d")
    frame = pd.DataFrame({"when": [*days, odd], "x": range(51)})
    with pytest.raises(ValueError, match=r"'2020-01-01'.*pd\.to_datetime.*astype\('category'\)"):
        TableSchema.infer(frame)
    with pytest.warns(UserWarning):
        assert TableSchema.infer(frame.astype({"when": "category"}))["when"].kind == "category"


@pytest.mark.parametrize(
    ("values", "fate"),
    [([f"k{i * 37 % 101}" for i in range(40)], "copied"), (list(range(1001, 1041)), "drawn anew")],
)
def test_identifiers_are_told_before_they_are_copied(values, fate):
    frame = pd.DataFrame({"key": values, "x": [0, 1] * 20})
    with pytest.warns(UserWarning, match=f"column 'key' holds 40 values, all .* different.*{fate}"):
        TableSchema.infer(frame)
