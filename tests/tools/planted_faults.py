"""Faults planted in the equations, one at a time: do the tests catch each of them?

    python tests/tools/planted_faults.py                 # all, about a quarter of an hour
    python tests/tools/planted_faults.py c_skip wilson   # some
    python tests/tools/planted_faults.py --list

A fault is a slip that runs: a sign, a square, a swapped argument, one too few. It is planted in a
copy of the package in a temporary folder, and pytest runs there until the first failure. At the end
the tests that caught something run without a fault and must pass. The exit status is 1 if a fault
survives, or if the text that it replaces no longer stands in its file exactly once.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("synthkit", "tests", "data", "pyproject.toml")
CONFTEST = """from hypothesis import Phase, settings

settings.register_profile("first failure", phases=[Phase.explicit, Phase.generate], database=None)
settings.load_profile("first failure")
"""  # a failing example is enough, and need not become small


@dataclass(frozen=True)
class Fault:
    """`new` in place of `old` in a file of the package, and the tests that should fail then.

    Attributes:
        file: under synthkit/.
        tests: a file under tests/, and perhaps more arguments of pytest.
    """

    name: str
    file: str
    old: str
    new: str
    tests: str

    def planted(self, folder: Path) -> str:
        """The file's text with the fault; LookupError if `old` is not there exactly once."""
        text = (folder / "synthkit" / self.file).read_text(encoding="utf-8")
        if (times := text.count(self.old)) != 1:
            raise LookupError(
                f"{self.name}: {self.old!r} stands {times} times in synthkit/{self.file}; the code "
                "has moved, so give the fault its new text in tests/tools/planted_faults.py"
            )
        return text.replace(self.old, self.new)


def faults(file: str, tests: str, **changes: tuple[str, str]) -> list[Fault]:
    """The faults of one file: (old, new) by name."""
    return [Fault(name, file, *change, tests) for name, change in changes.items()]


# fmt: off
FAULTS = [
    # EmbedSDG
    *faults("embedsdg/interpolation.py", "embedsdg/test_interpolation.py -k 'not embedded'",
        average_not_halved=("average / (2 if", "average / (1 if"),
        weights_not_scaled=("w = w / w.mean()", "w = w / w.sum()"),
        rms_without_root=(".mean(-1).sqrt() / unit", ".mean(-1) / unit")),
    *faults("embedsdg/sparsity.py", "embedsdg/test_sparsity.py -k 'not faster'",
        window_one_short=("totals, start + width, axis", "totals, start + width - 1, axis"),
        density_box_twice=("r=0.5, p=np.inf", "r=1.0, p=np.inf"),
        density_ball=("r=0.5, p=np.inf", "r=0.5, p=2"),
        seeds_one_a_pair=("-(-2 * n_pairs // passes)", "-(-n_pairs // passes)"),
        threshold_not_strict=("(counts < threshold)", "(counts <= threshold)"),
        seeds_from_one_side=("highs = order[-side:]", "highs = order[:side]")),
    *faults("lm/attention.py", "lm/test_model.py -k pooling",
        queries_before_key=("(count[:, None] - places)", "(places[None] + 1)")),
    # SoftSRV, and the soft prompts below it
    *faults("lm/soft_prompts.py", "lm/test_soft_prompts.py -k 'not fit'",
        mixture_over_texts=("self.gate_bias).softmax(-1)", "self.gate_bias).softmax(0)"),
        mixture_without_bias=("(z @ self.gate + self.gate_bias)", "(z @ self.gate)"),
        mlps_without_relu=("self.first_bias).relu()", "self.first_bias)"),
        contexts_times_sd=("- self.mean) / self.sd", "- self.mean) * self.sd"),
        loss_per_place=("losses.sum() / (labels != IGNORED)", "losses.sum() / (mask > 0)"),
        shuffled_to_itself=("np.roll(order, 1)", "np.roll(order, 0)")),
    *faults("softsrv/filters.py", "softsrv/test_filters.py",
        shortest_turned_away=("count_words(text) < self", "count_words(text) <= self")),
    *faults("softsrv/drafts.py", "softsrv/test_synthesizer.py -k 'draft or noise or slot'",
        limit_is_an_end=("Draft(text, len(got) < m)", "Draft(text, len(got) <= m)"),
        rounds_share_noise=("(turn << 32) + slot", "turn + slot")),
    *faults("lm/tokens.py", "softsrv/test_synthesizer.py -k 'position or split'",
        no_room_for_the_end=(" - (lm.eos_id is not None)", "")),
    *faults("softsrv/baselines.py", "softsrv/test_baselines.py -k loss",
        loss_per_text=("* sizes).sum() / sizes.sum()", "* sizes).sum() / len(sizes)")),
    # the language model
    *faults("lm/rows.py", "lm/test_model.py -k 'nll or training_batch or pad'",
        loss_mask_shifted=("(places < first[:, None])", "(places <= first[:, None])"),
        padding_counts=("| (mask == 0)", "| (mask < 0)")),
    *faults("lm/likelihood.py", "lm/test_model.py -k 'nll or training_batch'",
        no_end_in_the_loss=("rows = [head + body + end for", "rows = [head + body for"),
        mean_over_padding=("(labels[:, 1:] != IGNORED).sum(1)", "mask[:, 1:].sum(1)")),
    *faults("lm/losses.py", "lm/test_losses.py -k 'llama or adapter'",
        labels_not_shifted=("targets = labels[:, 1:].flatten", "targets = labels[:, :-1].flatten"),
        chunks_not_shifted=("targets = labels[:, 1:].to(", "targets = labels[:, :-1].to(")),
    *faults("lm/choosing.py", "lm/test_model.py -k choose",
        temperature_multiplies=("logits.float() / sampling.t", "logits.float() * sampling.t"),
        top_p_one_short=("probabilities.cumsum(-1) - probabilities", "probabilities.cumsum(-1)")),
    *faults("lm/decoding.py", "lm/test_model.py -k 'left_pad or greedy'",
        mask_on_the_right=("mask[i, longest - len(row) :] = 1", "mask[i, : len(row)] = 1"),
        positions_from_one=("(mask.cumsum(-1) - 1)", "mask.cumsum(-1)")),
    *faults("lm/examples.py", "lm/test_finetune.py -k 'carries or nats'",
        prompt_carries_loss=("[-100] * len(head) + tail", "[*head, *tail]"),
        answer_not_shifted=("labels[:, 1:].flatten()", "labels[:, :-1].flatten()")),
    *faults("lm/training.py", "lm/test_training.py",
        average_forgets=("lerp_(fast, 1 - decay)", "lerp_(fast, decay)")),
    # SPA
    *faults("spa/influence.py", "spa/test_influence.py -k 'dot or datainf or fisher or autograd'",
        datainf_sign=("solved[name] -= weights", "solved[name] += weights"),
        datainf_norm_not_squared=("+ g.square().sum(1))", "+ g.norm(dim=1))"),
        damping_not_per_number=("c * mean_square / size", "c * mean_square"),
        woodbury_without_n=(".T @ g / n) / lam", ".T @ g) / lam"),
        cosine_of_rows_only=("own * lengths(blocks)", "lengths(blocks)"),
        gradient_transposed=("delta.transpose(1, 2), a).f", "a.transpose(1, 2), delta).f")),
    *faults("spa/kfac.py", "spa/test_influence.py -k ekfac",
        kfac_damping_absolute=("spectra[name] + c * mean)", "spectra[name] + c)"),
        kfac_not_squared=("@ into).square().sum(0)", "@ into).abs().sum(0)"),
        kfac_sides_swapped=("for side in (delta, a)]", "for side in (a, delta)]"),
        kfac_not_rotated_back=("@ into.T).flatten(1)", "@ into).flatten(1)"),
        kfac_with_padding=("a = a * mask[..., None]", "a = a * (mask[..., None] * 0 + 1)")),
    *faults("spa/partition.py", "spa/test_partition.py",
        deviation_of_all=("scores.std(1, keepdims=True)", "scores.std()"),
        influence_sign=("values = sign * normalise(", "values = normalise("),
        cover_the_farthest=("alike[chosen].max(0)", "alike[chosen].min(0)"),
        giver_falls_short=("sizes[giver] > min_size", "sizes[giver] >= min_size"),
        entropy_of_counts=("np.exp(-(share * np.log(share))", "np.exp(-(share * np.log2(share))")),
    *faults("spa/bm25.py", "spa/test_partition.py -k bm25",
        length_reward=("(1 - b + b * lengths", "(1 - b - b * lengths")),
    # SynAlign
    *faults("synalign/kernels.py", "synalign/test_alignment.py -m 'not slow'",
        kernel_without_half=("=0.5 / bandwidth**2", "=1.0 / bandwidth**2"),
        features_not_paired=("np.sqrt(2 / features)", "np.sqrt(1 / features)")),
    *faults("synalign/judging.py", "synalign/test_alignment.py -m 'not slow'",
        floor_of_one_sum=("(1 / n + 1 / m)", "(2 / (n + m))"),
        effective_not_squared=("1 / (w @ w)", "1 / w.max()")),
    *faults("synalign/alignment.py", "synalign/test_alignment.py -m 'not slow'",
        linear_term_once=("within - 2 * w @", "within - w @"),
        objective_sign=("gradient = 2 * (kw - self.b)", "gradient = 2 * (kw + self.b)"),
        ridge_twice=("logsum + ridge / 2 * slope", "logsum + ridge * slope"),
        tilt_inverted=("exponent = centred @ slope", "exponent = -centred @ slope"),
        share_of_synthetic=("count / len(real_labels) * (", "len(i) / len(labels) * ("),
        witness_sign=("(y, y, sigma) - kernel_mean(", "(y, y, sigma) + kernel_mean(")),
    *faults("synalign/solvers.py", "synalign/test_alignment.py -m 'not slow'",
        simplex_gradient=("w * (gradient - w @ gradient)", "w * gradient"),
        newton_sign=("(product - s * dw) / w", "(product + s * dw) / w")),
    *faults("synalign/exploration.py", "synalign/test_exploration.py -m 'not slow'",
        length_not_squared=("(-2 * self.length**2)", "(-2 * self.length)"),
        variance_not_squared=("self.variance - row**2", "self.variance - row"),
        pivot_without_root=("np.sqrt(self.variance[i] + self", "(self.variance[i] + self"),
        mean_distance=("float(np.median(apart))", "float(np.mean(apart))")),
    # DiffLM
    *faults("difflm/diffusion.py", "difflm/test_diffusion.py",
        c_skip=("c_skip = sigma_data**2 / total", "c_skip = sigma**2 / total"),
        c_out=("sigma * sigma_data / total.sqrt()", "sigma * sigma_data / total"),
        c_noise=("sigma.log() / 4", "sigma.log() / 2"),
        loss_weight=("/ (sigma * sigma_data) ** 2", "/ (sigma * sigma_data)"),
        heun_old_level=("denoise(guess, later)) / later) / 2", "denoise(guess, later)) / now) / 2"),
        churn_variance=("raised**2 - now**2", "(raised - now) ** 2"),
        schedule_linear=("(low - high)) ** rho", "(low - high)) ** 1"),
        scale_back=("(self.sd / self.sigma_data)).f", "(self.sd * self.sigma_data)).f")),
    *faults("difflm/autoencoder.py", "difflm/test_autoencoder.py",
        kl_sign=("logvar.exp() - logvar - 1", "logvar.exp() + logvar - 1"),
        variance_for_sd=("(0.5 * logvar).exp()", "logvar.exp()"),
        row_not_shifted=("logits[:, -ids.shape[1] :]", "logits[:, : ids.shape[1]]"),
        token_seen_by_itself=("[*front, ids[:, :-1]]", "[*front, ids[:, 1:]]"),
        price_of_reconstruction=("(nats + beta * kl)", "(beta * nats + kl)"),
        cycle_of_a_half=("4 * place - 2", "2 * place - 1"),
        padding_in_the_mean=("x.sum(1) / weight.sum(1)", "x.mean(1)")),
    *faults("difflm/trie.py", "difflm/test_trie.py",
        interval_one_short=("high, right=True) - 1", "high, right=False) - 1"),
        places_left=("(self.places - done - 1)", "(self.places - done)"),
        signs_swapped=("where(sign == self.signs[1]", "where(sign == self.signs[0]")),
    # evaluation
    *faults("evaluation/text.py", "evaluation/test_text.py",
        last_ngram_lost=("len(tokens) - n + 1)]", "len(tokens) - n)]"),
        distinct_per_text=("len(set(grams)) / len(grams)", "len(set(grams)) / len(texts)"),
        brevity=("min(0.0, 1 - _nearest", "max(0.0, 1 - _nearest"),
        divergence_in_nats=("np.log2(side", "np.log(side"),
        near_is_above=("near = overlap >= threshold", "near = overlap > threshold")),
    *faults("evaluation/mauve.py", "evaluation/test_mauve.py",
        buckets_half=("round(n / 20)", "round(n / 10)"),
        real_not_read=("p_features=p, q_features=q", "p_features=p, q_features=p"),
        scaling_dropped=("mauve_scaling_factor=scaling", "mauve_scaling_factor=5")),
    *faults("evaluation/table_privacy.py", "evaluation/test_table_privacy.py",
        gap_not_scaled=("np.abs(a[:, None] - b) / scale", "np.abs(a[:, None] - b)"),
        ties_count_whole=("np.where(tied, 0.5,", "np.where(tied, 1.0,"),
        farther_not_nearer=("to_train < to_holdout", "to_train > to_holdout")),
    *faults("evaluation/diversity.py", "evaluation/test_diversity.py",
        pairs_with_itself=("math.comb(len(trimmed[0]), 2)", "math.comb(len(trimmed[0]) + 1, 2)"),
        kl_reversed=("(p.exp() * (p - q))", "(q.exp() * (q - p))"),
        kl_of_the_diagonal=("(k * (k - 1))", "(k * k)")),
    # core
    *faults("core/intervals.py", "core/test_intervals.py",
        wilson=('method="wilson"', 'method="exact"'),
        one_sided=('np.abs(shuffled @ second)', '(shuffled @ second)'),
        bootstrap_pivot=('method="percentile"', 'method="basic"')),
]
# fmt: on


def copied(folder: Path) -> None:
    """Copy what the tests need into `folder`."""
    skip = shutil.ignore_patterns("__pycache__", ".pytest_cache")
    for name in NEEDED:
        path = ROOT / name
        (shutil.copytree if path.is_dir() else shutil.copy)(
            path, folder / name, **({"ignore": skip} if path.is_dir() else {})
        )
    (folder / "conftest.py").write_text(CONFTEST)


def run_tests(folder: Path, arguments: Sequence[str]) -> tuple[int, list[str], str]:
    """Exit status of pytest in `folder`, the ids of what failed, and the end of its output."""
    cache = folder / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    own = {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    data = {"SYNTHKIT_DATA": str(ROOT.parent / "shared" / "data")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-o", f"cache_dir={cache}", *arguments],
        cwd=folder, env=data | os.environ | own, capture_output=True, text=True,
    )  # fmt: skip
    failed = cache / "v" / "cache" / "lastfailed"
    ids = list(json.loads(failed.read_text())) if failed.exists() else []
    return done.returncode, ids, done.stdout[-2000:] + done.stderr[-1000:]


def try_fault(fault: Fault, folder: Path) -> str | None:
    """The id of the test that fails with the fault planted in `folder`; None if all pass.

    Raises:
        LookupError: the code has moved.
        RuntimeError: the tests did not run at all.
    """
    path = folder / "synthkit" / fault.file
    sound = path.read_text(encoding="utf-8")
    path.write_text(fault.planted(folder), encoding="utf-8")
    try:
        status, failed, output = run_tests(folder, shlex.split(f"tests/{fault.tests}"))
    finally:
        path.write_text(sound, encoding="utf-8")
    if status not in (0, 1) or bool(failed) != bool(status):
        raise RuntimeError(f"{fault.name}: pytest ended with status {status}:\n{output}")
    return failed[0] if failed else None


def try_all(chosen: Iterable[Fault]) -> list[str]:
    """Try the faults, print a line for each, and return what is wrong."""
    wrong, catchers = [], set()
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        copied(folder)
        for fault in chosen:
            start = time.perf_counter()
            try:
                found = try_fault(fault, folder)
            except (LookupError, RuntimeError) as error:
                wrong.append(str(error))
                found = "no answer, see below"
            else:
                catchers |= {found} - {None}
                wrong += [] if found else [f"{fault.name} survived in synthkit/{fault.file}"]
            took = time.perf_counter() - start
            said = "SURVIVED" if found is None else found.removeprefix("tests/")
            print(f"{fault.name:24} {fault.file:28} {took:4.0f} s  {said}", flush=True)
        if catchers:
            status, failed, output = run_tests(folder, sorted(catchers))
            wrong += [f"fails without a fault, too: {failed or output}"] if status else []
    return wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="of faults; all if none is given")
    parser.add_argument("--list", action="store_true", help="name the faults and run nothing")
    options = parser.parse_args(arguments)
    known = {fault.name: fault for fault in FAULTS}
    if unknown := [name for name in options.names if name not in known]:
        parser.error(f"no fault is called {unknown[0]!r}; --list names them")
    chosen = [known[name] for name in options.names or known]
    if options.list:
        for fault in chosen:
            print(f"{fault.name:24} {fault.file:28} {fault.old.strip()}  ->  {fault.new.strip()}")
        return 0
    wrong = try_all(chosen)
    print(*wrong, sep="\n", file=sys.stderr)
    print(f"{len(chosen) - len(wrong)} of {len(chosen)} faults are caught")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
