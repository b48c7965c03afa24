"""Wrong answers to the exercises of lesson 02; `Wrong` in tests/lessons/runner.py says how."""

WRONG = [
    ("02.1", "0.95 families unseen", "<= 0.95", "<= -math.log(0.95)"),
    ("02.1", "rarest family alone", "((1 - zipf[-1:]) ** n)", "((1 - zipf) ** n)"),
    ("02.1", "equally frequent", "((1 - np.full(40, 1 / 40)) ** n)", "((1 - zipf) ** n)"),
    ("02.2", "half the sum", "return sum(gaps)", "return sum(gaps) / 2"),
    ("02.2", "not drawn", "support if counts[tuple(c[f] for f in world.factors)]]", "support]"),
    ("02.2", "Euclidean", "return sum(g**2 for g in gaps) ** 0.5", "return sum(gaps) / 2"),
    ("02.3", "no passage was changed", "def disguise(row):\n    return row"),
    ("02.3", "the passage alone",
     "def disguise(row):\n    return row | {'answer': OTHER[row['answer']]}"),
    ("02.3", "what the question needs",
     "def disguise(row):\n    return row | {'passage': 'It is Monday.'}"),
]  # fmt: skip
