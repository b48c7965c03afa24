"""Wrong answers to the exercises of lesson 32; `Wrong` in tests/lessons/runner.py says how."""

WRONG = [
    ("32.1", "the ceiling", 'redrawn["expected"] = 1 - 1 / K'),
    ("32.1", "one of K adapters", 'redrawn["expected"] = once * (1 - 1 / (2 * K))'),
    ("32.1", "one adapter twice", 'redrawn["expected"] = once / K'),
    ("32.1", "asked once", 'redrawn["measured"] = once'),
    ("32.1", "expectation again", 'redrawn["measured"] = redrawn["expected"]'),
    ("32.2", "turned over", 'seed_alone["share"] **= -1'),
    ("32.2", "whose rows differ", 'seed_alone["diversity"] = parts_by_chance'),
    ("32.2", "SPA's diversity",
     'seed_alone["share"] = seed_alone["diversity"] / readings.loc["SPA", "diversity"]'),
    ("32.2", "left for the rows", 'seed_alone["share"] = 1 - seed_alone["share"]'),
    ("32.3", "swapped", "leads = dict(zip(leads, reversed(leads.values())))"),
    ("32.3", "leads in diversity", 'measure="diversity"', 'measure="working modes"'),
    ("32.3", "temperature 1",
     'leads = {skew: lead("one adapter, temperature 1", skew) for skew in ("strong", "mild")}'),
    ("32.3", "sign is turned", "leads = {skew: -each.mean for skew, each in leads.items()}"),
    ("32.4", "counted once", "def cost(scores, labels, first=cost):\n"
     "    return first(scores, labels) / 2"),
    ("32.4", "adds their squares", "def cost(scores, labels):\n"
     "    parts = [scores[:, labels == k] for k in np.unique(labels)]\n"
     "    return sum(np.linalg.norm(p[:, :, None] - p[:, None], axis=0).sum() for p in parts)"),
    ("32.4", "different parts", "def cost(scores, labels, first=cost):\n"
     "    return first(scores, 0 * labels)"),
    ("32.4", "k-means", "def cost(scores, labels):\n"
     "    parts = [scores[:, labels == k] for k in np.unique(labels)]\n"
     "    return sum(((p - p.mean(1, keepdims=True)) ** 2).sum() for p in parts)"),
    ("32.5", "over all rows", "def known(labels, source, orders):\n"
     "    return dict.fromkeys(np.unique(orders), agreement(labels, source))"),
    ("32.5", "compared with the orders", "def known(labels, source, orders, first=known):\n"
     "    return first(labels, orders, orders)"),
    ("32.5", "a dictionary", "def known(labels, source, orders):\n"
     "    return agreement(labels, source)"),
]  # fmt: skip
