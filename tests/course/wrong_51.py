"""Wrong answers to the exercises of lesson 51; `Wrong` in tests/lessons/runner.py says how."""

WRONG = [
    ("51.1", "minus 1", "nats['collapsed'] = 8.0"),
    ("51.1", "their sum", "nats['one dimension'] = telling / 16"),
    ("51.1", "sigma squared", "math.log(1 / 2)", "math.log(1 / 4)"),
    ("51.1", "weights means", "0.1 * telling", "0.1 * 20 / 16 * telling"),
    ("51.1", "upside down", "0.1 * 16 / 20 * telling", "0.1 * 20 / 16 * telling"),
    ("51.2", "sign is turned", "saved = {name: -rate for name, rate in saved.items()}"),
    ("51.2", "divide by the additional", "saved = dict(zip(saved, -steps['reconstruction']))"),
    ("51.2", "upside down", "saved = {name: 1 / rate for name, rate in saved.items()}"),
    ("51.2", "swapped", "saved = dict(zip(saved, reversed(saved.values())))"),
    ("51.3", "temperature 1", "temperature=1.0", "temperature=0.5"),
    ("51.3", "true rows", '["floor"]', '["found"]'),
    ("51.3", "from N(0, I)", "generate(drawn_normal", "generate(latents"),
    ("51.3", "the changes", "at_half = {name: at_half[name] - far.loc[name, 'encodings'] "
     "for name in at_half}"),
    ("51.4", "whole row", "gaps[name] = (wrong - own) / own",
     "gaps[name] = (wrong - own) / (own + others_alone)"),
    ("51.4", "counted with the latent", "others_alone = sum(o for n, (o, _) in "
     "model.column_nats(held_out).items() if n != name)",
     "others_alone = float(alone.sum() - alone[i])"),
    ("51.4", "these are nats", "gaps[name] = wrong - own",
     "gaps[name] = (wrong - own) / (own + others_alone)"),
]  # fmt: skip
