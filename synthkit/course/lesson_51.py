"""Checks of lesson 51: KL and its price, nats that a nat saves, cold samples, a fooled alarm."""

from __future__ import annotations

import math

from .checks import close


def exercise_1(nats, lesson):
    """KL of a collapsed latent, of one informative dimension, and its price."""
    silent, kl, price = (float(nats[x]) for x in ("collapsed", "one dimension", "its price"))
    wanted = (4 + 0.25 - math.log(0.25) - 1) / 2
    if close(silent, 8, abs=0.01):
        return "each silent dimension is charged 1/2: the formula ends with minus 1."
    if not close(silent, 0):
        return "a collapsed latent costs nothing: put mu = 0 and sigma = 1 into the formula."
    if close(kl, wanted / 16, abs=2e-3):
        return "this is a mean over 16 dimensions; the KL is their sum."
    if close(kl, 2 * wanted, abs=0.01):
        return "the factor 1/2 is missing."
    if close(kl, (4 + 0.5 - math.log(0.5) - 1) / 2, abs=0.01):
        return "sigma stands where sigma squared belongs: 1/4, and not 1/2."
    if not close(kl, wanted, abs=0.01):
        return "the one dimension costs (4 + 1/4 + ln 4 - 1) / 2 nats, the others nothing."
    if close(price, 0.1 * wanted, abs=0.01):
        return "0.1 weights means: convert it to nats per nat first."
    if close(price, 0.1 * 16 / 20 * wanted, abs=0.01):
        return "the conversion is upside down: beta times T / d."
    if not close(price, 0.125 * wanted, abs=0.01):
        return "the price is beta' = 0.1 * 20 / 16 times the KL."


def exercise_2(saved, lesson):
    """Reconstruction saved by a nat of KL, between three prices."""
    dear, cheap = float(saved["1 to 0.1"]), float(saved["0.1 to 0.001"])
    if dear < 0 and cheap < 0:
        return "the sign is turned: the reconstruction falls as the KL rises; give what is saved."
    if dear > cheap and dear > 1:
        return "these are all the nats saved; divide by the additional nats of KL."
    if cheap > 2:
        return "upside down: nats of reconstruction per nat of KL."
    if dear < cheap:
        return "the two are swapped: where does one more nat say most?"
    if not (0.1 < dear < 1 and 0.001 < cheap < 0.1):
        return "a rate should lie between its two prices: are `beta`, `floor` and `falls` all set?"


def exercise_3(at_half, lesson):
    """Distances from the exact distribution at temperature 0.5."""
    measures = ["single columns", "pairs", "triples", "impossible rows"]
    found = [float(at_half[measure]) for measure in measures]
    far = lesson.far.loc[measures]
    if close(found, far["encodings"], abs=2e-3):
        return "this is temperature 1, as in section 9."
    if close(found, far["true rows"], abs=0.01):
        return "this is the column `floor`, of true rows; `found` is asked for."
    model, drawn = lesson.model, {}
    for name, z in {"encodings": lesson.latents, "N(0, I)": lesson.drawn_normal}.items():
        options = {"constraint": lesson.codec.constraint(), "temperature": 0.5, "seed": 1}
        rows = lesson.codec.decode(model.generate(z, **options))
        drawn[name] = lesson.joint_distance(lesson.world, rows)["found"][measures]
        if close(found, drawn[name], abs=0.01):
            return None if name == "encodings" else "the latents are from N(0, I); take `latents`."
    if close(found, drawn["encodings"] - far["encodings"], abs=0.01):
        return "these are the changes from temperature 1; the distances themselves are asked for."
    return f"single columns are {drawn['encodings'].iloc[0]:.3f} from the truth; is it `latents`?"


def exercise_4(gaps, lesson):
    """The shuffled gap of latents that encode a single column."""
    import torch
    from torch.nn import functional

    codec, rows = lesson.codec, lesson.held_out
    with torch.no_grad():
        begun = torch.cat([torch.full_like(rows[:, :1], codec.bos), rows[:, :-1]], 1)
        logits = lesson.decoder(input_ids=begun).logits
    silent = functional.cross_entropy(logits.mT, rows, reduction="none").mean(0)
    costs = lesson.model.column_nats(rows)
    names, total = list(costs), sum(own for own, _ in costs.values())
    alone = {field.column.name: float(silent[field.start]) for field in codec.fields}
    rest = {name: sum(alone.values()) - alone[name] for name in names}
    found = [float(gaps[name]) for name in names]

    def gap(base, sign=1):
        return [sign * (costs[n][1] - costs[n][0]) / base(n) for n in names]

    if close(found, gap(lambda n: costs[n][0] + rest[n]), abs=0.02):
        return None
    if close(found, gap(lambda n: costs[n][0]), abs=0.02):
        return "divided by the nats of the one column; the alarm divides by those of the whole row."
    if close(found, gap(lambda n: total), abs=0.02):
        return "the other columns are counted with the latent; it must say nothing of them."
    if close(found, gap(lambda n: costs[n][0] + rest[n], -1), abs=0.02):
        return "the sign is turned: what the wrong latent costs more."
    if close(found, gap(lambda n: 1), abs=0.05):
        return "these are nats; the gap is a share of what the row costs with its own latent."
    if close(found, gap(lambda n: sum(alone.values())), abs=5e-3):
        return "the column's own nats without a latent are in the sum; it has a latent."
    return "(another row's - own) of the column, over its own plus the others without a latent."
