"""The autoencoder: units, injection, schedule, fit, generation, collapse, files; and texts."""

import copy
import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import TEXTS, tiny_lm, tiny_table
from torch.nn import functional

from synthkit.difflm import autoencoder as module
from synthkit.difflm.autoencoder import (
    Autoencoder,
    Collapse,
    Injector,
    RowEncoder,
    beta_at,
    kl_nats,
    probe_auc,
    reparameterize,
    row_logits,
    row_nats,
    split_rows,
)
from synthkit.difflm.checks import place_weights
from synthkit.difflm.format_model import format_model
from synthkit.difflm.part_presets import KINDS, AutoencoderPreset, FormatPreset
from synthkit.difflm.rows import RowCodec
from synthkit.difflm.saving import pack_autoencoder, unpack_autoencoder
from synthkit.difflm.schema import TableSchema
from synthkit.difflm.text_codec import TextCodec
from synthkit.difflm.trie import PrefixTrie
from synthkit.lm import load_lm

SIZES = {"latent": 4, "tokens": 2, "width": 16, "layers": 1, "heads": 2, "batch_size": 16}
TINY = AutoencoderPreset(steps=8, lr=3e-3, eval_every=2, patience=None, waits=1, **SIZES)


@pytest.fixture(scope="module")
def codec():
    return RowCodec(TableSchema.infer(tiny_table(300), few=2))


@pytest.fixture(scope="module")
def ids(codec):
    return codec.encode(tiny_table(300))


@pytest.fixture(scope="module")
def decoder(codec, ids):
    """One that has learned the format and to read hints."""
    preset = FormatPreset(
        steps=300, lr=5e-3, eval_every=150, width=32, layers=2, heads=2, hints=3, batch_size=32
    )
    return format_model(codec, ids, preset, seed=0)


@pytest.fixture(scope="module")
def fitted(decoder, codec, ids):
    model = Autoencoder(decoder, codec, TINY, steps=500, lr=1e-2, eval_every=50)
    return model, model.fit(ids, codec.encode(tiny_table(100, 1), unseen="nearest"))


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    return load_lm(tiny_lm(tmp_path_factory.mktemp("tiny") / "llama"), device="cpu")


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def loss(model, rows, beta=0.1, seed=0):
    return sum(model.losses(rows, beta, torch.Generator().manual_seed(seed)))


# --- units ---------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 6), st.integers(0, 99))
def test_the_kl_is_that_of_torch_summed(d, seed):
    mu, logvar = 2 * normal(5, d, seed=seed), normal(5, d, seed=seed + 1)
    q = torch.distributions.Normal(mu, (0.5 * logvar).exp())
    expected = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(kl_nats(mu, logvar), expected, rtol=1e-4, atol=1e-5)


def test_draws_have_the_right_moments_and_pass_gradients():
    mu = torch.full((20_000, 1), 2.0, requires_grad=True)
    logvar = torch.full((20_000, 1), math.log(0.25), requires_grad=True)
    z = reparameterize(mu, logvar, normal(20_000, 1))
    assert float(z.mean().detach()) == pytest.approx(2, abs=0.02)
    assert float(z.std().detach()) == pytest.approx(0.5, abs=0.02)
    z.sum().backward()
    assert torch.equal(mu.grad, torch.ones_like(mu)) and logvar.grad.abs().sum() > 0


def test_the_loss_is_the_sum_of_its_parts(decoder, codec, ids):
    model = Autoencoder(decoder, codec, TINY)
    nats, kl = model.parts(ids[:9], normal(9, model.preset.latent, seed=4))
    total = loss(model, ids[:9], 0.3, 4)
    torch.testing.assert_close(total, (nats + 0.3 * kl).mean() / codec.length)


# --- the encoder ---------------------------------------------------------------------------------


@pytest.mark.parametrize("alike", ["columns", "tokens"])
def test_columns_or_tokens_count_alike_and_what_is_reported_is_not_weighed(
    decoder, codec, ids, alike
):
    assert len({field.width for field in codec.fields}) > 1  # or there is nothing to weigh
    weights = place_weights(codec)
    assert weights.mean() == pytest.approx(1)
    sums = [weights[f.start : f.start + f.width].sum() for f in codec.fields]
    assert torch.tensor(sums) == pytest.approx(codec.length / len(codec.fields))
    model = Autoencoder(decoder, codec, TINY, alike=alike)
    noise = normal(5, model.preset.latent, seed=1)
    z = reparameterize(*model.encoder(ids[:5]), noise)
    logits = row_logits(decoder, model.injector, z, ids[:5], codec.bos)
    each = functional.cross_entropy(logits.mT, ids[:5], reduction="none").detach()
    nats = model.parts(ids[:5], noise)[0].detach()
    torch.testing.assert_close(nats, each @ weights if alike == "columns" else each.sum(1))
    torch.testing.assert_close(model.reconstruction(ids[:5], z.detach()), each.sum(1))


def test_the_encoder_knows_places_and_ignores_padding():
    encoder = RowEncoder(9, 8, TINY).eval()
    ids = torch.tensor([[3, 4, 5, 6]])
    mu, logvar = encoder(ids)
    assert mu.shape == logvar.shape == (1, TINY.latent)
    assert not torch.allclose(mu, encoder(ids.flip(1))[0], atol=1e-4)
    for filler in (0, 7):
        wide = functional.pad(ids, (0, 4), value=filler)
        mask = torch.arange(8)[None] < 4
        torch.testing.assert_close(encoder(wide, mask)[0], mu)
    assert not torch.allclose(encoder(wide)[0], mu, atol=1e-4), "without the mask it would count"


# --- injection -----------------------------------------------------------------------------------


def test_what_each_kind_makes_of_a_latent_for_grouped_heads(lm):
    shapes = {"soft": (5, 3, 64), "memory": (5, 3, 2, 1, 16), "embedding": (5, 1, 64)}
    for kind, shape in shapes.items():
        injector = Injector(kind, 4, lm.model, 3)  # 4 heads, 2 of keys and values
        assert injector(normal(5, 4)).shape == shape and not injector(torch.zeros(5, 4)).any()


def test_soft_tokens_stand_before_bos(decoder, codec, ids):
    """Each row by itself, written out by hand."""
    injector, z = Injector("soft", 4, decoder, 2), normal(3, 4)
    logits = row_logits(decoder, injector, z, ids[:3], codec.bos)
    embed = decoder.get_input_embeddings()
    for row, own, found in zip(ids, z, logits):
        front = torch.cat([injector(own[None])[0], embed(torch.tensor([codec.bos])), embed(row)])
        with torch.no_grad():
            whole = decoder(inputs_embeds=front[None]).logits[0]
        torch.testing.assert_close(found, whole[2:-1], rtol=1e-4, atol=1e-4)


def test_a_decoder_that_gives_logits_of_every_place_is_read_at_the_row(
    decoder, codec, ids, monkeypatch
):
    given = decoder, Injector("soft", 4, decoder, 2), normal(3, 4), ids[:3], codec.bos
    kept = row_logits(*given)
    monkeypatch.setattr(module, "supported", lambda decoder, **options: {})  # no `logits_to_keep`
    torch.testing.assert_close(row_logits(*given), kept)


def test_an_embedding_is_added_everywhere(decoder, codec, ids):
    injector, z = Injector("embedding", 4, decoder, 2), normal(1, 4)
    begun = torch.cat([torch.tensor([codec.bos]), ids[0, :-1]])
    embeds = decoder.get_input_embeddings()(begun) + injector(z)[0]
    with torch.no_grad():
        expected = decoder(inputs_embeds=embeds[None]).logits
    found = row_logits(decoder, injector, z, ids[:1], codec.bos)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_memory_is_one_more_slot_in_every_layer(decoder, codec, ids):
    """What a head reads lies between what it read without the slot and the slot's value."""
    injector = Injector("memory", 4, decoder, 2)
    layer = decoder.model.layers[0].self_attn
    seen = {}
    hook = layer.o_proj.register_forward_pre_hook(lambda _, args: seen.update(x=args[0]))
    try:
        z = normal(1, 4)
        row_logits(decoder, injector, z, ids[:1], codec.bos)
        slot = injector(z)[0, 0, :, 0]  # (heads, width of a head)
        mixed = seen["x"].view(1, ids.shape[1], *slot.shape)
        without = {}
        hook.remove()
        hook = layer.o_proj.register_forward_pre_hook(lambda _, args: without.update(x=args[0]))
        begun = torch.cat([torch.tensor([[codec.bos]]), ids[:1, :-1]], 1)
        with torch.no_grad():
            decoder(input_ids=begun, position_ids=1 + torch.arange(ids.shape[1])[None])
        plain = without["x"].view_as(mixed)
    finally:
        hook.remove()
    # A softmax over one more key: `share` is the weight of the slot, which may round to 0 or to 1.
    share = ((mixed - plain) * (slot - plain)).sum(-1) / (slot - plain).square().sum(-1)
    assert -1e-5 < share.min() < share.max() < 1 + 1e-5
    torch.testing.assert_close(plain + share[..., None] * (slot - plain), mixed)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_encoder_and_injector_and_nothing_else(decoder, codec, ids, kind):
    model = Autoencoder(decoder, codec, TINY, kind=kind)
    loss(model, ids[:6]).backward()
    assert all(p.grad is not None for p in model.parameters())
    for part in (model.injector.map, model.encoder.states.tokens, model.encoder.mean):
        assert part.weight.grad.abs().sum() > 0
    assert all(p.grad is None and not p.requires_grad for p in decoder.parameters())
    assert not any("decoder" in name for name in model.state_dict())


@pytest.mark.parametrize("kind", KINDS)
def test_writing_with_a_cache_agrees_with_reading_the_whole(decoder, codec, kind):
    model = Autoencoder(decoder, codec, TINY, kind=kind, seed=3)
    z = normal(6, 4)
    written = model.generate(z, temperature=0)
    assert written.shape == (6, codec.length)
    with torch.no_grad():
        logits = row_logits(decoder, model.injector, z, written, codec.bos)
    best = logits.max(-1).values
    chosen = logits.gather(2, written[..., None])[..., 0]
    torch.testing.assert_close(chosen, best, rtol=1e-4, atol=1e-4)


# --- the price -----------------------------------------------------------------------------------


def plateau(**changes):
    return AutoencoderPreset(**{"beta": 0.1, "floor": 0.03, "factor": 0.5, "waits": 2, **changes})


def test_the_price_falls_after_looks_without_a_better_one():
    def after(*looks):
        return beta_at(plateau(), 0, looks)

    assert after() == after(5.0) == after(5.0, 4.0, 4.5) == 0.1
    assert after(5.0, 4.0, 4.5, 4.0) == 0.05, "equal is not better"
    assert after(5.0, 4.0, 4.5, 3.9, 4.5) == 0.1, "a better one in between starts anew"
    assert after(5.0, *[6.0] * 4) == 0.03, "not below the floor"
    assert beta_at(plateau(falls="constant"), 0, [5.0] * 9) == 0.1


def test_a_cycle_is_half_nothing_a_quarter_rising_a_quarter_full():
    preset = plateau(falls="cyclical", steps=400)  # ten cycles of 40
    path = [beta_at(preset, step, []) for step in range(400)]
    assert path[:20] == [0] * 20 and path[30:40] == pytest.approx([0.1] * 10)
    assert path[25] == pytest.approx(0.05) and path[40:80] == pytest.approx(path[:40])


@pytest.mark.parametrize(
    ("wrong", "why"),
    [({"alike": "rows"}, "alike"), ({"latent": 0}, "latent"), ({"kind": "prefix"}, "kind"),
     ({"falls": "up"}, "falls"),
     ({"floor": 1.0}, "floor"), ({"heads": 3}, "heads"), ({"factor": 1.5}, "factor"),
     ({"steps": 0}, "steps"), ({"beta": -1.0}, "beta"),
     ({"kind": "memory", "recomputing": True}, "recomputing needs another kind")],
)  # fmt: skip
def test_a_preset_that_makes_no_sense_is_refused(wrong, why):
    with pytest.raises(ValueError, match=why):
        AutoencoderPreset(**wrong)


# --- the fit -------------------------------------------------------------------------------------


def test_it_learns_and_the_latent_matters(fitted, codec):
    model, history = fitted
    held_out = codec.encode(tiny_table(100, 1), unseen="nearest")
    report = model.collapse(held_out, held_out[:, 0] < held_out[:, 0].float().mean())
    assert report.shuffled_gap >= 0.5 and not report.collapsed and report.probe > 0.9
    assert report.true < 0.6 * history.held_out[0][1] and report.true < report.prior
    assert report.true == pytest.approx(history.best_loss, rel=1e-4)


def test_its_samples_keep_what_goes_together(fitted, codec, ids):
    model, _ = fitted
    mu, _ = model.encode(ids)
    rows = codec.decode(model.generate(mu, constraint=codec.constraint(), seed=1))
    assert ((rows["number"] < 500) == rows["x"].isin(["a", "b"])).mean() > 0.75, "by chance half"


def test_a_price_too_high_sets_the_alarm_off(decoder, codec, ids):
    model = Autoencoder(decoder, codec, TINY, steps=60, lr=1e-2, eval_every=30, beta=10.0,
                        falls="constant")  # fmt: skip
    model.fit(ids, ids[:100])
    report = model.collapse(ids[:100])
    assert report.collapsed and abs(report.shuffled_gap) < 0.1 and report.kl < 1


def states(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def equal(first, second):
    return all(torch.equal(value, second[name]) for name, value in first.items())


def test_a_killed_fit_goes_on_as_if_nothing_had_been(decoder, codec, ids, tmp_path, monkeypatch):
    """With a price that falls on the way, so that the looks must survive as well."""
    hard = {"steps": 10, "beta": 0.5, "factor": 0.5, "lr": 0.3}
    whole = Autoencoder(decoder, codec, TINY, **hard)
    history = whole.fit(ids, ids[:50])
    real, path, prices = Autoencoder.losses, tmp_path / "fit.ckpt", []

    def watched(self, rows, beta, generator):
        prices.append(beta)
        if len(prices) == 7:
            raise KeyboardInterrupt
        return real(self, rows, beta, generator)

    monkeypatch.setattr(Autoencoder, "losses", watched)
    model = Autoencoder(decoder, codec, TINY, **hard)
    with pytest.raises(KeyboardInterrupt):
        model.fit(ids, ids[:50], checkpoint=path)
    again = Autoencoder(decoder, codec, TINY, **hard)
    resumed = again.fit(ids, ids[:50], checkpoint=path)
    looks = [loss for _, loss in history.held_out]
    path = [beta_at(whole.preset, 0, looks[: i + 1]) for i in range(len(looks))]
    assert path[-1] < 0.5, "the price falls on the way"
    assert equal(states(whole), states(again))
    assert resumed.held_out == history.held_out and resumed.train_losses == history.train_losses
    assert len(prices) == 7 + 4, "it went on from the look after six steps"
    assert prices[7:] == [path[i] for i in (3, 3, 4, 4)]


def test_the_layout_of_rows_is_part_of_a_fit(decoder, codec, ids, tmp_path, monkeypatch):
    path, model = tmp_path / "fit.ckpt", Autoencoder(decoder, codec, TINY)
    with monkeypatch.context() as patch:
        patch.setattr(Autoencoder, "losses", interrupted)
        with pytest.raises(KeyboardInterrupt):
            model.fit(ids, checkpoint=path)
    other = copy.copy(codec)  # the same ids, read as columns of one token each
    other.fields = [SimpleNamespace(width=1)] * codec.length
    assert not torch.equal(place_weights(other), place_weights(codec))
    with pytest.raises(ValueError, match="other data, options, model or seed"):
        Autoencoder(decoder, other, TINY).fit(ids, checkpoint=path)
    with pytest.raises(ValueError, match="fit again"):
        unpack_autoencoder(pack_autoencoder(model).__getitem__, decoder, other)


def interrupted(*_):
    raise KeyboardInterrupt


@given(st.integers(2, 60), st.integers(0, 5))
def test_rows_set_aside_are_not_learned_from(n, seed):
    rows, aside = split_rows(torch.arange(n)[:, None], seed)
    assert sorted(torch.cat([rows, aside])[:, 0].tolist()) == list(range(n))
    assert len(aside) == max(1, round(n / 10)) and len(rows) >= 1


def test_a_decoder_too_small_for_the_codec_is_refused(decoder, codec):
    wide = RowCodec(TableSchema.infer(pd.DataFrame({"a": [str(i) for i in range(200)] * 2})))
    assert wide.vocab_size > codec.vocab_size
    with pytest.raises(ValueError, match=f"has {wide.vocab_size} tokens, the decoder"):
        Autoencoder(decoder, wide, TINY)
    with pytest.raises(ValueError, match="no option depth"):
        Autoencoder(decoder, codec, TINY, depth=1)
    nothing_first = SimpleNamespace(bos=None, vocab_size=8, length=4)
    with pytest.raises(ValueError, match=r"no begin token.*soft"):
        Autoencoder(decoder, nothing_first, TINY, kind="memory")
    with pytest.raises(ValueError, match=r"latents must be \(n, 4\)"):
        Autoencoder(decoder, codec, TINY).generate(normal(3, 5))


# --- writing -------------------------------------------------------------------------------------


def test_the_size_of_a_batch_changes_nothing(fitted, codec):
    model, _ = fitted
    z = normal(11, 4)
    whole = model.generate(z, seed=5)
    assert torch.equal(model.generate(z, seed=5, batch_size=3), whole)
    assert not torch.equal(model.generate(z, seed=6), whole)
    assert torch.equal(model.generate(z[:4], seed=5), whole[:4])


def test_the_trie_makes_every_row_valid_and_meets_conditions(decoder, codec):
    model = Autoencoder(decoder, codec, TINY, seed=9)  # not fitted: latents push it anywhere
    z = 30 * normal(200, 4)
    assert any(model.codec.why_invalid(model.generate(z, seed=0)))
    assert not any(codec.why_invalid(model.generate(z, constraint=codec.constraint(), seed=0)))
    wish = codec.constraint({"x": {"a", "c"}, "number": (150, 820)})
    rows = codec.decode(model.generate(z, constraint=wish, seed=0))
    assert set(rows["x"]) <= {"a", "c"} and rows["number"].between(150, 820).all()


# --- collapse ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("permuted", "active", "rings"), [(20, 8, 0), (10.5, 8, 1), (20, 0, 1)])
def test_the_alarm_follows_its_two_questions(permuted, active, rings):
    assert Collapse(10.0, permuted, 15.0, 9.0, active, 8).collapsed == rings


@given(st.integers(2, 30), st.integers(0, 5))
def test_no_row_keeps_its_own_latent(n, seed):
    other = module.others_in_ring(n, seed)
    assert sorted(other.tolist()) == list(range(n)) and (other != torch.arange(n)).all()


def test_columns_cost_together_what_rows_cost_and_one_that_is_not_told_stands_out(fitted, ids):
    model, _ = fitted
    costs, report = model.column_nats(ids), model.collapse(ids)
    assert list(costs) == [field.column.name for field in model.codec.fields]
    own, other = (sum(cost) for cost in zip(*costs.values()))
    assert (own, other) == pytest.approx((report.true, report.permuted), rel=1e-4)
    blind = Autoencoder(model.decoder, model.codec, TINY)
    with torch.no_grad():
        blind.injector.map.weight.zero_()  # nothing is told
    for own, other in blind.column_nats(ids).values():
        assert own == pytest.approx(other, rel=1e-4)


def test_the_probe_reads_what_is_there_and_nothing_else():
    mu, y = normal(400, 3), np.arange(400) % 2
    assert 0.35 < probe_auc(mu, y) < 0.65
    mu[:, 1] += torch.from_numpy(3.0 * y)
    assert probe_auc(mu, np.where(y == 1, "yes", "no")) > 0.9
    with pytest.raises(ValueError, match="two values for 400 rows"):
        probe_auc(mu, np.arange(400) % 3)
    with pytest.raises(ValueError, match="two values"):
        probe_auc(mu, y[:10])


# --- files ---------------------------------------------------------------------------------------


# --- texts, and real models ----------------------------------------------------------------------


def text_codec(lm, length=40):
    return TextCodec(lm.tokenizer, length, vocab_size=lm.model.config.vocab_size)


def test_texts_come_back(lm):
    codec = text_codec(lm)
    ids = codec.encode(TEXTS)
    assert codec.decode(ids) == TEXTS and ids.shape[1] <= codec.length
    mask = codec.mask(ids)
    lengths = [len(row) + 1 for row in lm.token_ids(TEXTS)]
    assert mask.sum(1).tolist() == lengths and (ids[~mask] == codec.pad).all()
    assert codec.bos == lm.bos_id and not (ids == codec.bos).any()


def test_texts_that_cannot_be_encoded(lm):
    codec = text_codec(lm, 8)
    with pytest.raises(ValueError, match=r"text 0 takes .* but the codec holds 8"):
        codec.encode(TEXTS)
    with pytest.raises(ValueError, match="text 1 is empty"):
        codec.encode(["A", ""])
    with pytest.raises(ValueError, match="no texts"):
        codec.encode([])
    with pytest.raises(TypeError):
        codec.encode("A short one.")
    with pytest.raises(ValueError, match="2 or more"):
        text_codec(lm, 1)


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gemma3"])
def test_a_text_costs_the_same_in_any_company(tmp_path, kind):
    """Padding on the right: neither the encoder nor the decoder sees it."""
    lm = load_lm(tiny_lm(tmp_path / kind, kind), device="cpu")
    codec = text_codec(lm)
    model = Autoencoder(lm.model, codec, TINY)
    ids = codec.encode(TEXTS)
    mu, _ = model.encode(ids)
    together = model.reconstruction(ids, mu)
    for text, own, nats in zip(TEXTS, mu, together):
        alone = codec.encode([text])
        torch.testing.assert_close(model.encode(alone)[0][0], own, rtol=1e-3, atol=1e-4)
        found = model.reconstruction(alone, own[None])[0]
        torch.testing.assert_close(found, nats, rtol=1e-3, atol=1e-3)


def test_a_batch_is_as_wide_as_its_longest_text(lm):
    """Padding that no row of a batch needs costs nothing, and changes nothing."""
    codec = text_codec(lm)
    model = Autoencoder(lm.model, codec, TINY)
    ids = codec.encode(TEXTS)
    wide = torch.nn.functional.pad(ids, (0, codec.length - ids.shape[1]), value=codec.pad)
    assert wide.shape[1] > ids.shape[1] and torch.equal(model.cut(wide), ids)
    shortest = codec.mask(ids).sum(1).argmin()
    assert model.cut(wide[shortest, None]).shape[1] == codec.mask(ids)[shortest].sum()
    losses = [loss(model, rows) for rows in (ids, wide)]
    assert losses[0].item() == losses[1].item()


def test_it_costs_what_the_language_model_says(lm):
    """Soft tokens as a prefix of `LM.nll`, which lays a row out as [prefix][BOS][text][EOS]."""
    codec = text_codec(lm)
    model = Autoencoder(lm.model, codec, TINY)
    ids, z = codec.encode(TEXTS), normal(len(TEXTS), 4)
    with torch.no_grad():
        means = lm.nll(TEXTS, prefix_embeds=model.injector(z))
    expected = means * codec.mask(ids).sum(1)
    torch.testing.assert_close(model.reconstruction(ids, z), expected, rtol=1e-3, atol=1e-3)


def test_parts_and_recomputed_layers_give_the_same_gradient(lm):
    codec, found = text_codec(lm), []
    for changes in ({}, {"accumulation": 4}, {"accumulation": 99, "recomputing": True}):
        model = Autoencoder(lm.model, codec, TINY, **changes)
        with module.recomputed(lm.model, model.preset.recomputing):
            parts = list(model.losses(codec.encode(TEXTS), 0.1, torch.Generator().manual_seed(3)))
            sum(parts).backward()
        found.append([len(parts), *(p.grad for p in model.parameters())])
    assert [parts for parts, *_ in found] == [1, 4, len(TEXTS)]
    for other in found[1:]:
        torch.testing.assert_close(other[1:], found[0][1:], rtol=1e-3, atol=1e-6)


def test_texts_end_by_themselves(lm):
    codec = text_codec(lm)
    model = Autoencoder(lm.model, codec, TINY)
    words = codec.encode(["A short one.", "How many", "Answer: yes"])
    rows = [row[codec.mask(words)[i]].tolist()[:-1] for i, row in enumerate(words)]
    trie = PrefixTrie(rows, codec.vocab_size, eos=codec.eos)
    ids = model.generate(normal(12, 4), constraint=trie, seed=0, batch_size=5)
    assert set(codec.decode(ids)) <= {"A short one.", "How many", "Answer: yes"}
    assert ids.shape[1] <= words.shape[1] < codec.length, "it stopped when all had ended"
    assert (ids[~codec.mask(ids)] == codec.pad).all()


def test_gradients_pass_through_four_bits_also_after_writing(tmp_path):
    pytest.importorskip("bitsandbytes")
    lm = load_lm(tiny_lm(tmp_path / "llama"), bits=4, device="cpu")
    codec = text_codec(lm)
    model = Autoencoder(lm.model, codec, TINY)
    ids = codec.encode(TEXTS)

    def gradient():
        model.zero_grad()
        loss(model, ids).backward()
        return model.injector.map.weight.grad.clone()

    before = gradient()
    model.generate(normal(3, 4), seed=0)
    assert before.abs().sum() > 0 and torch.equal(gradient(), before)
    assert all(p.grad is None for p in lm.model.parameters())


def test_row_nats_count_only_what_the_mask_marks():
    logits, ids = normal(2, 3, 5), torch.tensor([[1, 2, 3], [4, 0, 0]])
    mask = torch.tensor([[True, True, True], [True, False, False]])
    each = -logits.log_softmax(-1).gather(2, ids[..., None])[..., 0]
    torch.testing.assert_close(row_nats(logits, ids), each.sum(1))
    expected = torch.stack([each[0].sum(), each[1, 0]])
    torch.testing.assert_close(row_nats(logits, ids, mask), expected)
