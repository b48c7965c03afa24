"""Presets of the three parts of DiffLM: format model, autoencoder, diffusion."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..lm.schedule import Schedule, check_positive

KINDS = ("soft", "memory", "embedding")  # of injection
FALLS = ("plateau", "told", "cyclical", "constant")  # of beta
ALIKE, READS = ("columns", "tokens"), ("tokens", "text")


def _check(preset: Schedule, *positive: str) -> None:
    """Raise ValueError when a value of the schedule, or one of those named, is not positive.

    Only the autoencoder, whose decoder may be large, trains in parts or computes anew.
    """
    Schedule.__post_init__(preset)
    for name in positive:
        check_positive(name, getattr(preset, name))
    saving = preset.accumulation > 1 or preset.recomputing
    if saving and not isinstance(preset, AutoencoderPreset):
        raise ValueError(
            "accumulation and recomputing are for the autoencoder; set autoencoder_accumulation or "
            "autoencoder_recomputing"
        )


@dataclass(frozen=True)
class FormatPreset(Schedule):
    """Sizes of the Llama that is the format model, and its training; see `Schedule`."""

    steps: int = 3000
    lr: float | None = 3e-3
    eval_every: int = 250
    patience: int | None = None
    width: int = 128  # H, that of a token's embedding
    layers: int = 4
    heads: int = 4
    hints: int = 8  # the most vectors that stand in front of a row; 0 trains on rows alone
    batch_size: int = 64  # rows in a step
    ordered: bool = False  # whether digits begin in order, see `ordered.order_tokens`

    def __post_init__(self):
        _check(self, "width", "layers", "heads", "batch_size")
        if self.width % (2 * self.heads) or self.hints < 0:
            raise ValueError(
                f"width must be divisible by twice the heads, and hints not negative; found width="
                f"{self.width}, heads={self.heads}, hints={self.hints}"
            )


@dataclass(frozen=True)
class AutoencoderPreset(Schedule):
    """Sizes and training of an autoencoder; see `Schedule` for the rest.

    The encoder reads the codec's "tokens", trained from nothing, or "text", by a pretrained model
    that is given (see `text_encoder`). In the loss "columns" count alike, however many tokens each
    takes, or "tokens", as in the paper; texts have no columns.

    The preset "paper" holds the released code of arXiv 2411.03250: d = 1024, k = 32, a pretrained
    encoder at a rate of 1e-5, and beta' as it is there in sums of nats. Two things differ: the
    rate falls in a straight line (`decay_from`), there as a cosine after a warm-up of .5%; and
    `patience` is 10, since 2, as there, would stop at the look that first lowers beta'. A batch of
    256 rows passes in 32 parts, so that one card holds the decoder of seven billion weights.
    """

    steps: int = 4000
    lr: float | None = 1e-3
    eval_every: int = 100
    patience: int | None = 10
    latent: int = 64  # d, the numbers in a latent
    tokens: int = 8  # k, the soft tokens
    kind: str = "soft"  # of the injection, one of `KINDS`
    width: int = 128  # of an encoder of tokens, as are layers and heads
    layers: int = 4
    heads: int = 4
    batch_size: int = 64  # rows in a step
    beta: float = 0.05  # beta', what a nat of KL costs in nats of reconstruction, at the start
    floor: float = 5e-4  # the least that it falls to
    falls: str = "plateau"  # how it moves, one of `FALLS`
    factor: float = 0.7  # by which a plateau multiplies it,
    waits: int = 2  # after so many looks without a better held-out reconstruction
    alike: str = "columns"  # one of `ALIKE`
    reads: str = "tokens"  # one of `READS`
    ordered: bool = False  # whether the encoder's digits begin in order, see `order_tokens`

    def __post_init__(self):
        sizes = ("latent", "tokens", "width", "layers", "heads", "batch_size", "waits")
        _check(self, *sizes, "beta", "floor", "factor")
        chosen = {"kind": KINDS, "falls": FALLS, "alike": ALIKE, "reads": READS}
        for name, choices in chosen.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is one of {choices}, found {getattr(self, name)!r}")
        if self.recomputing and self.kind == "memory":
            raise ValueError("a cache cannot be computed anew; recomputing needs another kind")
        if self.width % self.heads or self.floor > self.beta or self.factor > 1:
            raise ValueError(
                f"heads must divide width, floor not exceed beta, and factor not exceed 1; found "
                f"{self.heads}, {self.width}, {self.floor:g}, {self.beta:g}, {self.factor:g}"
            )


@dataclass(frozen=True)
class DiffusionPreset(Schedule):
    """Sizes, noise and training of the `Denoiser`; see `Schedule` for the rest.

    The preset "paper" holds the released code of arXiv 2411.03250. One thing differs: the rate
    falls in a straight line (`decay_from`), there by a tenth after 20 epochs without a better loss.
    """

    steps: int = 5000
    lr: float | None = 1e-3
    eval_every: int = 250
    patience: int | None = None
    hidden: int = 256
    blocks: int = 3
    batch_size: int = 512  # latents in a step
    ema: float = 0.999
    p_mean: float = -1.2  # ln sigma is drawn from N(p_mean, p_sd^2) in training
    p_sd: float = 1.2
    sigma_data: float = 0.5  # the sd that latents are scaled to,
    standardise: bool = True  # by that of each dimension; False trusts that it is 1, as DiffLM does
    sample_steps: int = 40  # of `heun`, as are sigma_max and churn
    sigma_max: float = 20.0
    churn: float = 0.0

    def __post_init__(self):
        sizes = ("hidden", "blocks", "batch_size", "sample_steps")
        _check(self, *sizes, "p_sd", "sigma_data", "sigma_max")
        if not (0 <= self.ema < 1 and self.churn >= 0 and math.isfinite(self.p_mean)):
            raise ValueError(
                f"ema is a share below 1, churn not negative and p_mean finite; found "
                f"ema={self.ema!r}, churn={self.churn!r}, p_mean={self.p_mean!r}"
            )


FORMATS = {
    "fast": FormatPreset(steps=500, eval_every=100, width=64, layers=2),
    "study": FormatPreset(),
    "paper": FormatPreset(steps=10_000, lr=2e-3, eval_every=500, width=256, layers=6),
}
AUTOENCODERS = {
    "fast": AutoencoderPreset(
        steps=240, lr=3e-3, eval_every=24, latent=16, tokens=4, width=64, layers=2
    ),
    "study": AutoencoderPreset(),
    "paper": AutoencoderPreset(
        steps=7700, lr=1e-5, eval_every=100, decay_from=0.0, latent=1024, tokens=32,
        batch_size=256, beta=0.016, floor=1.6e-4, alike="tokens", reads="text", accumulation=32,
        recomputing=True,
    ),
}  # fmt: skip
DIFFUSIONS = {
    "fast": DiffusionPreset(
        steps=800, lr=2e-3, eval_every=100, hidden=96, blocks=2, batch_size=256
    ),
    "study": DiffusionPreset(),
    "paper": DiffusionPreset(
        steps=570_000, lr=1e-4, eval_every=570, patience=50, hidden=4096, blocks=5, ema=0.0,
        standardise=False, sample_steps=50, sigma_max=80.0, churn=1.0,
    ),
}  # fmt: skip
