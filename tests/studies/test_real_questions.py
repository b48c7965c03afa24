"""EmbedSDG on real questions: GSM8K, mapped by the embedded model and by a foreign checkpoint."""

import numpy as np
import pytest

from synthkit import EmbedSDG, load_lm
from synthkit.core.files import read_jsonl, write_jsonl
from synthkit.datasets import load_questions
from synthkit.embedsdg import import_answers

REPLY = """**Question:** {q} What if there were two more?
**Answer:** We add two. 5 + 2 = 7
### <final_answer>
7"""


@pytest.fixture(scope="module")
def questions(shared_data):
    return load_questions(shared_data / "gsm8k" / "train.jsonl", limit=160)


@pytest.fixture(scope="module", params=["embedded", "stories260K"])
def student(request, shared_data, tmp_path_factory):
    if request.param == "embedded":
        return load_lm("embedded")
    from stories260k import convert

    folder = tmp_path_factory.mktemp("stories")
    convert(shared_data / "stories260K", folder)
    return load_lm(folder)


def test_map_seeds_sketches_prompts_and_answers(student, questions, tmp_path):
    method = EmbedSDG(student, windows=6).fit(questions, too_long="skip")
    assert len(method.map.points) > 100 and np.isfinite(method.map.points).all()
    method.export_prompts(6, tmp_path / "prompts.jsonl", seed=1)
    asked = read_jsonl(tmp_path / "prompts.jsonl")
    known = set(questions["question"])
    for row in asked:
        assert set(row["seed_questions"]) <= known and len(set(row["seeds"])) == 2
        assert all(q.split()[0] in row["prompt"] for q in row["seed_questions"])
        assert row["density"] >= 2
        assert row["sketch"] is None or row["sketch"] in row["prompt"] or "\n" in row["sketch"]
    if student.is_embedded:
        assert all(row["sketch"] for row in asked)
    answers = [
        {"id": r["id"], "answer": REPLY.format(q=" ".join(r["seed_questions"][0].split()[:6]))}
        for r in asked[:4]
    ]
    write_jsonl(tmp_path / "answers.jsonl", answers)
    with pytest.warns(UserWarning, match="2"):
        rows, report = import_answers(tmp_path / "prompts.jsonl", tmp_path / "answers.jsonl")
    assert report.rejected["not answered"] == 2 and report.delivered == len(rows) >= 3
    assert all(row["answer"].endswith("#### 7") for row in rows)


def test_a_question_beyond_the_context_is_named_or_left_out(questions):
    lm = load_lm("embedded")
    rows = [*questions.select(range(40)), {"question": "long " * 3000, "answer": "1"}]
    rows = [{"question": row["question"], "answer": row["answer"]} for row in rows]
    with pytest.raises(ValueError, match=r"40.*tokens|tokens.*40|text 40"):
        EmbedSDG(lm, windows=6).fit(rows)
    assert len(EmbedSDG(lm, windows=6).fit(rows, too_long="skip").map.points) <= 40
