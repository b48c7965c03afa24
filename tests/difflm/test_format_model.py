"""The format model: shuffled columns, hints, what it knows and what not, its files."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import tiny_table
from torch.nn import functional

from synthkit.difflm import format_model as module
from synthkit.difflm.format_model import (
    format_model,
    pack_format_model,
    shuffle_columns,
    unpack_format_model,
)
from synthkit.difflm.part_presets import FormatPreset
from synthkit.difflm.rows import RowCodec
from synthkit.difflm.schema import TableSchema

TINY = FormatPreset(
    steps=120, lr=1e-2, eval_every=40, width=32, layers=1, heads=2, hints=2, batch_size=32
)


@pytest.fixture(scope="module")
def codec():
    return RowCodec(TableSchema.infer(tiny_table(400), few=2))


@pytest.fixture(scope="module")
def ids(codec):
    return codec.encode(tiny_table(400))


@pytest.fixture(scope="module")
def model(codec, ids):
    return format_model(codec, ids, TINY, seed=0)


@torch.no_grad()
def nats(model, codec, ids):
    begun = torch.cat([torch.full_like(ids[:, :1], codec.bos), ids[:, :-1]], 1)
    logits = model(input_ids=begun).logits
    return float(functional.cross_entropy(logits.mT, ids, reduction="none").sum(1).mean())


def spans(codec):
    return [slice(field.start, field.start + field.width) for field in codec.fields]


# --- shuffling -----------------------------------------------------------------------------------


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 30), st.integers(0, 9))
def test_each_column_keeps_its_values_and_moves_as_a_whole(n, seed):
    columns = [slice(0, 1), slice(1, 4), slice(4, 5)]
    ids = torch.arange(n)[:, None] + 100 * torch.arange(5)
    mixed = shuffle_columns(ids, columns, seed)
    for column in columns:
        rows = mixed[:, column] - 100 * torch.arange(5)[column]
        assert (rows == rows[:, :1]).all(), "the tokens of a number stay together"
        assert sorted(rows[:, 0].tolist()) == list(range(n))
    assert torch.equal(mixed, shuffle_columns(ids, columns, seed))


# --- what it knows -------------------------------------------------------------------------------


def test_it_knows_marginals_and_nothing_of_the_joint(model, codec, ids):
    true, mixed = nats(model, codec, ids), nats(model, codec, shuffle_columns(ids, spans(codec), 5))
    assert abs(true - mixed) < 0.15
    categories = 2 * np.log(4)
    assert categories < true < categories + np.log(1000), "it has learned the syntax"


def test_without_the_shuffle_it_knows_the_joint(model, codec, ids):
    knowing = format_model(codec, ids, TINY, seed=0, shuffle=False)
    mixed = shuffle_columns(ids, spans(codec), 5)
    assert nats(knowing, codec, ids) < nats(model, codec, ids) - 1
    assert nats(knowing, codec, mixed) > nats(knowing, codec, ids) + 2


def test_columns_count_alike_in_its_training(codec, ids):
    assert len({field.width for field in codec.fields}) > 1  # or there is nothing to weigh
    trained = module._HintedModel(codec, ids, TINY, seed=0)
    begun = torch.cat([torch.full_like(ids[:4, :1], codec.bos), ids[:4, :-1]], 1)
    logits = trained.model(input_ids=begun).logits
    each = functional.cross_entropy(logits.mT, ids[:4], reduction="none")
    weights = module.place_weights(codec)
    nats = trained.nats(ids[:4], trained.hints(ids[:4], 0, None), weights)
    torch.testing.assert_close(nats, (each * weights).sum(1))


def test_it_can_read_hints(codec, ids):
    trained = module._HintedModel(codec, ids, TINY, seed=0)
    mixed = module._Shuffles(ids, spans(codec), 0)
    optimiser = torch.optim.AdamW(trained.parameters(), lr=1e-2)
    generator, alike = torch.Generator().manual_seed(0), torch.ones(codec.length)
    for step in range(100):
        rows = mixed.at(step, 32)
        loss = trained.nats(rows, trained.hints(rows, 1 + step % 2, generator), alike).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        told = trained.nats(ids, trained.hints(ids, 2, generator, told=1.0), alike).mean()
        untold = trained.nats(ids, trained.hints(ids, 2, generator, told=0.0), alike).mean()
    assert told < untold - 2


# --- hints ---------------------------------------------------------------------------------------


def test_embeddings_begin_wide_and_hints_at_twice_the_told_token(codec, ids):
    trained = module._HintedModel(codec, ids, TINY, seed=0)
    table = trained.model.get_input_embeddings().weight
    assert 0.08 < float(table[3:].detach().std()) < 0.12
    torch.testing.assert_close(trained.vectors, 2 * table[trained.known % codec.vocab_size])


def test_one_hint_of_everything_is_the_sum_of_what_it_tells(codec, ids):
    trained = module._HintedModel(codec, ids, TINY, seed=0)
    generator = torch.Generator().manual_seed(0)
    vectors = trained.vectors[torch.searchsorted(trained.known, trained._keys(ids[:7]))]
    hint = trained.hints(ids[:7], 1, generator, told=1.0)
    torch.testing.assert_close(hint[:, 0], vectors.sum(1))
    shared = trained.hints(ids[:7], 3, generator, told=1.0)
    torch.testing.assert_close(shared.sum(1), vectors.sum(1))
    assert trained.hints(ids[:7], 2, generator, told=0.0).abs().max() == 0
    assert trained.hints(ids[:7], 0, generator).shape == (7, 0, TINY.width)


# --- training ------------------------------------------------------------------------------------


SHORT = FormatPreset(steps=8, eval_every=2, width=16, layers=1, heads=2, hints=2, batch_size=8)


@pytest.mark.parametrize(
    "wrong", [{"width": 30}, {"hints": -1}, {"heads": 0}, {"steps": 0}, {"decay_from": 2.0}]
)
def test_a_preset_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FormatPreset(**wrong)


# --- bad input -----------------------------------------------------------------------------------


# --- files ---------------------------------------------------------------------------------------


def test_it_is_the_same_after_saving(model, ids, tmp_path):
    from transformers import LlamaForCausalLM

    files = pack_format_model(model)
    again = unpack_format_model(files.__getitem__)
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    with torch.no_grad():
        expected = model(input_ids=ids[:4]).logits
        assert torch.equal(again(input_ids=ids[:4]).logits, expected)
        other = LlamaForCausalLM.from_pretrained(tmp_path).eval()
        torch.testing.assert_close(other(input_ids=ids[:4]).logits, expected)
    assert not any(p.requires_grad for p in again.parameters())
