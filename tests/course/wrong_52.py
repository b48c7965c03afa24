"""Wrong answers to the exercises of lesson 52; `Wrong` in tests/lessons/runner.py says how."""

WRONG = [
    ("52.1", "sign is turned", "def gap_at(level, first=gap_at):\n    return -first(level)"),
    ("52.1", "loss of the network", "def gap_at(level):\n    with torch.no_grad():\n"
     "        return loss_at_level(model.network, level)"),
    ("52.2", "swapped",
     "in_holes = {-4.0: in_holes[2.0], -1.2: in_holes[-1.2], 2.0: in_holes[-4.0]}"),
    ("52.2", "percent", "in_holes = {p: 100 * share for p, share in in_holes.items()}"),
    ("52.2", "was it trained", "in_holes[2.0] = 0.25"),
    ("52.3", "sign is turned",
     "def follow(points, levels):\n    for now, later in pairwise(levels):\n"
     "        points = points - (later - now) * (points - best_denoiser(data, points, now)) / now\n"
     "    return points"),
    ("52.3", "not divided", "def follow(points, levels):\n    for now, later in pairwise(levels):\n"
     "        points = points + (later - now) * (points - best_denoiser(data, points, now))\n"
     "    return points"),
    ("52.4", "not multiplied", "sigma) + push", "sigma) + sigma**2 * push"),
    ("52.4", "sign is turned", "- sigma**2 * push", "+ sigma**2 * push"),
    ("52.4", "its logarithm", ".clamp(min=1e-30).sum()", ".clamp(min=1e-30).log().sum()"),
    ("52.4", "all the rooms", "def guided(point, sigma):\n    return model.denoise(point, sigma)"),
]  # fmt: skip
