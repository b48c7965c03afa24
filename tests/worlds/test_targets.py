"""The targets: texts of the world, an exact distribution, an oracle for any text."""

import math
import random
import re
from itertools import product

import pytest

from synthkit.core.intervals import mean_interval
from synthkit.worlds import load_target, load_world
from synthkit.worlds.targets import TARGETS, Target, factor_tv
from synthkit.worlds.targets.distribution import (
    Chain,
    dealt,
    entropy,
    favouring,
    shares,
    uniform,
    zipf,
)

NAMES = list(TARGETS)
each_target = pytest.mark.parametrize("name", NAMES)
H = {k: sum(1 / r for r in range(1, k + 1)) for k in (3, 4, 5, 6, 7, 8)}  # harmonic numbers


@pytest.fixture(scope="module")
def targets():
    return {name: load_target(name) for name in NAMES}


@pytest.fixture(scope="module")
def rows(targets):
    return {name: target.rows(60, seed=1) for name, target in targets.items()}


def world_text(name, row):
    """The text of a world's row in the form of the target."""
    if name == "math":
        return row["question"]
    return row["prompt"] if name == "code" else f"{row['passage']}\nQuestion: {row['question']}"


def total(target, paths):
    """The summed probability of the distinct texts of some paths, by `log_prob`."""
    texts = {target.write(values) for values, _ in paths}
    assert len(texts) == len(paths), "two ways to write one text"
    return sum(math.exp(target.log_prob(text)) for text in texts)


# --- distributions -------------------------------------------------------------------------------


def test_small_distributions_by_hand():
    assert shares({"a": 1, "b": 3}) == {"a": 0.25, "b": 0.75}
    assert zipf("ab") == pytest.approx({"a": 2 / 3, "b": 1 / 3})
    assert zipf("abc", s=0) == pytest.approx(uniform("abc"))
    assert favouring(("c", "a"), "abcde") == pytest.approx(
        {"c": 0.55, "a": 0.30, "b": 0.05, "d": 0.05, "e": 0.05}
    )
    distribution = dealt((("a", 2.0), ("b", 1.0), ("c", 1.0)), 2)
    assert distribution["a", "b"] == pytest.approx(1 / 2 * 1 / 2)
    assert distribution["b", "a"] == pytest.approx(1 / 4 * 2 / 3)
    assert dealt((("a", 1.0),), 0) == {(): 1.0}
    assert entropy(uniform(range(8))) == pytest.approx(math.log(8))


SMALL = {
    "sky": lambda v: {"sun": 0.7, "rain": 0.3},
    "noise": lambda v: uniform(range(3)),
    "coat": lambda v: {"yes": 0.9, "no": 0.1} if v["sky"] == "rain" else {"no": 1.0},
}


def test_chain_sums_out_what_is_not_asked_for():
    chain = Chain(SMALL, parents=("sky",))
    paths = chain.paths()
    assert len(paths) == 3 * 3 and sum(p for _, p in paths) == pytest.approx(1)
    assert chain.entropy() == pytest.approx(-sum(p * math.log(p) for _, p in paths))
    assert chain.marginal("coat") == pytest.approx({("yes",): 0.27, ("no",): 0.73})
    assert chain.marginal("coat", "sky")["no", "rain"] == pytest.approx(0.03)
    assert chain.marginal("noise")[2,] == pytest.approx(1 / 3)
    assert [p for _, p in chain.paths({"sky": "rain", "noise": 0})] == pytest.approx([0.09, 0.01])
    assert chain.paths({"sky": "snow"}) == []


class Ambiguous(Target):
    """Texts of x's, of which some can be cut in two ways: x|xx and xx|x."""

    name, noun, factors, joint = "toy", "toy", ("left", "right"), ("left", "right")

    def __init__(self):
        parts = {"x": 0.6, "xx": 0.4}
        self.chain = Chain({"left": lambda v: parts, "right": lambda v: parts}, parents=())

    def write(self, values):
        return values["left"] + values["right"]

    def readings(self, text):
        return ({"left": text[:i], "right": text[i:]} for i in range(1, len(text)))

    def _read(self, text):
        return next(iter(self.readings(text)), None)

    _solve = description = attributes = None


def test_log_prob_adds_up_all_derivations_of_a_text():
    toy = Ambiguous()
    assert math.exp(toy.log_prob("xxx")) == pytest.approx(2 * 0.6 * 0.4)
    assert math.exp(toy.log_prob("xx")) == pytest.approx(0.36)
    assert toy.log_prob("x") == toy.log_prob("xxxxx") == -math.inf
    assert sum(math.exp(toy.log_prob("x" * n)) for n in range(8)) == pytest.approx(1)


# --- the distribution of the targets -------------------------------------------------------------


def test_probabilities_by_hand(targets):
    """The product of the choices, written out."""
    text = "It rains in Hove. Ana has 5 dimes and 7 cents. How many cents is that?"
    p = (1 / 3 / H[7]) * 0.7 * 0.3 * (1 / H[6]) * 0.55 / 121
    assert targets["math"].log_prob(text) == pytest.approx(math.log(p))
    text = "Zoe lives in Lund. In the jar of Dev lie 12 dimes and 2 cents. "
    text += "How many cents are in the jar?"
    p = (1 / 3 / H[7]) * 0.3 * 0.4 * (1 / 2 / H[6]) * 0.15 / 6 / 7 / 121
    assert targets["math"].log_prob(text) == pytest.approx(math.log(p))
    text = "Define sum_above(nums) so that it returns the items of nums above 4, added up."
    p = (1 / H[8]) * 0.30 * 0.4 * 0.3 * (1 / 2 / H[5]) / 8
    assert targets["code"].log_prob(text) == pytest.approx(math.log(p))
    text = (
        "It is a wet Friday at the farm near Hale. Nora arrived before Emil, and Emil arrived "
        "before Rosa. The farm opens at 8 and closes at 15 each day.\n"
        "Question: Did Nora arrive before Rosa?"
    )
    scene = 0.6 * (1 / H[4]) * (1 / H[3]) * (1 / 2 / H[3])
    others = (1 / 2) / (H[6] - 1) * (1 / 3) / (H[6] - 1.5)
    evidence = 0.2 * 0.65 * 0.5 * 0.6 * (1 / H[6]) * others
    p = scene * evidence * 0.5 * 0.6 / 30 * 0.7 * 0.6
    assert targets["facts"].log_prob(text) == pytest.approx(math.log(p))


@each_target
def test_each_text_has_one_derivation_and_its_probability(targets, name):
    """Checked against the product along the choices that really made the text."""
    target, rng = targets[name], random.Random(5)
    for _ in range(60):
        values = target.chain.draw(rng)
        made, p = {}, 1.0
        for slot, distribution in target.chain.slots.items():
            p *= distribution(made)[values[slot]]
            made[slot] = values[slot]
        text = target.write(values)
        paths = [found for known in target.readings(text) for found in target.chain.paths(known)]
        assert [found for found, _ in paths if target.write(found) == text] == [values]
        assert target.log_prob(text) == pytest.approx(math.log(p))
        assert target.read(text) == {factor: values[factor] for factor in target.factors}


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("code", {"task": "scale", "function": "times"}),
        ("code", {"opener": "Define {f}({args}) so that it returns {what}.", "k": 5}),
        ("math", {"wording": "halves 3", "scene": "It rains in {t}.", "town": "Kelso", "b": 7}),
        ("math", {"family": "weeks", "scene": "{m} lives in {t}.", "name": "Zoe", "a": 2}),
        ("facts", {"reasoning": "time", "other": "drawing", "names": ("Ida", "Omar"),
                   "things": ("nets",), "hours": (9, 14), "evidence_form": 0, "town": "Dale",
                   "day": "Sunday", "weather": "cold", "scene_form": 2, "other_form": 2}),
        ("facts", {"reasoning": "negation", "other": "keeper", "topic": "library", "name": "Ida",
                   "names": ("Nora", "Emil", "Rosa", "Omar"), "town": "Hale", "scene_form": 0,
                   "things": ("lamps", "atlases", "letters"), "weather": "wet", "other_form": 1}),
    ],
)  # fmt: skip
def test_probabilities_of_a_slice_add_up(targets, name, known):
    """A full enumeration of one corner: nothing is lost and nothing counted twice."""
    target = targets[name]
    paths = target.chain.paths(known)
    assert len(paths) >= 100
    assert total(target, paths) == pytest.approx(sum(p for _, p in paths), rel=1e-9)


@each_target
def test_the_joint_factors_are_coupled(targets, name):
    target = targets[name]
    first, second = (target.distribution(factor) for factor in target.joint)
    joint = target.distribution(*target.joint)
    for i, distribution in enumerate((first, second)):
        for value, p in distribution.items():
            assert sum(q for key, q in joint.items() if key[i] == value) == pytest.approx(p)
    gap = sum(abs(joint.get(k, 0) - first[k[0]] * second[k[1]]) for k in product(first, second)) / 2
    assert gap > 0.25


@each_target
def test_entropy_is_that_of_the_texts(targets, name):
    target = targets[name]
    estimate = mean_interval([-target.log_prob(text) for text in target.texts(300, seed=4)])
    half = estimate.high - estimate.mean
    assert abs(estimate.mean - target.entropy()) < 1.5 * half
    assert 8 <= target.entropy() <= 25


# --- the texts -----------------------------------------------------------------------------------


@each_target
def test_rows_are_right_by_the_worlds_own_check(targets, rows, name):
    target = targets[name]
    some = rows[name][:12] if name == "code" else rows[name]
    if name == "code":
        assert all(target.world.check_many(some, workers=1))
    assert name == "code" or all(map(target.world.check, some))
    for row in rows[name]:
        assert tuple(row) == target.columns and row["text"] and row["answer"]
        assert set(target.factors) <= set(row) and world_text(name, row) == row["text"]


@each_target
def test_texts_are_short_for_the_embedded_model(targets, repo, name):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(repo / "data" / "embedded_lm" / "tokenizer.json"))
    longest = max(len(tokenizer.encode(text).ids) for text in targets[name].texts(150))
    assert longest < (110 if name == "facts" else 60)


@each_target
def test_the_same_seed_gives_the_same_rows(targets, rows, name):
    target = targets[name]
    assert load_target(name).rows(5, seed=1) == rows[name][:5] != target.rows(5, seed=2)
    data = target.sample(3, seed=1)
    assert tuple(data.column_names) == target.columns
    assert data["text"][:] == [row["text"] for row in rows[name][:3]]
    assert target.rows(0) == []
    with pytest.raises(ValueError, match="negative"):
        target.rows(-1)


# --- any text of the world -----------------------------------------------------------------------


@each_target
def test_every_text_of_the_world_is_read_and_answered(targets, name):
    target, world = targets[name], load_world(name)
    rare = random.Random(2)
    drawn = [world.problem(f, rare) for f in world.families] if name == "math" else []
    if name == "code":
        drawn = [next(iter(world.solutions(task, seed=3))) for task in world.task_weights]
    labels = {"math": ("family", "final", "answer"), "code": ("task",)}
    for row in [*drawn, *world.rows(80, seed=5)]:
        text = world_text(name, row)
        found = target.answer(text)
        assert target.well_formed(text) and found["text"] == text
        for label in labels.get(name, ("topic", "reasoning", "answer")):
            assert found[label] == row[label], (label, text)


def test_answers_to_any_task_of_the_code_world_pass(targets):
    target, world = targets["code"], load_world("code")
    asked = [next(iter(world.solutions(task, seed=4)))["prompt"] for task in world.task_weights]
    assert all(world.check_many([target.answer(text) for text in asked], workers=1))


@each_target
def test_a_text_outside_the_target_has_no_probability(targets, name):
    target = targets[name]
    text = target.texts(1, seed=3)[0]
    distributions = {factor: target.distribution(factor) for factor in target.factors}
    foreign = 0
    for row in load_world(name).rows(40, seed=8):
        other = world_text(name, row)
        factors = target.read(other)
        if any(factors[factor] not in known for factor, known in distributions.items()):
            foreign += 1
            assert target.log_prob(other) == -math.inf
    assert foreign > 20
    for torn in (text + " ", " " + text, text[:-1], text.lower(), "", "Hello.", text + "\n" + text):
        assert target.log_prob(torn) == -math.inf, torn
    assert target.read(f" {text}\n") == target.read(text) is not None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("math", "It rains in Hove. Ana has 05 dimes and 7 cents. How many cents is that?"),
        ("math", "It rains in Hove. Ana has 13 dimes and 7 cents. How many cents is that?"),
        ("math", "It rains in Hove. Umar has 5 dimes and 7 cents. How many cents is that?"),
        ("math", "It rains in Jarrow. Ana has 5 dimes and 7 cents. How many cents is that?"),
        ("math", "Ana has 5 dimes and 7 cents. How many cents is that?"),
        ("math", "Ana lives in Hove. Ana has 5 dimes and 7 cents. How many cents is that?"),
    ],
)
def test_texts_just_outside_are_well_formed_and_impossible(targets, name, text):
    assert targets[name].well_formed(text) and targets[name].log_prob(text) == -math.inf


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("math", "Ana eats half of 7 plums and then picks 2 more. How many plums does Ana have?"),
        ("math", "Ana catches 3 fish and a brother catches 5 fewer. How many fish do they catch?"),
        ("math", "It rains in Paris. Ana has 5 dimes and 7 cents. How many cents is that?"),
        ("code", "Write a function scaled(nums) that returns each number in data times 4."),
        ("code", "Write a function scaled(nums) that returns each number in nums times 11."),
        ("code", "Write a function gcd(nums) that returns each number in nums times 4."),
        ("facts", "It is a wet Friday at the farm near Hale.\nQuestion: Is the farm open at 9?"),
        ("facts", "The farm opens at 6 and closes at 14 each day.\nQuestion: Is the farm open at "
                  "9?"),
        ("facts", "It is a wet Friday at the farm near Hale. The farm opens at 6 and closes at 14 "
                  "each day.\nQuestion: Is the zoo open at 9?"),
        ("facts", "It is a wet Friday at the farm near Hale. Nora counted 3 boats, and Emil "
                  "counted 4 boats that day.\nQuestion: Did Nora count more boats than Emil?"),
    ],
)  # fmt: skip
def test_texts_without_an_answer_are_not_well_formed(targets, name, text):
    target = targets[name]
    assert target.read(text) is None and target.answer(text) is None
    assert not target.well_formed(text) and target.log_prob(text) == -math.inf


@pytest.mark.parametrize("text", [None, 3, ["a"]])
def test_what_is_no_text_is_named(targets, text):
    for method in (targets["math"].log_prob, targets["math"].read, targets["math"].answer):
        with pytest.raises(TypeError, match=type(text).__name__):
            method(text)


# --- total variation -----------------------------------------------------------------------------


def test_total_variation_by_hand(targets):
    target = targets["math"]
    text = "It rains in Hove. Ana has 5 dimes and 7 cents. How many cents is that?"
    found = factor_tv(target, [text, "no such text"])
    assert found["scene"] == pytest.approx(0.7)
    assert found["town"] == pytest.approx(1 - 1 / H[6])
    assert found["family"] == pytest.approx(1 - 1 / 3 / H[7])
    assert found["town x name"] == pytest.approx(1 - 0.55 / H[6])
    assert list(found) == [*target.factors, "town x name"]


@each_target
def test_total_variation_sees_the_world_and_forgives_the_target(targets, name):
    target = targets[name]
    joint = " x ".join(target.joint)
    own = factor_tv(target, target.texts(400, seed=6))
    foreign = [world_text(name, row) for row in load_world(name).rows(400, seed=6)]
    assert max(own.values()) < 0.2 and factor_tv(target, foreign)[joint] > 0.7


def test_total_variation_of_nothing(targets):
    assert set(factor_tv(targets["code"], ["?"]).values()) == {1.0}
    with pytest.raises(ValueError, match="needs texts"):
        factor_tv(targets["code"], [])
    with pytest.raises(TypeError, match="list of str"):
        factor_tv(targets["code"], "one text")


# --- prompts -------------------------------------------------------------------------------------


@each_target
def test_prompts_are_in_the_embedded_models_format(targets, rows, name):
    from synthkit.lm.documents import write_prompt

    target = targets[name]
    assert target.zero_shot_prompt() == write_prompt(name)
    prompts = target.engineered_prompts(40, seed=0)
    assert prompts == target.engineered_prompts(40, seed=0) != target.engineered_prompts(40, seed=1)
    known = target.world.attributes(rows[name][0])
    for prompt in prompts:
        pairs = dict(line.split(": ") for line in prompt.split("\n") if ": " in line)
        assert prompt == write_prompt(name, **pairs) and list(pairs) == list(known)
    values = {dict(line.split(": ") for line in p.split("\n") if ": " in line)[target.factors[0]]
              for p in prompts}  # fmt: skip
    assert values <= set(target.distribution(target.factors[0])) and len(values) >= 3


def test_the_math_format_shows_two_real_examples(targets, rows):
    from synthkit.lm.documents import NOUNS, instruction

    real = [row["text"] for row in rows["math"]]
    (prompt,) = targets["math"].engineered_prompts(1, rows["math"], seed=3)
    shown = re.findall(r"Input:\n(.*)", prompt)
    assert len(shown) == 2 and set(shown) <= set(real)
    task = f"Write a {NOUNS['math']} like these."
    assert prompt == instruction(task, given="\nInput:\n".join(shown))
    assert targets["math"].engineered_prompts(1, real, seed=3) == [prompt]
    assert targets["math"].shows_examples and not targets["facts"].shows_examples
    plain = targets["facts"].engineered_prompts(4, rows["facts"])
    assert plain == targets["facts"].engineered_prompts(4), "this format has no examples"


@each_target
def test_prompts_refuse_what_they_cannot_use(targets, rows, name):
    for n, real in ((-1, None), (3, rows[name][:1])):
        with pytest.raises(ValueError, match="at least two real rows"):
            targets[name].engineered_prompts(n, real)


@each_target
def test_a_prompted_text_of_the_world_gives_its_target_part(targets, rows, name):
    from synthkit.lm.documents import surface

    target = targets[name]
    for row in rows[name][:5]:
        assert target.extract(surface(target.world, row)) == row["text"]
        assert target.extract(row["text"] + "\n") == row["text"]


# --- loading -------------------------------------------------------------------------------------


def test_a_target_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match="choose one of math, code, facts"):
        load_target("poetry")
    assert "town x name" in repr(load_target("math"))
