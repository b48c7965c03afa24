"""How fast an autoencoder writes rows, and what a step of its training costs.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_difflm_sampling.py [--small]

Latents become rows of the census world, under the trie of legal rows, with sizes as at study scale
and random weights. In batches with a key-value cache, against one latent at a time, and against
a batch that reads the whole row anew for each token. Ways take turns, and each time is the median
over the rounds, in seconds of the process's own CPU time, so that other work on the machine
matters less; "a minute" is a minute of one thread.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import process_time

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from synthkit.difflm.autoencoder import Autoencoder, row_logits  # noqa: E402
from synthkit.difflm.format_model import PRESETS, freeze, new_llama  # noqa: E402
from synthkit.difflm.rows import RowCodec  # noqa: E402
from synthkit.difflm.schema import TableSchema  # noqa: E402
from synthkit.worlds import load_world  # noqa: E402

ROWS, BATCH, SINGLES = 256, 256, 8
BARS = {"rows a minute": 1000.0, "batch against one at a time": 5.0}


def median_seconds(ways: dict[str, Callable], rounds: int) -> dict[str, float]:
    """CPU seconds of each way, the median of rounds in which they take turns."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(rounds + 1):  # the first one warms up
        for name, way in ways.items():
            start = process_time()
            way()
            if round_:
                times[name].append(process_time() - start)
    return {name: statistics.median(each) for name, each in times.items()}


@torch.no_grad()
def uncached(model: Autoencoder, z: torch.Tensor, legal) -> torch.Tensor:
    """The same rows by reading everything anew for each token, the most probable one taken."""
    ids = torch.zeros(len(z), 0, dtype=torch.long)
    for _ in range(model.codec.length):
        wide = torch.nn.functional.pad(ids, (0, 1))  # the place to be written
        logits = row_logits(model.decoder, model.injector, z, wide, model.codec.bos)[:, -1]
        best = logits.masked_fill(~legal.allowed(ids), -torch.inf).argmax(-1)
        ids = torch.cat([ids, best[:, None]], 1)
    return ids


def one_by_one(model: Autoencoder, z: torch.Tensor, legal) -> None:
    for latent in z:
        model.generate(latent[None], legal=legal, temperature=0)


def training_step(model: Autoencoder, ids: torch.Tensor) -> Callable:
    """Forward, backward, clip and AdamW on one batch."""
    parameters = list(model.parameters())
    optimiser = torch.optim.AdamW(parameters, lr=1e-4)

    def step() -> None:
        loss = model.loss(ids, 0.05, torch.Generator().manual_seed(0))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()

    return step


def main(small: bool = False) -> dict[str, float]:
    """Print and return what was found; `small` takes one round."""
    frame, rounds = load_world("census").frame(1000, seed=0), 1 if small else 5
    found = {}
    for digits, few in (("values", 128), ("digits", 2)):
        codec = RowCodec(TableSchema.infer(frame, few=few))
        decoder = freeze(new_llama(codec.vocab_size, codec.length, PRESETS["study"], seed=0))
        model, legal = Autoencoder(decoder, codec, "study"), codec.legal()
        z = torch.randn(ROWS, model.preset.latent, generator=torch.Generator().manual_seed(0))
        write = partial(model.generate, z, legal=legal, temperature=0, batch_size=BATCH)
        same = (write() == uncached(model, z, legal)).float().mean()
        times = median_seconds(
            {
                "batch": write,
                "one": partial(one_by_one, model, z[:SINGLES], legal),
                "uncached": partial(uncached, model, z, legal),
                "step": training_step(model, codec.encode(frame)[: model.preset.batch_size]),
            },
            rounds,
        )
        found[digits] = {
            "tokens a row": codec.length,
            "rows a minute": 60 * ROWS / times["batch"],
            "batch against one at a time": times["one"] / SINGLES * ROWS / times["batch"],
            "cache against none": times["uncached"] / times["batch"],
            "same tokens as without a cache": float(same),
            "seconds a training step": times["step"],
        }
    print(f"study size, batch {BATCH}, threads={torch.get_num_threads()}")
    for name in found["values"]:
        bar = f"   (bar: {BARS[name]:,.0f})" if name in BARS else ""
        shown = " ".join(f"{each[name]:>12,.3f}" for each in found.values())
        print(f"{name:32}{shown}{bar}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="one round")
    main(parser.parse_args().small)
