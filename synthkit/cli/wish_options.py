"""The options that say which fit is wanted, the same for each command that takes a `Wish`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from .arguments import read_columns

if TYPE_CHECKING:
    from .wishes import Wish

Method = Annotated[
    str,
    typer.Argument(help="embedsdg, softsrv, spa, synalign or difflm; for sample also the folder of "
                   "a saved fit."),
]  # fmt: skip
Data = Annotated[
    str | None, typer.Option(help="A file, or a set's name on the hub; columns go by their names.")
]
Column = Annotated[
    list[str] | None, typer.Option(help="ROLE=NAME, such as question=query; repeatable.")
]
Model = Annotated[
    str | None,
    typer.Option(help="A hub id, a folder, a GGUF file, or a model's name; default: embedded, or "
                 "the one that a saved fit names."),
]  # fmt: skip
Bits = Annotated[int | None, typer.Option(help="4 or 8, to quantise the model.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda or auto.")]
Teacher = Annotated[
    str | None,
    typer.Option(help="A server's address, with #MODEL, or a model; default: the model."),
]
Target = Annotated[str | None, typer.Option(help="The column to predict; for difflm.")]
Queries = Annotated[
    str | None, typer.Option(help="A file of examples to aim at; for spa. Default: some rows.")
]
Preset = Annotated[str | None, typer.Option(help="fast, study or paper; for difflm also auto.")]
Seed = Annotated[int, typer.Option(min=0, help="Of all that is drawn.")]
Option = Annotated[
    list[str] | None,
    typer.Option("--set", help="NAME=VALUE, an option of the method; repeatable."),
]


def _wish(
    method: Method,
    data: Data = None,
    column: Column = None,
    model: Model = None,
    bits: Bits = None,
    device: Device = None,
    teacher: Teacher = None,
    target: Target = None,
    queries: Queries = None,
    preset: Preset = None,
    seed: Seed = 0,
    option: Option = None,
) -> Wish:
    from .wishes import Wish, read_options

    return Wish(
        method, data, read_columns(column), model, bits, device, teacher, target, queries, preset,
        seed, read_options(option),
    )  # fmt: skip


def takes_wish(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options of a wish in place of its first parameter, `wish`."""
    asked = _parameters(_wish)
    own = _parameters(command)[1:]

    def run(**given: Any) -> None:
        wish = _wish(**{each.name: given.pop(each.name) for each in asked})
        command(wish, **given)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__annotations__ = {each.name: each.annotation for each in (*asked, *own)}
    run.__signature__ = inspect.Signature((*asked, *own))  # type: ignore[attr-defined]
    return run


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters of a function, by keyword alone, with their types in place of the types'
    names."""
    types = get_type_hints(function, localns={"Wish": object}, include_extras=True)
    return [
        each.replace(annotation=types[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, each in inspect.signature(function).parameters.items()
    ]
