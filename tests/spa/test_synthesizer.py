"""SPA as a whole, and the baselines it is held against."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import tiny_lm

from synthkit import load_lm, load_world
from synthkit.core.phases import Phases
from synthkit.lm.mixed_adapters import share_weights
from synthkit.spa import SPA, Partition, SPAPreset, baselines, influence_scores, make_partition
from synthkit.spa import synthesizer as module
from synthkit.spa.synthesizer import (
    PRESETS,
    QUESTION,
    Form,
    choose_adapters,
    fitting,
    kept_adapter,
    read_rows,
    train_on,
)

ROWS = [
    {"question": f"{a} or {b}?", "answer": f"{b} it is" if i % 3 else f"take {a}", "side": i % 3}
    for i, (a, b) in enumerate((a, b) for a in "ABCDEF" for b in "xyz")
]
QUERIES = ROWS[:3]
ASKED = ["A or u?", "G or x?"]
SMALL = {"num_hidden_layers": 2, "hidden_size": 32, "intermediate_size": 64}
QUICK = {
    "reference_updates": 4, "part_updates": 3, "batch_size": 6, "rank": 2, "alpha": 4.0,
    "min_size": 1, "save_every": 2, "max_new_tokens": 6,
}  # fmt: skip


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    return load_lm(tiny_lm(tmp_path_factory.mktemp("tiny") / "llama", **SMALL), device="cpu")


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return load_lm(
        tiny_lm(tmp_path_factory.mktemp("tiny") / "other", seed=1, **SMALL), device="cpu"
    )


@pytest.fixture(scope="module")
def fitted(lm):
    """One fitted SPA; tests read it and never change it."""
    return make(lm).fit(ROWS, QUERIES)


@pytest.fixture(scope="module")
def by_factor(lm):
    return make(lm, 3, [row["side"] for row in ROWS]).fit(ROWS)


def make(lm, n_parts=3, partition="influence", **changes):
    return SPA(lm, n_parts, partition, **{**QUICK, **changes})


def weights(lm, name):
    found = lm.model.named_parameters()
    return {
        key.replace(f".{name}.", "."): weight.detach().clone()
        for key, weight in found
        if f".{name}." in key and "lora_" in key
    }


def same_weights(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)


# --- presets -------------------------------------------------------------------------------------


def test_presets_and_what_is_known_of_the_paper():
    assert set(PRESETS) == {"fast", "study", "paper"}
    paper = PRESETS["paper"]
    assert (paper.rank, paper.alpha, paper.lr, paper.part_updates) == (16, 16, 2e-4, 400)
    assert (paper.batch_size, paper.query_rule) == (20, "variance")
    assert PRESETS["fast"].part_updates < PRESETS["study"].part_updates < paper.part_updates


def test_a_change_replaces_one_value(lm):
    made = SPA(lm, preset="study", rank=3)
    assert asdict(made.preset) == {**asdict(PRESETS["study"]), "rank": 3}
    assert SPA(lm, preset=SPAPreset(rank=5)).preset.rank == 5


def test_a_preset_survives_json():
    preset = SPAPreset(damping=0.5, sign=-1)
    assert SPAPreset(**json.loads(json.dumps(asdict(preset)))) == preset


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "magic"}, "method must be one of dot, .*; got 'magic'"),
        ({"normalisation": "x"}, "normalisation must be one of none, z, rank"),
        ({"sign": 0}, "sign must be one of 1, -1; got 0"),
        ({"query_rule": "x"}, "query_rule must be one of"),
        ({"on_small": "x"}, "on_small must be one of"),
        ({"part_updates": 0}, "part_updates must be at least 1"),
        ({"min_size": 0}, "min_size must be at least 1"),
        ({"lr": 0.0}, "lr must be positive"),
        ({"damping": -1.0}, "damping must be positive"),
        ({"decay_from": 2.0}, "decay_from is a share"),
        ({"colour": 1}, "SPA has no option colour"),
        ({"preset": "huge"}, "no preset 'huge'; choose one of fast, study, paper"),
        ({"n_parts": 0}, "n_parts must be at least 1"),
        ({"partition": "magic"}, "partition must be one of influence"),
    ],
)
def test_impossible_choices_are_refused_at_once(lm, change, message):
    with pytest.raises(ValueError, match=message):
        SPA(lm, **change)


# --- rows and prompts ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "pair", "form"),
    [
        ({"question": "q", "answer": "a"}, ("Question: q\nAnswer:", " a"), ("question", QUESTION)),
        ({"prompt": "p", "code": "c"}, ("Question: p\nAnswer:", " c"), ("prompt", QUESTION)),
        ({"prompt": "p", "completion": "c"}, ("p", "c"), ("prompt", "{}")),
        ({"text": "t"}, ("", "t"), ("prompt", "{}")),
    ],
)
def test_rows_of_every_shape(row, pair, form):
    pairs, found = read_rows([row, row])
    assert pairs == [pair, pair] and found == Form(*form)


def test_rows_of_the_code_world():
    rows = load_world("code").rows(3, seed=0)
    pairs, form = read_rows(load_world("code").sample(3, seed=0))
    assert pairs == read_rows(rows)[0]
    assert pairs[0] == (f"Question: {rows[0]['prompt']}\nAnswer:", f" {rows[0]['code']}")
    assert form.prompts(rows)[0] == [row["prompt"] for row in rows]


def test_texts_and_rows_ask_the_same():
    from datasets import Dataset

    form = read_rows(ROWS)[1]
    wanted = (["A {} x?"], ["Question: A {} x?\nAnswer:"])
    data = Dataset.from_list([{"question": "A {} x?"}])
    for asked in (
        ["A {} x?"],
        ("A {} x?",),
        data,
        data["question"],
        data.to_pandas(),
        iter(wanted[0]),
    ):
        assert form.prompts(asked) == wanted
    assert form.answer("  it is \n") == "it is"
    assert Form("prompt", "{}").answer(" as it is ") == " as it is "


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ("one", TypeError, "not one string"),
        ([], ValueError, "no prompt was given"),
        ([{"prompt": "p"}], ValueError, "question"),
        ([3], TypeError, "must hold texts; row 0 is int"),
        ({"question": ["q"]}, TypeError, "found dict"),
    ],
)
def test_wrong_prompts_are_refused(asked, error, message):
    with pytest.raises(error, match=message):
        read_rows(ROWS)[1].prompts(asked)


def test_fitting_names_the_rows_that_fit(lm):
    rows = [ROWS[0], {"question": "A " * 200, "answer": "x"}, ROWS[1]]
    assert fitting(lm, rows) == [0, 2]
    make(lm, 1, "contiguous").fit([rows[i] for i in fitting(lm, rows)])


# --- one adapter ---------------------------------------------------------------------------------


def preset(**changes):
    return SPAPreset(**{**QUICK, **changes})


def test_training_learns_and_leaves_the_adapter_idle(lm):
    view, pairs = share_weights(lm), read_rows(ROWS)[0]
    history = train_on(view, "part-0", pairs, 20, preset(lr=1e-2), 0)
    assert history.steps == 20 and view.active_adapter is None
    assert np.mean(history.train_losses[-5:]) < history.train_losses[0] - 0.5


def test_the_seed_decides_start_and_order(lm):
    view, pairs = share_weights(lm), read_rows(ROWS)[0]
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        train_on(view, name, pairs, 2, preset(), seed)
    assert same_weights(weights(view, "one"), weights(view, "two"))
    assert not same_weights(weights(view, "one"), weights(view, "three"))


def test_an_adapter_without_gradients_is_an_error(lm, monkeypatch):
    real = module.example_losses
    monkeypatch.setattr(module, "example_losses", lambda *a: (real(*a)[0] * 0,))
    with pytest.raises(RuntimeError, match="'part-0' has learned nothing"):
        train_on(share_weights(lm), "part-0", read_rows(ROWS)[0], 2, preset(), 0)


def test_a_loss_that_is_no_number_is_an_error(lm):
    with pytest.raises(FloatingPointError, match="Lower the learning rate"):
        make(lm, 2, "random", lr=1e30, part_updates=8).fit(ROWS)


# --- fit -----------------------------------------------------------------------------------------


def test_fit_leaves_the_model_as_it_was(lm, fitted):
    assert fitted.fit.__self__ is fitted and lm.describe()["adapters"] == []
    assert lm.active_adapter is None and fitted.adapted.active_adapter is None
    assert fitted.adapted.fingerprint == lm.fingerprint
    assert all(weight.requires_grad for weight in lm.model.parameters())
    places = {weight.data_ptr() for weight in lm.model.parameters()}
    named = fitted.adapted.model.named_parameters()
    assert all(w.data_ptr() in places for key, w in named if "lora_" not in key)


def test_what_fit_makes(fitted):
    assert fitted.scores.shape == (3, len(ROWS)) and fitted.partition.rule == "influence"
    assert sum(fitted.sizes) == len(ROWS) and len(fitted.sizes) == 3
    assert fitted.adapters == ["part-0", "part-1", "part-2"]
    assert set(fitted.histories) == {"reference", *fitted.adapters}
    assert fitted.histories["reference"].steps == 4 and fitted.histories["part-1"].steps == 3


def test_scores_are_the_influence_at_the_reference_adapter(lm, fitted):
    view, pairs = share_weights(lm), read_rows(ROWS)[0]
    train_on(view, "reference", pairs, 4, fitted.preset, 0)
    assert same_weights(weights(view, "reference"), weights(fitted.adapted, "reference"))
    found = influence_scores(view, ROWS, QUERIES, adapter="reference")
    assert np.allclose(found, fitted.scores)
    wanted = make_partition("influence", 3, scores=found)
    assert np.array_equal(fitted.partition.labels, wanted.labels)


def test_each_part_is_trained_as_if_it_were_alone(lm, fitted):
    pairs = read_rows(ROWS)[0]
    part = [pairs[i] for i in fitted.partition.rows(2)]
    view = share_weights(lm)
    train_on(view, "part-2", part, 3, fitted.preset, 0)
    assert same_weights(weights(view, "part-2"), weights(fitted.adapted, "part-2"))


def test_parts_begin_at_the_same_weights_and_copies_of_the_data_do_not(lm):
    tiny_step = {"lr": 1e-12, "part_updates": 1}
    one = make(lm, 2, "random", **tiny_step).fit(ROWS)
    two = make(lm, 2, "same data", **tiny_step).fit(ROWS)

    def apart(spa):
        a, b = weights(spa.adapted, "part-0"), weights(spa.adapted, "part-1")
        return max(float((a[key] - b[key]).abs().max()) for key in a if "lora_A" in key)

    assert apart(one) < 1e-6 < 1e-2 < apart(two)
    assert list(two.sizes) == [len(ROWS)] * 2


@pytest.mark.parametrize(
    ("rule", "more"),
    [
        ("bm25", {"queries": QUERIES}),
        ("kmeans", {"queries": QUERIES[:2]}),
        ("embedding", {}),
        ("embedding", {"vectors": np.eye(18)[:, :4] + np.arange(18)[:, None]}),
        ("oracle", {"factor": "side"}),
        ("oracle", {"factor": [row["side"] for row in ROWS]}),
        ("contiguous", {}),
    ],
)
def test_every_rule_makes_parts(lm, monkeypatch, rule, more):
    monkeypatch.setattr(module, "kept_adapter", stub_training)
    monkeypatch.setattr(module, "kept_scores", lambda *_: np.random.default_rng(0).random((2, 18)))
    spa = make(lm, 3, rule, ties="random").fit(ROWS, **more)
    assert spa.partition.rule == rule and sum(spa.sizes) == len(ROWS) and spa.partition.n_parts == 3
    if rule == "oracle":
        assert spa.partition.keys == (0, 1, 2) and list(spa.sizes) == [6, 6, 6]


def stub_training(lm, name, *_):
    lm.add_adapter(name, rank=1)
    return module.History()


@pytest.mark.parametrize(
    "rule",
    [
        ["b", "a", "b"] * 6,
        np.array([1, 0, 1] * 6),
        lambda rows: [row["question"] < "C" for row in rows],
        Partition(np.array([1, 0, 1] * 6), 2, "oracle", ("no", "yes")),
    ],
)
def test_labels_functions_and_partitions_are_rules(lm, monkeypatch, rule):
    monkeypatch.setattr(module, "kept_adapter", stub_training)
    spa = make(lm, 8, rule).fit(ROWS)
    assert list(spa.sizes) == [6, 12] or list(spa.sizes) == [12, 6]
    assert spa.adapters == ["part-0", "part-1"] and spa.scores is None


def test_the_wrong_sign_gives_a_row_to_the_query_it_harms(lm, monkeypatch):
    scores = np.random.default_rng(0).normal(size=(3, 18))
    monkeypatch.setattr(module, "kept_adapter", stub_training)
    monkeypatch.setattr(module, "kept_scores", lambda *_: scores)
    found = {sign: make(lm, sign=sign).fit(ROWS, QUERIES).partition.labels for sign in (1, -1)}
    z = (scores - scores.mean(1, keepdims=True)) / scores.std(1, keepdims=True)
    assert len(set(found[1])) > 1 and not np.array_equal(found[1], found[-1])
    assert not (found[1] == found[-1]).any(), "best and worst query of a row differ"
    order = make_partition("influence", 3, scores=scores).keys
    assert [order[k] for k in found[1]] == z.argmax(0).tolist()


# --- nothing is lost -----------------------------------------------------------------------------


class Interrupted(Exception):
    pass


def interrupt(monkeypatch, at):
    """Let training break at its `at`-th update of all; returns the list of updates' row counts."""
    real, updates = module.example_losses, []

    def losses(lm, pairs):
        updates.append(len(pairs))
        if len(updates) == at:
            raise Interrupted
        return real(lm, pairs)

    monkeypatch.setattr(module, "example_losses", losses)
    return updates


@pytest.mark.parametrize("at", [2, 4, 6, 9, 13])  # in the reference adapter, and in each part
def test_an_interrupted_fit_goes_on_where_it_was(lm, fitted, tmp_path, monkeypatch, at):
    folder = tmp_path / "fit"
    interrupt(monkeypatch, at)
    with pytest.raises(Interrupted):
        make(lm).fit(ROWS, QUERIES, checkpoint=folder)
    monkeypatch.undo()
    updates = interrupt(monkeypatch, None)
    spa = make(lm).fit(ROWS, QUERIES, checkpoint=folder)
    done = at - 1
    lost = done % 4 % 2 if done < 4 else (done - 4) % 3 % 2
    assert len(updates) == 4 + 3 * 3 - done + lost, "only what was not on file is done again"
    assert np.array_equal(spa.scores, fitted.scores)
    for name in ("reference", *spa.adapters):
        assert same_weights(weights(spa.adapted, name), weights(fitted.adapted, name))
        assert spa.histories[name] == fitted.histories[name]
    spa.save(tmp_path / "saved")
    assert not folder.exists()


def test_scores_on_file_are_not_computed_again(lm, fitted, tmp_path, monkeypatch):
    interrupt(monkeypatch, 6)
    with pytest.raises(Interrupted):
        make(lm).fit(ROWS, QUERIES, checkpoint=tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(module, "influence_scores", None)
    assert np.array_equal(make(lm).fit(ROWS, QUERIES, checkpoint=tmp_path).scores, fitted.scores)


@pytest.mark.parametrize("change", [{"seed": 1}, {"lr": 1e-4}, {"rows": ROWS[1:]}])
def test_the_checkpoint_of_another_fit_is_refused_and_kept(lm, tmp_path, monkeypatch, change):
    interrupt(monkeypatch, 6)
    with pytest.raises(Interrupted):
        make(lm).fit(ROWS, QUERIES, checkpoint=tmp_path)
    monkeypatch.undo()
    before = {path.name for path in tmp_path.iterdir()}
    rows = change.pop("rows", ROWS)
    with pytest.raises(ValueError, match="holds a fit of SPA with other data"):
        make(lm, **change).fit(rows, QUERIES, checkpoint=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == before


def test_what_others_keep_in_the_folder_stays(lm, tmp_path):
    for name in ("README.md", "notes.txt"):
        (tmp_path / name).write_text("mine")
    spa = make(lm, 2, "random").fit(ROWS, checkpoint=tmp_path)
    spa.save(tmp_path.parent / "saved")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "notes.txt"]
    assert (tmp_path / "README.md").read_text() == "mine", "peft would write its own over it"


def test_a_cut_that_fails_keeps_the_costly_part(lm, tmp_path, monkeypatch):
    def fail(*_):
        raise ValueError("part 1 has 0 rows")

    monkeypatch.setattr(module, "cut", fail)
    spa = make(lm)
    with pytest.raises(ValueError, match="part 1 has 0 rows"):
        spa.fit(ROWS, QUERIES, checkpoint=tmp_path)
    assert spa.scores.shape == (3, 18)
    monkeypatch.undo()
    updates = interrupt(monkeypatch, None)
    make(lm, on_small="fill").fit(ROWS, QUERIES, checkpoint=tmp_path)
    assert len(updates) == 9, "the reference adapter is read, the parts are trained"


def test_an_adapter_that_is_on_file_is_read(lm, tmp_path, monkeypatch):
    pairs, view = read_rows(ROWS)[0], share_weights(lm)
    with Phases(tmp_path, "key") as phases:
        first = kept_adapter(view, "part-0", pairs, 3, preset(), 0, phases)
    kept = weights(view, "part-0")
    monkeypatch.setattr(module, "train_on", None)
    again = share_weights(lm)
    with Phases(tmp_path, "key") as phases:
        assert kept_adapter(again, "part-0", pairs, 3, preset(), 0, phases) == first
        with pytest.raises(TypeError):  # other rows: it is trained again
            kept_adapter(share_weights(lm), "part-0", pairs[1:], 3, preset(), 0, phases)
    assert same_weights(weights(again, "part-0"), kept)


# --- bad input -----------------------------------------------------------------------------------


def test_more_parts_than_examples(lm):
    with pytest.raises(ValueError, match="2 rows, 2 of them different, cannot make 3 parts"):
        make(lm).fit(ROWS[:2], QUERIES)


def test_identical_examples(lm):
    with pytest.raises(ValueError, match="18 rows, 1 of them different, cannot make 3 parts"):
        make(lm).fit([ROWS[0]] * 18, QUERIES)


def test_an_empty_part_is_named_with_all_sizes(lm, monkeypatch):
    scores = np.random.default_rng(0).random((3, 18))
    scores[1] = scores[0] / 2 + scores[2] / 2
    monkeypatch.setattr(module, "kept_adapter", stub_training)
    monkeypatch.setattr(module, "kept_scores", lambda *_: scores)
    fit = lambda **changes: make(lm, normalisation="none", **changes).fit(ROWS, QUERIES)  # noqa: E731
    with pytest.raises(ValueError, match=r"has 0 rows, fewer than min_size=2; the sizes are \["):
        fit(min_size=2)
    filled = fit(min_size=2, on_small="fill")
    assert min(filled.sizes) == 2 and len(filled.adapters) == 3 and filled.partition.notes
    dropped = fit(min_size=2, on_small="drop")
    assert len(dropped.adapters) == 2 and "dropped" in dropped.partition.notes[0]


@pytest.mark.parametrize("rule", ["influence", "kmeans", "bm25"])
@pytest.mark.parametrize("queries", [None, []])
def test_no_queries(lm, rule, queries):
    with pytest.raises(ValueError, match=f"partition '{rule}' needs queries"):
        make(lm, 3, rule).fit(ROWS, queries)


def test_fewer_queries_than_parts_before_anything_is_trained(lm, monkeypatch):
    monkeypatch.setattr(module, "train_on", None)
    with pytest.raises(ValueError, match="2 queries cannot make 3 parts"):
        make(lm).fit(ROWS, QUERIES[:2])


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([], ValueError, "row"),
        ([{"title": "x"}] * 3, ValueError, "found title"),
        ("text", TypeError, "found str: text"),
        ([*ROWS, {"question": "A " * 300, "answer": "x"}], ValueError, "row 18 takes"),
        ([*ROWS, {"prompt": "p", "completion": ""}][-1:], ValueError, "row 0 .* no text"),
    ],
)
def test_rows_that_cannot_be_used(lm, rows, error, message):
    with pytest.raises(error, match=message):
        make(lm, 1, "random").fit(rows)


def test_a_query_that_does_not_fit(lm, monkeypatch):
    monkeypatch.setattr(module, "train_on", None)
    with pytest.raises(ValueError, match="row 2 takes"):
        make(lm).fit(ROWS, [*QUERIES[:2], {"question": "A " * 300, "answer": "x"}])


@pytest.mark.parametrize(
    ("rule", "more", "message"),
    [
        ([0, 1], {}, "18 rows and 2 labels"),
        ([0] * 17 + [1], {}, "part 1 has 1 rows, fewer than min_size=2"),
        ("oracle", {}, "is made from factor"),
        ("oracle", {"factor": "colour"}, "no column 'colour'; found question, answer, side"),
        ("embedding", {"vectors": np.eye(4)}, "must be of the same rows"),
    ],
)
def test_partitions_that_do_not_fit_the_rows(lm, rule, more, message):
    with pytest.raises(ValueError, match=message):
        make(lm, 3, rule, min_size=2).fit(ROWS, **more)


def test_a_model_with_an_adapter_in_use_is_refused(lm, fitted, tmp_path):
    student = lm.with_lora(rank=2)
    with pytest.raises(ValueError, match="adapter 'student' is in use on 'llama'"):
        make(student, 2, "random").fit(ROWS)
    folder = fitted.save(tmp_path)
    with pytest.raises(ValueError, match="adapter 'student' is in use"):
        SPA.load(folder, student)


def test_an_idle_adapter_of_the_model_is_no_hindrance(lm):
    student = lm.clone()
    student.add_adapter("student", rank=2)
    spa = make(student, 2, "random").fit(ROWS)
    assert len(spa.sample(ASKED)) == 4 and student.describe()["adapters"] == ["student"]


@pytest.mark.parametrize("use", ["sample", "save", "sizes", "partition", "adapters"])
def test_not_fitted(lm, tmp_path, use):
    spa = make(lm)
    ways = {"sample": lambda: spa.sample(ASKED), "save": lambda: spa.save(tmp_path)}
    with pytest.raises(ValueError, match="not fitted yet"):
        ways.get(use, lambda: getattr(spa, use))()


# --- sample --------------------------------------------------------------------------------------


def test_sample_is_one_greedy_answer_of_every_adapter(fitted):
    rows = fitted.sample(ASKED)
    assert rows.column_names == [
        "prompt", "text", "adapter", "draw", "partition", "temperature", "seed",
    ]  # fmt: skip
    assert list(rows["prompt"]) == [ASKED[0]] * 3 + [ASKED[1]] * 3
    assert list(rows["draw"]) == [0, 1, 2] * 2
    for start in (0, 3):
        assert sorted(rows["adapter"][start : start + 3]) == fitted.adapters
    for row in rows:
        with fitted.adapted.use_adapter(row["adapter"]):
            given = [QUESTION.replace("{}", row["prompt"])]
            (text,) = fitted.adapted.generate(given, max_new_tokens=6)
        assert row["text"] == text.strip()
    assert set(rows["partition"]) == {"influence"} and set(rows["temperature"]) == {0.0}


def test_fewer_answers_than_adapters_are_of_different_ones(fitted):
    rows = fitted.sample([f"{i}?" for i in range(12)], 2).to_pandas()
    assert len(rows) == 24
    assert (rows.groupby("prompt")["adapter"].nunique() == 2).all()
    assert set(rows["adapter"]) == set(fitted.adapters), "the choice varies"
    again = fitted.sample([f"{i}?" for i in range(12)], 2).to_pandas()
    assert again.equals(rows)
    third = fitted.sample([f"{i}?" for i in range(12)], 2, seed=1).to_pandas()
    assert list(third["adapter"]) != list(rows["adapter"])


def test_more_answers_than_adapters_need_replacement(fitted):
    with pytest.raises(ValueError, match="4 answers a prompt and 3 adapters"):
        fitted.sample(ASKED, 4)
    rows = fitted.sample(ASKED, 5, replace=True, temperature=1.0)
    assert len(rows) == 10 and set(rows["temperature"]) == {1.0}


def test_one_adapter_answers_greedily_with_one_text(fitted):
    rows = fitted.sample(ASKED, 3, replace=True, adapters=["reference"]).to_pandas()
    assert (rows.groupby("prompt")["text"].nunique() == 1).all()
    assert set(rows["adapter"]) == {"reference"}
    with pytest.raises(KeyError, match="no adapter part-9"):
        fitted.sample(ASKED, adapters=["part-0", "part-9"])


def test_the_batch_size_plays_no_part(fitted):
    options = {"temperature": 1.0, "seed": 4}
    one = fitted.sample(ASKED, batch_size=1, **options)
    assert list(one["text"]) == list(fitted.sample(ASKED, batch_size=64, **options)["text"])


def test_rows_are_prompts_too(fitted):
    assert list(fitted.sample(ROWS[:2])["text"]) == list(
        fitted.sample([row["question"] for row in ROWS[:2]])["text"]
    )


def test_a_base_that_has_changed_is_noticed(lm):
    changing = lm.clone()
    spa = make(changing, 2, "random").fit(ROWS)
    with torch.no_grad():
        changing.model.get_input_embeddings().weight.mul_(1.01)
    with pytest.raises(ValueError, match=r"fitted with llama .*fit again"):
        spa.sample(ASKED)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_adapters_are_chosen_without_replacement(prompts, adapters, n, seed):
    if n > adapters:
        with pytest.raises(ValueError, match="adapters"):
            choose_adapters(prompts, adapters, n, seed=seed)
        found = choose_adapters(prompts, adapters, n, seed=seed, replace=True)
    else:
        found = choose_adapters(prompts, adapters, n, seed=seed)
        assert all(len(set(row)) == n for row in found.tolist())
    assert found.shape == (prompts, n) and found.min() >= 0 and found.max() < adapters


def test_a_prompt_keeps_its_adapters_whatever_prompts_follow():
    assert np.array_equal(choose_adapters(3, 5, 2), choose_adapters(9, 5, 2)[:3])


def test_every_adapter_is_chosen_alike():
    counts = np.bincount(choose_adapters(6000, 5, 2).ravel())
    assert np.allclose(counts, 2400, rtol=0.05)
    with pytest.raises(ValueError, match="at least 1"):
        choose_adapters(3, 5, 0)


# --- save and load -------------------------------------------------------------------------------


def test_what_is_saved_comes_back(lm, fitted, tmp_path):
    found = SPA.load(fitted.save(tmp_path / "spa"), lm)
    assert found.sample(ASKED).to_dict() == fitted.sample(ASKED).to_dict()
    assert np.array_equal(found.scores, fitted.scores)
    assert np.array_equal(found.partition.labels, fitted.partition.labels)
    assert found.partition.keys == fitted.partition.keys
    assert found.preset == fitted.preset and found.histories == fitted.histories
    assert found.adapters == fitted.adapters and found.form == fitted.form
    for name in ("reference", *found.adapters):
        assert same_weights(weights(found.adapted, name), weights(fitted.adapted, name))
    again = SPA.load(found.save(tmp_path / "again"), lm)
    assert again.sample(ASKED).to_dict() == fitted.sample(ASKED).to_dict()


def test_adapters_are_used_without_synthkit(lm, fitted, tmp_path):
    from peft import PeftModel

    fitted.save(tmp_path)
    ids = torch.tensor(lm.token_ids(["Anna has 12 apples"]))
    bare = lm.clone().model
    (folder,) = tmp_path.glob("data-*/adapters/part-1")
    peft = PeftModel.from_pretrained(bare, str(folder)).eval()
    with torch.no_grad(), fitted.adapted.use_adapter("part-1"):
        assert torch.allclose(peft(ids).logits, fitted.adapted.model(ids).logits, atol=1e-5)


def test_adapters_for_another_base_are_refused_with_both_names(lm, other, fitted, tmp_path):
    fitted.save(tmp_path)
    message = f"fitted with llama .{lm.fingerprint}.*given is other .{other.fingerprint}"
    with pytest.raises(ValueError, match=message):
        SPA.load(tmp_path, other)


def test_saving_without_scores_removes_those_of_before(lm, fitted, by_factor, tmp_path):
    fitted.save(tmp_path)
    by_factor.save(tmp_path)
    found = SPA.load(tmp_path, lm)
    assert found.scores is None and found.partition.keys == (0, 1, 2)
    assert found.sample(ASKED).to_dict() == by_factor.sample(ASKED).to_dict()


def test_four_bits(tmp_path):
    folder = tiny_lm(tmp_path / "llama")
    four = load_lm(folder, device="cpu", bits=4)
    four.generate(["A short one."], max_new_tokens=2)
    spa = make(four).fit(ROWS, QUERIES)
    assert np.abs(spa.scores).max() > 0 and four.describe()["adapters"] == []
    found = SPA.load(spa.save(tmp_path / "spa"), four)
    assert found.sample(ASKED).to_dict() == spa.sample(ASKED).to_dict()


# --- baselines -----------------------------------------------------------------------------------


def test_a_single_adapter_is_the_reference_adapter(lm, fitted):
    one = baselines.single_adapter(lm, ROWS, **QUICK)
    assert same_weights(weights(one.adapted, "part-0"), weights(fitted.adapted, "reference"))
    few = baselines.single_adapter(lm, ROWS, updates=1, **QUICK)
    assert few.histories["part-0"].steps == 1
    assert list(one.sizes) == [18] and one.partition.rule == "same data"


def test_sampling_one_adapter(fitted, by_factor):
    cold = baselines.sampled(fitted, ASKED, 4, temperature=0.0).to_pandas()
    assert (cold.groupby("prompt")["text"].nunique() == 1).all()
    hot = baselines.sampled(fitted, ASKED, 4, temperature=1.5).to_pandas()
    assert (hot.groupby("prompt")["text"].nunique() > 1).all()
    narrow = baselines.sampled(fitted, ASKED, 4, temperature=1.5, top_p=1e-6)
    assert list(narrow["text"]) == list(cold["text"]), "a nucleus of one token is greedy"
    with pytest.raises(ValueError, match="has 3 adapters and no reference"):
        baselines.sampled(by_factor, ASKED, 2)


def test_several_adapters_on_the_same_data_differ(lm):
    spa = baselines.same_data(lm, ROWS, 2, **QUICK)
    assert not same_weights(weights(spa.adapted, "part-0"), weights(spa.adapted, "part-1"))


def test_groups_take_turns():
    logits = torch.tensor([[[3.0, 2.9, 2.0, 0.0]] * 3])  # one prompt, three groups
    on = torch.ones(1, 3, dtype=torch.bool)
    assert baselines.take_turns(logits, on, 0.0).tolist() == [0, 0, 0]
    assert baselines.take_turns(logits, on, 0.5).tolist() == [0, 1, 0]
    assert baselines.take_turns(logits, on, 5.0).tolist() == [0, 1, 2]
    ended = torch.tensor([[False, True, True]])
    assert baselines.take_turns(logits, ended, 5.0).tolist() == [0, 0, 1]


@pytest.mark.parametrize("batch_size", [1, 64])
def test_the_first_beam_is_greedy_and_the_others_are_not(fitted, batch_size):
    lm, heads = fitted.adapted, fitted.form.prompts(ASKED)[1]
    options = {"max_new_tokens": 6, "batch_size": batch_size}
    with lm.use_adapter("reference"):
        greedy = [text.strip() for text in lm.generate(heads, max_new_tokens=6)]
        found = baselines.diverse_beam(lm, heads, 4, strength=3.0, **options)
        same = baselines.diverse_beam(lm, heads, 4, strength=0.0, **options)
    assert [group[0] for group in found] == greedy == [group[0] for group in same]
    assert all(len(set(group)) == 4 for group in found)
    assert all(len(set(group)) == 1 for group in same)


def test_beams_of_an_spa_are_rows_like_a_sample(fitted, by_factor):
    rows = baselines.diverse_beams(fitted, ASKED, 3, strength=3.0)
    assert rows.column_names == fitted.sample(ASKED).column_names
    assert list(rows["prompt"]) == [ASKED[0]] * 3 + [ASKED[1]] * 3
    assert list(rows["draw"]) == [0, 1, 2] * 2 and set(rows["adapter"]) == {"reference"}
    heads = fitted.form.prompts(ASKED)[1]
    with fitted.adapted.use_adapter("reference"):
        found = baselines.diverse_beam(fitted.adapted, heads, 3, strength=3.0, max_new_tokens=6)
    assert list(rows["text"]) == [text for group in found for text in group]
    with pytest.raises(ValueError, match="no reference"):
        baselines.diverse_beams(by_factor, ASKED, 2)


def test_a_beam_ends_at_the_limit_and_at_the_end_of_the_context(fitted):
    lm, heads = fitted.adapted, fitted.form.prompts(ASKED)[1]
    greedy = [text.strip() for text in lm.generate(heads, max_new_tokens=3)]
    assert [texts[0] for texts in baselines.diverse_beam(lm, heads, 1, max_new_tokens=3)] == greedy
    long = ["A " * 60]
    greedy = [text.strip() for text in lm.generate(long, max_new_tokens=500)]
    assert [texts[0] for texts in baselines.diverse_beam(lm, long, 2, max_new_tokens=500)] == greedy


def test_a_beam_ends_at_the_end_token(fitted, monkeypatch):
    lm, ids = fitted.adapted, iter([[5, 6], [2, 5], [5, 2], [2, 2]])
    assert lm.eos_id == 2
    monkeypatch.setattr(baselines, "take_turns", lambda *_: torch.tensor(next(ids)))
    with torch.no_grad():
        rows = [lm.embed_ids(lm.with_bos(lm.token_ids(["A"])[0]))]
        assert baselines.beams(lm, rows, 2, 0.5, 9) == [[[5], [6, 5]]]


@pytest.mark.parametrize(
    ("prompts", "wrong", "message"),
    [
        (ASKED, {"n": 0}, "needs n >= 1 groups and strength >= 0"),
        (ASKED, {"n": 2, "strength": -1.0}, "needs n >= 1 groups and strength >= 0"),
        (["A " * 300], {"n": 2}, "prompt 0 with one new token takes"),
    ],
)
def test_wrong_beams_are_refused(lm, prompts, wrong, message):
    with pytest.raises(ValueError, match=message):
        baselines.diverse_beam(lm, prompts, **wrong)


# --- real sets, by path --------------------------------------------------------------------------


def real_rows(name, folder):
    from synthkit.datasets import load_clinc150, load_mbpp, load_self_instruct

    if name == "selfinstruct":
        rows = load_self_instruct(folder / "selfinstruct" / "seed_tasks.jsonl")
        rows = [{"question": row["instruction"], "answer": row["output"]} for row in rows]
    elif name == "clinc150":
        rows = load_clinc150(folder / "clinc150" / "data_small.json")
        rows = [{"question": row["text"], "answer": row["label"]} for row in rows]
    else:
        rows = load_mbpp(folder / "mbpp" / "mbpp.jsonl")
    return [dict(row) for row in rows]


@pytest.mark.parametrize("name", ["selfinstruct", "clinc150", "mbpp"])
def test_real_sets(embedded_lm, shared_data, name):
    rows = real_rows(name, shared_data)
    kept = [rows[i] for i in fitting(embedded_lm, rows[:400])][:24]
    assert len(kept) >= 12, f"few rows of {name} fit"
    spa = SPA(embedded_lm, 2, **{**QUICK, "reference_updates": 2, "part_updates": 1})
    made = spa.fit(kept, kept[:2]).sample(kept[2:4])
    assert len(made) == 4 and all(isinstance(text, str) for text in made["text"])
