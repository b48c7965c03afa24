"""EmbedSDG as a whole: arms, provenance, filters, resuming, saving, files for other teachers."""

import json
import random

import numpy as np
import pytest
import torch

from synthkit.core.files import read_jsonl, write_jsonl
from synthkit.embedsdg import EmbedSDG, import_answers, synthesizer
from synthkit.embedsdg.interpolation import Sketch
from synthkit.embedsdg.prompts import HeldOut
from synthkit.embedsdg.synthesizer import COLUMNS, PRESETS, finish, make_plan
from synthkit.teacher import FunctionTeacher, Reply, TeacherError
from synthkit.worlds import load_world

WORLD = load_world("math")
REAL = WORLD.rows(250, seed=0)


class StubLM:
    """Token embeddings drawn once a word; enough of an LM for everything but decoding."""

    name, is_embedded, fingerprint = "stub", True, "0123456789abcdef"

    def _vector(self, word):
        generator = torch.Generator().manual_seed(sum(map(ord, word)) * 7919 % 2**31)
        return torch.randn(16, generator=generator)

    def embed_tokens(self, texts):
        return [torch.stack([self._vector(w) for w in text.split()]) for text in texts]

    def attention_weights(self, texts, pooling="received"):
        return [torch.full((len(t.split()),), 1 / len(t.split())) for t in texts]


def method(teacher=None, **changes):
    changes = {"sketch": "skip", "windows": 8, "k": 2, "weights": "received", **changes}
    return EmbedSDG(StubLM(), teacher or WORLD.teacher(), **changes).fit(REAL)


@pytest.mark.parametrize("where", ["sparse", "dense", "random"])
@pytest.mark.parametrize("seeds", [1, 2])
def test_every_arm_gives_new_right_rows_with_provenance(where, seeds):
    rows = method(where=where, seeds=seeds).sample(30, seed=3)
    assert rows.column_names == list(COLUMNS) and len(rows) == 30
    real = {row["question"] for row in REAL}
    for row in rows:
        assert WORLD.check({name: row[name] for name in ("question", "answer", "final")})
        assert row["question"] not in real and len(row["seeds"]) == seeds
        assert row["teacher"] == "math-oracle" and row["status"] == "tag"
        assert (row["region"] is None) == (where == "random")
    assert len(set(rows["question"])) == 30


def test_the_same_seed_gives_the_same_rows_and_another_others():
    rows = [method().sample(12, seed=s).to_list() for s in (1, 1, 2)]
    assert rows[0] == rows[1] != rows[2]


def test_sparse_seeds_lie_where_fewer_questions_are():
    counts = {w: method(where=w).sample(15, seed=0)["density"] for w in ("sparse", "dense")}
    assert max(counts["sparse"]) < min(counts["dense"])


def test_more_pairs_begin_with_the_fewer():
    seed_map = method().map
    few = seed_map.pairs(10, 4, threshold=8)
    assert seed_map.pairs(25, 4, threshold=8)[:10] == few


def test_the_teacher_sees_the_seeds_and_nothing_of_the_factors():
    seen = []
    teacher = FunctionTeacher(lambda p: seen.append(p) or WORLD.teacher().fn(p), "spy")
    rows = method(teacher).sample(5, seed=0)
    for row in rows:
        assert any(all(REAL[i]["question"] in p for i in row["seeds"]) for p in seen)
    assert not any("family" in p for p in seen)


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
    rows = made.sample(40, seed=0)
    assert len(rows) == 40 and made.report["kept"] == 40
    assert made.report["missing question"] > 0 and made.report["near-copy of a seed"] > 0


def test_a_teacher_that_never_answers_well_ends_after_the_rounds():
    made = method(FunctionTeacher(lambda p: "no", "mute"), max_rounds=2)
    assert len(made.sample(5, seed=0)) == 0
    assert made.report == {"missing question": 10}


def test_test_questions_are_kept_out():
    first = method().sample(20, seed=0)
    again = method()
    rows = again.sample(20, seed=0, held_out=HeldOut(first["question"][:6], n=None))
    assert not set(first["question"][:6]) & set(rows["question"])
    assert again.report["contamination"] == 6


def test_an_interrupted_sample_resumes_without_asking_twice(tmp_path):
    asked = []

    def dies(prompt):
        asked.append(prompt)
        if len(asked) == 100:
            raise ConnectionError("the server is gone")
        return WORLD.teacher().fn(prompt)

    file = tmp_path / "answers.jsonl"
    whole = method(max_uses=9).sample(130, seed=0)
    with pytest.raises(TeacherError, match=r"the server is gone\); 99 answers are safe in answers"):
        method(FunctionTeacher(dies, "math-oracle"), max_uses=9).sample(
            130, seed=0, checkpoint=file
        )
    with file.open("a") as torn:
        torn.write('{"prompt_sha": "ab')  # the power went off in the middle of a line
    rows = method(FunctionTeacher(dies, "math-oracle"), max_uses=9).sample(
        130, seed=0, checkpoint=file
    )
    assert rows.to_list() == whole.to_list()
    assert len(asked) == len(set(asked)) + 1  # the one that failed


def test_answers_on_file_stay_with_their_teacher(tmp_path):
    file, asked = tmp_path / "answers.jsonl", []
    first = method(FunctionTeacher(WORLD.teacher().fn, "A")).sample(5, checkpoint=file)
    spy = FunctionTeacher(lambda p: asked.append(p) or WORLD.teacher().fn(p), "B")
    assert set(method(spy).sample(5, checkpoint=file)["teacher"]) == {"B"} and len(asked) >= 5
    again = method(FunctionTeacher(WORLD.teacher().fn, "A")).sample(5, checkpoint=file)
    assert again.to_list() == first.to_list()


def test_unusable_replies_are_counted_by_what_is_wrong():
    said = [Reply("### Question\nq?\n### Answer\n3 * 12 = 36 eggs. Then", "length")]
    said += ["I'm sorry, but I can't help with that.", "<think>### Question\nq?\n### Answer\n1"]
    said += [None]
    made = method(FunctionTeacher(lambda p: said.pop(0), "odd"), max_rounds=1)
    assert len(made.sample(4)) == 0
    assert made.report == {"cut": 1, "refused": 1, "empty": 2}


def test_prompts_can_be_given(tmp_path):
    words = {
        "generate without sketch": "{question_1}|{answer_1}|{question_2}|{answer_2}|{{note}}",
        "baseline": "like {question} {answer}",
    }
    seeds = method(prompts=words).plan(3, 1)
    for entry in seeds:
        first, second = (REAL[i] for i in entry["seeds"])
        parts = [first["question"], first["answer"], second["question"], second["answer"]]
        assert entry["prompt"] == "|".join([*parts, "{note}"])
    for name, text in words.items():
        (tmp_path / f"{name}.txt").write_text(text + "\n")
    assert method(prompts=tmp_path).plan(3, 1) == seeds
    loaded = EmbedSDG.load(method(prompts=words).save(tmp_path / "m"), StubLM())
    assert loaded.plan(3, 1) == seeds
    assert method(prompts=words, seeds=1).plan(1, 1)[0]["prompt"].startswith("like ")


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


def test_a_student_copies_as_its_sketches_are_made(monkeypatch):
    told = {}
    made = method(sketch="decode", rescale="clip", weights="uniform")
    monkeypatch.setattr(StubLM, "context", 999, raising=False)
    monkeypatch.setattr(StubLM, "token_ids", lambda self, texts: [t.split() for t in texts], False)
    monkeypatch.setattr(
        synthesizer,
        "warn_of_lost",
        lambda lm, probes, **options: told.update(options, probes=probes),
    )
    monkeypatch.setattr(synthesizer, "decode", lambda lm, blocks, form: [Sketch("s", 1.0)])
    assert synthesizer.sketches(made.map, made.map.pairs(1, 4, threshold=8)) == ["s"]
    assert (told["weights"], told["rescale"]) == ("uniform", "clip")
    assert set(told["probes"]) < {row["question"] for row in REAL}


def test_save_and_load_keep_the_map(tmp_path):
    made = method()
    loaded = EmbedSDG.load(made.save(tmp_path / "m"), StubLM(), WORLD.teacher())
    assert np.array_equal(loaded.map.points, made.map.points)
    assert np.array_equal(loaded.map.counts, made.map.counts)
    assert loaded.sample(8, seed=2).to_list() == made.sample(8, seed=2).to_list()
    texts = [row["question"] for row in REAL[:3]]
    assert np.allclose(loaded.map.place(texts), made.map.points[:3], atol=1e-5)


def test_another_model_is_refused_with_both_names(tmp_path):
    folder = method().save(tmp_path)
    other = StubLM()
    other.name, other.fingerprint = "other", "f" * 16
    with pytest.raises(ValueError, match=r"stub \(0123456789abcdef\).*other \(ffff"):
        EmbedSDG.load(folder, other)
    with pytest.raises(FileNotFoundError, match="made by save"):
        EmbedSDG.load(tmp_path / "nothing", other)


def test_prompts_go_out_and_answers_come_back(tmp_path):
    out, back = tmp_path / "prompts.jsonl", tmp_path / "answers.jsonl"
    method().export_prompts(6, out, seed=1)
    asked = read_jsonl(out)
    replies = WORLD.teacher().complete([row["prompt"] for row in asked])
    replies[1] = "no idea"
    rows = [{"id": r["id"], "answer": a} for r, a in zip(asked, replies)]
    write_jsonl(back, rows[:5][::-1])
    with pytest.warns(UserWarning, match="1"):
        found, counts = import_answers(out, back, teacher="a person")
    assert counts == {"kept": 4, "missing question": 1, "not answered": 1}
    assert set(found["teacher"]) == {"a person"} and found.column_names == list(COLUMNS)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="call fit"):
        EmbedSDG(StubLM(), WORLD.teacher()).sample(3)
    with pytest.raises(ValueError, match="no teacher"):
        EmbedSDG(StubLM()).fit(REAL).sample(3)
    with pytest.raises(ValueError, match="at least 1"):
        method().sample(0)
    with pytest.raises(ValueError, match="no option temperature"):
        EmbedSDG(StubLM(), temperature=1)
    with pytest.raises(ValueError, match="where must be one of"):
        EmbedSDG(StubLM(), where="sprase")
    with pytest.raises(ValueError, match="choose one of fast, study, paper"):
        EmbedSDG(StubLM(), preset="huge")
    with pytest.raises(ValueError, match=r"answer.*found question|question.*answer"):
        EmbedSDG(StubLM()).fit([{"question": "Why?"}])
    with pytest.raises(ValueError):
        EmbedSDG(StubLM()).fit([])
    with pytest.raises(ValueError, match=r"(?i)empty|missing|text"):
        EmbedSDG(StubLM()).fit([{"question": " ", "answer": "4"}, REAL[0]])
    nan = [{"question": float("nan"), "answer": "4"}, *REAL[:3]]
    with pytest.raises(ValueError):
        EmbedSDG(StubLM()).fit(nan)


def test_too_few_questions_say_how_many_pairs_there_are():
    few = EmbedSDG(StubLM(), WORLD.teacher(), sketch="skip", windows=8, k=2).fit(REAL[:12])
    with pytest.raises(ValueError, match=r"pairs|window"):
        few.sample(60)


def test_every_knob_is_read(monkeypatch):
    """No field of the preset is decoration: changing it changes the plan or the run."""
    changes = {
        "weights": "uniform", "reducer": "svd", "k": 3, "windows": 5, "threshold": 12,
        "passes": 9, "max_uses": 1, "where": "dense", "seeds": 1,
    }  # fmt: skip

    class Weighted(StubLM):
        def attention_weights(self, texts, pooling="received"):
            weights = super().attention_weights(texts)
            if pooling == "uniform":
                return weights
            return [torch.softmax(torch.arange(len(w)) * 0.3, 0) for w in weights]

    monkeypatch.setattr(f"{__name__}.StubLM", Weighted)
    base = json.dumps(method().plan(40, 1), sort_keys=True)
    for name, value in changes.items():
        assert json.dumps(method(**{name: value}).plan(40, 1), sort_keys=True) != base, name
    assert set(PRESETS) == {"fast", "study", "paper"}


def test_status_of_every_reply_is_counted():
    plan = make_plan(
        method().map.pairs(4, 0), [r["question"] for r in REAL], [r["answer"] for r in REAL],
        [None] * 4, 2,
    )  # fmt: skip
    good = "### Question\nHow many?\n### Answer\n2 + 2 = 4\n### <final_answer>\n4"
    rows, counts = finish(plan, [good, good, None, ""], teacher="t")
    assert counts == {"kept": 1, "duplicate": 1, "not answered": 1, "empty": 1}
    assert rows[0]["final"] == "4" and rows[0]["answer"].endswith("#### 4")
