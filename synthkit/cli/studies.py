"""Commands about the studies: run them, look at a run, hold papers and runs side by side."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..studies.registry import NAMES, check_name
from .app import app, sentence, status
from .arguments import read_columns, read_scale, read_seeds

if TYPE_CHECKING:
    from ..studies.reproduction import Request


@app.command()
def reproduce(
    ctx: typer.Context,
    method: Annotated[
        str | None, typer.Argument(help=f"One of {', '.join(NAMES)}; default: all.")
    ] = None,
    scale: Annotated[
        str | None, typer.Option(help="fast, study or paper; default: $SYNTHKIT_SCALE, or fast.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="A hub id, a folder, a GGUF file, or a model's name: the method then runs on real "
            "data; default: $SYNTHKIT_MODEL, or embedded, in the worlds."
        ),
    ] = None,
    bits: Annotated[int | None, typer.Option(help="4 or 8, to quantise the model.")] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda or auto; default: a GPU if there is one.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="A file or a hub name; default: the paper's set.")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="ROLE=NAME, such as question=query; repeatable.")
    ] = None,
    teacher: Annotated[
        str | None,
        typer.Option(help="A server's address, with #MODEL, or a model; default: the model."),
    ] = None,
    about: Annotated[
        str | None, typer.Option(help="What one text of the data is, for a written prompt.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Cut every count and number of steps to this.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show steps, tokens, calls and hours; run nothing.")
    ] = False,
    seeds: Annotated[
        str | None, typer.Option(help="Such as 0,1,2; default: those of the scale.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the figures and the results.")] = Path(
        "runs"
    ),
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bars.")] = False,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Methods side by side; default: one per core, in the worlds."),
    ] = None,
) -> None:
    """Run the methods' experiments: tables on the screen, figures, numbers and a page in a folder.

    With a real model a method runs on real data, and shows some of what it wrote. The same
    command again continues an interrupted run. Examples:

        synthkit reproduce

        synthkit reproduce spa --scale study --seeds 0,1,2

        synthkit reproduce softsrv --model smollm2 --data gsm8k.jsonl
    """
    from ..studies.together import Task, print_summary
    from ..studies.together import reproduce as carry_out

    size, numbers = read_scale(scale), read_seeds(seeds)
    names = [method] if method is not None else list(NAMES)
    for name in names:
        check_name(name)
    model = model or os.environ.get("SYNTHKIT_MODEL") or None
    model = None if model == "embedded" and not data else model
    asked: dict[str, Any] = {
        "bits": bits, "device": device, "data": data, "columns": read_columns(column),
        "teacher": teacher, "about": about, "limit": limit,
    }  # fmt: skip
    if not (model or data or size == "paper"):
        _refuse_real_options({**asked, "dry-run": dry_run or None})
        folders = [out / f"{name}-{size}" for name in names]
        requests: list[Request | None] = [None for _ in names]
    else:
        if method is None and (data or asked["columns"]):
            raise ValueError("--data and --column go with one method; name it")
        from ..studies.reproduction import Request

        requests = [Request(name, size, model, **asked) for name in names]
        folders = [out / request.name for request in requests if request]
    if dry_run:
        for request in filter(None, requests):
            _show_plan(request, numbers)
        return
    tasks = [
        Task(name, size, folder, numbers, request, progress=not quiet)
        for name, folder, request in zip(names, folders, requests)
    ]
    found = carry_out(tasks, out, jobs, lambda line: typer.echo(line, err=True))
    print_summary(found)
    if method is not None and found.failed:
        raise found.failed[0].error or AssertionError("a failure has an error")
    for outcome in found.failed:
        if outcome.error and ctx.find_root().params["debug"]:
            typer.echo(outcome.traceback, err=True)
        told = sentence(outcome.error) if outcome.error else "failed"
        typer.echo(f"synthkit: {outcome.item.method}: {told}", err=True)
    if found.failed:
        raise typer.Exit(min(status(each.error) for each in found.failed if each.error))


def _show_plan(request: Request, seeds: list[int] | None) -> None:
    from ..studies.planning import plan_real
    from ..studies.plans import short
    from ..studies.report import print_table

    plan = plan_real(request, seeds)
    title = f"Plan of {request.method} at scale {request.scale} with {request.model_name}"
    print_table(plan.table().map(short), title, tuple(plan.assumed))
    print_table(plan.peaks().map(short), "Peak of memory", ())


def _refuse_real_options(asked: Mapping[str, Any]) -> None:
    for name, value in asked.items():
        if value:
            raise ValueError(
                f"--{name.removesuffix('s') if name == 'columns' else name} is for a real model or "
                "real data: add --model, such as --model smollm2, or --data"
            )


@app.command()
def report(
    runs: Annotated[
        list[str],
        typer.Argument(help="Folders of runs, a folder of such, files, or recorded results."),
    ],
    html: Annotated[Path | None, typer.Option(help="The page to write.")] = None,
) -> None:
    """Show runs that were made before: their tables, their claims, and a page.

    Examples:

    synthkit report runs --html runs.html

    synthkit report spa-study
    """
    from ..core.files import check_file
    from ..studies.recorded import report as show

    if html is not None:
        check_file(html)
    show(runs, html)
    if html is not None:
        typer.echo(f"The page: {html}")


@app.command()
def ledger(
    method: Annotated[
        str | None, typer.Argument(help=f"One of {', '.join(NAMES)}; default: all.")
    ] = None,
    all_rows: Annotated[
        bool, typer.Option("--all", help="Print each claim in each place, not one row per group.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="A .csv or .json file for all rows; prints nothing.")
    ] = None,
) -> None:
    """Show what the papers claim and what the recorded runs found, with verdicts."""
    from ..studies import ledger_view as view
    from ..studies.ledger import ledger as whole

    frame = whole(method)
    if out is None:
        return view.show(view.every_row(frame) if all_rows else view.summary(frame))
    view.save(frame, out)
    typer.echo(f"{out}: {len(frame)} rows", err=True)


@app.command()
def capabilities(
    model: Annotated[
        str, typer.Argument(help="A model's folder; default: the embedded one.")
    ] = "embedded",
    n: Annotated[int, typer.Option("--n", min=10, help="Tries per capability and world.")] = 100,
    seeds: Annotated[str, typer.Option(help="Such as 0,1,2.")] = "0,1,2",
    out: Annotated[Path, typer.Option(help="The folder of the result.")] = Path("runs/embedded_lm"),
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bars.")] = False,
) -> None:
    """Count what an embedded model can do: copy, write, follow, rephrase, describe, solve."""
    from ..lm import load_lm
    from ..studies.embedded_lm import STUDY, CapabilityPreset
    from ..studies.runner import run

    preset, lm = CapabilityPreset(n), load_lm(model)
    run(STUDY, preset, lm=lm, seeds=read_seeds(seeds), out=out, progress=not quiet)
    typer.echo(f"the result is in {out}", err=True)
