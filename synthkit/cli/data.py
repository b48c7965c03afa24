"""Commands about data: make them, measure them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .app import app
from .arguments import read_columns

METHODS = "embedsdg, softsrv, spa, synalign or difflm"
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
Option = Annotated[
    list[str] | None,
    typer.Option("--set", help="NAME=VALUE, an option of the method; repeatable."),
]
Licence = Annotated[str, typer.Option(help="Of the data, for the card; such as mit.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bars.")]


@app.command()
def fit(
    method: Annotated[str, typer.Argument(help=f"{METHODS}.")],
    out: Annotated[Path, typer.Option(help="The folder to save it in.")],
    data: Data = None,
    column: Column = None,
    model: Model = None,
    bits: Bits = None,
    device: Device = None,
    teacher: Teacher = None,
    target: Target = None,
    queries: Queries = None,
    preset: Preset = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the fit.")] = 0,
    option: Option = None,
    licence: Licence = "",
    quiet: Quiet = False,
) -> None:
    """Fit a method to data and save it; the same command goes on after an interruption. Examples:

    synthkit fit difflm --data adult.csv --target income --out adult-model

    synthkit fit softsrv --data questions.jsonl --model smollm2 --out mine
    """
    from .making import fit_and_save
    from .wishes import Wish, read_options

    wish = Wish(
        method, data, read_columns(column), model, bits, device, teacher, target, queries, preset,
        seed, read_options(option),
    )  # fmt: skip
    made = fit_and_save(wish, out, licence=licence, progress=not quiet)
    typer.echo(f"{out}: {made!r}", err=True)


@app.command()
def sample(
    method: Annotated[str, typer.Argument(help=f"{METHODS}, or the folder of a saved fit.")],
    out: Annotated[
        Path, typer.Option(help="A .jsonl, .csv or .parquet file, or a folder for the hub.")
    ],
    n: Annotated[int, typer.Option("-n", "--n", min=1, help="Rows wanted.")] = 100,
    data: Data = None,
    column: Column = None,
    model: Model = None,
    bits: Bits = None,
    device: Device = None,
    teacher: Teacher = None,
    target: Target = None,
    queries: Queries = None,
    preset: Preset = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the fit and of the rows.")] = 0,
    option: Option = None,
    held_out: Annotated[
        str | None, typer.Option(help="A file of texts that must not be repeated.")
    ] = None,
    licence: Licence = "",
    quiet: Quiet = False,
) -> None:
    """Write synthetic rows: fit METHOD to data, or take a saved fit. Examples:

        synthkit sample difflm --data adult.csv --target income -n 1000 --out made.csv

        synthkit sample softsrv --data questions.jsonl --model smollm2 -n 500 --out made.jsonl

        synthkit sample adult-model -n 5000 --out made/ --licence cc-by-4.0

    A folder holds the rows as Parquet and a card that says where they come from: it can be pushed
    to the hub as it is. The same command goes on after an interruption.
    """
    from .making import sampled
    from .wishes import Wish, read_options

    wish = Wish(
        method, data, read_columns(column), model, bits, device, teacher, target, queries, preset,
        seed, read_options(option),
    )  # fmt: skip
    made, rows = sampled(
        wish, n, out, seed=seed, licence=licence, held_out=held_out, progress=not quiet
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
