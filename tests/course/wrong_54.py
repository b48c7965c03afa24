"""Wrong answers to the exercises of lesson 54; `Wrong` in tests/lessons/runner.py says how."""

WRONG = [
    ("54.1", "the rise in nats", "np.mean(other) - np.mean(own)",
     "np.mean(other) / np.mean(own) - 1"),
    ("54.1", "a decoder that does not listen must have 0", "np.mean(other) / np.mean(own)",
     "np.mean(other) / np.mean(own) - 1"),
    ("54.2", "the other way round", "valid**fields", "valid ** (1 / fields)"),
    ("54.2", "multiplied, not added", "valid / fields", "valid ** (1 / fields)"),
    ("54.3", "ask for a function as well", "return True",
     "return any(isinstance(node, ast.FunctionDef) for node in ast.walk(tree))"),
    ("54.3", "has the word def",
     "def share_parsing(texts):\n    return float(np.mean(['def ' in text for text in texts]))"),
]  # fmt: skip
