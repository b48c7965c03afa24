"""Wrong answers to the exercises of lesson 61; `Wrong` in tests/lessons/runner.py says how."""

WRONG = [
    ("61.1", "undecided is not refuted", '{"supported", "undecided"}', '{"supported", "refuted"}'),
    ("61.1", "supported elsewhere", '{"refuted"}', '{"supported", "refuted"}'),
    ("61.2", "all changes", "worse = set(changed['paper'])"),
    ("61.2", "get better", 'changed["verdict"] != "supported"',
     'changed["verdict"] == "supported"'),
    ("61.2", "all the claims", "worse = set(gaps['paper'])"),
    ("61.3", "arms are swapped", '"influence, wrong sign", "influence")',
     '"influence", "influence, wrong sign")'),
    ("61.3", "over random parts", '"random parts"', '"influence, wrong sign"'),
    ("61.3", "every place", "sign.popitem()"),
]  # fmt: skip
