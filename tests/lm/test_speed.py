"""What makes generation and training fast leaves the numbers as they are: see bench_real_model."""

import copy
import pickle

import pytest
import torch
from tiny import TEXTS
from torch import nn
from transformers import DynamicCache

from synthkit import load_lm
from synthkit.lm import choosing, generation, loading, precision, products
from synthkit.lm.choosing import Sampling, choose
from synthkit.lm.decoding import PACK_STEPS
from synthkit.lm.finetune import FinetunePreset, finetune
from synthkit.lm.key_values import RoomyLayer, make_roomy
from synthkit.lm.products import FastLinear, packed, use_fast_products

needs_onednn = pytest.mark.skipif(not products._has_onednn(), reason="torch without oneDNN")


@pytest.fixture
def fast(folders, monkeypatch):
    """The tiny model with every linear layer turned into a fast one."""
    monkeypatch.setenv("SYNTHKIT_PRODUCTS", "onednn")
    monkeypatch.setattr(products, "SMALLEST", 1)
    monkeypatch.setattr(products, "SMALLEST_MODEL", 1)
    return load_lm(folders["llama"], device="cpu")


# --- products


def layers(bias, dtype=torch.float32):
    """A linear layer and a fast one with the same weights."""
    torch.manual_seed(0)
    plain = nn.Linear(40, 24, bias=bias, dtype=dtype)
    quick = nn.Linear(40, 24, bias=bias, dtype=dtype)
    quick.load_state_dict(plain.state_dict())
    quick.__class__ = FastLinear
    return plain, quick, torch.randn(3, 5, 40, dtype=dtype)


@needs_onednn
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("frozen", [True, False])
def test_fast_product_and_its_gradients_are_those_of_torch(bias, frozen):
    plain, quick, x = layers(bias)
    found = []
    for layer in (plain, quick):
        layer.weight.requires_grad_(not frozen)
        row = x.clone().requires_grad_()
        asked = [row, *(p for p in layer.parameters() if p.requires_grad)]
        out = layer(row)
        found.append([out, *torch.autograd.grad(out.pow(3).sum(), asked)])
    assert len(found[0]) == 4 - (not bias) - frozen
    for a, b in zip(*found):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


@needs_onednn
def test_fast_product_of_one_vector_and_its_second_derivative_are_those_of_torch():
    plain, quick, x = layers(True)
    found = []
    for layer in (plain, quick):
        row = x[0, 0].clone().requires_grad_()
        asked = [row, *layer.parameters()]
        first = torch.autograd.grad(layer(row).pow(3).sum(), asked, create_graph=True)
        second = torch.autograd.grad(sum(g.pow(2).sum() for g in first), asked)
        found.append([*first, *second])
    for a, b in zip(*found):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
    with pytest.raises(RuntimeError, match="shapes"):  # as torch says it
        quick(x[..., :-1])


@needs_onednn
def test_a_layer_is_copied_and_pickled_while_it_is_packed():
    _, quick, x = layers(True)
    with torch.no_grad(), packed(quick):
        for twin in (copy.deepcopy(quick), pickle.loads(pickle.dumps(quick))):
            assert twin.packed is None and quick.packed is not None
            torch.testing.assert_close(twin(x), quick(x))


@needs_onednn
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_packed_weights_give_the_same_and_go_again(dtype):
    plain, quick, x = layers(True, dtype)
    with torch.no_grad(), packed(quick):
        assert (quick.packed is not None) == products._can_pack(dtype)
        torch.testing.assert_close(quick(x), plain(x))
        with packed(quick):
            pass
        assert (quick.packed is not None) == products._can_pack(dtype)  # the outer one holds it
    assert quick.packed is None
    with packed(quick), torch.enable_grad():
        assert quick(x).requires_grad
    with pytest.raises(ZeroDivisionError), packed(quick):
        raise ZeroDivisionError
    assert quick.packed is None
    with packed(quick, on=False):
        assert quick.packed is None


@needs_onednn
def test_packed_weights_have_a_bound(fast, monkeypatch):
    found = [m for m in fast.model.modules() if isinstance(m, FastLinear)]
    bound = sum(m.weight.nbytes for m in found) // 2
    monkeypatch.setattr(products, "PACKED_BYTES", bound)
    with packed(fast.model):
        taken = sum(m.weight.nbytes for m in found if m.packed is not None)
    assert 0 < taken <= bound


@needs_onednn
def test_what_onednn_does_not_take_goes_torchs_way():
    plain, quick, x = layers(True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(quick(x), plain(x)) and quick(x).dtype == torch.bfloat16
    assert quick(x[:0]).shape == (0, 5, 24)
    quick.double()
    assert quick(x.double()).dtype == torch.float64


@needs_onednn
def test_fast_model_writes_and_learns_as_before(fast, lm):
    assert all(type(m) is not nn.Linear for m in fast.model.modules())
    long = PACK_STEPS + 8
    assert fast.generate(TEXTS, max_new_tokens=long) == lm.generate(TEXTS, max_new_tokens=long)
    torch.testing.assert_close(fast.nll(TEXTS), lm.nll(TEXTS), rtol=1e-5, atol=1e-5)
    moved = []
    for model in (fast.clone(), lm.clone()):
        model.add_adapter("student", rank=2)
        model.set_adapter("student")
        embeds, labels, mask = model.training_batch(TEXTS)
        model.token_losses(embeds, labels, mask).sum().backward()
        gradients = [p.grad for p in model.model.parameters() if p.grad is not None]
        moved.append(torch.cat([g.flatten() for g in gradients]))
    torch.testing.assert_close(*moved, rtol=1e-3, atol=1e-4)


@needs_onednn
def test_products_are_chosen_by_a_trial(folders, monkeypatch):
    def count(folder):
        model = load_lm(folder, device="cpu").model
        return sum(isinstance(m, FastLinear) for m in model.modules())

    monkeypatch.delenv("SYNTHKIT_PRODUCTS", raising=False)
    monkeypatch.setattr(products, "onednn_gain", lambda *shape: 9.0)
    assert count(folders["llama"]) == 0  # too small to be worth other sums
    monkeypatch.setattr(products, "SMALLEST_MODEL", 1)
    monkeypatch.setattr(products, "SMALLEST", 64 * 128)
    assert 0 < count(folders["llama"]) < 22  # attention's layers are too small
    monkeypatch.setattr(products, "onednn_gain", lambda *shape: 1.0)
    assert count(folders["llama"]) == 0
    monkeypatch.setenv("SYNTHKIT_PRODUCTS", "onednn")
    assert count(folders["llama"]) > 0
    monkeypatch.setenv("SYNTHKIT_PRODUCTS", "mkl")
    with pytest.raises(ValueError, match="SYNTHKIT_PRODUCTS='mkl'"):
        use_fast_products(nn.Linear(2, 2))


def test_a_large_output_layer_gets_its_input_in_one_piece(folders, lm, monkeypatch):
    monkeypatch.setattr(products, "LARGE_HEAD", 1)
    quick = load_lm(folders["llama"], device="cpu")
    embeds, _labels, mask = lm.training_batch(TEXTS)
    whole, logits = [], []

    def look(layer, inputs, out):
        whole.append(inputs[0].is_contiguous())

    for model in (quick.clone().model, lm.model):
        with model.get_output_embeddings().register_forward_hook(look):
            given = {"inputs_embeds": embeds, "attention_mask": mask, "logits_to_keep": 3}
            logits.append(model(**given).logits)
    assert whole == [True, False]  # the slice has gaps where nothing is done about it
    torch.testing.assert_close(*logits, rtol=1e-5, atol=1e-5)


def test_precision_of_the_weights_can_be_left_to_the_device(folders, monkeypatch):
    for fast, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(loading, "fast_bfloat16", lambda device, fast=fast: fast)
        assert load_lm(folders["llama"], device="cpu", dtype="auto").model.dtype == dtype
    with pytest.raises(ValueError, match=r"dtype must be .* found 'half'"):
        load_lm(folders["llama"], device="cpu", dtype="half")


def test_precision_of_a_real_models_weights_follows_the_environment(folders, monkeypatch):
    monkeypatch.setenv("SYNTHKIT_PRECISION", "bfloat16")
    lm = load_lm(folders["llama"], device="cpu")
    assert lm.model.dtype == torch.bfloat16
    assert load_lm(folders["llama"], device="cpu", dtype=torch.float32).model.dtype == torch.float32
    assert load_lm("embedded", device="cpu").model.dtype == torch.float32
    student = finetune(
        lm,
        [{"question": text, "answer": text} for text in TEXTS],
        FinetunePreset(max_updates=1, batch_size=2),
    )
    assert all(p.dtype == torch.float32 for p in student.model.parameters() if p.requires_grad)


@needs_onednn
def test_a_model_with_fast_products_learns_in_float32(fast, lm, monkeypatch):
    """There bfloat16 gains little, and a trial near its bound would flip from run to run."""
    monkeypatch.delenv("SYNTHKIT_PRECISION", raising=False)
    monkeypatch.setattr(precision, "lists_bfloat16", lambda: True)
    monkeypatch.setattr(precision, "bfloat16_gain", lambda *shape: 9.0)
    assert precision.fast_bfloat16("cpu", lm.model)
    assert not precision.fast_bfloat16("cpu", fast.model)
    monkeypatch.setenv("SYNTHKIT_PRECISION", "bfloat16")
    assert precision.fast_bfloat16("cpu", fast.model)


# --- the cache


def test_roomy_cache_is_a_cache():
    """Appended to, cut to some rows and repeated, it holds what transformers' own holds."""
    torch.manual_seed(0)
    caches = [DynamicCache(), DynamicCache()]
    for step, m in enumerate([5, *[1] * 70, 3]):
        rows = caches[0].layers[0].keys.shape[0] if step else 4
        states = torch.randn(2, rows, 2, m, 6)
        both = [cache.update(*states, 0) for cache in caches]
        for a, b in zip(*both):
            assert torch.equal(a, b)
        make_roomy(caches[1])
        assert type(caches[1].layers[0]) is RoomyLayer
        if step in (10, 40):
            for cache in caches:
                cache.batch_select_indices(torch.tensor([0, 2]))
        if step == 20:
            for cache in caches:
                cache.batch_repeat_interleave(3)


def test_roomy_cache_does_not_copy_for_each_token():
    cache = DynamicCache()
    cache.update(*torch.randn(2, 2, 2, 5, 6), 0)
    make_roomy(cache)
    places = set()
    for _ in range(60):
        cache.update(*torch.randn(2, 2, 2, 1, 6), 0)
        places.add(cache.layers[0].keys.data_ptr())
    assert len(places) == 1


# --- what all prompts begin with

SHOTS = "Anna has two apples. The train leaves at nine. "


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gemma3"])
def test_a_shared_beginning_is_run_once(lms, kind, monkeypatch):
    lm = lms[kind]
    prompts = [SHOTS + text[:20] for text in TEXTS]
    options = {"max_new_tokens": 12, "batch_size": 2}
    alone = lm.generate(prompts, **options)
    widths = []
    hook = lm.model.register_forward_hook(
        lambda module, inputs, given, out: (
            widths.append(given["inputs_embeds"].shape[:2]) if "inputs_embeds" in given else None
        ),
        with_kwargs=True,
    )
    monkeypatch.setattr(generation, "_WORTH_SHARING", 1)
    try:
        assert lm.generate(prompts, **options) == alone
    finally:
        hook.remove()
    shared = len(lm.with_bos(lm.token_ids([SHOTS])[0])) - 1
    assert widths[0][0] == 1 and widths[0][1] >= shared
    rest = max(len(ids) for ids in lm.token_ids(prompts)) + 1 - shared
    if kind != "gemma3":  # its sliding windows count padding, so that rows are run whole
        assert max(width for _, width in widths[1:]) <= rest


def test_beginnings_that_differ_are_not_shared(lm, monkeypatch):
    monkeypatch.setattr(generation, "_WORTH_SHARING", 1)
    shared = []
    monkeypatch.setattr(generation, "begin", lambda model, embeds: shared.append(len(embeds)))
    prefix = lm.embed_ids([5, 6, 7]).detach()
    lm.generate(["A b", "C d"], prefix_embeds=prefix, max_new_tokens=2)
    assert shared == [4]  # the prefix and BOS
    lm.generate(["A b", "C d"], prefix_embeds=torch.stack([prefix, -prefix]), max_new_tokens=2)
    lm.generate(["A b"], max_new_tokens=2)
    assert shared == [4]
    lm.generate(["A b", "A b"], max_new_tokens=2)  # one position stays for each row
    assert shared == [4, len(lm.with_bos(lm.token_ids(["A b"])[0])) - 1]


# --- the choice of a token


@pytest.mark.parametrize(
    "sampling", [Sampling(0.8, 0.9), Sampling(1.0, 1.0, 40), Sampling(1.0, 0.5, 7)]
)
@pytest.mark.parametrize("spread", [4.0, 0.01, 0.0])
def test_a_shortlist_gives_what_the_whole_vocabulary_gives(sampling, spread, monkeypatch):
    """Also where many scores are equal, and where the best few do not hold enough."""
    generator = torch.Generator().manual_seed(0)
    logits = (torch.randn(64, 3000, generator=generator) * spread).round(decimals=1)
    uniform = torch.rand(64, generator=generator, dtype=torch.float64)
    short = choose(logits, uniform, sampling)
    monkeypatch.setattr(choosing, "_SHORTLIST", 10**6)
    monkeypatch.setattr(choosing, "CELLS", 10**9)
    assert torch.equal(short, choose(logits, uniform, sampling))
