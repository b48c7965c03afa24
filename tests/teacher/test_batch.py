"""Prompts out, answers in, in the batch format of OpenAI-compatible engines, for every method."""

import json
import random

import pytest
from contract.methods import METHODS, ask, compose
from tiny import tiny_lm

from synthkit import load_lm
from synthkit.core.files import read_jsonl, write_jsonl
from synthkit.softsrv.refinement import self_refine
from synthkit.teacher import (
    BatchTeacher,
    FunctionTeacher,
    PromptsWritten,
    TeacherError,
    import_answers,
    judge,
)
from synthkit.teacher import ask as ask_teacher

MODEL = "large-model"


def engine(prompts, answers, fn):
    """Answer a file as an engine does: in any order, each request by what its body says."""
    rows, asked = [], {}
    for request in read_jsonl(prompts):
        assert (request["method"], request["url"]) == ("POST", "/v1/chat/completions")
        assert request["body"]["model"] == MODEL and request["body"]["max_tokens"] == 1024
        prompt = request["body"]["messages"][0]["content"]
        asked[prompt] = asked.get(prompt, -1) + 1
        rows.append(answer(request["custom_id"], fn(prompt, asked[prompt])))
    random.Random(0).shuffle(rows)
    write_jsonl(answers, rows)
    return len(rows)


def answer(name, text, reason="stop", status=200):
    message = {"role": "assistant", "content": text}
    body = {"id": "cmpl-1", "choices": [{"index": 0, "message": message, "finish_reason": reason}]}
    return {"id": "batch-1", "custom_id": name, "error": None,
            "response": {"status_code": status, "request_id": "r", "body": body}}  # fmt: skip


def answered(run, folder, fn, limit=20):
    """Run a program again and again, each time with more answers; what it gives, and the rounds."""
    for round_ in range(limit):
        try:
            return run(), round_
        except PromptsWritten as waiting:
            newest = sorted(folder.glob("prompts-*.jsonl"))[-1]
            answers = newest.with_name(newest.name.replace("prompts", "answers"))
            count = engine(newest, answers, fn)
            assert f"{count} prompts are written to {newest}" in str(waiting)
            assert str(answers) in str(waiting)
    raise AssertionError("no end")


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lm")
    return load_lm(tiny_lm(folder, "llama", num_hidden_layers=1, max_position_embeddings=512))


@pytest.mark.parametrize(
    ("name", "fn"), [("EmbedSDG", ask), ("SynAlign", compose), ("SoftSRV", compose)]
)
def test_every_method_runs_on_answers_from_elsewhere(name, fn, lm, tmp_path):
    """Round after round, to the same rows as with a teacher that answers at once."""
    case = METHODS[name]

    def sample(teacher):
        made = case.kind(lm if case.model else None, **{**case.options, "teacher": teacher})
        return made.fit(case.rows).sample(4).to_list()

    wanted = sample(FunctionTeacher(fn, MODEL))
    found, rounds = answered(lambda: sample(BatchTeacher(tmp_path, MODEL)), tmp_path, fn)
    assert rounds >= 1 and len(found) == 4
    for row in (*found, *wanted):
        row.pop("prompt_sha", None), row.pop("seed", None)
    assert found == wanted


def test_a_baseline_that_asks_in_rounds(tmp_path):
    def fn(prompt, repeat=0):
        return "Where is it?" if "Write" in prompt or "ewrite" in prompt else "It is vague."

    def sample(teacher):
        return self_refine(teacher, ["Write a question.", "Write another."], 2, drop=()).to_list()

    wanted = sample(FunctionTeacher(fn, MODEL))
    found, rounds = answered(lambda: sample(BatchTeacher(tmp_path, MODEL)), tmp_path, fn)
    assert rounds > 1 and [r["text"] for r in found] == [r["text"] for r in wanted]


def test_what_waits_is_written_once_and_only_what_lacks_an_answer(tmp_path):
    teacher = BatchTeacher(tmp_path / "new", MODEL, top_p=0.9)
    for _ in range(2):
        with pytest.raises(PromptsWritten, match="3 prompts are written"):
            teacher.complete(["a", "b", "a"])
    (file,) = (tmp_path / "new").iterdir()
    requests = read_jsonl(file)
    assert [r["body"]["messages"][0]["content"] for r in requests] == ["a", "b", "a"]
    assert len({r["custom_id"] for r in requests}) == 3 and requests[0]["body"]["top_p"] == 0.9
    write_jsonl(file.with_name("answers-x.jsonl"), [answer(requests[2]["custom_id"], "two")])
    with pytest.raises(PromptsWritten, match=r"2 prompts .*prompts-002\.jsonl.*answers-002\.jsonl"):
        teacher.complete(["a", "b", "a"])
    with pytest.raises(PromptsWritten, match="3 prompts"):  # other options: other answers
        BatchTeacher(tmp_path / "new", MODEL, temperature=0.1).complete(["a", "b", "c"])
    greedy = BatchTeacher(tmp_path / "greedy", MODEL, temperature=0)
    with pytest.raises(PromptsWritten, match="1 prompts"):
        greedy.complete(["a", "a"])


def test_refused_requests_and_odd_lines(tmp_path):
    teacher = BatchTeacher(tmp_path, MODEL)
    with pytest.raises(PromptsWritten):
        teacher.complete(["a", "b", "c"])
    names = [r["custom_id"] for r in read_jsonl(tmp_path / "prompts-001.jsonl")]
    rows = [
        answer(names[0], "yes", "length"),
        answer(names[1], "", status=400),
        {"custom_id": names[2], "response": None, "error": {"message": "too long"}},
    ]
    write_jsonl(tmp_path / "answers-001.jsonl", rows)
    with pytest.warns(UserWarning, match="2 of 3 requests failed"):
        found = ask_teacher(teacher, ["a", "b", "c"])
    assert [judge(reply) for reply in found] == ["cut", "failed", "failed"] and found[0] == "yes"
    again = [answer(names[1], "now"), answer(names[0], "later")]  # asked again: the answer counts
    write_jsonl(tmp_path / "answers-002.jsonl", again)
    with pytest.warns(UserWarning, match="1 of 3 requests failed"):
        assert ask_teacher(teacher, ["a", "b", "c"]) == ["yes", "now", ""]
    responses = ({"body": 3}, "text", {"status_code": None}, {"status_code": "200"})
    rowless = [{"custom_id": "x", "response": response} for response in responses]
    for odd in ({"custom_id": "x"}, {"answer": "y"}, *rowless):
        write_jsonl(tmp_path / "answers-002.jsonl", [rows[0], odd])
        with pytest.raises(TeacherError, match=r"answers-002\.jsonl: row 2 is no answer"):
            ask_teacher(teacher, ["a"])


def test_a_number_that_was_used_is_not_used_again(tmp_path):
    teacher = BatchTeacher(tmp_path, MODEL)
    with pytest.raises(PromptsWritten, match=r"prompts-001\.jsonl"):
        teacher.complete(["a", "b"])
    first = tmp_path / "prompts-001.jsonl"
    request = read_jsonl(first)[0]
    write_jsonl(tmp_path / "answers-002.jsonl", [answer(request["custom_id"], "yes")])
    first.unlink()
    with pytest.raises(PromptsWritten, match=r"1 prompts .*answers-003\.jsonl") as told:
        teacher.complete(["a", "b"])
    assert "fits" not in str(told.value)
    with pytest.raises(PromptsWritten, match="none of the 1 answers in the folder fits"):
        BatchTeacher(tmp_path, "another-model").complete(["a"])
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="a file is in its place"):
        BatchTeacher(tmp_path / "file", MODEL).complete(["a"])


@pytest.mark.parametrize(
    "options", [{"temperature": float("nan")}, {"max_tokens": 0}, {"messages": []}, {"n": 2}]
)
def test_options_are_those_of_a_request(options, tmp_path):
    with pytest.raises(ValueError, match=next(iter(options))):
        BatchTeacher(tmp_path, MODEL, **options)


def test_answers_of_a_batch_can_be_imported(tmp_path):
    path = tmp_path / "answers.jsonl"
    refused = {"custom_id": "0", "response": None, "error": {"message": "no"}}
    write_jsonl(path, [answer("1", "yes"), refused])
    with pytest.warns(UserWarning, match="lacks 1 of 2"):
        assert import_answers(path, ["a", "b"]) == [None, "yes"]
    path.write_text(json.dumps({"custom_id": "1", "response": {"body": {}}}))
    with pytest.raises(ValueError, match="no text under"):
        import_answers(path, ["a", "b"])
