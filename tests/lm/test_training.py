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

from synthkit.lm.training import History, Schedule, batch_at, train

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


def test_the_loss_falls_and_the_history_says_so():
    point = Point()
    history = train(point, point.loss, SCHEDULE, evaluate=point.distance)
    assert history.steps == len(history.train_losses) == 40
    assert [step for step, _ in history.held_out] == list(range(0, 41, 5))
    assert history.best_loss == min(loss for _, loss in history.held_out) < 14
    assert dict(history.held_out)[history.best_step] == history.best_loss
    assert point.distance() == pytest.approx(history.best_loss, abs=0)
    assert not point.training and torch.equal(point.fixed, torch.ones(2))


def test_it_is_adamw_without_decay():
    """Against torch's optimiser, driven by hand."""
    schedule = Schedule(steps=7, lr=0.03, decay_from=0.5, eval_every=100, clip=0.7)
    ours, theirs = Point(), Point()
    train(ours, ours.loss, schedule)
    optimiser = torch.optim.AdamW([theirs.place], lr=0.03, weight_decay=0.0)
    for step in range(7):
        optimiser.param_groups[0]["lr"] = 0.03 * min(1, (7 - step) / 3.5)
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


def test_epochs_and_seeds_differ():
    assert batch_at(0, 50, 50, 0).tolist() != batch_at(1, 50, 50, 0).tolist()
    assert batch_at(0, 50, 50, 0).tolist() != batch_at(0, 50, 50, 1).tolist()


def test_it_stops_when_nothing_gets_better_and_keeps_the_best():
    point, looks = Point(), iter([5.0, 3.0, 4.0, 3.5, 9.0, 1.0])
    seen = []

    def evaluate():
        seen.append(point.place.detach().clone())
        return next(looks)

    history = train(point, point.loss, Schedule(60, 0.05, eval_every=5, patience=3),
                    evaluate=evaluate)  # fmt: skip
    assert (history.steps, history.best_step, history.best_loss) == (20, 5, 3.0)
    assert history.stale() == 3 and torch.equal(point.place, seen[1])


def test_a_start_that_nothing_beats_is_kept():
    point, looks = Point(), iter([1.0, 2.0, 2.0])
    history = train(
        point, point.loss, Schedule(10, 0.05, eval_every=5), evaluate=lambda: next(looks)
    )
    assert history.best_step == 0 and torch.equal(point.place, torch.zeros(3))


def test_without_held_out_data_the_last_state_is_kept():
    point = Point()
    history = train(point, point.loss, Schedule(12, 0.05, eval_every=5))
    assert (history.best_step, history.best_loss, history.held_out) == (12, None, [])
    assert point.distance() < 13


def dies_at_once(step):
    raise AssertionError("there is nothing left to train")


@pytest.mark.parametrize("held_out", [True, False])
@pytest.mark.parametrize("cut", [0, 3, 10, 17, 39])
def test_an_interrupted_training_ends_the_same(tmp_path, cut, held_out):
    file = tmp_path / "deep" / "run.safetensors"

    def evaluate(point):
        return {"evaluate": point.distance} if held_out else {}

    whole = Point()
    wanted = train(whole, whole.loss, SCHEDULE, **evaluate(whole))
    point = Point()

    def dies(step):
        if step == cut:
            raise KeyboardInterrupt
        return point.loss(step)

    with pytest.raises(KeyboardInterrupt):
        train(point, dies, SCHEDULE, checkpoint=file, identity="a", **evaluate(point))
    assert file.exists() and not point.training
    again, calls = Point(), []

    def counted(step):
        calls.append(step)
        return again.loss(step)

    history = train(again, counted, SCHEDULE, checkpoint=file, identity="a", **evaluate(again))
    assert history == wanted and torch.equal(again.place, whole.place)
    assert calls == list(range(cut // 5 * 5, 40))
    assert list(file.parent.iterdir()) == [file]  # the result may not be on disk yet
    third = Point()
    assert train(third, dies_at_once, SCHEDULE, checkpoint=file, identity="a", **evaluate(third))
    assert torch.equal(third.place, whole.place)


def unfinished(file):
    """A checkpoint of a training of `Point` that was cut off at step 7."""

    def dies(step):
        if step == 7:
            raise KeyboardInterrupt
        return Point.loss(point, step)

    point = Point()
    with pytest.raises(KeyboardInterrupt):
        train(point, dies, SCHEDULE, checkpoint=file, identity="a")
    return file.read_bytes()


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    file, moved = tmp_path / "run", Point()
    moved.place.data += 1
    kept = unfinished(file)
    for point, schedule, name in [
        (Point(), SCHEDULE, "b"),
        (Point(), replace(SCHEDULE, steps=50), "a"),
        (moved, SCHEDULE, "a"),
    ]:
        with pytest.raises(ValueError, match="run belongs to a training with other data"):
            train(point, point.loss, schedule, checkpoint=file, identity=name)
    with pytest.raises(ValueError, match="needs an identity"):
        train(point, point.loss, SCHEDULE, checkpoint=file)
    assert file.read_bytes() == kept


def test_a_damaged_checkpoint_is_named_in_one_sentence_and_stays(tmp_path):
    file, point = tmp_path / "notes.txt", Point()
    whole = unfinished(file)
    flips = [
        whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(0, len(whole), 97)
    ]
    others = [b"", b"torn", b"\x02\x00\x00\x00\x00\x00\x00\x00{}", bytes(5000), whole[:-30]]
    for content in [*others, *flips]:
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"notes\.txt is no checkpoint, or a damaged one"):
            train(point, point.loss, SCHEDULE, checkpoint=file, identity="a")
        assert file.read_bytes() == content


@pytest.mark.parametrize("how", ["loss", "gradient", "raised"])
def test_nan_brings_the_last_good_state_back(tmp_path, how):
    point, places = Point(), {}

    def loss_at(step):
        places[step] = point.place.detach().clone()
        if step < 13:
            return point.loss(step)
        if how == "raised":
            raise FloatingPointError("the soft prompt holds NaN")
        if how == "loss":
            return point.place.sum() * math.nan
        return (point.place * 0).abs().sqrt().sum()  # 0, with a slope of infinity

    with pytest.raises(FloatingPointError, match=r"after step 13, at learning rate 0.05.*step 10"):
        train(
            point,
            loss_at,
            SCHEDULE,
            evaluate=point.distance,
            checkpoint=tmp_path / "run",
            identity="a",
        )
    assert torch.equal(point.place, places[10]) and not (tmp_path / "run").exists()
    assert not point.training


def test_nan_on_held_out_data_is_no_best_loss():
    point, looks = Point(), iter([5.0, 3.0, math.nan])
    with pytest.raises(FloatingPointError, match="held-out loss is nan"):
        train(point, point.loss, SCHEDULE, evaluate=lambda: next(looks))
    assert torch.isfinite(point.place).all()


def test_nothing_to_train_and_coarse_types_are_refused():
    point = Point()
    with pytest.raises(ValueError, match="found bfloat16"):
        train(point.bfloat16(), point.loss, SCHEDULE)
    with pytest.raises(ValueError, match="found none"):
        train(Point().requires_grad_(False), point.loss, SCHEDULE)
    with pytest.raises(ValueError, match="no learning rate for Point"):
        train(Point(), point.loss, Schedule())


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"lr": -1.0}, {"eval_every": 0}, {"clip": 0},
                                   {"patience": 0}, {"lr": math.nan}])  # fmt: skip
def test_a_schedule_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be positive"):
        Schedule(**wrong)
    with pytest.raises(ValueError, match="a share, from 0 to 1"):
        Schedule(decay_from=1.5)


def test_an_empty_history():
    assert History().steps == 0 and History().stale() == 0
