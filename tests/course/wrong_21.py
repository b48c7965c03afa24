"""Wrong answers to the exercises of lesson 21; `Wrong` in tests/lessons/runner.py says how."""

WRONG = [
    ("21.1", "mask the numbers of both", "def agreement(name, shift):\n"
     "    own = [real[i]['text'] for i in made[name]['context']]\n"
     "    own = own[shift:] + own[:shift]\n"
     "    return np.mean([a == b for a, b in zip(made[name]['text'], own)])"),
    ("21.1", "is a count", "def agreement(name, shift, first=agreement):\n"
     "    return first(name, shift) * len(made[name])"),
    ("21.1", "changes nothing", "def agreement(name, shift, first=agreement):\n"
     "    return first(name, 0)"),
    ("21.1", "every real text", "def agreement(name, shift):\n"
     "    return np.mean([masked(text) in known for text in made[name]['text']])"),
    ("21.1", "['context'][j]", "def agreement(name, shift):\n"
     "    texts = [masked(text) for text in made[name]['text']]\n"
     "    return np.mean([a == b for a, b in zip(texts, known[shift:])])"),
    ("21.2", "any training text", "def point(method):\n"
     "    rows = made['SSMC, all'][:60]  # the drafts of seed 1\n"
     "    return entropy - tokens * method.loss(held), np.mean(rows['near_copy_train'])"),
    ("21.2", "per token", "def point(method):\n"
     "    rows = made['SSMC, all'][:60]\n"
     "    return entropy / tokens - method.loss(held), np.mean(rows['near_copy_own'])"),
    ("21.2", "multiply the loss", "def point(method):\n"
     "    rows = made['SSMC, all'][:60]\n"
     "    return entropy - method.loss(held), np.mean(rows['near_copy_own'])"),
    ("21.2", "keep every draft", "def point(method):\n"
     "    rows = method.sample(60, seed=1, drop=(*DROPPED, NEAR_COPY))\n"
     "    return entropy - tokens * method.loss(held), np.mean(rows['near_copy_own'])"),
    ("21.3", "per token", 'lora["passed"] /= tokens'),
    ("21.3", "sign is turned", 'lora["passed"] *= -1'),
    ("21.3", "names the text", 'lora["most"] = entropy'),
    ("21.3", "where does that end", 'lora["most"] = lora["passed"]'),
    ("21.3", "LoRA has none", 'lora["most"] = through["passed (nats per text)"]["SSMC, all"]'),
    ("21.4", "swapped", "tv = dict(zip(tv, reversed(tv.values())))"),
    ("21.4", "negate the mask", "texts[copied]", "texts[~copied]"),
    ("21.4", "of their own text", 'drafts["near_copy_own"]', 'drafts["near_copy_train"]'),
    ("21.4", "one factor", "tv = {'all': factor_tv(target, list(texts))['town'],\n"
     "      'no near copies': factor_tv(target, list(texts[~copied]))['town']}"),
]  # fmt: skip
