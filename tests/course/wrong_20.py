"""Wrong answers to the exercises of lesson 20; `Wrong` in tests/lessons/runner.py says how."""

WRONG = [
    ("20.1", "swapped", "share = dict(zip(share, reversed(share.values())))"),
    ("20.1", "ignores its context", 'prompts["ssnp"], some', 'prompts["ssmc"], some'),
    ("20.1", "half of their sum", "(z_others[0::2] + z_others[1::2]) * 2",
     "(z_others[0::2] + z_others[1::2]) / 2"),
    ("20.1", "in the target", "target.log_prob(text) > -np.inf", "target.well_formed(text)"),
    ("20.2", "kinds are swapped", "other = {'ssnp': 'ssmc', 'ssmc': 'ssnp'}\n"
     "after = {(other[kind], f): loss for (kind, f), loss in after.items()}"),
    ("20.2", "factors are swapped",
     "after = {(kind, 1 if f == 1 else 1 / f): loss for (kind, f), loss in after.items()}"),
    ("20.2", "rate of SSNP", "after |= {('ssmc', 0.1): after['ssmc', 1], "
     "('ssmc', 1): after['ssmc', 10], ('ssmc', 10): 2.0}"),
    ("20.2", "changes nothing", "after = {(kind, f): after[kind, 1] for kind, f in after}"),
    ("20.3", "a count", "def same_prompt(w, families, first=same_prompt):\n"
     "    return first(w, families) * len(w)"),
    ("20.3", "mean over families", "def same_prompt(w, families):\n"
     "    choice = w.argmax(1)\n"
     "    parts = [choice[families == one] for one in set(families)]\n"
     "    return np.mean([np.bincount(part).max() / len(part) for part in parts])"),
    ("20.3", "go through families", "def same_prompt(w, families):\n"
     "    choice = w.argmax(1)\n"
     "    parts = [families[choice == one] for one in set(choice)]\n"
     "    return sum(np.unique(part, return_counts=True)[1].max() for part in parts) / len(w)"),
    ("20.3", "do not average the weights", "def same_prompt(w, families):\n"
     "    mean = {one: w[families == one].mean(0).argmax() for one in set(families)}\n"
     "    return np.mean([row.argmax() == mean[one] for row, one in zip(w, families)])"),
    ("20.3", "not that they agree", "def same_prompt(w, families):\n    return w.max(1).mean()"),
    ("20.4", "losses are swapped",
     'four["random"], four["learned"] = four["learned"], four["random"]'),
    ("20.4", "with its own", 'four["learned"] = four["random"]'),
    ("20.4", "per text", 'four = {name: four[name] * tokens for name in four}'),
    ("20.4", "parameter_count", 'four["extra numbers"] = 0'),
    ("20.4", "learned minus random", 'four["extra numbers"] *= -1'),
]  # fmt: skip
