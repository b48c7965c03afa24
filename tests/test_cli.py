"""The command line and the doctor: what they print, their exit status, one line an error."""

import json
import re

import pandas as pd
import pytest
from tiny import tiny_table
from typer.testing import CliRunner

from synthkit import __version__, cli, doctor, load_world
from synthkit.core import paths
from synthkit.core.files import write_jsonl
from synthkit.studies.registry import NAMES
from synthkit.studies.view import Headline, Picture, Shown, View


def run(*arguments):
    return CliRunner().invoke(cli.app, list(arguments))


@pytest.fixture
def experiment(monkeypatch):
    """Stands in for every method's experiment; keeps what it was called with."""
    calls = []

    def run_and_show(study, scale, **options):
        calls.append({"study": study.name, "scale": scale, **options})
        print(f"the tables of {study.name}")
        return None, a_view(study.name)

    monkeypatch.setattr("synthkit.studies.runner.run_and_show", run_and_show)
    monkeypatch.delenv("SYNTHKIT_SCALE", raising=False)
    return calls


def a_view(name):
    """What a run of a method shows: one table, one figure, one claim's line."""
    frame = pd.DataFrame({"score": [0.5]}, index=pd.Index(["an arm"], name="arm"))
    line = Headline(name, "It works.", "it works: +0.100 (as claimed)", "12")
    picture = Picture("a figure", b"<svg/>", 400, "score: an arm 0.5")
    return View(
        name, name.upper(), "scale fast", (Shown(frame, "A table"),), pd.DataFrame(), "", (),
        (picture,), line, "",
    )  # fmt: skip


def test_version_and_help():
    assert run("--version").output.strip() == f"synthkit {__version__}"
    shown = run("--help")
    assert shown.exit_code == 0
    for command in (
        "reproduce",
        "evaluate",
        "doctor",
        "pretrain",
        "capabilities",
        "embedsdg-prompts",
    ):
        assert command in shown.output


def test_reproduce_passes_what_was_asked(experiment, tmp_path):
    done = run(
        "reproduce", "embedsdg", "--scale", "study", "--seeds", "0,3", "--out", str(tmp_path)
    )
    assert done.exit_code == 0, done.output
    assert experiment == [
        {
            "study": "embedsdg",
            "scale": "study",
            "seeds": [0, 3],
            "out": tmp_path / "embedsdg-study",
            "progress": True,
        }
    ]


def test_reproduce_defaults_to_every_method_and_the_environment(experiment, tmp_path, monkeypatch):
    all_here = ("reproduce", "--quiet", "--jobs", "1", "--out", str(tmp_path))
    assert run(*all_here).exit_code == 0
    monkeypatch.setenv("SYNTHKIT_SCALE", "study")
    assert run(*all_here).exit_code == 0
    every = len(NAMES)
    assert [call["scale"] for call in experiment] == ["fast"] * every + ["study"] * every
    assert len({call["out"] for call in experiment}) == 2 * every
    assert experiment[0]["seeds"] is None and experiment[0]["progress"] is False


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["reproduce", "magic"], "'magic'"),
        (["reproduce", "--scale", "huge"], "--scale is 'huge'"),
        (["reproduce", "--seeds", "1,1"], "--seeds is '1,1'"),
        (["reproduce", "--seeds", "-1"], "--seeds is '-1'"),
        (["reproduce", "--seeds", ""], "--seeds is ''"),
        (["pretrain", "somewhere", "--preset", "big"], "'big'"),
        (["embedsdg-prompts", "export", "nowhere.jsonl", "out.jsonl"], "nowhere.jsonl"),
        (["embedsdg-prompts", "import", "nowhere.jsonl", "a.jsonl", "b.jsonl"], "nowhere.jsonl"),
    ],
)
def test_an_expected_error_is_one_line_and_status_two(experiment, arguments, named):
    done = run(*arguments)
    assert done.exit_code == 2
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("synthkit: ") and named in lines[0]
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("held", "told"),
    [
        (
            b'{"measure": "accuracy", "arm": "EmbedSDG", "seed": 0, "value": 0.123}\n',
            "is no log of",
        ),
        (b"\xff\x00\xfe not text\n", "is no log of"),
        (b'{"sum": "0123456789abcdef", "run": {"format": 1}}\n', "is no log of"),
    ],
)
@pytest.mark.parametrize("method", ["spa", "difflm"])
def test_a_foreign_or_damaged_log_ends_a_study_in_one_sentence(method, held, told, tmp_path):
    log = tmp_path / f"{method}-fast" / "measurements.jsonl"
    log.parent.mkdir()
    log.write_bytes(held)
    done = run("reproduce", method, "--scale", "fast", "--quiet", "--out", str(tmp_path))
    lines = [line for line in done.stderr.splitlines() if not line.startswith(method)]
    assert done.exit_code == 2 and len(lines) == 1
    assert lines[0].startswith("synthkit: ") and told in lines[0] and "remove it" in lines[0]
    assert not (log.parent / "result.json").exists()


def test_evaluate_prints_and_writes(tmp_path):
    real, made = tmp_path / "real.txt", tmp_path / "made.txt"
    for path, start in ((real, 0), (made, 20)):
        path.write_text("\n".join(f"text {i % 7} of {i}" for i in range(start, start + 40)))
    page, numbers = tmp_path / "page.html", tmp_path / "numbers.json"
    done = run(
        "evaluate", *map(str, (real, made, "--test", made, "--html", page, "--json", numbers))
    )
    assert done.exit_code == 0, done.output
    assert "40 synthetic against 40 real texts" in done.output and "contamination" in done.output
    assert page.read_text().startswith("<!DOCTYPE html>") and numbers.read_text().startswith("{")


def test_the_help_of_evaluate_has_an_example():
    assert "synthkit evaluate real.csv made.csv" in run("evaluate", "--help").output


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (None, "there is no file"),
        ("x,y\n1,2\n", "no column 'text' or 'question'; found x, y"),
        ("text\na\nb\n", "needs 20 real and 10 synthetic"),
    ],
)
def test_data_that_evaluate_refuses_are_one_line_and_status_two(tmp_path, made, told):
    real, other = tmp_path / "real.csv", tmp_path / "made.csv"
    real.write_text("text\n" + "\n".join(f"a b {i}c" for i in range(30)))
    if made is not None:
        other.write_text(made)
    done = run("evaluate", str(real), str(other))
    lines = done.stderr.strip().splitlines()
    assert done.exit_code == 2 and len(lines) == 1 and told in lines[0]


@pytest.mark.parametrize(
    ("place", "told"), [("folder", "is a folder; name a file"), ("file/page.html", "in its place")]
)
@pytest.mark.parametrize("option", ["--html", "--json"])
def test_a_file_that_cannot_be_written_is_told_before_anything_is_measured(
    option, place, told, tmp_path, monkeypatch
):
    monkeypatch.setattr("synthkit.evaluation.report.evaluate", lambda *a, **k: 1 / 0)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("text\na\n")
    done = run("evaluate", *[str(tmp_path / "file")] * 2, option, str(tmp_path / place))
    lines = done.stderr.strip().splitlines()
    assert done.exit_code == 2 and len(lines) == 1
    assert told in lines[0] and "Errno" not in lines[0]


def test_reproduce_ends_in_a_line_per_method_and_a_page(experiment, tmp_path):
    done = run("reproduce", "--jobs", "1", "--out", str(tmp_path))
    assert done.exit_code == 0, done.output
    first = done.stderr.splitlines()[0]
    assert first.startswith("5 methods (embedsdg, softsrv, spa, synalign, difflm) at scale fast, ")
    assert "one at a time" in first and "a few minutes" in first and f"go to {tmp_path};" in first
    assert "the same command continues" in first
    shown = [f"the tables of {name}" for name in NAMES]
    assert [line for line in done.stdout.splitlines() if line in shown] == shown
    lines = [line for line in done.stdout.splitlines() if "It works." in line]
    assert [line.split()[1] for line in lines] == list(NAMES)
    page = tmp_path / "report" / "index.html"
    assert done.stdout.splitlines()[-1] == f"The page: {page}"
    text = page.read_text()
    assert text.count('alt="score: an arm 0.5"') == len(NAMES) and "<script" not in text
    assert all(name.upper() in text for name in NAMES)


def test_a_method_that_fails_does_not_lose_the_others(experiment, monkeypatch, tmp_path):
    from synthkit.studies import runner

    well = runner.run_and_show

    def broken(study, scale, **options):
        if study.name == "spa":
            raise ValueError("no such\nthing")
        return well(study, scale, **options)

    monkeypatch.setattr("synthkit.studies.runner.run_and_show", broken)
    done = run("reproduce", "--jobs", "1", "--out", str(tmp_path))
    assert done.exit_code == 2 and "Traceback" not in done.output
    assert done.stderr.splitlines()[-1] == "synthkit: spa: no such thing"
    assert [call["study"] for call in experiment] == [name for name in NAMES if name != "spa"]
    assert "spa failed: no such" in (tmp_path / "report" / "index.html").read_text()
    assert "Traceback" in run("--debug", "reproduce", "--jobs", "1", "--out", str(tmp_path)).stderr


def test_a_fault_of_the_code_is_one_line_that_says_so(experiment, monkeypatch):
    def broken(*study, **options):
        raise KeyError("a fault")

    monkeypatch.setattr("synthkit.studies.runner.run_and_show", broken)
    done = run("reproduce", "spa")
    assert done.exit_code == 1 and "Traceback" not in done.output
    assert done.stderr.splitlines()[-1].startswith("synthkit: KeyError: 'a fault' (a fault of")
    assert isinstance(run("--debug", "reproduce", "spa").exception, KeyError)


def test_an_interrupt_says_that_the_same_command_goes_on(experiment, monkeypatch):
    def stopped(*study, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("synthkit.studies.runner.run_and_show", stopped)
    done = run("reproduce", "spa")
    assert done.exit_code == 130 and "goes on from what is kept" in done.stderr


@pytest.mark.slow
def test_prompts_go_out_and_answers_come_back(tmp_path):
    from synthkit import load_world
    from synthkit.core.files import read_jsonl, write_jsonl

    world = load_world("math")
    questions, prompts = tmp_path / "questions.jsonl", tmp_path / "prompts.jsonl"
    answers, made = tmp_path / "answers.jsonl", tmp_path / "made.jsonl"
    write_jsonl(questions, world.rows(200, seed=0))
    done = run("embedsdg-prompts", "export", str(questions), str(prompts), "--n", "6")
    assert done.exit_code == 0, done.output
    rows = read_jsonl(prompts)
    replies = world.teacher().complete([row["prompt"] for row in rows])
    write_jsonl(answers, [{"id": r["id"], "answer": a} for r, a in zip(rows, replies)][::-1])
    done = run("embedsdg-prompts", "import", str(prompts), str(answers), str(made))
    assert done.exit_code == 0, done.output
    written = read_jsonl(made)
    assert 1 <= len(written) <= 6
    assert all(row["question"] and row["answer"] for row in written)


# --- data that are made ---------------------------------------------------------------------------


SOFT = ("softsrv", "--set", "steps=2", "--set", "eval_every=1", "--set", "kind=ssnp",
        "--set", "drop=[]", "--quiet")  # fmt: skip


@pytest.fixture
def questions(tmp_path):
    """A file of questions under a name of its own for the column."""
    path = tmp_path / "asked.jsonl"
    rows = [{"problem": f"Ann has {i} pens and buys {i + 1}. How many?"} for i in range(24)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_method_is_fitted_and_sampled_into_a_file_or_a_folder(questions, tmp_path):
    from datasets import load_dataset

    made, folder = tmp_path / "made.jsonl", tmp_path / "made"
    for out in (made, folder):
        done = run("sample", *SOFT, "--data", str(questions), "-n", "3", "--out", str(out),
                   "--licence", "mit")  # fmt: skip
        assert done.exit_code == 0, (done.output, done.exception)
        assert f"{out}: " in done.stderr and "rows of SoftSRV" in done.stderr
    rows = [json.loads(line) for line in made.read_text().splitlines()]
    assert rows and {"text", "method", "model", "seed", "status"} <= set(rows[0])
    again = load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    assert again.to_list() == rows
    card = (folder / "README.md").read_text()
    assert "| mit |" in card and "asked.jsonl" in card and str(tmp_path) not in card
    assert "synthkit sample softsrv --data asked.jsonl" in card and "--set steps=2" in card
    assert "Reconstruction is only a proxy" in card  # a limit that the paper names
    assert not list(tmp_path.glob(".*"))  # nothing unfinished is left


PART = '{"steps": 2, "eval_every": 1, "width": 8, "layers": 1, "heads": 1'
SMALLEST = {  # options of a method: the fastest run of each
    "embedsdg": ("windows=3", "k=2", "sketch=skip", "max_rounds=2"),
    "spa": ("n_parts=2", "reference_updates=3", "part_updates=2", "batch_size=4", "rank=2",
            "min_size=1", "on_small=fill", "max_new_tokens=32"),
    "synalign": ("describe=read", "picks=8", "pool=2.0", "retries=0"),
    "difflm": (f'autoencoder={PART}, "latent": 2, "tokens": 1}}', f'format={PART}, "hints": 1}}',
               'diffusion={"steps": 2, "eval_every": 1, "hidden": 4, "blocks": 1}', "max_tries=3"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("method", SMALLEST)
def test_each_method_is_sampled_to_the_end_with_the_embedded_model(method, tmp_path):
    rows = [
        {
            "question": row["question"],
            "answer": row["answer"],
            "text": row["question"],
            "label": str(i % 2),
        }
        for i, row in enumerate(load_world("math").rows(40, seed=0))
    ]
    if method == "difflm":
        rows = tiny_table(60).to_dict("records")
    data, out = write_jsonl(tmp_path / "real.jsonl", rows), tmp_path / "made.jsonl"
    asked = [word for option in SMALLEST[method] for word in ("--set", option)]
    done = run("sample", method, *asked, "--data", str(data), "-n", "2", "--out", str(out),
               "--quiet")  # fmt: skip
    assert done.exit_code == 0, (done.output, done.exception)
    made = [json.loads(line) for line in out.read_text().splitlines()]
    assert f"{len(made)} rows of" in done.stderr
    if method != "embedsdg":  # untrained, the embedded model writes no question in its form
        assert made and {"status", "method"} <= set(made[0])


def test_a_saved_fit_is_sampled_like_a_new_one(questions, tmp_path):
    saved, first, second = (tmp_path / name for name in ("mine", "a.jsonl", "b.jsonl"))
    done = run("fit", *SOFT, "--data", str(questions), "--out", str(saved))
    assert done.exit_code == 0, (done.output, done.exception)
    assert "fitted to 20 texts" in done.stderr  # of 24, some stop the training
    assert "synthkit.SoftSRV.load" in (saved / "README.md").read_text()
    assert run("sample", str(saved), "-n", "3", "--out", str(first), "--quiet").exit_code == 0
    done = run("sample", *SOFT, "--data", str(questions), "-n", "3", "--out", str(second))
    assert done.exit_code == 0 and first.read_text() == second.read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["magic", "--data", "{data}", "--out", "x.jsonl"], "no method and no folder of a saved"),
        (["softsrv", "--out", "x.jsonl"], "add --data"),
        (["softsrv", "--data", "nowhere.csv", "--out", "x.jsonl"], "nowhere.csv"),
        (["softsrv", "--data", "{data}", "--out", "x.xls"], "x.xls"),
        (["softsrv", "--data", "{data}", "--out", "{data}/x.jsonl"], "in its place"),
        (["embedsdg", "--data", "{data}", "--out", "x.jsonl"], "no column for the answer"),
        (["softsrv", "--data", "{data}", "--set", "steps", "--out", "x.jsonl"], "NAME=VALUE"),
        (["softsrv", "--data", "{data}", "--set", "stepps=2", "--out", "x.jsonl"], "stepps"),
        (["softsrv", "--data", "{data}", "--target", "x", "--out", "x.jsonl"], "for difflm"),
        (["spa", "--data", "{data}", "--teacher", "x", "--out", "x.jsonl"], "no use for"),
        (["difflm", "--data", "{data}", "--bits", "4", "--out", "x.jsonl"], "goes with --model"),
    ],
)
def test_what_cannot_be_made_is_one_line_and_status_two(
    arguments, told, questions, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    done = run("sample", *(each.format(data=questions) for each in arguments))
    lines = done.stderr.strip().splitlines()
    assert done.exit_code == 2 and len(lines) == 1 and told in lines[0], done.output
    assert [path.name for path in tmp_path.iterdir()] == ["asked.jsonl"]


def test_recorded_runs_are_shown_again_with_a_page(tmp_path):
    page = tmp_path / "page.html"
    done = run("report", "spa-study", "--html", str(page))
    assert done.exit_code == 0, (done.output, done.exception)
    assert "SPA, records, strong skew" in done.output and "of the paper" in done.output
    assert "data:image/svg+xml" in page.read_text()
    missing = run("report", "nowhere")
    assert missing.exit_code == 2 and "spa-study" in missing.stderr


@pytest.mark.parametrize("name", ["four_bits", "softsrv-real-text", "synalign-real-text"])
def test_a_recorded_run_of_any_kind_is_shown(name):
    done = run("report", name)
    assert done.exit_code == 0, (done.output, done.exception)
    assert "scale, seeds" in done.output


def test_completion_and_help_with_examples_are_there():
    commands = run("--help").output
    assert "--install-completion" in commands and "Examples:" not in commands
    for command in ("sample", "fit", "report", "reproduce", "evaluate"):
        assert f"synthkit {command} " in run(command, "--help").output


# --- the doctor -----------------------------------------------------------------------------------


def test_largest_model_follows_its_formula():
    assert doctor.largest_model(24, "4-bit") == pytest.approx(0.8 * 24 * 2**30 / 0.75 / 1e9)
    for weights in doctor.BYTES:
        assert doctor.largest_model(8, weights, "lora") < doctor.largest_model(8, weights)
    with pytest.raises(ValueError, match="3-bit"):
        doctor.largest_model(24, "3-bit")
    with pytest.raises(ValueError, match="train"):
        doctor.largest_model(24, "4-bit", "train")


def test_a_check_that_raises_becomes_a_finding(monkeypatch, tmp_path):
    def explode():
        raise RuntimeError("no such\nlibrary")

    for name in ("_libraries", "_gpu", "_bfloat16"):
        monkeypatch.setattr(doctor, name, lambda: doctor._seen("fine"))
    monkeypatch.setattr(doctor, "_four_bits", explode)
    monkeypatch.setattr(paths, "embedded_lm_dir", lambda: tmp_path)
    report = doctor.examine()
    found = {item.what: item for item in report.findings}
    assert found["4-bit weights"].found == "RuntimeError: no such library"
    assert (
        found["embedded model"].verdict == "fail" and "pretrain" in found["embedded model"].advice
    )
    assert not report.usable and found["4-bit weights"].advice
    assert "hub" not in found  # nothing is sent anywhere unless asked
    assert list(report.frame().columns) == ["what", "found", "verdict", "advice"]


def test_doctor_measures_what_4_bits_cost_on_the_cpu():
    found = doctor._four_bits()
    times = re.search(r"([\d.]+) times the time of float32 on the CPU", found.found)
    assert found.verdict == "ok" and float(times.group(1)) > 0.3
    assert "bits=None" in found.advice


def test_doctor_command_prints_json_and_its_status(monkeypatch):
    report = doctor.Report((doctor.Finding("memory", "1 GiB", "fail", "buy some"),), ())
    monkeypatch.setattr(doctor, "examine", lambda network: report)
    done = run("doctor", "--json")
    assert done.exit_code == 1 and json.loads(done.output)["findings"][0]["found"] == "1 GiB"
    assert "buy some" in run("doctor").output


@pytest.mark.parametrize(
    ("needs", "verdict", "told"),
    [
        (["numpy>=99", "numpy<1; extra == 'old'"], "warn", ">=99 is needed"),
        (["numpy>=2", "no-such-library>=1"], "fail", "no-such-library missing"),
        (["numpy>=2"], "ok", "numpy"),
    ],
)
def test_libraries_are_compared_with_the_metadata(needs, verdict, told, monkeypatch):
    monkeypatch.setattr("importlib.metadata.requires", lambda name: needs)
    finding = doctor._libraries()
    assert finding.verdict == verdict and told in finding.found and "<1" not in finding.found


@pytest.mark.parametrize(
    ("threads", "policy", "verdict", "told"),
    [(1, "", "ok", "1 thread"), (2, "passive", "ok", "sleep"), (2, "", "warn", "spin")],
)
def test_threads_are_said_with_what_they_mean(threads, policy, verdict, told, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1}, raising=False)
    monkeypatch.setattr("torch.get_num_threads", lambda: threads)
    monkeypatch.setenv("OMP_WAIT_POLICY", policy)
    finding = doctor._cores()
    assert finding.verdict == verdict and told in finding.found and finding.advice


@pytest.mark.slow
def test_this_machine_can_use_the_kit():
    report = doctor.examine()
    assert report.usable, [item for item in report.findings if item.verdict == "fail"]
