"""The language-model layer: loading, embeddings, attention, decoding, likelihood, adapters."""

import json
import math
import socket
import sys

import huggingface_hub.constants
import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import KINDS, TEXTS, tiny_lm

from synthkit.lm import ATTENTION_POOLINGS, IGNORED, load_lm
from synthkit.lm.decoding import Sampling, choose, decode, left_pad, positions

NEW = 16


def reference_tokens(lm, ids, **options):
    """What transformers generates after `ids`, one row, greedy, without the end token."""
    row = torch.tensor([ids])
    out = lm.model.generate(
        row, attention_mask=torch.ones_like(row), do_sample=False, max_new_tokens=NEW, **options
    )
    new = out[0, len(ids) :].tolist()
    return new[: new.index(lm.eos_id)] if lm.eos_id in new else new


def rows_of(lm, texts=TEXTS):
    front = [] if lm.bos_id is None else [lm.bos_id]
    return [front + ids for ids in lm.token_ids(texts)]


# --- loading


def test_load_reports_the_model(lm, folders):
    facts = lm.describe()
    assert facts["name"] == "llama" and facts["architecture"] == "LlamaForCausalLM"
    assert (lm.hidden_size, lm.context, lm.bits, lm.is_embedded) == (64, 128, None, False)
    assert facts["parameters"] == sum(p.numel() for p in lm.model.parameters())
    assert lm.device.type == "cpu" and lm.model.dtype == torch.float32
    assert not lm.model.training and "llama" in repr(lm)
    coarse = load_lm(folders["llama"], device="cpu", dtype=torch.bfloat16)
    assert coarse.model.dtype == torch.bfloat16


def test_local_folder_needs_no_network(folders, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a local folder must not touch the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    loaded = load_lm(str(folders["llama"]), device="cpu")
    assert len(loaded.generate(["A"], max_new_tokens=2)) == 1


@pytest.mark.parametrize(
    ("file", "error", "message"),
    [
        (None, FileNotFoundError, "no model at"),
        ("notes.txt", FileNotFoundError, r"no config.json.*notes.txt"),
        ("adapter_config.json", FileNotFoundError, "load_adapter"),
    ],
)
def test_a_folder_without_a_model_is_named_as_such(tmp_path, file, error, message):
    folder = tmp_path / "m"
    if file:
        folder.mkdir()
        (folder / file).write_text("{}")
    for name in (folder, str(folder)) if file else (folder, str(folder), "./nowhere"):
        with pytest.raises(error, match=message):
            load_lm(name)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("truncated", "weights"), ("missing", "weights"), ("shape", "weights"),
        ("config", "config"), ("pickled", "no safetensors"), ("no tokenizer", "tokenizer"),
        ("headless", "not a causal language model"), ("BertConfig", "not a causal language model"),
        ("T5Config", "not a causal language model"),
    ],
)  # fmt: skip
def test_broken_checkpoints_and_other_models_are_refused(tmp_path, lm, fault, message):
    folder, whole = tmp_path / "m", lm.model
    if fault in ("truncated", "missing", "shape", "config"):
        tiny_lm(folder, "llama")
        weights, config = folder / "model.safetensors", folder / "config.json"
        if fault == "truncated":
            weights.write_bytes(weights.read_bytes()[:5000])
        change = {"num_hidden_layers": 5} if fault == "missing" else {"intermediate_size": 192}
        if fault != "truncated":
            broken = json.dumps(json.loads(config.read_text()) | change)
            config.write_text("{not json" if fault == "config" else broken)
    elif fault == "pickled":
        whole.config.save_pretrained(folder)
        torch.save(whole.state_dict(), folder / "pytorch_model.bin")
    elif fault.endswith("Config"):
        getattr(transformers, fault)().save_pretrained(folder)
        (folder / "model.safetensors").write_bytes(b"")
    else:
        (whole.model if fault == "headless" else whole).save_pretrained(folder)
    with pytest.raises(ValueError, match=message):
        load_lm(folder, device="cpu")


@pytest.mark.parametrize("bits", [2, 16, "4", True])
def test_bad_bits(folders, bits):
    with pytest.raises(ValueError, match=r"bits must be one of"):
        load_lm(folders["llama"], bits=bits)


def test_what_is_missing_is_named(folders, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("synthkit.lm.sources.embedded_lm_dir", lambda: tmp_path)
    for source, options, error, message in [
        (folders["llama"], {"bits": 4}, RuntimeError, "needs bitsandbytes"),
        (folders["llama"], {"device": "cuda"}, RuntimeError, "no GPU"),
        (folders["llama"], {"device": "gpu"}, ValueError, "unknown device"),
        ("nobody/none", {}, ConnectionError, r"hub did not give 'nobody/none'.*local folder"),
        (None, {}, FileNotFoundError, "embedded model"),
    ]:
        with pytest.raises(error, match=message):
            load_lm(source, **options)


# --- tokens and embeddings


@pytest.mark.parametrize("kind", KINDS)
def test_embed_tokens(lms, kind):
    lm = lms[kind]
    rows = lm.embed_tokens(TEXTS)
    for row, ids in zip(rows, lm.token_ids(TEXTS)):
        assert row.shape == (len(ids), lm.hidden_size) and not row.requires_grad
        table = lm.model.get_input_embeddings()
        assert torch.equal(row, table(torch.tensor(ids)))
    ids = lm.token_ids(TEXTS)[0]
    assert lm.bos_id not in ids and lm.with_bos(lm.with_bos(ids)) == lm.with_bos(ids)
    assert lm.token_ids(TEXTS, special=True)[0] == lm.with_bos(ids)


@pytest.mark.parametrize("call", ["embed_tokens", "attention_weights", "nll"])
def test_bad_texts(lm, call):
    method = getattr(lm, call)
    with pytest.raises(TypeError, match="not one string"):
        method("one string")
    with pytest.raises(TypeError, match="must hold texts; row 1 is int"):
        method(["A", 3])
    with pytest.raises(ValueError, match="text 1 is empty"):
        method(["A", ""])
    long = "A short one. " * 100
    with pytest.raises(ValueError, match=r"text 1 .*takes \d+ positions, .* holds 128"):
        method(["A", long])


def test_texts_at_the_edge_of_the_context(lm):
    ids = lm.token_ids(["A short one. " * 100])[0]
    fits = lm.tokenizer.decode(ids[: lm.context - 2])  # BOS and EOS come on top
    assert len(lm.token_ids([fits])[0]) == lm.context - 2
    assert torch.isfinite(lm.nll([fits])).all()
    with pytest.raises(ValueError, match="takes 129"):
        lm.nll([lm.tokenizer.decode(ids[: lm.context - 1])])


def test_nan_weights_are_seen_and_no_texts_are_no_error(lm):
    broken = lm.clone()
    with torch.no_grad():
        broken.model.get_input_embeddings().weight.fill_(math.nan)
    with pytest.raises(ValueError, match=r"text 0 holds NaN"):
        broken.embed_tokens(["A"])
    assert lm.token_ids([]) == lm.embed_tokens([]) == lm.attention_weights([]) == []
    assert lm.generate([]) == [] and lm.nll([]).shape == (0,)


# --- attention


def attentions(lm, ids):
    """(layers, heads, m, m) by transformers' own route."""
    before = lm.model.config._attn_implementation
    lm.model.set_attn_implementation("eager")
    with torch.no_grad():
        out = lm.model(torch.tensor([ids]), output_attentions=True)
    lm.model.set_attn_implementation(before)
    return torch.stack([layer[0] for layer in out.attentions]).double().numpy()


def pooled(a, pooling, drop):
    """The definitions, spelled out with numpy, on a (layers, heads, m, m)."""
    m = a.shape[-1]
    if pooling == "uniform":
        return np.full(m - drop, 1 / (m - drop))
    if pooling == "last_token":
        w = a[-1, :, -1].mean(0)
    elif pooling == "received_layer0":
        w = a[0].mean((0, 1))
    else:
        w = a.mean((0, 1, 2))
    if pooling == "received_corrected":
        w = w / (m - np.arange(m))
    return w[drop:] / w[drop:].sum()


@pytest.mark.parametrize("pooling", ATTENTION_POOLINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_poolings_match_their_definition(lms, kind, pooling):
    lm = lms[kind]
    got = lm.attention_weights(TEXTS, pooling)
    drop = int(lm.bos_id is not None)
    for weights, ids in zip(got, rows_of(lm)):
        wanted = pooled(attentions(lm, ids), pooling, drop)
        assert weights.dtype == torch.float32 and weights.shape == (len(ids) - drop,)
        assert abs(weights.sum().item() - 1) < 1e-5
        np.testing.assert_allclose(weights, wanted, atol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_attention_batch_equals_single(lms, side, monkeypatch):
    for lm in (lms["llama"], lms["gemma3"]):
        monkeypatch.setattr(lm.tokenizer, "padding_side", side)
        for pooling in ATTENTION_POOLINGS:
            batch = lm.attention_weights(TEXTS, pooling)
            for weights, text in zip(batch, TEXTS):
                alone = lm.attention_weights([text], pooling, batch_size=1)[0]
                torch.testing.assert_close(weights, alone, atol=1e-5, rtol=0)


def test_attention_leaves_the_model_as_it_was(lm):
    before = lm.model.config._attn_implementation
    hooks = [len(module._forward_hooks) for module in lm.model.modules()]
    lm.model.train()
    lm.attention_weights(TEXTS)
    assert lm.model.config._attn_implementation == before != "eager"
    assert lm.model.training and lm.model.model.layers[0].training
    lm.model.eval()
    assert hooks == [len(module._forward_hooks) for module in lm.model.modules()]


# --- decoding


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_equals_transformers(lms, kind):
    """From ids and from embeddings, in one padded batch, token by token."""
    lm = lms[kind]
    rows = rows_of(lm)
    wanted = [reference_tokens(lm, ids) for ids in rows]
    assert len({tuple(tokens) for tokens in wanted}) > 1
    embeds = [lm.embed_ids(ids).detach() for ids in rows]
    got = decode(lm.model, embeds, range(5), [NEW] * 5, eos={lm.eos_id})
    assert got == wanted
    texts = [lm.tokenizer.decode(tokens, skip_special_tokens=True) for tokens in wanted]
    assert lm.generate(TEXTS, max_new_tokens=NEW) == texts
    assert lm.generate(inputs_embeds=lm.embed_tokens(TEXTS), max_new_tokens=NEW) == texts
    assert lm.generate(inputs_embeds=embeds, bos=False, max_new_tokens=NEW) == texts


def test_finished_rows_leave_the_batch(lms):
    """Rows with few tokens to go are cut out; those that stay are not disturbed."""
    limits = [2, 30, 3, 1, 12]
    for lm in (lms["llama"], lms["gemma3"]):  # gemma3: sliding-window cache
        embeds = [lm.embed_ids(ids).detach() for ids in rows_of(lm)]
        widths = []
        hook = lm.model.register_forward_hook(
            lambda module, inputs, out, widths=widths: widths.append(len(out.logits))
        )
        got = decode(lm.model, embeds, range(5), limits)
        hook.remove()
        for i, limit in enumerate(limits):
            assert got[i] == decode(lm.model, [embeds[i]], [i], [limit])[0]
            assert len(got[i]) == limit
        assert widths[0] == 5 and widths[-1] == 1 and len(widths) == 30


def test_end_token_ends_a_row(lm):
    row = lm.embed_ids(rows_of(lm)[0]).detach()
    free = decode(lm.model, [row], [0], [NEW])[0]
    end = free[5]
    assert decode(lm.model, [row], [0], [NEW], eos={end})[0] == free[: free.index(end)]


def test_sampling_ignores_the_batch_size(lm):
    texts = TEXTS * 3
    runs = [
        lm.generate(texts, temperature=1.0, max_new_tokens=12, seed=5, batch_size=size)
        for size in (1, 4, 64)
    ]
    assert runs[0] == runs[1] == runs[2]
    assert len(set(runs[0])) > 5  # equal prompts differ: each row has its own noise
    assert lm.generate(texts, temperature=1.0, max_new_tokens=12, seed=6) != runs[0]
    longer = lm.generate(texts, temperature=1.0, max_new_tokens=24, seed=5)
    assert all(long.startswith(short.rstrip("\ufffd")) for long, short in zip(longer, runs[0]))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from([0.5, 1.0, 2.0]),
    st.sampled_from([0, 1, 3, 50]),
    st.sampled_from([1.0, 0.9, 0.3, 1e-6]),
)
def test_choose_follows_the_truncated_distribution(seed, temperature, top_k, top_p):
    """On an even grid of uniform numbers the shares are the probabilities, by brute force."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=20).astype(np.float32) * 2
    p = np.exp(logits.astype(np.float64) / temperature)
    p /= p.sum()
    order = np.argsort(-p)
    if top_k:
        p[order[top_k:]] = 0
        p /= p.sum()
    kept, mass = np.zeros(20), 0.0
    for token in order:
        if mass < top_p:
            kept[token] = p[token]
        mass += p[token]
    kept /= kept.sum()
    n = 2000
    grid = torch.arange(n, dtype=torch.float64) / n
    tokens = choose(
        torch.tensor(logits).expand(n, -1), grid, Sampling(temperature, top_p, top_k, 0)
    )
    shares = np.bincount(tokens.numpy(), minlength=20) / n
    np.testing.assert_allclose(shares, kept, atol=1.5 / n)


def test_sampling_refuses_nonsense():
    for wrong in ({"temperature": -1}, {"temperature": math.nan}, {"top_p": 0}, {"top_k": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Sampling(**wrong)


def test_left_pad_and_positions():
    block, mask = left_pad([torch.ones(3, 2), torch.ones(1, 2)])
    assert block[1, :, 0].tolist() == [0, 0, 1] and mask.tolist() == [[1, 1, 1], [0, 0, 1]]
    assert positions(mask).tolist() == [[0, 1, 2], [0, 0, 0]]


def test_stop_strings(lm):
    free = lm.generate(TEXTS, max_new_tokens=24)
    stop = free[0].strip("\ufffd")[4:6]
    cut = lm.generate(TEXTS, max_new_tokens=24, stop=[stop, "never seen"])
    assert cut == [text.split(stop)[0] for text in free]
    assert lm.generate(TEXTS, max_new_tokens=24, stop=stop) == cut
    with pytest.raises(ValueError, match="stop string is empty"):
        lm.generate(TEXTS, stop=[""])


def test_context_caps_the_new_tokens(lm):
    ids = lm.token_ids(["A short one. " * 100])[0]
    steps = []
    hook = lm.model.register_forward_hook(lambda *args: steps.append(1))
    lm.generate([lm.tokenizer.decode(ids[: lm.context - 5])], max_new_tokens=50)
    hook.remove()
    assert 1 <= len(steps) <= 4
    with pytest.raises(ValueError, match=r"prompt 1 .* takes 129"):
        lm.generate(["A", lm.tokenizer.decode(ids[: lm.context - 1])], max_new_tokens=5)


def test_prefix_stands_in_front(lm):
    prefix = lm.embed_tokens(["How many"])[0]
    ids = [*lm.token_ids(["How many"])[0], *rows_of(lm)[0]]
    wanted = lm.tokenizer.decode(reference_tokens(lm, ids), skip_special_tokens=True)
    got = lm.generate(TEXTS[:1], prefix_embeds=prefix, max_new_tokens=NEW)
    assert got == [wanted]
    each = torch.stack([prefix, prefix * 0.5])
    two = lm.generate(TEXTS[:1] * 2, prefix_embeds=each, max_new_tokens=NEW)
    assert two[0] == wanted
    alone = lm.generate(prefix_embeds=prefix, max_new_tokens=NEW)
    assert alone == lm.generate(prefix_embeds=prefix[None], max_new_tokens=NEW)
    assert alone == lm.generate([""], prefix_embeds=prefix, max_new_tokens=NEW)
    bare = lm.generate(prefix_embeds=prefix, bos=False, max_new_tokens=NEW)
    assert bare == lm.generate(inputs_embeds=prefix[None], bos=False, max_new_tokens=NEW)


def test_generate_refuses_bad_rows(lm, lms):
    row = torch.zeros(3, lm.hidden_size)
    for bad, message in [
        ({"prompts": ["A"], "inputs_embeds": [row]}, "not both"),
        ({}, "nothing to continue"),
        ({"inputs_embeds": [row, torch.zeros(3, 5)]}, r"inputs_embeds\[1\] must be \(m, 64\)"),
        ({"inputs_embeds": row}, r"inputs_embeds\[0\] must be"),
        ({"inputs_embeds": [row, row * math.nan]}, r"inputs_embeds\[1\] holds NaN"),
        ({"inputs_embeds": [row[:0]]}, r"inputs_embeds\[0\] is empty"),
        ({"prompts": ["A"], "prefix_embeds": torch.zeros(2, 3, 64)}, "prefix_embeds must be"),
        ({"prompts": ["A"], "prefix_embeds": row * math.inf}, "prefix_embeds holds NaN"),
        ({"prompts": ["A"], "max_new_tokens": 0}, "max_new_tokens"),
        ({"prompts": ["A"], "batch_size": 0}, "batch_size"),
    ]:
        with pytest.raises(ValueError, match=message):
            lm.generate(**bad)
    with pytest.raises(TypeError, match="not one string"):
        lm.generate("A")
    with pytest.raises(ValueError, match="prompt 0 is empty"):
        lms["qwen2"].generate([""])


# --- likelihood


def reference_nll(lm, ids, start):
    row = torch.tensor([ids])
    with torch.no_grad():
        log_p = lm.model(row).logits[0].double().log_softmax(-1)
    return -np.mean([log_p[i - 1, ids[i]].item() for i in range(max(start, 1), len(ids))])


@pytest.mark.parametrize("kind", KINDS)
def test_nll_equals_row_by_row(lms, kind):
    lm = lms[kind]
    got = lm.nll(TEXTS, batch_size=3)
    wanted = [reference_nll(lm, [*ids, lm.eos_id], 1) for ids in rows_of(lm)]
    np.testing.assert_allclose(got, wanted, atol=1e-4)
    prompts = ["", "So:", TEXTS[2], "a", "b c"]
    heads = rows_of(lm, prompts)
    rows = [a + b + [lm.eos_id] for a, b in zip(heads, lm.token_ids(TEXTS))]
    wanted = [reference_nll(lm, ids, len(head)) for ids, head in zip(rows, heads)]
    np.testing.assert_allclose(lm.nll(TEXTS, prompts=prompts), wanted, atol=1e-4)


def test_nll_behind_a_prefix(lm):
    prefix = lm.embed_tokens(["How many"])[0]
    front = lm.token_ids(["How many"])[0]
    rows = [[*front, *ids, lm.eos_id] for ids in rows_of(lm)]
    wanted = [reference_nll(lm, ids, len(front) + 1) for ids in rows]
    np.testing.assert_allclose(lm.nll(TEXTS, prefix_embeds=prefix), wanted, atol=1e-4)
    each = prefix.expand(5, -1, -1)
    np.testing.assert_allclose(lm.nll(TEXTS, prefix_embeds=each, batch_size=2), wanted, atol=1e-4)


def test_training_batch_masks_and_differentiates(lm):
    prefix = torch.randn(2, 4, lm.hidden_size, requires_grad=True)
    embeds, labels, mask = lm.training_batch(TEXTS[:2], prompts=["So: ", ""], prefix_embeds=prefix)
    ids = lm.token_ids(TEXTS[:2])
    skip = [4 + 1 + len(lm.token_ids(["So: "])[0]), 4 + 1]
    for i in range(2):
        end = skip[i] + len(ids[i]) + 1
        assert labels[i, skip[i] : end].tolist() == [*ids[i], lm.eos_id]
        assert (labels[i, : skip[i]] == IGNORED).all() and (labels[i, end:] == IGNORED).all()
        assert mask[i].sum() == end
    losses = lm.token_losses(embeds, labels, mask)
    assert losses.shape == labels.shape and (losses[labels == IGNORED] == 0).all()
    losses.sum().backward()
    assert prefix.grad.abs().sum() > 0
    mean = losses.sum(1) / (labels != IGNORED).sum(1)
    got = lm.nll(TEXTS[:2], prompts=["So: ", ""], prefix_embeds=prefix)
    torch.testing.assert_close(got, mean.detach(), atol=1e-5, rtol=0)
    lm.model.zero_grad()


# --- adapters, copies, fingerprint


def disturb(lm, name):
    """Give an adapter weights that do something."""
    with torch.no_grad():
        for key, parameter in lm.model.named_parameters():
            if "lora_B" in key and f".{name}." in key:
                parameter.normal_(std=0.3, generator=torch.Generator().manual_seed(0))


def test_adapters(lm, tmp_path):
    student = lm.clone()
    base, mark = student.nll(TEXTS), student.fingerprint
    student.add_adapter("first", rank=4, seed=1)
    student.add_adapter("second", rank=2, targets=["q_proj"], seed=2)
    disturb(student, "first")
    disturb(student, "second")
    assert torch.equal(student.nll(TEXTS), base) and student.fingerprint == mark
    with student.use_adapter("first"):
        with_a = student.nll(TEXTS)
        with student.use_adapter("second"):
            assert not torch.allclose(student.nll(TEXTS), with_a)
        with student.use_adapter(None):
            assert torch.equal(student.nll(TEXTS), base)
        assert torch.equal(student.nll(TEXTS), with_a)
        assert student.fingerprint != mark
        trained = {k for k, p in student.model.named_parameters() if p.requires_grad}
        assert trained and all(".first." in key for key in trained)
    assert torch.equal(student.nll(TEXTS), base) and student.active_adapter is None
    assert not torch.allclose(with_a, base)

    folder = student.save_adapter("first", tmp_path)
    fresh = lm.clone()
    fresh.load_adapter("again", folder)
    assert torch.equal(fresh.nll(TEXTS), base)
    with fresh.use_adapter("again"):
        torch.testing.assert_close(fresh.nll(TEXTS), with_a)
        assert fresh.generate(TEXTS, max_new_tokens=6) != lm.generate(TEXTS, max_new_tokens=6)
    assert fresh.describe()["adapters"] == ["again"]


def test_adapter_errors(lm, tmp_path):
    student = lm.with_lora()
    with pytest.raises(ValueError, match="exists"):
        student.add_adapter("student")
    for name in ("lora", "a.b", ""):
        with pytest.raises(ValueError, match="cannot name an adapter"):
            student.add_adapter(name)
    with pytest.raises(KeyError, match="no adapter 'x'"), student.use_adapter("x"):
        pass
    with pytest.raises(KeyError, match="no adapter"):
        lm.save_adapter("x", tmp_path)
    with pytest.raises(FileNotFoundError, match="adapter_config"):
        student.load_adapter("y", tmp_path)


def test_merged_answers_as_its_adapter_did_and_is_a_base(lm):
    student = lm.with_lora(rank=4, seed=1)
    disturb(student, "student")
    whole = student.merged()
    assert torch.allclose(whole.nll(["a b c"]), student.nll(["a b c"]), atol=1e-4)
    assert not torch.allclose(whole.nll(["a b c"]), lm.nll(["a b c"]), atol=1e-4)
    assert whole.active_adapter is None and whole.describe()["adapters"] == []
    assert not [name for name, _ in whole.model.named_parameters() if "lora_" in name]
    assert whole.with_lora().active_adapter == "student"
    assert student.with_lora().active_adapter == "student-2"
    with pytest.raises(ValueError, match="no adapter is in use"):
        lm.merged()


def test_lora_start_follows_its_seed(lm):
    def start(seed):
        student = lm.with_lora(seed=seed)
        return torch.cat(
            [p.flatten() for k, p in student.model.named_parameters() if "lora_A" in k]
        )

    state = torch.random.get_rng_state()
    assert torch.equal(start(1), start(1)) and not torch.equal(start(1), start(2))
    assert torch.equal(state, torch.random.get_rng_state())


def test_fingerprint(lm, lms, folders):
    assert lm.fingerprint == load_lm(folders["llama"], device="cpu").fingerprint
    assert len({other.fingerprint for other in lms.values()}) == len(KINDS)
    changed = lm.clone()
    with torch.no_grad():
        changed.model.model.norm.weight.mul_(1.01)
    assert changed.fingerprint != lm.fingerprint
