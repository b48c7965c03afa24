"""Wrong answers to the exercises of lesson 31; `Wrong` in tests/lessons/runner.py says how."""

WRONG = [
    ("31.1", "this is the entropy", "def effective(sizes, first=effective):\n"
     "    return np.log(first(sizes))"),
    ("31.1", "squared shares", "def effective(sizes):\n"
     "    return 1 / ((np.array(sizes) / sum(sizes)) ** 2).sum()"),
    ("31.1", "an empty part", "def effective(sizes):\n    shares = np.array(sizes) / sum(sizes)\n"
     "    with np.errstate(all='ignore'):\n"
     "        return np.exp(-(shares * np.log(shares)).sum())"),
    ("31.2", "shares that move", "unmoved = {how: 1 - share for how, share in unmoved.items()}"),
    ("31.2", "after the division", "unmoved['z'] = 1.0"),
    ("31.3", "fully trained", "early_agreement = {\n    'order': agreement(assign(six), order),\n"
     "    'domain': agreement(assign(six), domain)}"),
    ("31.3", "swapped",
     "early_agreement = dict(zip(early_agreement, reversed(early_agreement.values())))"),
    ("31.4", "maximize", "linear_sum_assignment(places)",
     "linear_sum_assignment(places, maximize=True)"),
    ("31.4", "not equal", "equal_parts = assign"),
    ("31.4", "raw scores", "np.repeat(table, each, axis=0)",
     "np.repeat(normalise(table), each, axis=0)"),
    ("31.5", "with the orders", "with_domain = with_order"),
    ("31.5", "the other way round", "scores[:4]", "scores[[0, 18, 24, 30]]"),
    ("31.5", "swapped", "with_domain = dict(zip(with_domain, reversed(with_domain.values())))"),
]  # fmt: skip
