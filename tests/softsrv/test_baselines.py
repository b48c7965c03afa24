"""The baselines: the same rows and filter as SoftSRV, and what each of them is."""

import pytest
import torch
from tiny import tiny_lm

from synthkit.core.provenance import COMMON
from synthkit.evaluation.contamination import HeldOut
from synthkit.lm import load_lm
from synthkit.softsrv import baselines
from synthkit.softsrv.baselines import lora_generator, repeat_texts, template
from synthkit.softsrv.drafts import Draft
from synthkit.softsrv.filters import COLUMNS
from synthkit.softsrv.refinement import (
    GOOD,
    refine,
    self_refine,
)
from synthkit.teacher import FunctionTeacher

REAL = [
    f"Anna has {i} apples and buys {j} more at the market." for i in range(2, 8) for j in (3, 5)
]
PROMPTS = ["Question: is the sky blue?", "A short one."]
RAW = {"drop": (), "max_new_tokens": 8}
QUICK = {"steps": 4, "batch_size": 6, "length": 3, "eval_every": 2}


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    return load_lm(tiny_lm(tmp_path_factory.mktemp("tiny") / "llama"), device="cpu")


def weights(lm):
    return {name: p.detach().clone() for name, p in lm.model.named_parameters()}


def assert_untouched(lm, before):
    after = dict(lm.model.named_parameters())
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


# --- templates -----------------------------------------------------------------------------------


def test_a_template_writes_what_generate_writes_from_its_prompts_in_turn(lm):
    rows = template(lm, PROMPTS, REAL, **RAW).sample(6, seed=3)
    asked = [PROMPTS[i % 2] for i in range(6)]
    texts = lm.generate(asked, max_new_tokens=8, temperature=1.0, seed=3)
    assert [text.strip() for text in rows["text"]] == [text.strip() for text in texts]
    assert rows.column_names == [*COLUMNS, *COMMON] and set(rows["kind"]) == {"template"}
    assert set(rows["method"]) == {"template"} and set(rows["model"]) == {lm.name}
    assert rows["context"] == [None] * 6 and rows["near_copy_own"] == [None] * 6


def test_a_template_passes_the_same_filter(lm, monkeypatch):
    made = template(lm, PROMPTS, REAL, max_rounds=2)
    texts = iter(
        [REAL[0], "A text of a test.", "New words for all.", "Other words for all.", "x y z"]
    )
    monkeypatch.setattr(
        baselines, "write", lambda lm, starts, ids, how: [Draft(next(texts), True) for _ in ids]
    )
    rows = made.sample(3, held_out=HeldOut(["A text of a test."], n=None))
    assert made.report.rejected == {"duplicate": 1, "contaminated": 1}
    assert set(rows["status"]) == {"kept"} and len(set(rows["text"])) == 3


@pytest.mark.parametrize(
    ("prompts", "error"),
    [([], ValueError), (["a", " "], ValueError), ([3], ValueError), ("one", TypeError)],
)
def test_prompts_are_checked(lm, prompts, error):
    with pytest.raises(error, match="prompt"):
        template(lm, prompts, REAL)
    with pytest.raises(error, match="prompt"):
        self_refine(FunctionTeacher(str, "t"), prompts, 1)


def test_a_generator_with_several_prompts_has_no_loss(lm):
    with pytest.raises(ValueError, match="2 prompts"):
        template(lm, PROMPTS, REAL).loss(REAL)


def test_the_loss_of_one_prompt_is_that_of_the_texts_behind_it(lm):
    nats = lm.nll(REAL[:3], prompts=[PROMPTS[0]] * 3)
    sizes = torch.tensor([len(ids) + 1.0 for ids in lm.token_ids(REAL[:3])])
    expected = float((nats * sizes).sum() / sizes.sum())
    assert template(lm, PROMPTS[:1], REAL).loss(REAL[:3]) == pytest.approx(expected)


# --- refinement ----------------------------------------------------------------------------------


class Refiner:
    """Writes a dull draft, finds fault with drafts that say "dull", and mends them."""

    name = "refiner"

    def __init__(self, rewrite="A lively text, number {}"):
        self.asked, self.rewrite = [], rewrite

    def complete(self, prompts, *, progress=False):
        self.asked += prompts
        return [self.reply(prompt, i) for i, prompt in enumerate(prompts)]

    def reply(self, prompt, i):
        if "Judge the text" in prompt:
            return "It is dull." if "dull text" in prompt else f"well: {GOOD.lower()}."
        if "Write the text anew" in prompt:
            return self.rewrite.format(len(self.asked) + i)
        number = prompt.split("Request ")[1].split(",")[0]
        return f" A {'dull' if int(number) % 2 == 0 else 'fine'} text, number {number} "


def test_drafts_are_judged_and_only_faulty_ones_rewritten():
    teacher = Refiner()
    rows = self_refine(teacher, ["Write a text."], 4, real=REAL)
    assert [text.split(",")[0] for text in rows["text"]] == [
        "A lively text", "A fine text", "A lively text", "A fine text",
    ]  # fmt: skip
    assert set(rows["kind"]) == {"self-refined by refiner"}
    assert sum("Judge the text" in prompt for prompt in teacher.asked) == 4
    assert sum("Write the text anew" in prompt for prompt in teacher.asked) == 2


def test_every_round_judges_again_until_nothing_is_found():
    def judged(rounds, rewrite):
        teacher = Refiner(rewrite)
        refine(teacher, ["r"], ["a dull text"], rounds, ["x"])
        return sum("Judge" in prompt for prompt in teacher.asked)

    assert [judged(r, "still a dull text") for r in (0, 1, 3)] == [0, 1, 3]
    assert judged(3, "a lively text") == 2


def test_an_empty_rewrite_is_not_taken():
    assert refine(Refiner(" "), ["r"], ["a dull text"], 2, ["x"]) == ["a dull text"]


def test_no_two_requests_are_alike_so_that_a_cache_gives_no_copies():
    teacher = Refiner()
    self_refine(teacher, ["Write a text."], 3, rounds=0)
    self_refine(teacher, ["Write a text."], 3, rounds=0, seed=1)
    assert len(set(teacher.asked)) == len(teacher.asked) == 6


def test_refinement_can_be_answered_by_another():
    rows = self_refine(
        Refiner(), ["Write a text."], 2, answer_by=FunctionTeacher(lambda p: "42", "t")
    )
    assert rows["answer"] == ["42", "42"] and set(rows["teacher"]) == {"t"}


# --- copies --------------------------------------------------------------------------------------


def test_repeated_texts_are_the_real_ones_evenly():
    rows = repeat_texts(REAL, 2 * len(REAL) + 1, seed=2)
    assert len(rows) == 2 * len(REAL) + 1
    counts = [rows["text"].count(text) for text in REAL]
    assert set(counts) == {2, 3} and rows["text"][: len(REAL)] != REAL
    assert all(rows["near_copy_own"]) and all(rows["near_copy_train"])
    assert all(REAL[row["context"]] == row["text"] for row in rows)
    assert set(rows["kind"]) == {"repeated"} and set(rows["status"]) == {"duplicate"}


# --- trained generators --------------------------------------------------------------------------


def test_lora_learns_the_target_on_a_copy_at_equal_data(lm):
    before, plain = weights(lm), float(lm.nll(REAL).mean())
    made = lora_generator(lm, REAL, steps=15, batch_size=6, lr=2e-2, **RAW)
    assert_untouched(lm, before)
    assert len(made.losses) == 15 and made.loss(REAL) < plain - 0.3
    rows = made.sample(3)
    assert set(rows["kind"]) == {"LoRA rank 8"} and len(rows) == 3


def test_lora_without_bos_needs_a_prompt_and_learns_to_answer_it(tmp_path):
    other = load_lm(tiny_lm(tmp_path / "qwen2", "qwen2"), device="cpu")
    with pytest.raises(ValueError, match=r"no BOS token.*give a prompt"):
        lora_generator(other, REAL)
    how = {"prompt": "Write a question.", "batch_size": 6, "lr": 2e-2, **RAW}
    short, made = (lora_generator(other, REAL, steps=steps, **how) for steps in (1, 15))
    assert made.loss(REAL) < short.loss(REAL) - 0.3
    (start,) = made.starts
    assert torch.equal(start, template(other, ["Write a question."]).starts[0])


def test_options_that_no_preset_has_are_refused(lm):
    with pytest.raises(ValueError, match="no option colour"):
        lora_generator(lm, REAL, colour=1)
    with pytest.raises(ValueError, match="no option colour"):
        template(lm, PROMPTS, colour=1)


def test_a_generator_counts_and_repeats_itself(lm):
    made = template(lm, PROMPTS, REAL, **RAW)
    assert made.sample(5, seed=1).to_list() == made.sample(5, seed=1, batch_size=2).to_list()
    assert made.report.delivered == 5
    with pytest.raises(ValueError, match="at least 1"):
        made.sample(0)
