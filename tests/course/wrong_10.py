"""Wrong answers to the exercises of lesson 10; `Wrong` in tests/lessons/runner.py says how."""

WRONG = [
    ("10.1", "hold a point", ">= 1).mean()", "== 0).mean()"),
    ("10.1", "number of empty windows", ".sum()", ".mean()"),
    ("10.1", "whatever `k` is", "k=2)", "k=k)"),
    ("10.2", "several times", "seeds = [i for region in thin for i in np.flatnonzero"
     "(region.holds(points))]", "seeds = {i for region in thin for i in np.flatnonzero"
     "(region.holds(points))}"),
    ("10.2", "so they grow", "n = 20", "n = int((20 - 1) / Fraction(stride)) + 1"),
    ("10.2", "one window off", "n = int(20 / Fraction(stride))",
     "n = int((20 - 1) / Fraction(stride)) + 1"),
    ("10.3", "two of them", "n * u", "n * u // 2"),
    ("10.3", "all pairs", "n * (n - 1) // 2", "n * u // 2"),
    ("10.3", "round down", "n * u / 2", "n * u // 2"),
    ("10.4", "swapped", 'reading["purest"], reading["most rare"] = '
     'reading["most rare"], reading["purest"]'),
    ("10.4", "anything at all", "+ 0.0", "+ 0.06"),
]  # fmt: skip
