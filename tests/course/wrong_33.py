"""Wrong answers to the exercises of lesson 33; `Wrong` in tests/lessons/runner.py says how."""

WRONG = [
    ("33.1", "keep the rows that pass", "rows.groupby", 'rows[rows["passes"]].groupby'),
    ("33.1", "counts equal programs again", "right.count()", "right.nunique()"),
    ("33.1", "divide by all the prompts", "len(right)", 'rows["question"].nunique()'),
    ("33.2", "the t of three seeds", "t.ppf(0.975, len(gaps) - 1)", "t.ppf(0.975, n - 1)"),
    ("33.2", "1.96 is for many seeds", "1.96", "t.ppf(0.975, n - 1)"),
    ("33.2", "distance from 0", "abs(gaps.mean())", "abs(gaps.mean() - bound)"),
    ("33.2", "ddof=1", "gaps.std()", "gaps.std(ddof=1)"),
    ("33.3", "reference adapter is missing", "once = 0",
     'once = 0 if arm == RANDOM else spent.loc[REFERENCE, "seconds, training"]'),
    ("33.3", "need no reference adapter", 'once = spent.loc[REFERENCE, "seconds, training"]',
     'once = 0 if arm == RANDOM else spent.loc[REFERENCE, "seconds, training"]'),
    ("33.3", "they grow with n", '"seconds, answers"]', '"seconds, answers"] * n / 10'),
    ("33.3", "only the answers grow", "return (once * n / 10 + each)", "return (once + each)"),
    ("33.3", "n times as many", 'table.loc[arm, "working answers"]',
     '(n * table.loc[arm, "working answers"])'),
    ("33.4", "the first k answers", "[row[:k]]", "combinations(row, k)"),
    ("33.4", "again and again", "__import__('itertools').product(row, repeat=k)",
     "combinations(row, k)"),
    ("33.4", "one of them is enough", "all(few)", "any(few)"),
]  # fmt: skip
