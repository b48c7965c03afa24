"""How fast an autoencoder writes rows, and what a step of its training costs.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_difflm_sampling.py [--small]

Latents become rows of the census world, under the trie of valid rows, with the forms and sizes of
DiffLM's own study preset and random weights. In batches with a key-value cache, against one latent
at a time, and against a batch that reads the whole row anew for each token; once with numbers of
few values as one token each, as in the preset, and once with all numbers digit by digit. Ways take
turns, and each time is the median over the rounds, in seconds of the process's own CPU time, so
that other work on the machine matters less; "a minute" is a minute of one thread. The command
fails if a number misses its bar.
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
from synthkit.difflm.format_model import freeze, new_llama  # noqa: E402
from synthkit.difflm.forms import make_form  # noqa: E402
from synthkit.difflm.presets import with_changes  # noqa: E402
from synthkit.worlds import load_world  # noqa: E402

FORMS = {"values": {}, "digits": {"few": 2}}  # changes of the study preset
BARS = {
    "rows a minute": 1000.0,
    "batch against one at a time": 5.0,
    "same tokens as without a cache": 0.99,  # rounding may settle a tie
}


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
def uncached(model: Autoencoder, z: torch.Tensor, constraint) -> torch.Tensor:
    """The same rows by reading everything anew for each token, the most probable one taken."""
    ids = torch.zeros(len(z), 0, dtype=torch.long)
    for _ in range(model.codec.length):
        wide = torch.nn.functional.pad(ids, (0, 1))  # the place to be written
        logits = row_logits(model.decoder, model.injector, z, wide, model.codec.bos)[:, -1]
        best = logits.masked_fill(~constraint.allowed(ids), -torch.inf).argmax(-1)
        ids = torch.cat([ids, best[:, None]], 1)
    return ids


def one_by_one(model: Autoencoder, z: torch.Tensor, constraint) -> None:
    for latent in z:
        model.generate(latent[None], constraint=constraint, temperature=0)


def training_step(model: Autoencoder, ids: torch.Tensor) -> Callable:
    """Forward, backward, clip and AdamW on one batch."""
    parameters = list(model.parameters())
    optimiser = torch.optim.AdamW(parameters, lr=1e-4)

    def step() -> None:
        loss = sum(model.losses(ids, 0.05, torch.Generator().manual_seed(0)))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()

    return step


def compare(form: str = "values", rows: int = 256, singles: int = 8, rounds: int = 5) -> dict:
    """What one of `FORMS` costs: `rows` latents in a batch, `singles` of them one at a time."""
    frame, preset = load_world("census").frame(1000, seed=0), with_changes("study", FORMS[form])
    codec = make_form(frame, None, preset, "income").codec
    decoder = freeze(new_llama(codec.vocab_size, codec.length, preset.format, seed=0))
    model, constraint = Autoencoder(decoder, codec, preset.autoencoder), codec.constraint()
    z = torch.randn(rows, preset.autoencoder.latent, generator=torch.Generator().manual_seed(0))
    how = {"constraint": constraint, "temperature": 0, "batch_size": preset.batch}
    write = partial(model.generate, z, **how)
    same = (write() == uncached(model, z, constraint)).float().mean()
    ids = codec.encode(frame)[: preset.autoencoder.batch_size]
    times = median_seconds(
        {
            "batch": write,
            "one": partial(one_by_one, model, z[:singles], constraint),
            "uncached": partial(uncached, model, z, constraint),
            "step": training_step(model, ids),
        },
        rounds,
    )
    return {
        "tokens a row": codec.length,
        "rows a minute": 60 * rows / times["batch"],
        "batch against one at a time": times["one"] / singles * rows / times["batch"],
        "cache against none": times["uncached"] / times["batch"],
        "same tokens as without a cache": float(same),
        "seconds a training step": times["step"],
    }


def missed(found: dict[str, float]) -> list[str]:
    """The numbers of `compare` that lie under their bar."""
    return [f"{name}: {found[name]:,.3f} < {bar:,}" for name, bar in BARS.items()
            if found[name] < bar]  # fmt: skip


def main(small: bool = False) -> dict[str, dict[str, float]]:
    """Print and return what was found; `small` takes one round and 64 rows."""
    how = {"rows": 64, "singles": 4, "rounds": 1} if small else {}
    found = {form: compare(form, **how) for form in FORMS}
    print(f"DiffLM's study preset, threads={torch.get_num_threads()}: {', '.join(FORMS)}")
    for name in found["values"]:
        bar = f"   (bar: {BARS[name]:,})" if name in BARS else ""
        shown = " ".join(f"{each[name]:>12,.3f}" for each in found.values())
        print(f"{name:32}{shown}{bar}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="one round, 64 rows")
    measured = main(parser.parse_args().small)
    sys.exit("; ".join(each for form in measured.values() for each in missed(form)) or 0)
