"""Report on this machine: its parts, the libraries, the embedded model, the models that fit."""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor, nn

GIB = 2**30
# Bytes a parameter. In 4 bits the linear layers take 0.52 (NF4, double quantisation); 0.75 allows
# for the embeddings and norms, which stay in 16 bits.
BYTES = {"float32": 4.0, "bfloat16": 2.0, "4-bit": 0.75}
LORA = 0.16  # more bytes a parameter: adapters of 1 %, each weight with gradient and Adam's two
# Share of the memory that the weights may take; the rest is for activations, cache and libraries.
SHARE = {"generate": 0.8, "lora": 0.5}
HUB = "https://huggingface.co/api/models?limit=1"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: what, what was found, the verdict, and what to do about it."""

    what: str
    found: str
    verdict: Literal["ok", "warn", "fail"] = "ok"
    advice: str = ""


@dataclass(frozen=True)
class Report:
    """Findings of `examine`.

    Attributes:
        findings: one line each.
        sizes: rows of `memory`, `weights`, `generate` and `lora`: the largest model, in billions
            of parameters, to generate with and to fine-tune by LoRA.
    """

    findings: tuple[Finding, ...]
    sizes: tuple[dict[str, Any], ...]

    @property
    def usable(self) -> bool:
        """True where nothing that the kit needs has failed."""
        return all(finding.verdict != "fail" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """The report in plain types, ready for JSON."""
        return {
            "usable": self.usable,
            "findings": [asdict(finding) for finding in self.findings],
            "sizes": [dict(row) for row in self.sizes],
        }

    def frame(self) -> pd.DataFrame:
        """The findings as a table."""
        import pandas as pd

        return pd.DataFrame([asdict(finding) for finding in self.findings])

    def show(self) -> None:
        """Print both tables to the terminal, and the lines of advice under them."""
        from rich.console import Console
        from rich.table import Table

        colours = {"ok": "green", "warn": "yellow", "fail": "red"}
        table = Table("", "what", "found", title="This machine", title_justify="left")
        for item in self.findings:
            colour = colours[item.verdict]
            table.add_row(f"[{colour}]{item.verdict}[/]", item.what, item.found)
        sizes = Table("memory", "weights", "generate with", "fine-tune by LoRA",
                      title="Largest model that fits", title_justify="left")  # fmt: skip
        for row in self.sizes:
            billions = (f"{row[key]:.1f} billion" for key in ("generate", "lora"))
            sizes.add_row(row["memory"], row["weights"], *billions)
        console = Console()
        console.print(table)
        for item in self.findings:
            if item.advice:
                console.print(f"{item.verdict}: {item.what}: {item.advice}", highlight=False)
        console.print(sizes)


def examine(*, network: bool = False) -> Report:
    """Look at the machine, the libraries and the embedded model; takes about ten seconds.

    Args:
        network: also ask the Hugging Face hub for an answer. Without it nothing is sent anywhere.

    A part that cannot be examined is a finding of its own; this function does not raise.
    """
    checks: list[tuple[str, Callable[[], Finding]]] = [
        ("python", _python),
        ("libraries", _libraries),
        ("cores", _cores),
        ("memory", _memory),
        ("disk", _disk),
        ("GPU", _gpu),
        ("bfloat16 on the CPU", _bfloat16),
        ("generated code", _sandbox),
        ("4-bit weights", _four_bits),
        ("embedded model", _embedded),
        ("smollm2", _smollm2),
    ]
    if network:
        checks.append(("hub", _hub))
    findings = []
    for what, check in checks:
        try:
            finding = check()
        except Exception as error:  # a broken native library raises anything
            reason = " ".join(str(error).split())[:160]
            finding = _seen(
                f"{type(error).__name__}: {reason}",
                "fail",
                "repair or install again what is named here",
            )
        findings.append(replace(finding, what=what))
    return Report(tuple(findings), tuple(_sizes()))


def largest_model(memory: float, weights: str, use: str = "generate") -> float:
    """Billions of parameters that fit into `memory` GiB.

    The formula is `share * memory / bytes`: the weights may take 80 % of the memory to generate
    and 50 % to fine-tune by LoRA; a parameter takes 4 bytes in float32, 2 in bfloat16 and 0.75 in
    4 bits, and 0.16 more for LoRA. It is a rule of thumb: long contexts need more.

    Raises:
        ValueError: unknown `weights` or `use`.
    """
    if weights not in BYTES or use not in SHARE:
        raise ValueError(
            f"weights={weights!r}, use={use!r}: choose one of {', '.join(BYTES)} and one of "
            f"{', '.join(SHARE)}"
        )
    each = BYTES[weights] + (LORA if use == "lora" else 0)
    return SHARE[use] * memory * GIB / each / 1e9


def memory_gib() -> float | None:
    """Main memory this process may use, in GiB: the machine's, or a container's lower limit."""
    amounts = []
    if hasattr(os, "sysconf"):
        try:
            amounts.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        except (ValueError, OSError):
            pass
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            text = Path("/sys/fs/cgroup", name).read_text().strip()
        except OSError:
            continue
        if text.isdecimal():  # "max" means no limit
            amounts.append(int(text))
    return min(amounts) / GIB if amounts else None


# --- the checks: each returns a finding, or raises ------------------------------------------------


def _seen(found: str, verdict: Literal["ok", "warn", "fail"] = "ok", advice: str = "") -> Finding:
    """A finding; `examine` adds what was looked at."""
    return Finding("", found, verdict, advice)


def _python() -> Finding:
    return _seen(f"{platform.python_version()} on {platform.system()} ({platform.machine()})")


def _libraries() -> Finding:
    from importlib.metadata import PackageNotFoundError, requires, version

    from packaging.requirements import Requirement

    try:
        lines = requires("synthkit") or []
    except PackageNotFoundError:
        return _seen("not compared: the kit runs from a checkout that is not installed", "warn",
                     "python -m pip install -e .")  # fmt: skip
    found, missing, wrong = [], [], []
    for need in map(Requirement, lines):
        if need.marker is not None and not need.marker.evaluate({"extra": ""}):
            continue
        try:
            there = version(need.name)
        except PackageNotFoundError:
            missing.append(f"{need.name} missing")
            continue
        found.append(f"{need.name} {there}")
        if not need.specifier.contains(there, prereleases=True):
            wrong.append(f"{need.name} {there} where {need.specifier} is needed")
    if missing or wrong:
        advice = "install the kit again: python -m pip install ."
        return _seen("; ".join(missing + wrong), "fail" if missing else "warn", advice)
    return _seen(f"{len(found)} fit, among them {', '.join(found[:4])}")


def _cores() -> Finding:
    """The threads of torch: measured, a second one saves a fifth of the time where cores are idle.

    Fine-tuning the embedded model on 400 rows: 46 s with one thread, 37 s (56 s of CPU time) with
    two that sleep while they wait, 40 s (65 s) with two that spin. Sampling is no faster with two.
    """
    import torch

    allowed = getattr(os, "sched_getaffinity", None)
    count = len(allowed(0)) if allowed else os.cpu_count() or 1
    threads = torch.get_num_threads()
    sleep = os.environ.get("OMP_WAIT_POLICY", "").upper() == "PASSIVE"
    found = f"{count}; torch uses {threads} thread{'s' if threads > 1 else ''}"
    if threads > 1:
        found += f", which {'sleep' if sleep else 'spin'} while they wait"
    if count < 2:
        return _seen(found, "warn", "the times in the lessons are for two cores")
    if threads == 1:
        return _seen(found, "ok", "a second thread would save at most a fifth of the time")
    if not sleep:
        return _seen(found, "warn", "set OMP_WAIT_POLICY=PASSIVE, or import synthkit before torch: "
                     "where cores are busy, spinning threads take many times as long")  # fmt: skip
    return _seen(found, "ok", "a second thread saves at most a fifth of the time, for a fifth more "
                 "CPU time; where cores are busy it loses: set OMP_NUM_THREADS=1")  # fmt: skip


def _memory() -> Finding:
    memory = memory_gib()
    if memory is None:
        return _seen("unknown on this system", "warn", "4 GiB are enough for the lessons")
    if memory < 3.5:
        return Finding(
            "", f"{memory:.1f} GiB", "warn", "run one lesson at a time; 4 GiB are enough"
        )
    return _seen(f"{memory:.1f} GiB")


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free / GIB
    if free < 2:
        return _seen(f"{free:.1f} GiB free", "warn", "free some space: a run writes a little")
    return _seen(f"{free:.0f} GiB free in the working folder")


def _gpu() -> Finding:
    import torch

    if not torch.cuda.is_available():
        return _seen("none; the fast and study scales need none")
    cards = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    found = ", ".join(f"{card.name}, {card.total_memory / GIB:.0f} GiB" for card in cards)
    if max(card.total_memory for card in cards) < 20 * GIB:
        return _seen(
            found,
            "warn",
            "the paper scale wants 24 GiB on one GPU; `synthkit fit-check "
            "MODEL` names the settings for less",
        )
    return _seen(found)


def _bfloat16() -> Finding:
    import torch

    from .lm.precision import VARIABLE, bfloat16_gain, fast_bfloat16, lists_bfloat16

    numbers = torch.ones(64, 64, dtype=torch.bfloat16)
    if float((numbers @ numbers)[0, 0]) != 64.0:
        return _seen("wrong products", "fail", "install torch again")
    found = "not listed by the CPU"
    if lists_bfloat16():
        found = f"listed by the CPU; {bfloat16_gain(256, 1024):.1f} times as fast as float32 here"
    fixed = f" ({VARIABLE})" if os.environ.get(VARIABLE) else ""
    used = "bfloat16" if fast_bfloat16("cpu") else "float32"
    return _seen(found, "ok", f"training uses {used} on this CPU{fixed}")


def _sandbox() -> Finding:
    from .sandbox import confinement

    if confinement() == "namespace":
        return _seen("namespaces (bubblewrap): no network, no files but the interpreter's")
    return _seen(
        "runs with limits on time, memory and modules, but in no container", "warn",
        "enough for the lessons: it stops accidents, but a program made to break out may get "
        "through. Before you run code of a model that you do not trust, "
        "install bubblewrap (bwrap) and allow unprivileged user namespaces",
    )  # fmt: skip


def _four_bits() -> Finding:
    """Forward and backward through one NF4 layer, against the layer it was made from."""
    import torch

    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    errors = {}
    for device in devices:
        errors[device] = _nf4_error(device)
    found = ", ".join(f"{device}: error {error:.0%}" for device, error in errors.items())
    if max(errors.values()) > 0.2:
        return Finding(
            "", found, "warn", "4-bit results are wrong here: load models with bits=None"
        )
    times = _nf4_slowdown()
    return _seen(
        f"{found} of one layer's output; {times:.1f} times the time of float32 on the CPU", "ok",
        "on a CPU, 4 bits save memory and cost time: keep bits=None there where memory allows",
    )  # fmt: skip


def _nf4_layer(weight: Tensor, device: str) -> nn.Module:
    """A linear layer with a square `weight` in NF4."""
    import logging

    import torch

    # On a CPU it regrets at length that an optional compiled kernel is not installed.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    import bitsandbytes as bnb

    from .lm.quantisation import disable_packed_cpu_layout

    options = {"bias": False, "compute_dtype": torch.float32, "quant_type": "nf4"}
    layer = bnb.nn.Linear4bit(*weight.shape, **options)
    layer.weight = bnb.nn.Params4bit(weight.clone(), requires_grad=False, quant_type="nf4")
    layer = layer.to(device)
    disable_packed_cpu_layout(layer)
    return layer


def _nf4_slowdown(width: int = 1024) -> float:
    """Time of one token through an NF4 layer on the CPU, as a multiple of that in float32."""
    import torch

    weight, x = torch.randn(width, width) * 0.05, torch.randn(1, width)
    layer = _nf4_layer(weight, "cpu")
    took: dict[str, list[float]] = {}
    with torch.no_grad():
        for name, work in (("4", lambda: layer(x)), ("32", lambda: x @ weight.T)):
            work()  # sets things up
            for _ in range(10):
                start = time.perf_counter()
                work()
                took.setdefault(name, []).append(time.perf_counter() - start)
    return min(took["4"]) / min(took["32"])


def _nf4_error(device: str) -> float:
    """Relative error of an NF4 layer's output; its gradient must be there as well."""
    import torch

    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(128, 128, generator=generator) * 0.05
    x = torch.randn(8, 128, generator=generator)
    layer = _nf4_layer(weight, device)
    given = x.to(device).requires_grad_()
    out = layer(given)
    out.sum().backward()
    if given.grad is None or not torch.isfinite(given.grad).all():
        raise RuntimeError(f"no gradient passes a 4-bit layer on {device}")
    exact = x @ weight.T
    return ((out.detach().cpu() - exact).norm() / exact.norm()).item()


def _embedded() -> Finding:
    from .core.paths import embedded_lm_dir

    if not (embedded_lm_dir() / "config.json").is_file():
        advice = "install the kit again, or train it: synthkit pretrain data/embedded_lm"
        return _seen("not there", "fail", advice)
    from .lm import load_lm

    start = time.perf_counter()
    lm = load_lm("embedded", device="cpu")
    loaded = time.perf_counter() - start
    start = time.perf_counter()
    lm.generate(["Question: 2 + 3?\nAnswer:"], max_new_tokens=16)
    wrote = time.perf_counter() - start
    parameters = lm.describe()["parameters"] / 1e6
    return _seen(
        f"{parameters:.1f} million parameters, loaded in {loaded:.1f} s, a reply in {wrote:.1f} s"
    )


def _smollm2() -> Finding:
    from .lm.catalogue import cached

    folder = cached("smollm2")
    if folder is None:
        return _seen("not in the cache", "ok", "`synthkit get-model smollm2` fetches it, 100 MB")
    return _seen(f"in the cache: {folder}")


def _hub() -> Finding:
    import httpx

    try:
        answer = httpx.get(HUB, timeout=10, follow_redirects=True)
    except httpx.HTTPError as error:
        return _seen(
            f"no answer ({type(error).__name__})",
            "warn",
            "real models and sets need it once; a local folder never does",
        )
    if answer.status_code != 200:
        return _seen(f"answered {answer.status_code}", "warn", "try again later")
    return _seen("answers")


def _sizes() -> list[dict[str, Any]]:
    """The largest models for main memory and for each GPU."""
    places = {}
    memory = memory_gib()
    if memory is not None:
        places[f"main memory, {memory:.0f} GiB"] = memory
    try:
        import torch

        for i in range(torch.cuda.device_count()):
            card = torch.cuda.get_device_properties(i).total_memory / GIB
            places[f"GPU {i}, {card:.0f} GiB"] = card
    except Exception:  # already reported by the checks
        pass
    return [
        {
            "memory": place,
            "weights": weights,
            **{use: round(largest_model(amount, weights, use), 1) for use in SHARE},
        }
        for place, amount in places.items()
        for weights in BYTES
    ]
