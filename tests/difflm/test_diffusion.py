"""Latent diffusion: exact references on Gaussians and mixtures, sampler, class, bad input."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthkit.difflm import diffusion as df
from synthkit.difflm.part_presets import DiffusionPreset
from synthkit.difflm.saving import pack_diffusion


class Mixture:
    """A mixture of round Gaussians, whose best denoiser is known."""

    def __init__(self, weights, means, sd):
        self.weights, self.means = (torch.as_tensor(x).double() for x in (weights, means))
        self.sd = sd

    def sample(self, n, seed=0):
        rng = np.random.default_rng(seed)
        part = torch.from_numpy(rng.choice(len(self.weights), size=n, p=self.weights.numpy()))
        noise = torch.from_numpy(rng.normal(size=(n, self.means.shape[1])))
        return self.means[part] + self.sd * noise, part

    def components(self, x, sigma=0.0):
        distances = (x[:, None] - self.means).square().sum(-1)
        return (self.weights.log() - distances / (2 * (self.sd**2 + sigma**2))).softmax(-1)

    def denoise(self, x, sigma):
        means = self.components(x, sigma) @ self.means
        return (self.sd**2 * x + sigma**2 * means) / (self.sd**2 + sigma**2)


SIGMAS = [0.002, 0.05, 0.5, 3.0, 80.0]
SMALL = DiffusionPreset(steps=6, eval_every=2, hidden=8, blocks=1, batch_size=16, sample_steps=4)
ROOMS = Mixture([0.5, 0.3, 0.2], [[-1.0, -0.6], [1.2, -0.4], [0.2, 1.4]], sd=0.2)
each_sigma = pytest.mark.parametrize("sigma", SIGMAS)


def normal(n, d, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, d)))


@pytest.fixture(scope="module")
def latents():
    """40 latents of width 3 with means and sds of their own, float32."""
    return (normal(40, 3) * torch.tensor([1.0, 0.1, 5.0]) + torch.tensor([0.0, 3.0, -20.0])).float()


@pytest.fixture(scope="module")
def fitted(latents):
    return df.LatentDiffusion(3, SMALL).fit(latents)


@pytest.fixture(scope="module")
def rooms():
    """A model that was trained on `ROOMS` for a few seconds, and its training latents."""
    z, _ = ROOMS.sample(2000, seed=0)
    aside, _ = ROOMS.sample(500, seed=1)
    small = {"steps": 400, "hidden": 48, "blocks": 2, "lr": 4e-3, "batch_size": 256}
    return df.LatentDiffusion(2, "fast", **small).fit(z, validation=aside), z


# --- preconditioning ------------------------------------------------------------------------------


@given(st.floats(0.002, 80), st.floats(0.1, 3))
def test_the_coefficients_are_those_of_edm(sigma, sd):
    s = torch.tensor(sigma, dtype=torch.float64)
    c_skip, c_out, c_in, c_noise = (float(c) for c in df.precondition(s, sd))
    assert c_skip == pytest.approx(sd**2 / (sigma**2 + sd**2))
    assert c_out == pytest.approx(sigma * sd / math.sqrt(sigma**2 + sd**2))
    assert c_in == pytest.approx(1 / math.sqrt(sigma**2 + sd**2))
    assert c_noise == pytest.approx(math.log(sigma) / 4, abs=1e-12)
    # unit variance of the input, and of the target (x - c_skip (x + sigma noise)) / c_out
    assert c_in**2 * (sd**2 + sigma**2) == pytest.approx(1)
    assert ((1 - c_skip) ** 2 * sd**2 + c_skip**2 * sigma**2) / c_out**2 == pytest.approx(1)


@each_sigma
def test_the_target_of_the_network_gives_the_exact_denoiser(sigma):
    """For a Gaussian that is not centred, F is linear in its input and known."""
    mean, sd, sd_data = 0.3, 0.8, 0.5
    ball = Mixture([1.0], [[mean] * 2], sd=sd)
    x = mean + normal(50, 2) * math.sqrt(sd**2 + sigma**2)

    def network(u, c_noise):
        level = (4 * c_noise).exp()
        noisy = u * (level**2 + sd_data**2).sqrt()
        best = (sd**2 * noisy + level**2 * mean) / (sd**2 + level**2)
        c_skip, c_out, _, _ = df.precondition(level, sd_data)
        return (best - c_skip * noisy) / c_out

    found = df.denoise(network, x, sigma, sd_data)
    assert torch.allclose(found, ball.denoise(x, sigma), atol=1e-4)


# --- network and loss -----------------------------------------------------------------------------


def test_the_loss_is_that_of_the_target():
    """w (D - x)^2 = (F - target)^2."""
    network = df.Denoiser(3, 16, 2).double()
    torch.nn.init.normal_(network.last.weight)
    x, noise = normal(30, 3, 1) / 2, normal(30, 3, 2)
    sigma = normal(30, 1, 3).exp()
    c_skip, c_out, c_in, c_noise = df.precondition(sigma)
    noisy = x + sigma * noise
    target = (x - c_skip * noisy) / c_out
    wanted = (network(c_in * noisy, c_noise) - target).square().mean()
    found = df.edm_loss(network, x, sigma, noise)
    assert found.item() == pytest.approx(wanted.item(), rel=1e-9)


@each_sigma
def test_who_knows_mean_and_sd_alone_has_loss_one(sigma):
    x = 0.5 * normal(40_000, 2, 5)
    level = torch.full((len(x), 1), sigma).double()
    loss = df.edm_loss(lambda u, c: torch.zeros_like(u), x, level, normal(40_000, 2, 6))
    assert float(loss) == pytest.approx(1, abs=0.02)


def test_validation_noise_is_spread_evenly_and_repeats():
    sigma, noise = df.spread_noise(999, 2, SMALL, seed=1)
    logs = sigma.log().double()
    assert float(logs.mean()) == pytest.approx(-1.2, abs=1e-3)
    assert float(logs.std()) == pytest.approx(1.2, abs=0.01)
    assert len(set(sigma[:, 0].tolist())) > 990 and noise.shape == (999, 2)
    again = df.spread_noise(999, 2, SMALL, seed=1)
    assert torch.equal(again[0], sigma) and torch.equal(again[1], noise)
    assert not torch.equal(df.spread_noise(999, 2, SMALL, seed=2)[1], noise)


def test_validation_loss_is_the_mean_over_all_its_parts():
    network = df.Denoiser(2, 8, 1)
    torch.nn.init.normal_(network.last.weight)
    x = normal(3000, 2).float() / 2
    sigma, noise = df.spread_noise(6000, 2, SMALL, seed=4)
    wanted = df.edm_loss(network, x.repeat(2, 1), sigma, noise).item()
    assert df.validation_loss(network, x, SMALL, seed=4, draws=5000) == pytest.approx(
        wanted, rel=1e-5
    )


# --- the sampler ----------------------------------------------------------------------------------


@given(st.integers(1, 60), st.floats(1, 100), st.floats(0.001, 0.5), st.floats(1, 9))
def test_levels_fall_from_the_first_to_zero(steps, high, low, rho):
    levels = df.noise_schedule(steps, high, low, rho)
    assert len(levels) == steps + 1 and levels[-1] == 0
    assert levels[0] == pytest.approx(high)
    assert steps == 1 or levels[-2] == pytest.approx(low)
    assert all(a > b for a, b in pairwise(levels))


@pytest.mark.parametrize("churn", [0.0, 1.0])
@pytest.mark.parametrize("sd", [0.5, 0.2])
def test_heun_with_the_exact_denoiser_keeps_the_sd(churn, sd):
    ball = Mixture([1.0], [[0.0] * 4], sd=sd)
    found = df.heun(ball.denoise, 20_000, 4, 50, churn=churn, seed=2)
    start = next(iter(df.heun_path(ball.denoise, 20_000, 4, 50, seed=2)))[1]
    by_chance = float(start.std() / 80) if not churn else 1.0  # the ODE keeps what chance gave
    assert float(found.std() / sd) == pytest.approx(by_chance, abs=0.01)
    assert float(found.mean()) == pytest.approx(0, abs=0.01)


def test_heun_with_the_exact_denoiser_keeps_the_weights():
    half = Mixture(ROOMS.weights, ROOMS.means / 2, ROOMS.sd / 2)
    found = df.heun(half.denoise, 20_000, 2, 40, seed=0, sigma_max=20.0)
    parts = half.components(found).argmax(1)
    assert torch.allclose(torch.bincount(parts).double() / 20_000, half.weights, atol=0.015)
    inside = found[parts == 0]
    assert float(inside.std(0).mean()) == pytest.approx(0.1, rel=0.03)


def test_the_error_falls_with_the_square_of_the_step():
    ball = Mixture([1.0], [[0.0]], sd=0.5)
    last = {k: df.heun(ball.denoise, 200, 1, k) for k in (20, 40, 800)}
    gaps = [float((last[k] - last[800]).abs().mean()) for k in (20, 40)]
    assert 3 < gaps[0] / gaps[1] < 6


@pytest.mark.parametrize(("churn", "steps"), [(0.0, 6), (1.0, 6), (1.0, 1)])
def test_calls_and_seeds(churn, steps):
    calls = []

    def counted(x, sigma):
        calls.append(sigma)
        return ROOMS.denoise(x, sigma)

    options = {"churn": churn, "sigma_max": 20.0}
    found = df.heun(counted, 8, 2, steps, seed=3, **options)
    assert len(calls) == 2 * steps - 1 and calls[0] == pytest.approx(
        20 * (1 + min(churn / steps, math.sqrt(2) - 1))
    )
    assert found.shape == (8, 2) and found.dtype == torch.float64
    assert torch.equal(found, df.heun(ROOMS.denoise, 8, 2, steps, seed=3, **options))
    assert not torch.equal(found, df.heun(ROOMS.denoise, 8, 2, steps, seed=4, **options))


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"sigma_min": 0.0}, {"sigma_max": 0.001}, {"rho": 0.0}]
)
def test_a_schedule_must_fall(wrong):
    with pytest.raises(ValueError, match="a schedule has one step or more"):
        df.heun(ROOMS.denoise, 2, 2, **wrong)


# --- scale ----------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.integers(2, 30), st.integers(1, 5), st.floats(1e-3, 1e3), st.floats(-100, 100))
def test_scaling_goes_there_and_back(n, d, spread, centre):
    z = (normal(n, d, seed=n) * spread + centre).float()
    scale = df.fit_scale(z, 0.5)
    x = scale.into(z)
    assert torch.allclose(x.double().std(0, correction=0), torch.tensor(0.5).double(), atol=1e-3)
    assert torch.allclose(x.mean(0), torch.zeros(d), atol=1e-3)
    assert torch.allclose(scale.back(x), z, atol=1e-5 * (spread + abs(centre)))


def test_a_constant_dimension_stays_at_its_mean(latents):
    z = latents.clone()
    z[:, 1] = 7.25
    for standardise in (True, False):
        scale = df.fit_scale(z, 0.5, standardise)
        assert not scale.into(z)[:, 1].any()
        assert (scale.back(torch.randn(9, 3))[:, 1] == 7.25).all()
    model = df.LatentDiffusion(3, SMALL).fit(z)
    sample = model.sample(20)
    assert (sample[:, 1] == 7.25).all() and (sample[:, 0] != sample[0, 0]).any()


def test_without_standardising_it_is_the_papers_half(latents):
    scale = df.fit_scale(latents, 0.5, standardise=False)
    assert torch.allclose(scale.into(latents), (latents - latents.mean(0)) / 2, atol=1e-5)


# --- the class ------------------------------------------------------------------------------------


def test_it_learns_the_weights_and_the_spread_of_a_mixture(rooms):
    model, z = rooms
    found = model.sample(8000, seed=1)
    kinds = ROOMS.components(found.double()).argmax(1)
    parts = torch.bincount(kinds, minlength=3).double() / 8000
    assert torch.allclose(parts, ROOMS.weights, atol=0.03)
    ratios = found.double().std(0) / z.std(0)
    assert ((0.9 < ratios) & (ratios < 1.1)).all()
    assert float(np.corrcoef(found.T)[0, 1]) == pytest.approx(np.corrcoef(z.T)[0, 1], abs=0.05)


# --- bad input ------------------------------------------------------------------------------------


def bad_latents():
    good = normal(10, 3).float()
    nan, infinite = good.clone(), good.clone()
    nan[4, 1] = math.nan
    infinite[2, 0], infinite[7, 2] = math.inf, -math.inf
    return {
        "1 of 10 latents are not finite, the first is row 4": nan,
        "2 of 10 latents are not finite, the first is row 2": infinite,
        r"must be \(n, 3\), found \(10, 2\)": good[:, :2],
        r"must be \(n, 3\), found \(3,\)": good[0],
        "1 latents are too few: give 2 or more": good[:1],
        "0 latents are too few": good[:0],
        "all 10 latents are the same": good[:1].expand(10, 3),
    }


@pytest.mark.parametrize("message", bad_latents())
def test_bad_latents_are_refused(message):
    model = df.LatentDiffusion(3, SMALL)
    with pytest.raises(ValueError, match=message):
        model.fit(bad_latents()[message])
    assert model.network is None


def test_what_is_not_fitted_says_so(latents):
    model = df.LatentDiffusion(3, SMALL)
    for call in (
        lambda: model.sample(3),
        lambda: model.denoise(latents, 1.0),
        lambda: pack_diffusion(model),
    ):
        with pytest.raises(ValueError, match="not fitted yet: call fit"):
            call()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"d": 0}, "d must be at least 1"),
        ({"d": 2, "sigma_max": -1.0}, "sigma_max must be positive"),
        ({"d": 2, "ema": 1.0}, "ema is a share below 1"),
        ({"d": 2, "churn": -1.0}, "churn not negative"),
        ({"d": 2, "p_mean": math.nan}, "p_mean finite"),
    ],
)
def test_bad_settings_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        df.LatentDiffusion(**wrong)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_nearly_the_same(latents, fitted):
    there = df.LatentDiffusion(3, SMALL, device="cuda").fit(latents)
    assert torch.allclose(there.sample(9), fitted.sample(9), atol=0.05, rtol=0.01)
