"""What a soft prompt costs, as ratios measured in one run on one machine.

    python tests/benchmarks/bench_soft_prompts.py [--small]

A training step (tokens, forward, backward, clip, AdamW) of the constant prompt and of the networks,
against the same step of peft's prompt tuning: the same texts, prompt length and model. Then 64
contexts continued in one batch, against one at a time. Ways take turns, and each time is the
median over the rounds. The embedded model is used if it is there, else a random one of its size.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from tiny import tiny_lm  # noqa: E402

from synthkit.core.paths import embedded_lm_dir  # noqa: E402
from synthkit.lm import IGNORED, LM, load_lm  # noqa: E402
from synthkit.lm.contexts import Context  # noqa: E402
from synthkit.lm.modes import frozen  # noqa: E402
from synthkit.lm.soft_prompts import new_soft_prompt, prefix, reconstruction_loss  # noqa: E402
from synthkit.worlds import load_world  # noqa: E402

LENGTH, BATCH, ROWS, NEW = 8, 32, 64, 32
SIZES = {
    "hidden_size": 192,
    "num_hidden_layers": 4,
    "num_attention_heads": 6,
    "num_key_value_heads": 6,
    "intermediate_size": 512,
    "max_position_embeddings": 512,
}


def model() -> LM:
    if (embedded_lm_dir() / "config.json").is_file():
        return load_lm(device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        return load_lm(tiny_lm(Path(folder) / "random", **SIZES), device="cpu")


def median_seconds(ways: dict[str, Callable], rounds: int) -> dict[str, float]:
    """Seconds of each way, the median of rounds in which they take turns in a drawn order."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    order, rng = list(ways), random.Random(0)
    for round_ in range(rounds + 1):  # the first one warms up
        rng.shuffle(order)
        for name in order:
            start = perf_counter()
            ways[name]()
            if round_:
                times[name].append(perf_counter() - start)
    return {name: statistics.median(each) for name, each in times.items()}


def update(loss: torch.Tensor, optimiser: torch.optim.Optimizer) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(optimiser.param_groups[0]["params"], 1.0)
    optimiser.step()
    loss.item()


def our_step(lm: LM, kind: str, texts: list[str], z: torch.Tensor) -> Callable:
    prompt = new_soft_prompt(lm, kind, Context(lm), LENGTH)
    optimiser = torch.optim.AdamW(prompt.parameters(), lr=1e-3, weight_decay=0.0)
    return lambda: update(reconstruction_loss(lm, prompt, z, texts), optimiser)


def peft_step(lm: LM, texts: list[str]) -> Callable:
    from peft import PromptTuningConfig, TaskType, get_peft_model

    config = PromptTuningConfig(task_type=TaskType.CAUSAL_LM, num_virtual_tokens=LENGTH)
    tuned = get_peft_model(lm.clone().model, config)
    trained = [p for p in tuned.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=1e-3, weight_decay=0.0)

    def step() -> None:
        rows = [[*lm.with_bos(ids), lm.eos_id] for ids in lm.token_ids(texts)]
        longest = max(map(len, rows))
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        mask = (torch.arange(longest) < torch.tensor([len(row) for row in rows])[:, None]).long()
        labels = ids.masked_fill(mask == 0, IGNORED)
        labels[:, 0] = IGNORED
        update(tuned(input_ids=ids, attention_mask=mask, labels=labels).loss, optimiser)

    return step


def sampled(lm: LM, front: torch.Tensor, size: int) -> list[str]:
    return lm.generate(
        prefix_embeds=front, bos=False, temperature=1.0, max_new_tokens=NEW, batch_size=size
    )


def one_by_one(lm: LM, front: torch.Tensor) -> list[str]:
    return [sampled(lm, row, 1)[0] for row in front]


def main(small: bool = False) -> dict[str, float]:
    """Print and return the ratios; `small` takes few rounds."""
    lm = model()
    texts = [row["question"] for row in load_world("math").rows(BATCH, seed=0)]
    z = Context(lm)(texts)
    with frozen(lm):
        steps = median_seconds(
            {
                "ssnp": our_step(lm, "ssnp", texts, z),
                "ssmc": our_step(lm, "ssmc", texts, z),
                "peft": peft_step(lm, texts),
            },
            rounds=5 if small else 20,
        )
    lm.eos_id = lm.model.generation_config.eos_token_id = None  # equal work: no row ends by itself
    prompt = new_soft_prompt(lm, "ssmc", Context(lm), LENGTH)
    with torch.no_grad():
        front = prefix(lm, prompt, z.repeat(ROWS // BATCH, 1))
    singles = 4 if small else 16
    times = median_seconds(
        {
            "batch": partial(sampled, lm, front, ROWS),
            "one by one": partial(one_by_one, lm, front[:singles]),
        },
        rounds=1 if small else 3,
    )
    found = {
        "ssnp step / peft step": steps["ssnp"] / steps["peft"],
        "ssmc step / peft step": steps["ssmc"] / steps["peft"],
        f"one by one / batch of {ROWS}": times["one by one"] * ROWS / singles / times["batch"],
    }
    print(f"{lm.name}, {BATCH} texts a step, t = {LENGTH}, threads={torch.get_num_threads()}")
    print(f"a step of peft's prompt tuning takes {steps['peft']:.3f} s")
    for name, ratio in found.items():
        print(f"{name:28} {ratio:.2f}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="few rounds")
    main(parser.parse_args().small)
