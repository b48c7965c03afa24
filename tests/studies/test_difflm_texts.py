"""DiffLM on programs and tools: how texts are judged, and the path of a run."""

import builtins
import json
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from tiny import tiny_lm

from synthkit import load_lm
from synthkit.datasets import load_mbpp, load_tool_schemas
from synthkit.studies.difflm import experiment_texts as E
from synthkit.studies.difflm import text_sets as S
from synthkit.studies.measurements import Log
from synthkit.studies.runner import run
from synthkit.worlds import load_world

EVENS = "def evens(nums):\n    return [x for x in nums if x % 2 == 0]"
SCALE = "def scale(nums):\n    return [x * 3 for x in nums]"


def tool(name="get_snowfall", description="Get the snowfall by city.", **parameters):
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    return {"name": name, "description": description, "parameters": {**schema, **parameters}}


def text_of(value):
    return json.dumps(value, separators=(",", ":"))


# --- programs -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "valid", "runs", "right"),
    [
        (EVENS, True, True, True),
        (EVENS.replace("== 0", "== 1"), True, True, False),
        (EVENS.replace("evens", "thirds"), True, True, False),
        (SCALE, True, True, True),
        (SCALE.replace("*", "+"), True, True, False),
        (SCALE.replace("3", "len(nums)"), True, True, False),
        (f"import os\nos.listdir('..')\n{EVENS}", True, False, False),
        (f"nothing\n{EVENS}", True, False, False),
        ("print(1)", False, False, False),
        ("def evens(nums:", False, False, False),
        ("def evens(n):\n    return '\\d'\0", False, False, False),
        ("", False, False, False),
    ],
)
def test_a_program_is_valid_runs_and_is_right(code, valid, runs, right):
    about = S.TextSet([EVENS], "code", S.task_of, S.pass_own_tests)
    found = {name: bool(flags[0]) for name, flags in S.judge([code], about).items()}
    assert found == {"valid": valid, "runs": runs, "right": right}


def test_generated_code_never_runs_in_this_process():
    code = f"import builtins\nbuiltins.leaked = 1\n{EVENS}\nassert builtins.leaked"
    assert S.judge([code], S.TextSet([EVENS], "code"))["runs"].tolist() == [True]
    assert not hasattr(builtins, "leaked")


def test_generated_code_that_python_would_warn_about_is_judged_in_silence(recwarn):
    code = 'def f(a):\n    return "\\d" is a'
    assert S.judge([code], S.TextSet([code], "code"))["valid"].tolist() == [True]
    assert S.style_of(code) == "plain" and not recwarn.list


def test_the_code_world_reads_its_own_programs():
    rows = load_world("code").rows(120, 1)
    codes = [row["code"] for row in rows]
    assert [S.task_of(code) for code in codes] == [row["task"] for row in rows]
    assert all(S.pass_own_tests(codes))


def test_a_constant_is_tried_in_each_reading():
    code = "def keep_multiples(nums):\n    return [x for x in nums if x % 3 == 0 and 7]"
    wrong = code.replace("== 0", "== 1")
    assert len(S.own_tests(code)) == len(S.own_tests(wrong)) == 2
    assert S.pass_own_tests([wrong, code]) == [False, True]


# --- tools ----------------------------------------------------------------------------------------


def test_the_tools_world_reads_its_own_tools():
    rows = load_world("tools").rows(120, 1)
    texts = [row["text"] for row in rows]
    assert [S.tool_category(text) for text in texts] == [row["category"] for row in rows]
    assert [S.parameter_types(text) for text in texts] == [row["types"] for row in rows]
    assert all(S.hold_true(texts))
    about = S.world_set("tools", 40)
    assert about.fields == {"name", "description", "parameters"}
    assert all(flags.all() for flags in S.judge(about.texts, about).values())


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"name":"get_snowfall"',
        '["name","description","parameters"]',
        '{"name":"get_snowfall","description":"Get the snowfall."}',
        text_of(tool()).replace('"city"]', "NaN]"),
    ],
)
def test_a_tool_that_is_no_json_or_lacks_a_field_is_not_valid(text):
    about = S.world_set("tools", 5)
    assert not any(flags[0] for flags in S.judge([text], about).values())


def test_where_tools_share_no_key_a_valid_one_is_json_all_the_same():
    about = S.TextSet(['{"name":"a"}', '{"title":"b"}'], "tools")
    found = S.judge(['{"x":1}', "no json", "[1]"], about)
    assert about.fields == frozenset()
    assert {name: flags.tolist() for name, flags in found.items()} == {
        "valid": [True, False, False],
        "sound": [True, False, False],
    }


@pytest.mark.parametrize(
    ("change", "sound"),
    [
        ({}, True),
        ({"name": " "}, False),
        ({"description": 3}, False),
        ({"parameters": {}}, False),
        ({"parameters": True}, False),
        ({"parameters": {"properties": {}}}, True),
        ({"parameters": {"properties": {"a": {"type": "word"}}}}, False),
        ({"parameters": {"properties": {"a": {}}, "required": ["b"]}}, False),
    ],
)
def test_a_sound_tool_is_named_described_and_has_a_schema(change, sound):
    assert S.is_sound({**tool(), **change}) is sound


def test_types_of_parameters_are_a_category_wherever_tools_have_them():
    schema = {"a": {"type": "string"}, "b": {"type": ["string", "null"]}, "c": {}}
    assert S.parameter_types(text_of(tool(properties=schema))) == "any,any,string"
    assert S.parameter_types('{"name":"x"}') is None and S.parameter_types("x") is None


# --- what an arm is measured by -------------------------------------------------------------------


def test_an_arm_is_measured_by_hand():
    about = S.TextSet([EVENS], "code", S.task_of, lambda codes: [code == SCALE for code in codes])
    texts = [EVENS, EVENS.replace("    ", "\t"), SCALE, "def other(x):\n    return x", "junk("]
    held = [EVENS, SCALE, "def fact(n):\n    return 1", "def fib(n):\n    return 1"]
    assert S.measure(texts, about, train=[EVENS + "\n"], held=held) == {
        "valid": 0.8,
        "runs": 0.8,
        "right": 0.2,
        "novel": 0.5,  # of four valid texts, two are the training text
        "distinct": 0.75,
        "coverage": 0.5,
        "category distance": 0.5,  # (2/4 - 1/4, 1/4 without a task) against two tasks not met
        S.JUDGED: 5,
    }


NONE = pytest.approx(np.nan, nan_ok=True)


def test_without_valid_texts_there_is_no_novelty_and_no_coverage():
    about = S.TextSet([EVENS], "code", S.task_of)
    found = S.measure(["junk("] * 3, about, [EVENS], [EVENS])
    none = {"novel": NONE, "distinct": NONE, "category distance": NONE}
    assert found == {"valid": 0, "runs": 0, "coverage": 0, S.JUDGED: 3, **none}
    assert S.measure([], about, [EVENS], [EVENS]) == {**found, **none, S.JUDGED: 0}


def test_there_is_no_coverage_where_held_out_texts_have_no_category():
    plain = '{"name":"a","description":"b"}'
    found = S.measure([plain], S.TextSet([plain], "tools"), [plain], [plain])
    none = {"coverage": NONE, "category distance": NONE}
    assert found == {"valid": 1, "sound": 1, "novel": 0, "distinct": 1, S.JUDGED: 1, **none}


@pytest.mark.parametrize(
    ("texts", "kind", "error", "message"),
    [
        ([EVENS], "poems", ValueError, "code, tools; found 'poems'"),
        ([], "code", ValueError, "found none"),
        ([EVENS, " \n"], "code", ValueError, "text 1 is blank"),
        ([EVENS, None], "code", TypeError, "text 1 is a NoneType"),
    ],
)
def test_what_is_no_set_of_texts_is_refused(texts, kind, error, message):
    with pytest.raises(error, match=message):
        S.TextSet(texts, kind)


def test_a_set_of_tools_must_be_json():
    with pytest.raises(ValueError, match="text 1 is not a tool in JSON: 'def"):
        _ = S.TextSet(['{"name":"a"}', EVENS], "tools").fields
    with pytest.raises(ValueError, match="code and tools; found 'math'"):
        S.world_set("math", 3)


def test_real_sets_are_read_by_path_and_are_valid(shared_data):
    files = {
        "bfcl/BFCL_v4_simple_python.json": {"name", "description", "parameters"},
        "toolalpaca/eval_simulated.json": {"name", "description", "parameters"},
        "toolalpaca/public_apis.json": {"name", "description"},
    }
    for name, fields in files.items():
        about = S.TextSet(load_tool_schemas(shared_data / name)["text"], "tools")
        assert about.fields == fields and S.judge(about.texts, about)["valid"].all()
    mbpp = S.TextSet(load_mbpp(shared_data / "mbpp" / "mbpp.jsonl")["code"][:60], "code")
    found = S.judge(mbpp.texts, mbpp)
    assert found["valid"].all() and found["runs"].all()
    assert len({mbpp.category(text) for text in mbpp.texts}) > 3


# --- the run --------------------------------------------------------------------------------------


SMALL = E.TextsPreset(n_train=8, n_held=6, n_sample=6, max_tries=2, seeds=(0,))
SHORT = [f"def f{i}(a):\n return a" for i in range(30)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return load_lm(tiny_lm(tmp_path_factory.mktemp("tiny")), device="cpu")


class StandIn:
    """Repeats what it was fitted to, one text in four changed; keeps what it was asked."""

    made: tuple = ()
    missing = 0

    def __init__(self, lm, preset, seed, **changes):
        self.preset = (preset, changes)
        StandIn.made += ((preset, seed, changes),)
        told = SimpleNamespace(active=2, latent=4, kl=1.5, collapsed=False, shuffled_gap=0.75)
        self.fitted = SimpleNamespace(collapse=told)

    def fit(self, texts, checkpoint, progress):
        self.texts = texts
        return self

    def sample(self, n, seed, check, max_tries, progress, prior="diffusion"):
        for i in range(n - self.missing):
            assert check("def new():\n return 1" if i % 4 == 0 else self.texts[i % len(self.texts)])
        self.report = SimpleNamespace(rejected=Counter({"no end": 2, "empty": 1}))


@pytest.fixture
def stand_in(monkeypatch):
    monkeypatch.setattr(E, "DiffLM", StandIn)
    StandIn.made, StandIn.missing = (), 0
    return StandIn


def rows_of(result, arm, name="own"):
    rows = [row for row in result.measurements if row["arm"] == arm and row["set"] == name]
    return {row["measure"]: row["value"] for row in rows}


def test_a_run_measures_every_arm_counts_what_is_turned_away_and_resumes(
    stand_in, tiny, tmp_path, monkeypatch
):
    sets = {"own": S.TextSet(SHORT, "code")}
    preset = replace(SMALL, changes={"latent": 4})
    result = run(E.study(sets), preset, lm=tiny, out=tmp_path)
    assert {row["arm"] for row in result.measurements} == {E.REAL, E.FROZEN, *E.WAYS}
    assert stand_in.made == (("fast", 0, {"latent": 4}),)
    real, drawn = rows_of(result, E.REAL), rows_of(result, E.DIFFUSION)
    assert real["valid"] == real["novel"] == real["distinct"] == real["coverage"] == 1
    assert (real[S.JUDGED], real[E.TOO_LONG]) == (6, 0)
    assert drawn["novel"] == pytest.approx(2 / 6, abs=1e-5)
    assert (drawn[S.JUDGED], drawn[E.TURNED_AWAY]) == (6, 3)
    assert (drawn["shuffled-latent gap"], drawn["active dimensions"]) == (0.75, 0.5)
    for used in ("DiffLM", "unguided"):
        monkeypatch.setattr(E, used, None)  # nothing is fitted or drawn again
    assert run(E.study(sets), preset, lm=tiny, out=tmp_path).measurements == result.measurements


def test_other_texts_models_or_presets_need_another_folder(stand_in, tiny, tmp_path):
    def again(texts=SHORT, lm=tiny, preset=SMALL, name="own", presets=None, **how):
        sets = {name: S.TextSet(texts, "code")}
        return run(E.study(sets, presets), preset, lm=lm, out=tmp_path / "run", **how)

    again()
    other = load_lm(tiny_lm(tmp_path / "other", seed=1), device="cpu")
    for change in (
        {"texts": SHORT[::-1]},
        {"lm": other},
        {"preset": replace(SMALL, max_tries=3)},
        {"presets": {"own": replace(SMALL, n_sample=5)}},
    ):
        with pytest.raises(ValueError, match=r"own\.jsonl holds .* with other data, settings"):
            again(**change)
    with pytest.raises(ValueError, match="becomes part of a file's name"):
        again(name="o/wn")
    assert len(stand_in.made) == 1
    assert {row["set"] for row in again(name="more", seeds=[0, 1]).measurements} == {"more"}


def test_the_table_has_a_row_each_set_and_arm(stand_in, tiny, tmp_path):
    tools = [text_of(tool(f"get_{i}")) for i in range(30)]
    long = load_lm(tiny_lm(tmp_path / "long", max_position_embeddings=256), device="cpu")
    sets = {"own": S.TextSet(SHORT, "code"), "tools": S.TextSet(tools, "tools")}
    own = {"tools": replace(SMALL, n_sample=4)}
    result = run(E.study(sets, own), SMALL, lm=long, seeds=[0, 1], out=tmp_path)
    table = E.table(result)
    assert result.preset["presets"]["tools"]["n_sample"] == 4 and result.preset["n_sample"] == 6
    assert table.loc[("tools", E.REAL), "texts"] == 8
    assert list(table.index) == [
        (name, arm) for name in sets for arm in (E.REAL, E.FROZEN, *E.WAYS)
    ]
    assert table.loc[("own", E.DIFFUSION), "texts"] == 12
    assert table.loc[("own", E.DIFFUSION), "turned away"] == 6
    assert table.loc[("tools", E.REAL), "sound"] == 1
    assert np.isnan(table.loc[("own", E.REAL), "sound"]) and "right" not in table


def test_difflm_itself_is_fitted_sampled_and_measured(tiny, tmp_path):
    sizes = {"steps": 2, "batch_size": 4, "latent": 4, "tokens": 2, "width": 8, "layers": 1}
    changes = {"autoencoder": sizes, "diffusion_steps": 4, "diffusion_hidden": 8}
    preset = replace(SMALL, changes=changes)
    result = run(E.study({"own": S.TextSet(SHORT, "code")}), preset, lm=tiny, out=tmp_path)
    for arm in E.WAYS:
        found = rows_of(result, arm)
        drafts = found[S.JUDGED] + found[E.TURNED_AWAY]
        assert 6 <= drafts <= 12 and found["valid"] < 0.5
    held = E.split_texts(tiny, S.TextSet(SHORT, "code"), preset, 0)[2]
    alone = rows_of(result, E.FROZEN)
    assert alone["valid"] < 0.5  # a random model
    assert alone[E.SURPRISE] == pytest.approx(float(tiny.nll(held).mean()), rel=1e-4)
    assert rows_of(result, E.DIFFUSION)["shuffled-latent gap"] > -1
    assert result.model["fingerprint"] == tiny.fingerprint
    left = ["index.html", "measurements-own.jsonl", "result.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == left


def test_a_model_without_a_begin_token_writes_as_well(tmp_path):
    lm = load_lm(tiny_lm(tmp_path / "qwen", "qwen2"), device="cpu")
    log = Log(tmp_path / "m.jsonl")
    trial = E.TextTrial(lm, SMALL, 0, log, name="own", about=S.TextSet(SHORT, "code"))
    texts = E.unguided(trial)
    assert lm.bos_id is None and len(texts) == SMALL.n_sample and any(texts)
    assert len(set(texts)) > 1


def test_a_split_has_no_text_twice_and_counts_those_that_are_too_long(tiny):
    about = S.TextSet([*SHORT, "x" * 600, "def a(): " * 90], "code")
    train, real, held, too_long = E.split_texts(tiny, about, SMALL, 0)
    assert [len(train), len(real), len(held), too_long] == [8, 6, 6, 2]
    assert len({*train, *real, *held}) == 20
    assert train != E.split_texts(tiny, about, SMALL, 1)[0]
    lengths = [len(ids) + 1 for ids in tiny.token_ids(about.texts)]
    longest = sorted(lengths)[24]
    shorter = E.split_texts(tiny, about, replace(SMALL, longest=longest), 0)
    assert shorter[-1] == sum(length > longest for length in lengths) >= 2
    kept = [text for part in shorter[:3] for text in part]
    assert max(len(ids) + 1 for ids in tiny.token_ids(kept)) <= longest


def test_texts_that_do_not_fit_or_do_not_suffice_are_named(tiny):
    with pytest.raises(ValueError, match=r"all 2 texts are too long: the shortest has \d+ tokens"):
        E.split_texts(tiny, S.TextSet(["def a(): " * 90, "x" * 900], "code"), SMALL, 0)
    few = S.TextSet([*SHORT[:10], "x" * 900], "code")
    with pytest.raises(ValueError, match=r"20 texts are needed, found 10 .*\(of 11\)"):
        E.split_texts(tiny, few, SMALL, 0)


def test_worlds_are_drawn_and_a_wrong_preset_is_named(tmp_path):
    sets = E.world_sets(SMALL)
    assert {name: len(about.texts) for name, about in sets.items()} == {"code": 60, "tools": 60}
    with pytest.raises(ValueError, match="fast or study, not 'huge'"):
        run(E.study({}), "huge", lm=object(), out=tmp_path)
    with pytest.raises(ValueError, match="a preset for verse, but the sets are own"):
        E.study({"own": S.TextSet(SHORT, "code")}, {"verse": SMALL})
    with pytest.raises(ValueError, match="n_train must be at least 1, got 0"):
        E.TextsPreset(n_train=0)
