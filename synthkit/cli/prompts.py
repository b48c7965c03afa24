"""Commands for a teacher that is somewhere else: write its prompts, read its answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .app import app
from .arguments import Scale

offline = typer.Typer(
    help="EmbedSDG with a teacher that is somewhere else: write its prompts, read its answers.",
    no_args_is_help=True,
)
app.add_typer(offline, name="embedsdg-prompts")


@offline.command("export")
def export_command(
    questions: Annotated[Path, typer.Argument(help="JSON Lines with question and answer.")],
    prompts: Annotated[Path, typer.Argument(help="The JSON Lines file of prompts to write.")],
    n: Annotated[int, typer.Option("--n", min=1, help="How many prompts.")] = 100,
    model: Annotated[
        str, typer.Option(help="The student: a hub id, a folder, a GGUF file, or a model's name.")
    ] = "embedded",
    bits: Annotated[int | None, typer.Option(help="4 or 8, to quantise the student.")] = None,
    seed: Annotated[int, typer.Option(help="Of the choice of examples.")] = 0,
    preset: Annotated[Scale, typer.Option(help="The knobs of the method.")] = "fast",
) -> None:
    """Find sparse regions among QUESTIONS and write the prompts that a teacher should answer."""
    from ..datasets import load_questions

    real = load_questions(questions)
    from .. import EmbedSDG, load_lm  # slow to import: a missing file should not wait for it

    lm = load_lm(model, bits=bits)
    method = EmbedSDG(lm, preset=preset, seed=seed).fit(real, too_long="skip")
    method.export_prompts(n, prompts)
    typer.echo(f"{prompts}: {n} prompts; write {{id, answer}} for each, as JSON Lines")


@offline.command("import")
def import_command(
    prompts: Annotated[Path, typer.Argument(help="The file that export wrote.")],
    answers: Annotated[Path, typer.Argument(help="JSON Lines with id and answer.")],
    dataset: Annotated[Path, typer.Argument(help="The JSON Lines file of examples to write.")],
    teacher: Annotated[str, typer.Option(help="Name kept with each example.")] = "imported",
) -> None:
    """Read the teacher's answers, filter them, and write the synthetic examples."""
    for path in (prompts, answers):
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}")
    from ..core.files import write_jsonl
    from ..embedsdg.synthesizer import import_answers

    rows, report = import_answers(prompts, answers, teacher=teacher)
    write_jsonl(dataset, list(rows))
    rest = f"; turned away: {report.reasons()}" if report.rejected else ""
    typer.echo(f"{dataset}: {len(rows)} examples of {report.asked}{rest}")
