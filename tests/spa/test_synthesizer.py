"""SPA: rows and prompts, trainings and cuts, answers, samples; the contract has what all do."""

from collections import Counter

import numpy as np
import pytest
import torch
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import tiny_lm

from synthkit import load_lm
from synthkit.lm.mixed_adapters import share_weights
from synthkit.lm.training import History
from synthkit.spa import SPA, Partition, SPAPreset, influence_scores, make_partition
from synthkit.spa import synthesizer as module
from synthkit.spa.answers import plan_drafts
from synthkit.spa.rows import QUESTION, Form, read_rows
from synthkit.spa.synthesizer import choose_adapters, train_on

ROWS = [
    {"question": f"{a} or {b}?", "answer": f"{b} it is" if i % 3 else f"take {a}", "side": i % 3}
    for i, (a, b) in enumerate((a, b) for a in "ABCDEF" for b in "xyz")
]
QUERIES = ROWS[:3]
PAIRS = read_rows(ROWS)[0]
ASKED = ["A or u?", "G or x?"]
LONG = {"question": "A " * 300, "answer": "x"}
SMALL = {"num_hidden_layers": 2, "hidden_size": 32, "intermediate_size": 64}
QUICK = {
    "reference_updates": 4, "part_updates": 3, "batch_size": 6, "rank": 2, "alpha": 4.0,
    "min_size": 1, "save_every": 2, "max_new_tokens": 6,
}  # fmt: skip


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    return load_lm(tiny_lm(tmp_path_factory.mktemp("tiny") / "llama", **SMALL), device="cpu")


@pytest.fixture(scope="module")
def fitted(lm):
    """One fitted SPA; tests read it and never change it."""
    return make(lm).fit(ROWS, queries=QUERIES)


def make(lm, **changes):
    return SPA(lm, **{"n_parts": 3, **QUICK, **changes})


def preset(**changes):
    return SPAPreset(**{**QUICK, **changes})


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "magic"}, "method must be one of dot, .*; got 'magic'"),
        ({"sign": 0}, "sign must be one of 1, -1; got 0"),
        ({"part_updates": 0}, "part_updates must be at least 1"),
        ({"damping": -1.0}, "damping must be positive"),
        ({"decay_from": 2.0}, "decay_from is a share"),
        ({"accumulation": 0}, "accumulation must be positive"),
    ],
)
def test_impossible_choices_are_refused_at_once(lm, change, message):
    with pytest.raises(ValueError, match=message):
        SPA(lm, **change)


# --- rows and prompts ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "pair", "template"),
    [
        ({"question": "q", "answer": "a"}, ("Question: q\nAnswer:", " a"), QUESTION),
        ({"prompt": "p", "code": "c"}, ("Question: p\nAnswer:", " c"), QUESTION),
        ({"prompt": "p", "completion": "c"}, ("p", "c"), "{}"),
        ({"text": "t"}, ("", "t"), "{}"),
    ],
)
def test_rows_of_every_shape_and_samples_of_the_same(lm, monkeypatch, row, pair, template):
    form = Form(*(["prompt", "text"] if "text" in row else row), template)
    assert read_rows([row, row]) == ([pair, pair], form)
    monkeypatch.setattr(module, "train_on", stub_training)
    made = make(lm, n_parts=2, partition="random").fit([row, {**row, list(row)[-1]: "b"}])
    rows = made.sample(1)
    assert rows.column_names[: len(row)] == list(row)
    assert "prompt" not in row or set(rows["prompt"]) == {"p"}


def test_texts_and_rows_ask_the_same():
    form, wanted = read_rows(ROWS)[1], (["A {} x?"], ["Question: A {} x?\nAnswer:"])
    data = Dataset.from_list([{"question": "A {} x?"}])
    for asked in (wanted[0], tuple(wanted[0]), data, data["question"], data.to_pandas()):
        assert form.prompts(asked) == wanted
    assert form.answer("  it is \n") == "it is"
    assert Form("prompt", "completion").answer(" as it is ") == " as it is "


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ("one", TypeError, "not one string"),
        ([], ValueError, "no prompt was given"),
        ([{"prompt": "p"}], ValueError, "question"),
        ({"question": ["q"]}, TypeError, "found dict"),
    ],
)
def test_wrong_prompts_are_refused(fitted, asked, error, message):
    with pytest.raises(error, match=message):
        fitted.answer(asked)


# --- one adapter ---------------------------------------------------------------------------------


def test_training_learns_and_leaves_the_adapter_idle(lm):
    view = share_weights(lm)
    history = train_on(view, "part-0", PAIRS, 20, preset(lr=1e-2), 0)
    assert history.steps == 20 and view.active_adapter is None
    assert np.mean(history.train_losses[-5:]) < history.train_losses[0] - 0.5


def test_the_seed_decides_start_and_order(lm):
    view = share_weights(lm)
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        train_on(view, name, PAIRS, 2, preset(), seed)
    assert same_weights(weights(view, "one"), weights(view, "two"))
    assert not same_weights(weights(view, "one"), weights(view, "three"))


def test_what_saves_memory_changes_no_adapter(lm):
    view, own = share_weights(lm), {"accumulation": 4, "recomputing": True}
    train_on(view, "whole", PAIRS, 3, preset(), 0)
    train_on(view, "parts", PAIRS, 3, preset(**own), 0)
    whole, parts = weights(view, "whole"), weights(view, "parts")
    assert all(torch.allclose(whole[key], parts[key], atol=2e-4) for key in whole)
    assert not same_weights(whole, parts), "sums in another order"


def test_an_adapter_without_gradients_is_an_error(lm, monkeypatch):
    real = module.example_losses
    monkeypatch.setattr(module, "example_losses", lambda *a: (real(*a)[0] * 0,))
    with pytest.raises(RuntimeError, match="'part-0' has learned nothing"):
        train_on(share_weights(lm), "part-0", PAIRS, 2, preset(), 0)


# --- fit -----------------------------------------------------------------------------------------


def test_fit_leaves_the_model_as_it_was(lm, fitted):
    assert lm.describe()["adapters"] == [] and lm.active_adapter is None
    assert fitted.adapted.active_adapter is None
    assert fitted.adapted.fingerprint == lm.fingerprint
    assert all(weight.requires_grad for weight in lm.model.parameters())
    places = {weight.data_ptr() for weight in lm.model.parameters()}
    named = fitted.adapted.model.named_parameters()
    assert all(w.data_ptr() in places for key, w in named if "lora_" not in key)


def test_a_fit_is_its_parts(lm, fitted):
    """Reference adapter, its scores, their cut, and each part's adapter as if it were alone."""
    view, state = share_weights(lm), fitted.fitted
    train_on(view, "reference", PAIRS, 4, fitted.preset, 0)
    found = influence_scores(view, ROWS, QUERIES, adapter="reference")
    assert np.allclose(found, state.scores)
    parts = make_partition("influence", 3, scores=found)
    assert np.array_equal(fitted.partition.labels, parts.labels)
    train_on(view, "part-2", [PAIRS[i] for i in parts.rows(2)], 3, fitted.preset, 0)
    for name in ("reference", "part-2"):
        assert same_weights(weights(view, name), weights(fitted.adapted, name))
    assert fitted.adapters == ["part-0", "part-1", "part-2"]
    steps = {name: history.steps for name, history in state.histories.items()}
    assert steps == {"reference": 4, **dict.fromkeys(fitted.adapters, 3)}


def test_parts_begin_at_the_same_weights_and_copies_of_the_data_do_not(lm):
    tiny_step = {"n_parts": 2, "lr": 1e-12, "part_updates": 1}
    one = make(lm, partition="random", **tiny_step).fit(ROWS)
    two = make(lm, partition="same data", **tiny_step).fit(ROWS)

    def apart(spa):
        a, b = weights(spa.adapted, "part-0"), weights(spa.adapted, "part-1")
        return max(float((a[key] - b[key]).abs().max()) for key in a if "lora_A" in key)

    assert apart(one) < 1e-6 < 1e-2 < apart(two)
    assert list(two.partition.sizes) == [len(ROWS)] * 2


def stub_training(lm, name, *_, **__):
    lm.add_adapter(name, rank=1)
    return History()


def stub(monkeypatch, scores=None):
    """Trainings that learn nothing, and scores that are given."""
    monkeypatch.setattr(module, "train_on", stub_training)
    if scores is not None:
        monkeypatch.setattr(module, "kept_scores", lambda *_: scores)


VECTORS = np.eye(18)[:, :4] + np.arange(18)[:, None]


@pytest.mark.parametrize(
    ("rule", "more"),
    [
        ("bm25", {"queries": QUERIES}),
        ("kmeans", {"queries": QUERIES[:2]}),
        ("embedding", {}),
        ("embedding", {"vectors": VECTORS}),
        ("oracle", {"factor": "side"}),
        ("oracle", {"factor": [row["side"] for row in ROWS]}),
        ("contiguous", {}),
    ],
)
def test_every_rule_makes_parts(lm, monkeypatch, rule, more):
    stub(monkeypatch, np.random.default_rng(0).random((2, 18)))
    found = make(lm, partition=rule, ties="random").fit(ROWS, **more).partition
    assert found.rule == rule and sum(found.sizes) == len(ROWS) and found.n_parts == 3
    if rule == "oracle":
        assert found.keys == (0, 1, 2) and list(found.sizes) == [6, 6, 6]


def test_a_partition_may_be_given(lm, monkeypatch):
    stub(monkeypatch)
    parts = Partition(np.array([1, 0, 1] * 6), 2, "mine", ("no", "yes"))
    spa = make(lm, n_parts=8).fit(ROWS, parts=parts)
    assert list(spa.partition.sizes) == [6, 12] and spa.partition.keys == ("no", "yes")
    assert spa.adapters == ["part-0", "part-1"] and spa.fitted.scores is None


@pytest.mark.parametrize(
    ("rule", "name", "whole", "with_long"),
    [
        ("oracle", "factor", [0, 1] * 9, [0, 1, 0, 1, 5] + [0, 1] * 7),
        ("embedding", "vectors", VECTORS, np.insert(VECTORS, 4, 99.0, axis=0)),
    ],
)
def test_a_row_that_is_left_out_takes_along_what_was_said_of_it(
    lm, monkeypatch, rule, name, whole, with_long
):
    stub(monkeypatch)
    spa, rows = make(lm, n_parts=2, partition=rule), [*ROWS[:4], LONG | {"side": 0}, *ROWS[4:]]
    wanted = spa.fit(ROWS, **{name: whole}).partition.labels
    with pytest.warns(UserWarning, match="1 of 19 rows are left out"):
        spa.fit(rows, too_long="skip", **{name: with_long})
    assert np.array_equal(spa.partition.labels, wanted)


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
def test_an_interrupted_training_goes_on_where_it_was(lm, fitted, tmp_path, monkeypatch, at):
    folder = tmp_path / "fit"
    interrupt(monkeypatch, at)
    with pytest.raises(Interrupted):
        make(lm).fit(ROWS, queries=QUERIES, checkpoint=folder)
    monkeypatch.undo()
    if at > 5:
        monkeypatch.setattr("synthkit.spa.fitted.influence_scores", None)  # they are on file
    updates = interrupt(monkeypatch, None)
    spa = make(lm).fit(ROWS, queries=QUERIES, checkpoint=folder)
    done = at - 1
    lost = done % 4 % 2 if done < 4 else (done - 4) % 3 % 2
    assert len(updates) == 4 + 3 * 3 - done + lost, "only what was not on file is done again"
    assert np.array_equal(spa.fitted.scores, fitted.fitted.scores)
    for name in ("reference", *spa.adapters):
        assert same_weights(weights(spa.adapted, name), weights(fitted.adapted, name))
    assert spa.fitted.histories == fitted.fitted.histories


def test_what_others_keep_in_the_folder_stays(lm, tmp_path):
    for name in ("README.md", "notes.txt"):
        (tmp_path / name).write_text("mine")
    spa = make(lm, n_parts=2, partition="random").fit(ROWS, checkpoint=tmp_path)
    spa.save(tmp_path.parent / "saved")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "notes.txt"]
    assert (tmp_path / "README.md").read_text() == "mine", "peft would write its own over it"


def test_a_cut_that_fails_keeps_the_costly_part(lm, tmp_path, monkeypatch):
    def fail(*_):
        raise ValueError("part 1 has 0 rows")

    monkeypatch.setattr(module, "cut", fail)
    with pytest.raises(ValueError, match="part 1 has 0 rows"):
        make(lm).fit(ROWS, queries=QUERIES, checkpoint=tmp_path)
    monkeypatch.undo()
    updates = interrupt(monkeypatch, None)
    make(lm, on_small="fill").fit(ROWS, queries=QUERIES, checkpoint=tmp_path)
    assert len(updates) == 9, "the reference adapter is read, the parts are trained"


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "rows", "more", "message"),
    [
        ({}, [ROWS[0]] * 18, {"queries": QUERIES}, "18 rows, 1 of them different, cannot make 3"),
        ({}, ROWS, {}, "partition 'influence' needs queries"),
        ({}, ROWS, {"queries": QUERIES[:2]}, "2 queries cannot make 3 parts"),
        ({}, ROWS, {"queries": [*QUERIES[:2], LONG]}, "row 2 takes"),
        ({"partition": "oracle"}, ROWS, {}, "is made from factor"),
        ({"partition": "oracle"}, ROWS, {"factor": "colour"}, "no column called 'colour'; found"),
        ({"partition": "embedding"}, ROWS, {"vectors": np.eye(4)}, "18 rows and 4 vectors"),
        ({}, ROWS, {"parts": Partition([0, 1], 2, "mine")}, "18 rows and 2 parts"),
        ({"min_size": 2}, ROWS, {"parts": Partition([0] * 17 + [1], 2, "mine")},
         r"part 1 .* has 1 rows, fewer than min_size=2; the sizes are \[17, 1\]"),
    ],
)  # fmt: skip
def test_what_cannot_be_cut_is_refused_before_a_training(
    lm, monkeypatch, change, rows, more, message
):
    monkeypatch.setattr(module, "train_on", None)
    with pytest.raises(ValueError, match=message):
        make(lm, **change).fit(rows, **more)


def test_only_the_fitted_base_will_do(lm, tmp_path):
    student = lm.with_lora(rank=2)
    with pytest.raises(ValueError, match="adapter 'student' is in use on 'llama'"):
        make(student, n_parts=2, partition="random").fit(ROWS)
    student.set_adapter(None)
    spa = make(student, n_parts=2, partition="random").fit(ROWS)
    assert len(spa.answer(ASKED)) == 4 and student.describe()["adapters"] == ["student"]
    uses = (lambda: spa.answer(ASKED), lambda: spa.sample(2), lambda: spa.save(tmp_path))
    student.set_adapter("student")
    for use in uses:
        with pytest.raises(ValueError, match="adapter 'student' is in use"):
            use()
    student.set_adapter(None)
    spa.lm = student.clone()
    with torch.no_grad():
        spa.lm.model.get_input_embeddings().weight.mul_(1.01)
    for use in uses:
        with pytest.raises(ValueError, match=r"fitted with llama .*fit again"):
            use()


# --- answers -------------------------------------------------------------------------------------


def test_answers_are_one_greedy_text_of_every_adapter(fitted):
    rows = fitted.answer(ASKED)
    assert set(rows.column_names) >= {"prompt", "text", "adapter", "draw", "partition", "method"}
    assert list(rows["prompt"]) == [ASKED[0]] * 3 + [ASKED[1]] * 3
    assert list(rows["draw"]) == [0, 1, 2] * 2
    for start in (0, 3):
        assert sorted(rows["adapter"][start : start + 3]) == fitted.adapters
    for row in rows:
        with fitted.adapted.use_adapter(row["adapter"]):
            given = [QUESTION.replace("{}", row["prompt"])]
            (text,) = fitted.adapted.generate(given, max_new_tokens=6)
        assert row["text"] == text.strip()
        assert row["status"] == ("cut off" if text.finish_reason == "length" else "kept")
    assert set(rows["partition"]) == {"influence"} and set(rows["temperature"]) == {0.0}


def test_fewer_answers_than_adapters_are_of_different_ones(fitted):
    prompts = [f"{i}?" for i in range(12)]
    rows = fitted.answer(prompts, 2).to_pandas()
    assert len(rows) == 24 and set(rows["adapter"]) == set(fitted.adapters)
    assert (rows.groupby("prompt")["adapter"].nunique() == 2).all()
    assert list(fitted.answer(prompts, 2, seed=1)["adapter"]) != list(rows["adapter"])


def test_more_answers_than_adapters_need_replacement(fitted):
    with pytest.raises(ValueError, match="4 answers per prompt and 3 adapters"):
        fitted.answer(ASKED, 4)
    rows = fitted.answer(ASKED, 5, replace=True, adapters=["reference"]).to_pandas()
    assert len(rows) == 10 and (rows.groupby("prompt")["text"].nunique() == 1).all()
    with pytest.raises(KeyError, match="no adapter part-9"):
        fitted.answer(ASKED, adapters=["part-0", "part-9"])


def test_neither_batches_nor_the_kind_of_prompts_play_a_part(fitted):
    asked = [row["question"] for row in ROWS[:2]]
    options = {"temperature": 1.0, "seed": 4}
    one = fitted.answer(asked, batch_size=1, **options)["text"]
    assert list(one) == list(fitted.answer(ROWS[:2], batch_size=64, **options)["text"])


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
        more = choose_adapters(prompts + 3, adapters, n, seed=seed)
        assert np.array_equal(found, more[:prompts]), "whatever prompts follow"
    assert found.shape == (prompts, n) and found.min() >= 0 and found.max() < adapters


# --- samples -------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 99))
def test_drafts_go_through_the_prompts_and_then_through_the_adapters(n_prompts, k, seed):
    asked, names = [f"q{i}" for i in range(n_prompts)], [f"a{i}" for i in range(k)]
    picks = choose_adapters(n_prompts, k, k, seed=seed)
    drafts = list(plan_drafts(asked, names, picks, picks.size, seed))
    assert [draft for draft, *_ in drafts] == list(range(n_prompts * k))
    assert len(set(drafts)) == len({each[1:] for each in drafts}) == n_prompts * k
    for start in range(0, len(drafts), n_prompts):
        assert sorted(each[1] for each in drafts[start : start + n_prompts]) == asked


def test_an_unknown_keyword_is_one_of_what_was_called(fitted):
    for name in ("answer", "sample"):
        with pytest.raises(TypeError, match=rf"SPA\.{name}\(\) got .*'colour'"):
            getattr(fitted, name)(3, colour="red")


def test_a_sample_is_answers_to_the_fitted_prompts_in_the_columns_of_the_rows(fitted):
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        fitted.sample(30, batch_size=0)
    rows = fitted.sample(30, seed=2, batch_size=7)
    assert rows.column_names[:4] == ["question", "answer", "adapter", "partition"]
    assert set(rows["question"]) == {row["question"] for row in ROWS}
    first = Counter(rows["question"][:18])
    assert max(first.values()) <= 2 and len({tuple(r.values())[:2] for r in rows}) == 30
    for row in rows.select(range(3)):
        wanted = fitted.answer([row["question"]], 1, adapters=[row["adapter"]])["text"][0]
        assert row["answer"] == wanted


def test_greedy_samples_end_with_the_adapters_and_heat_goes_on(fitted):
    with pytest.warns(UserWarning, match=r"of 999 rows"):
        greedy = fitted.sample(999)
    assert len(greedy) + fitted.report.rejected.total() == 18 * 3
    assert len(fitted.sample(60, temperature=2.0)) == 60 > 18 * 3


def test_empty_answers_and_repeated_ones_are_counted(fitted, monkeypatch):
    from synthkit.lm.tokens import Written

    texts = iter([Written(""), Written(" \n"), *[Written("same")] * 199])
    monkeypatch.setattr(
        fitted.adapted, "generate", lambda given, **_: [next(texts) for _ in given], raising=False
    )
    with pytest.warns(UserWarning, match=r"2 x empty"):
        rows = fitted.sample(40)
    assert len(rows) == 18 and fitted.report.rejected["duplicate"] == 54 - 18 - 2
    with pytest.warns(UserWarning, match="18 of 20 rows"):
        fitted.sample(20, temperature=1.0)
    assert fitted.report.rejected["duplicate"] == 20 * fitted.preset.max_tries - 18


# --- save and load -------------------------------------------------------------------------------


def test_adapters_are_used_without_synthkit(lm, fitted, tmp_path):
    from peft import PeftModel

    fitted.save(tmp_path)
    ids = torch.tensor(lm.token_ids(["Anna has 12 apples"]))
    bare = lm.clone().model
    (folder,) = tmp_path.glob("data-*/adapters/part-1")
    peft = PeftModel.from_pretrained(bare, str(folder)).eval()
    with torch.no_grad(), fitted.adapted.use_adapter("part-1"):
        assert torch.allclose(peft(ids).logits, fitted.adapted.model(ids).logits, atol=1e-5)


def test_four_bits(tmp_path):
    four = load_lm(tiny_lm(tmp_path / "llama"), device="cpu", bits=4)
    four.generate(["A short one."], max_new_tokens=2)
    spa = make(four).fit(ROWS, queries=QUERIES)
    assert np.abs(spa.fitted.scores).max() > 0 and four.describe()["adapters"] == []
    found = SPA.load(spa.save(tmp_path / "spa"), four)
    assert found.answer(ASKED).to_dict() == spa.answer(ASKED).to_dict()


# --- real sets, by path --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["clinc150", "mbpp"])
def test_real_sets(tmp_path, shared_data, name):
    from synthkit.datasets import load_clinc150, load_mbpp

    if name == "clinc150":
        rows = load_clinc150(shared_data / name / "data_small.json").select(range(30))
        rows = [{"question": row["text"], "answer": row["label"]} for row in rows]
    else:
        rows = list(load_mbpp(shared_data / name / "mbpp.jsonl"))[:60]
    lm = load_lm(tiny_lm(tmp_path / "lm", **SMALL, max_position_embeddings=600), device="cpu")
    spa = make(lm, n_parts=2, reference_updates=1, part_updates=1, on_small="fill")
    short = sorted(rows, key=lambda row: len(str(row)))[:4]
    spa.fit(rows, queries=short[:2], too_long="skip")
    assert spa.report.delivered >= 12, f"few rows of {name} fit"
    assert len(spa.answer(short[2:])) == 4
