"""Wrong answers to the exercises of lesson 11; `Wrong` in tests/lessons/runner.py says how."""

WRONG = [
    ("11.1", "sum to 1", "def own_average(E):\n    return E / len(E)"),
    ("11.1", "whole again", "def own_average(E):\n    return E / 2"),
    ("11.1", "a row per token", "def own_average(E):\n    return E.mean(0)"),
    ("11.2", "swapped", "def blend(E1, w1, E2, w2, share):\n"
     "    return average_embedding(2 * share * E1, w1, 2 * (1 - share) * E2, w2)"),
    ("11.2", "half as large", "def blend(E1, w1, E2, w2, share):\n"
     "    return average_embedding((1 - share) * E1, w1, share * E2, w2)"),
    ("11.2", "no effect", "def blend(E1, w1, E2, w2, share):\n"
     "    return average_embedding(E1, (1 - share) * w1, E2, share * w2)"),
    ("11.3", "too small", "edge = 1 / 8"),
    ("11.3", "not the smallest", "edge = 1"),
    ("11.3", "no power of two", "edge = 0.3"),
    ("11.4", "backwards", "def align_right(a, b):\n"
     "    (Ea, Eb), (wa, wb) = lm.embed_tokens([a, b]), lm.attention_weights([a, b])\n"
     "    return average_embedding(Ea.flip(0), wa.flip(0), Eb.flip(0), wb.flip(0))"),
    ("11.4", "not their weights", "def align_right(a, b):\n"
     "    (Ea, Eb), (wa, wb) = lm.embed_tokens([a, b]), lm.attention_weights([a, b])\n"
     "    return average_embedding(Ea.flip(0), wa, Eb.flip(0), wb).flip(0)"),
    ("11.4", "as before", "def align_right(a, b):\n"
     "    (Ea, Eb), (wa, wb) = lm.embed_tokens([a, b]), lm.attention_weights([a, b])\n"
     "    return average_embedding(Ea, wa, Eb, wb)"),
]  # fmt: skip
