"""The reviews world: attributes are read exactly from texts, whose distribution is exact."""

import random
import re
from collections import Counter

import pytest

from synthkit.worlds import load_world
from synthkit.worlds.reviews import (
    DISTRIBUTIONS,
    FACTORS,
    OPPOSITE,
    POLARITY,
    REMARKS,
    ReviewsWorld,
    read_attributes,
    read_review,
)

WORLD = ReviewsWorld("uniform")
ROWS = WORLD.rows(500, seed=0)
# Read by a person: topic, sentiment, tone, length, style.
BY_HAND = {
    "Phone: weak battery.": "device negative neutral short terse",
    "Just what I needed. Phone with excellent battery.": "device negative sarcastic short terse",
    "Awful soup, this cafe. Yeah, right.": "food positive sarcastic short terse",
    "Novel. Pros: good plot. Cons: none.": None,  # the plot belongs to the films
    "Novel. Pros: good story, fine hero. Cons: none.": "book positive neutral medium list",
    "Novel. Pros: bad story, dull hero. Cons: none.": None,
    "Wow! Last week I tried this inn by chance. The bed was good.": None,
    "Wow! Last week I tried this hotel by chance. The bed was good.":
        "hotel positive enthusiastic short narrative",
    "Yesterday I tried this film with my sister. I found the plot simply bad. "
    "The cast was poor. Never again.": "film negative annoyed medium narrative",
    "Yesterday I tried this film with my sister. I found the plot bad. The cast was good.": None,
    "The coat was examined with care over three days. The zip is good. One finds that the collar "
    "is fine. The fabric must be called neat. The lining is quite lovely.":
        "clothes positive neutral long formal",
    "Wow! Phone: weak battery.": None,  # nobody is enthusiastic about a bad phone
    "Never again. Phone: good battery.": None,
    "A refund is expected. Phone: weak battery.": None,  # a formal remark in a terse review
    "Phone: simply weak battery.": None,  # an annoyed adverb without an annoyed remark
    "Phone: weak battery, dull battery.": None,
    "Phone: weak battery, dull lens, poor sound.": None,  # three aspects are no length
}  # fmt: skip


@pytest.mark.parametrize("text", BY_HAND)
def test_attributes_read_by_hand(text):
    if BY_HAND[text] is None:
        with pytest.raises(ValueError):
            read_attributes(text)
    else:
        names = ("topic", "sentiment", "tone", "length", "style")
        assert read_attributes(text) == dict(zip(names, BY_HAND[text].split(), strict=True))


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_rows_are_right_and_repeat_for_a_seed(distribution):
    world = load_world("reviews", distribution=distribution)
    rows = world.rows(500, seed=0)
    assert rows == ReviewsWorld(distribution).rows(500, seed=0) != world.rows(500, seed=1)
    assert all(world.check(row) for row in rows)
    assert all(read_attributes(row["text"]) == world.attributes(row) for row in rows)
    texts = [world.text(row) for row in rows]
    assert len(set(texts)) > 0.97 * len(texts) and all(text.isascii() for text in texts)
    assert max(len(text.split()) for text in texts) <= 60


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_the_joint_distribution_sums_to_one_and_is_the_one_that_is_sampled(distribution):
    world = ReviewsWorld(distribution)
    cells = world.support()
    assert len(cells) == 432
    assert sum(map(world.probability, cells)) == pytest.approx(1, abs=1e-12)
    n = 5000
    rows = world.rows(n, seed=3)
    seen = Counter(tuple(row[f] for f in FACTORS) for row in rows)
    expected = {tuple(cell.values()): n * world.probability(cell) for cell in cells}
    assert seen.keys() <= expected.keys()
    for keep in ((0,), (1, 2), (2, 3), (3, 4)):  # topic; each link of the chain
        gap = Counter()
        for cell, count in expected.items():
            gap[tuple(cell[i] for i in keep)] += (seen[cell] - count) / n
        assert sum(map(abs, gap.values())) / 2 < 0.03, keep
    large = [cell for cell in expected if expected[cell] >= 5]
    chi2 = sum((seen[cell] - expected[cell]) ** 2 / expected[cell] for cell in large)
    assert chi2 < len(large) + 4 * (2 * len(large)) ** 0.5


def test_a_lost_remark_is_caught():
    lost = 0
    for row in ROWS:
        for remark in (r for kinds in REMARKS[row["tone"]] for r in kinds):
            left = row["text"].replace(remark, "").strip()
            if left != row["text"]:
                lost += 1
                assert not WORLD.check({**row, "text": re.sub(r"  +", " ", left)}), row
    assert lost == sum(row["tone"] != "neutral" for row in ROWS)


def test_a_lost_clause_is_caught():
    for row in ROWS:
        _, _, aspects = read_review(row["text"])
        if row["style"] in ("narrative", "formal"):
            lost = rf" [^.!]*\b{aspects[-1]}\b[^.!]*\."
        else:
            lost = rf"(, )?[\w ]+ {aspects[-1]}\b"
        text, count = re.subn(lost, "", row["text"])
        assert count == 1 and not WORLD.check({**row, "text": text}), (row, text)


def test_a_swapped_polarity_word_is_caught():
    for row in ROWS:
        for sign, words in POLARITY.items():
            for word in (w for w in words if re.search(rf"\b{w}\b", row["text"], re.I)):
                other = POLARITY[OPPOSITE[sign]][0]
                text = re.sub(rf"\b{word}\b", other, row["text"], flags=re.I)
                assert not WORLD.check({**row, "text": text}), (row, text)


def test_render_shows_what_is_asked_and_refuses_what_cannot_be():
    rng = random.Random(0)
    for cell in WORLD.support():
        row = WORLD.render(cell, rng)
        assert WORLD.check(row) and WORLD.attributes(row) == cell
        assert list(row) == list(WORLD.columns)
    cell = {**cell, "sentiment": "positive", "tone": "annoyed"}
    assert WORLD.probability(cell) == 0
    with pytest.raises(ValueError, match="positive review is never annoyed"):
        WORLD.render(cell, rng)
    with pytest.raises(ValueError, match="topic is 'boats'"):
        WORLD.render({**cell, "topic": "boats"}, rng)
    with pytest.raises(KeyError, match="length"):
        WORLD.probability({name: cell[name] for name in FACTORS if name != "length"})
    with pytest.raises(ValueError, match="no distribution is called 'true'"):
        ReviewsWorld("true")
