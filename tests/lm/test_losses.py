"""Losses of next tokens: in chunks they are those of all logits at once, and so are gradients."""

import pytest
import torch
from tiny import TEXTS, tiny_lm
from torch.utils._python_dispatch import TorchDispatchMode

from synthkit.lm import load_lm, losses
from synthkit.lm.examples import answer_loss, collate, encode
from synthkit.lm.finetune import _mean_loss
from synthkit.lm.modes import frozen
from synthkit.lm.rows import IGNORED

ROWS = [{"prompt": text[:9], "completion": text[9:]} for text in TEXTS if len(text) > 20]


def chunked(patch, size: int = 384 * 3):
    """From here on every vocabulary is large, and a chunk holds `size` logits."""
    patch.setattr(losses, "LARGE", 1)
    patch.setattr(losses, "CHUNK", size)


def nats_and_gradient(lm):
    """Nats at each place, and the gradient of a sum of them with regard to a prefix."""
    prefix = torch.full((2, lm.hidden_size), 0.3, device=lm.device, requires_grad=True)
    batch = lm.training_batch(TEXTS, prompts=["So: ", "", "Well", "", "A"], prefix_embeds=prefix)
    with frozen(lm):
        nats = lm.token_losses(*batch)
        (nats.sum(1) * torch.arange(1.0, 6.0)).sum().backward()
    return nats.detach(), prefix.grad


class LargestBlock(TorchDispatchMode):
    """Notes the most places for which logits exist at once."""

    def __init__(self, vocabulary: int):
        super().__init__()
        self.vocabulary, self.places = vocabulary, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        new = torch.is_tensor(out) and func is not torch.ops.aten.t.default  # the head, turned
        if new and out.dim() and out.shape[-1] == self.vocabulary:
            self.places = max(self.places, out.numel() // self.vocabulary)
        return out


@pytest.mark.parametrize("kind", ["llama", "qwen2", "granite", "gemma2", "gemma3"])
def test_chunks_give_the_same_losses_and_gradients(lms, kind, monkeypatch):
    """Granite divides its logits and Gemma 2 caps them."""
    lm = lms[kind]
    whole, gradient = nats_and_gradient(lm)
    chunked(monkeypatch)
    assert losses.in_chunks(lm.model)
    with LargestBlock(lm.model.config.vocab_size) as block:
        ours, ours_gradient = nats_and_gradient(lm)
    torch.testing.assert_close(ours, whole, rtol=0, atol=1e-6 * float(whole.max()))
    close = 1e-5 * float(gradient.abs().max())
    torch.testing.assert_close(ours_gradient, gradient, rtol=0, atol=close)
    assert block.places <= 3


def test_an_adapter_learns_the_same_from_chunks(lm, monkeypatch):
    student = lm.with_lora(rank=4)
    batch = collate(encode(lm.tokenizer, ROWS, lm.context), range(len(ROWS)), 0, "cpu")
    weights = [p for p in student.model.parameters() if p.requires_grad]
    whole = answer_loss(student.model, *batch)
    expected = torch.autograd.grad(whole, weights, allow_unused=True)
    chunked(monkeypatch)
    with LargestBlock(lm.model.config.vocab_size) as block:
        ours = _mean_loss(student.model, *batch)
        found = torch.autograd.grad(ours, weights, allow_unused=True)
    torch.testing.assert_close(ours, whole, rtol=1e-6, atol=0)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    assert block.places <= 3


def test_a_mean_needs_the_logits_of_the_answers_alone(lm):
    student = lm.with_lora(rank=4)
    batch = collate(encode(lm.tokenizer, ROWS, lm.context), range(len(ROWS)), 0, "cpu")
    weights = [p for p in student.model.parameters() if p.requires_grad]
    whole = answer_loss(student.model, *batch)
    expected = torch.autograd.grad(whole, weights, allow_unused=True)
    with LargestBlock(lm.model.config.vocab_size) as block:
        ours = _mean_loss(student.model, *batch)
        found = torch.autograd.grad(ours, weights, allow_unused=True)
    torch.testing.assert_close(ours, whole, rtol=1e-6, atol=0)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)
    assert block.places == int((batch[2][:, 1:] != IGNORED).sum()) < batch[2].numel() * 0.8


@pytest.mark.parametrize("bits", [4, 8])
def test_quantised_weights_go_in_chunks_too(folder, bits, monkeypatch):
    lm = load_lm(folder, bits=bits, device="cpu")
    whole, gradient = nats_and_gradient(lm)
    chunked(monkeypatch)
    assert losses.in_chunks(lm.model)
    ours, ours_gradient = nats_and_gradient(lm)
    torch.testing.assert_close(ours, whole, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        ours_gradient, gradient, rtol=1e-3, atol=1e-5 * float(gradient.abs().max())
    )


def test_a_head_that_cannot_be_taken_apart_gives_all_logits(tmp_path, monkeypatch):
    lm = load_lm(tiny_lm(tmp_path / "model"), device="cpu")
    whole, gradient = nats_and_gradient(lm)
    chunked(monkeypatch)
    adapted = lm.with_lora(rank=2, targets=["lm_head"])
    assert not losses.in_chunks(adapted.model)  # a head with an adapter
    torch.testing.assert_close(nats_and_gradient(adapted)[0], whole)
    monkeypatch.setattr(type(lm.model), "get_decoder", lambda model: model)  # no inner decoder
    assert not losses.in_chunks(lm.model)
    torch.testing.assert_close(nats_and_gradient(lm), (whole, gradient))
    other = torch.nn.Identity()  # a part that the forward does not go through
    monkeypatch.setattr(type(lm.model), "get_decoder", lambda model: other)
    assert not losses.in_chunks(lm.model)


def test_a_small_vocabulary_and_labels_without_loss(lm, monkeypatch):
    assert not losses.in_chunks(lm.model)  # recorded results of small models stay as they are
    chunked(monkeypatch)
    embeds, labels, mask = lm.training_batch(TEXTS[:2])
    silent = torch.full_like(labels, IGNORED)
    assert lm.token_losses(embeds, silent, mask).tolist() == torch.zeros(labels.shape).tolist()
    assert lm.model.model.__dict__.get("forward") is None  # nothing stands in for the decoder
