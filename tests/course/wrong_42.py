"""Wrong answers to the exercises of lesson 42; `Wrong` in tests/lessons/runner.py says how."""

WRONG = [
    ("42.1", "are dropped", "def together(w, n):\n    return w[:n]"),
    ("42.1", "not of the last", "def together(w, n):\n    both = w[:n].copy()\n"
     "    both[n - (len(w) - n) :] += w[n:]\n    return both"),
    ("42.2", "are enough",
     "sparse_weights = 0.999999 * nnls(A, np.append(R.mean(0), 100.0))[0] + 1e-6 / len(S)"),
    ("42.2", "are negative", "sparse_weights = np.linalg.lstsq(A, np.append(R.mean(0), 100.0))[0]"),
    ("42.2", "of the distance away", "sparse_weights = np.full(len(S), 1 / len(S))"),
    ("42.2", "add up to", "sparse_weights = 2 * sparse_weights"),
    ("42.3", "the lightest", "np.argsort(weights)[:600]", "np.argsort(weights)[::-1][:600]"),
    ("42.3", "swapped",
     "a, b = held_out_mmd2\nheld_out_mmd2 = {a: held_out_mmd2[b], b: held_out_mmd2[a]}"),
    ("42.4", "add up to", "def project(v, cap):\n    return np.clip(v, 0, cap)"),
    ("42.4", "the cap", "def project(v, cap):\n    w = np.clip(v, 0, cap)\n    return w / w.sum()\n"
     "\n\ndef project(v, cap, first=project):\n    w = first(v, 1.0)\n    return w / w.sum()"),
    ("42.5", "swapped", "floor_check = dict(zip(floor_check, reversed(floor_check.values())))"),
    ("42.5", "lesson's floor", "floor_check['predicted'] = floor"),
    ("42.5", "prediction again", "floor_check['measured'] = floor_check['predicted']"),
    ("42.5", "its square", "floor_check['measured'] **= 0.5"),
]  # fmt: skip
