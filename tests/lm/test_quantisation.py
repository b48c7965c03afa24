"""4-bit models on a CPU stay exact and differentiable after they have generated."""

import copy
import warnings

import bitsandbytes as bnb
import pytest
import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn.modules import has_avx512bf16
from tiny import TEXTS, tiny_lm

from synthkit.lm import load_lm, quantisation
from synthkit.lm.catalogue import cached
from synthkit.lm.quantisation import (
    disable_packed_cpu_layout,
    linear4bit_modules,
    quantisation_config,
)

packs = pytest.mark.skipif(
    not has_avx512bf16(), reason="only a CPU with AVX512-BF16 repacks 4-bit weights"
)


@pytest.fixture
def lm(folder):
    return load_lm(folder, bits=4, device="cpu")


def dequantised(lm):
    """An LM with the same weights, held as float32."""
    other = load_lm(lm.model.config._name_or_path, device="cpu")
    for name, module in lm.model.named_modules():
        if isinstance(module, bnb.nn.Linear4bit):
            weight = dequantize_4bit(module.weight.data, module.weight.quant_state)
            other.model.get_submodule(name).weight.data = weight.float()
    return other


def logits(lm):
    rows = [torch.tensor([ids]) for ids in lm.token_ids(TEXTS)]
    with torch.no_grad():
        return torch.cat([lm.model(row).logits[0] for row in rows])


def prompt_gradient(lm):
    """Of the loss with respect to a soft prompt."""
    prefix = torch.randn(3, lm.hidden_size, generator=torch.Generator().manual_seed(0)) * 0.2
    prefix.requires_grad_(True)
    lm.token_losses(*lm.training_batch(TEXTS, prefix_embeds=prefix)).sum().backward()
    return prefix.grad.flatten()


def lora_gradient(lm):
    parameters = [p for p in lm.model.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.grad = None
    lm.token_losses(*lm.training_batch(TEXTS)).sum().backward()
    return torch.cat([p.grad.flatten() for p in parameters])


def cosine(a, b):
    return torch.nn.functional.cosine_similarity(a, b, dim=0).item()


def with_lora(lm):
    student = lm.with_lora(rank=4, seed=0)
    with torch.no_grad():
        for name, parameter in student.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1, generator=torch.Generator().manual_seed(1))
    return student


def test_what_is_quantised(lm):
    layers = linear4bit_modules(lm.model)
    assert lm.bits == 4 and len(layers) == 3 * 7
    for layer in layers:
        state = layer.weight.quant_state
        assert layer.weight.dtype == torch.uint8 and state.quant_type == "nf4" and state.nested
        assert layer.support_avx512bf16_for_cpu is False
    assert lm.model.get_input_embeddings().weight.dtype == torch.float32


def test_prompt_gradient_survives_generation(lm):
    before = prompt_gradient(lm)
    lm.generate(TEXTS, max_new_tokens=4)
    lm.nll(TEXTS)
    after = prompt_gradient(lm)
    assert cosine(before, after) > 0.9999
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(prompt_gradient(dequantised(lm)), before, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(cached("smollm2") is None, reason="needs synthkit get-model smollm2")
def test_a_real_model_writes_what_its_dequantised_weights_write():
    lm = load_lm("smollm2", bits=4, device="cpu")
    prompts = ["Write a Python function that adds two numbers.", "Name a colour."]
    written, wanted = (
        each.generate(prompts, max_new_tokens=32, chat=True) for each in (lm, dequantised(lm))
    )
    assert all(written) and written == wanted


def test_lora_gradient_survives_generation(lm):
    student = with_lora(lm)
    before = lora_gradient(student)
    student.generate(TEXTS, max_new_tokens=4)
    after = lora_gradient(student)
    assert before.abs().sum() > 0 and cosine(before, after) > 0.9999
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)


@packs
@pytest.mark.filterwarnings("ignore:.*autograd kernel was not registered.*")
def test_without_the_fix_the_gradient_is_lost(lm):
    """Shows that the two tests above can fail on this CPU."""
    for layer in linear4bit_modules(lm.model):
        layer.support_avx512bf16_for_cpu = True
    before = prompt_gradient(lm)
    lm.generate(TEXTS, max_new_tokens=4)
    assert cosine(before, prompt_gradient(lm)) < 0.9
    with pytest.raises(RuntimeError, match="already been repacked"):
        disable_packed_cpu_layout(lm.model)


def test_merge_after_an_evaluation_equals_merge_without(lm):
    fresh, used = with_lora(lm), with_lora(lm)
    used.generate(TEXTS, max_new_tokens=4)
    for student in (fresh, used):
        student.model = student._adapters.handle.merge_and_unload()
    torch.testing.assert_close(logits(used), logits(fresh), rtol=1e-5, atol=1e-5)
    with lm.use_adapter(None):
        assert not torch.allclose(logits(fresh), logits(lm))


def test_saved_model_is_the_same(lm, tmp_path):
    lm.generate(TEXTS, max_new_tokens=4)
    wanted = logits(lm)
    lm.model.save_pretrained(tmp_path)
    lm.tokenizer.save_pretrained(tmp_path)
    for bits in (None, 4):
        again = load_lm(tmp_path, bits=bits, device="cpu")
        assert again.bits == 4 and torch.equal(logits(again), wanted)
        assert all(not m.support_avx512bf16_for_cpu for m in linear4bit_modules(again.model))
    with pytest.raises(ValueError, match="stored quantised"):
        load_lm(tmp_path, bits=8, device="cpu")


@pytest.mark.parametrize(
    ("hidden", "heads", "intermediate"), [(48, 4, 336), (80, 4, 344), (96, 6, 172)]
)
def test_odd_sizes_run_and_equal_their_dequantised_weights(tmp_path, hidden, heads, intermediate):
    sizes = {
        "hidden_size": hidden,
        "intermediate_size": intermediate,
        "num_attention_heads": heads,
        "num_key_value_heads": 2,
    }
    lm = load_lm(tiny_lm(tmp_path, **sizes), bits=4, device="cpu")
    torch.testing.assert_close(logits(lm), logits(dequantised(lm)), rtol=1e-4, atol=1e-4)
    assert len(lm.generate(TEXTS, max_new_tokens=3)) == len(TEXTS)
    assert torch.isfinite(prompt_gradient(lm)).all()


def test_a_copy_is_quantised_and_protected_too(lm):
    wanted = logits(lm)
    twin = lm.clone()
    assert all(not m.support_avx512bf16_for_cpu for m in linear4bit_modules(twin.model))
    assert torch.equal(logits(twin), wanted) and twin.fingerprint == lm.fingerprint
    before = prompt_gradient(twin)
    twin.generate(TEXTS, max_new_tokens=2)
    assert cosine(before, prompt_gradient(twin)) > 0.9999
    assert copy.deepcopy(lm.model).get_memory_footprint() == lm.model.get_memory_footprint()


def test_settings():
    assert quantisation_config(None, torch.float32) is None
    four = quantisation_config(4, torch.float32)
    assert four.bnb_4bit_quant_type == "nf4" and four.bnb_4bit_use_double_quant
    assert four.bnb_4bit_compute_dtype == torch.float32
    assert quantisation_config(8, torch.float32).load_in_8bit


def test_plain_model_has_nothing_to_protect(folder):
    assert disable_packed_cpu_layout(load_lm(folder, device="cpu").model) == 0


def test_a_large_model_in_4_bits_on_a_cpu_is_warned_of_once(folder, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_lm(folder, bits=4, device="cpu")  # a small one is not
    quantisation._hint_once.cache_clear()
    monkeypatch.setattr(quantisation, "LARGE", 1000)
    with pytest.warns(UserWarning, match="4-bit weights on a CPU") as told:
        load_lm(folder, bits=4, device="cpu")
        load_lm(folder, bits=4, device="cpu")
        load_lm(folder, device="cpu")
    assert len([each for each in told if "4-bit" in str(each.message)]) == 1
