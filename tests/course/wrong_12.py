"""Wrong answers to the exercises of lesson 12; `Wrong` in tests/lessons/runner.py says how."""

WRONG = [
    ("12.1", "swapped", 'gains = dict(zip(gains, reversed(gains.values())))'),
    ("12.1", "compare with one sparse seed", '"sparse, pair")',
     '"sparse, pair", "sparse, one seed")'),
    ("12.2", "counts of right answers", "def weakness(regions, points, right):\n"
     "    held = {region.index: region.holds(points) for region in regions}\n"
     "    return {i: right[inside].sum() for i, inside in held.items() if inside.sum() >= 3}"),
    ("12.2", "two points", "def weakness(regions, points, right):\n"
     "    return {r.index: right[r.holds(points)].mean() for r in regions}"),
    ("12.2", "wrong answers", "def weakness(regions, points, right, first=weakness):\n"
     "    return first(regions, points, ~right)"),
    ("12.3", "pools the data seeds", "r_arms = np.corrcoef(\n"
     "    np.ravel([values(study, 'rare share of seeds', arm) for arm in ARMS]),\n"
     "    np.ravel([values(study, 'accuracy (retrain)', arm) for arm in ARMS]))[0, 1]"),
    ("12.3", "trained further", '"accuracy (continue)", arm', '"accuracy (retrain)", arm'),
    ("12.3", "r squared", "r_arms = r_arms**2"),
    ("12.4", "the root of n", "2 * spread / 0.01))", "(2 * spread / 0.01) ** 2))"),
    ("12.4", "one standard error", "(spread / 0.01) ** 2", "(2 * spread / 0.01) ** 2"),
    ("12.4", "take the differences", "np.std(both[0], ddof=1)",
     "np.std(np.subtract(*both), ddof=1)"),
]  # fmt: skip
