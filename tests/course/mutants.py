"""Plausible wrong answers to the assignments: changes to their solutions that tests must catch.

Of each task two or more (text of the reference, text in its place).
"""

MUTANTS = {
    "a1.1": [
        (" if j != i", ""),  # a point is its own neighbour
        ("others[k - 1]", "others[k]"),
        ("if j != i", "if other != point"),  # a twin is left out
    ],
    "a1.2": [
        ("range(2, min(threshold, n + 1))", "range(2, min(threshold + 1, n + 1))"),
        ("range(2,", "range(0,"),
        ("return windows * sum", "return sum"),
    ],
    "a1.3": [
        ("math.sqrt(s * s + eps)", "(s + math.sqrt(eps))"),
        ("len(weights) if repaired else 1", "1"),
        ("math.sqrt(s * s + eps)", "(math.sqrt(s * s) + eps)"),
    ],
    "a1.4": [
        ("pair[1] - pair[0]", "pair[0] - pair[1]"),
        ('"pair": sum(pair) / 2', '"pair": pair[1]'),
        ('"place": sum(place) / 2', '"place": sum(place)'),
    ],
    "a2.1": [
        ("k * (d_e + 1)", "k * d_e"),
        ('"shared": (d_e + c) * h', '"shared": d_e * h'),
        ("+ t * c", ""),
    ],
    "a2.2": [
        ("math.log(p / contexts[z])", "math.log(p)"),  # of the pairs
        ("math.log(p) for p in texts", "math.log2(p) for p in texts"),
        ("if p > 0)\n    given", "if p >= 0)\n    given"),
    ],
    "a2.3": [
        ("sum(map(effective, weights)) / len(weights)", "effective(weights[0])"),
        ('each >= 0.95 * overall else "chooses"', 'each < 0.95 * overall else "chooses"'),
        ("/ len(weights) for column", "for column"),
    ],
    "a2.4": [
        ("bits + 0x7FFF + ((bits >> 16) & 1) &", "bits &"),  # cut off
        ("bits + 0x7FFF + ((bits >> 16) & 1) &", "bits + 0x8000 &"),  # ties away from zero
        ("[bfloat16(value) for value in values]", "list(values)"),
    ],
    "a3.1": [
        ("found[i] = rank", "found[rank] = i"),
        ("return [max(range", "return [min(range"),
        ("(value - mean) / sd", "value - mean"),
    ],
    "a3.2": [
        ("/ (n * (n - 1))", "/ n**2"),
        ("return 1 - sum(c * c for c in counts) / n**2", "return len(counts) / n"),
        ("if replacement", "if not replacement"),
    ],
    "a3.3": [
        ("(a * v - b * u)", "(a * v + b * u)"),
        ("/ n + damping\n    b", "+ damping\n    b"),
        ("return [left", "return [-left"),
    ],
    "a3.4": [
        ('"wrong sign" if own < 0', '"wrong sign" if own > 0'),
        ("> n / 2", "> n"),
        (">= 0.9", ">= 0.999"),
    ],
    "a4.1": [
        ("(2 * sigma**2))\n\n    n", "(2 * sigma))\n\n    n"),
        ("(1 / n + 1 / m)", "(1 / n)"),
        ("for b in real[:i]", "for b in real"),
    ],
    "a4.2": [
        (" - top", ""),
        ("target < max(features)", "target <= max(features)"),
        ("return weights((low + high) / 2)", "return weights(low / 2)"),
    ],
    "a4.3": [
        ("sum(p * p / pool[value]", "sum(p / pool[value]"),
        ("return 0.0", "return float(n)"),
        ("p * p / pool[value] for value, p in real.items() if p > 0", "q for q in real.values()"),
    ],
    "a4.4": [
        ("missing > 0.05", "missing > 0"),
        ("p / sum(kept.values())", "p"),
        ("if not pool.get(value))", "if pool.get(value))"),
    ],
    "a5.1": [
        ("max(floor, price) / d", "max(floor, price)"),
        ("math.exp(b) - b - 1", "math.exp(b) - 1"),
        ("sum((a - mean) ** 2 for a in m)", "sum(a**2 for a in m)"),
    ],
    "a5.2": [
        ("beta * T / d * d2 / T2", "beta * d / T * T2 / d2"),
        ("T * token_loss + d * price", "token_loss + price"),
        ("T / d * d2 / T2", "d2 / d"),
    ],
    "a5.3": [
        ("** rho for", "for"),
        ("(first + slope(end, after)) / 2", "first"),
        ("i / (n - 1)", "i / n"),
        ("/ (s**2 + sigma**2)", "/ (s + sigma) ** 2"),
    ],
    "a5.4": [
        ("> 2 * run", "> run"),
        ('run["other"] - run["own"] < 0.05', 'run["other"] - run["own"] < 0'),
        ('max(run["other"] - run["own"]', 'min(run["other"] - run["own"]'),
    ],
    "a6.1": [
        ("/ (n - 1)", "/ n"),
        ("low > margin", "mean > margin"),
        ("t * sd / math.sqrt(n), mean + t * sd / math.sqrt(n)", "sd, mean + sd"),
    ],
    "a6.2": [
        ("break", "continue"),
        ("alpha / (len(p) - place)", "alpha / len(p)"),
        ("1 - (1 - alpha) ** m", "m * alpha"),
    ],
    "a6.3": [
        ("n + 1)]", "n)]"),
        ("min(len(one), len(other))", "max(len(one), len(other)) // 9"),
        ("len(set(grams)) / len(grams) if grams else 0.0", "len(set(grams)) / len(grams)"),
    ],
    "a6.4": [
        ("text.lower()", "text"),
        ("sum(ok and not each", "sum(ok"),
        ("accuracy(True) - accuracy(False) > 0.1", "True"),
    ],
}
