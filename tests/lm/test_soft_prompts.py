"""Soft prompts: contexts, the three maps, the loss through a frozen model, the fit, the files."""

import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import KINDS as MODELS
from tiny import TEXTS, tiny_lm
from torch import nn

from synthkit.lm import IGNORED, load_lm, prompt_tuning, soft_prompts
from synthkit.lm.attention import fused_is_slow
from synthkit.lm.contexts import Context
from synthkit.lm.modes import frozen
from synthkit.lm.prompt_tuning import (
    LEARNING_RATES,
    PRESETS,
    SoftPromptPreset,
    fit_soft_prompt,
    load_soft_prompt,
    save_soft_prompt,
)
from synthkit.lm.soft_prompts import (
    KINDS,
    SoftPrompt,
    held_out_loss,
    new_soft_prompt,
    prefix,
    reconstruction_loss,
    shuffled_loss,
    text_nats,
    vocabulary,
)

PRESET = SoftPromptPreset(length=3, steps=12, batch_size=2, eval_every=4, patience=None)
QUICK = SoftPromptPreset(length=3, steps=20, batch_size=5, lr=0.02, eval_every=5)
D = 5  # the width of a context
each_kind = pytest.mark.parametrize("kind", KINDS)


def contexts(n=5, width=D, seed=0):  # one for each of TEXTS
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed))


def made(kind, lm=None, random=False, **changes):
    sizes = {"length": 3, "width": lm.hidden_size if lm else 6, "context_width": D, "k": 4}
    prompt = SoftPrompt(kind, **{**sizes, "hidden": 7, **changes})
    if random:
        with torch.no_grad():
            for parameter in prompt.parameters():
                parameter.normal_(generator=torch.Generator().manual_seed(0))
    return prompt


def weights(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# --- contexts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MODELS)
def test_the_input_mean_is_the_mean_of_what_the_model_reads(lms, kind):
    """Of the first layer's input, as a hook sees it; Gemma scales inside its embedding layer."""
    lm = lms[kind]
    z = Context(lm)(TEXTS)
    assert z.shape == (len(TEXTS), lm.hidden_size) == (len(TEXTS), Context(lm).width)
    assert z.dtype == torch.float32 and not z.requires_grad
    for text, row in zip(TEXTS, z):
        ids = torch.tensor(lm.token_ids([text]))
        torch.testing.assert_close(row, lm.model.get_input_embeddings()(ids)[0].mean(0))
    if hasattr(lm.model.get_input_embeddings(), "embed_scale"):  # Gemma, in newer transformers
        table = lm.model.get_input_embeddings().weight
        plain = table[torch.tensor(lm.token_ids(TEXTS[:1])[0])].mean(0)
        torch.testing.assert_close(z[0], plain * lm.hidden_size**0.5)


def test_a_bag_of_words_knows_no_order(lm):
    pair = [" and the", " the and"]
    ids = lm.token_ids(pair)
    assert sorted(ids[0]) == sorted(ids[1]) and ids[0] != ids[1]
    for kind, alike in (("input_mean", True), ("hidden_mean", False)):
        assert torch.allclose(*Context(lm, kind)(pair), atol=1e-3) == alike


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gemma2"])
def test_the_hidden_mean_equals_a_plain_forward(lms, kind):
    """One text at a time, unpadded; BOS is read and not averaged."""
    lm = lms[kind]
    for text, row in zip(TEXTS, Context(lm, "hidden_mean")(TEXTS)):
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
    noise = np.random.default_rng(3).normal(size=(lm.hidden_size, 4)) / lm.hidden_size**0.5
    mean = Context(lm)(TEXTS).double().numpy()
    np.testing.assert_allclose(z.numpy(), mean @ noise, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["input_mean", "hidden_mean"])
def test_contexts_come_the_same_in_parts_and_texts_without_one_are_named(lm, kind):
    context, many = Context(lm, kind), TEXTS * 5
    torch.testing.assert_close(context(many, batch_size=2), context(many), rtol=1e-4, atol=1e-5)
    for texts, error, message in (
        ([], ValueError, "no texts"),
        (["a", ""], ValueError, "text 1 is empty"),
        (["a", "word " * 200], ValueError, r"text 1 takes \d+ positions"),
        ("a text", TypeError, "not one string"),
    ):
        with pytest.raises(error, match=message):
            context(texts)


def test_a_learned_context_hands_on_the_input_mean(lm):
    context = Context(lm, "learned", 2)
    assert torch.equal(context(TEXTS), Context(lm)(TEXTS)) and context.width == lm.hidden_size
    prompt = new_soft_prompt(lm, "ssmc", context, 3)
    assert prompt.settings["learned_dim"] == 2 and prompt.learned.shape == (lm.hidden_size, 2)
    assert new_soft_prompt(lm, "ssmc", Context(lm), 3).learned is None


def test_an_encoder_may_be_a_function_or_a_name_that_is_loaded_when_used(lm, monkeypatch):
    def letters(texts):
        return [[text.count(letter) for letter in "aei"] for text in texts]

    context = Context(lm, "encoder", encoder=letters)
    assert context.width == 3 and context(["aab", "e"]).tolist() == [[2, 0, 0], [0, 1, 0]]
    assert context.settings["encoder"] == "letters" and json.dumps(context.settings)
    loaded = []

    def load(name):
        loaded.append(name)
        return SimpleNamespace(encode=letters)

    library = SimpleNamespace(SentenceTransformer=load)
    monkeypatch.setitem(sys.modules, "sentence_transformers", library)
    context = Context(lm, "encoder", encoder="some/model")
    assert loaded == [] and context.settings["encoder"] == "some/model"
    assert context(TEXTS).shape == (len(TEXTS), 3) and context.width == 3
    assert loaded == ["some/model"]


@pytest.mark.parametrize("answer", [[1, 2], [[1.0], [2.0], [3.0]], [[np.nan], [1.0]]])
def test_an_encoder_that_errs_is_named(lm, answer):
    with pytest.raises(ValueError, match=r"the encoder made \(.* of 2 texts.*\(2, d_e\)"):
        Context(lm, "encoder", encoder=lambda texts: answer)(["a", "b"])


@pytest.mark.parametrize(
    ("wrong", "options"),
    [("bag", {}), ("random", {}), ("random", {"dim": 0}), ("learned", {}), ("encoder", {}),
     ("input_mean", {"dim": 3}), ("input_mean", {"encoder": "some/model"})],
)  # fmt: skip
def test_contexts_that_make_no_sense_are_refused(lm, wrong, options):
    with pytest.raises(ValueError, match=r"unknown context|dim goes with|encoder="):
        Context(lm, wrong, **options)


# --- the three maps ------------------------------------------------------------------------------


@given(
    st.sampled_from(KINDS), st.integers(1, 5), st.integers(1, 9), st.integers(1, 6),
    st.integers(1, 4), st.integers(1, 5), st.one_of(st.none(), st.integers(1, 3)),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_shapes_parameter_counts_and_rows_that_do_not_touch(kind, t, width, d, k, h, learned):
    prompt, z = SoftPrompt(kind, t, width, d, k=k, hidden=h, learned_dim=learned), contexts(4, d)
    out = prompt(z)
    assert out.shape == (4, t, width) and out.dtype == torch.float32
    one_by_one = torch.cat([prompt(row[None]) for row in z])
    torch.testing.assert_close(out, one_by_one, rtol=1e-5, atol=1e-6)
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
        sizes = {"k": 2, "hidden": 256}
        counts = [SoftPrompt(k, 128, 2048, 768, **sizes).parameter_count for k in KINDS[:2]]
    assert counts == [262_144, 525_826]


def test_which_prompts_hear_their_context():
    z, other = contexts(seed=0), contexts(seed=1)
    constant, one = made("ssnp", random=True), made("ssmp", k=1, random=True)
    deaf = made("ssmc", random=True)
    with torch.no_grad():
        one.map.prompts[0].copy_(constant.map.prompt)
        deaf.map.last.zero_()
        deaf.map.last_bias[:, 0].copy_(constant.map.prompt)
    for prompt in (constant, one, deaf):
        torch.testing.assert_close(prompt(z), constant(other), rtol=0, atol=0)
    for kind in ("ssmp", "ssmc"):
        prompt, z = made(kind, random=True), contexts().requires_grad_(True)
        assert not torch.allclose(prompt(z), prompt(other))
        prompt(z).square().sum().backward()
        assert z.grad.abs().sum() > 0


def test_the_maps_equal_sums_and_torch_layers_by_hand():
    mixture, z = made("ssmp", random=True), contexts()
    weight = mixture.mixture_weights(z)
    assert weight.shape == (len(z), 4) and torch.allclose(weight.sum(1), torch.ones(len(z)))
    by_hand = [sum(w * p for w, p in zip(row, mixture.map.prompts)) for row in weight]
    torch.testing.assert_close(mixture(z), torch.stack(by_hand))
    networks = made("ssmc", random=True)
    for j, out in enumerate(networks(z).unbind(1)):
        network, own = nn.Sequential(nn.Linear(D, 7), nn.ReLU(), nn.Linear(7, 6)), networks.map
        with torch.no_grad():
            for layer, weight, bias in (
                (0, own.first, own.first_bias),
                (2, own.last, own.last_bias),
            ):
                network[layer].weight.copy_(weight[j].T)
                network[layer].bias.copy_(bias[j, 0])
        torch.testing.assert_close(out, network(z))


def test_every_kind_starts_near_words_of_the_vocabulary(lm, lms):
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
    scaled = lms["gemma3"]
    assert vocabulary(scaled).std() > 6 * scaled.model.get_input_embeddings().weight.std()
    assert len(vocabulary(scaled, most=10)) == 10


@each_kind
def test_the_seed_decides_the_start(lm, kind):
    first, again, other = (
        new_soft_prompt(lm, kind, Context(lm), 3, seed=s).state_dict() for s in (1, 1, 2)
    )
    assert same(first, again) and not same(first, other)


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


@pytest.mark.parametrize("shape", [(3, D + 1), (3, 1), (D,), (0, D), (2, 3, D)])
def test_contexts_of_the_wrong_shape_are_refused(shape):
    for kind in KINDS:
        with pytest.raises(ValueError, match=rf"contexts must be \(n, {D}\) with n >= 1, found"):
            made(kind)(torch.zeros(shape))


def test_settings_that_make_no_sense_are_refused():
    names = ("length", "width", "context_width", "k", "hidden", "learned_dim")
    for kind, wrong, message in [
        ("ssnpp", {}, "'ssnpp'; choose one of"),
        *(("ssmc", {name: 0}, f"{name} must be a whole number") for name in names),
        ("ssnp", {"vocabulary": torch.zeros(4, 5)}, r"vocabulary must be \(V, 6\), found \(4, 5\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            made(kind, **wrong)
    with pytest.raises(ValueError, match="only 'ssmp' has mixture weights"):
        made("ssmc").mixture_weights(contexts())


# --- through the model ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MODELS)
def test_prefix_and_loss_equal_a_plain_forward(lms, kind):
    """Text by text, [BOS][P(z)][text][EOS] without padding, straight through transformers."""
    lm = lms[kind]
    prompt, z = made("ssmc", lm), contexts()
    assert (lm.bos_id is None) == (kind == "qwen2")
    table, front, total, count = lm.model.get_input_embeddings(), prefix(lm, prompt, z), 0.0, 0
    bos = table(torch.tensor([] if lm.bos_id is None else [lm.bos_id]).long())
    for i, (text, row) in enumerate(zip(TEXTS, prompt(z))):
        torch.testing.assert_close(front[i], torch.cat([bos, row]))
        ids = torch.tensor([*lm.token_ids([text])[0], lm.eos_id])
        embeds = torch.cat([bos, row, table(ids)])[None]
        with torch.no_grad():
            logits = lm.model(inputs_embeds=embeds).logits[0, -len(ids) - 1 : -1]
        total += nn.functional.cross_entropy(logits, ids, reduction="sum").item()
        count += len(ids)
    loss = reconstruction_loss(lm, prompt, z, TEXTS).item()
    assert loss == pytest.approx(total / count, rel=1e-4)
    assert held_out_loss(lm, prompt, z, TEXTS) == pytest.approx(loss, rel=1e-5)


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


@each_kind
def test_only_theta_gets_gradients(lm, kind):
    prompt, z = made(kind, lm, learned_dim=2), contexts().requires_grad_(True)
    reconstruction_loss(lm, prompt, z, TEXTS).backward()
    assert all(p.requires_grad and p.grad is None for p in lm.model.parameters())
    used = [p.grad is not None for p in prompt.parameters()]
    assert all(used) if kind != "ssnp" else any(used)
    assert kind == "ssnp" or z.grad.abs().sum() > 0


def test_the_gradient_is_that_of_finite_differences(lm):
    prompt, z = new_soft_prompt(lm, "ssmc", Context(lm), 3, hidden=7), Context(lm)(TEXTS)
    reconstruction_loss(lm, prompt, z, TEXTS).backward()
    flat = torch.cat([p.grad.flatten() for p in prompt.parameters()])
    start = nn.utils.parameters_to_vector(prompt.parameters()).detach()
    losses = []
    for step in (0.003, -0.003):
        nn.utils.vector_to_parameters(start + step * flat / flat.norm(), prompt.parameters())
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


def test_a_module_of_another_kind_is_taken_if_it_makes_soft_prompts(lm):
    """Any map from (n, d) to (n, t, N), such as DiffLM's injector."""

    class Injector(nn.Linear):
        def forward(self, z):
            return super().forward(z).view(len(z), 2, -1)

    injector, z = Injector(D, 2 * lm.hidden_size), contexts()
    before = held_out_loss(lm, injector, z, TEXTS)
    history = fit_soft_prompt(lm, injector, z, TEXTS, preset=replace(QUICK, lr=0.05))
    assert history.steps == 20 and held_out_loss(lm, injector, z, TEXTS) < before
    with pytest.raises(ValueError, match="no learning rate for Injector"):
        fit_soft_prompt(lm, injector, z, TEXTS, preset=PRESET)
    for module in (nn.Linear(D, 3), SoftPrompt("ssnp", 2, lm.hidden_size + 1, D)):
        with pytest.raises(ValueError, match=r"the prompt made \(.*\(5, t, 64\)"):
            prefix(lm, module, z)


@pytest.mark.parametrize(
    ("z", "message"),
    [
        (contexts(1), "5 texts but 1 contexts; give one each"),
        (contexts(width=4), rf"\(n, {D}\) with n >= 1, found \(\d, 4\)"),
        (contexts() * torch.nan, "contexts hold NaN"),
        (torch.zeros(5), r"contexts must be \(n, d\)"),
    ],
)
def test_contexts_that_fit_no_texts_are_refused(lm, z, message):
    for call in (reconstruction_loss, held_out_loss, shuffled_loss, fit_soft_prompt):
        with pytest.raises(ValueError, match=message):
            call(lm, made("ssmc", lm), z, TEXTS)


def test_shuffled_contexts_are_never_ones_own(lm, monkeypatch):
    seen = []
    with monkeypatch.context() as patch:
        patch.setattr(soft_prompts, "held_out_loss", lambda lm, p, z, texts: seen.append(z) or 0.0)
        for n in range(2, 8):
            z = torch.arange(n, dtype=torch.float32)[:, None]
            for seed in range(5):
                shuffled_loss(lm, nn.Identity(), z, ["a"] * n, seed)
                assert sorted(seen[-1].flatten().tolist()) == list(range(n))
                assert (seen[-1] != z).all()
        with pytest.raises(ValueError, match="two texts or more, found 1"):
            shuffled_loss(lm, nn.Identity(), torch.zeros(1, 1), ["a"])
    for kind, costs in (("ssnp", False), ("ssmc", True)):
        given = lm, made(kind, lm, random=True), contexts(), TEXTS
        assert (shuffled_loss(*given) != held_out_loss(*given)) == costs


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


CASES = [("llama", kind, {}) for kind in KINDS] + [
    *(("llama", kind, {"bits": 4}) for kind in KINDS),
    ("llama", "ssmc", {"dtype": torch.bfloat16}),
    *((model, "ssmc", {}) for model in ("qwen2", "gemma3", "granite")),
]


@pytest.mark.parametrize(("model", "kind", "how"), CASES)
def test_a_fit_lowers_the_loss_and_leaves_the_model_alone(folders, model, kind, how):
    lm = load_lm(folders[model], device="cpu", **how)
    context = Context(lm)
    prompt = new_soft_prompt(lm, kind, context, 3, k=2, hidden=8)
    z, before = context(TEXTS), weights(lm.model)
    lm.generate(prefix_embeds=prefix(lm, prompt, z), bos=False, max_new_tokens=4)  # in 4 bits, too
    assert prefix(lm, prompt, z).dtype == lm.model.dtype and z.dtype == torch.float32
    asking = [p.requires_grad for p in lm.model.parameters()]
    mark, start = lm.fingerprint, held_out_loss(lm, prompt, z, TEXTS)
    preset = replace(QUICK, steps=30, lr=0.05 if model != "llama" else 0.02)
    history = fit_soft_prompt(lm, prompt, z, TEXTS, held_out=(z, TEXTS), preset=preset)
    assert history.held_out[0][1] == pytest.approx(start, rel=0.05)
    after = held_out_loss(lm, prompt, z, TEXTS)
    plain = how.get("dtype") == torch.bfloat16  # trained with another attention, which rounds apart
    assert history.best_loss == pytest.approx(after, rel=2e-3 if plain else 1e-12)
    assert after < start - 0.05
    assert same(before, weights(lm.model))
    assert lm.fingerprint == mark and not lm.model.training and not prompt.training
    assert asking == [p.requires_grad for p in lm.model.parameters()]
    assert all(p.grad is None for p in lm.model.parameters())
    assert {p.dtype for p in prompt.parameters()} == {torch.float32}


def test_a_fit_calibrates_a_fresh_prompt_once(lm):
    prompt, z = made("ssmc", lm), contexts() * 4 + 1
    for shift in (0, 100):
        fit_soft_prompt(lm, prompt, z + shift, TEXTS, preset=PRESET)
        assert torch.allclose(prompt.mean, z.mean(0)) and prompt.calibrated


def test_seeds_decide_a_fit_and_saving_memory_does_not(lm):
    def losses(seed, **changes):
        preset = replace(PRESET, batch_size=3, **changes)
        prompt = made("ssmp", lm)
        return fit_soft_prompt(lm, prompt, contexts(), TEXTS, preset=preset, seed=seed).train_losses

    first = losses(1)
    assert first == losses(1) == losses(1, recomputing=True) != losses(2)
    np.testing.assert_allclose(losses(1, accumulation=2), first, rtol=5e-5)


def dies_at(call, error=KeyboardInterrupt):
    """`reconstruction_loss`, with an error at that call."""
    calls = []

    def dies(*arguments):
        calls.append(1)
        if len(calls) == call:
            raise error
        return reconstruction_loss(*arguments)

    return dies


@each_kind
def test_an_interrupted_fit_ends_the_same(lm, tmp_path, monkeypatch, kind):
    file, z, held = tmp_path / "fit", contexts(), (contexts(2, seed=1), TEXTS[:2])

    def fit(checkpoint=None):
        prompt, how = made(kind, lm, learned_dim=3), {"preset": PRESET, "checkpoint": checkpoint}
        return prompt, fit_soft_prompt(lm, prompt, z, TEXTS, held_out=held, **how)

    whole, wanted = fit()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(prompt_tuning, "reconstruction_loss", dies_at(7))
        fit(file)
    assert file.exists() and next(lm.model.parameters()).requires_grad
    resumed, history = fit(file)
    assert history == wanted and same(weights(whole), weights(resumed))


def test_a_checkpoint_belongs_to_model_texts_contexts_and_settings(lm, lms, tmp_path, monkeypatch):
    def fit(lm=lm, z=None, texts=TEXTS, preset=PRESET, seed=0, **sizes):
        z = contexts() if z is None else z
        how = {"preset": preset, "seed": seed, "checkpoint": tmp_path / "fit"}
        fit_soft_prompt(lm, made("ssmp", lm, **sizes), z, texts, **how)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(prompt_tuning, "reconstruction_loss", dies_at(1))
        fit()
    for change in (
        {"seed": 1}, {"z": contexts(seed=1)}, {"texts": TEXTS[::-1]}, {"k": 3},
        {"lm": lms["granite"]}, {"preset": SoftPromptPreset(steps=13)},
    ):  # fmt: skip
        with pytest.raises(ValueError, match="belongs to a training with other data"):
            fit(**change)
    fit()


def test_a_rate_that_explodes_is_named_and_the_last_good_state_kept(lm):
    prompt, before = made("ssmc", lm), weights(lm.model)
    with pytest.raises(FloatingPointError, match=r"NaN or infinite.*learning rate 1e\+30.*Lower"):
        fit_soft_prompt(lm, prompt, contexts(), TEXTS, preset=replace(QUICK, lr=1e30))
    assert torch.isfinite(prompt(contexts())).all() and same(before, weights(lm.model))


@each_kind
def test_one_text_is_enough(lm, kind):
    given = lm, made(kind, lm), contexts(1), TEXTS[:1]
    before = held_out_loss(*given)
    fit_soft_prompt(*given, preset=replace(QUICK, steps=60, batch_size=32, lr=0.05))
    assert held_out_loss(*given) < before - 0.5


def test_texts_that_cannot_be_learned_are_named_before_anything_runs(lm, monkeypatch):
    monkeypatch.setattr(prompt_tuning, "train", None)  # a step would fail otherwise
    room = lm.context - 1 - 3 - 1  # BOS, prompt and EOS
    exact = next("a" * n for n in range(200) if len(lm.token_ids(["a" * n])[0]) == room)
    one = contexts(1)
    for z, texts, held_out, error, message in [
        (one, [], None, ValueError, "no texts to learn from"),
        (contexts(2), ["a", ""], None, ValueError, "text 1 is empty"),
        (one, "a text", None, TypeError, "not one string"),
        (contexts(), TEXTS, (one, []), ValueError, "no texts to learn from"),
        (one, [exact + "a"], None, ValueError, r"text 0 takes 129 positions.*holds 128"),
        (one, [exact], None, TypeError, "NoneType"),  # it fits: on to the training
    ]:
        with pytest.raises(error, match=message):
            fit_soft_prompt(lm, made("ssmc", lm), z, texts, held_out=held_out, preset=PRESET)


def test_coarse_parameters_are_refused(lm):
    with pytest.raises(ValueError, match="must be float32, found bfloat16"):
        fit_soft_prompt(lm, made("ssmc", lm).bfloat16(), contexts(), TEXTS, preset=PRESET)


def test_an_adapter_in_use_counts_and_stays_as_it_is(lm):
    student = lm.with_lora(rank=2)
    asking = [p.requires_grad for p in student.model.parameters()]
    before = weights(student.model)
    fit_soft_prompt(student, made("ssnp", lm), contexts(), TEXTS, preset=PRESET)
    assert asking == [p.requires_grad for p in student.model.parameters()] and any(asking)
    assert same(before, weights(student.model))


def test_each_row_is_continued_from_its_own_prompt(lm):
    """In a batch as alone, and as transformers does it from the same embeddings."""
    prompt = made("ssmc", lm)
    with torch.no_grad():
        prompt.map.last.normal_(std=0.3, generator=torch.Generator().manual_seed(0))
    front = prefix(lm, prompt, contexts())
    texts = lm.generate(prefix_embeds=front, bos=False, max_new_tokens=8)
    alone = [lm.generate(prefix_embeds=row, bos=False, max_new_tokens=8)[0] for row in front]
    assert texts == alone and len(set(texts)) > 1
    how = {"max_new_tokens": 8, "do_sample": False, "pad_token_id": 0}
    with torch.no_grad():
        out = lm.model.generate(inputs_embeds=front, **how)
    assert texts == lm.tokenizer.batch_decode(out, skip_special_tokens=True)


# --- files and presets ---------------------------------------------------------------------------


@each_kind
def test_a_saved_prompt_is_the_same(lm, tmp_path, kind):
    prompt = new_soft_prompt(lm, kind, Context(lm, "learned", 3), 4, k=2, hidden=5, seed=7)
    z = contexts(6, lm.hidden_size)
    prompt.calibrate(z)
    folder = save_soft_prompt(prompt, tmp_path / "a" / "prompt", lm)
    for again in (load_soft_prompt(folder), load_soft_prompt(folder, lm)):
        assert again.settings == prompt.settings and torch.equal(again(z), prompt(z))
        assert again.calibrated and not again.training


def test_a_prompt_for_another_model_is_refused(lm, lms, tmp_path):
    prompt = made("ssnp", lm)
    folder = save_soft_prompt(prompt, tmp_path, lm)
    with pytest.raises(ValueError, match=rf"trained with llama \({lm.fingerprint}\).*granite"):
        load_soft_prompt(folder, lms["granite"])
    assert torch.equal(load_soft_prompt(folder)(contexts()), prompt(contexts()))
    save_soft_prompt(prompt, tmp_path)  # without a model, none is refused
    load_soft_prompt(folder, lms["granite"])


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


def test_training_in_bfloat16_on_a_cpu_takes_plain_attention_and_gives_it_back(lm, monkeypatch):
    coarse, used = lm.clone(), []
    coarse.model.bfloat16()
    assert fused_is_slow(coarse.model, 8)
    assert not fused_is_slow(coarse.model, 1000) and not fused_is_slow(lm.model, 8)
    before = coarse.model.config._attn_implementation

    def loss(lm, *given):
        used.append(lm.model.config._attn_implementation)
        return reconstruction_loss(lm, *given)

    monkeypatch.setattr(prompt_tuning, "reconstruction_loss", loss)
    prompt = made("ssnp", coarse)
    fit_soft_prompt(coarse, prompt, contexts(), TEXTS, preset=replace(PRESET, steps=2))
    assert used == ["eager"] * 2
    assert coarse.model.config._attn_implementation == before != "eager"


def test_the_constant_part_of_ssmc_can_learn_at_a_rate_of_its_own(lm):
    preset = replace(PRESET, steps=1, lr=1e-3, lr_constant=2e-2)
    prompt = made("ssmc", lm)
    before = {name: value.clone() for name, value in prompt.map.state_dict().items()}
    fit_soft_prompt(lm, prompt, contexts(), TEXTS, preset=preset)
    moved = {n: (v - before[n]).abs().max().item() for n, v in prompt.map.state_dict().items()}
    assert moved["last_bias"] == pytest.approx(2e-2, rel=0.01)
    assert moved["last"] == pytest.approx(1e-3, rel=0.01)
    with pytest.raises(ValueError, match="lr_constant must be positive"):
        replace(PRESET, lr_constant=0.0)


def test_two_rates_go_on_from_a_checkpoint(lm, tmp_path):
    preset = replace(PRESET, steps=8, eval_every=4, lr=1e-3, lr_constant=2e-2)
    whole, cut = made("ssmc", lm), made("ssmc", lm)
    fit_soft_prompt(lm, whole, contexts(), TEXTS, preset=preset)
    seen, taken = tmp_path / "half", []

    def stop(*given):
        taken.append(1)
        if len(taken) == 6:
            raise KeyboardInterrupt
        return reconstruction_loss(*given)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(prompt_tuning, "reconstruction_loss", stop)
        fit_soft_prompt(lm, cut, contexts(), TEXTS, preset=preset, checkpoint=seen)
    again = made("ssmc", lm)
    fit_soft_prompt(lm, again, contexts(), TEXTS, preset=preset, checkpoint=seen)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
