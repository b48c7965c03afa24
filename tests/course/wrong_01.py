"""Wrong answers to the exercises of lesson 01; `Wrong` in tests/lessons/runner.py says how."""

SPLIT = "pre_tokenizers.Sequence([pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(False)])"
WRONG = [
    ("01.1", "still split", SPLIT, "pre_tokenizers.ByteLevel(False)"),
    ("01.1", "pass it to the trainer", "vocab_size=2 * vocab", "vocab_size=vocab"),
    ("01.2", "prompt is missing", "lm.nll(texts).mean()", "lm.nll(texts, prompts=copying).mean()"),
    ("01.2", "swapped", "def cost(t, first=cost):\n    return first(t)[::-1]"),
    ("01.2", "the sum", "def cost(texts):\n    return lm.nll(texts).sum(), 0.1"),
    ("01.3", "first stage", "questions_drawn *= study.steps / steps"),
    ("01.3", "all documents", "questions_drawn /= math_share"),
    ("01.3", "tokens per document", "questions_drawn *= per_document"),
]
