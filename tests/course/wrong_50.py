"""Wrong answers to the exercises of lesson 50; `Wrong` in tests/lessons/runner.py says how."""

WRONG = [
    ("50.1", "has a sign", "row_lengths = {1: 10, 2: 6, 3: 5}"),
    ("50.1", "takes none", "row_lengths = {1: 12, 2: 8, 3: 7}"),
    ("50.2", "plus zero", "minus_zero = codec.encode(people.assign(gain=-0.0))[:1]"),
    ("50.2", "no zero", "minus_zero = plus.clone()\n"
     "span = slice(gain.start, gain.start + gain.width)\n"
     "minus_zero[0, span] = codec.encode(people.assign(gain=-1.0))[0, span]"),
    ("50.2", "another column", "minus_zero = codec.encode(people.assign(gain=-1.0))[1:2]"),
    ("50.3", "written again", "if True:", "if field.column.name not in used:"),
    ("50.3", "in a free order", "def first_tokens(codec, row):\n"
     "    ids = torch.tensor([row], dtype=torch.long).reshape(1, -1)[:, -1:]\n"
     "    mask = torch.zeros(1, codec.vocab_size, dtype=torch.bool)\n"
     "    part = codec.constraint().parts[min(len(row), 1)]\n"
     "    part.fill(mask, torch.zeros(1, 0, dtype=torch.long))\n    return mask"),
    ("50.4", "swapped", "hours = dict(zip(hours, reversed(hours.values())))"),
    ("50.4", "over all rows", "hours['true'] = anyone['hours'].mean()"),
    ("50.4", "work as long as anyone", "hours['independent'] = hours['true'] - 2"),
    ("50.5", "swapped",
     "digits_needed = dict(zip(digits_needed, reversed(digits_needed.values())))"),
    ("50.5", "off by one", "digits_needed = {name: n - 1 for name, n in digits_needed.items()}"),
    ("50.5", "standard deviation", "frame.std(), {}",
     "frame.quantile(0.75) - frame.quantile(0.25), {}"),
]  # fmt: skip
