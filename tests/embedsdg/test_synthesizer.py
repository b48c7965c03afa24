"""EmbedSDG beside the contract of all methods: arms, filters, prompts, sketches."""

import json
import random
import re
from collections import Counter

import pytest
import torch

from synthkit.core.files import read_jsonl, write_jsonl
from synthkit.embedsdg import EmbedSDG, import_answers, seed_map
from synthkit.embedsdg.interpolation import Sketch
from synthkit.embedsdg.synthesizer import DATA, SOURCE, filter_replies, plan_prompts
from synthkit.evaluation.contamination import HeldOut
from synthkit.teacher import FunctionTeacher
from synthkit.worlds import load_world

WORLD = load_world("math")
REAL = WORLD.rows(250, seed=0)


class StubLM:
    """Token embeddings drawn once a word; enough of an LM for everything but decoding."""

    name, is_embedded, fingerprint, context = "stub", True, "0123456789abcdef", 999

    def _vector(self, word):
        generator = torch.Generator().manual_seed(sum(map(ord, word)) * 7919 % 2**31)
        return torch.randn(16, generator=generator)

    def token_ids(self, texts, special=False):
        return [text.split() for text in texts]

    def embed_tokens(self, texts):
        return [torch.stack([self._vector(w) for w in text.split()]) for text in texts]

    def attention_weights(self, texts, pooling="received"):
        falls = 0.0 if pooling == "uniform" else 0.3
        return [torch.softmax(torch.arange(len(t.split())) * -falls, 0) for t in texts]


def method(teacher=None, rows=REAL, **changes):
    changes = {"sketch": "skip", "windows": 8, "k": 2, "weights": "received", **changes}
    return EmbedSDG(StubLM(), teacher=teacher or WORLD.teacher(), **changes).fit(rows)


@pytest.mark.parametrize("where", ["sparse", "dense", "random"])
@pytest.mark.parametrize("seeds", [1, 2])
def test_every_arm_gives_new_right_rows_with_provenance(where, seeds):
    rows = method(where=where, seeds=seeds).sample(30, seed=3)
    assert {*DATA, *SOURCE} < set(rows.column_names) and len(rows) == 30
    real = {row["question"] for row in REAL}
    for row in rows:
        assert WORLD.check({name: row[name] for name in DATA})
        assert row["question"] not in real and len(row["seeds"]) == seeds
        assert row["model"] == "math-oracle" and row["status"] == "tag"
        assert (row["region"] is None) == (where == "random")
    assert len(set(rows["question"])) == 30


def test_sparse_seeds_lie_where_fewer_questions_are():
    counts = {w: method(where=w).sample(15, seed=0)["density"] for w in ("sparse", "dense")}
    assert max(counts["sparse"]) < min(counts["dense"])


def test_the_teacher_sees_the_seeds_and_nothing_of_the_factors():
    seen = []
    teacher = FunctionTeacher(lambda p: seen.append(p) or WORLD.teacher().fn(p), "spy")
    for row in method(teacher).sample(5, seed=0):
        assert any(all(REAL[i]["question"] in p for i in row["seeds"]) for p in seen)
    assert not any("family" in p for p in seen)


# --- what is turned away -------------------------------------------------------------------------


def test_rejected_replies_are_asked_again_and_counted():
    def moody(prompt):
        seeds = [line for line in prompt.split("\n") if line.startswith("Question: ")]
        coin = random.Random(prompt).random()
        if coin < 0.2:
            return "I would rather not."
        if coin < 0.4:  # a copy of a seed
            return f"### Question\n{seeds[0][10:]}\n### Answer\n1\n### <final_answer>\n1"
        return WORLD.teacher().fn(prompt)

    made = method(FunctionTeacher(moody, "moody"), max_rounds=12)
    assert len(made.sample(40, seed=0)) == made.report.delivered == 40
    rejected = made.report.rejected
    assert rejected["missing question"] > 0 and rejected["near-copy of a seed"] > 0
    assert made.report.facts["prompts"] == 40 + rejected.total()


@pytest.mark.parametrize("where", ["sparse", "random"])
def test_where_pairs_run_out_there_are_fewer_rows_and_the_report_says_so(where):
    few = method(where=where, rows=REAL[:8])
    with pytest.warns(UserWarning, match="of 60 rows .*no pair of seeds left"):
        rows = few.sample(60)
    assert 0 < len(rows) <= 8 * 7 / 2
    assert few.report.facts["prompts"] + few.report.rejected["no pair of seeds left"] >= 60


def test_every_reply_is_kept_or_turned_away_for_a_reason():
    plan = plan_prompts(made := method().map, made.pairs(4, 0), [None] * 4)
    good = "### Question\nHow many?\n### Answer\n2 + 2 = 4\n### <final_answer>\n4"
    rows, rejected = filter_replies(plan, [good, good, None, ""], set(), HeldOut([]))
    assert rejected == {"duplicate": 1, "not answered": 1, "empty": 1}
    assert rows[0]["final"] == "4" and rows[0]["answer"].endswith("#### 4")


def test_answers_on_file_stay_with_their_teacher(tmp_path):
    file, asked = tmp_path / "answers.jsonl", []
    first = method(FunctionTeacher(WORLD.teacher().fn, "A")).sample(5, checkpoint=file)
    spy = FunctionTeacher(lambda p: asked.append(p) or WORLD.teacher().fn(p), "B")
    assert set(method(spy).sample(5, checkpoint=file)["model"]) == {"B"} and len(asked) >= 5
    again = method(FunctionTeacher(WORLD.teacher().fn, "A")).sample(5, checkpoint=file)
    assert again.to_list() == first.to_list()


# --- prompts and sketches ------------------------------------------------------------------------


def test_prompts_can_be_given_and_are_saved(tmp_path):
    words = {
        "generate without sketch": "{question_1}|{answer_1}|{question_2}|{answer_2}|{{note}}",
        "baseline": "like {question} {answer}",
    }
    made = method(prompts=words)
    plan = made.plan(3, seed=1)
    for entry in plan:
        first, second = (REAL[i] for i in entry["seeds"])
        parts = [first["question"], first["answer"], second["question"], second["answer"]]
        assert entry["prompt"] == "|".join([*parts, "{note}"])
    for name, text in words.items():
        (tmp_path / f"{name}.txt").write_text(text + "\n")
    assert method(prompts=tmp_path).plan(3, seed=1) == plan
    assert EmbedSDG.load(made.save(tmp_path / "m"), StubLM()).plan(3, seed=1) == plan
    assert method(prompts=words, seeds=1).plan(1)[0]["prompt"].startswith("like ")


@pytest.mark.parametrize(
    ("prompts", "words"),
    [
        ({"generat": "x"}, "the prompts are decode, generate, generate without sketch, baseline"),
        ({"baseline": "{question} {answer} {topic}"}, r"unknown field \{topic\}.*\{question\}, "),
        ({"baseline": "{question}"}, r"lacks \{answer\}; its fields are \{question\}, \{answer\}"),
        ({"decode": "{text} {text}"}, "once"),
        ("nowhere", "no folder of prompts"),
    ],
)
def test_prompts_with_wrong_names_or_fields_are_refused(prompts, words):
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        EmbedSDG(StubLM(), prompts=prompts)


def test_a_fit_measures_once_how_well_the_student_copies(monkeypatch):
    told = []

    def measure(lm, probes, **options):
        told.append((probes, options))
        return 0.5

    monkeypatch.setattr(seed_map, "warn_of_lost", measure)
    monkeypatch.setattr(
        seed_map, "decode", lambda lm, blocks, form: [Sketch(str(len(b)), 1.0) for b in blocks]
    )
    made = method(sketch="decode", rescale="clip", weights="uniform")
    assert made.report.facts["copied"] == 0.5
    pairs = made.map.pairs(6, 4, threshold=8)
    lengths = [max(len(REAL[i]["question"].split()) for i in (p.a, p.b)) for p in pairs]
    assert made.map.sketches(pairs) == [str(length) for length in lengths]
    ((probes, options),) = told
    assert (options["weights"], options["rescale"]) == ("uniform", "clip")
    assert set(probes) < {row["question"] for row in REAL}
    assert method(sketch="skip").report.facts["copied"] is None and len(told) == 1

    prompt = sum(len(part.split()) for part in options["form"])
    monkeypatch.setattr(StubLM, "context", prompt + 2 * max(lengths))
    with pytest.warns(UserWarning, match=rf"{lengths.count(max(lengths))} of 6 .* too long"):
        found = made.map.sketches(pairs)
    assert [text is None for text in found] == [length == max(lengths) for length in lengths]


def test_prompts_go_out_and_answers_come_back(tmp_path):
    out, back = tmp_path / "prompts.jsonl", tmp_path / "answers.jsonl"
    made = method()
    made.export_prompts(6, out, seed=1)
    asked = read_jsonl(out)
    replies = WORLD.teacher().complete([row["prompt"] for row in asked])
    replies[1] = "no idea"
    rows = [{"id": r["id"], "answer": a} for r, a in zip(asked, replies)]
    write_jsonl(back, rows[:5][::-1])
    with pytest.warns(UserWarning, match="1"):
        found, report = import_answers(out, back, teacher="a person")
    assert (report.asked, report.delivered) == (6, 4)
    assert report.rejected == Counter({"missing question": 1, "not answered": 1})
    assert set(found["model"]) == {"a person"} and set(found["seed"]) == {1}
    assert found.column_names == made.sample(6, seed=1).column_names
    with pytest.raises(ValueError, match=r"answers\.jsonl holds no exported prompts.*swapped"):
        import_answers(back, out)


# --- options -------------------------------------------------------------------------------------


def test_every_knob_is_read():
    """No field of the preset is decoration: changing it changes the plan."""
    changes = {
        "weights": "uniform", "reducer": "svd", "k": 3, "windows": 5, "threshold": 12,
        "passes": 9, "max_uses": 1, "where": "dense", "seeds": 1,
    }  # fmt: skip
    base = json.dumps(method().plan(40, seed=1), sort_keys=True)
    for name, value in changes.items():
        assert json.dumps(method(**{name: value}).plan(40, seed=1), sort_keys=True) != base, name


@pytest.mark.parametrize("options", [{"n": "3"}, {"n": 0}, {"n": 3, "skip": -1}])
def test_a_plan_counts_in_whole_numbers(options):
    with pytest.raises((TypeError, ValueError), match=f"^{list(options)[-1]} must be"):
        method().plan(**options)


def test_a_map_on_which_no_questions_meet_names_windows_that_do():
    few = REAL[:6]
    with pytest.raises(ValueError, match=r"windows=\d+ or fewer") as told:
        method(rows=few, windows=400)
    enough = int(re.search(r"windows=(\d+)", str(told.value))[1])
    assert method(rows=few, windows=enough).plan(1)
    with pytest.raises(ValueError, match="no window of the map"):
        method(rows=few, windows=enough + 1)
    assert method(rows=few, windows=400, where="random").plan(1)


def test_wrong_settings_are_named():
    with pytest.raises(ValueError, match="no teacher"):
        EmbedSDG(StubLM(), windows=8, sketch="skip").fit(REAL).sample(3)
    for wrong in ({"where": "sprase"}, {"seeds": 3}, {"sketch": "draw"}, {"max_rounds": 0}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be"):
            EmbedSDG(StubLM(), **wrong)
