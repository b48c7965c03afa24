"""Wrong answers to the exercises of lesson 41; `Wrong` in tests/lessons/runner.py says how."""

WRONG = [
    ("41.1", "start of a sentence", 'r"[A-Z]\\w+"', 'r"[a-z,] [A-Z]\\w+"'),
    ("41.1", "leave out spaces", "text[-1:]", "text.strip()[-1:]"),
    ("41.1", "are called", 'Attribute("mark", (*MARKS.values()',
     'Attribute("last mark", (*MARKS.values()'),
    ("41.2", "equal numbers of texts", "equal_calls = {m: gains[name, m].mean for m in MEASURES}"),
    ("41.2", "signs are turned", "equal_calls = {m: -value for m, value in equal_calls.items()}"),
    ("41.3", "distance itself", "lost = {n: lost[n] + complete[n] for n in lost}"),
    ("41.3", "sign is turned", "lost = {n: -lost[n] for n in lost}"),
    ("41.3", "nothing changes", "lost = dict.fromkeys(lost, 0.0)"),
    ("41.4", "swapped", "shares = dict(zip(shares, reversed(shares.values())))"),
    ("41.4", "one attribute", "shares['true'] = match(rows, REVIEWS)['length'].mean"),
]  # fmt: skip
