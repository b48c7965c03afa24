"""Influence: gradients by hooks, estimators against explicit inverses, and retraining as judge."""

import gc
import runpy
import weakref

import numpy as np
import pytest
import torch
from bitsandbytes.nn.modules import has_avx512bf16
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from tiny import QUERIES, ROWS, tiny_lm
from torch import nn

from synthkit.lm import load_lm
from synthkit.lm.quantisation import linear4bit_modules
from synthkit.spa import METHODS, influence_scores
from synthkit.spa import influence as module
from synthkit.spa.influence import (
    GradientStream,
    block_fisher,
    datainf,
    example_losses,
    grad_cos,
    grad_dot,
    lora_matrices,
    per_example,
)
from synthkit.spa.kfac import draw_labels, ekfac
from synthkit.spa.streaming import (
    Stored,
    as_pairs,
    check_gradients,
    lengths,
    random_maps,
    stack,
)
from synthkit.studies.spa.retraining import (
    lds,
    leave_one_out,
    query_losses,
)


def with_trained_looking_lora(lm, rank=3, targets="all-linear", seed=0):
    """A student whose B is not zero, as after a training."""
    student = lm.with_lora(rank=rank, targets=targets, seed=seed)
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for name, weight in student.model.named_parameters():
            if "lora_B" in name:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.1)
    return student


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return load_lm(tiny_lm(tmp_path_factory.mktemp("tiny") / "llama"), device="cpu")


@pytest.fixture(scope="module")
def lm(base):
    """A student that tests read and never change."""
    return with_trained_looking_lora(base)


@pytest.fixture(scope="module")
def stream(lm):
    return GradientStream(lm, ROWS, block_size=3)


@pytest.fixture(scope="module")
def G(stream):
    return Stored(stack(stream))


@pytest.fixture(scope="module")
def Q(lm):
    return stack(GradientStream(lm, QUERIES))


def by_autograd(lm, rows, which, reduction="mean"):
    """The gradient of one of `rows` in a batch, block by block, by autograd on the weights."""
    matrices = lora_matrices(lm, lm.active_adapter)
    losses, _ = example_losses(lm, as_pairs(rows), reduction)
    grads = torch.autograd.grad(losses[which], [m.weight for m in matrices.values()])
    return {name: grad.flatten() for name, grad in zip(matrices, grads)}


def relative(a, b):
    return ((a - b).norm() / b.norm()).item()


def random_blocks(rows, sizes=(5, 8), seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        f"l{i}": torch.randn(rows, size, generator=generator).double()
        for i, size in enumerate(sizes)
    }


def damping(g, c):
    return c * g.square().sum().item() / len(g) / g.shape[1]


# --- gradients ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gemma3"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_hooks_equal_autograd(tmp_path, kind, reduction):
    lm = with_trained_looking_lora(load_lm(tiny_lm(tmp_path, kind), device="cpu"))
    stream = GradientStream(lm, ROWS, block_size=4, reduction=reduction)
    for indices, blocks in stream:
        rows = [ROWS[i] for i in indices]
        for at in range(len(rows)):
            wanted = by_autograd(lm, rows, at, reduction)
            found = {name: g[at] for name, g in blocks.items()}
            assert (
                relative(torch.cat(list(found.values())), torch.cat(list(wanted.values()))) < 1e-6
            )
            assert max(relative(found[name], wanted[name]) for name in wanted) < 1e-6


def test_the_loss_is_that_of_nll_and_of_training(lm):
    pairs = as_pairs(ROWS)
    with torch.no_grad():
        losses, _ = example_losses(lm, pairs)
        sums, _ = example_losses(lm, pairs, "sum")
    prompts, texts = zip(*pairs)
    torch.testing.assert_close(losses, lm.nll(texts, prompts=prompts))
    counts = torch.tensor([len(ids) + 1 for ids in lm.token_ids(texts)])  # the end token counts
    torch.testing.assert_close(sums, losses * counts)
    np.testing.assert_allclose(query_losses(lm, ROWS), losses, rtol=1e-5)


def test_a_matrix_that_is_called_twice_gets_the_sum(lm):
    shared = nn.Linear(4, 3, bias=False)
    x = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0))
    with module.capture_activations({"l": shared}) as calls:
        y = shared(x).square().sum() + shared(2 * x).sin().sum()
    deltas = torch.autograd.grad(y, [out for _, out in calls["l"]], retain_graph=True)
    sides = [(a, d) for (a, _), d in zip(calls["l"], deltas)]
    found = per_example({"l": module.joined(sides)})["l"].sum(0)
    wanted = torch.autograd.grad(y, shared.weight)[0].flatten()
    assert relative(found, wanted) < 1e-6


def state(lm):
    """Everything that a pass of influence might leave changed."""
    return {
        "hooks": sum(
            len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks)
            for m in lm.model.modules()
        ),
        "training": [m.training for m in lm.model.modules()],
        "adapter": lm.active_adapter,
        "trained": [name for name, w in lm.model.named_parameters() if w.requires_grad],
        "grads": [name for name, w in lm.model.named_parameters() if w.grad is not None],
        "weights": lm.fingerprint,
    }


def test_nothing_is_left_changed(base):
    lm = with_trained_looking_lora(base)
    lm.add_adapter("other", rank=2)
    lm.model.train()
    lm.set_adapter("other")
    before = state(lm)
    assert influence_scores(lm, ROWS, QUERIES, adapter="student").shape == (2, len(ROWS))
    assert state(lm) == before
    with torch.no_grad():  # a caller's no_grad does not reach inside
        influence_scores(lm, ROWS[:2], QUERIES, adapter="student", method="dot")


@pytest.mark.parametrize("where", ["forward", "loss"])
def test_no_hook_is_left_when_a_batch_fails(base, monkeypatch, where):
    lm = with_trained_looking_lora(base)
    lm.add_adapter("other", rank=2)
    lm.set_adapter(None)
    before = state(lm)

    def fail(*_, **__):
        raise MemoryError("in the middle")

    place = lm.model.model.layers[1] if where == "forward" else lm
    name = "forward" if where == "forward" else "token_losses"
    with monkeypatch.context() as patch, pytest.raises(MemoryError, match="in the middle"):
        patch.setattr(place, name, fail, raising=False)
        influence_scores(lm, ROWS, QUERIES, adapter="student")
    assert state(lm) == before
    assert influence_scores(lm, ROWS, QUERIES, adapter="student").shape == (2, len(ROWS))


def test_a_break_in_the_graph_is_an_error_and_not_a_zero(base):
    lm = with_trained_looking_lora(base)
    layer = lm.model.model.layers[1].mlp.down_proj
    handle = layer.register_forward_hook(lambda *found: found[2].detach())
    with pytest.raises(RuntimeError, match=r"no gradient reaches \d+ of 42 LoRA matrices"):
        influence_scores(lm, ROWS, QUERIES)
    handle.remove()
    handle = lm.model.lm_head.register_forward_hook(lambda *found: found[2].detach())
    with pytest.raises(RuntimeError, match="no gradient reaches 42 of 42"):
        influence_scores(lm, ROWS, QUERIES)
    handle.remove()


def test_a_gradient_that_vanished_or_exploded_names_its_row(base):
    lm = with_trained_looking_lora(base)
    handle = lm.model.lm_head.register_forward_hook(lambda *found: found[2] * 0)
    with pytest.raises(FloatingPointError, match=r"row \d is zero"):
        influence_scores(lm, ROWS, QUERIES)
    handle.remove()
    for value, what in ((0.0, "zero"), (float("nan"), "not finite"), (float("inf"), "not finite")):
        wrong = random_blocks(4)
        for g in wrong.values():
            g[2] = value
        with pytest.raises(FloatingPointError, match=f"row 9 is {what}"):
            check_gradients(wrong, [7, 8, 9, 10])


def test_only_plain_lora_is_taken(base):
    from peft import LoraConfig

    def student(**options):
        lm = base.clone()
        options = {"r": 2, "target_modules": ["q_proj"], "task_type": "CAUSAL_LM"} | options
        lm.add_adapter("odd", config=LoraConfig(**options))
        lm.set_adapter("odd")
        return lm

    assert len(lora_matrices(student(), "odd")) == 6
    for options in ({"use_dora": True}, {"lora_bias": True}, {"modules_to_save": ["lm_head"]}):
        with pytest.raises(ValueError, match="plain LoRA matrices"):
            GradientStream(student(**options), ROWS)
    unfrozen = student()
    unfrozen.model.model.norm.weight.requires_grad_(True)
    with pytest.raises(ValueError, match=r"what else it trains is \['model\.norm\.weight'\]"):
        GradientStream(unfrozen, ROWS)


# --- the stream -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["datainf", "ekfac"])
def test_scoring_holds_two_blocks_at_most(lm, monkeypatch, method):
    """However many rows: the factors and gradients of a block go when the one after is there."""
    held = {"batch_factors": [], "per_example": []}

    def noted(name, tensor_of):
        inner, alive = getattr(module, name), []

        def call(*args, **options):
            found = inner(*args, **options)
            gc.collect()
            alive[:] = [each for each in alive if each() is not None]
            alive.append(weakref.ref(tensor_of(found)))
            held[name].append((len(alive), len(tensor_of(found))))
            return found

        monkeypatch.setattr(module, name, call)

    noted("batch_factors", lambda found: next(iter(found[0].values()))[1])
    noted("per_example", lambda found: next(iter(found.values())))
    gc.freeze()  # what was there before is not looked at: collecting is quick
    try:
        influence_scores(lm, ROWS, QUERIES, method=method, block_size=2, memory=1)
    finally:
        gc.unfreeze()
    assert len(held["batch_factors"]) >= 12 and held["per_example"]
    assert all(blocks <= 2 and rows <= 2 for each in held.values() for blocks, rows in each)


@pytest.mark.parametrize("k", [1, 4, 10**6])
def test_a_projection_maps_the_longer_side(lm, G, k):
    stream = GradientStream(lm, ROWS, project=k, seed=3)
    maps = random_maps(stream.matrices, k, 3)
    found = stack(stream)
    for name, matrix in stream.matrices.items():
        out, into = matrix.weight.shape
        whole = G.blocks[name].view(-1, out, into)
        if name in maps:
            whole = whole @ maps[name] if into >= out else maps[name].T @ whole
        torch.testing.assert_close(found[name], whole.flatten(1), rtol=1e-3, atol=1e-5)
    assert stream.sizes == {name: block.shape[1] for name, block in found.items()}
    assert (not maps) == (k > 10**5)
    assert all(each.shape[1] == k for each in maps.values())


def test_a_projection_keeps_lengths_on_average_and_follows_its_seed():
    matrix = {"l": nn.Linear(2000, 2, bias=False)}
    maps = [random_maps(matrix, 500, seed)["l"] for seed in (1, 1, 2)]
    assert maps[0].square().sum(1).mean() == pytest.approx(1, abs=0.02)
    assert torch.equal(maps[0], maps[1]) and not torch.equal(maps[0], maps[2])


# --- estimators against what they stand for -------------------------------------------------------


def test_dot_and_cosine(G, Q, stream):
    q, g = (torch.cat(list(blocks.values()), 1) for blocks in (Q, G.blocks))
    torch.testing.assert_close(grad_dot(Q, stream), q @ g.T, rtol=1e-4, atol=1e-5)
    cosines = torch.nn.functional.cosine_similarity(q[:, None], g[None], dim=2)
    torch.testing.assert_close(grad_cos(Q, stream), cosines, rtol=1e-4, atol=1e-5)
    own = grad_cos(G.blocks, G)
    torch.testing.assert_close(own.diagonal(), torch.ones(len(ROWS)))
    torch.testing.assert_close(lengths(Q), q.norm(dim=1))


def test_dot_is_what_a_small_step_gains(base):
    lm = with_trained_looking_lora(base)
    score = influence_scores(lm, ROWS[:1], QUERIES, method="dot")[:, 0]
    gradient = GradientStream(lm, ROWS[:1]).gradients([0])
    losses, step = [], 1e-2 / lengths(gradient).item() ** 2
    for sign in (1, -1):  # a central difference: the curvature cancels
        moved = lm.clone()
        for name, matrix in lora_matrices(moved, "student").items():
            matrix.weight.data -= sign * step * gradient[name][0].view_as(matrix.weight)
        losses.append(query_losses(moved, QUERIES).astype(float))
    gained = (losses[1] - losses[0]) / (2 * step)
    np.testing.assert_allclose(gained, score, rtol=0.02, atol=0.02 * np.abs(score).max())


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.integers(1, 3), st.floats(1e-3, 1e3), st.integers(0, 10**6))
def test_datainf_is_the_mean_of_inverses(n, q, c, seed):
    G, Q = random_blocks(n, seed=seed), random_blocks(q, seed=seed + 1)
    found = datainf(Q, Stored(G), c)
    for name, g in G.items():
        lam = damping(g, c)
        eye = torch.eye(g.shape[1]).double()
        mean = sum(torch.linalg.inv(torch.outer(row, row) + lam * eye) for row in g) / n
        torch.testing.assert_close(found[name], Q[name] @ mean, rtol=1e-6, atol=1e-8 / lam)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.integers(1, 3), st.floats(1e-3, 1e3), st.integers(0, 10**6))
def test_block_fisher_is_the_inverse(n, q, c, seed):
    """n runs below and above the sizes 5 and 8 of the blocks, so both forms are met."""
    G, Q = random_blocks(n, seed=seed), random_blocks(q, seed=seed + 1)
    found = block_fisher(Q, Stored(G), c)
    for name, g in G.items():
        whole = g.T @ g / n + damping(g, c) * torch.eye(g.shape[1]).double()
        wanted = torch.linalg.solve(whole, Q[name].T).T
        torch.testing.assert_close(found[name], wanted, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("method", ["dot", "cosine", "datainf", "fisher"])
@pytest.mark.parametrize("size", [1, 3, 100])
def test_streamed_equals_stored(lm, G, Q, method, size):
    curved = {"datainf": datainf, "fisher": block_fisher}.get(method, lambda Q, G: Q)(Q, G)
    wanted = (grad_cos if method == "cosine" else grad_dot)(curved, G).numpy()
    found = influence_scores(lm, ROWS, QUERIES, method=method, block_size=size)
    np.testing.assert_allclose(found, wanted, rtol=2e-3, atol=1e-4 * np.abs(wanted).max())


def test_what_is_kept_gives_the_very_same_scores(lm):
    kept, walked = (influence_scores(lm, ROWS, QUERIES, memory=size) for size in (2**28, 1))
    assert np.array_equal(kept, walked)


def test_fisher_in_groups_is_the_same(lm, G, Q, monkeypatch):
    largest = 4 * len(ROWS) * max(G.sizes.values())
    walks, inner = [], GradientStream.__iter__
    monkeypatch.setattr(
        GradientStream, "__iter__", lambda self: walks.append(list(self.matrices)) or inner(self)
    )
    found = influence_scores(lm, ROWS, QUERIES, method="fisher", memory=3 * largest)
    wanted = grad_dot(block_fisher(Q, G), G).numpy()
    np.testing.assert_allclose(found, wanted, rtol=2e-3, atol=1e-4 * np.abs(wanted).max())
    groups = walks[1:-1]  # the first walk is the queries', the last one scores
    assert len(groups) > 2 and sum(map(len, groups)) == 42
    for names in groups:
        assert 4 * len(ROWS) * sum(G.sizes[name] for name in names) <= 3 * largest


# --- EK-FAC ---------------------------------------------------------------------------------------


def test_ekfac_is_its_formula(lm, Q):
    """Against covariances, eigenvectors and mean squares taken one row at a time."""
    stream = GradientStream(lm, ROWS, block_size=3)
    found = ekfac(Q, stream, 0.1, labels="own")
    rows = [stream.factors([i])[0] for i in range(len(ROWS))]
    for name, matrix in stream.matrices.items():
        out, into = matrix.weight.shape
        A = sum(a[0].T @ a[0] for a, _ in (row[name] for row in rows)).double()
        D = sum(d[0].T @ d[0] for _, d in (row[name] for row in rows)).double()
        U_A, U_D = torch.linalg.eigh(A)[1], torch.linalg.eigh(D)[1]
        g = torch.stack([(d[0].T @ a[0]) for a, d in (row[name] for row in rows)]).double()
        spectrum = (U_D.T @ g @ U_A).square().mean(0)
        q = Q[name].view(-1, out, into).double()
        r = U_D @ ((U_D.T @ q @ U_A) / (spectrum + 0.1 * spectrum.mean())) @ U_A.T
        assert relative(found[name].double(), r.flatten(1)) < 1e-2, name


def test_sampled_labels_come_from_the_model_whatever_the_block(lm, Q):
    args = [GradientStream(lm, ROWS, block_size=size) for size in (2, 7)]
    a, b = (ekfac(Q, each, seed=5) for each in args)
    other = ekfac(Q, args[0], seed=6)
    assert all(relative(a[name], b[name]) < 1e-2 for name in Q)
    assert max(relative(a[name], other[name]) for name in Q) > 0.05


def test_labels_are_drawn_by_their_probability(lm):
    stream = GradientStream(lm, ROWS)
    drawn = [draw_labels(stream, [0, 1], seed) for seed in range(200)]
    prompts, texts = zip(*as_pairs(ROWS[:2]))
    embeds, labels, mask = lm.training_batch(texts, prompts=prompts)
    counted = [labels[i] != -100 for i in range(2)]
    assert [len(drawn[0][i]) for i in range(2)] == [int(c.sum()) for c in counted]
    with torch.no_grad():
        logits = lm.model(inputs_embeds=embeds, attention_mask=mask).logits
    for row, at in ((0, 0), (0, 3), (1, 1)):
        place = int(counted[row].nonzero()[at]) - 1  # the logits before the token
        wanted = logits[row, place].softmax(-1)
        top = int(wanted.argmax())
        share = np.mean([each[row][at].item() == top for each in drawn])
        chance = wanted[top].item()
        assert abs(share - chance) < 4 * (chance * (1 - chance) / 200) ** 0.5 + 0.01
    alone = draw_labels(stream, [1], 7)[1]
    assert torch.equal(alone, draw_labels(stream, [4, 1, 0], 7)[1])


def test_ekfac_whitens_a_problem_that_is_a_kronecker_product():
    """EK-FAC is the inverse of a Fisher matrix that is exactly D x A."""
    generator = torch.Generator().manual_seed(0)
    mixing_a, mixing_d = (
        torch.eye(n) + 0.3 * torch.randn(n, n, generator=generator) for n in (4, 3)
    )
    corners = torch.cartesian_prod(torch.arange(4), torch.arange(3))
    a = torch.stack([mixing_a[i] for i, _ in corners])[:, None]  # (12, 1, 4), one token a row
    delta = torch.stack([mixing_d[j] for _, j in corners])[:, None]
    fake = FakeStream({"l": (a, delta)})
    q = torch.randn(2, 12, generator=generator)
    found = ekfac({"l": q}, fake, 1e-6, labels="own")["l"]
    g = per_example({"l": (a, delta)})["l"].double()
    wanted = torch.linalg.solve(g.T @ g / 12, q.double().T).T
    assert relative(found.double(), wanted) < 1e-2


class FakeStream:
    """One block of given factors, rows of one token."""

    def __init__(self, factors):
        self.inside, self.plan = factors, [list(range(len(next(iter(factors.values()))[0])))]

    def __len__(self):
        return len(self.plan[0])

    def factors(self, indices, relabel=None):
        return self.inside, torch.ones(len(self), 1)


# --- all in one call ------------------------------------------------------------------------------


@pytest.mark.parametrize("method", list(METHODS))
def test_every_method_gives_finite_scores_and_repeats_itself(lm, method):
    found = influence_scores(lm, ROWS, QUERIES, method=method)
    assert found.shape == (2, len(ROWS)) and found.dtype == np.float32
    assert np.isfinite(found).all() and np.ptp(found) > 0
    assert np.array_equal(found, influence_scores(lm, ROWS, QUERIES, method=method))


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"train": []}, ValueError, "no rows"),
        ({"train": "text"}, TypeError, "DataFrame"),
        ({"train": [{"words": "a"}]}, ValueError, "found words"),
        ({"train": [{"prompt": "a", "completion": ""}]}, ValueError, "row 0 .* no text"),
        ({"train": [ROWS[0], {"text": "long " * 200}]}, ValueError, "row 1 takes"),
        ({"method": "lissa"}, ValueError, "method must be one of dot"),
        ({"block_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"reduction": "max"}, ValueError, "reduction must be"),
        ({"project": 0}, ValueError, "project is how many"),
        ({"adapter": "nobody"}, KeyError, "no adapter 'nobody'"),
        ({"damping": 0.0}, ValueError, "damping must be positive"),
        ({"damping": float("nan"), "method": "ekfac"}, ValueError, "damping must be positive"),
        ({"memory": 10, "method": "fisher"}, ValueError, "on .*lora_A take .* memory=10.*project"),
        ({"project": 4, "method": "ekfac"}, ValueError, "whole gradients"),
    ],
)
def test_bad_input(lm, options, kind, message):
    with pytest.raises(kind, match=message):
        influence_scores(**{"lm": lm, "train": ROWS, "queries": QUERIES} | options)


def test_scores_need_one_adapter_and_one_projection(base, lm):
    with pytest.raises(ValueError, match="no adapter is in use"):
        influence_scores(base, ROWS, QUERIES)
    with pytest.raises(ValueError, match="different adapters or projections"):
        grad_dot(stack(GradientStream(lm, QUERIES, project=2)), GradientStream(lm, ROWS))


@pytest.mark.parametrize("method", ["datainf", "fisher", "ekfac"])
def test_an_untrained_adapter_is_refused(base, method):
    with pytest.raises(ValueError, match=r"lora_A is zero.*train"):
        influence_scores(base.with_lora(rank=2), ROWS, QUERIES, method=method)


# --- against retraining: a problem small enough to solve exactly ----------------------------------


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


class Toy:
    """Multinomial regression: features, labels that are modes, one query a mode."""

    def __init__(self, seed=0, n=80, d=6, modes=3):
        rng = np.random.default_rng(seed)
        self.x = np.column_stack([np.full(n, 2.0), rng.normal(size=(n, d - 1))])
        chances = softmax(self.x @ rng.normal(size=(d, modes)) * 0.6)
        self.modes = np.array([rng.choice(modes, p=p) for p in chances])
        self.y = np.eye(modes)[self.modes]
        self.asked = np.tile(np.r_[2.0, 0.5 * rng.normal(size=d - 1)], (modes, 1))
        self.w = self.fit(np.ones(n))
        self.full = self.loss(self.w)
        self.G = Stored(self.gradients(self.x, self.y))
        self.Q = self.gradients(self.asked, np.eye(modes))
        delta = softmax(self.x @ self.w.T) - self.y
        self.stream = FakeStream({"W": tuple(torch.tensor(s)[:, None] for s in (self.x, delta))})

    def fit(self, kept, ridge=0.01):
        modes, d = self.y.shape[1], self.x.shape[1]
        w = np.zeros((modes, d))
        for _ in range(12):
            p = softmax(self.x @ w.T)
            slope = ((p - self.y) * kept[:, None]).T @ self.x / len(kept) + ridge * w
            spread = np.einsum("nk,kl->nkl", p, np.eye(modes)) - np.einsum("nk,nl->nkl", p, p)
            curve = np.einsum("n,nkl,nd,ne->kdle", kept, spread, self.x, self.x) / len(kept)
            self.H = curve.reshape(modes * d, -1) + ridge * np.eye(modes * d)
            w = w - np.linalg.solve(self.H, slope.ravel()).reshape(w.shape)
        return w

    def loss(self, w):
        return -np.log(np.diagonal(softmax(self.asked @ w.T)))

    def gradients(self, x, y):
        g = (softmax(x @ self.w.T) - y)[:, :, None] * x[:, None]
        return {"W": torch.tensor(g.reshape(len(x), -1))}


@pytest.fixture(scope="module")
def toy():
    toy = Toy()
    rng = np.random.default_rng(1)
    n = len(toy.x)
    toy.kept = np.array([rng.permutation(n) < n // 2 for _ in range(60)])
    toy.losses = np.array([toy.loss(toy.fit(kept.astype(float))) for kept in toy.kept])
    toy.removed = list(range(0, n, 4))
    toy.rises = np.array([toy.loss(toy.fit(1.0 - np.eye(n)[i])) for i in toy.removed]) - toy.full
    return toy


def test_the_sign_and_the_size_are_those_of_retraining(toy):
    """With the true Hessian, I / n is the rise of the loss when a row is left out."""
    toy.fit(np.ones(len(toy.x)))  # leaves the Hessian of the whole set in toy.H
    q, g = toy.Q["W"].numpy(), toy.G.blocks["W"].numpy()
    predicted = (q @ np.linalg.solve(toy.H, g.T) / len(g))[:, toy.removed].T
    assert np.corrcoef(predicted.ravel(), toy.rises.ravel())[0, 1] > 0.97
    slope = (predicted * toy.rises).sum() / (predicted**2).sum()
    assert 0.8 < slope < 1.5
    ranks, right = leave_one_out(q @ np.linalg.solve(toy.H, g.T), toy.removed, toy.rises)
    assert ranks.mean() > 0.95 and right > 0.95


@pytest.mark.parametrize(
    ("vectors", "least"),
    [
        (lambda toy: toy.Q, 0.4),
        (lambda toy: datainf(toy.Q, toy.G), 0.4),
        (lambda toy: block_fisher(toy.Q, toy.G, 1.0), 0.6),
        (lambda toy: block_fisher(toy.Q, toy.G), 0.5),
        (lambda toy: ekfac(toy.Q, toy.stream, labels="own"), 0.4),
    ],
    ids=["dot", "datainf", "fisher 1", "fisher 10", "ekfac"],
)
def test_estimators_predict_retraining(toy, vectors, least):
    scores = grad_dot(vectors(toy), toy.G).numpy()
    found = lds(scores, toy.kept, toy.losses)
    assert found.mean() > least and (found > 0).all()
    np.testing.assert_allclose(lds(-scores, toy.kept, toy.losses), -found)  # the wrong sign
    ranks, right = leave_one_out(scores, toy.removed, toy.rises)
    assert ranks.mean() > 0.4  # the sign of a small score is right only with the true curvature
    assert leave_one_out(-scores, toy.removed, toy.rises)[1] == pytest.approx(1 - right)


# --- four bits ------------------------------------------------------------------------------------


@pytest.fixture
def four(tmp_path):
    return with_trained_looking_lora(load_lm(tiny_lm(tmp_path), bits=4, device="cpu"))


def test_influence_on_a_4bit_model_survives_generation(four):
    before = influence_scores(four, ROWS, QUERIES)
    four.generate(["The train"], max_new_tokens=3)
    four.nll(["The train"])
    np.testing.assert_allclose(
        influence_scores(four, ROWS, QUERIES), before, rtol=1e-3, atol=1e-5 * np.abs(before).max()
    )
    gradient = GradientStream(four, ROWS[:1]).gradients([0])
    for name, wanted in by_autograd(four, ROWS[:1], 0).items():
        assert relative(gradient[name][0], wanted) < 1e-5


@pytest.mark.skipif(
    not has_avx512bf16(), reason="only a CPU with AVX512-BF16 repacks 4-bit weights"
)
@pytest.mark.filterwarnings("ignore:.*autograd kernel was not registered.*")
def test_a_repacked_4bit_layer_is_refused(four):
    """Without the protection of the loader, a generation ruins the gradients."""
    for layer in linear4bit_modules(four.model):
        layer.support_avx512bf16_for_cpu = True
    four.generate(["The train"], max_new_tokens=3)
    with pytest.raises(RuntimeError, match="already been repacked"):
        influence_scores(four, ROWS, QUERIES)


# --- the embedded model, and a library ------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*GradScaler.*:FutureWarning")
def test_scores_agree_with_kronfluence(lm, repo, tmp_path):
    pytest.importorskip(
        "kronfluence",
        reason="optional: pip install --no-deps kronfluence==1.0.1 einops einconv opt-einsum",
    )
    benchmark = runpy.run_path(str(repo / "tests" / "benchmarks" / "bench_influence.py"))
    kronfluence_scores = benchmark["kronfluence_scores"]
    ours = grad_dot(
        ekfac(stack(GradientStream(lm, QUERIES)), GradientStream(lm, ROWS), labels="own"),
        GradientStream(lm, ROWS),
    ).numpy()
    theirs = kronfluence_scores(lm.clone(), ROWS, QUERIES, tmp_path, empirical=True)
    for a, b in zip(ours, theirs):
        assert spearmanr(a, b)[0] >= 0.9
    dots = kronfluence_scores(lm.clone(), ROWS, QUERIES, tmp_path, strategy="identity")
    np.testing.assert_allclose(
        influence_scores(lm, ROWS, QUERIES, method="dot"), dots, rtol=1e-3, atol=1e-4
    )
