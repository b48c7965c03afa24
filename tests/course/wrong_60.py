"""Wrong answers to the exercises of lesson 60; `Wrong` in tests/lessons/runner.py says how."""

WRONG = [
    ("60.1", "turned away were written as well", "return np.mean(lengths[usable])",
     "return lengths.sum() / usable.sum()"),
    ("60.1", "this is a draft's price", "return lengths.mean()",
     "return lengths.sum() / usable.sum()"),
    ("60.2", "these are drafts", "return int(within.sum())",
     "return int((within & np.asarray(usable)).sum())"),
    ("60.2", "paid for too", "np.cumsum(np.where(usable, lengths, 0))", "np.cumsum(lengths)"),
    ("60.3", "all seeds choose and judge", "return scores.mean(axis=1).max()",
     "return float(np.mean(found))"),
    ("60.3", "best of each seed", "return scores.max(axis=0).mean()",
     "return float(np.mean(found))"),
]  # fmt: skip
