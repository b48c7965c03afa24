"""Estimates of memory against peaks that torch's allocator reports, from shapes alone elsewhere."""

import gc

import pytest
import torch
import transformers
from tiny import tiny_tokenizer
from torch import nn
from torch.profiler import ProfilerActivity, profile

from synthkit.lm import generation, load_lm, room
from synthkit.lm.finetune import _mean_loss
from synthkit.lm.memory import GIB, Held, Sampling, Shape, Training, peak_bytes, row_bytes
from synthkit.lm.model import LM
from synthkit.lm.modes import frozen, recomputed
from synthkit.lm.precision import Precision
from synthkit.lm.schedule import Schedule
from synthkit.lm.training import mean_over, train
from synthkit.spa.influence import GradientStream

CLASSES = {
    "llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM),
    "qwen2": (transformers.Qwen2Config, transformers.Qwen2ForCausalLM),
    "mistral": (transformers.MistralConfig, transformers.MistralForCausalLM),
}
SMALL = ("llama", 1024, 128, 344, 4, 4, 4)  # kind, V, N, inner, layers, heads, heads of keys
GROUPED = ("mistral", 512, 192, 672, 3, 6, 2)
WIDE = ("llama", 384, 256, 1024, 2, 4, 4)
LARGE = ("qwen2", 32_000, 128, 640, 2, 4, 2)


def model_of(kind, vocabulary, hidden, inner, layers, heads, keys, half: bool = False) -> LM:
    """A random model; Qwen2's head is its embedding."""
    config, made = CLASSES[kind]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = made(config(
            vocab_size=vocabulary, hidden_size=hidden, intermediate_size=inner,
            num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=keys,
            tie_word_embeddings=kind == "qwen2", eos_token_id=None,
        ))  # fmt: skip
    lm = LM(model.to(torch.bfloat16 if half else torch.float32).eval(), tiny_tokenizer())
    lm.eos_id = None  # a row runs to its limit
    return lm


def measured(lm: LM, work) -> float:
    """Bytes of the model's tensors, and the most that `work` allocates at a time besides."""
    weights = {each.data_ptr(): each for each in [*lm.model.parameters(), *lm.model.buffers()]}
    gc.collect()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        work()
    events = [e for e in found.profiler.kineto_results.events() if e.name() == "[memory]"]
    now = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    return most + sum(each.numel() * each.element_size() for each in weights.values())


def rows_of(lm: LM, rows: int, length: int):
    """Ids, mask and labels (rows, length) of which one is padded."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(3, lm.model.config.vocab_size, (rows, length), generator=generator)
    mask = torch.ones_like(ids)
    mask[0, -1] = 0
    return ids, mask, ids.masked_fill(mask == 0, -100)


def trained(lm: LM, work: Training):
    """Two steps of an adapter, or of a soft prompt on the frozen model."""
    ids, mask, labels = rows_of(lm, work.rows, work.length)
    precision = Precision(lm.model, work.autocast)
    prompt = nn.ParameterList([nn.Parameter(torch.zeros(4, lm.hidden_size))])
    asking = nn.ParameterList(p for p in lm.model.parameters() if p.requires_grad)

    def loss(part: list[int]):
        with precision():
            if work.rank:
                return _mean_loss(lm.model, ids[part], mask[part], labels[part])
            front = prompt[0].expand(len(part), -1, -1).to(lm.model.dtype)
            embeds = torch.cat([front, lm.model.get_input_embeddings()(ids[part, 4:])], 1)
            return lm.token_losses(embeds, labels[part], mask[part]).mean()

    def steps():
        schedule = Schedule(2, lr=1e-3, eval_every=9, patience=None)
        sizes, rows = [work.length] * work.rows, list(range(work.rows))
        train(
            asking if work.rank else prompt,
            lambda step: mean_over(rows, sizes, loss, work.accumulation),
            schedule,
        )

    lm.model.train(bool(work.rank))
    with recomputed(lm.model, work.recomputing):
        if work.rank:
            return measured(lm, steps)
        with frozen(lm):
            return measured(lm, steps)


def sampled(lm: LM, work: Sampling) -> float:
    given = [torch.randn(work.length - (i == 0), lm.hidden_size) for i in range(work.rows)]
    options = {"max_new_tokens": work.new, "temperature": 1.0, "batch_size": work.rows}
    return measured(lm, lambda: lm.generate(inputs_embeds=given, bos=False, **options))


POINTS = [
    (SMALL, False, Training(4, 128, rank=8)),
    (SMALL, False, Training(4, 128, rank=8, recomputing=True)),
    (SMALL, False, Training(8, 64, rank=16, accumulation=4)),
    (GROUPED, False, Training(4, 160, rank=8)),
    (GROUPED, False, Training(4, 160, rank=8, recomputing=True)),
    (WIDE, False, Training(2, 256, rank=4)),
    (LARGE, False, Training(4, 128, rank=8)),
    (LARGE, False, Training(8, 128, rank=8, recomputing=True)),
    (GROUPED, True, Training(4, 128, rank=8, autocast=True)),
    (WIDE, True, Training(4, 128, rank=8)),
    (WIDE, True, Training(4, 128, rank=8, autocast=True, recomputing=True)),
    (SMALL, False, Training(4, 128, others=4 * 128)),
    (GROUPED, False, Training(4, 128, others=4 * 192, recomputing=True)),
    (WIDE, True, Training(4, 128, others=4 * 256)),
    (SMALL, False, Sampling(8, 128, 4)),
    (GROUPED, False, Sampling(8, 64, 4, rank=8)),
    (WIDE, True, Sampling(8, 96, 4)),
    (WIDE, True, Sampling(8, 96, 4, rank=8)),
    (SMALL, False, Sampling(8, 8, 96)),
    (LARGE, False, Sampling(16, 8, 12)),
]


@pytest.mark.parametrize("shape, half, work", POINTS)
def test_an_estimate_is_within_15_percent_of_the_peak(shape, half, work):
    lm = model_of(*shape, half=half)
    expected = peak_bytes(Shape.of(lm.model.config), Held(half=half), work)
    if getattr(work, "rank", 0):
        lm = lm.with_lora(rank=work.rank)
    found = (trained if isinstance(work, Training) else sampled)(lm, work)
    assert expected == pytest.approx(found, rel=0.15)


@pytest.mark.parametrize("work", [Training(4, 128, rank=8), Sampling(8, 64, 4, rank=8)])
def test_an_estimate_in_4_bits_is_within_15_percent(work, tmp_path):
    plain = model_of(*GROUPED)
    plain.model.save_pretrained(tmp_path)
    plain.tokenizer.save_pretrained(tmp_path)
    lm = load_lm(tmp_path, bits=4, device="cpu")
    lm.eos_id = None
    expected = peak_bytes(Shape.of(lm.model.config), Held(4), work)
    student = lm.with_lora(rank=work.rank)
    found = (trained if isinstance(work, Training) else sampled)(student, work)
    assert expected == pytest.approx(found, rel=0.15)


def test_an_estimate_of_influence_is_within_15_percent():
    lm = model_of(*SMALL).with_lora(rank=8)
    for weight in lm.model.parameters():
        if weight.requires_grad:
            nn.init.normal_(weight, std=0.02)
    rows = [{"prompt": "a b", "completion": "abcdefgh " * 12 + "xyz " * i} for i in range(4)]
    length = max(len(ids) for ids in lm.token_ids([row["completion"] for row in rows])) + 4
    stream = GradientStream(lm, rows, block_size=4)
    found = measured(lm, lambda: [indices for indices, _ in stream])
    work = Training(4, length, rank=8, captured=True)
    expected = peak_bytes(Shape.of(lm.model.config), Held(), work)
    assert expected == pytest.approx(found, rel=0.15)


def test_sampling_takes_as_many_rows_at_a_time_as_there_is_room_for(lm, monkeypatch):
    prompts = ["Anna has", "The train leaves at nine, and", "How many", "A short"]
    whole, sizes = lm.generate(prompts, max_new_tokens=6), []

    def noted(model, rows, *rest, **options):
        sizes.append(len(rows))
        return decode(model, rows, *rest, **options)

    decode = generation.decode
    monkeypatch.setattr(generation, "decode", noted)
    longest = 1 + max(map(len, lm.token_ids(prompts)))
    each = row_bytes(Shape.of(lm.model.config), Held(), Sampling(1, longest, 6))
    monkeypatch.setattr(room, "_free", lambda device: 2.5 * each)
    assert lm.generate(prompts, max_new_tokens=6) == whole
    assert sizes[0] == 2 and sum(sizes) == 4
    monkeypatch.setattr(room, "_free", lambda device: 1.0)  # a row is always tried
    assert lm.generate(prompts, max_new_tokens=6) == whole and sizes[-4:] == [1] * 4


def test_a_gpu_without_room_is_told_of_before_loading(monkeypatch):
    config = transformers.MistralConfig()  # seven billion weights
    gpu, free = torch.device("cuda"), {}
    monkeypatch.setattr(room, "_free", lambda device: free["GiB"] * GIB)
    for free["GiB"], bits in ((16, None), (8, 8), (5, 4)):
        room.check_gpu(config, bits, gpu, "mistral")
    for free["GiB"], bits, words in (
        (8, None, "13.5 GiB, and the GPU has 8.0 free: pass bits=4"),
        (2, 4, "GPU has 2.0 free: take a smaller model"),
    ):
        with pytest.raises(RuntimeError, match=words):
            room.check_gpu(config, bits, gpu, "mistral")
