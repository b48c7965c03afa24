"""Batches in which every row has its own adapter, and views that share base weights."""

import itertools

import pytest
import torch
from tiny import tiny_lm

from synthkit import load_lm
from synthkit.lm import mixed_adapters as module
from synthkit.lm.mixed_adapters import mixed_adapters, share_weights

NAMES = ("anna", "bob", "carl")
PROMPTS = ["Anna has", "How many are", "The train leaves at nine, and", "A short"] * 3
ASSIGNED = [*("anna", "bob", None, "carl") * 2, "carl", "anna", "anna", "bob"]


def randomise(lm, name, seed, scale=0.2):
    """Give B of an adapter random values, as if it were trained."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, weight in lm.model.named_parameters():
            if f".lora_B.{name}." in key or f"lora_embedding_B.{name}" in key:
                drawn = torch.randn(weight.shape, generator=generator) * scale
                weight.copy_(drawn.to(weight))


def add(lm, name, seed, **options):
    lm.add_adapter(name, seed=seed, **options)
    randomise(lm, name, seed)


@pytest.fixture(scope="module")
def base(folder):
    """A model in float64, so that the rounding of a batch never decides about a token."""
    return load_lm(folder, device="cpu", dtype=torch.float64)


@pytest.fixture(scope="module")
def lm(base):
    """Three adapters of different ranks, one of them on fewer layers; tests leave it as it is."""
    made = share_weights(base)
    add(made, "anna", 0, rank=3, alpha=5.0)
    add(made, "bob", 1, rank=4)
    add(made, "carl", 2, rank=8, targets=["q_proj", "down_proj"])
    return made


@pytest.fixture
def own(base):
    """A view with two adapters for a test that changes it."""
    made = share_weights(base)
    add(made, "anna", 0, rank=2)
    add(made, "bob", 1, rank=2)
    return made


def hooks(lm):
    return sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks) for module in lm.model.modules()
    )


def separately(lm, prompts, names, **options):
    """Each row by a call with its adapter; all prompts run, so that rows keep their number."""
    made = {}
    for name in set(names):
        with lm.use_adapter(name):
            made[name] = lm.generate(prompts, **options)
    return [made[name][i] for i, name in enumerate(names)]


# --- equality ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [{}, {"temperature": 1.0, "top_p": 0.9, "seed": 3}])
@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_a_mixed_batch_equals_separate_calls(lm, batch_size, how):
    """Greedy, and with the same noise for each row."""
    how = {"max_new_tokens": 12, **how}
    texts = lm.generate(PROMPTS, adapters=ASSIGNED, batch_size=batch_size, **how)
    assert texts == separately(lm, PROMPTS, ASSIGNED, **how)
    assert len(set(texts)) > 6, "the adapters must differ for this to say anything"


def test_rows_that_end_early_leave_the_others_their_adapters(lm, monkeypatch):
    kept = []
    keep = module.MixedRows.keep
    spy = lambda rows, places: (kept.append(len(places)), keep(rows, places))[0]  # noqa: E731
    monkeypatch.setattr(module.MixedRows, "keep", spy)
    options = {"max_new_tokens": 24, "stop": ("e", "o", "a")}
    found = lm.generate(PROMPTS, adapters=ASSIGNED, **options)
    assert kept and kept == sorted(kept, reverse=True), "the batch must have been cut"
    monkeypatch.undo()
    assert found == separately(lm, PROMPTS, ASSIGNED, **options)


def test_logits_are_those_of_peft(lm):
    ids = torch.tensor(lm.token_ids(["A short one."] * 4))
    names = ["anna", None, "carl", "bob"]
    handle = lm._adapters.handle.eval()
    with lm.use_adapter("anna"), torch.no_grad():
        wanted = handle(input_ids=ids, adapter_names=[n or "__base__" for n in names]).logits
    with torch.no_grad(), mixed_adapters(lm, names, 4) as rows:
        rows.take(range(4))
        found = lm.model(input_ids=ids).logits
    plain = lm.model(input_ids=ids).logits
    assert torch.allclose(found, wanted, atol=1e-5)
    assert torch.allclose(found[1], plain[1], atol=1e-6), "a row without adapter is the base's"
    assert all((found[i] - plain[i]).abs().max() > 1e-2 for i in (0, 2, 3))


def test_embeddings_and_prefixes_take_adapters_too(lm):
    names = ["anna", "bob"]
    rows = [row.detach() for row in lm.embed_tokens(PROMPTS[:2])]
    options = {"inputs_embeds": rows, "prefix_embeds": torch.randn(2, lm.hidden_size) * 0.1}
    found = lm.generate(adapters=names, max_new_tokens=8, **options)
    for i, name in enumerate(names):
        with lm.use_adapter(name):
            assert lm.generate(max_new_tokens=8, **options)[i] == found[i]


def test_four_bits(folder):
    four = load_lm(folder, device="cpu", bits=4)
    before = four.generate(PROMPTS[:2], max_new_tokens=8)
    view = share_weights(four)
    add(view, "anna", 0, rank=2)
    add(view, "bob", 1, rank=2)
    names = ["anna", "bob", None, "anna"]
    found = view.generate(PROMPTS[:4], adapters=names, max_new_tokens=8)
    assert found == separately(view, PROMPTS[:4], names, max_new_tokens=8)
    assert four.describe()["adapters"] == [] and four.fingerprint == view.fingerprint
    assert four.generate(PROMPTS[:2], max_new_tokens=8) == before


# --- nothing stays behind ------------------------------------------------------------------------


@pytest.mark.parametrize("active", [None, "bob"])
def test_after_a_batch_no_hook_is_left_and_the_adapter_in_use_is_back(lm, active):
    with lm.use_adapter(active):
        plain = lm.generate(PROMPTS[:3], max_new_tokens=5)
        lm.generate(PROMPTS, adapters=ASSIGNED, max_new_tokens=3)
        assert hooks(lm) == 0 and lm.active_adapter == active
        assert lm.generate(PROMPTS[:3], max_new_tokens=5) == plain


def test_a_batch_that_fails_in_the_middle_leaves_nothing(own):
    plain = own.generate(PROMPTS[:3], max_new_tokens=5)
    calls = itertools.count()

    def break_down(*_):
        if next(calls) == 2:
            raise MemoryError("out of memory")

    handle = own.model.model.layers[1].register_forward_pre_hook(break_down)
    with pytest.raises(MemoryError):
        own.generate(PROMPTS[:3], adapters=["anna", "bob", None], max_new_tokens=5)
    handle.remove()
    assert hooks(own) == 0 and own.active_adapter is None
    assert own.generate(PROMPTS[:3], max_new_tokens=5) == plain


def test_a_batch_of_another_size_is_refused(own):
    ids = torch.tensor(own.token_ids(["A short one."] * 3))
    with pytest.raises(RuntimeError, match="2 rows have an adapter each"):
        with torch.no_grad(), mixed_adapters(own, ["anna", "bob"], 2) as rows:
            rows.take([0, 1])
            own.model(input_ids=ids)
    assert hooks(own) == 0


# --- what is refused, before anything is touched --------------------------------------------------


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        ("anna", TypeError, r"write \['anna'\] \* 2"),
        (["anna"], ValueError, "2 rows but 1 adapters"),
        (["anna", "bob", None], ValueError, "2 rows but 3 adapters"),
        (["anna", "zoe"], KeyError, "no adapter zoe; there are"),
        (["zoe", "zoe"], KeyError, "no adapter zoe"),
    ],
)
def test_wrong_names_are_refused(lm, names, error, message):
    with pytest.raises(error, match=message):
        lm.generate(PROMPTS[:2], adapters=names)
    assert hooks(lm) == 0 and lm.active_adapter is None


def test_a_model_without_adapters_says_so(base, lm):
    with pytest.raises(ValueError, match="has no adapters, and anna was asked for"):
        base.generate(PROMPTS[:2], adapters=["anna", None])
    assert base.generate(PROMPTS[:1], adapters=[None], max_new_tokens=2)
    assert lm.generate([], adapters=[]) == [] == base.generate([], adapters=[])


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"use_dora": True}, "it has use_dora"),
        ({"bias": "lora_only"}, "it has bias"),
        ({"modules_to_save": ["lm_head"]}, "it has modules_to_save"),
        ({"lora_bias": True}, "it has lora_bias"),
        ({"target_modules": ["embed_tokens"]}, "one adapts the embedding table"),
        ({"merged": True}, "an adapter is merged into the base"),
    ],
)
def test_more_than_plain_lora_cannot_be_mixed(base, options, what):
    from peft import LoraConfig, TaskType

    made = base.clone() if options == {"merged": True} else share_weights(base)
    add(made, "anna", 0, rank=2)
    given = {"target_modules": ["q_proj"], "r": 2, "task_type": TaskType.CAUSAL_LM}
    given |= {name: value for name, value in options.items() if name != "merged"}
    made.add_adapter("bob", config=LoraConfig(**given))
    if "merged" in options:
        with made.use_adapter("anna"):
            made._adapters.handle.base_model.merge_adapter(["anna"])
    with pytest.raises(ValueError, match=f"cannot share a batch with others: {what}"):
        made.generate(PROMPTS[:2], adapters=["anna", "bob"])
    assert hooks(made) == 0
    assert len(made.generate(PROMPTS[:2], adapters=["bob", "bob"], max_new_tokens=3)) == 2


# --- shared weights ------------------------------------------------------------------------------


def test_a_view_copies_no_weight_and_changes_nothing(base):
    asked = [weight.requires_grad for weight in base.model.parameters()]
    mark, places = base.fingerprint, {w.data_ptr() for w in base.model.parameters()}
    view = share_weights(base)
    add(view, "anna", 0, rank=2)
    named = view.model.named_parameters()
    assert all(w.data_ptr() in places for key, w in named if "lora_" not in key)
    assert [weight.requires_grad for weight in base.model.parameters()] == asked
    assert base.fingerprint == mark == view.fingerprint
    assert base.describe()["adapters"] == [] and view.describe()["adapters"] == ["anna"]
    assert view.tokenizer is base.tokenizer


def test_ties_and_idle_adapters_survive(tmp_path):
    tied = load_lm(tiny_lm(tmp_path, tie_word_embeddings=True), device="cpu")
    view = share_weights(tied)
    assert view.model.lm_head.weight is view.model.get_input_embeddings().weight
    add(view, "anna", 0, rank=2)
    second = share_weights(view)
    pick = lambda lm: {k: w for k, w in lm.model.named_parameters() if "lora_" in k}  # noqa: E731
    for key, weight in pick(view).items():
        assert torch.equal(weight, pick(second)[key]) and weight is not pick(second)[key]
    randomise(second, "anna", 5)
    key = next(key for key in pick(view) if "lora_B" in key)
    assert not torch.equal(pick(view)[key], pick(second)[key]), "an adapter is the view's own"


def test_one_adapter_for_all_is_bit_for_bit_the_call_with_it_in_use(lm):
    def logits():
        with torch.no_grad():
            return lm.model(input_ids=torch.tensor(lm.token_ids(["A short one."]))).logits

    with mixed_adapters(lm, ["bob"], 1):
        found = logits()
    with lm.use_adapter("bob"):
        assert torch.equal(found, logits())
