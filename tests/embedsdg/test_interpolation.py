"""The average of two texts, its scale, and the way from embeddings back to text."""

import re
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import TEXTS, tiny_lm

from synthkit import load_lm, load_world
from synthkit.core.paths import data_dir
from synthkit.embedsdg.interpolation import (
    PADS,
    RESCALES,
    average_embedding,
    column_scale,
    copy_rate,
    decode,
    interpolate,
    nearest_tokens,
    token_scale,
    warn_of_lost,
)
from synthkit.embedsdg.prompts import SHOTS, decode_prompt

KINDS = ("llama", "granite", "gemma2", "gemma3")


def parent(m, seed=0, width=8):
    generator = torch.Generator().manual_seed(seed)
    E = torch.randn(m, width, generator=generator)
    w = torch.rand(m, generator=generator) + 0.01
    return E, w / w.sum()


@pytest.fixture(scope="module", params=KINDS)
def small(request, tmp_path_factory):
    return load_lm(tiny_lm(tmp_path_factory.mktemp(request.param), request.param), device="cpu")


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return load_lm(tiny_lm(tmp_path_factory.mktemp("llama")), device="cpu")


# --- the average ---------------------------------------------------------------------------------


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 10_000))
@settings(max_examples=50, deadline=None)
def test_equation_5_the_columns_sum_to_the_midpoint(m1, m2, seed):
    (E1, w1), (E2, w2) = parent(m1, seed), parent(m2, seed + 1)
    average = average_embedding(E1, w1, E2, w2, rescale="none")
    assert average.shape == (max(m1, m2), 8)
    middle = (w1 @ E1 + w2 @ E2) / 2
    torch.testing.assert_close(average.sum(0), middle, rtol=1e-6, atol=1e-6)


@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from(RESCALES), st.sampled_from(PADS))
@settings(max_examples=60, deadline=None)
def test_the_order_of_the_parents_does_not_matter(m1, m2, rescale, pad):
    first, second = parent(m1, 1), parent(m2, 2)
    a = average_embedding(*first, *second, rescale=rescale, pad=pad)
    b = average_embedding(*second, *first, rescale=rescale, pad=pad)
    torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_a_text_with_itself_is_its_weighted_self():
    E, w = parent(7)
    same = {name: average_embedding(E, w, E, w, rescale=name) for name in RESCALES}
    torch.testing.assert_close(same["none"], E * w[:, None])
    torch.testing.assert_close(same["mean1"], E * 7 * w[:, None])
    torch.testing.assert_close(same["clip"], E * (7 * w).clamp(0.5, 2)[:, None])
    lengths = same["colnorm"].norm(dim=1)
    torch.testing.assert_close(lengths, E.norm(dim=1).mean().expand(7))


def test_padding_halves_the_tail_or_carries_it():
    (E1, w1), (E2, w2) = parent(3, 1), parent(9, 2)
    options = {"rescale": "none"}
    zero = average_embedding(E1, w1, E2, w2, pad="zero", **options)
    carry = average_embedding(E1, w1, E2, w2, pad="carry", **options)
    torch.testing.assert_close(zero[:3], carry[:3])
    torch.testing.assert_close(2 * zero[3:], carry[3:])
    torch.testing.assert_close(carry[3:], (E2 * w2[:, None])[3:])


NAN, EMPTY = parent(4), (torch.zeros(0, 8), torch.zeros(0))
NAN[0][1, 2] = torch.nan


@pytest.mark.parametrize(
    ("second", "options", "message"),
    [
        (parent(4, width=6), {}, "width 8 and 6"),
        (NAN, {}, "second text has NaN"),
        (EMPTY, {}, "second text needs"),
        ((parent(4)[0], parent(5)[1]), {}, "second text needs"),
        ((parent(4)[0], torch.zeros(4)), {}, "not all 0"),
        ((parent(4)[0], torch.tensor([1.0, -0.1, 0.1, 0.0])), {}, ">= 0"),
        (parent(4), {"rescale": "mean"}, "rescale='mean' must be one of"),
        (parent(4), {"pad": "left"}, "pad='left' one of"),
    ],
)
def test_bad_averages_are_refused(second, options, message):
    with pytest.raises(ValueError, match=message):
        average_embedding(*parent(3), *second, **options)


def test_interpolate_pairs_texts(llama):
    first, second = TEXTS[:2], TEXTS[2:4]
    blocks = interpolate(llama, first, second, rescale="none", pad="carry")
    ends = [TEXTS[0], TEXTS[2]]
    (E1, E2), (w1, w2) = llama.embed_tokens(ends), llama.attention_weights(ends)
    expected = average_embedding(E1, w1, E2, w2, rescale="none", pad="carry")
    torch.testing.assert_close(blocks[0], expected, rtol=1e-4, atol=1e-6)
    assert len(blocks) == 2
    with pytest.raises(ValueError, match="give pairs"):
        interpolate(llama, first, second[:1])


# --- scale ---------------------------------------------------------------------------------------


def test_column_scale_is_rms_in_tokens_of_the_model(small):
    block = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    assert column_scale(block, 2.0).tolist() == pytest.approx([12.5**0.5 / 2, 0.0])
    tokens = torch.cat(small.embed_tokens(list(SHOTS)))
    unit = token_scale(small)
    assert column_scale(tokens, unit).median() == pytest.approx(1.0)
    assert column_scale(tokens / 8, unit).median() == pytest.approx(1 / 8)
    with pytest.raises(ValueError, match="positive"):
        column_scale(block, 0.0)


# --- decoding ------------------------------------------------------------------------------------


def test_decoding_raw_token_embeddings_is_decoding_the_text(small):
    form = ("Copy.\nInput:\n", "\nOutput:\n")
    blocks = small.embed_tokens(TEXTS)
    sketches = decode(small, blocks, form=form, batch_size=2)
    longest = max(map(len, blocks))
    new = longest + longest // 4 + 8
    ids = [
        [small.bos_id, *a, *b, *c]
        for b in small.token_ids(TEXTS)
        for a, c in [small.token_ids(form)]
    ]
    for row, sketch in zip(ids, sketches):
        out = small.model.generate(torch.tensor([row]), max_new_tokens=new, do_sample=False)
        expected = small.tokenizer.decode(out[0, len(row) :], skip_special_tokens=True)
        assert sketch.text == re.split("\nInput:|\nOutput:", expected)[0].strip()


def test_the_batch_size_changes_nothing(llama):
    blocks = interpolate(llama, TEXTS[:3], TEXTS[1:4])
    one = decode(llama, blocks, form="embedded", batch_size=1)
    assert one == decode(llama, blocks, form="embedded", batch_size=64)


def test_the_form_follows_the_model(llama, monkeypatch):
    asked = []

    def generate(*, inputs_embeds, prefix_embeds, **_):
        asked.append(len(prefix_embeds))
        return [""] * len(inputs_embeds)

    monkeypatch.setattr(llama, "generate", generate)
    blocks = llama.embed_tokens(TEXTS[:1])
    decode(llama, blocks)
    monkeypatch.setattr(llama, "is_embedded", True)
    decode(llama, blocks)
    lengths = [len(llama.token_ids([decode_prompt(form=form)[0]])[0]) + 1
               for form in ("paper", "embedded")]  # fmt: skip
    assert asked == lengths


def test_a_warning_comes_from_the_copies_of_the_model_at_hand(llama, monkeypatch):
    """A model that copies down to a quarter of a token's size, played by `generate`."""
    unit, measured, probes = token_scale(llama), [], TEXTS[:2]

    def generate(*, inputs_embeds, prefix_embeds, max_new_tokens, **_):
        ending = len(llama.token_ids([decode_prompt(form="embedded")[1]])[0])
        measured.append(float(column_scale(inputs_embeds[0][:-ending], unit).median()))
        return probes if measured[-1] > 0.25 else ["something else"] * len(inputs_embeds)

    monkeypatch.setattr(llama, "generate", generate)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_lost(llama, probes, form="embedded")
        warn_of_lost(llama, [], form="embedded", rescale="none")
        too_long = ["word " * llama.context]
        warn_of_lost(llama, too_long, form="embedded", rescale="none")
    assert len(measured) == 1
    said = "copies 0 of 2 texts .*rescale='none'.*2 come back with weights='uniform' and resc"
    with pytest.warns(UserWarning, match=said):
        assert warn_of_lost(llama, [*probes, *too_long], form="embedded", rescale="none") == 0.0


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (torch.zeros(0, 64), "empty"),
        (torch.ones(3, 32), r"\(m, 64\)"),
        (torch.full((3, 64), torch.nan), "NaN"),
        (torch.ones(200, 64), "context"),
    ],
)
def test_bad_blocks_are_refused(llama, block, message):
    with pytest.raises(ValueError, match=message):
        decode(llama, [block], form="embedded")


# --- the baseline --------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [7, 100_000])
def test_nearest_tokens_of_a_text_is_the_text_whatever_its_scale(small, chunk):
    for text, block in zip(TEXTS, small.embed_tokens(TEXTS)):
        grown = block * torch.linspace(1e-4, 10, len(block))[:, None]
        assert nearest_tokens(small, grown, chunk=chunk) == text


def test_nearest_tokens_leaves_out_special_tokens_and_zeros(llama):
    special = llama.embed_ids(llama.tokenizer.all_special_ids).detach()
    block = torch.cat([special, torch.zeros(2, 64), llama.embed_tokens([TEXTS[3]])[0]])
    text = nearest_tokens(llama, block)
    assert "<" not in text and text.endswith(TEXTS[3])
    assert nearest_tokens(llama, torch.zeros(2, 64)) == ""
    with pytest.raises(ValueError, match=r"\(m, 64\)"):
        nearest_tokens(llama, torch.zeros(2, 3))


# --- the embedded model --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def embedded():
    if not (data_dir() / "embedded_lm" / "config.json").is_file():
        pytest.skip("data/embedded_lm is not there: train it with lesson 01")
    return load_lm(device="cpu")


@pytest.fixture(scope="module")
def held_out():
    rows = load_world("math").rows(60, seed="interpolation-test")
    return [row["question"] for row in rows]


def test_the_embedded_model_copies_from_embeddings(embedded, held_out):
    repaired = {"weights": "received_corrected", "rescale": "clip"}
    assert copy_rate(embedded, held_out, **repaired) >= 0.95


def test_the_cliff_is_not_the_norms(embedded, held_out):
    """Small columns are lost with ε and without it; as printed, the model's own rate warns."""
    texts = held_out[:20]
    norms = [m for m in embedded.model.modules() if hasattr(m, "variance_epsilon")]
    usual = norms[0].variance_epsilon
    assert copy_rate(embedded, texts, weights="uniform") >= 0.95
    for eps in (1e-12, usual):
        for norm in norms:
            norm.variance_epsilon = eps
        assert copy_rate(embedded, texts, weights="uniform", scale=1 / 8) <= 0.05
    with pytest.warns(UserWarning, match="copies 0 of 8"):
        warn_of_lost(embedded, texts[:8], rescale="none")
