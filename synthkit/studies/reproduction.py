"""A method on real data as the command line asks for it: model, data, teacher, plan, run."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..teacher.chat_protocol import Secret, split_address
from .real_data import RealData, name_of

if TYPE_CHECKING:
    from .results import Result
    from .study import Study
    from .view import View


@dataclass(frozen=True)
class Request:
    """A run of one method on real data.

    Attributes:
        method, scale: of `registry.NAMES`, and fast, study or paper.
        model, bits, device: of `load_lm`; without a model the scale paper takes the paper's, in
            four bits.
        data: a path or a hub name; None: the paper's. columns: by role, see `real_data.ROLES`.
        teacher: the address of a server, with `#NAME` of its model, or a model's name.
        about: a description of the data, for a method that tells it to the model.
        limit: see `runner.run`.
    """

    method: str
    scale: str = "fast"
    model: str | None = None
    bits: int | None = None
    device: str | None = None
    data: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    teacher: str | None = None
    about: str | None = None
    limit: int | None = None

    @property
    def module(self) -> ModuleType:
        """The method's module `real`: its study, its presets, its paper's setting."""
        return import_module(f"{__package__}.{self.method}.real")

    @property
    def model_name(self) -> str:
        """The model that is asked for; at the scale paper the paper's own."""
        return self.model or (self.module.PAPER.model if self.scale == "paper" else "embedded")

    @property
    def loaded_bits(self) -> int | None:
        """The bits of the weights."""
        return self.bits or (4 if self.model is None and self.scale == "paper" else None)

    @property
    def name(self) -> str:
        """A name for the run's folder: another model, set or limit has another one."""
        data = name_of(self.data or self.module.PAPER.data)
        data = data.removesuffix(Path(data).suffix).replace("/", "-")
        parts = [self.method, self.scale, Path(self.model_name).name, data]
        parts += [f"{self.loaded_bits}bit"] * bool(self.loaded_bits) + [
            f"limit{self.limit}"
        ] * bool(self.limit)
        return "-".join(parts)

    def command(self) -> str:
        """The command that was typed, without paths of a machine."""
        said = {"scale": self.scale, "model": self.model, "bits": self.bits, "data": self.data,
                "teacher": teacher_name(self.teacher), "about": self.about,
                "limit": self.limit}  # fmt: skip
        words = [f"--column {role}={column}" for role, column in self.columns.items()]
        for name, value in said.items():
            if value is not None:
                text = name_of(value) if name in ("model", "data") else value
                words.append(f"--{name} {text!r}" if " " in str(text) else f"--{name} {text}")
        return " ".join(["synthkit reproduce", self.method, *words])


def read(request: Request) -> RealData:
    """The data of a request: what is named, else the paper's own.

    Raises:
        ConnectionError: the paper's set could not be had. Others: of the method's `real.read`.
    """
    module = request.module
    if request.data is not None:
        return module.read(request.data, columns=request.columns)
    try:
        return module.read(module.PAPER.data, columns=request.columns)
    except ConnectionError as error:
        raise ConnectionError(
            f"no --data was given, and the paper's set was not to be had: {error}"
        ) from error


def study_of(request: Request, data: RealData, teacher: Any = None) -> Study:
    """The study of a request, with the claims about real data."""
    from .real_claims import REAL_CLAIMS

    known = inspect.signature(request.module.study).parameters
    options = {"teacher": teacher, "about": request.about}
    used = {name: value for name, value in options.items() if name in known}
    study = request.module.study(data, command=request.command(), **used)
    return replace(study, claims=REAL_CLAIMS[request.method])


def check_options(request: Request) -> None:
    """Raise ValueError for an option that the method has no use for, before anything is loaded."""
    from ..lm.gguf import check_bits, is_gguf

    if request.bits not in (None, 4, 8):
        raise ValueError(f"--bits is {request.bits}; write 4 or 8, or leave it out")
    if is_gguf(path := Path(request.model_name).expanduser()):
        check_bits(path, request.loaded_bits)
    known = inspect.signature(request.module.study).parameters
    for name in ("teacher", "about"):
        if getattr(request, name) is not None and name not in known:
            raise ValueError(f"{request.method} has no use for --{name}; leave it out")


def run_real(
    request: Request, out: Path, *, seeds: Sequence[int] | None = None, progress: bool = False
) -> tuple[Result, View]:
    """Run a request in the folder `out`; an interrupted run continues with the same request.

    Raises:
        Errors of `read`, `load_lm`, `run_and_show`, and TeacherError for a dead teacher: what
        was measured and answered before is kept in `out`.
    """
    from ..lm import load_lm
    from .runner import run_and_show

    check_options(request)
    data = read(request)
    lm = load_lm(request.model_name, bits=request.loaded_bits, device=request.device)
    teacher = open_teacher(request.teacher, out / "answers.jsonl", request.device)
    study = study_of(request, data, teacher)
    own = {"limit": request.limit, "progress": progress}
    return run_and_show(study, request.scale, lm=lm, seeds=seeds, out=out, **own)


def open_teacher(said: str | None, cache: Path, device: str | None = None) -> Any:
    """A teacher by the address of its server, or a model by its name; None for None.

    Args:
        said: "http://host:8000/v1#MODEL"; the model may be left out where the server has one.
        cache: a file that keeps the answers of a server.
    """
    if said is None:
        return None
    if not said.startswith(("http://", "https://")):
        from ..lm import load_lm

        return load_lm(said, device=device)
    from ..core.files import make_folder
    from ..teacher import HTTPTeacher

    address, _, model = said.partition("#")
    make_folder(cache.parent)
    return HTTPTeacher(model or only_model(address), address, cache=cache)


def teacher_name(said: str | None) -> str | None:
    """A teacher as a command shows it: without its address, which may hold a password."""
    if said and "://" in said:
        return f"ADDRESS#{said.partition('#')[2] or 'MODEL'}"
    return said


def only_model(address: str) -> str:
    """The name of the one model that a server has.

    Raises:
        ValueError: it has several, or does not say, or the address is none.
        ConnectionError: no server answers there.
    """
    import httpx

    url, user = split_address(address)
    key = Secret(user, "Basic") if user else Secret(os.environ.get("SYNTHKIT_API_KEY"))
    try:
        found = httpx.get(f"{url}/models", headers=key.header(), timeout=30)
        listed = found.raise_for_status().json()["data"]
        names = [each["id"] for each in listed]
    except httpx.TransportError as error:
        raise ConnectionError(
            f"no server answers at {url} ({type(error).__name__}); start it, or mend --teacher"
        ) from error
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"the server does not list its models ({type(error).__name__}); name one behind the "
            "address: --teacher ADDRESS#MODEL"
        ) from error
    if len(names) != 1:
        raise ValueError(
            f"the server has {len(names)} models ({', '.join(names[:8])}); name one behind the "
            "address: --teacher ADDRESS#MODEL"
        )
    return names[0]
