"""Wrong answers to the exercises of lesson 44; `Wrong` in tests/lessons/runner.py says how."""

WRONG = [
    ("44.1", "is the beginning of", "parts = [parts[0], [day.strip('.') for day in parts[1]]]"),
    ("44.1", "is no date as asked for", "range(31)", "range(1, 32)"),
    ("44.1", "one space", '["March", "April", "May"]', '["March ", "April ", "May "]'),
    ("44.2", "this is chance", "1 / len(counts)", "max(counts.values()) / len(truth)"),
    ("44.2", "cannot serve all", 'counts["no"] / len(truth)', "max(counts.values()) / len(truth)"),
    ("44.2", "the first record", "counts[truth[0][name]] / len(truth)",
     "max(counts.values()) / len(truth)"),
    ("44.2", "these are counts", "max(counts.values())", "max(counts.values()) / len(truth)"),
    ("44.3", "the improvement is 1 minus each", "best / exact", "(1 - exact) / (1 - best)"),
    ("44.3", "turned", "(1 - best) / (1 - exact)", "(1 - exact) / (1 - best)"),
    ("44.3", "of the whole distance", "(1 - exact)", "(1 - exact) / (1 - best)"),
    ("44.3", "shares of tilting", "arms.TILTING", "arms.EXACT"),
    ("44.4", "fit it to the first sample alone",
     "def fault(first, second, third):\n"
     "    encode = TfidfEmbedder().fit([*first, *second, *third])\n"
     "    means = [encode(texts).mean(0) for texts in (first, second, third)]\n"
     "    return np.linalg.norm(means[0] - means[1]) / np.linalg.norm(means[1] - means[2])"),
    ("44.4", "turned", "right = fault\n\n\ndef fault(*samples):\n    return 1 / right(*samples)"),
    ("44.4", "both distances are of the first sample",
     "def fault(first, second, third):\n"
     "    encode = TfidfEmbedder().fit(first)\n"
     "    means = [encode(texts).mean(0) for texts in (first, second, third)]\n"
     "    return np.linalg.norm(means[0] - means[1]) / np.linalg.norm(means[0] - means[2])"),
]  # fmt: skip
