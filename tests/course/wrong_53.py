"""Wrong answers to the exercises of lesson 53; `Wrong` in tests/lessons/runner.py says how."""

WRONG = [
    ("53.1", "swapped", "copies |= {'encoding': copies['diffusion'], "
     "'diffusion': copies['encoding']}"),
    ("53.1", "percent", "copies = {name: 100 * share for name, share in copies.items()}"),
    ("53.1", "ask it of held-out rows", "copies['by chance'] = train.duplicated().mean()"),
    ("53.1", "subtracted already", "copies |= {prior: copies[prior] - copies['by chance'] "
     "for prior in ('encoding', 'diffusion')}"),
    ("53.2", "there is no noise", "return mu", "return mu + (logvar / 2).exp() * eps"),
    ("53.2", "too little noise", "logvar.exp() * eps", "(logvar / 2).exp() * eps"),
    ("53.2", "too much noise", "return mu + eps", "return mu + (logvar / 2).exp() * eps"),
    ("53.2", "do not satisfy", "own = train\n",
     "own = train[satisfied(method.fitted.schema, train, wish)]\n"),
    ("53.3", "swapped", "nats = {4: nats[64], 64: nats[4]}"),
    ("53.3", "latent: take", "nats = {4: 30.0, 64: 36.0}"),
    ("53.3", "per column", "nats = {latent: value / 10 for latent, value in nats.items()}"),
    ("53.4", "to the table with holes", "filled = method.table(800)"),
    ("53.4", "real rows", "filled = torn"),
    ("53.4", "only where it is low", "filled['education'] = filled['education'].where(\n"
     "    np.random.default_rng(0).random(800) < 0.7)"),
    ("53.4", "too few", "filled = filled[:100]"),
]  # fmt: skip
