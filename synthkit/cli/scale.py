"""The command for costly steps over many rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from .app import app

Step = Literal["embed", "generate", "gradients"]


@app.command("map")
def map_command(
    step: Annotated[Step, typer.Argument(help="The step.")],
    data: Annotated[str, typer.Argument(help="Rows: a file, a folder, or a public set.")],
    out: Annotated[Path, typer.Argument(help="The folder to write, a Parquet file per part.")],
    model: Annotated[
        str | None, typer.Option(help="A hub id, a folder, a GGUF file, or a model's name.")
    ] = None,
    bits: Annotated[int | None, typer.Option(help="4 or 8, to quantise the model.")] = None,
    adapter: Annotated[
        Path | None, typer.Option(help="A saved LoRA adapter; gradients need one.")
    ] = None,
    encoder: Annotated[
        str, typer.Option(help="embed: lm, or a sentence encoder's name or folder.")
    ] = "lm",
    column: Annotated[
        str | None, typer.Option(help="Of the texts (default: text) or prompts (default: prompt).")
    ] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="generate: of a text.")] = 128,
    temperature: Annotated[float, typer.Option(min=0, help="generate: 0 is greedy.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="generate: of the noise.")] = 0,
    batch_size: Annotated[int, typer.Option(min=1, help="Rows at a time.")] = 64,
    part: Annotated[int, typer.Option(min=1, help="Rows per file.")] = 10_000,
    ray: Annotated[
        str | None, typer.Option(help='A Ray cluster\'s address, "auto", or "local".')
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="On the cluster: processes.")] = 1,
    gpus: Annotated[float, typer.Option(min=0, help="On the cluster: GPUs of each.")] = 0,
) -> None:
    """Map the rows of DATA by one costly STEP, here or on a Ray cluster, into the folder OUT.

    An interrupted map goes on behind its last whole part. Examples:

        synthkit map embed texts.jsonl vectors --model smollm2

        synthkit map generate prompts.jsonl texts --ray auto --workers 8 --gpus 1
    """
    from ..datasets.loaders import read_set
    from ..scale import Embed, Generate, Gradients, map_rows

    if step == "embed":
        stage: Any = Embed(encoder, model, column or "text")
    elif step == "generate":
        options = {"max_new_tokens": max_new_tokens, "temperature": temperature, "seed": seed}
        stage = Generate(model, bits, adapter, column or "prompt", options=options)
    elif adapter is None:
        raise ValueError("gradients are taken on an adapter: name its folder, --adapter FOLDER")
    else:
        stage = Gradients(adapter, model, bits)
    how: Any = {"batch_size": batch_size, "part": part, "workers": workers, "gpus": gpus}
    made = map_rows(read_set(data), stage, out=out, ray=ray, progress=True, **how)
    typer.echo(f"{out}: {len(made)} rows with the column {stage.column}")
