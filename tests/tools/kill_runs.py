"""Kill the kit's long runs at many moments, run them again, and compare what they leave.

    python tests/tools/kill_runs.py [--aimed 120] [--runs NAME ...] [--seed 0]

Each run makes its result in a folder of its own. Uninterrupted, it says at which moments it touches
the disk. Then it is begun anew and killed right before, in or after a write (a file that takes its
name, an appended line, half an appended line, a removed file). A second call has to end it, with
the same files, to the byte.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import safetensors.torch
import torch
from contract.methods import METHODS, SMALL
from tiny import tiny_lm

from synthkit import load_lm
from synthkit.core import files
from synthkit.core.checkpoints import remove_checkpoint
from synthkit.core.saved import save_folder
from synthkit.lm import pretrain as pretraining
from synthkit.lm.finetune import FinetunePreset, finetune

CALLS = ("replace", "unlink", "rmdir", "rename")  # of os, each with a moment before and after it


class Runs:
    """The long runs of the kit at their smallest; each goes on from what is in its folder.

    The methods' runs are those of the contract: `NAME_fit` and `NAME_sample`.
    """

    names = (
        "finetune", "pretrain", "study",
        *(f"{name}_{what}" for name in METHODS for what in ("fit", "sample")),
    )  # fmt: skip

    def __init__(self, work: Path):
        torch.set_num_threads(1)
        self.lm = load_lm(tiny_lm(work / "lm", **SMALL), device="cpu")
        self.lm.with_lora(rank=2, alpha=4, seed=0)  # imports what every child would import
        self._fitted: dict[str, Any] = {}

    def begin(self, name: str) -> None:
        """Prepare what a run needs and does not make."""
        method, _, what = name.partition("_")
        if what == "sample" and method not in self._fitted:
            case = METHODS[method]
            self._fitted[method] = case.make(self._model(case)).fit(case.rows, **case.fit)

    def run(self, name: str, folder: Path) -> None:
        """Make the result of a run in `folder`, or go on with it."""
        method, _, what = name.partition("_")
        if not what:
            getattr(self, name)(folder)
        elif what == "fit":
            case = METHODS[method]
            made = case.make(self._model(case)).fit(
                case.rows, checkpoint=folder / "fit", **case.fit
            )
            made.save(folder / "saved")
        else:
            log, options = folder / "log.jsonl", METHODS[method].sample
            rows = self._fitted[method].sample(12, checkpoint=log, **options)
            files.write_jsonl(folder / "rows.jsonl", rows)

    def _model(self, case: Any) -> Any:
        return self.lm if case.model else None

    def finetune(self, folder: Path) -> None:
        state, preset = folder / "state", FinetunePreset(rank=2, alpha=4, epochs=3, batch_size=4)
        pairs = [{"question": f"{a} or z?", "answer": f"take {a}"} for a in "ABCDEFGHIJKLMNOPQR"]
        how = {"autocast": False, "checkpoint": state, "checkpoint_every": 3}
        student = finetune(self.lm, pairs, preset, **how)
        named = student.model.named_parameters()
        weights = {name: each.detach().contiguous() for name, each in named if "lora_" in name}
        files = {"weights": safetensors.torch.save(weights)}
        save_folder(folder / "saved", "student", files, {"losses": student.losses})
        remove_checkpoint(state)

    def pretrain(self, folder: Path) -> None:
        preset = replace(
            pretraining.PRESETS["fast"], steps=6, drill_steps=2, writing_steps=2,
            tokenizer_documents=100, tokens_per_step=512, warmup=2,
        )  # fmt: skip
        pretraining.pretrain(folder, preset, autocast=False, progress=False)

    def study(self, folder: Path) -> None:
        from synthkit.spa.presets import SPAPreset
        from synthkit.studies.runner import run
        from synthkit.studies.spa import experiment
        from synthkit.studies.spa.report import STUDY

        method = SPAPreset(
            rank=2, reference_updates=2, part_updates=1, batch_size=4, min_size=1,
            on_small="fill", max_new_tokens=4,
        )  # fmt: skip
        preset = replace(
            experiment.PRESETS["fast"], n_rows=24, n_asked=2, method=method,
            arms=(experiment.GREEDY, experiment.RANDOM, experiment.INFLUENCE),
        )  # fmt: skip
        result = run(STUDY, preset, seeds=[0], out=folder / "out")
        rows = [row for row in result.measurements if "seconds" not in row["measure"]]
        files.write_jsonl(folder / "rows.jsonl", rows)


COMPARED = {"study": ("rows.jsonl",)}  # its other files hold times and dates


# --- moments --------------------------------------------------------------------------------------


class Moments:
    """Counts the moments at which a process touches the disk, and may end it at one of them.

    Attributes:
        seen: the kinds of the moments so far.
    """

    def __init__(self, last: int | None = None):
        self.last, self.seen = last, []
        for name in CALLS:
            setattr(os, name, self._around(name, getattr(os, name)))
        append = files.append_line
        for module in list(sys.modules.values()):
            if getattr(module, "append_line", None) is append:
                module.append_line = self._appending(append)

    def come(self, kind: str) -> None:
        """One moment more; at the last one the process is killed."""
        self.seen.append(kind)
        if len(self.seen) - 1 == self.last:
            os.kill(os.getpid(), signal.SIGKILL)

    def _around(self, name: str, call: Callable) -> Callable:
        def wrapped(path, *rest, **options):
            if str(path).endswith((".lock", ".tmp")) and name == "unlink":
                return call(path, *rest, **options)
            self.come(f"before {name}")
            done = call(path, *rest, **options)
            self.come(f"after {name}")
            return done

        return wrapped

    def _appending(self, append: Callable) -> Callable:
        def wrapped(path, data):
            if data:
                what = "mark" if b'"finished"' in data[:40] else "line"
                self.come(f"before a {what}")
                if len(self.seen) == self.last:  # the next moment is the torn line
                    with open(path, "ab") as file:
                        file.write(data[: len(data) // 2])
                self.come(f"in a {what}")
            append(path, data)
            if data:
                self.come(f"after a {what}")

        return wrapped


@dataclass
class Whole:
    """An uninterrupted run: its files and the kinds of its moments."""

    files: dict[str, bytes]
    moments: list[str]


def in_child(work: Path, action: Callable[[], None]) -> int:
    """The exit status of `action` in a process of its own: 0, 1 with a traceback, or -signal."""
    sys.stdout.flush()
    if (pid := os.fork()) == 0:
        output = os.open(work / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        try:
            action()
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def files_of(folder: Path, name: str) -> dict[str, bytes]:
    """What a run has left, leftovers of a kill included; locks hold nothing."""
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    wanted = COMPARED.get(name, [each for each in sorted(found) if not each.endswith(".lock")])
    return {each: found[each].read_bytes() if each in found else b"" for each in wanted}


class Trials:
    """Kills runs and ends them again; `report` says how many were equal."""

    def __init__(self, work: Path, names: list[str], seed: int):
        self.work, self.rng = work, random.Random(seed)
        self.runs, self.whole, self.faults = Runs(work), {}, []
        self.kinds: Counter[str] = Counter()
        for name in names:
            try:
                whole = self.whole[name] = self._uninterrupted(name)
            except RuntimeError as error:
                self.faults.append(str(error))
                print(error, flush=True)
                continue
            print(f"{name}: {len(whole.moments)} moments, {len(whole.files)} files", flush=True)

    def _uninterrupted(self, name: str) -> Whole:
        facts = self.work / "facts.json"

        def action():
            moments = Moments()
            self.runs.run(name, folder)
            facts.write_text(json.dumps(moments.seen))

        self.runs.begin(name)
        folder = self._new_folder()
        if in_child(self.work, action):
            raise RuntimeError(f"{name} fails:\n{(self.work / 'output.txt').read_text()}")
        return Whole(files_of(folder, name), json.loads(facts.read_text()))

    def _new_folder(self) -> Path:
        shutil.rmtree(self.work / "run", ignore_errors=True)
        (self.work / "run").mkdir()
        return self.work / "run"

    def aimed(self, count: int) -> None:
        """Kill at so many moments, spread over the runs and the kinds of moments."""
        left = [
            (name, at) for name, whole in self.whole.items() for at in range(len(whole.moments))
        ]
        self.rng.shuffle(left)
        per_run: Counter[str] = Counter()
        for _ in range(min(count, len(left))):
            name, at = min(left, key=lambda each: (per_run[each[0]], self.kinds[self.kind(*each)]))
            left.remove((name, at))
            per_run[name] += 1
            self.kinds[self.kind(name, at)] += 1
            self.trial(name, f"{self.kind(name, at)} (moment {at})", partial(Moments, at))

    def kind(self, name: str, at: int) -> str:
        return self.whole[name].moments[at]

    def trial(self, name: str, where: str, arm: Callable[[], object]) -> None:
        """Kill one run, run it again, and compare."""
        folder = self._new_folder()
        run = partial(self.runs.run, name, folder)

        def dies():
            arm()
            run()

        killed = in_child(self.work, dies)
        fault = None
        if killed == 1:
            fault = f"the first call fails:\n{(self.work / 'output.txt').read_text()}"
        elif in_child(self.work, run):
            fault = f"the second call fails:\n{(self.work / 'output.txt').read_text()}"
        else:
            fault = differences(self.whole[name].files, files_of(folder, name))
        self.kinds["killed" if killed < 0 else "ended before"] += 1
        self.faults.append(fault)
        if fault:
            print(f"{name}, killed {where}: {fault}", flush=True)
        if len(self.faults) % 20 == 0:
            print(f"{self.faults.count(None)} of {len(self.faults)} equal so far", flush=True)

    def report(self) -> int:
        """Print how many were equal; the exit status."""
        equal = self.faults.count(None)
        print(", ".join(f"{kind}: {n}" for kind, n in sorted(self.kinds.items())))
        print(f"{equal} of {len(self.faults)} equal")
        return int(equal < len(self.faults))


def differences(wanted: dict[str, bytes], found: dict[str, bytes]) -> str | None:
    """Which files differ, are missing or are too many; None if none."""
    parts = [f"{name} is missing" for name in wanted if name not in found]
    parts += [f"{name} is left over" for name in found if name not in wanted]
    parts += [f"{name} differs" for name in wanted if found.get(name, wanted[name]) != wanted[name]]
    return "; ".join(parts) or None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--aimed", type=int, default=120)
    parser.add_argument("--runs", nargs="*", choices=Runs.names, default=Runs.names)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        trials = Trials(Path(work), list(options.runs), options.seed)
        trials.aimed(options.aimed)
        return trials.report()


if __name__ == "__main__":
    sys.exit(main())
