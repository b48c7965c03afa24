"""Wrong answers to the exercises of lesson 43; `Wrong` in tests/lessons/runner.py says how."""

WRONG = [
    ("43.1", "shows no sentiment counts", "label_shown = {name: label_shown[name] / readable[name]"
     " for name in pools}"),
    ("43.1", "shares of readable texts", "label_shown = readable"),
    ("43.1", "wrong labels", "label_shown = {name: 1 - label_shown[name] for name in pools}"),
    ("43.1", "for each pool", "label_shown.popitem()"),
    ("43.2", "swapped", "by_lot = dict(zip(by_lot, reversed(by_lot.values())))"),
    ("43.2", "GP picks", "by_lot = read_off['GP']"),
    ("43.2", "fitted weights", "by_lot['distance'] = measure_pool(by.pool(n), by)[0][FITTED]"),
    ("43.2", "95th percentile is asked for", "by_lot['coverage'] = coverage(\n"
     "    own.vectors[own.fit], picks)['mean distance']"),
    ("43.2", "held out", "by_lot['coverage'] = coverage(\n"
     "    own.vectors, by.fitted.plan.picks)['95th percentile']"),
    ("43.3", "all five attributes", "coarse['schema'] = REVIEWS"),
    ("43.3", "pass `schema`", "coarse['distance'] = near['five'][EQUAL]"),
    ("43.3", "fitted weights", "coarse['distance'] = near['two'][FITTED]"),
    ("43.3", "length and style", "coarse['schema'] = Schema(\n"
     "    'review', REVIEWS.attributes[:2], REVIEWS.describe, REVIEWS.write)"),
    ("43.4", "swapped", "fall = dict(zip(fall, reversed(fall.values())))"),
    ("43.4", "that is left", "fall = {spec: mended[spec, 'length'][1] for spec in fall}"),
    ("43.4", "the tone", "fall = {spec: np.subtract(*mended[spec, 'tone']) for spec in fall}"),
    ("43.4", "sign is turned", "fall = {spec: -each for spec, each in fall.items()}"),
]  # fmt: skip
