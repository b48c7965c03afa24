"""Checks of lesson 32: replacement, seeds alone, a mild skew, equation 4, the source of rows."""

from __future__ import annotations

import numpy as np

from .checks import close, mean_of


def exercise_1(redrawn, lesson):
    """Diversity of answers drawn with replacement, measured and expected."""
    measured, expected = float(redrawn["measured"]), float(redrawn["expected"])
    K, once = lesson.K, lesson.readings.loc["SPA", "diversity"]
    wanted = once * (1 - 1 / K)
    if close(expected, 1 - 1 / K) and not close(once, 1):
        return "that is the ceiling, if no two adapters ever agree; multiply it by `readings`."
    if close(expected, 1 - 1 / (2 * K)) or close(expected, once * (1 - 1 / (2 * K))):
        return "there are 2 K answers, but two draws meet in one of K adapters: use 1 - 1/K."
    if close(expected, once / K):
        return "1/K is the chance of one adapter twice; the chance of two adapters is asked for."
    if not close(expected, wanted, abs=5e-3):
        return f"the chance of two different adapters times {once:.2f}, their diversity, is meant."
    if close(measured, once):
        return "each adapter was asked once: draw 2 * K answers with `replace=True`."
    if close(measured, expected):
        return "this is the expectation again: measure it on answers that you draw."
    if abs(measured - wanted) > 0.08:
        return f"{measured:.2f} is far from the expectation: draw 2 * K answers, temperature 0."


def exercise_2(seed_alone, lesson):
    """Diversity of adapters on the same rows, and its share of random parts'."""
    pair, share = float(seed_alone["diversity"]), float(seed_alone["share"])
    parts, spa = lesson.readings["diversity"][["random parts", "SPA"]]
    if close(pair, 0):
        return "no two answers differ: fit two adapters, and ask each of them once."
    if close(pair, parts):
        return 'these are random parts, whose rows differ: fit with `partition="same data"`.'
    if pair > parts:
        return f"more than random parts ({parts:.2f}): were the answers greedy, the rows the same?"
    if close(share, parts / pair):
        return "the ratio is turned over: same data belongs above, random parts below."
    if close(share, pair / spa):
        return "that is the share of SPA's diversity; divide by that of random parts."
    if close(share, 1 - pair / parts):
        return "that is the share that is left for the rows; the seed's own is asked for."
    if not close(share, pair / parts, abs=0.01):
        return f"the share is {pair:.3f} / {parts:.3f}, and not {share:.2f}."


def exercise_3(leads, lesson):
    """SPA's lead over random parts at both skews of the study."""
    from synthkit.studies.measurements import difference

    strong, mild = mean_of(leads["strong"]), mean_of(leads["mild"])

    def wanted(against="random parts", measure="working modes", sign=1):
        return [
            sign * difference(lesson.study, measure, "influence", against, **testbed).mean
            for testbed in ({"world": "records", "skew": skew} for skew in ("strong", "mild"))
        ]

    if close([strong, mild], wanted()):
        return None
    if close([mild, strong], wanted()):
        return "the two skews are swapped."
    if close([strong, mild], wanted(sign=-1)):
        return "the sign is turned: `influence` comes first, what it is compared with second."
    if close([strong, mild], wanted(measure="diversity")):
        return 'these are leads in diversity; take `"working modes"`, different right answers.'
    if close([strong, mild], wanted("one adapter, temperature 1")):
        return "this is the lead over sampling at temperature 1; random parts are asked for."
    if close(strong, wanted()[0]):
        return f'at the mild skew the lead is {wanted()[1]:.2f}: `world="records", skew="mild"`.'
    return f"at the strong skew the lead is {wanted()[0]:.2f}: `skew` selects the testbed."


def exercise_4(cost, lesson):
    """The cost of a partition by equation 4."""
    scores = np.array([[0.0, 1.0, 2.0, 5.0, 5.0, 0.0], [0.0, 1.0, 0.0, 0.0, 3.0, 7.0]])
    labels = np.array([0, 0, 0, 1, 1, 2])
    found = float(cost(scores.copy(), labels.copy()))
    apart = ((scores[:, :, None] - scores[:, None]) ** 2).sum(0)
    same = labels[:, None] == labels
    wanted = apart[same].sum()
    by_part = [apart[np.ix_(labels == k, labels == k)].sum() for k in range(3)]
    if close(found, wanted):
        return None
    if close(found, wanted / 2):
        return "each pair is counted once; the sum over i, j in a part has both (i, j) and (j, i)."
    if close(found, np.sqrt(apart[same]).sum()) or close(found, np.sqrt(apart[same]).sum() / 2):
        return "these are distances; equation 4 adds their squares."
    if close(found, apart.sum()) or close(found, apart.sum() / 2):
        return "rows of different parts are counted as well: take pairs within a part."
    if close(found, sum(c / (2 * n) for c, n in zip(by_part, (3, 2, 1)))):
        return "this is the cost of k-means: it divides each part's sum by twice its size."
    if close(found, apart[same].mean()):
        return "this is a mean over pairs; equation 4 adds them up."
    return f"the example's parts cost {wanted:.0f}, and not {found:.2f}: a row is a column of I."


def exercise_5(known, lesson):
    """Agreement of parts and source within each order."""
    orders = np.repeat(["a", "b"], 6)
    source = np.array([0, 0, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1]) == 1
    labels = np.array([0, 0, 0, 1, 1, 1, 2, 2, 0, 2, 2, 2])
    found = known(labels.copy(), source.copy(), orders.copy())
    if not isinstance(found, dict):
        return "a dictionary is asked for: one agreement for each order."
    if set(map(str, found)) != {"a", "b"}:
        return f"the keys are the orders, a and b in the check's example; found {set(found)}."
    agree = lesson.agreement
    values = [float(found[order]) for order in ("a", "b")]
    within = [orders == order for order in ("a", "b")]
    if close(values, [agree(labels[w], source[w]) for w in within]):
        return None
    if close(values, [agree(labels, source)] * 2):
        return "this is over all rows, where orders and sources go together: keep one order's."
    if close(values, [agree(labels[w], orders[w]) for w in within]):
        return "the parts are compared with the orders; compare them with the source."
    if close(values, [agree(labels[w], source[w]) for w in within][::-1]):
        return "the orders are swapped."
    if close(values, [agree(labels, source & w) for w in within]):
        return "rows of other orders take part, as if not real: leave them out."
    return "select labels and source by `orders == order`, and take their `agreement`."
