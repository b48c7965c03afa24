"""How fast influence is, and how much memory it takes, with kronfluence in the same run.

    python tests/benchmarks/bench_influence.py [--rows N] [--queries Q]

The work: by default 2,000 rows of the code world on 100 queries, a rank-8 LoRA adapter on every
linear layer of the embedded model (its B drawn at random, since time does not depend on training).
kronfluence is optional (`pip install --no-deps kronfluence==1.0.1 einops einconv opt-einsum`); it
gets the same rows in the same order, batches of the same size padded to their longest row, and its
queries in one pass over the rows. The rank correlation of both libraries' scores is printed beside
the times.
"""

from __future__ import annotations

import argparse
import importlib.util
import resource
import sys
import tempfile
from pathlib import Path
from time import process_time

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from synthkit.lm.rows import IGNORED, right_pad  # noqa: E402
from synthkit.spa.influence import GradientStream, influence_scores, lora_matrices  # noqa: E402
from synthkit.spa.streaming import as_pairs  # noqa: E402

BLOCK = 32


def encode(lm, rows) -> list[tuple[list[int], int]]:
    """Token ids of [BOS][prompt][completion][EOS] of each row, and where its loss begins."""
    prompts, completions = zip(*as_pairs(rows))
    heads = [lm.with_bos(ids) for ids in lm.token_ids(prompts)]
    end = [] if lm.eos_id is None else [lm.eos_id]
    return [(head + body + end, len(head)) for head, body in zip(heads, lm.token_ids(completions))]


def collate(rows: list[tuple[list[int], int]]) -> dict[str, torch.Tensor]:
    """Ids, mask and labels (b, m), padded to the longest of these rows."""
    ids, mask = right_pad([row for row, _ in rows])
    places = torch.arange(ids.shape[1])
    starts = torch.tensor([start for _, start in rows])
    labels = ids.masked_fill((places < starts[:, None]) | (mask == 0), IGNORED)
    return {"ids": ids, "mask": mask, "labels": labels}


def language_task(names: list[str]):
    """kronfluence's view of the same loss: nats per token of each completion, summed over rows."""
    from kronfluence.task import Task

    class LanguageTask(Task):
        def compute_train_loss(self, batch, model, sample=False):
            logits = model(input_ids=batch["ids"], attention_mask=batch["mask"]).logits[:, :-1]
            labels = batch["labels"][:, 1:]
            if sample:
                with torch.no_grad():
                    chances = logits.flatten(0, 1).softmax(-1)
                    drawn = torch.multinomial(chances, 1).view_as(labels)
                labels = torch.where(labels == IGNORED, labels, drawn)
            losses = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="none"
            ).view_as(labels)
            return (losses.sum(1) / (labels != IGNORED).sum(1)).sum()

        def compute_measurement(self, batch, model):
            return self.compute_train_loss(batch, model)

        def get_influence_tracked_modules(self):
            return names

        def get_attention_mask(self, batch):
            return batch["mask"]

    return LanguageTask()


def kronfluence_scores(
    lm,
    rows,
    queries,
    folder,
    *,
    strategy: str = "ekfac",
    empirical: bool = False,
    block: int = BLOCK,
) -> np.ndarray:
    """kronfluence's scores (q, n) on the LoRA matrices of `lm`, whose model it changes."""
    from kronfluence.analyzer import Analyzer, prepare_model
    from kronfluence.arguments import FactorArguments, ScoreArguments
    from kronfluence.utils.dataset import DataLoaderKwargs

    adapter = lm.active_adapter
    task = language_task([f"{name}.{adapter}" for name in lora_matrices(lm, adapter)])
    model = prepare_model(lm.model, task)
    name = f"{strategy}-{empirical}"
    analyzer = Analyzer(
        name, model, task, cpu=lm.device.type == "cpu", output_dir=str(folder), disable_tqdm=True
    )
    analyzer.set_dataloader_kwargs(DataLoaderKwargs(collate_fn=collate))
    train, asked = encode(lm, rows), encode(lm, queries)
    analyzer.fit_all_factors(
        factors_name=name,
        dataset=train,
        per_device_batch_size=block,
        factor_args=FactorArguments(strategy=strategy, use_empirical_fisher=empirical),
        overwrite_output_dir=True,
    )
    analyzer.compute_pairwise_scores(
        scores_name=name,
        factors_name=name,
        query_dataset=asked,
        train_dataset=train,
        per_device_query_batch_size=block,
        per_device_train_batch_size=block,
        score_args=ScoreArguments(
            damping_factor=None, query_gradient_accumulation_steps=-(-len(asked) // block)
        ),
        overwrite_output_dir=True,
    )
    return analyzer.load_pairwise_scores(name)["all_modules"].numpy()


def student(rank: int = 8):
    """The embedded model with an adapter that looks trained."""
    from synthkit import load_lm

    lm = load_lm(device="cpu").with_lora(rank=rank)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in lm.model.named_parameters():
            if "lora_B" in name:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.02)
    return lm


def code_rows(lm, n: int, seed: int) -> list[dict]:
    """Rows of the code world, longest first: the order in which `GradientStream` takes them."""
    from synthkit import load_world
    from synthkit.lm.documents import instruction

    rows = [
        {
            "prompt": instruction("Solve the task.", given=row["prompt"]),
            "completion": row["code"],
        }
        for row in load_world("code").rows(n, seed)
    ]
    order = sorted(range(n), key=lambda i: -len(encode(lm, rows[i : i + 1])[0][0]))
    return [rows[i] for i in order]


def memory() -> float:
    """The most memory this process has held so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(way) -> tuple[float, np.ndarray]:
    """Seconds of processor time and result of one run: other work on the machine does not count."""
    started = process_time()
    found = way()
    return process_time() - started, found


def agreement(a: np.ndarray, b: np.ndarray) -> float:
    """Mean over queries of Spearman's correlation."""
    from scipy.stats import spearmanr

    return float(np.mean([spearmanr(x, y)[0] for x, y in zip(a, b)]))


def main(n: int, q: int) -> None:
    """Print processor times, ratios and memory for n rows and q queries."""
    lm = student()
    rows, queries = code_rows(lm, n, 0), code_rows(lm, q, 1)
    sizes = GradientStream(lm, rows, block_size=BLOCK).sizes
    P = sum(sizes.values())
    print(f"{n} rows, {q} queries, P = {P:,}, threads = {torch.get_num_threads()}")
    influence_scores(lm, rows[: n // 10], queries, block_size=BLOCK)
    before = memory()
    ours = {}
    for method in ("dot", "datainf", "ekfac"):
        seconds, found = timed(
            lambda method=method: influence_scores(
                lm, rows, queries, method=method, block_size=BLOCK, memory=0
            )
        )
        ours[method] = seconds, found
        print(f"synthkit {method:8s} {seconds:8.1f} s   {n / seconds:8.1f} rows/s")
    stated = 4 * P * (2 * BLOCK + 3 * q) / 2**20
    print(
        f"gradients of all rows would take {4 * P * n / 2**20:,.0f} MB; stated bound {stated:,.0f}"
    )
    print(f"peak memory: {before:,.0f} MB after a tenth of the rows, {memory():,.0f} MB after all")
    if importlib.util.find_spec("kronfluence") is None:
        print("kronfluence is not installed: no comparison")
        return
    with tempfile.TemporaryDirectory() as folder:
        for strategy, method in (("identity", "dot"), ("ekfac", "ekfac")):
            twin = lm.clone()
            seconds, found = timed(
                lambda twin=twin, strategy=strategy: kronfluence_scores(
                    twin, rows, queries, folder, strategy=strategy
                )
            )
            print(f"kronfluence {strategy:8s} {seconds:5.1f} s")
            print(f"  Spearman with synthkit's {method}: {agreement(found, ours[method][1]):.3f}")
            for name, (own, _) in ours.items():
                print(f"  time against synthkit's {name}: {seconds / own:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--queries", type=int, default=100)
    chosen = parser.parse_args()
    main(chosen.rows, chosen.queries)
