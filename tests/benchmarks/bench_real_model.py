"""How fast a real model works on one core, as ratios measured in one run on one machine.

    python tests/benchmarks/bench_real_model.py [--small]

SmolLM2-135M (it must be in the cache: `synthkit get-model smollm2`), in float32 if not said
otherwise. What it is measured against is transformers' own `generate` and peft's own step, on the
same weights and texts, through torch's products. Times are those of the processor, the best of a
few rounds in which the ways take turns.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import process_time

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "benchmarks")]

from bench_soft_prompts import LENGTH, our_step, peft_step, update  # noqa: E402

from synthkit.lm import LM, load_lm  # noqa: E402
from synthkit.lm.catalogue import cached  # noqa: E402
from synthkit.lm.contexts import Context  # noqa: E402
from synthkit.lm.decoding import left_pad  # noqa: E402
from synthkit.lm.finetune import _mean_loss  # noqa: E402
from synthkit.lm.modes import frozen  # noqa: E402
from synthkit.lm.precision import Precision  # noqa: E402
from synthkit.lm.products import VARIABLE, linear  # noqa: E402
from synthkit.worlds import load_world  # noqa: E402

NAME, BATCH, ROWS = "smollm2", 16, 64


def seconds(ways: dict[str, Callable], rounds: int) -> dict[str, float]:
    """Processor seconds of each way, the best of the rounds."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start = process_time()
            way()
            times[name].append(process_time() - start)
    return {name: min(each) for name, each in times.items()}


@contextmanager
def products_of(name: str) -> Iterator[None]:
    """Inside, a model that is loaded multiplies through torch or onednn."""
    before = os.environ.pop(VARIABLE, None)
    os.environ[VARIABLE] = name
    try:
        yield
    finally:
        del os.environ[VARIABLE]
        os.environ.update({VARIABLE: before} if before else {})


def endless(lm: LM) -> LM:
    """The model without an end token: equal work, since no row ends by itself."""
    lm.eos_id = lm.model.generation_config.eos_token_id = None
    return lm


def by_transformers(lm: LM, new: int, ids: list[list[int]], *, embedded: bool) -> list[list[int]]:
    """New tokens of each row by transformers' own `generate`, greedy, in one batch."""
    embeds, mask = left_pad([lm.embed_ids(row) for row in ids])
    padded = torch.tensor([[0] * (mask.shape[1] - len(row)) + row for row in ids])
    given = {"inputs_embeds": embeds} if embedded else {"input_ids": padded}
    out = lm.model.generate(
        **given, attention_mask=mask, max_new_tokens=new, do_sample=False, pad_token_id=0
    )
    return out[:, 0 if embedded else mask.shape[1] :].tolist()


def multiplications(lm: LM, positions: int, new: int) -> float:
    """Multiplications (each with an addition) in all linear layers, for so many positions."""
    head = lm.model.get_output_embeddings().weight.numel()
    layers = sum(m.weight.numel() for m in lm.model.modules() if isinstance(m, torch.nn.Linear))
    return layers * new + (layers - head) * positions


def peaks() -> dict[str, float]:
    """Multiplications a second in a large product of matrices."""
    a, n = torch.randn(1024, 1024), 1024**3
    half = a.bfloat16()
    ways = {"torch": lambda: a @ a, "onednn": lambda: linear(a, a), "bfloat16": lambda: half @ half}
    with torch.no_grad():
        return {name: n / took for name, took in seconds(ways, 10).items()}


def generation(slow: LM, fast: LM, small: bool) -> dict[str, float]:
    """Greedy generation in batches, and sampling against one prompt at a time."""
    new, rounds = (32, 1) if small else (64, 3)
    questions = [row["question"] for row in load_world("math").rows(ROWS, seed=0)]
    ids = [fast.with_bos(row) for row in fast.token_ids(questions[:BATCH])]
    rows = [fast.embed_ids(row).detach() for row in ids]
    shots = "".join(f"Question: {q}\nAnswer: unknown\n\n" for q in questions[BATCH:24])
    asked = [f"{shots}Question: {q}\nAnswer:" for q in questions[:BATCH]]
    long = [fast.with_bos(row) for row in fast.token_ids(asked)]
    shown = [by_transformers(slow, new, ids, embedded=True)] if small else []
    texts = fast.generate(inputs_embeds=rows, bos=False, max_new_tokens=new)
    for tokens in shown:
        assert texts == fast.tokenizer.batch_decode(tokens, skip_special_tokens=True)
    draw = {"temperature": 1.0, "max_new_tokens": new}
    singles = 2 if small else 4
    ways = {
        "transformers, embeddings": lambda: by_transformers(slow, new, ids, embedded=True),
        "transformers, ids": lambda: by_transformers(slow, new, ids, embedded=False),
        "embeddings": lambda: fast.generate(inputs_embeds=rows, bos=False, max_new_tokens=new),
        "prompts": lambda: fast.generate(questions[:BATCH], max_new_tokens=new),
        "transformers, shots": lambda: by_transformers(slow, 16, long, embedded=False),
        "shots": lambda: fast.generate(asked, max_new_tokens=16),
        "batch": lambda: fast.generate(questions, **draw),
        "singles": lambda: [fast.generate([q], **draw) for q in questions[:singles]],
    }
    took = seconds(ways, rounds)
    work = multiplications(fast, sum(map(len, ids)), BATCH * new) / took["embeddings"]
    found = peaks()
    tokens = BATCH * new / took["embeddings"]
    print(f"{BATCH} rows x {new} tokens: {tokens:.0f} tokens a second")
    return {
        "transformers / ours, from embeddings": took["transformers, embeddings"]
        / took["embeddings"],
        "transformers / ours, from prompts": took["transformers, ids"] / took["prompts"],
        "transformers / ours, a shared few-shot prompt": took["transformers, shots"]
        / took["shots"],
        "our products / peak of torch's float32": work / found["torch"],
        "our products / peak of oneDNN's float32": work / found["onednn"],
        "peak of bfloat16 / of oneDNN's float32": found["bfloat16"] / found["onednn"],
        f"one by one / {ROWS} at a time": took["singles"] * ROWS / singles / took["batch"],
    }


def in_half(fast: LM, small: bool) -> dict[str, float]:
    """The same generation with weights in bfloat16."""
    new = 32 if small else 64
    half = endless(load_lm(NAME, device="cpu", dtype=torch.bfloat16))
    questions = [row["question"] for row in load_world("math").rows(BATCH, seed=0)]
    ways = {
        name: partial(lm.generate, questions, max_new_tokens=new)
        for name, lm in (("float32", fast), ("bfloat16", half))
    }
    took = seconds(ways, 1 if small else 3)
    return {"float32 / bfloat16, generation": took["float32"] / took["bfloat16"]}


def lora_step(lm: LM, texts: list[str], half: bool) -> Callable:
    """A step of an adapter as `finetune` takes it; in bfloat16 if `half`."""
    student = lm.with_lora(rank=8, seed=0)
    precision = Precision(student.model, half)
    trained = [p for p in student.model.parameters() if p.requires_grad]
    return stepper(
        student, texts, trained, lambda *batch: _mean_loss(student.model, *batch), precision
    )


def peft_lora_step(lm: LM, texts: list[str]) -> Callable:
    from peft import LoraConfig, TaskType, get_peft_model

    config = LoraConfig(task_type=TaskType.CAUSAL_LM, r=8, target_modules="all-linear")
    tuned = get_peft_model(lm.clone().model, config)
    trained = [p for p in tuned.parameters() if p.requires_grad]

    def loss(ids, mask, labels):
        return tuned(input_ids=ids, attention_mask=mask, labels=labels).loss

    return stepper(lm, texts, trained, loss, lambda: torch.autocast("cpu", enabled=False))


def stepper(
    lm: LM, texts: list[str], trained: list, loss: Callable, precision: Callable
) -> Callable:
    from synthkit.lm.rows import IGNORED, right_pad

    optimiser = torch.optim.AdamW(trained, lr=1e-4)

    def step() -> None:
        ids, mask = right_pad([lm.with_bos(row) for row in lm.token_ids(texts)])
        labels = ids.masked_fill(mask == 0, IGNORED)
        with precision():
            found = loss(ids, mask, labels)
        update(found, optimiser)

    return step


def training(slow: LM, fast: LM, small: bool) -> dict[str, float]:
    """Steps of a soft prompt and of an adapter, against peft's."""
    texts = [row["question"] for row in load_world("math").rows(8, seed=0)]
    rounds = 2 if small else 4
    z = Context(fast)(texts)
    with frozen(fast), frozen(slow):
        ways = {"ours": our_step(fast, "ssmc", texts, z), "peft": peft_step(slow, texts)}
        soft = seconds(ways, rounds)
    ways = {
        "ours": lora_step(fast, texts, False),
        "half": lora_step(fast, texts, True),
        "peft": peft_lora_step(slow, texts),
    }
    lora = seconds(ways, rounds)
    print(
        f"{len(texts)} texts a step by peft: prompt {soft['peft']:.2f} s, LoRA {lora['peft']:.2f} s"
    )
    return {
        f"SoftSRV step (t = {LENGTH}) / peft's prompt tuning": soft["ours"] / soft["peft"],
        "LoRA step / peft's": lora["ours"] / lora["peft"],
        "LoRA step in bfloat16 / peft's in float32": lora["half"] / lora["peft"],
    }


def main(small: bool = False) -> dict[str, float]:
    """Print and return the ratios; `small` takes few rounds. Empty without the model."""
    if cached(NAME) is None:
        print(f"skipped: {NAME} is not in the cache; run `synthkit get-model {NAME}` first")
        return {}
    with products_of("torch"):
        slow = load_lm(NAME, device="cpu")
    fast = load_lm(NAME, device="cpu")
    print(f"{fast.name}, threads={torch.get_num_threads()}")
    found = training(slow, fast, small)
    found |= generation(endless(slow), endless(fast), small) | in_half(fast, small)
    for name, ratio in found.items():
        print(f"{name:52} {ratio:.2f}")
    assert found["transformers / ours, from embeddings"] > 0.9
    assert found["LoRA step / peft's"] < 1.2
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="few rounds")
    main(parser.parse_args().small)
