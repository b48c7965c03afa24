"""The facts world: its answers are true, and its check sees what has been tampered with."""

import random
import re
from collections import Counter

import pytest

from synthkit.worlds.facts import NAMES, QUESTIONS, SENTENCES, FactsWorld, read_form

WORLD = FactsWorld()
ROWS = WORLD.rows(500, seed=0)
SCENE = "It is a cold Monday at the zoo near Arden."
# Read by a person: every phrasing of every sentence and question comes at least once.
BY_HAND = [
    ("Anna looks after the seals, and Ben looks after the apes.",
     "Does Ben look after the apes?", 1),
    ("The seals are in the care of Anna, the apes in the care of Ben.",
     "Are the apes in the care of Anna?", 0),
    ("While Ben takes care of the apes, Anna takes care of the seals.",
     "Does Anna look after the seals?", 1),
    ("Anna counted 7 owls, and Ben counted 9 owls that day.",
     "Did Ben count more owls than Anna?", 1),
    ("Of the owls, Anna counted 7 and Ben counted 9.",
     "Is the number of owls higher for Anna than for Ben?", 0),
    ("The number of owls was 7 for Anna but 9 for Ben.", "Did Anna count fewer owls than Ben?", 1),
    ("Of the owls, Anna counted 7 and Ben counted 9.",
     "Is the number of owls lower for Ben than for Anna?", 0),
    ("Of the owls, Anna counted 7 and Ben counted 9.", "Did Ben and Anna count 16 owls in all?", 1),
    ("The number of owls was 7 for Anna but 9 for Ben.",
     "Is 15 the number of owls that Anna and Ben counted together?", 0),
    ("Anna counted 7 owls, and Ben counted 9 owls that day.",
     "Did Anna and Ben count more than 15 owls in all?", 1),
    ("Anna counted 7 owls, and Ben counted 9 owls that day.",
     "Is the number of owls that Anna and Ben counted together over 16?", 0),
    ("Anna and Ben drew the lions, but Cara did not.", "Did Ben draw the lions?", 1),
    ("Cara did not draw the lions, though Anna and Ben did.",
     "Is it true that Cara drew the lions?", 0),
    ("Unlike Cara, both Anna and Ben drew the lions.",
     "Is it true that Cara did not draw the lions?", 1),
    ("Unlike Cara, both Anna and Ben drew the lions.",
     "Did Ben leave without a drawing of the lions?", 0),
    ("In the morning Anna and Ben walked to the mill.",
     "Did exactly 3 people walk to the mill?", 0),
    ("The walk to the mill was joined by Anna, Ben and Cara.",
     "Was the walk to the mill joined by 3 people?", 1),
    ("To the mill went Anna, Cara, Leo and Ben, all of them on foot.",
     "Did more than 3 people walk to the mill?", 1),
    ("The walk to the mill was joined by Anna, Ben and Cara.",
     "Was the walk to the mill joined by more than 3 people?", 0),
    ("Anna arrived before Ben, and Ben arrived before Cara.", "Did Anna arrive before Cara?", 1),
    ("Cara arrived after Ben, and Ben arrived after Anna.", "Did Anna arrive after Cara?", 0),
    ("Ben came later than Anna but earlier than Cara.", "Did Cara come earlier than Anna?", 0),
    ("The seals are north of the gate, which is north of the apes.",
     "Are the apes north of the seals?", 0),
    ("The apes are on the west side of the gate, the seals on the east side.",
     "Are the seals east of the apes?", 1),
    ("From the gate one goes south to the seals and north to the apes.",
     "Does one go north from the seals to the apes?", 1),
    ("The zoo opens at 9 and closes at 17 each day.", "Is the zoo open at 18?", 0),
    ("Each day the zoo is open from 9 until 17.", "Can one go into the zoo at 10?", 1),
    ("The doors open at 9 and shut at 17 at this zoo.", "Is the zoo open at 8?", 0),
]  # fmt: skip


def row_of(sentence, question, answer, scene=SCENE):
    (reasoning, _), _ = read_form(question, "question")
    made = {"passage": f"{scene} {sentence}", "question": question, "answer": answer}
    return {**made, "reasoning": reasoning, "topic": "zoo"}


def exchange(text, first, second):
    """`text` with two words in each other's place."""
    return re.sub(rf"\b(?:{first}|{second})\b", lambda w: second if w[0] == first else first, text)


@pytest.mark.parametrize(("sentence", "question", "yes"), BY_HAND)
def test_truth_read_by_hand(sentence, question, yes):
    right, wrong = ("yes", "no") if yes else ("no", "yes")
    assert WORLD.check(row_of(sentence, question, right))
    assert not WORLD.check(row_of(sentence, question, wrong))


def test_every_phrasing_is_read_by_hand():
    used = Counter(read_form(sentence, "sentence")[0] for sentence, _, _ in set(BY_HAND))
    asked = Counter(read_form(question, "question")[0] for _, question, _ in BY_HAND)
    masked = {blank(text) for case in BY_HAND for text in case[:2]}
    for table, seen in ((SENTENCES, used), (QUESTIONS, asked)):
        for key, forms in table.items():
            if key != "scene":
                assert seen[key] and {blank(form) for form in forms} <= masked, key


def blank(form):
    """A form or a text with its slots left out, so that the two can be compared."""
    form = re.sub(r"\{group\}", "{a} and {b}", form)
    words = "seals apes owls lions mill gate zoo north south east west".split()
    form = re.sub(rf"\b(?:{'|'.join(NAMES + words)})\b|\b\d+\b|\{{\w+\}}", "_", form)
    return re.sub(r"_(?:, _)+(?= and _)", "_", form)


def test_answers_balance_within_each_reasoning_type():
    rows = WORLD.rows(4000, seed=5)
    counts = Counter((row["reasoning"], row["answer"]) for row in rows)
    assert len(counts) == 16 and len({row["topic"] for row in rows}) == 8
    for reasoning in {row["reasoning"] for row in rows}:
        yes, no = counts[reasoning, "yes"], counts[reasoning, "no"]
        assert abs(yes - no) < 4 * (yes + no) ** 0.5


def test_swapped_names_are_caught_where_they_change_the_truth():
    for row in (r for r in ROWS if r["reasoning"] in ("comparison", "ordering")):
        _, slots = read_form(row["question"], "question")
        asked = exchange(row["question"], slots["a"], slots["b"])
        told = exchange(row["passage"], slots["a"], slots["b"])
        assert not WORLD.check({**row, "question": asked})
        assert not WORLD.check({**row, "passage": told})
        assert WORLD.check({**row, "question": asked, "passage": told})


def test_changed_numbers_are_caught_where_they_change_the_truth():
    caught = 0
    for row in ROWS:
        (reasoning, variant), slots = read_form(row["question"], "question")
        if variant == "exactly" and row["answer"] == "yes":
            asked = row["question"].replace(slots["n"], str(int(slots["n"]) + 1))
        elif reasoning == "time" and row["answer"] == "yes":
            asked = row["question"].replace(slots["n"], "23")
        elif reasoning == "time":
            asked = row["question"].replace(slots["n"], "13")
        else:
            continue
        assert not WORLD.check({**row, "question": asked})
        caught += 1
    assert caught > 50


def test_a_story_that_lacks_the_facts_or_tells_them_twice_is_wrong():
    sentence, question, _ = BY_HAND[0]
    assert not WORLD.check(row_of(BY_HAND[-1][0], question, "yes"))
    assert not WORLD.check(row_of(f"{sentence} {sentence}", question, "yes"))
    assert not WORLD.check(row_of("Anna looks after the seals, and Anna looks after the apes.",
                                  question, "no"))  # fmt: skip
    assert not WORLD.check(
        row_of(BY_HAND[0][0], question, "yes", scene=SCENE.replace("zoo", "farm"))
    )
    twisted = "From the gate one goes west to the seals and north to the apes."
    assert not WORLD.check(row_of(twisted, "Are the seals west of the apes?", "yes"))


def test_rephrase_keeps_the_truth_and_changes_every_sentence():
    rng = random.Random(0)
    for row in ROWS[:200]:
        said = WORLD.rephrase(row, rng)
        assert WORLD.check(said) and said["question"] != row["question"]
        pairs = zip(said["passage"].split(". "), row["passage"].split(". "), strict=True)
        assert all(new != old for new, old in pairs)
