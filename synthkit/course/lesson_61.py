"""Checks of lesson 61: mixed verdicts, direction alone, a claim of one's own."""

from __future__ import annotations

from .checks import close


def exercise_1(mixed, lesson):
    """Claims that are supported in one place and refuted in another."""
    words = lesson.linked.groupby(["method", "paper"])["verdict"].agg(set)
    found = {tuple(pair) for pair in mixed}

    def those(*needed):
        return {pair for pair, verdicts in words.items() if set(needed) <= verdicts}

    wanted = those("supported", "refuted")
    if found == wanted:
        return None
    if found == those("supported", "undecided"):
        return "these are supported here and undecided there; undecided is not refuted."
    if found == {pair for pair, verdicts in words.items() if len(verdicts) > 1}:
        return "these have any two different verdicts; supported *and* refuted is asked for."
    if found == those("refuted"):
        return "these are refuted somewhere; they must be supported elsewhere, too."
    if found and not found & set(words.index):
        return "a pair is (method, paper), in this order, as in the columns of `linked`."
    return f"{len(wanted)} claims have both verdicts, and not {len(found)}."


def exercise_2(worse, lesson):
    """Claims whose tests lose their support when only the direction counts."""
    from synthkit.core.intervals import Interval
    from synthkit.studies.claims import verdict

    def changed(rows, was_supported=True, strict=True):
        names = set()
        for row in rows.itertuples():
            now = verdict(Interval(row.ours, row.low, row.high, row.n), 0.0, strict=strict)
            if now != row.verdict and (row.verdict == "supported") == was_supported:
                names.add(row.paper)
        return names

    gaps = lesson.linked[lesson.linked["rule"].str.contains(" - ")]
    found, wanted = set(worse), changed(gaps)
    if found == wanted:
        return None
    if found == changed(gaps, was_supported=False):
        return "these verdicts get better; give those that were supported and are not any more."
    if found == changed(gaps) | changed(gaps, was_supported=False):
        return "these are all changes; give those that were supported and are not any more."
    if found == changed(gaps, strict=False):
        return "these are judged with equality allowed: `strict=True`."
    if found == changed(lesson.linked):
        return "tests of a level are among them; for these a 0 means nothing."
    if found == set(gaps["paper"]):
        return "these are all the claims; give those that lose their support."
    return f"there are {len(wanted)} such claims, and not {len(found)}."


def exercise_3(sign, lesson):
    """The gain of the right sign in every place."""
    from synthkit.studies.claims import Claim, Gap
    from synthkit.studies.measurements import places

    result = lesson.load_result("spa-study")

    def judge(*gap):
        claim = Claim("sign", "", Gap(*gap), strict=True)
        at = places(result, lesson.load_study("spa").place).items()
        return {c.place: (c.found.mean, c.verdict) for c in (claim.find(result, *p) for p in at)}

    def same(other):
        return all(
            place in other and close(sign[place][0], other[place][0]) and sign[place][1] == word
            for place, (_, word) in other.items()
            if place in sign
        )

    wanted = judge("diversity", "influence", "influence, wrong sign")
    if set(sign) - set(wanted):
        return f"the places are {', '.join(map(str, wanted))}."
    if set(wanted) - set(sign):
        return f"{len(wanted) - len(sign)} places are missing: judge it in every place."
    if same(wanted):
        return None
    if same(judge("diversity", "influence, wrong sign", "influence")):
        return "the arms are swapped: the claimed one first, what it is compared with second."
    if same(judge("diversity", "influence", "random parts")):
        return "this is the gain over random parts; compare with the wrong sign."
    place = next(iter(wanted))
    return f"in {place} the difference is {wanted[place][0]:.3f} ({wanted[place][1]})."
