"""SoftSRV as a whole: presets, texts, drafts, filters and rounds, answers, resuming, saving."""

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import tiny_lm

from synthkit.core.files import read_jsonl
from synthkit.evaluation.contamination import HeldOut
from synthkit.lm import load_lm
from synthkit.lm.soft_prompts import held_out_loss, prefix
from synthkit.lm.tokens import text_room
from synthkit.softsrv import SoftSRV, SoftSRVPreset, drafts, synthesizer
from synthkit.softsrv.drafts import Draft, Drawing, write
from synthkit.softsrv.filters import DROPPED, NEAR_COPY
from synthkit.softsrv.labeller import Labeller, answer_prompt
from synthkit.softsrv.synthesizer import make_plan
from synthkit.softsrv.texts import QUESTION_LINE, split
from synthkit.teacher import FunctionTeacher, Reply, TeacherError

REAL = [
    f"Anna has {i} apples and buys {j} more at the market."
    for i in range(2, 8)
    for j in (3, 5, 9, 12)
]
QUICK = {"steps": 4, "batch_size": 8, "eval_every": 2, "length": 3, "hidden": 8, "k": 2}
RAW = {"drop": (), "max_new_tokens": 12}


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    return load_lm(tiny_lm(tmp_path_factory.mktemp("tiny") / "llama"), device="cpu")


@pytest.fixture(scope="module")
def fitted(lm):
    """One fitted method; tests read it and never change it."""
    return make(lm).fit(REAL)


def make(lm, kind="ssmc", **changes):
    return SoftSRV(lm, kind=kind, **{**QUICK, "max_new_tokens": 12, **changes})


def scripted(monkeypatch, script):
    """Let `script(slot, turn)` write the drafts in place of the model; returns the calls."""
    calls = []

    def stub(lm, starts, ids, how):
        calls.append(list(ids))
        found = [script(number & 0xFFFFFFFF, number >> 32) for number in ids]
        return [draft if isinstance(draft, Draft) else Draft(draft, True) for draft in found]

    monkeypatch.setattr(synthesizer, "write", stub)
    return calls


# --- presets -------------------------------------------------------------------------------------


def test_each_kind_has_its_learning_rate_unless_one_is_given():
    rates = {"lr_ssnp": 0.1, "lr_ssmp": 0.2, "lr_ssmc": 0.3}
    for kind in ("ssnp", "ssmp", "ssmc"):
        assert SoftSRVPreset(kind, **rates).training().lr == rates[f"lr_{kind}"]
        assert SoftSRVPreset(kind, **rates, lr=0.9).training().lr == 0.9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "ssx"}, "kind must be ssnp, ssmp or ssmc, got 'ssx'"),
        ({"steps": 0}, "steps must be positive"),
        ({"max_rounds": 0}, "max_rounds must be at least 1"),
        ({"held_out_share": 1.0}, r"held_out_share must lie in \[0, 1\), got 1.0"),
        ({"temperature": float("nan")}, "temperature must be 0 or more"),
        ({"near_copy": "all"}, "near_copy must be one of"),
        ({"drop": "duplicate"}, "drop must be a collection"),
        ({"drop": ["kept"]}, "drop must be a collection.*kept"),
        ({"min_words": 0}, "min_words must be at least 1"),
        ({"answer_prompt": "Well?"}, "'answer_prompt' lacks {question}"),
    ],
)
def test_impossible_values_are_refused_before_any_work(lm, change, message):
    with pytest.raises(ValueError, match=message):
        SoftSRV(lm, **change)


# --- texts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2])
def test_too_few_texts_say_how_many_are_needed(lm, n):
    with pytest.raises(ValueError, match=rf"at least 3 texts, .*found {n}"):
        make(lm).fit(REAL[:n])
    assert len(make(lm).fit(REAL[:3]).fitted.texts) == 2


@settings(deadline=None)
@given(st.integers(4, 60), st.floats(0.0, 0.5), st.integers(0, 5))
def test_a_split_loses_nothing_and_repeats_nothing(n, share, seed):
    train, held = split(n, share, seed)
    assert sorted(train + held) == list(range(n))
    assert train == sorted(train) and held == sorted(held)
    assert len(held) == (max(1, round(share * n)) if share else 0)
    assert split(n, share, seed) == (train, held)


def test_a_text_fits_up_to_the_last_position(lm):
    length = lm.context - len(lm.token_ids(REAL[:1])[0]) - 2  # BOS and EOS
    assert text_room(lm, length) == len(lm.token_ids(REAL[:1])[0])
    made = make(lm, length=length, steps=1, held_out_share=0.0)
    assert made.fit([REAL[0]] * 2).fitted.texts == [REAL[0]] * 2
    with pytest.raises(ValueError, match=r"row 1 .* tokens long"):
        made.fit([REAL[0], REAL[0] + " now"])


# --- fit -----------------------------------------------------------------------------------------


def test_a_fit_keeps_the_training_texts_with_their_rows_and_contexts(lm, fitted):
    made = fitted.fitted
    assert [REAL[row] for row in made.rows] == made.texts
    assert len(made.texts) == len(REAL) - round(0.15 * len(REAL))
    assert made.contexts.shape == (len(made.texts), lm.hidden_size)
    assert torch.equal(made.contexts, made.encoder(made.texts))


def test_given_held_out_texts_leave_all_of_the_real_ones_to_train_on(lm):
    made = make(lm).fit(REAL[:10], validation=[{"text": text} for text in REAL[10:14]])
    assert made.fitted.texts == REAL[:10]
    z = made.fitted.encoder(REAL[10:14])
    best = held_out_loss(lm, made.fitted.prompt, z, REAL[10:14])
    assert made.fitted.history.best_loss == pytest.approx(best, abs=1e-6)


def test_without_a_share_nothing_is_held_out(lm):
    made = make(lm, held_out_share=0.0).fit(REAL)
    assert made.fitted.texts == REAL and made.fitted.history.held_out == []


@pytest.mark.parametrize("kind", ["ssnp", "ssmp", "ssmc"])
def test_every_kind_fits_samples_and_lowers_its_loss(lm, kind):
    made = make(lm, kind, steps=30, eval_every=10, lr=0.02).fit(REAL)
    (_, first), *_ = made.fitted.history.held_out
    assert made.fitted.history.best_loss < first - 0.1
    rows = make(lm, kind, **RAW).fit(REAL).sample(4)
    assert set(rows["kind"]) == {kind} and len(rows) == 4


@pytest.mark.parametrize(
    ("context", "dim", "width"),
    [("input_mean", None, 64), ("random", 5, 5), ("hidden_mean", None, 64), ("learned", 4, 64)],
)
def test_every_context_fits_and_samples(lm, context, dim, width):
    made = make(lm, context=context, dim=dim, **RAW).fit(REAL)
    assert made.fitted.contexts.shape[1] == width and len(made.sample(2)) == 2


def test_an_encoder_of_ones_own(lm):
    def lengths(texts):
        return np.array([[len(text), text.count("1")] for text in texts], dtype=float)

    made = make(lm, context="encoder", encoder=lengths, **RAW).fit(REAL)
    first = made.fitted.texts[0]
    assert made.fitted.contexts[0].tolist() == [len(first), first.count("1")]
    assert len(made.sample(2)) == 2


def test_loss_is_that_of_each_text_behind_its_own_context(lm, fitted):
    texts = REAL[:5]
    total, tokens = 0.0, 0
    for text in texts:
        z = fitted.fitted.encoder([text])
        front = prefix(lm, fitted.fitted.prompt, z).detach()
        embeds, labels, mask = lm.training_batch([text], prefix_embeds=front, bos=False)
        total += float(lm.token_losses(embeds, labels, mask).sum().detach())
        tokens += int((labels != -100).sum())
    assert fitted.loss(texts) == pytest.approx(total / tokens, abs=1e-5)
    rows = pd.DataFrame({"text": texts})
    for data in (tuple(texts), rows, rows["text"], Dataset.from_pandas(rows)):
        assert fitted.loss(data) == fitted.loss(texts)


def test_a_4_bit_model_learns_the_same_after_it_has_generated(tmp_path):
    lm = load_lm(tiny_lm(tmp_path / "llama"), bits=4, device="cpu")

    def theta():
        return [p.detach().clone() for p in make(lm).fit(REAL).fitted.prompt.parameters()]

    before = theta()
    assert len(make(lm, **RAW).fit(REAL).sample(3)) == 3
    assert all(torch.equal(a, b) for a, b in zip(before, theta()))


def test_a_loss_of_nan_stops_and_the_last_good_state_still_samples(lm):
    made = make(lm, lr=1e30, steps=8, eval_every=1, clip=1e30, **RAW)
    with pytest.raises(FloatingPointError, match="Lower the learning rate"):
        made.fit(REAL)
    assert all(torch.isfinite(p).all() for p in made.fitted.prompt.parameters())
    assert len(made.sample(3)) == 3


def test_a_model_without_an_end_token_is_refused(lm, monkeypatch):
    monkeypatch.setattr(lm, "eos_id", None)
    with pytest.raises(ValueError, match="no end token"):
        make(lm).fit(REAL)


# --- drafts --------------------------------------------------------------------------------------


def starts_of(lm, fitted, n):
    with torch.no_grad():
        return prefix(lm, fitted.fitted.prompt, fitted.fitted.contexts[:n])


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_drafts_are_what_generate_gives(lm, fitted, temperature):
    starts = starts_of(lm, fitted, 6)
    drafts = write(lm, list(starts), range(6), Drawing(temperature, 10, 3))
    texts = lm.generate(
        prefix_embeds=starts, bos=False, max_new_tokens=10, temperature=temperature, seed=3
    )
    assert [draft.text for draft in drafts] == texts


def test_a_draft_that_fills_the_limit_is_torn_although_its_text_has_fewer_tokens(lm, monkeypatch):
    pieces = [ids for (ids,) in lm.token_ids(list("Anna"))]
    assert len(lm.token_ids(["Anna"])[0]) < 4  # the pieces merge when the text is read again
    monkeypatch.setattr(drafts, "decode", lambda *a, **k: [pieces, pieces[:3]])
    starts = [torch.zeros(1, lm.hidden_size)] * 2
    made = write(lm, starts, range(2), Drawing(1.0, 4, 0))
    assert made == [Draft("Anna", False), Draft("Ann", True)]


def test_noise_follows_the_number_of_the_draft_and_not_the_batch(lm, fitted):
    starts, how = list(starts_of(lm, fitted, 8)), Drawing(1.0, 10, 0)
    together = write(lm, starts, range(8), how)
    alone = [write(lm, [start], [i], how)[0] for i, start in enumerate(starts)]
    assert together == alone
    assert write(lm, starts, range(8, 16), how) != together


def test_a_start_without_room_is_refused(lm):
    with pytest.raises(ValueError, match="one new token"):
        write(lm, [torch.zeros(lm.context, lm.hidden_size)], [0], Drawing(1.0, 4, 0))


def test_sampling_reaches_the_whole_vocabulary(lm, fitted):
    """More than the 50 best tokens, where transformers would stop by default."""
    start = [starts_of(lm, fitted, 1)[0]] * 300
    drafts = write(lm, start, range(300), Drawing(100.0, 1, 0))
    assert len({draft.text for draft in drafts}) > 100


# --- sample --------------------------------------------------------------------------------------


def test_contexts_take_turns(lm, fitted):
    made = make(lm, **RAW).fit(REAL)
    n = len(made.fitted.texts)
    rows = made.sample(2 * n + 3, seed=1)
    first, second = rows["context"][:n], rows["context"][n : 2 * n]
    assert sorted(first) == made.fitted.rows and first == second
    assert first != made.sample(n, seed=2)["context"]


def test_the_batch_changes_nothing(lm):
    made = make(lm, **RAW).fit(REAL)
    assert made.sample(7, batch_size=2).to_list() == made.sample(7, batch_size=64).to_list()
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        made.sample(7, batch_size=0)


def test_more_rows_begin_with_the_fewer(lm):
    made = make(lm, **RAW).fit(REAL)
    assert made.sample(9).to_list()[:4] == made.sample(4).to_list()


def test_texts_and_vectors_as_contexts(lm):
    made = make(lm, **RAW).fit(REAL)
    by_text = made.sample(5, contexts=REAL[:3])
    z = made.fitted.encoder(REAL[:3])
    by_vector = made.sample(5, contexts=z.numpy())
    assert by_text["text"] == by_vector["text"] == made.sample(5, contexts=z)["text"]
    assert by_text["context"] == [0, 1, 2, 0, 1]
    assert by_text["near_copy_own"] == [False] * 5 and by_vector["near_copy_own"] == [None] * 5


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((3, 5)), r"contexts must be \(n, 64\).*found \(3, 5\)"),
        (np.zeros(64), r"contexts must be"),
        (np.zeros((0, 64)), r"contexts must be"),
        (np.full((2, 64), np.nan), "NaN or infinite"),
        ([], "contexts must be"),
        (3, "contexts must be"),
        ("one text", "not one string"),
    ],
)
def test_bad_contexts_are_refused(fitted, bad, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fitted.sample(2, contexts=bad)


# --- rounds --------------------------------------------------------------------------------------


def test_every_rejection_is_counted_and_its_slot_drawn_again(lm, monkeypatch):
    script = {
        (0, 0): "",
        (1, 0): Draft("The train leaves at", False),
        (2, 0): "A new text of five words.",
        (3, 0): "a NEW text of five words.",
        (4, 0): REAL[0],
        (5, 0): "Held out text of a test.",
    }
    scripted(monkeypatch, lambda s, t: script.get((s, t), f"Text number {s} of round {t}."))
    made = make(lm, max_new_tokens=12).fit(REAL)
    rows = made.sample(6, held_out=HeldOut(["Held out text of a test."], n=None))
    expected = {"empty": 1, "unterminated": 1, "duplicate": 2, "contaminated": 1}
    assert made.report.rejected == expected and made.report.delivered == 6
    expected = [f"Text number {slot} of round 1." for slot in range(6)]
    expected[2] = "A new text of five words."
    assert rows["text"] == expected and set(rows["status"]) == {"kept"}


def test_a_slot_is_drawn_again_from_its_own_context(lm, monkeypatch):
    calls = scripted(monkeypatch, lambda s, t: f"Text number {s}, {t}." if t == 2 else "")
    made = make(lm).fit(REAL)
    rows = made.sample(5)
    assert [[number >> 32 for number in call] for call in calls] == [[t] * 5 for t in range(3)]
    assert len(rows) == 5 and made.report.rejected == {"empty": 10}


@pytest.mark.filterwarnings("ignore:SoftSRV")
def test_greedy_drafts_are_not_drawn_again(lm, monkeypatch):
    calls = scripted(monkeypatch, lambda s, t: "")
    make(lm).fit(REAL).sample(3, temperature=0.0)
    assert len(calls) == 1


def test_near_copies_of_the_own_text_are_named_and_dropped_on_request(lm, monkeypatch):
    made = make(lm).fit(REAL)
    _, takes, _ = make_plan(made.fitted, None, 4, made.seed)
    own = [made.fitted.texts[i].replace("has ", "has 99") for i in takes]
    scripted(monkeypatch, lambda s, t: own[s] if t == 0 else f"Something else, {s} and {t}.")
    rows = made.sample(4)
    assert all(rows["near_copy_own"]) and all(rows["near_copy_train"])
    assert set(rows["status"]) == {NEAR_COPY} and not made.report.rejected
    strict = make(lm, drop=(*DROPPED, NEAR_COPY)).fit(REAL)
    scripted(monkeypatch, lambda s, t: own[s] if t == 0 else f"Something else, {s} and {t}.")
    assert strict.sample(4)["text"] == [f"Something else, {s} and 1." for s in range(4)]
    assert strict.report.rejected == {NEAR_COPY: 4}


# --- answers -------------------------------------------------------------------------------------


def test_a_question_is_put_as_students_learn_it_and_a_passage_keeps_its_line():
    assert answer_prompt("How many?") == "Question: How many?\nAnswer:"
    assert answer_prompt("P." + QUESTION_LINE + "Is it?") == "P.\nQuestion: Is it?\nAnswer:"
    assert answer_prompt("sum(x)", "Solve {question}!") == "Solve sum(x)!"


def test_a_teacher_answers_what_passed_in_batches(lm, monkeypatch):
    asked = []

    class Spy:
        name = "spy"

        def complete(self, prompts, *, progress=False):
            asked.append(prompts)
            return [f" answer to {prompt} " for prompt in prompts]

    scripted(monkeypatch, lambda s, t: "" if (s, t) == (1, 0) else f"Question number {s}, {t}?")
    made = make(lm, teacher=Spy()).fit(REAL)
    rows = made.sample(3)
    assert asked == [
        ["Question: Question number 0, 0?\nAnswer:", "Question: Question number 2, 0?\nAnswer:"],
        ["Question: Question number 1, 1?\nAnswer:"],
    ]
    assert rows[0]["answer"] == "answer to Question: Question number 0, 0?\nAnswer:"
    assert set(rows["teacher"]) == {"spy"}


def test_a_function_answers_and_what_it_cannot_answer_is_drawn_again(lm, monkeypatch):
    scripted(monkeypatch, lambda s, t: f"Question number {s}, {t}?")
    made = make(lm, answer=lambda text: None if text.endswith("1, 0?") else "42").fit(REAL)
    rows = made.sample(3)
    assert made.report.rejected == {"unanswered": 1} and set(rows["answer"]) == {"42"}
    assert rows[1]["text"] == "Question number 1, 1?" and set(rows["teacher"]) == {"function"}


def test_without_dropping_an_unanswered_row_stays_with_its_status(lm, monkeypatch):
    scripted(monkeypatch, lambda s, t: "" if s else f"Question number {s}, {t}?")
    rows = make(lm, answer=lambda text: " ", drop=()).fit(REAL).sample(2)
    assert rows["status"] == ["unanswered", "empty"] and rows["answer"] == [None, None]


def test_the_question_of_a_passage_has_a_column_of_its_own(lm, monkeypatch):
    scripted(monkeypatch, lambda s, t: f"A passage, number {s}.\nQuestion: Is it {s}?")
    rows = make(lm).fit(REAL).sample(2)
    assert rows["question"] == ["Is it 0?", "Is it 1?"]
    assert rows["text"][1].startswith("A passage")


def test_replies_that_must_not_be_used_are_no_answers():
    said = {
        "a": "<think>3 * 4</think>\n12", "b": "```\n12\n```", "c": Reply("12 and then", "length"),
        "d": "<think>cut off", "e": "I'm sorry, but I can't help with that.", "f": None,
    }  # fmt: skip
    labeller = Labeller(FunctionTeacher(said.get, "t"), template="{question}")
    assert labeller(list(said)) == ["12", "12", "", "", "", ""]


# --- resuming ------------------------------------------------------------------------------------


def dying_teacher(after):
    """A teacher that breaks at a call, and the prompts it was asked."""
    asked = []

    def reply(prompt):
        asked.append(prompt)
        if len(asked) == after:
            raise ConnectionError("the server is gone")
        return f"answer {prompt}"

    return FunctionTeacher(reply, "t"), asked


def test_an_interrupted_sample_resumes_without_drawing_or_asking_twice(lm, tmp_path, monkeypatch):
    def script(slot, turn):
        return "" if slot % 3 == 0 and turn == 0 else f"Question {slot} in {turn}?"

    file = tmp_path / "drafts.jsonl"
    scripted(monkeypatch, script)
    whole = make(lm, teacher=dying_teacher(0)[0]).fit(REAL)
    expected = whole.sample(20, batch_size=4).to_list()
    teacher, asked = dying_teacher(8)
    broken = make(lm, teacher=teacher).fit(REAL)
    with pytest.raises(TeacherError, match=r"the server is gone\); 7 answers are safe"):
        broken.sample(20, batch_size=4, checkpoint=file)
    on_file = len(read_jsonl(file)) - 1
    assert on_file == 12  # three groups: drafts are kept before they are answered
    with file.open("a") as torn:
        torn.write('{"round": 0, "sl')  # the power went off in the middle of a line
    calls = scripted(monkeypatch, script)
    before = len(asked)
    rows = broken.sample(20, batch_size=4, checkpoint=file)
    assert rows.to_list() == expected and broken.report.rejected == whole.report.rejected
    drawn = [number for call in calls for number in call]
    assert len(drawn) == 20 + whole.report.rejected.total() - on_file
    assert asked[before] == asked[7] and not set(asked[:7]) & set(asked[before:])
    calls.clear()
    assert broken.sample(20, batch_size=4, checkpoint=file).to_list() == expected and calls == []


def test_a_file_of_another_sample_is_refused(lm, tmp_path, monkeypatch):
    scripted(monkeypatch, lambda s, t: f"Question {s} in {t}?")
    made, file = make(lm).fit(REAL), tmp_path / "drafts.jsonl"
    made.sample(3, checkpoint=file)
    z = made.fitted.contexts
    others = [{"seed": 9}, {"temperature": 0.5}, {"contexts": z}, {"contexts": z[:2]}]
    for options in others:
        with pytest.raises(ValueError, match="other data, settings"):
            made.sample(3, checkpoint=file, **options)
    with pytest.raises(ValueError, match="other data, settings"):
        make(lm, seed=0, steps=2).fit(REAL).sample(3, checkpoint=file)
    assert len(made.sample(5, checkpoint=file)) == 5


# --- save and load -------------------------------------------------------------------------------


def test_every_knob_of_the_filter_and_of_sampling_is_read(lm, monkeypatch):
    """No field of the preset is decoration."""
    base = make(lm, **RAW).fit(REAL).sample(4).to_list()
    for change in ({"temperature": 0.3}, {"max_new_tokens": 5}):
        assert make(lm, **{**RAW, **change}).fit(REAL).sample(4).to_list() != base, change
    scripted(monkeypatch, lambda s, t: f"Anna has {s} apples and buys {t} more at the market.")
    for change, status in (({"min_words": 50}, "empty"), ({"near_copy": "train"}, NEAR_COPY)):
        rows = make(lm, drop=(), **change).fit(REAL).sample(1)
        assert rows["status"] == [status], change


# --- the embedded model --------------------------------------------------------------------------


def test_a_short_fit_on_the_embedded_model_steers_it(embedded_lm):
    """After a few steps the held-out loss has fallen far, and texts end by themselves."""
    from synthkit.worlds.targets import load_target

    target = load_target("math")
    texts = target.texts(60, seed=0)
    made = SoftSRV(embedded_lm, kind="ssnp", steps=12, batch_size=16, eval_every=12, drop=()).fit(
        texts
    )
    (_, first), *_, (_, last) = made.fitted.history.held_out
    assert last < 0.9 * first
    rows = made.sample(16)
    assert sum(status != "unterminated" for status in rows["status"]) > 4
