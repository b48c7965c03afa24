"""EmbedSDG on real questions: the pool's teacher, a small run of the recorded study, its parts."""

from dataclasses import replace

import numpy as np
import pytest

from synthkit import EmbedSDG, load_world
from synthkit.embedsdg.prompts import baseline_prompt, generation_prompt
from synthkit.lm.finetune import FinetunePreset
from synthkit.studies.embedsdg import doses as D
from synthkit.studies.embedsdg import real as E
from synthkit.studies.embedsdg.pool import PoolTeacher
from synthkit.studies.measurements import values
from synthkit.studies.real_data import RealData
from synthkit.studies.runner import run

POOL = [
    {"question": f"Tom has {n} hens and gets 1 more. How many?", "answer": f"{n}+1\n#### {n + 1}"}
    for n in (1, 2, 5, 9)
]
UPDATE = FinetunePreset(rank=2, epochs=1, batch_size=8, max_updates=1)


def size(texts):
    """A question's place on a line: its first number."""
    return np.array([[float(next(w for w in text.split() if w.isdigit()))] for text in texts])


def rows(numbers):
    return [(f"Ann has {n} ducks.", f"#### {n}") for n in numbers]


def number_in(reply):
    return int(size([reply])[0, 0])


def test_the_pool_answers_with_the_unseen_problem_nearest_to_seeds_and_sketch():
    teacher = PoolTeacher(POOL, size)
    pair, sketch = generation_prompt(rows([1, 9])), generation_prompt(rows([1, 1]), "4 geese\nrun")
    replies = teacher.complete([pair, sketch, baseline_prompt(*rows([8])[0]), pair])
    assert [number_in(reply) for reply in replies] == [5, 2, 9, 1]
    assert teacher.complete([pair]) == [""] and sorted(teacher.given) == [0, 1, 2, 3]


def test_a_pool_without_a_space_gives_its_problems_in_an_order_of_the_seed():
    drawn = [PoolTeacher(POOL, seed=seed).complete(["what you like"] * 4) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2] and len(set(drawn[0])) == 4


def test_a_prompt_that_shows_no_problem_is_refused():
    with pytest.raises(ValueError, match="shows no problem"):
        PoolTeacher(POOL, size).complete(["Write a problem."])


def test_rows_of_a_pool_pass_the_filter_and_none_comes_twice(embedded_lm, math_world):
    real, pool = (list(math_world.rows(n, seed=f"pool-{n}")) for n in (60, 40))
    teacher = PoolTeacher(pool, lambda texts: np.array([[len(t)] for t in texts], float))
    made = EmbedSDG(embedded_lm, teacher=teacher, sketch="skip", windows=6).fit(real).sample(12)
    questions = set(made["question"])
    assert len(questions) == 12 and questions <= {row["question"] for row in pool}
    answers = {row["question"]: row["answer"] for row in pool}
    assert all(row["answer"] == answers[row["question"]] for row in made)


@pytest.fixture(scope="module")
def math_world():
    return load_world("math")


@pytest.fixture(scope="module")
def small(embedded_lm, math_world, tmp_path_factory):
    """A small run of what is recorded; the families of the math world are the labels."""
    made = math_world.rows(190, seed="real")
    kept = [{"question": r["question"], "answer": r["answer"], "label": r["skill"]} for r in made]
    data = RealData("math", kept, {name: name for name in kept[0]})
    preset = replace(
        E.PRESETS["study"], n_train=60, n_student=20, n_test=46, n_pool=60, n_sample=8, n_own=2,
        ways=tuple(E.WAYS), longest=None, max_new_tokens=8, answer_tokens=8,
        changes={"windows": 6, "sketch": "decode"}, student=UPDATE, further=UPDATE,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("real")
    return run(E.study(data), preset, lm=embedded_lm, seeds=[0], out=folder), folder


def test_every_way_gets_equally_many_rows_of_the_pool(small):
    found, folder = small
    for arm in E.WAYS:
        assert values(found, "rows written", arm) == [8]
        assert np.isfinite(values(found, E.LOSS, arm)).all() and values(found, E.THIN, arm) > 0
        assert values(found, "density", arm) >= 0
    assert len(list((folder / "samples").iterdir())) == len(E.WAYS) + 2


def test_density_is_related_to_accuracy_on_both_maps_and_words_are_compared(small):
    found, _ = small
    for arm in E.MAPS:
        assert {row["measure"] for row in found.measurements if row["arm"] == arm} == set(
            E.READINGS
        )
    topics = {row["arm"] for row in found.measurements if row["measure"].startswith("thin to")}
    assert "word: how" in topics and any(topic.startswith("type: ") for topic in topics)


def test_answer_nats_are_those_of_the_answers_tokens(embedded_lm, math_world):
    real = list(math_world.rows(5, seed="nats"))
    nats, tokens = E.answer_nats(embedded_lm, real, batch=2)
    prompts = [f"Question: {row['question']}\nAnswer:" for row in real]
    mean = embedded_lm.nll([f" {row['answer']}" for row in real], prompts=prompts)
    assert nats / tokens == pytest.approx(mean.numpy(), rel=1e-3)


def test_attention_is_computed_once_per_text_and_pooling():
    asked = []

    class Student:
        def attention_weights(self, texts, pooling="received"):
            asked.append((*texts, pooling))
            return [text.upper() for text in texts]

    weights = E.remembered(Student())
    assert weights(["a", "b", "a"], pooling="x") == ["A", "B", "A"]
    assert weights(["b", "c"], pooling="x") == ["B", "C"] and weights(["a"]) == ["A"]
    assert asked == [("a", "b", "x"), ("c", "x"), ("a", "received")]


def test_doses_of_both_ways_are_learned_by_the_same_student(tmp_path, embedded_lm, math_world):
    found = D.study(RealData("sums", list(math_world.rows(90, seed="doses")), {"question": "q"}))
    preset = replace(
        found.presets["study"], n_train=24, n_test=8, n_pool=40, n_own=1, n_student=8, longest=None,
        doses=(2, 6), method="fast", changes={"windows": 4, "max_rounds": 2, "weights": "uniform"},
        student=UPDATE, further=replace(UPDATE, max_updates=None),
    )  # fmt: skip
    result = run(found, preset, lm=embedded_lm, out=tmp_path, seeds=[0])
    arms = [D.dose(way, n) for way in (E.EMBEDSDG, E.DRAWN) for n in (2, 6)]
    assert [values(result, "rows written", arm).tolist() for arm in arms] == [[2], [6], [2], [6]]
    for arm in (E.REAL, *arms):
        assert np.isfinite(values(result, E.LOSS, arm)).all()
        assert 0 <= values(result, "accuracy", arm) <= 1
    assert len({values(result, E.LOSS, arm)[0] for arm in (E.REAL, *arms)}) == 5
    for arm in (E.CONTINUES, E.ASKED):
        assert 0 <= values(result, "accepted", arm) <= 1
    assert {row["data"] for row in result.measurements} == {"sums, three doses"}
