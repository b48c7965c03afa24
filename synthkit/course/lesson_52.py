"""Checks of lesson 52: where a network errs, the wrong noise, back into noise, one room alone."""

from __future__ import annotations

from itertools import pairwise

from .checks import close


def exercise_1(gap_at, lesson):
    """The loss of the network above the exact one."""
    import torch

    for level in (0.1, 1.0):
        with torch.no_grad():
            own, exact = (
                lesson.loss_at_level(f, level) for f in (lesson.model.network, lesson.exact_f)
            )
        found = float(gap_at(level))
        if close(found, own - exact, rel=0.02, abs=1e-4):
            continue
        if close(found, exact - own, rel=0.02, abs=1e-4):
            return "the sign is turned: the network's loss minus the exact one."
        if close(found, own, rel=0.01):
            return "this is the loss of the network; subtract what no network can avoid."
        if close(found, own / exact, rel=0.01):
            return "this is a ratio; the difference is asked for."
        return f"at level {level} the gap is {own - exact:.3f}, and not {found:.3f}: which level?"


def exercise_2(share, lesson):
    """Shares in a hole for three kinds of training noise."""
    little, usual, much = (float(share[p]) for p in (-4.0, -1.2, 2.0))
    if max(little, usual, much) > 1:
        return "these are counts or percent; shares are asked for."
    if little > much:
        return "the two are swapped: which noise rarely shows the rooms apart?"
    if much < 0.3:
        return "too few holes for `p_mean=2`: was it trained with it, for 200 steps?"
    if usual > 0.1:
        return "too many for -1.2: take `model`, which was trained to the end."


def exercise_3(follow, lesson):
    """Euler's method with the exact denoiser, in both directions."""
    points = lesson.x[:20]
    for levels in ([0.5, 1.0, 2.0, 4.0], [4.0, 2.0, 1.0, 0.5]):

        def path(slope, levels=levels):
            at = points
            for now, later in pairwise(levels):
                at = at + (later - now) * slope(at, now, later)
            return at

        def ode(at, now, later):
            return (at - lesson.best_denoiser(lesson.data, at, now)) / now

        found = follow(points.clone(), levels)
        if found.shape == points.shape and close(found, path(ode), abs=1e-5):
            continue
        if close(found, path(lambda *a: -ode(*a)), abs=1e-5):
            return "the sign is turned: the slope is (x - D) / sigma, away from the denoised point."
        if close(found, path(lambda at, now, later: ode(at, now, later) * now), abs=1e-5):
            return "x - D is not divided by the noise level."
        if close(found, path(lambda at, now, later: ode(at, now, later) * now / later), abs=1e-5):
            return "divided by the next level; Euler takes all from where the step begins."
        if close(found, points):
            return "the points have not moved: return the last ones."
        return f"for the levels {levels} the path ends elsewhere: is `data` denoised at each level?"


def exercise_4(guided, lesson):
    """The denoiser of one room."""
    import torch

    point = 0.5 * lesson.model.scale.into(lesson.z[:40]).double()
    for sigma in (0.5, 2.0):

        def push(log, sigma=sigma):
            at = point.detach().requires_grad_()
            value = lesson.components(lesson.data, at, sigma)[:, 0].clamp(min=1e-30)
            (slope,) = torch.autograd.grad((value.log() if log else value).sum(), at)
            return slope

        with torch.no_grad():
            plain = lesson.model.denoise(point, sigma)
        found = guided(point.clone(), sigma).detach()
        if close(found, plain + sigma**2 * push(True), rel=1e-2, abs=1e-4):
            continue
        if close(found, plain, abs=1e-5):
            return "this is the denoiser of all the rooms: add sigma squared times the gradient."
        if close(found, plain - sigma**2 * push(True), rel=1e-2, abs=1e-4):
            return "the sign is turned: the gradient leads towards room 0."
        if close(found, plain + push(True), rel=1e-2, abs=1e-4):
            return "the gradient is not multiplied by sigma squared."
        if close(found, plain + sigma**2 * push(False), rel=1e-2, abs=1e-4):
            return "this is the gradient of the probability; take that of its logarithm."
        return "D + sigma squared times the gradient of ln P(room 0 | x): is P taken at this sigma?"
