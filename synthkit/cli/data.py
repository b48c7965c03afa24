"""Commands about data: measure them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .app import app


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
