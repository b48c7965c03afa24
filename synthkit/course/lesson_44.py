"""Checks of lesson 44: a form, the commonest values, what weights reach, an encoder's fault."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np

from .checks import close

MONTHS, DAYS = ("March", "April", "May"), range(1, 32)


def exercise_1(parts, lesson):
    """The parts of a form for dates."""
    if any(isinstance(part, str) or part is None for part in parts):
        return "each part is a list of texts: a list of one where the text is given."
    for part in parts:
        for one, other in product(part, part):
            if one != other and other.startswith(one):
                return f"{one!r} is the beginning of {other!r}: what tells them apart?"
    texts = {"".join(chosen) for chosen in product(*parts)}
    wanted = {f"{month} {day}." for month in MONTHS for day in DAYS}
    if texts == wanted:
        return None
    if {text.replace(" ", "") for text in texts} == {text.replace(" ", "") for text in wanted}:
        return f"between month and day stands one space; found {min(texts)!r}."
    if texts - wanted:
        return f"{min(texts - wanted)!r} can be written, and is no date as asked for."
    return f"{len(wanted - texts)} dates cannot be written, such as {min(wanted - texts)!r}."


def exercise_2(baseline, lesson):
    """The share that is right of the commonest value, by attribute."""
    truth = [
        {"length": "short", "sentences": "one", "question": answer, "negation": other}
        for answer, other in zip(["yes", *["no"] * 5], ["yes", "no", "yes", "yes", "no", "yes"])
    ]
    found = dict(baseline(truth))
    shares = {name: Counter(row[name] for row in truth) for name in truth[0]}

    def is_share(of):
        wanted = {name: of(name, counts) / len(truth) for name, counts in shares.items()}
        return set(found) == set(wanted) and all(close(found[n], wanted[n]) for n in wanted)

    if is_share(lambda name, counts: max(counts.values())):
        return None
    if set(found) != set(shares):
        return f"one share per attribute is asked for: {', '.join(shares)}."
    if is_share(lambda name, counts: len(truth) / len(counts)):
        return "this is chance, one over the number of values; the commonest value does better."
    overall = Counter(value for row in truth for value in row.values()).most_common(1)[0][0]
    if is_share(lambda name, counts: counts[overall]):
        return "one value cannot serve all attributes: find the commonest of each."
    if is_share(lambda name, counts: counts[truth[0][name]]):
        return "this is the value of the first record; count the values first."
    if is_share(lambda name, counts: max(counts.values()) * len(truth)):
        return "these are counts; divide them by the number of records."
    return "count the values of an attribute, and divide the largest count by the records."


def exercise_3(reached, lesson):
    """The share of the possible improvement that weights reach, by encoder."""
    from ..studies.measurements import values

    def shares(of, arm=lesson.arms.EXACT):
        names = [f"over unweighted, {each}" for each in (arm, lesson.arms.BEST)]
        return [
            float(np.mean(of(*(values(lesson.study, name, case) for name in names))))
            for case in cases
        ]

    cases = lesson.encoders
    if set(reached) != set(cases):
        return f"the encoders are {', '.join(map(repr, cases))}."
    found = [np.asarray(reached[case], float) for case in cases]
    if any(each.ndim for each in found):
        return "one number per encoder: take the mean over the seeds."
    if close(found, shares(lambda exact, best: (1 - exact) / (1 - best)), rel=0.02):
        return None
    if close(found, shares(lambda exact, best: best / exact), rel=0.02):
        return "these distances are what is left; the improvement is 1 minus each."
    if close(found, shares(lambda exact, best: (1 - best) / (1 - exact)), rel=0.02):
        return "turned: the best possible weights stand in the denominator."
    if close(found, shares(lambda exact, best: 1 - exact), rel=0.02):
        return "this is the share of the whole distance; divide by what is possible, 1 - best."
    tilting = shares(lambda some, best: (1 - some) / (1 - best), lesson.arms.TILTING)
    if close(found, tilting, rel=0.02):
        return "these are the shares of tilting; exact weights are asked for."
    return "for each encoder, the mean over the seeds of (1 - exact) / (1 - best possible)."


def exercise_4(fault, lesson):
    """A ratio: the distance of the texts that an encoder learned from, over that of others."""
    from ..embed.tfidf import TfidfEmbedder

    rng = np.random.default_rng(1)
    words = np.array([f"word{i}" for i in range(60)])
    texts = [[" ".join(rng.choice(words, 8)) for _ in range(60)] for _ in range(3)]
    found = float(fault(*texts))

    def seen(learned, a=0, b=1, c=1, d=2, power=1.0):
        encode = TfidfEmbedder().fit(learned)
        means = [encode(some).mean(0) for some in texts]
        near, far = (np.linalg.norm(means[i] - means[j]) for i, j in ((c, d), (a, b)))
        return (far / near) ** power

    wanted = seen(texts[0])
    if close(found, wanted, rel=0.02):
        return None
    more = [texts[0] + texts[1], texts[0] + texts[1] + texts[2]]
    if any(close(found, seen(learned), rel=0.02) for learned in more):
        return "the encoder has learned from further texts: fit it to the first sample alone."
    if close(found, 1 / wanted, rel=0.02):
        return "turned: two samples that the encoder has not seen belong in the denominator."
    if close(found, seen(texts[0], power=2), rel=0.02):
        return "this is the ratio of the squares; take the norms themselves."
    if close(found, seen(texts[0], a=0, b=1, c=0, d=2), rel=0.02):
        return "both distances are of the first sample; compare the second with the third."
    return f"for three samples of 60 texts it should be {wanted:.2f}, and is {found:.2f}."
