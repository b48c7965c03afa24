"""A method fitted, saved and sampled as the command line asks for it: model, data, teacher."""

from __future__ import annotations

import inspect
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.files import read_json
from ..core.saved import MANIFEST
from ..studies.real_data import find_columns, name_of, read_data
from ..studies.reproduction import teacher_name

if TYPE_CHECKING:
    from datasets import Dataset

    from ..core.synthesizer import Synthesizer

CLASSES = {"embedsdg": "EmbedSDG", "softsrv": "SoftSRV", "spa": "SPA", "synalign": "SynAlign",
           "difflm": "DiffLM"}  # fmt: skip
# The columns that a method reads, by what they are used for, and those that it may read.
ROLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "embedsdg": (("question", "answer"), ()),
    "softsrv": (("text",), ()),
    "spa": (("question", "answer"), ()),
    "synalign": (("text",), ("label",)),
}
FEWEST_QUERIES = 8  # that are taken from the data of SPA, which needs examples to aim at


@dataclass(frozen=True)
class Wish:
    """The fit that is asked for.

    Attributes:
        method: of `CLASSES`, or a folder that a fit was saved in.
        data: a path or a hub name. columns: by role, the name of the column.
        model, bits, device: of `load_lm`; None: the method's own way, or the embedded model.
        teacher: a server's address with #MODEL, or a model's name.
        target: the column of a table to be predicted. queries: a file of examples, for SPA.
        preset, seed, options: of the method.
    """

    method: str
    data: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    model: str | None = None
    bits: int | None = None
    device: str | None = None
    teacher: str | None = None
    target: str | None = None
    queries: str | None = None
    preset: str | None = None
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_saved(self) -> bool:
        """True for the folder of a saved fit."""
        return self.method not in CLASSES and (Path(self.method) / MANIFEST).is_file()

    def command(self, verb: str, **rest: Any) -> str:
        """The command that says this wish, without paths of a machine and without addresses."""
        said = {"data": self.data and name_of(self.data), "bits": self.bits,
                "model": self.model and name_of(self.model), "teacher": teacher_name(self.teacher),
                "target": self.target, "queries": self.queries and name_of(self.queries),
                "preset": self.preset, "seed": self.seed or None, **rest}  # fmt: skip
        words = [f"--{name} {shlex.quote(str(value))}" for name, value in said.items()
                 if value is not None]  # fmt: skip
        pairs = {"column": self.columns, "set": self.options}
        words += [f"--{name} {shlex.quote(f'{key}={value}')}" for name, each in pairs.items()
                  for key, value in each.items()]  # fmt: skip
        method = Path(self.method).name if self.is_saved else self.method
        return " ".join(["synthkit", verb, method, *words])


def read_options(pairs: Sequence[str] | None) -> dict[str, Any]:
    """Options written as NAME=VALUE, values as JSON or else as texts.

    Raises:
        ValueError: no equals sign, or a name twice.
    """
    found: dict[str, Any] = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals or not name.strip() or name.strip() in found:
            raise ValueError(f"--set is {pair!r}; write NAME=VALUE, such as steps=200, each once")
        try:
            found[name.strip()] = json.loads(value)
        except ValueError:
            found[name.strip()] = value
    return found


def class_of(name: str) -> type[Synthesizer]:
    """A method's class by its name on the command line.

    Raises:
        ValueError: there is none.
    """
    if name not in CLASSES:
        raise ValueError(
            f"{name} is no method and no folder of a saved fit; methods are {', '.join(CLASSES)}"
        )
    return getattr(import_module(f"synthkit.{name}"), CLASSES[name])


def fitted(wish: Wish, unfinished: Path, progress: bool = False) -> Synthesizer:
    """The method of a wish, fitted, or loaded where its folder was named.

    Args:
        unfinished: a folder from which an interrupted fit goes on.

    Raises:
        ValueError: an unknown method, an option that it has no use for, no data. Others: of
            `read_data`, `load_lm` and the method's `fit`.
    """
    if wish.is_saved:
        return _loaded(wish, unfinished)
    kind = class_of(wish.method)
    if wish.data is None:
        raise ValueError(f"{wish.method} learns from data: add --data FILE, or a hub name")
    known = inspect.signature(kind).parameters
    if wish.teacher is not None and "teacher" not in known:
        raise ValueError(f"{wish.method} has no use for --teacher; leave it out")
    for name, method in (("target", "difflm"), ("queries", "spa")):
        if getattr(wish, name) is not None and wish.method != method:
            raise ValueError(f"--{name} is for {method}; leave it out")
    rows, how = material(wish)
    lm = _model(wish)
    given = {"teacher": _teacher(wish, lm, unfinished)} if "teacher" in known else {}
    if wish.preset is not None:
        given["preset"] = wish.preset
    try:
        made = kind(lm, seed=wish.seed, **{k: v for k, v in given.items() if v is not None},
                      **wish.options)  # fmt: skip
        return made.fit(rows, checkpoint=unfinished, progress=progress, **how)
    except TypeError as error:  # of an option's name or value: the user's to mend
        raise ValueError(str(error)) from error


def material(wish: Wish) -> tuple[Any, dict[str, Any]]:
    """The data of a fit, in the columns that its method reads, and the options of `fit` for them.

    Raises:
        Errors of `read_data`; ValueError for a method that reads all columns and is given some.
    """
    from datasets import Dataset

    assert wish.data is not None
    if wish.method == "difflm":
        return _table(wish), {"target": wish.target}
    needed, optional = ROLES[wish.method]
    data = read_data(wish.data, needed, optional=optional, columns=wish.columns)
    rows = Dataset.from_list([dict(row) for row in data.rows])
    if wish.method == "synalign":
        return rows, {"label": "label" if "label" in data.columns else None}
    if wish.method == "spa":
        return _with_queries(wish, rows, needed)
    return rows, {}


def _with_queries(
    wish: Wish, rows: Dataset, needed: Sequence[str]
) -> tuple[Dataset, dict[str, Any]]:
    """Rows and queries: those of a file, or else the last rows of the data."""
    if wish.queries is not None:
        asked = read_data(wish.queries, needed, columns=wish.columns)
        return rows, {"queries": [dict(row) for row in asked.rows]}
    held = max(FEWEST_QUERIES, len(rows) // 20)
    if len(rows) <= 2 * held:
        raise ValueError(
            f"spa needs examples to aim at, and {len(rows)} rows are too few to take some from: "
            "name a file of examples, --queries FILE"
        )
    kept = len(rows) - held
    return rows.select(range(kept)), {"queries": rows.select(range(kept, len(rows)))}


def _table(wish: Wish) -> Any:
    """A table from a file or the hub; texts for a model that reads them."""
    from ..datasets import load_table
    from ..datasets.loaders import read_set

    assert wish.data is not None
    if Path(wish.data).suffix == ".txt" and Path(wish.data).is_file():
        return [row["text"] for row in read_set(wish.data)]
    if Path(wish.data).exists():
        table = load_table(wish.data)
    else:
        import pandas as pd

        table = pd.DataFrame(read_set(wish.data))
    for role, column in wish.columns.items():
        found = find_columns(list(table), ["text"], (), {role: column}, name_of(wish.data))
        return list(table[found["text"]])
    return table


def _model(wish: Wish) -> Any:
    """The language model; None for DiffLM without one, which trains its own."""
    from ..lm import load_lm

    if wish.method == "difflm" and wish.model is None:
        if wish.bits is not None:
            raise ValueError("--bits goes with --model")
        return None
    return load_lm(wish.model, bits=wish.bits, device=wish.device)


def _teacher(wish: Wish, lm: Any, folder: Path) -> Any:
    """The teacher that was named; else, where a method cannot do without, the model itself."""
    from ..studies.reproduction import open_teacher

    if wish.teacher is not None:
        return open_teacher(wish.teacher, folder / "answers.jsonl", wish.device)
    return lm if wish.method in ("embedsdg", "synalign") else None


def _loaded(wish: Wish, folder: Path) -> Synthesizer:
    """A saved fit, with the model that it names unless another is given."""
    manifest = read_json(Path(wish.method) / MANIFEST)
    kind = next((name for name, cls in CLASSES.items() if cls == manifest.get("kind")), None)
    if kind is None:
        raise ValueError(f"{wish.method} holds {manifest.get('kind')!r}, which is no method")
    for name in ("data", "target", "queries", "preset", "options"):
        if getattr(wish, name):
            told = "set" if name == "options" else name
            raise ValueError(f"--{told} goes with a fit, and {wish.method} is fitted; leave it out")
    known = manifest.get("facts", {}).get("lm")
    lm = None
    if known is not None:
        from ..lm import load_lm

        lm = load_lm(wish.model or known["name"], bits=wish.bits, device=wish.device)
    needs = kind in ("embedsdg", "synalign") or wish.teacher is not None
    given = {"teacher": _teacher(replace(wish, method=kind), lm, folder)} if needs else {}
    return class_of(kind).load(wish.method, lm, **given)
