"""Trainings for `test_parallel.py`: `python together.py FOLDER NAME ...`, launched or not.

The first process writes what each has learned to `FOLDER/NAME.pt`. Where the environment's
`DIES_AT` is a number, the second process kills itself after that many steps of all trainings.
"""

import os
import signal
import sys
from pathlib import Path

import torch
from tiny import QUERIES, ROWS, TEXTS, tiny_lm, tiny_table

from synthkit import SPA, DiffLM, load_lm
from synthkit.core import parallel
from synthkit.difflm.autoencoder import Autoencoder
from synthkit.difflm.text_codec import TextCodec
from synthkit.lm.finetune import FinetunePreset, finetune
from synthkit.lm.pretrain import PretrainPreset, pretrain
from synthkit.lm.prompt_tuning import SoftPromptPreset, fit_soft_prompt
from synthkit.lm.soft_prompts import SoftPrompt
from synthkit.lm.training import Schedule, _Run, train

SHORT = {"steps": 5, "eval_every": 2, "batch_size": 3}
SMALL = {"width": 16, "layers": 1, "heads": 2}


def lora(lm):
    return {name: weight for name, weight in lm.model.named_parameters() if "lora" in name}


def finetuned(folder, file="student.training", **changes):
    """Seven rows in batches of three: the last holds one, and a process has no share of it."""
    preset = FinetunePreset(rank=4, lr=1e-3, epochs=2, batch_size=3, **changes)
    file = {"checkpoint": folder / file, "checkpoint_every": 2}
    student = finetune(load_lm(folder / "lm"), ROWS, preset, autocast=False, **file)
    return {**lora(student), "losses": student.losses}


def cut(folder):
    """More parts than processes."""
    return finetuned(folder, "cut.training", accumulation=3)


def prompt(folder):
    lm, z = load_lm(folder / "lm"), torch.eye(len(TEXTS))
    made = SoftPrompt("ssmc", 3, lm.hidden_size, len(TEXTS), hidden=8)
    preset = SoftPromptPreset(length=3, lr=1e-3, **SHORT)
    history = fit_soft_prompt(lm, made, z, TEXTS, held_out=(z[:2], TEXTS[:2]), preset=preset)
    return {**made.state_dict(), "losses": history.train_losses, "looks": history.held_out}


def table(folder):
    """The three trainings of DiffLM, kept as they are made, and saved."""
    changes = {f"{part}_{name}": value for part in ("format", "autoencoder", "diffusion")
               for name, value in SHORT.items()}  # fmt: skip
    changes |= {f"{part}_{name}": value for part in ("format", "autoencoder")
                for name, value in SMALL.items()}  # fmt: skip
    method = DiffLM(**changes, latent=5, diffusion_hidden=16)
    method.fit(tiny_table(60), checkpoint=folder / "kept").save(folder / "saved")
    made, histories = method.fitted, method.fitted.histories
    learned = {f"a.{name}": value for name, value in made.autoencoder.state_dict().items()}
    keys = learned["a.encoder.states.blocks.0.qkv.bias"].view(3, -1)[1]
    keys.zero_()  # attention does not depend on them, so their gradient is nothing but rounding
    learned |= {f"d.{name}": value for name, value in made.diffusion.network.state_dict().items()}
    learned |= {f"f.{name}": value for name, value in made.decoder.state_dict().items()}
    for name, history in histories.items():
        learned |= {f"{name} losses": history.train_losses, f"{name} looks": history.held_out}
    return learned


def texts(folder):
    """An autoencoder of texts, in two parts."""
    lm = load_lm(folder / "lm")
    codec = TextCodec(lm.tokenizer, 48)
    model = Autoencoder(lm.model, codec, latent=5, tokens=2, accumulation=2, **SHORT, **SMALL)
    ids = codec.encode(TEXTS)
    history = model.fit(ids, ids[:2])
    learned = model.state_dict()
    learned["encoder.states.blocks.0.qkv.bias"].view(3, -1)[1].zero_()  # as above
    return {**learned, "losses": history.train_losses, "looks": history.held_out}


def spa(folder):
    own = {"reference_updates": 4, "part_updates": 2, "batch_size": 3, "rank": 2, "save_every": 2}
    method = SPA(load_lm(folder / "lm"), n_parts=2, min_size=1, lr=1e-3, **own)
    method.fit(ROWS, queries=QUERIES, checkpoint=folder / "kept-spa").save(folder / "saved-spa")
    losses = {name: history.train_losses for name, history in method.fitted.histories.items()}
    return {**lora(method.adapted), **losses, "labels": method.partition.labels.tolist()}


def pretrained(folder):
    preset = PretrainPreset(
        64, 1, 2, 64, vocab=300, context=64, steps=3, tokens_per_step=192, lr=3e-4, drill_steps=1,
        drill_lr=3e-4, writing_steps=0, tokenizer_documents=20,
    )  # fmt: skip
    losses = pretrain(folder / "base", preset, autocast=False, progress=False)
    return {**load_lm(folder / "base").model.state_dict(), "losses": losses}


def whole(folder):
    """Starts that differ between processes, losses that come whole, and one that is not finite."""
    point = torch.nn.Linear(3, 1)
    with torch.no_grad():
        point.weight.copy_(torch.ones(1, 3) * (1 + parallel.rank()))
        point.bias.zero_()

    def loss_at(step):
        loss = (point(torch.full((2, 3), step + 1.0)) - 1).square().mean()
        share = torch.inf if step == 4 and parallel.rank() == parallel.world() - 1 else 1
        return [loss * share / parallel.world()] if step == 4 else loss

    try:
        train(point, loss_at, Schedule(steps=6, lr=0.01, eval_every=2, patience=None))
    except FloatingPointError as error:
        told = str(error)
    return {**point.state_dict(), "told": told}


def dies(update, steps):
    def changed(run, step):
        nonlocal steps
        if parallel.rank() == 1 and steps == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        steps -= 1
        update(run, step)

    return changed


def main(folder, *names):
    folder = Path(folder)
    if parallel.is_first() and not (folder / "lm").exists():
        tiny_lm(folder / "lm")
    parallel.wait()
    if "DIES_AT" in os.environ:
        _Run.update = dies(_Run.update, int(os.environ["DIES_AT"]))
    for name in names:
        learned = globals()[name](folder)
        if parallel.is_first():
            torch.save(learned, folder / f"{name}.pt")
        parallel.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
