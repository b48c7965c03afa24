"""One table of assertions over all methods: what a user may count on, whichever one is taken."""

import copy
import inspect
import json
import pickle
import random
import re
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from contract.methods import CASES
from contract.template_method import MarkovChain
from datasets import Dataset, DatasetDict
from tiny import tiny_lm

from synthkit import load_lm
from synthkit.core import phases, resume
from synthkit.core.provenance import COMMON
from synthkit.core.reports import Report, TooFewRows
from synthkit.core.saved import save_folder
from synthkit.core.synthesizer import Synthesizer
from synthkit.evaluation.contamination import HeldOut

N = 4  # rows of a sample
SMALL = {
    "num_hidden_layers": 1, "hidden_size": 16, "intermediate_size": 16, "head_dim": 8,
    "max_position_embeddings": 512,
}  # fmt: skip


class Killed(BaseException):
    """As from outside: nothing catches it."""


class Everything(HeldOut):
    """Held-out data that any row repeats."""

    def __contains__(self, text):
        return True


@pytest.fixture(scope="module", params=CASES)
def method(request, tmp_path_factory):
    """A case, with functions to make, fit, sample and load it, one fit, and its sample."""
    case, folder = CASES[request.param], tmp_path_factory.mktemp("method")
    lm = None if case.model is None else load_lm(tiny_lm(folder / "lm", case.model, **SMALL))

    def make(**options):
        return case.make(lm, **options)

    def fit(data=None, seed=0, **options):
        data = case.rows if data is None else data
        return make(seed=seed).fit(data, **{**case.fit, **options})

    def sample(fitted, n=N, **options):
        return fitted.sample(n, **{**case.sample, **options})

    one = fit()
    kind = type(one)
    saved, first = one.save(folder / "one"), sample(one)
    assert len(first) == N, one.report

    def load(place=saved, model=lm):
        return kind.load(place, *([] if model is None else [model]), **case.load)

    return SimpleNamespace(
        case=case, name=request.param, kind=kind, lm=lm, make=make, fit=fit, sample=sample,
        load=load, saved=saved, rows=first.to_list(), columns=first.column_names,
    )  # fmt: skip


def files_of(folder):
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in found}


# --- the interface -------------------------------------------------------------------------------


def test_it_has_the_common_base_and_the_presets_of_all_scales(method):
    assert issubclass(method.kind, Synthesizer) and method.kind.__doc__
    assert {"fast", "study", "paper"} <= set(method.kind.presets)
    assert {type(each) for each in method.kind.presets.values()} == {type(method.make().preset)}


@pytest.mark.parametrize(
    ("name", "first", "keywords"),
    [
        ("__init__", "lm", ["preset", "seed"]),
        ("fit", "data", ["validation", "checkpoint", "progress"]),
        ("sample", "n", ["seed", "held_out", "checkpoint", "progress", "strict"]),
    ],
)
def test_all_but_the_first_argument_goes_by_keyword(method, name, first, keywords):
    found = list(inspect.signature(getattr(method.kind, name)).parameters.values())[1:]
    assert found[0].name == first
    named = [each.name for each in found[1:] if each.kind is each.KEYWORD_ONLY]
    assert [each for each in named if each in keywords] == keywords, "in one order everywhere"
    assert all(each.kind in (each.KEYWORD_ONLY, each.VAR_KEYWORD) for each in found[1:])


def test_fit_returns_the_method_itself(method):
    made = method.make()
    assert made.fit(method.case.rows, **method.case.fit) is made


def test_repr_says_what_it_is_fitted_to(method):
    before, after = repr(method.make(seed=3)), repr(method.load())
    assert method.kind.__name__ in before and "not fitted" in before and "seed 3" in before
    assert "fitted to" in after and "not fitted" not in after
    assert any(character.isdigit() for character in after.partition("fitted to")[2])
    assert method.lm is None or method.lm.name in after


# --- data ----------------------------------------------------------------------------------------


def containers(case):
    rows, frame = case.rows, pd.DataFrame(case.rows)
    kinds = {
        "Dataset": Dataset.from_list(rows), "DataFrame": frame, "other index": frame.set_index(
            pd.Index(range(5, 5 + len(frame)))), "pyarrow.Table": pa.Table.from_pylist(rows),
        "tuple": tuple(rows),
    }  # fmt: skip
    if case.takes_texts:
        texts = [row["text"] for row in rows]
        kinds |= {
            "texts": texts, "Column": kinds["Dataset"]["text"], "Series": frame["text"],
            "array": np.array(texts, dtype=object),
        }  # fmt: skip
    return kinds


def test_every_container_of_data_gives_the_same_rows(method):
    for kind, data in containers(method.case).items():
        rows = method.sample(method.fit(data)).to_list()
        assert rows == method.rows, f"{kind} gives other rows than a list of dictionaries"


def test_fit_leaves_the_data_as_it_was(method):
    rows = copy.deepcopy(method.case.rows)
    method.fit(rows)
    assert rows == method.case.rows


def wrong_data(case):
    """Name, data, and what the message must name."""
    rows, column = case.rows, (case.columns or ("",))[-1]
    bad = len(rows) - 2

    def with_value(value):
        return [row | {column: value} if i == bad else row for i, row in enumerate(rows)]

    yield "None", None, "NoneType|None"
    yield "number", 5, "int"
    yield "one text", rows[0].get("text", "a text"), r"str|list|text"
    yield "no rows", [], "empty|no rows|0 rows|at least"
    yield "empty table", pd.DataFrame(rows)[:0], "empty|no rows|0 rows|at least"
    yield "generator", (row for row in rows), "generator.*list"
    yield "splits", DatasetDict(train=Dataset.from_list(rows)), "split|train|DatasetDict"
    yield "mixture", [rows[0], 3], "int|dict"
    yield "twice", pd.DataFrame([[1, 2]], columns=["a", "a"]), "twice|column"
    if case.columns:
        yield "no column", [{"other": "x"}] * len(rows), f"{case.columns[0]}.*other|other"
        yield "a number for text", with_value(7), rf"{bad}"
    if case.columns and not case.gaps:
        for name, value in {"missing": None, "NaN": float("nan"), "blank": " \n"}.items():
            yield name, with_value(value), rf"row {bad}"
        yield "half a character", with_value("a\ud800b"), rf"row {bad}|surrogate"


@pytest.mark.parametrize("argument", ["data", "validation"])
def test_wrong_data_is_refused_in_words(method, argument):
    if argument == "validation" and not method.case.validation:
        pytest.skip("no training is stopped by validation data")
    wrong = []
    for name, data, words in wrong_data(method.case):
        given = (data, {}) if argument == "data" else (method.case.rows, {"validation": data})
        if argument == "validation" and data is None:
            continue
        try:
            method.make().fit(given[0], **method.case.fit, **given[1])
            wrong.append(f"{name}: accepted")
        except (TypeError, ValueError) as error:
            if not re.search(words, str(error)):
                wrong.append(f"{name}: {type(error).__name__}: {error}")
    assert not wrong, "\n".join(wrong)


def test_a_fit_that_fails_leaves_the_earlier_one(method):
    made = method.load()
    with pytest.raises((TypeError, ValueError)):
        made.fit([], **method.case.fit)
    assert method.sample(made).to_list() == method.rows


def test_a_long_row_is_named_or_left_out_as_asked(method):
    if method.case.long is None:
        pytest.skip("no row can be too long")
    rows = [*method.case.rows, method.case.long]
    with pytest.raises(ValueError, match=rf"row {len(rows) - 1}.*too_long='skip'"):
        method.fit(rows)
    with pytest.warns(UserWarning, match="1 of .* left out"):
        made = method.fit(rows, too_long="skip")
    assert made.report.rejected["too long"] == 1
    assert (made.report.asked, made.report.delivered) == (len(rows), len(rows) - 1)
    assert method.sample(made).to_list() == method.rows


def test_too_long_is_one_of_two_choices_for_any_data(method):
    with pytest.raises((TypeError, ValueError), match="too_long"):
        method.fit(too_long="cut")


def test_validation_is_used_or_said_not_to_be(method):
    if method.case.validation:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            warnings.filterwarnings("ignore", "DiffLM: the latents do not tell")  # in so few steps
            made = method.fit(validation=method.case.rows[:2])
        counted = re.findall(r"\d+", repr(made).partition("fitted to")[2])
        assert int(counted[0]) <= len(method.case.rows), "rows that only judge are not learned from"
    else:
        with pytest.warns(UserWarning, match="validation= is not used"):
            made = method.fit(validation=method.case.rows[:2])
        assert any("validation" in each for each in made.report.warnings)


# --- arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [-1, 2**31, 1.5, "1", True])
def test_a_seed_is_a_whole_number_from_0(method, seed):
    with pytest.raises((TypeError, ValueError), match="seed must be a whole number"):
        method.make(seed=seed)
    with pytest.raises((TypeError, ValueError), match="seed must be a whole number"):
        method.sample(method.load(), seed=seed)


@pytest.mark.parametrize("n", [0, -3, 2.0, "4", None, True])
def test_n_is_a_whole_number_from_1(method, n):
    with pytest.raises((TypeError, ValueError), match="n must be"):
        method.sample(method.load(), n)


def test_unknown_options_are_named(method):
    known = next(iter(vars(method.make().preset)))
    with pytest.raises(ValueError, match=f"{method.kind.__name__} has no option colour.*{known}"):
        method.make(colour="red")
    kind = method.kind.__name__
    with pytest.raises(TypeError, match=rf"^{kind}\.fit\(\) .*'colour'"):
        method.fit(colour="red")
    with pytest.raises(TypeError, match=r"^(?!.*_sample).*'colour'"):
        method.sample(method.load(), colour="red")


def test_an_unknown_preset_is_answered_by_the_known(method):
    with pytest.raises(ValueError, match="no preset 'huge'; choose one of fast, study, paper"):
        method.make(preset="huge")
    with pytest.raises(TypeError, match="preset is a name"):
        method.make(preset=3)


@pytest.mark.parametrize("lm", ["embedded", 5, "org/name"])
def test_what_is_no_model_is_refused_with_the_way_to_one(method, lm):
    with pytest.raises(TypeError, match=r"needs a language model.*load_lm"):
        method.case.make(lm)


def test_not_fitted_says_call_fit(method, tmp_path):
    with pytest.raises(ValueError, match=r"not fitted yet: call fit\("):
        method.sample(method.make())
    with pytest.raises(ValueError, match=r"not fitted yet: call fit\("):
        method.make().save(tmp_path / "fit")
    assert not (tmp_path / "fit").exists()


# --- samples -------------------------------------------------------------------------------------


def test_a_sample_is_a_dataset_of_n_rows_with_provenance_last(method):
    rows = method.sample(method.load())
    assert isinstance(rows, Dataset) and len(rows) == N
    assert rows.column_names[-len(COMMON) :] == list(COMMON)
    assert [rows.features[name].dtype for name in COMMON] == list(COMMON.values())
    assert set(method.case.own) < set(rows.column_names)
    assert set(method.case.data) < set(rows.column_names)


def test_provenance_says_who_wrote_a_row_and_how(method):
    rows = method.sample(method.load(), seed=5)
    name = method.lm.name if method.case.writer is None and method.lm else method.case.writer
    assert set(rows["method"]) == {method.kind.__name__} and set(rows["seed"]) == {5}
    assert set(rows["model"]) == {name}
    assert all(isinstance(each, str) and each for each in rows["status"])
    assert all(each is None or each >= 0 for each in rows["temperature"])


def test_a_sample_goes_to_a_file_and_back(method, tmp_path):
    rows = method.sample(method.load())
    rows.to_json(tmp_path / "rows.jsonl")
    rows.to_parquet(str(tmp_path / "rows.parquet"))
    assert Dataset.from_parquet(str(tmp_path / "rows.parquet")).to_list() == rows.to_list()


def test_the_same_seed_gives_the_same_rows_and_others_give_others(method):
    made = method.load()
    seeds = (1, 2, 3, 4, 1)  # a few, as two seeds may pick the same from a small pool
    first, *others, again = (
        method.sample(made, seed=seed).remove_columns("seed").to_list() for seed in seeds
    )
    assert first == again
    assert any(rows != first for rows in others)


def test_the_seed_of_the_constructor_is_the_default(method):
    made = method.fit(seed=3)
    assert method.sample(made).to_list() == method.sample(made, seed=3).to_list()


def test_a_sample_of_one_row(method):
    assert len(method.sample(method.load(), 1)) == 1


def test_numpy_numbers_are_numbers(method):
    rows = method.sample(method.load(), np.int64(N), seed=np.int32(0)).to_list()
    assert rows == method.rows


def test_fits_repeat_and_sampling_does_not_change_them(method, tmp_path):
    made = method.fit()
    first = files_of(made.save(tmp_path / "a"))
    method.sample(made, seed=9)
    assert files_of(made.save(tmp_path / "b")) == first == files_of(method.saved)
    assert method.sample(made).to_list() == method.rows


def test_a_second_fit_forgets_the_first(method, tmp_path):
    made = method.fit(method.case.rows[:-2], seed=0)
    method.sample(made)
    made.fit(method.case.rows, **method.case.fit)
    assert method.sample(made).to_list() == method.rows


def test_other_random_numbers_are_neither_used_nor_touched(method):
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002 - the old global state is what is looked at
    random.seed(5)

    def states():
        numbers = np.random.get_state()[1].tolist()  # noqa: NPY002
        return torch.get_rng_state().tolist(), numbers, random.getstate()

    before = states()
    assert method.sample(method.fit()).to_list() == method.rows
    assert states() == before


def data_of(case, rows):
    return [{name: row[name] for name in case.data} for row in rows]


@pytest.mark.parametrize("form", ["rows", "Dataset", "HeldOut"])
def test_what_is_held_out_is_not_repeated(method, form):
    known, made = data_of(method.case, method.rows[:2]), method.load()
    forms = {
        "rows": lambda: known,
        "Dataset": lambda: Dataset.from_list(known),
        "HeldOut": lambda: HeldOut([row[method.case.data[0]] for row in known], n=None),
    }
    if form == "HeldOut" and len(method.case.data) > 1:
        pytest.skip("rows of a table are no texts")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        rows = method.sample(made, held_out=forms[form]())
    assert not [row for row in data_of(method.case, rows) if row in known]
    assert made.report.rejected.total() > 0
    assert method.sample(made, held_out=[]).to_list() == method.rows


def test_too_few_rows_are_a_warning_and_a_report(method):
    made = method.load()
    with pytest.warns(UserWarning, match=f"0 of {N} rows .*; ") as caught:
        rows = method.sample(made, held_out=Everything([]))
    assert len(rows) == 0 and rows.column_names == method.columns
    assert (made.report.asked, made.report.delivered) == (N, 0)
    assert made.report.rejected.total() >= N
    told = [w for w in caught if w.category is UserWarning]
    assert len(made.report.warnings) == len(told)
    assert all(w.filename == __file__ for w in told if w.message.args[0].startswith(made.name))


def test_too_few_rows_are_an_error_when_strict(method):
    made = method.load()
    with pytest.raises(TooFewRows, match=f"{method.kind.__name__}: 0 of {N} rows") as caught:
        method.sample(made, held_out=Everything([]), strict=True)
    assert len(caught.value.rows) == 0 and caught.value.report is made.report
    assert method.sample(made, strict=True).to_list() == method.rows


# --- reports -------------------------------------------------------------------------------------


def test_a_report_tells_of_the_last_call(method):
    made = method.make()
    assert made.report is None
    made.fit(method.case.rows, **method.case.fit)
    told, size = made.report, len(method.case.rows)
    assert isinstance(told, Report) and told.method == method.kind.__name__
    assert (told.step, told.asked, told.delivered) == ("fit", size, size)
    method.sample(made)
    assert (made.report.step, made.report.asked, made.report.delivered) == ("sample", N, N)
    assert f"sample: {N} of {N} rows" in repr(made.report)
    assert all(isinstance(count, int) for count in made.report.rejected.values())
    assert "kept" not in made.report.rejected and not made.report.warnings


# --- saves ---------------------------------------------------------------------------------------


def test_a_loaded_method_is_the_one_that_was_saved(method, tmp_path):
    made = method.load()
    assert repr(made) == repr(method.fit()) and made.preset == method.make().preset
    assert method.sample(made).to_list() == method.rows
    assert files_of(made.save(tmp_path / "again")) == files_of(method.saved)


def test_a_loaded_method_can_be_fitted_again(method):
    made = method.load().fit(method.case.rows, **method.case.fit)
    assert method.sample(made).to_list() == method.rows


def test_no_save_and_no_load_unpickles(method, tmp_path, monkeypatch):
    def refuse(*args, **options):
        raise AssertionError("pickle")

    for name in ("load", "loads", "dump", "dumps"):
        monkeypatch.setattr(pickle, name, refuse)
    monkeypatch.setattr(torch, "load", refuse)
    made = method.load(method.load().save(tmp_path))
    assert method.sample(made).to_list() == method.rows
    assert {path.suffix for path in files_of(tmp_path)} <= {".json", ".jsonl", ".safetensors"}


def test_own_settings_come_back(method, tmp_path):
    method.fit(seed=4).save(tmp_path / "four")
    assert method.load(tmp_path / "four").seed == 4


def test_a_folder_of_nothing_or_of_something_else_is_refused(method, tmp_path):
    with pytest.raises(FileNotFoundError, match="made by save"):
        method.load(tmp_path / "nothing")
    save_folder(tmp_path / "other", "reducer", {}, {})
    with pytest.raises(ValueError, match=f"holds 'reducer' where '{method.kind.__name__}'"):
        method.load(tmp_path / "other")


def test_a_damaged_or_newer_save_is_refused(method, tmp_path):
    folder = method.load().save(tmp_path / "fit")
    for path in [path for path in sorted(folder.rglob("*")) if path.is_file()]:
        whole = path.read_bytes()
        path.write_bytes(whole[:-2] + bytes([whole[-2] ^ 4]) + whole[-1:])
        with pytest.raises(ValueError, match=r"damaged|update"):
            method.load(folder)
        path.write_bytes(whole)
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format": 99}))
    with pytest.raises(ValueError, match="update"):
        method.load(folder)


def test_another_model_is_refused_with_both_names(method, tmp_path):
    if method.lm is None:
        pytest.skip("fitted without a model")
    other = load_lm(tiny_lm(tmp_path / "other", method.case.model, seed=1, **SMALL))
    with pytest.raises(ValueError, match=rf"{method.lm.name}.*{other.name}"):
        method.load(model=other)
    if not method.kind.needs_model:
        return
    with pytest.raises((TypeError, ValueError), match="model"):
        method.kind.load(method.saved, **method.case.load)


# --- interruptions -------------------------------------------------------------------------------


def killing(patch, owner, name, stop, counted):
    """Let the `stop`-th call of `owner.name` be done, and be the last; calls are counted."""
    real = getattr(owner, name)

    def call(*args, **options):
        found = real(*args, **options)
        counted.append(args)
        if len(counted) == stop:
            raise Killed
        return found

    patch.setattr(owner, name, call)


def test_an_interrupted_fit_resumes_to_the_same_fit(method, tmp_path, monkeypatch):
    place, whole, before, after = tmp_path / "fit", [], [], []
    with monkeypatch.context() as patch:
        killing(patch, phases, "save_folder", None, whole)
        method.fit(checkpoint=tmp_path / "whole")
    assert whole, "a fit has phases that are kept"
    with monkeypatch.context() as patch, pytest.raises(Killed):
        killing(patch, resume.ResumeLog, "finish", 1, before)
        method.fit(checkpoint=place)
    with monkeypatch.context() as patch:
        killing(patch, phases, "save_folder", None, after)
        made = method.fit(checkpoint=place)
    assert len(after) == len(whole) - 1, "the finished phase is not made again"
    assert method.sample(made).to_list() == method.rows
    assert files_of(made.save(tmp_path / "saved")) == files_of(method.saved)
    assert not place.exists() or not files_of(place), "save empties the checkpoint"


def test_a_checkpoint_of_another_fit_is_refused(method, tmp_path):
    method.fit(checkpoint=tmp_path / "fit")
    with pytest.raises(ValueError, match=r"holds a fit of .* with other data"):
        method.fit(method.case.rows[:-1], checkpoint=tmp_path / "fit")
    with pytest.raises(ValueError, match="seed"):
        method.fit(seed=1, checkpoint=tmp_path / "fit")


def test_a_fit_that_learns_nothing_leaves_its_checkpoint_to_others(method, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise ValueError("these rows will not do")

    with monkeypatch.context() as patch, pytest.raises(ValueError, match="will not do"):
        patch.setattr(method.kind, "_fit", refuse)
        method.fit(checkpoint=tmp_path / "fit")
    assert not (tmp_path / "fit").exists()
    method.fit(method.case.rows[:-1], checkpoint=tmp_path / "fit")


def test_a_file_that_is_no_checkpoint_is_refused_and_left_as_it_is(method, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("my thesis, in one line")
    for wrong in (path, tmp_path):
        with pytest.raises(ValueError, match=f"{wrong.name}.* (no log|is a folder)"):
            method.sample(method.load(), checkpoint=wrong)
    with pytest.raises(ValueError, match=r"notes.txt is a file"):
        method.fit(checkpoint=path)
    for place in (path, path / "below"):
        with pytest.raises(NotADirectoryError, match="a file is in its place or above"):
            method.load().save(place)
    assert path.read_text() == "my thesis, in one line"
    assert [each.name for each in tmp_path.iterdir()] == ["notes.txt"]


def test_an_interrupted_sample_resumes_to_the_same_rows(method, tmp_path, monkeypatch):
    place, whole, before, after = tmp_path / "sample.jsonl", [], [], []
    with monkeypatch.context() as patch:
        killing(patch, resume.ResumeLog, "add", None, whole)
        first = method.sample(method.load(), checkpoint=tmp_path / "whole.jsonl")
    assert first.to_list() == method.rows and len(whole) > 0
    with monkeypatch.context() as patch, pytest.raises(Killed):
        killing(patch, resume.ResumeLog, "add", -(-len(whole) // 2), before)
        method.sample(method.load(), checkpoint=place)
    with monkeypatch.context() as patch:
        killing(patch, resume.ResumeLog, "add", None, after)
        again = method.sample(method.load(), checkpoint=place)
    assert again.to_list() == method.rows
    assert place.stat().st_size == (tmp_path / "whole.jsonl").stat().st_size, "nothing twice"


def test_a_finished_sample_is_read_from_its_checkpoint(method, tmp_path, monkeypatch):
    place = tmp_path / "sample.jsonl"
    method.sample(method.load(), checkpoint=place)
    size = place.stat().st_size
    assert method.sample(method.load(), checkpoint=str(place)).to_list() == method.rows
    assert place.stat().st_size == size, "nothing was written anew"


# --- the template --------------------------------------------------------------------------------


def test_the_template_keeps_to_its_limit_and_turns_away_what_has_no_end():
    made = MarkovChain(max_words=5).fit(["a b a b", "b a b a", "a b"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        rows = made.sample(50)
    assert made.report.rejected["no end"] > 0
    assert max(len(text.split()) for text in rows["text"]) == 5
    with pytest.raises(ValueError, match=r"row 1 .*6 words long, and 5 fit.*raise max_words"):
        made.fit(["a", "a b a b a b"])
