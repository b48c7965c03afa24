"""Commands about data: make them, measure them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.parallel import is_first
from .app import app
from .wish_options import takes_wish

if TYPE_CHECKING:
    from .wishes import Wish

Licence = Annotated[str, typer.Option(help="Of the data, for the card; such as mit.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bars.")]


@app.command()
@takes_wish
def fit(
    wish: Wish,
    out: Annotated[Path, typer.Option(help="The folder to save it in.")],
    licence: Licence = "",
    quiet: Quiet = False,
) -> None:
    """Fit a method to data and save it; the same command goes on after an interruption.

    Examples:

    synthkit fit difflm --data adult.csv --target income --out adult-model

    synthkit fit softsrv --data questions.jsonl --model smollm2 --out mine

    accelerate launch --multi_gpu -m synthkit fit spa --data questions.jsonl --out mine
    """
    from .making import fit_and_save

    made = fit_and_save(wish, out, licence=licence, progress=not quiet)
    if is_first():
        typer.echo(f"{out}: {made!r}", err=True)


@app.command()
@takes_wish
def sample(
    wish: Wish,
    out: Annotated[
        Path, typer.Option(help="A .jsonl, .csv or .parquet file, or a folder for the hub.")
    ],
    n: Annotated[int, typer.Option("-n", "--n", min=1, help="Rows wanted.")] = 100,
    held_out: Annotated[
        str | None, typer.Option(help="A file of texts that must not be repeated.")
    ] = None,
    licence: Licence = "",
    quiet: Quiet = False,
) -> None:
    """Write synthetic rows: fit METHOD to data, or take a saved fit.

    Examples:

        synthkit sample difflm --data adult.csv --target income -n 1000 --out made.csv

        synthkit sample softsrv --data questions.jsonl --model smollm2 -n 500 --out made.jsonl

        synthkit sample adult-model -n 5000 --out made/ --licence cc-by-4.0

    A folder holds the rows as Parquet and a card that says where they come from: it can be pushed
    to the hub as it is. The same command goes on after an interruption.
    """
    from .making import sampled

    made, rows = sampled(
        wish, n, out, seed=wish.seed, licence=licence, held_out=held_out, progress=not quiet
    )
    for warning in made.report.warnings if made.report else ():
        typer.echo(f"synthkit: {warning}", err=True)
    typer.echo(f"{out}: {len(rows)} rows of {made.name}", err=True)


@app.command()
def evaluate(
    real: Annotated[Path, typer.Argument(help="What the generator learned from.")],
    synthetic: Annotated[Path, typer.Argument(help="What it made.")],
    test: Annotated[
        Path | None, typer.Option(help="Real data it has not seen: for copies and utility.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="The column to predict.")] = None,
    text: Annotated[
        str | None, typer.Option(help="The column of texts; default: text, or question.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="The page to write.")] = None,
    json: Annotated[Path | None, typer.Option(help="The file of numbers to write.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the samples.")] = 0,
) -> None:
    """Measure SYNTHETIC data beside REAL data, texts or a table, and say what real data score.

    Files are csv, tsv, json, jsonl, parquet, or txt with a text a line. Example:

        synthkit evaluate real.csv made.csv --test test.csv --html page.html
    """
    from ..evaluation.report import evaluate_files

    options = {"target": target, "text": text, "seed": seed}
    typer.echo(evaluate_files(real, synthetic, test, html=html, json=json, **options))
