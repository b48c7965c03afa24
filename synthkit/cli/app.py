"""The group of all commands, and the way in which an error ends one."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from .. import __version__
from ..core import parallel

USER_ERRORS = (ValueError, OSError, RuntimeError)  # OSError holds "not found" and "no connection"
WRONG, FAULT, STOPPED = 2, 1, 130  # exit statuses: of bad input, of our own faults, of Ctrl-C
SHARED = ("fit", "pretrain")  # commands whose work a launcher's processes share
_CLICK = ("click", "typer")  # whose own way of ending a program is a RuntimeError


def sentence(error: BaseException) -> str:
    """An error in one line, with its kind where it is no expected one."""
    text = re.sub(r"^\[Errno \d+\] ", "", " ".join(str(error).split()))
    if isinstance(error, USER_ERRORS):
        return text or type(error).__name__
    told = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return f"{told} (a fault of synthkit: --debug before the command shows where)"


def status(error: BaseException) -> int:
    """The exit status that an error ends a command with."""
    return WRONG if isinstance(error, USER_ERRORS) else FAULT


class Commands(TyperGroup):
    """A group of commands in which an error is one line on stderr and an exit status.

    The status is 2 for an error that the user can mend, 1 for a fault of ours, and 130 where the
    user stopped the command. `--debug` shows the traceback.
    """

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo("synthkit: stopped; the same command goes on from what is kept", err=True)
            raise typer.Exit(STOPPED) from None
        except Exception as error:
            if ctx.params.get("debug") or type(error).__module__.split(".")[0] in _CLICK:
                raise
            typer.echo(f"synthkit: {sentence(error)}", err=True)
            raise typer.Exit(status(error)) from error


app = typer.Typer(
    cls=Commands,
    help="Make synthetic training data with a language model, by published methods.",
    epilog="synthkit COMMAND --help shows options and examples. Exit status: 0 done, 2 an error "
    "that you can mend, 1 another error, 130 stopped by Ctrl-C.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"synthkit {__version__}")
        raise typer.Exit()


@app.callback()
def main(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error (before the command).")
    ] = False,
) -> None:
    """Make synthetic training data with a language model, by published methods."""
    if parallel.world() > 1 and ctx.invoked_subcommand not in SHARED:
        raise ValueError(
            f"a launcher has started {parallel.world()} processes, and they share the work of "
            f"{' and '.join(SHARED)} alone; call synthkit {ctx.invoked_subcommand} without it"
        )
