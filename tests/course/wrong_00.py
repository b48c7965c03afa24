"""Wrong answers to the exercises of lesson 00; `Wrong` in tests/lessons/runner.py says how."""

WRONG = [
    ("00.1", "2**30", "needed = 70 * 0.75 / 0.8"),
    ("00.1", "divide by 0.8", "needed = 70e9 * 0.75 / 2**30"),
    ("00.1", "half a byte", "needed = 70e9 * 0.5 / 0.8 / 2**30"),
    ("00.1", "half a byte", "needed = 35"),
    ("00.1", "in bytes: divide by 2**30", "needed = 70e9 * 0.75 / 0.8"),
    ("00.1", "weights alone", "needed = 70 * 0.75"),
    ("00.1", "inverse question", "needed = largest_model(70, '4-bit')"),
    ("00.1", "give a number", "needed = '61 GiB'"),
    ("00.1", "not 12.0: solve", "needed = 12"),
    ("00.2", "four seeds", "temperature=0.0", "temperature=1.0"),
    ("00.2", "first of the list", "def ask(seed):\n"
     "    return lm.generate(prompts[:1], temperature=1.0, seed=seed)"),
    ("00.3", "swapped", "reviews = {0.0: reviews[1.0], 1.0: reviews[0.0]}"),
    ("00.3", "not a share", "reviews[0.0]['different'] /= 40"),
    ("00.3", "not their number", "reviews[0.0]['right'] *= 40"),
]  # fmt: skip
