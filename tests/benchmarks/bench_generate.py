"""How fast `LM.generate` is, as ratios measured in one run on one machine.

    python tests/benchmarks/bench_generate.py

The work is fixed: 64 rows of input embeddings, 8 to 40 positions long, continued greedily. It is
done by `LM.generate` in one batch, by transformers' own `generate` in one left-padded batch, by
`LM.generate` one row at a time, and by the kit's loop with rows that end early, as real texts do.
Each time is the best of three, and the ways take turns. The embedded model is used if it is
there, else a random one of about 2 M parameters.
"""

import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from tiny import tiny_lm  # noqa: E402

from synthkit.core.paths import embedded_lm_dir  # noqa: E402
from synthkit.lm import LM, load_lm  # noqa: E402
from synthkit.lm.decoding import decode, left_pad  # noqa: E402

ROWS, NEW, SINGLES, REPEATS = 64, 48, 8, 3
SIZES = {
    "hidden_size": 192,
    "num_hidden_layers": 4,
    "num_attention_heads": 6,
    "num_key_value_heads": 6,
    "intermediate_size": 512,
    "vocab_size": 2048,
}


def model() -> LM:
    if (embedded_lm_dir() / "config.json").is_file():
        return load_lm(device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        return load_lm(tiny_lm(Path(folder) / "random", **SIZES), device="cpu")


def rows_for(lm: LM) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(8, 41, (ROWS,), generator=generator).tolist()
    vocabulary = len(lm.tokenizer)
    return [
        lm.embed_ids(torch.randint(3, vocabulary, (n,), generator=generator).tolist()).detach()
        for n in lengths
    ]


def by_transformers(lm: LM, rows: list[torch.Tensor], limit: int) -> list[list[int]]:
    embeds, mask = left_pad(rows)
    out = lm.model.generate(
        inputs_embeds=embeds,
        attention_mask=mask,
        max_new_tokens=limit,
        min_new_tokens=limit,
        do_sample=False,
        use_cache=True,
        pad_token_id=0,
    )
    return out.tolist()


def by_synthkit(lm: LM, rows: list[torch.Tensor], limits: list[int]) -> list[list[int]]:
    return decode(lm.model, rows, range(len(rows)), limits)


def best(ways: dict) -> dict[str, float]:
    """Seconds of each way, the best of a few rounds in which they take turns."""
    times = {name: [] for name in ways}
    for _ in range(REPEATS):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - start)
    return {name: min(each) for name, each in times.items()}


def through_generate(lm: LM, rows: list[torch.Tensor], size: int) -> list[str]:
    return lm.generate(inputs_embeds=rows, bos=False, max_new_tokens=NEW, batch_size=size)


def main() -> None:
    lm = model()
    lm.eos_id = lm.model.generation_config.eos_token_id = None  # equal work: no row ends by itself
    rows = rows_for(lm)
    agree = by_transformers(lm, rows, NEW) == by_synthkit(lm, rows, [NEW] * ROWS)
    generator = torch.Generator().manual_seed(1)
    limits = torch.randint(4, NEW + 1, (ROWS,), generator=generator).tolist()
    seconds = best(
        {
            "transformers": partial(by_transformers, lm, rows, NEW),
            "batch": partial(through_generate, lm, rows, ROWS),
            "one by one": partial(through_generate, lm, rows[:SINGLES], 1),
            "uneven": partial(by_synthkit, lm, rows, limits),
        }
    )
    seconds["one by one"] *= ROWS / SINGLES
    batch = seconds["batch"]
    print(f"{lm.describe()}, threads={torch.get_num_threads()}")
    print(f"{ROWS} rows x {NEW} new tokens: {ROWS * NEW / batch:,.0f} tokens/s")
    print(f"same tokens as transformers:                   {agree}")
    print(
        f"speed against transformers, batch {ROWS}:           {seconds['transformers'] / batch:.2f}"
    )
    print(f"speed against one row at a time:               {seconds['one by one'] / batch:.1f}")
    print(f"rows that end after {min(limits)} to {max(limits)} tokens, against")
    uneven = seconds["transformers"] / seconds["uneven"]
    print(f"  transformers, which runs them to the longest: {uneven:.2f}")


if __name__ == "__main__":
    main()
