"""Checks of lesson 43: labels that are shown, random picks, a schema, what the encoder sees."""

from __future__ import annotations

import numpy as np

from .checks import close


def exercise_1(label_shown, lesson):
    """The share of each pool's texts that show the sentiment that was asked for."""
    missing = set(lesson.pools) - set(label_shown)
    if missing:
        return f"a share for each pool is asked for; {', '.join(sorted(missing))} is missing."
    shares = np.array([float(label_shown[name]) for name in lesson.pools])
    right, readable = [], []
    for rows in lesson.pools.values():
        shown = [lesson.REVIEWS.read(text).get("sentiment") for text in rows["text"]]
        right.append(np.mean([a == b for a, b in zip(shown, rows["label"])]))
        readable.append(np.mean([a is not None for a in shown]))
    right, readable = np.array(right), np.array(readable)
    if close(shares, right):
        return None
    if close(shares, readable):
        return "these are shares of readable texts; compare what is read with `label`."
    if close(shares, right / readable):
        return "these are shares of the readable texts; a text that shows no sentiment counts too."
    if close(shares, 1 - right):
        return "these are the wrong labels; the right ones are asked for."
    if close(shares, right * [len(rows) for rows in lesson.pools.values()]):
        return "these are counts; divide by the number of texts."
    k = int(np.abs(shares - right).argmax())
    return f"of the pool {list(lesson.pools)[k]!r} a share of {right[k]:.2f} shows its label."


def _fitted(lesson, **options):
    by = lesson.SynAlign(
        teacher=lesson.oracle(lesson.habits), describe="read", preset=lesson.SCALE, **options
    )
    return by.fit(lesson.real, validation=lesson.fresh)


def _distances(lesson, by):
    return lesson.measure_pool(by.pool(lesson.n), by)[0]


def _covered(by, held_out=False):
    from synthkit.studies.synalign.coverage import coverage

    real, picks = by.fitted.real, by.fitted.plan.picks
    if held_out:
        return coverage(real.vectors, picks)
    return coverage(real.vectors[real.fit], np.searchsorted(real.fit, picks))


def exercise_2(by_lot, lesson):
    """Distance and coverage of proportional random demonstrations."""
    distance, covered = float(by_lot["distance"]), float(by_lot["coverage"])
    drawn = _fitted(lesson, select="random", split="proportion")
    apart, near = _distances(lesson, drawn), _covered(drawn)
    wanted = apart["equal weights"], near["95th percentile"]
    if close([distance, covered], wanted, rel=0.005):
        return None
    if close([covered, distance], wanted, rel=0.02):
        return "the two are swapped."
    if close(distance, apart["fitted weights"], rel=0.02):
        return "this is the distance with fitted weights; before weights, it is that of equal ones."
    for name in ("mean distance", "largest distance"):
        if close(covered, near[name], rel=0.02):
            return f"this is the {name} to a demonstration; the 95th percentile is asked for."
    if close(covered, _covered(drawn, held_out=True)["95th percentile"], rel=0.005):
        return "the texts held out are measured too: take `vectors[real.fit]`."
    usual = _fitted(lesson)
    if close(distance, _distances(lesson, usual)["equal weights"], rel=0.02):
        return "this is the pool of GP picks: pass `select` and `split` to `SynAlign`."
    if close(covered, _covered(usual)["95th percentile"], rel=0.02):
        return "these are the GP's demonstrations: pass `select` and `split` to `SynAlign`."
    if not close(distance, wanted[0], rel=0.005):
        return f"the distance is {wanted[0]:.2f} floors: fit on `real`, with `validation=fresh`."
    return f"95 % of the texts have a demonstration within {wanted[1]:.3f}, and not {covered:.3f}."


def exercise_3(coarse, lesson):
    """A schema of two attributes, and the distance of its pool."""
    schema, distance = coarse["schema"], float(coarse["distance"])
    names = set(schema.names)
    if names >= set(lesson.REVIEWS.names):
        return "these are all five attributes: keep those named length and style."
    if names != {"length", "style"}:
        return f"two attributes are asked for, length and style; found {', '.join(schema.names)}."
    if set(schema.observable) != names:
        return "an attribute without `read` cannot be read from the texts: `describe='read'`."
    if schema.write != lesson.REVIEWS.write:
        return "the oracle knows the template of `REVIEWS`: keep `write` and `describe`."
    apart = _distances(lesson, _fitted(lesson, schema=schema))
    if close(distance, apart["equal weights"], rel=0.02):
        return None
    if close(distance, apart["fitted weights"], rel=0.02):
        return "this is the distance with fitted weights; give that with equal ones."
    if close(distance, _distances(lesson, _fitted(lesson))["equal weights"], rel=0.02):
        return "this is the pool of all five attributes: pass `schema` to `SynAlign`."
    return f"with this schema the pool lies at {apart['equal weights']:.2f} floors."


def exercise_4(fall, lesson):
    """The fall of the total variation of the length, under two encoders."""
    from synthkit.synalign.judging import total_variation

    found = [float(fall["tfidf"]), float(fall["lm"])]
    habitual = lesson.habits.rows(200, seed="habitual")
    rows = {
        "text": [row["text"] for row in habitual], "label": [row["sentiment"] for row in habitual],
    }  # fmt: skip

    def variation(name, weights=None):
        values, true = ([row[name] for row in some] for some in (habitual, lesson.fresh))
        return total_variation(values, true, weights)

    weights = {}
    for spec in ("tfidf", "lm"):
        by = lesson.SynAlign(lesson.lm, encoder=spec, describe="read", preset=lesson.SCALE)
        by.fit(lesson.real, validation=lesson.fresh)
        weights[spec] = by.weigh(lesson.pd.DataFrame(rows))
    before = {name: variation(name) for name in ("length", "tone")}
    after = {name: [variation(name, w) for w in weights.values()] for name in before}
    wanted = before["length"] - np.array(after["length"])
    if close(found, wanted, abs=0.02):
        return None
    if close(found[::-1], wanted, abs=0.02):
        return "the two encoders are swapped."
    if close(found, after["length"], abs=0.02):
        return "this is the total variation that is left; give how much weights lower it."
    if close(found, -wanted, abs=0.02):
        return "the sign is turned: take before minus after."
    if close(found, before["tone"] - np.array(after["tone"]), abs=0.02):
        return "this is the tone; the length is asked for."
    if close(found, wanted / before["length"], abs=0.02):
        return "this is the share by which it falls; give the difference."
    return f"it falls by {wanted[0]:.2f} under TF-IDF and by {wanted[1]:.2f} under 'lm'."
