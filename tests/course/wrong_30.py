"""Wrong answers to the exercises of lesson 30; `Wrong` in tests/lessons/runner.py says how."""

WRONG = [
    ("30.1", "sign is turned", "+= step", "-= step"),
    ("30.1", "divide it by the step", "(at_end - query_losses(moved, queries))",
     "(at_end - query_losses(moved, queries)) / step"),
    ("30.1", "do not change", "query_losses(reference, queries)", "query_losses(moved, queries)"),
    ("30.2", "has to be huge", "far = grad_dot(datainf(Q, G), G)",
     "far = grad_dot(datainf(Q, G, c=1e6), G)"),
    ("30.2", "queries of each row", "in zip(a.T, b.T)]", "in zip(a, b)]"),
    ("30.2", "swapped", "ranked_like = dict(zip(ranked_like, reversed(ranked_like.values())))"),
    ("30.3", "all matrices", "if True]", "if part in name]"),
    ("30.3", "harms most", "argmin(0)", "argmax(0)"),
    ("30.4", "halves of its own", "range(repeats):\n        rng = np.random.default_rng(seed)",
     "range(repeats):"),
    ("30.4", "over the queries", "losses))", "losses).mean())"),
    ("30.4", "other halves", "halves[::-1], losses", "halves, losses"),
]  # fmt: skip
