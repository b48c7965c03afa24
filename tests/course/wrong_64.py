"""Wrong answers to the exercises of lesson 64; `Wrong` in tests/lessons/runner.py says how."""

WRONG = [
    ("64.1", "mean of the parts' means",
     "def centre(points, shards):\n    parts = np.array_split(points, shards)\n"
     "    return points - np.mean([part.mean(0) for part in parts], axis=0)"),
    ("64.1", "its own mean", "part - part.mean(0)", "part - total / n"),
    ("64.1", "the shape of the points", "return total / n if shards else np.concatenate(",
     "return np.concatenate("),
    ("64.2", "root of D", "(errors[1024] / error)", "(errors[1024] / error) ** 2"),
    ("64.2", "upside down", "(error / errors[1024]) ** 2", "(errors[1024] / error) ** 2"),
    ("64.3", "round up", "int(hours / left)", "int(np.ceil(hours / left))"),
    ("64.3", "the start counts", "left = limit", "left = limit - start"),
    ("64.3", "return infinity", "if left > 0 else 1", "if left > 0 else np.inf"),
]  # fmt: skip
