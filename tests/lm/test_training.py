"""The loop that trains: best state, patience, exact resumption, and the way back from NaN."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from synthkit.lm import training
from synthkit.lm.training import History, Schedule, batch_at, mean_over, train

TARGET = torch.tensor([1.0, -2.0, 3.0])
SCHEDULE = Schedule(steps=40, lr=0.05, eval_every=5, patience=None)


class Point(nn.Module):
    """Three numbers to be moved to TARGET."""

    def __init__(self):
        super().__init__()
        self.place = nn.Parameter(torch.zeros(3))
        self.fixed = nn.Parameter(torch.ones(2), requires_grad=False)
        self.register_buffer("note", torch.tensor(7))

    def loss(self, step=0):
        noise = np.random.default_rng(step).normal(size=3) * 0.1
        return ((self.place - TARGET - torch.from_numpy(noise).float()) ** 2).sum()

    def distance(self):
        return ((self.place - TARGET) ** 2).sum().item()


def cut_at(step, loss_at):
    """`loss_at`, and an interruption at `step`."""

    def dies(now):
        if now == step:
            raise KeyboardInterrupt
        return loss_at(now)

    return dies


def test_the_loss_falls_and_the_history_says_so():
    point = Point()
    history = train(point, point.loss, SCHEDULE, evaluate=point.distance)
    assert history.steps == len(history.train_losses) == 40
    assert [step for step, _ in history.held_out] == list(range(0, 41, 5))
    assert history.best_loss == min(loss for _, loss in history.held_out) < 14
    assert dict(history.held_out)[history.best_step] == history.best_loss
    assert point.distance() == pytest.approx(history.best_loss, abs=0)
    assert not point.training and torch.equal(point.fixed, torch.ones(2))
    assert History().steps == 0 and History().stale() == 0


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_it_is_the_optimiser_driven_by_hand(decay):
    """Against torch's own: AdamW without decay, or one that the caller makes, with its rates."""
    schedule = Schedule(steps=7, lr=0.03, decay_from=0.5, eval_every=100, clip=0.7)

    def rate(step):
        return 0.03 * min(1, (7 - step) / 3.5)

    def adamw(parameters):
        return torch.optim.AdamW(parameters, lr=9.0, weight_decay=decay)

    ours, theirs = Point(), Point()
    train(ours, ours.loss, schedule, **({"optimiser": adamw, "lr": rate} if decay else {}))
    optimiser = adamw([theirs.place])
    for step in range(7):
        optimiser.param_groups[0]["lr"] = rate(step)
        optimiser.zero_grad()
        theirs.loss(step).backward()
        nn.utils.clip_grad_norm_([theirs.place], 0.7)
        optimiser.step()
    assert torch.equal(ours.place, theirs.place)


@given(st.integers(1, 300), st.floats(0, 1))
def test_the_rate_is_full_first_and_falls_to_zero(steps, decay_from):
    schedule = Schedule(steps=steps, decay_from=decay_from)
    shares = [schedule.share(step) for step in range(steps)]
    assert shares[0] == 1 and min(shares) > 0
    assert all(a >= b for a, b in pairwise(shares))
    assert all(s == 1 for step, s in enumerate(shares) if step <= steps * decay_from - 1e-6)
    if decay_from < 1:
        assert shares[-1] == pytest.approx(min(1, 1 / (steps * (1 - decay_from))))


@settings(max_examples=50)
@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 5))
def test_an_epoch_repeats_nothing(n, size, seed):
    per_epoch = n // min(n, size)
    for epoch in range(2):
        steps = range(epoch * per_epoch, (epoch + 1) * per_epoch)
        seen = np.concatenate([batch_at(step, n, size, seed) for step in steps])
        assert len(seen) == per_epoch * min(n, size) == len(set(seen.tolist()))
        assert set(seen.tolist()) <= set(range(n))
    assert np.array_equal(batch_at(3, n, size, seed), batch_at(3, n, size, seed))
    assert n < 9 or batch_at(0, n, n, seed).tolist() != batch_at(1, n, n, seed).tolist()
    assert n < 9 or batch_at(0, n, n, seed).tolist() != batch_at(0, n, n, seed + 1).tolist()


@given(st.integers(1, 12), st.integers(1, 15), st.integers(0, 9))
def test_the_parts_of_a_loss_add_up_to_it(n, parts, seed):
    rng = np.random.default_rng(seed)
    sizes, batch = rng.integers(1, 9, 20), rng.permutation(20)[:n]
    nats = torch.from_numpy(rng.normal(size=20))

    def mean(part):
        return nats[part].sum() / sizes[part].sum()

    found = list(mean_over(batch, sizes, mean, parts))
    assert len(found) == min(n, parts)
    torch.testing.assert_close(sum(found), mean(batch.tolist()))


def test_accumulation_takes_the_same_steps():
    whole, cut = Point(), Point()
    wanted = train(whole, whole.loss, SCHEDULE)
    history = train(cut, lambda step: (cut.loss(step) / 4 for _ in range(4)), SCHEDULE)
    np.testing.assert_allclose(history.train_losses, wanted.train_losses, rtol=1e-5)
    torch.testing.assert_close(cut.place, whole.place)


def test_the_average_of_the_weights_is_what_is_looked_at_and_kept():
    schedule, places, looks = replace(SCHEDULE, steps=12, ema=0.6), [], []
    point = Point()

    def loss_at(step):
        places.append(point.place.detach().clone())
        return point.loss(step)

    def evaluate():
        looks.append(point.place.detach().clone())
        return point.distance()

    train(point, loss_at, schedule, evaluate=evaluate)
    average = places[0]
    for step, place in enumerate(places):
        decay = min(0.6, (1 + step) / (10 + step))
        average = decay * average + (1 - decay) * place
    torch.testing.assert_close(looks[-1], average)
    assert torch.equal(point.place, looks[-1]) and not torch.equal(places[-1], looks[-1])


@pytest.mark.parametrize(
    "losses, best, steps",
    [([5.0, 3.0, 4.0, 3.5, 9.0, 1.0], 5, 20), ([1.0, 2.0, 2.0, 2.0], 0, 15)],
)
def test_it_stops_when_nothing_gets_better_and_keeps_the_best(losses, best, steps):
    point, looks, seen = Point(), iter(losses), {}

    def evaluate():
        seen[5 * len(seen)] = point.place.detach().clone()
        return next(looks)

    schedule = Schedule(60, 0.05, eval_every=5, patience=3)
    history = train(point, point.loss, schedule, evaluate=evaluate)
    assert (history.steps, history.best_step, history.best_loss) == (steps, best, min(losses[:-1]))
    assert history.stale() == 3 and torch.equal(point.place, seen[best])


def test_without_held_out_data_the_last_state_is_kept():
    point = Point()
    history = train(point, point.loss, Schedule(12, 0.05, eval_every=5))
    assert (history.best_step, history.best_loss, history.held_out) == (12, None, [])
    assert point.distance() < 13


class Noisy(Point):
    """A point whose loss has dropout: torch's own noise."""

    def loss(self, step=0):
        return super().loss(step) + nn.functional.dropout(self.place, 0.5).sum()


@pytest.mark.parametrize(
    "kind, schedule, held_out",
    [
        (Point, SCHEDULE, True),
        (Point, SCHEDULE, False),
        (Noisy, SCHEDULE, False),
        (Point, replace(SCHEDULE, ema=0.9), True),
    ],
)
@pytest.mark.parametrize("cut", [0, 3, 10, 39])
def test_an_interrupted_training_ends_the_same(tmp_path, cut, kind, schedule, held_out):
    file = tmp_path / "deep" / "run.safetensors"

    def run(point, loss_at, **options):
        evaluate = point.distance if held_out else None
        return train(point, loss_at, schedule, evaluate=evaluate, **options)

    kept = {"checkpoint": file, "identity": "a"}
    whole, point, again, third = (kind() for _ in range(4))
    wanted = run(whole, whole.loss)
    with pytest.raises(KeyboardInterrupt):
        run(point, cut_at(cut, point.loss), **kept)
    assert file.exists() and not point.training
    calls = []
    history = run(again, lambda step: calls.append(step) or again.loss(step), **kept)
    assert history == wanted and torch.equal(again.place, whole.place)
    assert calls == list(range(cut // 5 * 5, 40))
    assert list(file.parent.iterdir()) == [file]  # the result may not be on disk yet
    assert run(third, None, **kept) == wanted, "nothing is left to train"
    assert torch.equal(third.place, whole.place)


@pytest.fixture
def unfinished(tmp_path):
    """The checkpoint of a training of `Point` that was cut off at step 7."""
    file, point = tmp_path / "notes.txt", Point()
    with pytest.raises(KeyboardInterrupt):
        train(point, cut_at(7, point.loss), SCHEDULE, checkpoint=file, identity="a")
    return file


def test_a_checkpoint_of_another_training_is_refused(unfinished):
    moved, kept = Point(), unfinished.read_bytes()
    moved.place.data += 1
    for point, schedule, name in [
        (Point(), SCHEDULE, "b"),
        (Point(), replace(SCHEDULE, steps=50), "a"),
        (moved, SCHEDULE, "a"),
    ]:
        with pytest.raises(ValueError, match="belongs to a training with other data"):
            train(point, point.loss, schedule, checkpoint=unfinished, identity=name)
    with pytest.raises(ValueError, match="needs an identity"):
        train(point, point.loss, SCHEDULE, checkpoint=unfinished)
    assert unfinished.read_bytes() == kept


def test_a_damaged_checkpoint_is_named_in_one_sentence_and_stays(unfinished):
    point, whole = Point(), unfinished.read_bytes()
    flips = [
        whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(0, len(whole), 97)
    ]
    others = [b"", b"torn", b"\x02\x00\x00\x00\x00\x00\x00\x00{}", bytes(5000), whole[:-30]]
    for content in [*others, *flips]:
        unfinished.write_bytes(content)
        with pytest.raises(ValueError, match=r"notes\.txt is no checkpoint, or a damaged one"):
            train(point, point.loss, SCHEDULE, checkpoint=unfinished, identity="a")
        assert unfinished.read_bytes() == content


@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize("how", ["loss", "gradient", "raised"])
def test_nan_brings_the_last_good_state_back(tmp_path, how, ema):
    point, looks = Point(), []

    def loss_at(step):
        if step < 13:
            return point.loss(step)
        if how == "raised":
            raise FloatingPointError("the soft prompt holds NaN")
        if how == "loss":
            return point.place.sum() * math.nan
        return (point.place * 0).abs().sqrt().sum()  # 0, with a slope of infinity

    def evaluate():
        looks.append(point.place.detach().clone())
        return point.distance()

    kept = {"checkpoint": tmp_path / "run", "identity": "a"}
    with pytest.raises(FloatingPointError, match=r"after step 13, at learning rate 0.05.*step 10"):
        train(point, loss_at, replace(SCHEDULE, ema=ema), evaluate=evaluate, **kept)
    assert torch.equal(point.place, looks[-1]) and not (tmp_path / "run").exists()
    assert len(looks) == 3 and not point.training


def test_nan_on_held_out_data_is_no_best_loss():
    point, looks = Point(), iter([5.0, 3.0, math.nan])
    with pytest.raises(FloatingPointError, match="held-out loss is nan"):
        train(point, point.loss, SCHEDULE, evaluate=lambda: next(looks))
    assert torch.isfinite(point.place).all()


@pytest.mark.parametrize(
    "module, schedule, message",
    [
        (Point().bfloat16(), SCHEDULE, "found bfloat16"),
        (Point().requires_grad_(False), SCHEDULE, "found none"),
        (Point(), Schedule(), "no learning rate for Point"),
    ],
)
def test_nothing_to_train_and_coarse_types_are_refused(module, schedule, message):
    with pytest.raises(ValueError, match=message):
        train(module, module.loss, schedule)


@pytest.mark.parametrize(
    "wrong",
    [{"steps": 0}, {"lr": -1.0}, {"eval_every": 0}, {"clip": 0}, {"patience": 0}, {"lr": math.nan},
     {"accumulation": 0}, {"decay_from": 1.5}, {"ema": -0.1}],
)  # fmt: skip
def test_a_schedule_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))} (must be positive|is a share)"):
        Schedule(**wrong)


def test_the_bar_of_a_training_says_what_is_trained(capsys):
    module = torch.nn.Linear(1, 1)

    def loss_at(step):
        return module(torch.ones(1)).sum() ** 2

    for label in ({}, {"label": "diffusion"}):
        train(module, loss_at, Schedule(steps=2, lr=0.1), progress=True, **label)
    shown = capsys.readouterr().err
    assert "training:" in shown and "diffusion:" in shown


def test_rows_of_like_length_share_a_part_and_the_longest_come_first():
    sizes, parts = [3, 9, 4, 8, 1, 5], []

    def noted(part):
        parts.append(part)
        return torch.tensor(1.0)

    list(mean_over([0, 1, 2, 3, 4, 5], sizes, noted, 3))
    assert parts == [[1, 3], [5, 2], [0, 4]]
    list(mean_over([5, 1, 4], sizes, noted))  # a whole batch keeps its order
    assert parts[-1] == [5, 1, 4]


@pytest.mark.parametrize(("asked", "device", "used"), [
    ("8-bit", "cuda", True), ("8-bit", "cpu", False), ("", "cuda", False), ("32-bit", "cuda", False)
])  # fmt: skip
def test_states_in_8_bits_are_for_gpus_and_asked_for(asked, device, used, monkeypatch):
    monkeypatch.setenv(training.OPTIMISER, asked)
    assert training.eight_bit_optimiser(torch.device(device)) is used
    monkeypatch.setenv(training.OPTIMISER, "16")
    with pytest.raises(ValueError, match="SYNTHKIT_OPTIMISER='16'"):
        training.eight_bit_optimiser(torch.device(device))


def test_a_training_with_states_in_8_bits_learns_and_goes_on_where_it_was(tmp_path, monkeypatch):
    pytest.importorskip("bitsandbytes", "0.50", reason="older ones need a GPU for this")
    monkeypatch.setattr(training, "eight_bit_optimiser", lambda device: True)
    schedule = Schedule(6, lr=0.05, eval_every=2, patience=None)
    target = torch.linspace(-1, 1, 8192)

    def trained(stop=None, **options):
        module = nn.ParameterList([nn.Parameter(torch.zeros(8192))])

        def loss_at(step):
            if step == stop:
                raise KeyboardInterrupt
            return (module[0] - target).square().mean()

        history = train(module, loss_at, schedule, identity="same", **options)
        return module[0].detach(), history.train_losses

    whole, losses = trained()
    assert losses[-1] < 0.8 * losses[0]
    file = tmp_path / "state"
    with pytest.raises(KeyboardInterrupt):
        trained(stop=5, checkpoint=file)
    resumed, again = trained(checkpoint=file)
    assert losses == again and torch.equal(whole, resumed)
    memory = training.plain_adamw([nn.Parameter(torch.zeros(8192, requires_grad=True))])
    memory.param_groups[0]["params"][0].grad = torch.ones(8192)
    memory.step()
    states = [v for v in next(iter(memory.state.values())).values() if torch.is_tensor(v)]
    assert sum(v.numel() * v.element_size() for v in states if v.numel() >= 8192) == 2 * 8192
