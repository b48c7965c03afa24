"""Real sets are read as they are, and data that cannot be used is named with what was found."""

import gzip
import json
import pickle
import zipfile
from fractions import Fraction
from importlib.util import find_spec

import datasets
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from synthkit import datasets as sets
from synthkit.datasets.loaders import read_set

# --- the real files -----------------------------------------------------------------------------


def test_gsm8k(shared_data):
    table = sets.load_questions(shared_data / "gsm8k" / "train.jsonl")
    assert (len(table), table.column_names) == (6973, ["question", "answer", "final"])
    assert table[0]["final"] == "72" and None not in table["final"]
    for answer, final in zip(table["answer"], table["final"]):
        assert answer.rpartition("#### ")[2].replace(",", "") == final
    few = sets.load_questions(shared_data / "gsm8k", limit=3)  # a folder and its split
    assert few.to_list() == table.select(range(3)).to_list()


def test_mbpp(shared_data):
    table = sets.load_mbpp(shared_data / "mbpp" / "mbpp.jsonl")
    assert (len(table), table.column_names) == (474, ["prompt", "code", "tests"])
    assert not any("\r" in text for name in ("code", "prompt") for text in table[name])
    assert not any("\r" in test for tests in table["tests"] for test in tests)
    assert sum("\t" in code for code in table["code"]) == 56
    scope: dict = {}
    exec("\n".join([table[0]["code"], *table[0]["tests"]]), scope)
    assert "min_cost" in scope


def test_clinc150(shared_data):
    path = shared_data / "clinc150" / "data_small.json"
    table = sets.load_clinc150(path)
    assert len(table) == 7500 and len(set(table["label"])) == 150
    assert len(set(table["domain"])) == 10 and "" not in table["domain"]
    assert len(sets.load_clinc150(path, split="val")) == 3000
    with pytest.raises(ValueError, match="has no split test; found train, val, oos_train"):
        sets.load_clinc150(path, split="test")


def test_asdiv_answers_are_the_formula_and_its_number(shared_data, tmp_path):
    table = sets.load_asdiv(shared_data / "asdiv" / "problems.jsonl")
    assert len(table) == 1418 and table[0]["answer"] == "7+2=9\n#### 9"
    assert set(table["type"]) >= {"Addition", "GCD"} and "9" == table[0]["final"]
    path = tmp_path / "a.jsonl"
    rows = [("1,200 (m)", "600*2=1,200"), ("Ann", "2 (Ann) > 1"), ("1; 2", "x+y=3"), ("4", "")]
    write = [{"question": "How far?", "answer": a, "formula": f} for a, f in rows]
    path.write_text("\n".join(map(json.dumps, write)))
    only = {"question": "How far?", "answer": "600*2=1,200\n#### 1200", "final": "1200", "type": ""}
    assert sets.load_asdiv(path).to_list() == [only]


def test_self_instruct(shared_data):
    table = sets.load_self_instruct(shared_data / "selfinstruct" / "seed_tasks.jsonl")
    assert len(table) == 175 and all(table["instruction"]) and "" in table["input"]


@pytest.mark.parametrize(
    "name, n",
    [
        ("bfcl/BFCL_v4_multiple.json", 480),
        ("bfcl/BFCL_v4_simple_python.json", 400),
        ("toolalpaca/eval_simulated.json", 54),
        ("toolalpaca/public_apis.json", 1425),
    ],
)
def test_tool_schemas(shared_data, name, n):
    table = sets.load_tool_schemas(shared_data / name)
    assert len(table) == len(set(table["text"])) == n
    for text in table["text"]:
        schema = json.loads(text).get("parameters")
        if schema is not None:
            Draft202012Validator.check_schema(schema)
            assert set(schema["required"]) <= set(schema["properties"])
    assert "public" in name or any('"number"' in text for text in table["text"])


@pytest.mark.parametrize("name, shape", [("adult", (32561, 15)), ("magic", (15216, 11))])
def test_tables(shared_data, name, shape):
    frame = sets.load_table(shared_data / name / "train.csv")
    assert frame.shape == shape
    if name == "adult":
        assert frame["workclass"].isna().sum() == 1836 and "?" not in set(frame["workclass"])
        assert frame["age"].dtype == np.int64
    else:
        assert (frame.dtypes == "float64").sum() == 10


# --- the hub ------------------------------------------------------------------------------------


@pytest.mark.parametrize("load, name", [(sets.load_questions, "gsm8k"), (sets.load_mbpp, "a/b")])
def test_no_connection_is_said_with_a_way_out(monkeypatch, load, name):
    def fail(*args, **kwargs):
        raise RuntimeError("Network is unreachable\nand more")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(ConnectionError, match=r"Network is unreachable\. .*path of the set's file"):
        load(name)


def test_a_hub_name_asks_for_the_known_configuration(monkeypatch):
    asked = []

    def load(*args, **kwargs):
        asked.append((args, kwargs))
        return datasets.Dataset.from_list([{"question": "2 + 2?", "answer": "So.\n#### 4.0"}])

    monkeypatch.setattr(datasets, "load_dataset", load)
    assert sets.load_questions("gsm8k", split="test")[0]["final"] == "4"
    assert asked == [(("openai/gsm8k", "main"), {"split": "test"})]


@pytest.mark.parametrize(
    ("name", "split", "row", "wanted"),
    [
        ("asdiv", "validation", {"body": "Ann has 2.", "question": "And 1 more?", "answer": "3"},
         {"question": "Ann has 2. And 1 more?", "answer": "3"}),
        ("stanfordnlp/sst2", "train", {"idx": 0, "sentence": "so good ", "label": 1},
         {"text": "so good", "label": 1}),
    ],
)  # fmt: skip
def test_a_set_from_the_hub_has_the_columns_of_its_file(name, split, row, wanted, monkeypatch):
    def load(*args, **kwargs):
        assert kwargs["split"] == split
        return datasets.Dataset.from_list([row])

    monkeypatch.setattr(datasets, "load_dataset", load)
    (found,) = read_set(name)
    assert wanted.items() <= found.items()


# --- texts from anywhere ------------------------------------------------------------------------

FILES = {
    "a.csv": 'review,stars\n"fine, ""really""",1\nNA,0\n',
    "semicolon.csv": 'review;stars\nfine, "really";1\nNA;0\n',
    "a.tsv": 'review\tstars\n"fine, ""really"""\t1\nNA\t0\n',
    "raw.tsv": 'review\tstars\nfine, "really"\t1\nNA\t0\n',
    "a.jsonl": '{"review": "fine, \\"really\\"", "stars": "1"}\n{"review": "NA", "stars": "0"}',
    "a.json": '[{"review": "fine, \\"really\\"", "stars": 1}, {"review": "NA", "stars": 0}]',
}


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_same_texts(tmp_path, name):
    path = tmp_path / name
    path.write_text(FILES[name])
    table = sets.load_texts(path, text="review", label="stars")
    assert table.to_dict() == {"text": ['fine, "really"', "NA"], "label": [1, 0]}


def test_stray_quotation_marks_swallow_no_lines(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text('text\tlabel\n"great" phone\t1\n"never again\t0\nan "ok" one\t1\n')
    assert sets.load_texts(path, label="label")["text"][:2] == ['"great" phone', '"never again']


def test_lines_split_at_line_feeds_only(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("one\u0085still one\r\ntwo\u2028still two\n\n".encode())
    assert sets.load_texts(path)["text"][:] == ["one\u0085still one", "two\u2028still two"]


def test_rows_without_text_are_counted():
    frame = pd.DataFrame({"text": ["a", "b", np.nan, " ", None], "label": [1, None, 1, 1, 1]})
    with pytest.raises(ValueError, match=r"'text': 3 of 5 rows do not hold text; .* row 2 "):
        sets.load_texts(frame)
    with pytest.raises(ValueError, match=r"'label': 1 of 2 rows do not hold a label; .* row 1 "):
        sets.load_texts(frame[:2], label="label")


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("a.csv", b"review,stars\nfine,1\n", "no column called 'text'; found review, stars"),
        ("a.csv", b"text,label\n", "data set is empty"),
        ("a.csv", b"", "a.csv is empty"),
        ("a.csv", b"text,label\na,1\nb,2,3\n", "not a table of one width.*line 3"),
        ("a.csv", b"text,label\na,1,2\nb,2,3\n", "not a table of one width"),
        ("a.csv", b"text\ncaf\xe9\n", "not UTF-8 text .byte 8"),
        ("a.txt", b"", "data set is empty"),
        ("a.txt", b"one\n\nthree\n", "1 of 3 rows do not hold text; the first is row 1"),
        ("a.json", b'"text"', "must hold a list of objects"),
        ("a.jsonl", b"{'text': 1}\n", "a.jsonl, line 1: not JSON"),
        ("a.xml", b"<a/>", "no known format; use one of .csv"),
        ("a.pkl", b"", "is a pickle, which can run code"),
        ("a.csv", pickle.dumps([1]), "holds a pickle, whatever its name"),
    ],
)
def test_a_bad_file_is_named(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        sets.load_texts(path)


def test_a_path_that_leads_nowhere(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        sets.load_texts(tmp_path / "a.csv")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        sets.load_questions("nowhere/train.jsonl")
    (tmp_path / "b.csv").touch()
    with pytest.raises(ValueError, match=r"is a folder; name the file in it\. It holds b\.csv"):
        sets.load_texts(tmp_path)


def test_files_of_the_wrong_shape(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": "b"}\n')
    for load, message in [
        (sets.load_questions, "'question', 'answer'; found a"),
        (sets.load_mbpp, "rows do not hold text"),
        (sets.load_clinc150, "has no split train; found a"),
        (sets.load_sentiment, "line 1: needs a text, a tab and 0 or 1"),
        (sets.load_asdiv, "no row with a question, a formula and one number"),
        (sets.load_self_instruct, "task 1: needs 'instruction'"),
        (sets.load_tool_schemas, "no tool in a.jsonl"),
    ]:
        with pytest.raises(ValueError, match=message):
            load(path)
    with pytest.raises(ValueError, match="limit must be at least 1, got 0"):
        sets.load_questions(path, limit=0)


def test_tool_references_are_written_out(tmp_path):
    document = {
        "paths": {
            "/sort": {
                "post": {
                    "operationId": "sort",
                    "parameters": [{"$ref": "#/components/parameters/Limit"}],
                    "requestBody": {
                        "content": {"x": {"schema": {"$ref": "#/components/schemas/Tree"}}}
                    },
                }
            }
        },
        "components": {
            "parameters": {
                "Limit": {"name": "limit", "required": True, "schema": {"type": "integer"}}
            },
            "schemas": {  # a tree of trees: the nest ends somewhere
                "Tree": {
                    "type": "object",
                    "properties": {"left": {"$ref": "#/components/schemas/Tree"}},
                }
            },
        },
    }
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"Name": "x", "Documentation": json.dumps(document)}]))
    (row,) = sets.load_tool_schemas(path)
    parameters = json.loads(row["text"])["parameters"]
    assert "$ref" not in row["text"] and parameters["required"] == ["limit"]
    assert list(parameters["properties"]) == ["limit", "left"]


# --- the validator ------------------------------------------------------------------------------


def test_the_validator_takes_the_three_kinds_alike():
    rows = [{"text": "a", "n": 1}, {"text": "b", "extra": "x"}]
    expected = {"text": ["a", "b"], "n": [1, None], "extra": [None, "x"]}
    for data in (rows, datasets.Dataset.from_dict(expected)):
        assert sets.as_dataset(data, "text").to_dict() == expected
    frame = pd.DataFrame({"text": ["a", "b"], "extra": [None, "x"]}, index=[5, 6])
    table = sets.as_dataset(frame, "text")
    assert table.column_names == ["text", "extra"] and table["extra"][:] == [None, "x"]
    table = datasets.Dataset.from_dict(expected)
    assert sets.as_dataset(table) is table


@pytest.mark.parametrize(
    "data, error, message",
    [
        ([], ValueError, "data set is empty"),
        (pd.DataFrame({"text": []}), ValueError, "data set is empty"),
        (datasets.Dataset.from_dict({}), ValueError, "data set is empty"),
        ([{"prompt": "a"}], ValueError, "no column called 'text'; found prompt"),
        ([{"text": "a"}, {"text": 5}], ValueError, r"row 1 \(from 0\), which holds '5' \(int\)"),
        ([{"text": "a"}, {}], ValueError, "which holds 'None'"),
        ([{"text": "a"}, {"text": " "}], ValueError, "1 of 2 rows"),
        (pd.DataFrame({"text": ["a", np.nan]}), ValueError, "row 1 .*'None'"),
        (datasets.Dataset.from_dict({"text": ["a", None]}), ValueError, "row 1 "),
        (datasets.Dataset.from_dict({"text": [1]}), ValueError, r"'1' \(int\)"),
        ([{"text": "a", "n": 1}, {"text": "b", "n": "x"}], ValueError, "not hold int as"),
        (datasets.DatasetDict(), TypeError, "one split"),
        ({"text": ["a"]}, TypeError, "found dict: keys text"),
        ("a text", TypeError, "found str: a text"),
        (pd.DataFrame([["a", "b"]], columns=["text", "text"]), ValueError, "occurs twice"),
    ],
)
def test_the_validator_names_what_is_wrong(data, error, message):
    with pytest.raises(error, match=message):
        sets.as_dataset(data, "text")


# --- tables and numbers -------------------------------------------------------------------------


def test_table_types_and_missing_entries(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(" id ,kind, x,ok\n1, a, 1.5,True\n2, ?, NA,False\n3, None, 2,True\n")
    frame = sets.load_table(path)
    assert list(frame.columns) == ["id", "kind", "x", "ok"]
    assert [kind.kind for kind in frame.dtypes if kind.kind in "ifb"] == ["i", "f", "b"]
    assert frame["kind"].isna().tolist() == [False, True, False]
    assert frame["x"].isna().sum() == 1
    assert sets.load_table(frame[1:]).index.tolist() == [0, 1]


def table_of(folder, content, name="a.csv", **options):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return sets.load_table(path, **options)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_any_separator_is_found_and_quotation_marks_hide_it(tmp_path, separator):
    header = separator.join(['"Age, years; or |"', "id", '"In\tcome"'])
    rows = [separator.join(["30", '"a\nb"', '"x, ""y"""']), separator.join(["41", "c", "z"])]
    found = table_of(tmp_path, "\n".join([header, *rows]))
    assert list(found.columns) == ["Age, years; or |", "id", "In\tcome"]
    assert found.values.tolist() == [[30, "a\nb", 'x, "y"'], [41, "c", "z"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("pack", [lambda content: content, gzip.compress])
def test_byte_order_marks_and_gzip_are_read(tmp_path, encoding, pack):
    name = "a.csv.gz" if pack is gzip.compress else "a.csv"
    found = table_of(tmp_path, pack("naïve,2020\nä,1\n".encode(encoding)), name)
    assert found.to_dict("list") == {"naïve": ["ä"], "2020": [1]}


@pytest.mark.parametrize(
    ("words", "values", "dtype"),
    [
        (["00123", "01234", "99999"], ["00123", "01234", "99999"], "str"),
        (["9007199254740993", "", "12"], [2**53 + 1, None, 12], "Int64"),
        (["9007199254740993", "1.5"], ["9007199254740993", "1.5"], "str"),
        (["12345678901234567890", "5"], ["12345678901234567890", "5"], "str"),
        (["1", "", "3"], [1, None, 3], "float64"),
        (["1.234,56", "12,5"], [1234.56, 12.5], "float64"),
        (["1,234.56", "12.5"], [1234.56, 12.5], "float64"),
        (["1’234.50", "0.5"], [1234.5, 0.5], "float64"),
        (["1e-05", "2E+3", "−4"], [1e-5, 2000, -4], "float64"),
        (["12E4", "3E2"], ["12E4", "3E2"], "str"),
        (["+4917012345678", "+4917012345679"], ["+4917012345678", "+4917012345679"], "str"),
        (["True", "", "false"], [True, None, False], "boolean"),
        (["True", "false"], [True, False], "bool"),
        (["", "NA"], [None, None], "float64"),
        (["1/3/2020", "2/3/2020"], ["1/3/2020", "2/3/2020"], "str"),
    ],
)
def test_a_column_has_the_type_that_holds_its_words(tmp_path, words, values, dtype):
    rows = "\n".join(f'"{word}";x' for word in words)
    column = table_of(tmp_path, f"a;b\n{rows}\n")["a"]
    assert [None if pd.isna(value) else value for value in column] == values
    assert dtype in (str(column.dtype), "str")


def test_decimal_marks_are_found_by_file_asked_for_or_told(tmp_path):
    found = table_of(tmp_path, "a;b\n1,5;1.234\n2,25;12.500\n")
    assert found.values.tolist() == [[1.5, 1234], [2.25, 12500]]
    with pytest.warns(UserWarning, match=r"'1,234' is read as 1.234; decimal='.' reads it as 1234"):
        assert table_of(tmp_path, "a;b\n1,234;x\n")["a"].tolist() == [1.234]
    assert table_of(tmp_path, "a;b\n1,234;x\n", decimal=".")["a"].tolist() == [1234]
    assert table_of(tmp_path, "a;b\n1,5;x\n", decimal=".")["a"].tolist() == ["1,5"]


def test_amounts_are_told_and_read_on_request(tmp_path):
    content = 'p,q\n12%,"$1,200.50"\n13%,$7\n'
    with pytest.warns(UserWarning, match=r"'p' holds amounts such as '12%'.*dtype="):
        assert table_of(tmp_path, content)["p"].tolist() == ["12%", "13%"]
    found = table_of(tmp_path, content, dtype={"p": float, "q": float})
    assert found.values.tolist() == [[12, 1200.5], [13, 7]]


@pytest.mark.parametrize("odd", ["1e400", "-1e400", "1e-400", "9" * 400])
def test_a_number_that_no_float_holds_is_named_and_not_changed(tmp_path, odd):
    content = f"x,y\n1.5,a\n2.5,b\n{odd},c\n"
    with pytest.warns(UserWarning, match=rf"'x': '{odd}' \(row 2\) lies outside .* as words"):
        assert table_of(tmp_path, content)["x"].tolist() == ["1.5", "2.5", odd]
    for dtype in (float, int):
        with pytest.raises(ValueError, match=rf"'x': '{odd}' \(row 2\) lies outside"):
            table_of(tmp_path, content, dtype={"x": dtype})
    assert table_of(tmp_path, content, missing=[odd])["x"].isna().tolist() == [False, False, True]
    assert table_of(tmp_path, "x,y\n1.5,a\ninf,b\n0e9,c\n")["x"].tolist() == [1.5, np.inf, 0]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_a_number_of_json_that_no_float_holds_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=rf"^{name}.*1e400 is too large for a float"):
        table_of(tmp_path, '{"x":\n1e400}\n' if name == "a.json" else '{"x": 1e400}\n', name)


def test_types_are_taken_as_asked(tmp_path):
    content = "zip,day,n\n00123,1/3/2020,1\n01234,12/31/2020,\n"
    found = table_of(tmp_path, content, dtype={"zip": str, "day": "datetime64[us]", "n": "Int8"})
    assert found["zip"].tolist() == ["00123", "01234"] and str(found["n"].dtype) == "Int8"
    assert found["day"].dt.month.tolist() == [1, 12]
    assert table_of(tmp_path, content, dtype={"zip": int})["zip"].tolist() == [123, 1234]
    assert table_of(tmp_path, content, dtype=str)["n"][0] == "1"
    assert sets.load_table(pd.DataFrame({"a": [1]}), dtype={"a": float})["a"].dtype == "float64"
    for dtype, message in [
        ({"n": int}, "column 'n' is not of the type int64"),
        ({"day": float}, r"column 'day': '1/3/2020' \(row 0\) is no number"),
        ({"zip": "datetime64[us]"}, r"'00123' \(row 0\) is no date"),
        ({"x": int}, r"names \['x'\]; the columns are \['zip', 'day', 'n'\]"),
        ({"n": "number"}, "is no type"),
    ]:
        with pytest.raises(ValueError, match=message):
            table_of(tmp_path, content, dtype=dtype)


def test_parquet_and_json_bring_their_types(tmp_path):
    frame = pd.DataFrame({"id": pd.array([2**60 + 1, None], dtype="Int64"), "zip": ["00", "01"]})
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    for name in ("a.parquet", "a.jsonl"):
        pd.testing.assert_frame_equal(sets.load_table(tmp_path / name), frame)
    with pytest.raises(ValueError, match="is damaged, or no parquet file"):
        table_of(tmp_path, b"no", "b.parquet")


def test_excel_needs_openpyxl_and_says_so(tmp_path):
    if find_spec("openpyxl"):
        frame = pd.DataFrame({"zip": ["00123", "x"], "n": [1, 2]})
        frame.to_excel(tmp_path / "a.xlsx", index=False)
        assert sets.load_table(tmp_path / "a.xlsx").to_dict("list") == frame.to_dict("list")
    else:
        with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as file:
            file.writestr("xl/workbook.xml", "")
        with pytest.raises(ImportError, match="pip install openpyxl; or save the sheet as CSV"):
            sets.load_table(tmp_path / "a.xlsx")


def test_a_bad_table_is_refused(tmp_path):
    for content, message in (("a,a\n1,2\n", "name occurs twice: a"), ("a,b\n", "0 rows and 2")):
        with pytest.raises(ValueError, match=message):
            table_of(tmp_path, content)


def test_short_lines_are_told(tmp_path):
    with pytest.warns(UserWarning, match=r"1 of 2 rows have fewer fields .* row 1 \(from 0\)"):
        assert table_of(tmp_path, "a,b\n1,2\n3\n")["b"].isna().tolist() == [False, True]


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1, max_size=6)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=5),
    separator=st.sampled_from(",;\t|"),
)
def test_a_written_table_keeps_its_words(tmp_path_factory, rows, separator):
    path = tmp_path_factory.mktemp("words") / "a.csv"
    frame = pd.DataFrame(rows, columns=["one", "two"])
    frame.to_csv(path, index=False, sep=separator)
    found = sets.load_table(path, sep=separator, dtype=str, missing=())
    kept = frame.map(lambda word: word if word.strip() else None)
    assert found.astype(object).where(found.notna(), None).equals(kept.astype(object))


@pytest.mark.parametrize(
    "text, number",
    [
        ("$1,080.00", "1080"), ("-$4", "-4"), ("$-4", "-4"), ("−3", "-3"), ("- 3/4", "-0.75"),
        ("50%", "50"), ("18.", "18"), (".5", "0.5"), ("-0.0", "0"), ("+007", "7"),
        ("2/6", "1/3"), ("1 1/2", "1.5"), ("3 / 4", "0.75"), ("1,000/4", "250"),
        ("1,08", None), ("1/0", None), ("", None), (".", None), ("$", None), ("5 6", None),
        ("--5", None), ("1e5", None), ("twelve", None), ("9" * 9000, None), ("1/2/3", None),
    ],
)  # fmt: skip
def test_numbers_have_one_spelling(text, number):
    assert sets.normalise_number(text) == number


@settings(deadline=None)
@given(st.fractions(max_denominator=10**6))
def test_a_number_keeps_its_value_and_its_spelling(value):
    spelled = sets.normalise_number(str(value))
    assert Fraction(spelled) == value
    assert sets.normalise_number(spelled) == spelled
