"""Soft prompts: contexts, the three maps, the loss through a frozen model, the fit, the files."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import KINDS as MODELS
from tiny import TEXTS, tiny_lm
from torch import nn

from synthkit.lm import IGNORED, load_lm
from synthkit.lm.soft_prompts import (
    KINDS,
    LEARNING_RATES,
    PRESETS,
    Context,
    SoftPrompt,
    SoftPromptPreset,
    fit_soft_prompt,
    frozen,
    held_out_loss,
    load_soft_prompt,
    new_soft_prompt,
    prefix,
    reconstruction_loss,
    save_soft_prompt,
    shuffled_loss,
    text_nats,
    vocabulary,
)

PRESET = SoftPromptPreset(length=3, steps=12, batch_size=2, eval_every=4, patience=None)
D = 5  # the width of a context


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {kind: tiny_lm(tmp_path_factory.mktemp("tiny") / kind, kind) for kind in MODELS}


@pytest.fixture(scope="module")
def lm(folders):
    return load_lm(folders["llama"], device="cpu")


def contexts(n=5, width=D, seed=0):  # one for each of TEXTS
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed))


def made(kind, lm=None, **changes):
    sizes = {"length": 3, "width": lm.hidden_size if lm else 6, "context_width": D, "k": 4}
    return SoftPrompt(kind, **{**sizes, "hidden": 7, **changes})


def weights(lm):
    return {name: tensor.clone() for name, tensor in lm.model.state_dict().items()}


def gradient(lm, prompt, z=None, texts=TEXTS):
    prompt.zero_grad()
    reconstruction_loss(lm, prompt, contexts() if z is None else z, texts).backward()
    return torch.cat([p.grad.flatten() for p in prompt.parameters()])


# --- contexts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MODELS)
def test_the_input_mean_is_the_mean_of_what_the_model_reads(folders, kind):
    """Of the first layer's input, as a hook sees it; Gemma scales inside its embedding layer."""
    lm = load_lm(folders[kind], device="cpu")
    z = Context(lm)(TEXTS)
    assert z.shape == (len(TEXTS), lm.hidden_size) == (len(TEXTS), Context(lm).width)
    assert z.dtype == torch.float32 and not z.requires_grad
    for text, row in zip(TEXTS, z):
        ids = torch.tensor(lm.token_ids([text]))
        torch.testing.assert_close(row, lm.model.get_input_embeddings()(ids)[0].mean(0))
    if kind.startswith("gemma"):
        table = lm.model.get_input_embeddings().weight
        plain = table[torch.tensor(lm.token_ids(TEXTS[:1])[0])].mean(0)
        torch.testing.assert_close(z[0], plain * lm.hidden_size**0.5)


def test_a_bag_of_words_knows_no_order(lm):
    z = Context(lm)(["A short one. How many", "How many A short one."])
    ids = lm.token_ids(["A short one. How many", "How many A short one."])
    assert sorted(ids[0]) != sorted(ids[1]) or torch.allclose(z[0], z[1], atol=1e-6)
    lm_ids = lm.token_ids([" and the", " the and"])
    assert sorted(lm_ids[0]) == sorted(lm_ids[1]) and lm_ids[0] != lm_ids[1]
    first, second = Context(lm)([" and the", " the and"])
    assert torch.allclose(first, second, atol=1e-6)
    first, second = Context(lm, "hidden_mean")([" and the", " the and"])
    assert not torch.allclose(first, second, atol=1e-3)


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gemma2"])
def test_the_hidden_mean_equals_a_plain_forward(folders, kind):
    """One text at a time, unpadded; BOS is read and not averaged."""
    lm = load_lm(folders[kind], device="cpu")
    z = Context(lm, "hidden_mean")(TEXTS)
    for text, row in zip(TEXTS, z):
        ids = lm.with_bos(lm.token_ids([text])[0])
        with torch.no_grad():
            out = lm.model(torch.tensor([ids]), output_hidden_states=True)
        own = out.hidden_states[-1][0, lm.bos_id is not None :]
        torch.testing.assert_close(row, own.mean(0), rtol=1e-4, atol=1e-4)
    assert lm.model.training is False


def test_the_random_projection_is_fixed_by_its_seed(lm):
    context = Context(lm, "random", 4, seed=3)
    z = context(TEXTS)
    assert z.shape == (len(TEXTS), 4) and context.width == 4
    assert torch.equal(z, Context(lm, **context.settings)(TEXTS))
    assert not torch.allclose(z, Context(lm, "random", 4, seed=4)(TEXTS))
    mean = Context(lm)(TEXTS).double().numpy()
    drawn = np.random.default_rng(3).normal(size=(lm.hidden_size, 4)) / lm.hidden_size**0.5
    np.testing.assert_allclose(z.numpy(), mean @ drawn, rtol=1e-4, atol=1e-5)


def test_contexts_come_the_same_in_parts(lm):
    for kind in ("input_mean", "hidden_mean"):
        context = Context(lm, kind)
        many = TEXTS * 5
        torch.testing.assert_close(context(many, batch_size=2), context(many), rtol=1e-4, atol=1e-5)


def test_a_learned_context_hands_on_the_input_mean(lm):
    context = Context(lm, "learned", 2)
    assert torch.equal(context(TEXTS), Context(lm)(TEXTS)) and context.width == lm.hidden_size
    prompt = new_soft_prompt(lm, "ssmc", context, 3)
    assert prompt.settings["learned_dim"] == 2 and prompt.learned.shape == (lm.hidden_size, 2)
    assert new_soft_prompt(lm, "ssmc", Context(lm), 3).learned is None


def test_an_encoder_may_be_a_function(lm):
    def letters(texts):
        return [[text.count(letter) for letter in "aeiou"] for text in texts]

    context = Context(lm, "encoder", encoder=letters)
    assert context.width == 5 and context(["aab", "e"]).tolist() == [
        [2, 0, 0, 0, 0],
        [0, 1, 0, 0, 0],
    ]
    assert context.settings["encoder"] == "letters"
    json.dumps(context.settings)


def test_an_encoder_may_be_a_name_and_is_loaded_when_used(lm, monkeypatch):
    loaded = []

    class Model:
        def __init__(self, name):
            loaded.append(name)

        def encode(self, texts):
            return np.ones((len(texts), 3))

    monkeypatch.setitem(
        sys.modules, "sentence_transformers", SimpleNamespace(SentenceTransformer=Model)
    )
    context = Context(lm, "encoder", encoder="some/model")
    assert loaded == [] and context.settings["encoder"] == "some/model"
    assert context(TEXTS).shape == (len(TEXTS), 3) and context.width == 3
    assert loaded == ["some/model"]


@pytest.mark.parametrize("answer", [[1, 2], [[1.0], [2.0], [3.0]], [[np.nan], [1.0]]])
def test_an_encoder_that_errs_is_named(lm, answer):
    with pytest.raises(ValueError, match=r"the encoder made \(.* of 2 texts.*\(2, d_e\)"):
        Context(lm, "encoder", encoder=lambda texts: answer)(["a", "b"])


@pytest.mark.parametrize(
    "wrong",
    [("bag",), ("random",), ("random", 0), ("learned",), ("input_mean", 3), ("encoder",)],
)
def test_contexts_that_make_no_sense_are_refused(lm, wrong):
    with pytest.raises(ValueError, match=r"context|dim goes with|encoder="):
        Context(lm, *wrong)
    with pytest.raises(ValueError, match="encoder="):
        Context(lm, encoder="some/model")


@pytest.mark.parametrize("kind", ["input_mean", "hidden_mean"])
def test_texts_without_a_context_are_named(lm, kind):
    context = Context(lm, kind)
    with pytest.raises(ValueError, match="no texts"):
        context([])
    with pytest.raises(ValueError, match="text 1 is empty"):
        context(["a", ""])
    with pytest.raises(ValueError, match=r"text 1 takes \d+ positions"):
        context(["a", "word " * 200])
    with pytest.raises(TypeError, match="not one string"):
        context("a text")


# --- the three maps ------------------------------------------------------------------------------


@given(
    st.sampled_from(KINDS), st.integers(1, 5), st.integers(1, 9), st.integers(1, 6),
    st.integers(1, 4), st.integers(1, 5), st.one_of(st.none(), st.integers(1, 3)),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_shapes_and_parameter_counts(kind, t, width, d, k, h, learned):
    sizes = {"k": k, "hidden": h, "learned_dim": learned}
    prompt = SoftPrompt(kind, t, width, d, **sizes)
    out = prompt(contexts(4, d))
    assert out.shape == (4, t, width) and out.dtype == torch.float32
    seen = learned or d
    expected = {
        "ssnp": t * width,
        "ssmp": k * t * width + k * (seen + 1),
        "ssmc": t * (seen * h + h + h * width + width),
    }[kind]
    assert prompt.parameter_count == expected + (d * learned if learned else 0)


def test_the_examples_of_the_specification():
    """t = 128, N = 2048, d_e = 768: counts that only shapes are needed for."""
    with torch.device("meta"):
        counts = [
            SoftPrompt(kind, 128, 2048, 768, k=2, hidden=256).parameter_count
            for kind in ("ssnp", "ssmp")
        ]
    assert counts == [262_144, 525_826]


def test_a_mixture_of_one_is_constant():
    mixture, constant = made("ssmp", k=1), made("ssnp")
    torch.testing.assert_close(mixture(contexts()), constant(contexts()), rtol=0, atol=0)
    with torch.no_grad():
        mixture.map.gate.normal_()
    torch.testing.assert_close(mixture(contexts()), constant(contexts()), rtol=0, atol=0)


def test_networks_without_a_last_layer_are_constant():
    networks, constant = made("ssmc"), made("ssnp", seed=9)
    with torch.no_grad():
        networks.map.last.zero_()
        constant.map.prompt.copy_(networks.map.last_bias[:, 0])
    assert torch.equal(networks(contexts()), constant(contexts()))


def test_a_constant_prompt_ignores_its_context():
    prompt = made("ssnp")
    assert torch.equal(prompt(contexts(seed=0)), prompt(contexts(seed=1)))
    for kind in ("ssmp", "ssmc"):
        prompt = made(kind, seed=1)
        with torch.no_grad():
            for parameter in prompt.parameters():
                parameter.normal_()
        assert not torch.allclose(prompt(contexts(seed=0)), prompt(contexts(seed=1)))


def test_a_mixture_equals_its_sum_by_hand():
    prompt = made("ssmp")
    with torch.no_grad():
        prompt.map.gate.normal_()
        prompt.map.gate_bias.normal_()
    z = contexts()
    weight = prompt.mixture_weights(z)
    assert weight.shape == (len(z), 4) and torch.allclose(weight.sum(1), torch.ones(len(z)))
    by_hand = [sum(w * p for w, p in zip(row, prompt.map.prompts)) for row in weight]
    torch.testing.assert_close(prompt(z), torch.stack(by_hand))


def test_networks_equal_torch_layers_position_by_position():
    prompt, z = made("ssmc"), contexts()
    out = prompt(z)
    for j in range(3):
        network = nn.Sequential(nn.Linear(D, 7), nn.ReLU(), nn.Linear(7, 6))
        with torch.no_grad():
            network[0].weight.copy_(prompt.map.first[j].T)
            network[0].bias.copy_(prompt.map.first_bias[j, 0])
            network[2].weight.copy_(prompt.map.last[j].T)
            network[2].bias.copy_(prompt.map.last_bias[j, 0])
        torch.testing.assert_close(out[:, j], network(z))


def test_rows_do_not_touch_each_other():
    for kind in KINDS:
        prompt, z = made(kind), contexts()
        one_by_one = torch.cat([prompt(row[None]) for row in z])
        torch.testing.assert_close(prompt(z), one_by_one, rtol=1e-5, atol=1e-6)


def test_every_kind_starts_near_words_of_the_vocabulary(lm):
    words = vocabulary(lm)
    assert words.shape == (len(lm.tokenizer) - 3, lm.hidden_size)
    start = {kind: new_soft_prompt(lm, kind, Context(lm), 3, k=4) for kind in KINDS}
    constant = start["ssnp"].map.prompt
    assert all((row == words).all(1).any() for row in constant)
    assert torch.equal(start["ssmp"].map.prompts[0], constant)
    assert torch.equal(start["ssmc"].map.last_bias[:, 0], constant)
    z = contexts(4, lm.hidden_size)
    torch.testing.assert_close(start["ssmc"](z), constant.expand(4, -1, -1), rtol=0, atol=0.05)
    assert (start["ssmp"].mixture_weights(z) - 0.25).abs().max() < 0.1


def test_words_of_the_vocabulary_are_scaled_as_the_model_scales_them(folders):
    lm = load_lm(folders["gemma3"], device="cpu")
    table = lm.model.get_input_embeddings().weight
    assert vocabulary(lm).std() > 6 * table.std()
    assert len(vocabulary(lm, most=10)) == 10


def test_the_seed_decides_the_start(lm):
    for kind in KINDS:
        first, again, other = (
            new_soft_prompt(lm, kind, Context(lm), 3, seed=s).state_dict() for s in (1, 1, 2)
        )
        assert all(torch.equal(first[name], again[name]) for name in first)
        assert any(not torch.equal(first[name], other[name]) for name in first)


def test_contexts_are_standardised():
    prompt, z = made("ssmc"), contexts(50) * 3 + 7
    z[:, 2] = 1.5
    assert torch.equal(prompt.standardise(z), z) and not prompt.calibrated
    prompt.calibrate(z)
    out = prompt.standardise(z)
    torch.testing.assert_close(out.mean(0), torch.zeros(D), rtol=0, atol=1e-5)
    deviations = out.std(0, correction=0)
    assert deviations[2] == 0 and torch.allclose(deviations[[0, 1, 3, 4]], torch.ones(4))
    prompt.calibrate(z[:1])
    assert prompt.standardise(z[:1]).abs().max() == 0 and prompt.calibrated


def test_gradients_reach_the_context():
    for kind in ("ssmp", "ssmc"):
        z = contexts().requires_grad_(True)
        prompt = made(kind)
        prompt(z).square().sum().backward()
        assert z.grad.abs().sum() > 0


@pytest.mark.parametrize("shape", [(3, D + 1), (3, 1), (D,), (0, D), (2, 3, D)])
def test_contexts_of_the_wrong_shape_are_refused(lm, shape):
    for kind in KINDS:
        with pytest.raises(ValueError, match=rf"contexts must be \(n, {D}\) with n >= 1, found"):
            made(kind)(torch.zeros(shape))


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match=r"'ssnpp'; choose one of"):
        made("ssnpp")
    for name in ("length", "width", "context_width", "k", "hidden", "learned_dim"):
        with pytest.raises(ValueError, match=f"{name} must be a whole number"):
            made("ssmc", **{name: 0})
    with pytest.raises(ValueError, match=r"vocabulary must be \(V, 6\), found \(4, 5\)"):
        made("ssnp", vocabulary=torch.zeros(4, 5))
    with pytest.raises(ValueError, match="only 'ssmp' has mixture weights"):
        made("ssmc").mixture_weights(contexts())


# --- through the model ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MODELS)
def test_the_prefix_is_bos_and_the_prompt(folders, kind):
    lm = load_lm(folders[kind], device="cpu")
    prompt, z = made("ssmc", lm), contexts(2)
    front = prefix(lm, prompt, z)
    assert front.shape == (2, 3 + (lm.bos_id is not None), lm.hidden_size)
    torch.testing.assert_close(front[:, -3:], prompt(z))
    if lm.bos_id is not None:
        ids = torch.tensor([lm.bos_id])
        assert torch.equal(front[1, 0], lm.model.get_input_embeddings()(ids)[0])
    else:
        assert kind == "qwen2"


@pytest.mark.parametrize("kind", MODELS)
def test_the_loss_equals_a_plain_forward(folders, kind):
    """Text by text, without padding, straight through transformers."""
    lm = load_lm(folders[kind], device="cpu")
    prompt, z = made("ssmc", lm), contexts()
    loss = reconstruction_loss(lm, prompt, z, TEXTS)
    table, total, count = lm.model.get_input_embeddings(), 0.0, 0
    for text, row in zip(TEXTS, prompt(z)):
        ids = torch.tensor([*lm.token_ids([text])[0], lm.eos_id])
        bos = torch.tensor([] if lm.bos_id is None else [lm.bos_id]).long()
        embeds = torch.cat([table(bos), row, table(ids)])[None]
        with torch.no_grad():
            logits = lm.model(inputs_embeds=embeds).logits[0, -len(ids) - 1 : -1]
        total += nn.functional.cross_entropy(logits, ids, reduction="sum").item()
        count += len(ids)
    assert loss.item() == pytest.approx(total / count, rel=1e-4)
    assert held_out_loss(lm, prompt, z, TEXTS) == pytest.approx(loss.item(), rel=1e-5)


def test_nats_of_each_text_add_up(lm):
    prompt, z = made("ssmc", lm), contexts()
    nats, tokens = text_nats(lm, prompt, z, TEXTS)
    assert tokens.tolist() == [len(ids) + 1 for ids in lm.token_ids(TEXTS)]
    for i, text in enumerate(TEXTS):
        alone = reconstruction_loss(lm, prompt, z[i : i + 1], [text]).item()
        assert nats[i].item() == pytest.approx(alone * tokens[i].item(), rel=1e-4)
    weighted = (nats.sum() / tokens.sum()).item()
    assert held_out_loss(lm, prompt, z, TEXTS) == pytest.approx(weighted)
    assert weighted != pytest.approx((nats / tokens).mean().item(), rel=1e-3)  # by token, not text
    many, more = text_nats(lm, prompt, z.repeat(4, 1), TEXTS * 4, batch_size=2)
    torch.testing.assert_close(many, nats.repeat(4), rtol=1e-4, atol=1e-4)
    assert torch.equal(more, tokens.repeat(4))


def test_the_prompt_carries_no_loss(lm):
    """Labels: silent over [BOS][P(z)], then text and EOS."""
    front = prefix(lm, made("ssnp", lm), contexts(1))
    _, labels, _ = lm.training_batch(["A short one."], prefix_embeds=front, bos=False)
    ids = lm.token_ids(["A short one."])[0]
    assert labels.tolist() == [[IGNORED] * 4 + ids + [lm.eos_id]]


@pytest.mark.parametrize("kind", KINDS)
def test_only_theta_gets_gradients(lm, kind):
    prompt, z = made(kind, lm, learned_dim=2), contexts().requires_grad_(True)
    asking = {name: p.requires_grad for name, p in lm.model.named_parameters()}
    assert all(asking.values())
    reconstruction_loss(lm, prompt, z, TEXTS).backward()
    assert all(p.grad is None for p in lm.model.parameters())
    used = [p.grad is not None for p in prompt.parameters()]
    assert all(used) if kind != "ssnp" else any(used)
    if kind != "ssnp":
        assert z.grad.abs().sum() > 0
    assert asking == {name: p.requires_grad for name, p in lm.model.named_parameters()}


def test_the_gradient_is_that_of_finite_differences(lm):
    prompt, z = new_soft_prompt(lm, "ssmc", Context(lm), 3, hidden=7), Context(lm)(TEXTS)
    flat = gradient(lm, prompt, z)
    direction = flat / flat.norm()
    start = nn.utils.parameters_to_vector(prompt.parameters()).detach()
    losses = []
    for step in (0.003, -0.003):
        nn.utils.vector_to_parameters(start + step * direction, prompt.parameters())
        losses.append(held_out_loss(lm, prompt, z, TEXTS))
    assert (losses[0] - losses[1]) / 0.006 == pytest.approx(flat.norm().item(), rel=0.02)


def test_freezing_is_undone_also_after_an_error(lm):
    some = next(lm.model.parameters())
    lm.model.train()
    with pytest.raises(KeyError), frozen(lm):
        assert not some.requires_grad and not lm.model.training
        raise KeyError
    assert some.requires_grad and lm.model.training
    lm.model.eval()


def test_dropout_of_the_model_is_off(tmp_path):
    lm = load_lm(tiny_lm(tmp_path, attention_dropout=0.5), device="cpu")
    lm.model.train()
    prompt = made("ssnp", lm)
    losses = {reconstruction_loss(lm, prompt, contexts(), TEXTS).item() for _ in range(3)}
    assert len(losses) == 1


def test_a_module_of_another_kind_is_taken(lm):
    """What DiffLM's injector will be: any map from (n, d) to (n, t, N)."""

    class Injector(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(D, 2 * lm.hidden_size, bias=False)

        def forward(self, z):
            return self.linear(z).view(len(z), 2, -1)

    injector, z = Injector(), contexts().requires_grad_(True)
    reconstruction_loss(lm, injector, z, TEXTS).backward()
    assert z.grad.abs().sum() > 0 and injector.linear.weight.grad.abs().sum() > 0
    before = held_out_loss(lm, injector, z.detach(), TEXTS)
    preset = SoftPromptPreset(steps=10, batch_size=5, lr=0.05, eval_every=5)
    history = fit_soft_prompt(lm, injector, z.detach(), TEXTS, preset=preset)
    assert history.steps == 10 and held_out_loss(lm, injector, z.detach(), TEXTS) < before
    with pytest.raises(ValueError, match="no learning rate for Injector"):
        fit_soft_prompt(lm, injector, z.detach(), TEXTS, preset=PRESET)


def test_a_module_that_makes_something_else_is_refused(lm):
    for module in (nn.Linear(D, 3), SoftPrompt("ssnp", 2, lm.hidden_size + 1, D)):
        with pytest.raises(ValueError, match=r"the prompt made \(.*\(5, t, 64\)"):
            prefix(lm, module, contexts())


def test_contexts_that_fit_no_texts_are_refused(lm):
    prompt = made("ssmc", lm)
    for call in (reconstruction_loss, held_out_loss, shuffled_loss):
        with pytest.raises(ValueError, match="5 texts but 1 contexts; give one each"):
            call(lm, prompt, contexts(1), TEXTS)
        with pytest.raises(ValueError, match=rf"\(n, {D}\) with n >= 1, found \(5, 4\)"):
            call(lm, prompt, contexts(width=4), TEXTS)
        with pytest.raises(ValueError, match="contexts hold NaN"):
            call(lm, prompt, contexts() * torch.nan, TEXTS)
        with pytest.raises(ValueError, match=r"contexts must be \(n, d\)"):
            call(lm, prompt, torch.zeros(5), TEXTS)


def test_shuffled_contexts_are_never_ones_own(lm, monkeypatch):
    seen = []
    name = "synthkit.lm.soft_prompts.held_out_loss"
    monkeypatch.setattr(name, lambda lm, prompt, z, texts: seen.append(z) or 0.0)
    for n in range(2, 8):
        z = torch.arange(n, dtype=torch.float32)[:, None]
        for seed in range(5):
            shuffled_loss(lm, nn.Identity(), z, ["a"] * n, seed)
            assert sorted(seen[-1].flatten().tolist()) == list(range(n))
            assert (seen[-1] != z).all()
    with pytest.raises(ValueError, match="two texts or more, found 1"):
        shuffled_loss(lm, nn.Identity(), torch.zeros(1, 1), ["a"])


def test_shuffling_costs_a_constant_prompt_nothing(lm):
    z = contexts()
    constant, networks = made("ssnp", lm), made("ssmc", lm)
    with torch.no_grad():
        networks.map.last.normal_()
    assert shuffled_loss(lm, constant, z, TEXTS) == held_out_loss(lm, constant, z, TEXTS)
    assert shuffled_loss(lm, networks, z, TEXTS) != held_out_loss(lm, networks, z, TEXTS)


# --- against peft --------------------------------------------------------------------------------


def test_a_constant_prompt_equals_prompt_tuning(lm):
    """[P][BOS][text][EOS], as peft lays it out: same numbers, same loss, same gradient."""
    from peft import PromptTuningConfig, TaskType, get_peft_model

    ours = new_soft_prompt(lm, "ssnp", Context(lm), 4)
    config = PromptTuningConfig(task_type=TaskType.CAUSAL_LM, num_virtual_tokens=4)
    theirs = get_peft_model(lm.clone().model, config)
    (table,) = [p for p in theirs.parameters() if p.requires_grad]
    assert table.numel() == ours.parameter_count
    with torch.no_grad():
        table.copy_(ours.map.prompt)
    rows = [[*lm.with_bos(ids), lm.eos_id] for ids in lm.token_ids(TEXTS)]
    longest = max(map(len, rows))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    labels = ids.masked_fill(mask == 0, IGNORED)
    labels[:, 0] = IGNORED  # BOS is given, not asked for
    loss = theirs(input_ids=ids, attention_mask=mask, labels=labels).loss
    loss.backward()
    with frozen(lm):
        batch = lm.training_batch(TEXTS, prefix_embeds=ours(contexts(5, lm.hidden_size)), bos=True)
        own = lm.token_losses(*batch).sum() / (batch[1] != IGNORED).sum()
    own.backward()
    assert own.item() == pytest.approx(loss.item(), abs=1e-6)
    torch.testing.assert_close(ours.map.prompt.grad, table.grad, rtol=1e-4, atol=1e-7)


# --- the fit -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_fit_lowers_the_loss_and_leaves_the_model_alone(lm, kind):
    context = Context(lm)
    prompt = new_soft_prompt(lm, kind, context, 3, k=2, hidden=8)
    z, before = context(TEXTS), weights(lm)
    asking = [p.requires_grad for p in lm.model.parameters()]
    mark, start = lm.fingerprint, held_out_loss(lm, prompt, z, TEXTS)
    preset = SoftPromptPreset(length=3, steps=30, batch_size=5, lr=0.02, eval_every=10)
    history = fit_soft_prompt(lm, prompt, z, TEXTS, held_out=(z, TEXTS), preset=preset)
    assert history.held_out[0][1] == pytest.approx(start, rel=0.05)
    assert history.best_loss == held_out_loss(lm, prompt, z, TEXTS) < start - 0.1
    after = weights(lm)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert lm.fingerprint == mark and not lm.model.training and not prompt.training
    assert asking == [p.requires_grad for p in lm.model.parameters()]
    assert all(p.grad is None for p in lm.model.parameters())


def test_a_fit_calibrates_a_fresh_prompt_once(lm):
    prompt = made("ssmc", lm)
    z = contexts() * 4 + 1
    fit_soft_prompt(lm, prompt, z, TEXTS, preset=PRESET)
    assert torch.allclose(prompt.mean, z.mean(0)) and prompt.calibrated
    fit_soft_prompt(lm, prompt, z + 100, TEXTS, preset=PRESET)
    assert torch.allclose(prompt.mean, z.mean(0))


def test_seeds_decide_a_fit(lm):
    def losses(seed):
        return fit_soft_prompt(lm, made("ssmp", lm), contexts(), TEXTS, preset=PRESET, seed=seed)

    first, again, other = losses(1), losses(1), losses(2)
    assert first == again and first.train_losses != other.train_losses


@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupted_fit_ends_the_same(lm, tmp_path, monkeypatch, kind):
    import synthkit.lm.soft_prompts as module

    file, z, held = tmp_path / "fit.safetensors", contexts(), (contexts(2, seed=1), TEXTS[:2])
    real, calls = module.reconstruction_loss, []

    def fit(checkpoint=None):
        prompt = made(kind, lm, learned_dim=3)
        history = fit_soft_prompt(
            lm, prompt, z, TEXTS, held_out=held, preset=PRESET, checkpoint=checkpoint
        )
        return prompt, history

    def dies(*arguments):
        calls.append(1)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return real(*arguments)

    whole, wanted = fit()
    monkeypatch.setattr(module, "reconstruction_loss", dies)
    with pytest.raises(KeyboardInterrupt):
        fit(file)
    assert file.exists() and next(lm.model.parameters()).requires_grad
    monkeypatch.setattr(module, "reconstruction_loss", real)
    resumed, history = fit(file)
    assert history == wanted
    state = resumed.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in whole.state_dict().items())


def test_a_checkpoint_belongs_to_model_texts_contexts_and_settings(lm, folders, tmp_path):
    file = tmp_path / "fit"

    def fit(lm=lm, z=None, texts=TEXTS, preset=PRESET, seed=0, **sizes):
        z = contexts() if z is None else z
        fit_soft_prompt(lm, made("ssmp", lm, **sizes), z, texts, preset=preset, seed=seed,
                        checkpoint=file)  # fmt: skip

    class Stop(Exception):
        pass

    def write():
        def once(*arguments):
            raise Stop

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("synthkit.lm.soft_prompts.reconstruction_loss", once)
            with pytest.raises(Stop):
                fit()

    write()
    other = load_lm(folders["granite"], device="cpu")
    for change in (
        {"seed": 1}, {"z": contexts(seed=1)}, {"texts": TEXTS[::-1]}, {"k": 3}, {"lm": other},
        {"preset": SoftPromptPreset(steps=13)},
    ):  # fmt: skip
        with pytest.raises(ValueError, match="belongs to a training with other data"):
            fit(**change)
    fit()


def test_nan_stops_and_keeps_the_last_good_state(lm, monkeypatch):
    import synthkit.lm.soft_prompts as module

    real, seen, before = module.reconstruction_loss, [], weights(lm)

    def breaks(lm, prompt, z, texts):
        seen.append({name: value.clone() for name, value in prompt.state_dict().items()})
        loss = real(lm, prompt, z, texts)
        return loss * torch.nan if len(seen) == 8 else loss

    monkeypatch.setattr(module, "reconstruction_loss", breaks)
    prompt = made("ssmc", lm)
    with pytest.raises(FloatingPointError, match=r"loss is nan.*after step 7.*step 4.*Lower"):
        fit_soft_prompt(lm, prompt, contexts(), TEXTS, preset=PRESET)
    state = prompt.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in seen[4].items())
    assert all(torch.equal(before[name], value) for name, value in weights(lm).items())


def test_a_rate_that_explodes_is_named(lm):
    prompt = made("ssmc", lm)
    preset = SoftPromptPreset(steps=20, batch_size=5, lr=1e30, eval_every=10)
    with pytest.raises(FloatingPointError, match=r"NaN or infinite.*learning rate 1e\+30"):
        fit_soft_prompt(lm, prompt, contexts(), TEXTS, preset=preset)
    assert torch.isfinite(prompt(contexts())).all()


def test_one_text_is_enough(lm):
    text, z = TEXTS[:1], contexts(1)
    for kind in KINDS:
        prompt = made(kind, lm)
        preset = SoftPromptPreset(steps=60, batch_size=32, lr=0.05, eval_every=30, patience=None)
        before = held_out_loss(lm, prompt, z, text)
        fit_soft_prompt(lm, prompt, z, text, preset=preset)
        assert held_out_loss(lm, prompt, z, text) < before - 0.5


def test_texts_that_cannot_be_learned_are_named_before_anything_runs(lm, monkeypatch):
    monkeypatch.setattr("synthkit.lm.soft_prompts.train", None)  # a step would fail otherwise
    prompt = made("ssmc", lm)

    def fit(z, texts, **options):
        fit_soft_prompt(lm, prompt, z, texts, preset=PRESET, **options)

    with pytest.raises(ValueError, match="no texts to learn from"):
        fit(contexts(1), [])
    with pytest.raises(ValueError, match="text 1 is empty"):
        fit(contexts(2), ["a", ""])
    with pytest.raises(ValueError, match="1 texts but 5 contexts"):
        fit(contexts(), ["a"])
    with pytest.raises(ValueError, match=rf"\(n, {D}\) with n >= 1, found"):
        fit(contexts(width=2), TEXTS)
    with pytest.raises(TypeError, match="not one string"):
        fit(contexts(1), "a text")
    with pytest.raises(ValueError, match="no texts to learn from"):
        fit(contexts(), TEXTS, held_out=(contexts(1), []))
    room = lm.context - 1 - 3 - 1  # BOS, prompt and EOS
    exact = next("a" * n for n in range(200) if len(lm.token_ids(["a" * n])[0]) == room)
    with pytest.raises(TypeError, match="NoneType"):  # it fits: on to the training
        fit(contexts(1), [exact])
    with pytest.raises(ValueError, match=r"text 0 takes 129 positions.*holds 128"):
        fit(contexts(1), [exact + "a"])


def test_coarse_parameters_are_refused(lm):
    prompt = made("ssmc", lm).bfloat16()
    with pytest.raises(ValueError, match="must be float32, found bfloat16"):
        fit_soft_prompt(lm, prompt, contexts(), TEXTS, preset=PRESET)


def test_a_coarse_model_trains_a_float32_prompt(folders):
    lm = load_lm(folders["llama"], device="cpu", dtype=torch.bfloat16)
    context = Context(lm)
    z = context(TEXTS)
    assert z.dtype == torch.float32
    prompt = new_soft_prompt(lm, "ssmc", context, 3, hidden=8)
    assert prefix(lm, prompt, z).dtype == torch.bfloat16
    preset = SoftPromptPreset(steps=20, batch_size=5, lr=0.02, eval_every=10)
    history = fit_soft_prompt(lm, prompt, z, TEXTS, held_out=(z, TEXTS), preset=preset)
    assert history.best_loss < history.held_out[0][1] - 0.1
    assert {p.dtype for p in prompt.parameters()} == {torch.float32}


@pytest.mark.parametrize("kind", ["qwen2", "gemma3", "granite"])
def test_models_of_other_kinds_are_fitted(folders, kind):
    lm = load_lm(folders[kind], device="cpu")
    context = Context(lm)
    z = context(TEXTS)
    prompt = new_soft_prompt(lm, "ssmc", context, 3, hidden=8)
    preset = SoftPromptPreset(steps=15, batch_size=5, lr=0.05, eval_every=5)
    history = fit_soft_prompt(lm, prompt, z, TEXTS, held_out=(z, TEXTS), preset=preset)
    assert history.best_loss < history.held_out[0][1]


def test_an_adapter_in_use_counts_and_stays_as_it_is(lm):
    student = lm.with_lora(rank=2)
    asking = [p.requires_grad for p in student.model.parameters()]
    before = weights(student)
    fit_soft_prompt(student, made("ssnp", lm), contexts(), TEXTS, preset=PRESET)
    assert asking == [p.requires_grad for p in student.model.parameters()] and any(asking)
    assert all(torch.equal(before[name], value) for name, value in weights(student).items())


# --- in four bits --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_in_four_bits_the_gradient_survives_a_generation(folders, kind):
    lm = load_lm(folders["llama"], bits=4, device="cpu")
    prompt, z = made(kind, lm), contexts()
    before = gradient(lm, prompt, z)
    lm.generate(prefix_embeds=prefix(lm, prompt, z), bos=False, max_new_tokens=4)
    held_out_loss(lm, prompt, z, TEXTS)
    Context(lm, "hidden_mean")(TEXTS)
    after = gradient(lm, prompt, z)
    assert before.norm() > 0
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-6)


def test_a_fit_in_four_bits_learns(folders):
    lm = load_lm(folders["llama"], bits=4, device="cpu")
    context, before = Context(lm), None
    z, before = context(TEXTS), weights(lm)
    prompt = new_soft_prompt(lm, "ssmc", context, 3, hidden=8)
    preset = SoftPromptPreset(steps=20, batch_size=5, lr=0.02, eval_every=5)
    history = fit_soft_prompt(lm, prompt, z, TEXTS, held_out=(z, TEXTS), preset=preset)
    assert history.best_loss < history.held_out[0][1] - 0.1
    after = weights(lm)
    assert all(torch.equal(before[name], after[name]) for name in before)


# --- generation ----------------------------------------------------------------------------------


def test_each_row_is_continued_from_its_own_prompt(lm):
    """In a batch as alone, and as transformers does it from the same embeddings."""
    prompt, z = made("ssmc", lm), contexts()
    with torch.no_grad():
        prompt.map.last.normal_(std=0.3)
    front = prefix(lm, prompt, z)
    texts = lm.generate(prefix_embeds=front, bos=False, max_new_tokens=8)
    alone = [lm.generate(prefix_embeds=row, bos=False, max_new_tokens=8)[0] for row in front]
    assert texts == alone and len(set(texts)) > 1
    with torch.no_grad():
        out = lm.model.generate(
            inputs_embeds=front, max_new_tokens=8, do_sample=False, pad_token_id=0
        )
    assert texts == lm.tokenizer.batch_decode(out, skip_special_tokens=True)


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_prompt_is_the_same(lm, tmp_path, kind):
    prompt = new_soft_prompt(lm, kind, Context(lm, "learned", 3), 4, k=2, hidden=5, seed=7)
    z = contexts(6, lm.hidden_size)
    prompt.calibrate(z)
    folder = save_soft_prompt(prompt, tmp_path / "a" / "prompt", lm)
    for again in (load_soft_prompt(folder), load_soft_prompt(folder, lm)):
        assert again.settings == prompt.settings and torch.equal(again(z), prompt(z))
        assert again.calibrated and not again.training


def test_a_prompt_for_another_model_is_refused(lm, folders, tmp_path):
    other = load_lm(folders["granite"], device="cpu")
    prompt = made("ssnp", lm)
    folder = save_soft_prompt(prompt, tmp_path, lm)
    with pytest.raises(ValueError, match=rf"trained with llama \({lm.fingerprint}\).*granite"):
        load_soft_prompt(folder, other)
    assert torch.equal(load_soft_prompt(folder)(contexts()), prompt(contexts()))
    save_soft_prompt(prompt, tmp_path)  # without a model, none is refused
    load_soft_prompt(folder, other)


# --- presets -------------------------------------------------------------------------------------


def test_every_kind_has_a_learning_rate():
    assert set(LEARNING_RATES) == set(KINDS)
    for kind in KINDS:
        assert PRESETS["fast"].rate(made(kind)) == LEARNING_RATES[kind]
        assert PRESETS["paper"].rate(made(kind)) == 5e-6
    assert PRESETS["fast"].rate(nn.Linear(1, 1)) is None


@pytest.mark.parametrize("name", ["length", "batch_size", "steps", "lr"])
def test_a_preset_that_makes_no_sense_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be positive, found 0"):
        SoftPromptPreset(**{name: 0})
