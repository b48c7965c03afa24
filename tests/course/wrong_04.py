"""Wrong answers to the exercises of lesson 04; `Wrong` in tests/lessons/runner.py says how."""

WRONG = [
    ("04.1", "without replacement", "replace=True", "replace=False"),
    ("04.1", "plain distinct-n", "def expected_distinct(texts, n, k, seed=0):\n"
     "    return distinct_n(texts, n)"),
    ("04.1", "the first `k`", "for i in range(k)], n)", "for i in draw], n)"),
    ("04.2", "mask the digits", "exact_duplicates(texts, questions)",
     "exact_duplicates(mask(texts), mask(questions))"),
    ("04.2", "compare in full",
     "near_duplicates(texts, questions, threshold=0.3, mask_digits=True)",
     "exact_duplicates(mask(texts), mask(questions))"),
    ("04.3", "too many copies", "fooling = A"),
    ("04.3", "too much artificial text", "fooling = respelt"),
    ("04.3", "real ones", "fooling = B"),
    ("04.4", "must not touch", "items_needed = next(n for n in range(500, 20_000, 100)\n"
     "    if proportion_interval(round(0.78 * n), n).high < 0.80)"),
    ("04.4", "too few", "items_needed = 1319"),
    ("04.4", "more than needed", "items_needed = 20_000"),
]  # fmt: skip
