"""Wrong answers to the exercises of lesson 13; `Wrong` in tests/lessons/runner.py says how."""

WRONG = [
    ("13.1", "1.96 is for many seeds", "1.96", "t.ppf(0.975, len(gains) - 1)"),
    ("13.1", "spread of single seeds", "np.std(gains, ddof=1)",
     "np.std(gains, ddof=1) / np.sqrt(len(gains))"),
    ("13.2", "the square is missing", "(2 * spread / effect)", "(2 * spread / effect) ** 2"),
    ("13.2", "seeds that were run", "np.std(gains, ddof=1) / len(gains) ** 0.5",
     "np.std(gains, ddof=1)"),
    ("13.3", "columns change from call to call",
     "from sklearn.feature_extraction.text import CountVectorizer\n\n\n"
     "def embed(texts):\n    return CountVectorizer().fit_transform(texts).toarray()"),
    ("13.3", "give each vector the length 1", "norm=None", 'norm="l2"'),
]  # fmt: skip
