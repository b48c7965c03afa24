"""Rows and saved fits as the command line asks for them, with their cards."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..core import parallel
from ..core.files import check_file, make_folder, write_text
from ..datasets.sharing import (
    CARD,
    UNKNOWN,
    Provenance,
    check_ending,
    save_dataset,
    told,
    write_rows,
)
from ..studies.real_data import name_of, read_data
from .wishes import CLASSES, Wish, fitted

if TYPE_CHECKING:
    from datasets import Dataset

    from ..core.synthesizer import Synthesizer

UNTRAINED = ("embedsdg", "synalign")  # methods that ask a teacher or the model as it is


def check_out(out: Path) -> None:
    """Raise an error for a place that cannot be written, before anything is fitted."""
    if out.suffix:
        check_ending(out)
        check_file(out)
    else:
        make_folder(out.parent)
        if out.is_file():
            raise ValueError(f"{out} is a file; name a folder, or a file that ends in .jsonl")


def sampled(
    wish: Wish, n: int, out: Path, *, seed: int | None = None, licence: str = "",
    held_out: str | None = None, progress: bool = False,
) -> tuple[Synthesizer, Dataset]:  # fmt: skip
    """Rows of a method, written to a file or, with a card, to a folder.

    An interrupted call goes on from a hidden folder beside `out`.

    Raises:
        Errors of `fitted`, of the method's `sample`, and of writing.
    """
    check_out(out)
    known = None if held_out is None else read_data(held_out, ("text",))
    apart = None if known is None else [row["text"] for row in known.rows]
    with _unfinished(out) as kept:
        method = fitted(wish, kept / "fit", progress)
        drafts = kept / "drafts.jsonl"
        rows = method.sample(n, seed=seed, held_out=apart, checkpoint=drafts, progress=progress)
        if out.suffix:
            write_rows(rows, out)
        else:
            command = wish.command("sample", n=n, out=out.name)
            save_dataset(rows, out, provenance(method, wish, licence, command))
    return method, rows


def fit_and_save(
    wish: Wish, out: Path, *, licence: str = "", progress: bool = False
) -> Synthesizer:
    """Fit a method and save it in the folder `out`, with a card; an interrupted call goes on.

    Raises:
        ValueError: a folder of a saved fit where a method is wanted. Others: see `fitted`.
    """
    if wish.is_saved:
        raise ValueError(f"{wish.method} is fitted already; synthkit sample takes it")
    if parallel.world() > 1 and wish.method in UNTRAINED:
        raise ValueError(f"{wish.method} trains nothing that a launcher could share: leave it out")
    make_folder(out.parent)
    with _unfinished(out) as kept:
        method = fitted(wish, kept / "fit", progress)
        method.save(out)
        if parallel.is_first():
            about = provenance(method, wish, licence, wish.command("fit", out=out.name))
            write_text(out / CARD, fit_card(method, about, out.name))
    return method


@contextmanager
def _unfinished(out: Path) -> Iterator[Path]:
    """A hidden folder beside `out` for what an interrupted run goes on from; gone when all went
    well, or where nothing was kept."""
    folder = out.with_name(f".{out.name}.unfinished")
    make_folder(folder)
    try:
        yield folder
    except BaseException:
        if parallel.is_first() and not any(path.is_file() for path in folder.rglob("*")):
            shutil.rmtree(folder, ignore_errors=True)
        raise
    if parallel.is_first():
        shutil.rmtree(folder, ignore_errors=True)


def fit_card(method: Synthesizer, about: Provenance, name: str) -> str:
    """The card of a saved fit: where it comes from, how it is used, what can go wrong."""
    facts = {
        "method": method.name,
        "real data it was fitted to": about.source,
        "licence of the real data": about.licence or UNKNOWN,
        "settings": json.dumps(about.settings, default=str),
        "made by": f"synthkit {__version__}, `{about.command}`",
    }
    model = "" if method.lm is None else ", lm"
    limits = ("What was learned of the real data is in these files, some rows as they are.",)
    return (
        f"# {name}\n\nA fitted {method.name}. `synthkit sample {name} -n 100 --out made.jsonl` "
        f'writes rows with it, and `synthkit.{method.name}.load("{name}"{model})` loads it.\n\n'
        f"{told(facts, (*limits, *about.limits))}\n"
    )


def provenance(method: Synthesizer, wish: Wish, licence: str, command: str) -> Provenance:
    """The facts of a run for its card; limits are the paper's own."""
    from ..studies.papers import paper_claims

    name = next(name for name, cls in CLASSES.items() if cls == method.name)
    limits = [c.sentence for c in paper_claims(name).values() if c.kind == "limitation"]
    source = "" if wish.data is None else name_of(wish.data)
    rejected = method.report.reasons() if method.report else ""
    settings = {"preset": asdict(method.preset), "fit seed": method.seed}
    if method.lm is not None:
        settings["model"] = {"name": method.lm.name, "fingerprint": method.lm.fingerprint}
    known = [f"The paper says of the method: {limit}" for limit in limits]
    return Provenance(source, licence, settings, command, known, rejected)
