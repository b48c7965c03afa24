"""Wrong answers to the exercises of lesson 40; `Wrong` in tests/lessons/runner.py says how."""

WRONG = [
    ("40.1", "a share", "def gain(points, k, first=gain):\n    return first(points, k) / 100"),
    ("40.1", "sign is turned", "def gain(points, k, first=gain):\n    return -first(points, k)"),
    ("40.1", "the same", "neighbours=1)", "neighbours=m)"),
    ("40.2", "never changes", "C = C", "C = C - np.outer(C[i], C[i]) / (C[i, i] + noise)"),
    ("40.2", "not divided", "(C**2).sum(0), -1)", "(C**2).sum(0) / (C.diagonal() + noise), -1)"),
    ("40.2", "as GP does", "C.diagonal(), -1)", "(C**2).sum(0) / (C.diagonal() + noise), -1)"),
    ("40.3", "begins again", "first=0)", "covered=begun)"),
    ("40.3", "next 8 picks", "gp_select(X, len(begun) + k, length, covered=begun)",
     "gp_select(X, k, length, covered=begun)"),
    ("40.4", "the 2 cancels", "times_length = np.sqrt(2 * np.log(1e16))"),
    ("40.4", "take its root", "times_length = np.log(1e16)"),
]  # fmt: skip
