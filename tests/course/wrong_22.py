"""Wrong answers to the exercises of lesson 22; `Wrong` in tests/lessons/runner.py says how."""

WRONG = [
    ("22.1", "ratio per token", "np.exp(gap)", "np.exp(gap * tokens)"),
    ("22.1", "nats per text", "gap * tokens", "np.exp(gap * tokens)"),
    ("22.2", "a share of the upper end", "np.mean(value / high)",
     "np.mean((value - low) / (high - low))"),
    ("22.2", "a ratio of means", "(value.mean() - low.mean()) / (high.mean() - low.mean())",
     "np.mean((value - low) / (high - low))"),
    ("22.2", "return one number", "(value - low) / (high - low)",
     "np.mean((value - low) / (high - low))"),
    ("22.3", "digits were masked one by one", r'r"\d"', r'r"\d+"'),
    ("22.3", "not masked", '"#^", "#"', r'r"\d+", "#"'),
]  # fmt: skip
