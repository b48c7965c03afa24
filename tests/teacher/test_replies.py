"""What replies become: cleaned, judged, counted, kept on disk as they come; and chat templates."""

import json
import os
from pathlib import Path

import pytest
import torch
from tiny import tiny_lm

from synthkit import load_lm, load_world
from synthkit.core.files import sha256_text
from synthkit.lm.chat import prompt_ids
from synthkit.lm.finetune import FinetunePreset, answer, finetune
from synthkit.teacher import (
    FunctionTeacher,
    LMTeacher,
    RecordedTeacher,
    Reply,
    TeacherError,
    answer_log,
    as_teacher,
    ask,
    clean,
    judge,
    teacher_identity,
    teacher_name,
)

TEXT = "Battery died."
DRESSED = [
    "<think>Terse.</think>\n{}", "Terse.</think>\n{}", "<THINK>a</Think>{}", "{}<think>more",
    "<thought>a</thought>{}", "<thinking>a</thinking> <think>b</think>{}", "[THINK]a[/THINK]{}",
    "```\n{}\n```", "```text\n{}", "Sure, here is a review:\n{}", "Certainly! Here's one: {}",
    "Sure!\n\n{}", "**Here is the review:**\n```\n{}\n```", "\r\n {}\r\n",
]  # fmt: skip
PLAIN = [
    "Here is why I hate it: it broke.", "Sure beats the old one: it lasts.", "Great!\nIt works.",
    "```python\nx\n```\nand\n```\ny\n```", "I use a <b>tag</b>", "Okay, I was wrong: it works",
]  # fmt: skip


@pytest.mark.parametrize("dress", DRESSED)
def test_thoughts_fences_and_preambles_go(dress):
    assert clean(dress.format(TEXT)) == TEXT
    assert clean(Reply(dress.format(TEXT), "length")).finish_reason == "length"


@pytest.mark.parametrize("text", PLAIN)
def test_what_only_looks_like_one_stays(text):
    assert clean(text) == text and judge(text) is None


def test_half_a_character_is_mended():
    assert clean("fine \ud83d") == "fine \ufffd" and clean("\ud83d\ude00") == "\N{GRINNING FACE}"


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "empty"), (" \n", "empty"), ("<think>I could say", "empty"), ("```\n```", "empty"),
        ("I'm sorry, but I can't help with that.", "refused"), ("As an AI, I", "refused"),
        ("<think>Hm.</think>I cannot assist with this.", "refused"),
        (Reply("", "content_filter"), "refused"), (Reply("One and", "length"), "cut"),
        (Reply("", "error"), "failed"), ("I'm sorry I bought this.", None),
        ("I can't recommend it.", None), (Reply("Fine.", "stop"), None),
    ],
)  # fmt: skip
def test_replies_are_judged(reply, reason):
    assert judge(reply) == reason


class Bare:
    """As little as a teacher can be."""

    def complete(self, prompts):
        return [prompt.upper() for prompt in prompts]


def shout(prompt):
    return prompt.upper()


@pytest.mark.parametrize("teacher", [Bare(), shout, FunctionTeacher(shout, "shout")])
def test_whatever_completes_is_a_teacher(teacher):
    assert ask(teacher, ["a", "b", "a"]) == ["A", "B", "A"] and ask(teacher, []) == []
    assert teacher_name(teacher) in ("Bare", "shout")
    assert teacher_identity(teacher) == teacher_identity(as_teacher(teacher))


@pytest.mark.parametrize("wrong", [None, 3, "teacher", Bare])
def test_what_cannot_answer_is_no_teacher(wrong):
    with pytest.raises(TypeError, match="a teacher is an object with complete"):
        ask(wrong, ["a"])


@pytest.mark.parametrize("answers", [["x"], ["x"] * 3, "xy", ["x", 3], None])
def test_a_teacher_that_breaks_its_promise_is_an_error(answers):
    teacher = type("Odd", (), {"complete": lambda self, prompts: answers})()
    with pytest.raises(TeacherError, match=r"Odd stopped .*(2 prompts|text)"):
        ask(teacher, ["a", "b"])


def test_answers_are_on_disk_as_they_come_and_empty_ones_never(tmp_path):
    said, asked = {"a": "A", "b": "", "c": "<think>only"}, []

    def answer(prompt):
        if prompt not in said:
            raise KeyboardInterrupt
        asked.append(prompt)
        return said[prompt]

    file, teacher = tmp_path / "answers.jsonl", FunctionTeacher(answer, "t")
    with pytest.raises(KeyboardInterrupt), answer_log(file) as log:
        ask(teacher, list("abcd"), log=log)
    asked.clear()
    said.update({each: each for each in "abcd"})
    with answer_log(file) as log:
        assert ask(teacher, list("abcd"), log=log) == ["A", "b", "c", "d"]
    assert asked == ["b", "c", "d"]


def test_an_identity_tells_teachers_apart(tmp_path):
    path = tmp_path / "r.jsonl"
    rows = [{"prompt_sha": sha256_text("a"), "answer": text} for text in "xy"]
    identities = set()
    for row in rows:
        path.write_text(json.dumps(row) + "\n")
        identities.add(teacher_identity(RecordedTeacher(path)))
    lm = type("L", (), {"name": "l", "fingerprint": "f", "generate": print})()
    identities |= {teacher_identity(LMTeacher(lm, seed=seed)) for seed in (1, 2)}
    lm.fingerprint = "g"
    identities.add(teacher_identity(LMTeacher(lm, seed=1)))
    for fn in (lambda p: p + "x", lambda p: p + "y", lambda p: p.upper(), lambda p: p.lower()):
        identities.add(teacher_identity(fn))  # as a cell of a notebook that is edited and run again
    world = load_world("math")
    for options in ({}, {"seed": 1}, {"error_rate": 0.5}):
        identities |= {teacher_identity(world.teacher(**options)) for _ in range(2)}
    assert len(identities) == 12


# --- local models ---------------------------------------------------------------------------------

TEMPLATE = (
    "{% for m in messages %}<bos>{{ m['role'] }}: {{ m['content'] }}<eos>{% endfor %}"
    "{% if add_generation_prompt %}<bos>assistant: {% endif %}"
)


@pytest.fixture(scope="module")
def chatty(tmp_path_factory):
    """A tiny model with a chat template."""
    folder = tmp_path_factory.mktemp("chatty")
    tiny_lm(folder, "llama")
    lm = load_lm(folder)
    lm.tokenizer.chat_template = TEMPLATE
    return type(lm)(lm.model, lm.tokenizer, "chatty")


def test_sampled_answers_depend_on_seed_prompt_and_repeat_alone(chatty):
    prompts = [f"number {i % 4}" for i in range(12)]
    options = {"max_new_tokens": 8, "temperature": 1.0, "chat": False}
    whole = LMTeacher(chatty, seed=1, **options).complete(prompts)
    teacher = LMTeacher(chatty, seed=1, batch_size=3, **options)
    parts = [teacher.complete([p], repeats=[i // 4])[0] for i, p in enumerate(prompts)]
    assert parts == whole and len(set(whole)) > 4
    assert LMTeacher(chatty, seed=2, **options).complete(prompts) != whole
    assert {reply.finish_reason for reply in whole} <= {"length", "stop"}


def test_a_model_is_addressed_in_its_own_template(chatty):
    assert chatty.chat and chatty.describe()["chat"] and LMTeacher(chatty).chat
    asked = ["How many?", "End <eos> it"]
    rendered = [
        chatty.tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True
        )
        for text in asked
    ]
    given = LMTeacher(chatty, max_new_tokens=6).complete(asked)
    assert given[0] == chatty.generate(rendered, max_new_tokens=6)[0]
    plain = LMTeacher(chatty, max_new_tokens=6, chat=False)
    assert plain.complete(asked) == chatty.generate(asked, max_new_tokens=6) != given
    assert "chat=False" in repr(plain)
    (ids,) = prompt_ids(chatty, ["a<eos>b"], chat=True)  # a message cannot end itself
    assert ids.count(chatty.eos_id) == prompt_ids(chatty, ["ab"], chat=True)[0].count(chatty.eos_id)


def test_without_a_template_there_is_no_chat(embedded_lm):
    assert not embedded_lm.chat and not LMTeacher(embedded_lm).chat
    with pytest.raises(ValueError, match="no chat template"):
        LMTeacher(embedded_lm, chat=True)
    with pytest.raises(ValueError, match="no chat template"):
        embedded_lm.generate(["a"], chat=True)


def test_students_learn_and_answer_in_the_template(chatty):
    rows = [{"question": f"Say {word}", "answer": word} for word in ("one", "two")] * 4
    preset = FinetunePreset(4, 8, 2e-2, 12, 4)
    student = finetune(chatty, rows, preset, autocast=False)
    assert student.chat and student.losses[-1] < student.losses[0]
    prompt = "Question: Say one\nAnswer:"
    by_hand = student.generate([prompt], chat=True, max_new_tokens=4)[0].strip()
    assert answer(student, ["Say one"], max_new_tokens=4) == [by_hand]
    assert not torch.isnan(torch.tensor(student.losses)).any()


@pytest.mark.slow
@pytest.mark.skipif("SYNTHKIT_SMOLLM2" not in os.environ, reason="SYNTHKIT_SMOLLM2 names no folder")
def test_a_small_instruct_model_is_understood_in_its_template_more_often():
    from tools.chat_rates import rates

    found = rates(load_lm(Path(os.environ["SYNTHKIT_SMOLLM2"])), n=20)
    for task in ("generate", "describe"):
        assert found[task, True]["replies"] >= found[task, False]["replies"], task
