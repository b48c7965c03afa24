"""Peak memory and speed on a GPU, against the estimates: random weights in true sizes, in NF4.

    python -m synthkit.studies.gpu_memory [MODEL ...]

measures a training step and a sampling of every method's paper preset and writes
`data/results/gpu.json`. Influence, attention over questions and the diffusion are not measured.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ..core.paths import embedded_lm_dir
from ..lm.losses import next_token_losses
from ..lm.memory import Held, Sampling, Training, Work, peak_bytes, settings_that_fit
from ..lm.model import LM
from ..lm.modes import frozen, recomputed
from ..lm.precision import Precision
from ..lm.schedule import Schedule
from ..lm.shapes import SHAPES, Shape
from ..lm.training import mean_over, train
from .model_work import Part, parts
from .registry import NAMES

if TYPE_CHECKING:
    from .results import Result

MODELS = ("qwen2.5-0.5b", "qwen2.5-1.5b", "qwen2.5-7b", "mistral-7b", "llama-3.1-8b")
LENGTH = 512  # tokens of a row
NEW = 64  # tokens that a sampling writes at most: the time of each is much the same


def plan(shape: Shape, held: Held, card: float) -> list[Part]:
    """The parts that are measured on a card of so many GiB, under settings that fit; each once."""
    found: dict[Work, Part] = {}
    for part in (part for name in NAMES for part in parts(name, shape, "paper", LENGTH)):
        work = part.work
        settings = settings_that_fit(shape, held, work, card)
        if settings is None or (isinstance(work, Training) and (work.captured or work.whole)):
            continue
        if isinstance(work, Sampling) and (work.shown or not work.new or work.besides):
            continue
        settings = {"rows" if key == "batch_size" else key: v for key, v in settings.items()}
        work = replace(work, **settings)
        if isinstance(work, Sampling):
            work = replace(work, new=min(NEW, work.new), adapters=min(1, work.rank))
        found.setdefault(work, replace(part, work=work))
    return list(found.values())


def random_lm(shape: Shape, bits: int | None, device: str) -> LM:
    """A model of this shape with random weights, made on the device, a layer in NF4 at a time."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=shape.vocabulary, hidden_size=shape.hidden, intermediate_size=shape.inner,
        num_hidden_layers=shape.layers, num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads, head_dim=shape.head, eos_token_id=None,
        tie_word_embeddings=shape.tied, max_position_embeddings=32_768,
    )  # fmt: skip
    kind = torch.float32 if device == "cpu" else torch.bfloat16
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    if bits:
        _quantise(model.model, device, kind)
    for module in model.modules():
        for name, weight in list(module.named_parameters(recurse=False)):
            if weight.is_meta:
                data = torch.randn(weight.shape, dtype=kind, device=device) * 0.02
                setattr(module, name, nn.Parameter(data, requires_grad=False))
    model.model.rotary_emb = type(model.model.rotary_emb)(config).to(device)
    model.tie_weights()
    lm = LM(model.eval(), AutoTokenizer.from_pretrained(embedded_lm_dir()), "random")
    lm.eos_id = None  # a row runs to its limit
    return lm


def _quantise(model: nn.Module, device: str, kind: torch.dtype) -> None:
    """Random NF4 layers in place of the linear ones of `model`, which is on no device yet."""
    import bitsandbytes as bnb

    from ..lm.quantisation import disable_packed_cpu_layout

    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if type(layer) is nn.Linear:
                data = torch.randn(layer.weight.shape, dtype=kind, device=device) * 0.02
                new = bnb.nn.Linear4bit(
                    layer.in_features, layer.out_features, bias=False, compute_dtype=kind,
                    quant_type="nf4", device="meta",
                )  # fmt: skip
                new.weight = bnb.nn.Params4bit(data, requires_grad=False, quant_type="nf4")
                setattr(parent, name, new.to(device))
    disable_packed_cpu_layout(model)


def training_work(lm: LM, work: Training) -> Callable[[], None]:
    """Two steps of an adapter, or of a soft prompt in front of the frozen model."""
    generator = torch.Generator().manual_seed(0)
    highest = lm.model.config.vocab_size
    ids = torch.randint(3, highest, (work.rows, work.length), generator=generator).to(lm.device)
    mask = torch.ones_like(ids)
    mask[0, -1] = 0  # as in a batch of rows that differ
    labels = ids.masked_fill(mask == 0, -100)
    numbers = max(1, work.others // lm.hidden_size)
    prompt = nn.ParameterList([nn.Parameter(torch.zeros(numbers, lm.hidden_size))]).to(lm.device)
    asking = nn.ParameterList(p for p in lm.model.parameters() if p.requires_grad)
    precision = Precision(lm.model, work.autocast)

    def loss(part: list[int]) -> torch.Tensor:
        front = prompt[0][: work.length // 4].expand(len(part), -1, -1).to(lm.model.dtype)
        embeds = lm.model.get_input_embeddings()(ids[part])
        if not work.rank:
            embeds = torch.cat([front, embeds[:, front.shape[1] :]], 1)
        given = {"inputs_embeds": embeds, "attention_mask": mask[part], "use_cache": False}
        with precision():
            return next_token_losses(lm.model, labels[part], **given).mean()

    def steps() -> None:
        schedule, rows = Schedule(2, lr=1e-4, eval_every=9, patience=None), range(work.rows)
        sizes = [work.length] * work.rows
        with recomputed(lm.model, work.recomputing):
            train(
                asking if work.rank else prompt,
                lambda step: mean_over(rows, sizes, loss, work.accumulation), schedule,
            )  # fmt: skip

    return steps


def sampling_work(lm: LM, work: Sampling) -> Callable[[], None]:
    """One sampling from random embeddings."""
    width = (work.length, lm.hidden_size)
    given = [torch.randn(*width, device=lm.device) * 0.02 for _ in range(work.rows)]
    given[0] = given[0][1:]  # a padded batch
    options = {"max_new_tokens": work.new, "temperature": 1.0, "batch_size": work.rows}
    return lambda: lm.generate(inputs_embeds=given, bos=False, **options) and None


def measure(lm: LM, work: Work) -> tuple[float, float]:
    """Peak bytes on the GPU, and tokens a second: trained ones, or those that are written."""
    lm = lm.with_lora(rank=work.rank) if work.rank else lm
    run = (training_work if isinstance(work, Training) else sampling_work)(lm, work)
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    if isinstance(work, Training) and not work.rank:
        with frozen(lm):
            run()
    else:
        run()
    torch.cuda.synchronize()
    tokens = work.rows * (2 * work.length if isinstance(work, Training) else work.new)
    return torch.cuda.max_memory_allocated(), tokens / (time.perf_counter() - start)


def rows_of(model: str, card: float) -> Iterator[dict[str, Any]]:
    """Measurements of a model's parts, with the estimate of each."""
    shape, held = SHAPES[model], Held(4, half=True)
    lm = random_lm(shape, 4, "cuda")
    for part in plan(shape, held, card):
        peak, speed = measure(lm, part.work)
        labels = {"seed": 0, "arm": f"{part.method}, {part.name}", "world": model}
        estimate = peak_bytes(shape, held, part.work)
        found = {"peak GB": peak / 1e9, "estimated GB": estimate / 1e9, "tokens/s": speed}
        yield from ({**labels, "measure": name, "value": value} for name, value in found.items())


def run(models: Sequence[str] = MODELS) -> Result:
    """Measure `models` and write `data/results/gpu.json`.

    Raises:
        RuntimeError: no GPU. ValueError: a model that is not in `synthkit.lm.shapes.SHAPES`.
    """
    from .results import record, results_dir

    if unknown := [model for model in models if model not in SHAPES]:
        raise ValueError(f"no shape is called {unknown[0]!r}; there is {', '.join(SHAPES)}")
    if not torch.cuda.is_available():
        raise RuntimeError("torch sees no GPU here; `synthkit fit-check` estimates without one")
    card = torch.cuda.get_device_properties(0)
    gib = card.total_memory / 2**30
    measured = []
    for model in models:
        measured += rows_of(model, gib)
        torch.cuda.empty_cache()
    return record(
        results_dir() / "gpu.json", method="memory", preset={"length": LENGTH, "new": NEW},
        command="python -m synthkit.studies.gpu_memory", scale="paper", seeds=[0],
        model={"name": "random weights", "bits": 4, "card": card.name, "GiB": round(gib)},
        measurements=measured, notes="Peaks are of tensors, without CUDA's own memory.",
    )  # fmt: skip


if __name__ == "__main__":
    run(sys.argv[1:] or MODELS)
