"""How fast a batch of mixed adapters is, against switching adapters, in one run on one machine.

    python tests/benchmarks/bench_mixed_adapters.py [--adapters 8] [--prompts 8]

The work: every prompt is answered by every adapter, greedily, 32 new tokens each (rank 8 on every
linear layer of the embedded model, B drawn at random, no row ends by itself). It is done by
`LM.generate(adapters=...)` in one mixed batch; by `LM.generate` once an adapter, switching between;
by peft's own mixed batch (`generate(adapter_names=...)`); and by the base alone, which is what no
way can beat. Each time is the best of three, and the ways take turns.
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from synthkit import load_lm, load_world  # noqa: E402
from synthkit.lm.mixed_adapters import share_weights  # noqa: E402

NEW, REPEATS, RANK = 32, 3, 8


def adapted(n: int):
    """The embedded model with `n` adapters that look trained, and no end token."""
    lm = share_weights(load_lm(device="cpu"))
    generator = torch.Generator().manual_seed(0)
    for i in range(n):
        lm.add_adapter(f"part-{i}", rank=RANK, seed=i)
    with torch.no_grad():
        for name, weight in lm.model.named_parameters():
            if "lora_B" in name:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.02)
    lm.eos_id = lm.model.generation_config.eos_token_id = None
    return lm


def mixed(lm, prompts: list[str], names: list[str]) -> list[str]:
    """One batch, each row with its own adapter."""
    rows = [prompt for prompt in prompts for _ in names]
    chosen = names * len(prompts)
    return lm.generate(rows, adapters=chosen, max_new_tokens=NEW, batch_size=len(rows))


def switching(lm, prompts: list[str], names: list[str]) -> list[str]:
    """One call an adapter."""
    made = []
    for name in names:
        with lm.use_adapter(name):
            made.append(lm.generate(prompts, max_new_tokens=NEW, batch_size=len(prompts)))
    return [text for each in zip(*made) for text in each]


def by_peft(lm, prompts: list[str], names: list[str]) -> int:
    """peft's mixed batch under transformers' generate; returns how many tokens it made."""
    from synthkit.lm.decoding import left_pad

    rows = [lm.embed_ids(lm.with_bos(ids)) for ids in lm.token_ids(prompts) for _ in names]
    embeds, mask = left_pad(rows)
    peft = lm._adapters.handle.eval()
    with lm.use_adapter(names[0]), torch.no_grad():
        out = peft.generate(
            inputs_embeds=embeds, attention_mask=mask, adapter_names=names * len(prompts),
            max_new_tokens=NEW, min_new_tokens=NEW, do_sample=False, pad_token_id=0,
        )  # fmt: skip
    return out.numel()


def alone(lm, prompts: list[str], names: list[str]) -> list[str]:
    """The base without adapters, on as many rows."""
    rows = [prompt for prompt in prompts for _ in names]
    return lm.generate(rows, max_new_tokens=NEW, batch_size=len(rows))


def best(ways: dict) -> dict[str, float]:
    """CPU-seconds of each way, the best of a few rounds in which they take turns."""
    times = {name: [] for name in ways}
    for _ in range(REPEATS):
        for name, way in ways.items():
            start = time.process_time()
            way()
            times[name].append(time.process_time() - start)
    return {name: min(each) for name, each in times.items()}


def main(n_adapters: int, n_prompts: int) -> None:
    """Print CPU-seconds and ratios."""
    lm = adapted(n_adapters)
    names = [f"part-{i}" for i in range(n_adapters)]
    prompts = [row["question"] for row in load_world("math").rows(n_prompts, 0)]
    given = {"lm": lm, "prompts": prompts, "names": names}
    same = mixed(**given) == switching(**given)
    ways = {way.__name__: partial(way, **given) for way in (mixed, switching, by_peft, alone)}
    times = best(ways)
    work = f"{n_adapters} adapters x {n_prompts} prompts x {NEW} tokens"
    print(f"{work}, threads = {torch.get_num_threads()}, equal texts: {same}")
    for name, seconds in times.items():
        print(f"{name:10s} {seconds:7.2f} CPU-s   {seconds / times['mixed']:5.2f} x mixed")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--adapters", type=int, default=8)
    parser.add_argument("--prompts", type=int, default=8)
    given = parser.parse_args()
    main(given.adapters, given.prompts)
