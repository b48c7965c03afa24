"""Methods on real data: presets and their limit, data, plans, runs with a tiny model, bad input."""

import json
import re

import httpx
import pytest
from tiny import tiny_chat_lm, tiny_lm, tiny_table
from typer.testing import CliRunner

from synthkit import cli
from synthkit.core.files import read_jsonl, sha256_text, write_jsonl
from synthkit.lm.catalogue import cached
from synthkit.lm.memory import Held, settings_that_fit
from synthkit.lm.shapes import SHAPES
from synthkit.studies.planning import plan_real
from synthkit.studies.plans import CARDS, Plan, Work
from synthkit.studies.real import FEWEST, by_label, split_sizes
from synthkit.studies.real_data import find_columns, read_data
from synthkit.studies.reproduction import Request, only_model
from synthkit.studies.results import load_result
from synthkit.teacher import FunctionTeacher, HTTPTeacher

METHODS = ("softsrv", "embedsdg", "spa", "synalign", "difflm")
# A chat template that a tiny model can be asked in.


def questions(n):
    names = ("Lily", "Tom", "Ann", "Ben")
    return [
        {"problem": f"{names[i % 4]} has {i} red balls and finds {i % 3 + 2}. How many?",
         "solution": f"{i} + {i % 3 + 2} = {i + i % 3 + 2}\n#### {i + i % 3 + 2}"}
        for i in range(n)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_jsonl(tmp_path_factory.mktemp("data") / "balls.jsonl", questions(40))


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "table.csv"
    tiny_table(60).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def chat_model(tmp_path_factory):
    """The folder of a tiny model with a chat template."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    template = "{% for m in messages %}<bos>{{ m.content }}\n{% endfor %}"
    return tiny_chat_lm(folder, template, positions=8192)


def reply(prompt, repeat=0):
    """A teacher's answer to any prompt of a method: a question of its own."""
    n = int(sha256_text(f"{prompt} {repeat}")[:6], 16) % 900
    name, thing = ("Lily", "Tom", "Ann")[n % 3], ("hens", "red balls", "goats")[n % 7 % 3]
    asked = f"{name} has {n} {thing} and finds 9 more at the market. How many?"
    return f"**Question:** {asked}\n**Answer:** {n} + 9 = {n + 9}\n### <final_answer>\n{n + 9}"


@pytest.fixture
def teacher(monkeypatch):
    """Every address and name stands for a teacher that answers."""
    made = FunctionTeacher(reply, "oracle")
    monkeypatch.setattr("synthkit.studies.reproduction.open_teacher", lambda *a: made)
    return made


def reproduce(*arguments):
    return CliRunner().invoke(cli.app, ["reproduce", *map(str, arguments)])


def one_line(done):
    """The one line of an expected error."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("synthkit: ")]
    assert done.exit_code == 2 and len(lines) == 1, done.output
    assert "Traceback" not in done.output
    return lines[0]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scale", ["fast", "study", "paper"])
def test_a_method_runs_at_every_scale_cut_to_a_limit(
    method, scale, data, table, chat_model, teacher, tmp_path
):
    data = table if method == "difflm" else data
    asked = (method, "--scale", scale, "--model", chat_model, "--data", data, "--limit", 2,
             "--out", tmp_path, "--quiet")  # fmt: skip
    done = reproduce(*asked)
    assert done.exit_code == 0, (done.output, done.exception)
    (folder,) = tmp_path.iterdir()
    assert folder.name == f"{method}-{scale}-tiny-{data.stem}-limit2"
    result = load_result(folder / "result.json")
    assert result.preset["limit"] == 2 and result.preset["data"] == data.name
    assert result.scale == scale and result.model["name"] == "tiny" and result.seeds == [0]
    assert "--limit 2" in result.command and f"--data {data.name}" in result.command
    written = [row for path in (folder / "samples").iterdir() for row in read_jsonl(path)]
    assert written and not (folder / "unfinished").exists()
    assert "row 0: " in done.output and len(by_label(result)) >= 3
    before = (folder / "result.json").read_text()
    assert reproduce(*asked).exit_code == 0
    assert json.loads(before) == json.loads((folder / "result.json").read_text())


@pytest.mark.parametrize("method", METHODS)
def test_a_limit_cuts_every_size_and_every_number_of_steps(method):
    for preset in Request(method).module.PRESETS.values():
        cut = preset.limited(1)
        for name in (each for each in vars(preset) if each.startswith("n_")):
            assert 0 <= getattr(cut, name) <= preset.least.get(name, 1)
        known = {name: cut.option(name) for name in preset.steps}
        assert known and all(value in (0, 1, None) for value in known.values())
        assert len(cut.seeds) == 1


@pytest.mark.parametrize("method", METHODS)
def test_a_plan_counts_less_where_less_is_done(method, data, chat_model):
    whole, cut = (
        plan_real(Request(method, "paper", str(chat_model), data=str(data), limit=limit))
        for limit in (None, 2)
    )
    assert whole.parameters == cut.parameters > 1e4
    totals = [plan.table().iloc[-1] for plan in (whole, cut)]
    for name in ("steps", "tokens trained", "read", "written"):
        assert totals[0][name] >= totals[1][name]
    assert totals[0]["written"] > totals[1]["written"] > 0
    assert any("balls.jsonl has 40 rows" in told for told in whole.assumed)


def test_a_dry_run_shows_the_paper_and_runs_nothing(tmp_path, monkeypatch):
    def never(*args):
        raise AssertionError("a plan asks the hub for nothing")

    monkeypatch.setattr("synthkit.datasets.loaders._from_hub", never)
    for method in METHODS:
        done = reproduce(method, "--scale", "paper", "--dry-run", "--out", tmp_path)
        assert done.exit_code == 0, done.output
        paper = Request(method).module.PAPER
        assert paper.model in done.output and paper.data in done.output.replace("\n", "")
    assert not list(tmp_path.iterdir())


def test_hours_are_operations_and_passes_over_the_weights():
    card, plan = CARDS["A100"], Plan([], "m", SHAPES["mistral-7b"], bits=4)
    n = plan.parameters
    assert n == pytest.approx(7.25e9, rel=0.01)
    assert plan.hours(Work("x", trained=1e6), card) == pytest.approx(6e6 * n / card.flops / 3600)
    assert plan.hours(Work("x", read=3e6), card) == pytest.approx(6e6 * n / card.flops / 3600)
    passes = plan.hours(Work("x", written=1600), card)
    assert passes == pytest.approx(100 * 0.5 * n / card.bandwidth / 3600)


@pytest.mark.parametrize("method", METHODS)
def test_every_paper_path_fits_a_card_of_24_gib(method):
    plan = plan_real(Request(method, "paper"))
    held = Held(plan.bits, half=True)
    assert plan.bits == 4 and len(plan.peaks()) == len(plan.memory) > 0
    for part in plan.memory:
        settings = settings_that_fit(plan.shape, held, part.work, 24)
        assert set(settings or {}) <= {"batch_size"}, part  # of a sampling, which finds it itself
        assert settings is not None


# --- data -----------------------------------------------------------------------------------------


def test_columns_are_found_by_name_or_as_given(data):
    rows = read_data(data, ("question", "answer"))
    assert rows.columns == {"question": "problem", "answer": "solution"}
    assert rows.rows[3]["question"].startswith("Ben has 3") and rows.name == "balls.jsonl"
    swapped = read_data(data, ("text",), columns={"text": "solution"})
    assert swapped.rows[0] == {"text": "0 + 2 = 2\n#### 2"} and swapped.key != rows.key
    assert find_columns(["prompt", "text", "code"], ("question", "answer")) == {
        "question": "prompt", "answer": "code"
    }  # fmt: skip


def test_missing_columns_are_named_with_those_found():
    with pytest.raises(ValueError, match=r"no column for the answer .*found a, text.*answer=NAME"):
        find_columns(["a", "text"], ("question", "answer"))
    with pytest.raises(ValueError, match=r"no column for the text \(body\); found a, text"):
        find_columns(["a", "text"], ("text",), given={"text": "body"})
    with pytest.raises(ValueError, match="--column lable="):
        find_columns(["a"], (), given={"lable": "a"})


def test_known_shapes_of_files_are_read(tmp_path):
    (tmp_path / "reviews.txt").write_text("so good\t1\nso bad\t0\n")
    rows = read_data(tmp_path / "reviews.txt", ("text",), optional=("label",)).rows
    assert rows == [{"text": "so good", "label": 1}, {"text": "so bad", "label": 0}]
    intents = {"train": [["hi", "greet"], ["bye", "leave"]], "val": []}
    (tmp_path / "data_full.json").write_text(json.dumps(intents))
    assert read_data(tmp_path / "data_full.json", ("text", "label")).rows[1]["label"] == "leave"


def test_few_rows_are_split_alike_and_all_are_used():
    preset = Request("softsrv").module.PRESETS["fast"]
    assert split_sizes(1000, preset) == (preset.n_train, preset.n_stop, preset.n_test)
    for n in (FEWEST, 50, 90):
        train, stop, test = split_sizes(n, preset)
        assert train + stop + test <= n and train > test > stop > 0
    paper = Request("softsrv").module.PRESETS["paper"]
    assert sum(split_sizes(5000, paper)) == 5000 and split_sizes(20, paper)[0] >= 6


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["softsrv", "--bits", "4"], "--bits is for a real model"),
        (["softsrv", "--limit", "3"], "--limit is for a real model"),
        (["softsrv", "--dry-run"], "--dry-run is for a real model"),
        (["--data", "gsm8k", "--model", "x"], "name it"),
        (["softsrv", "--model", "nowhere/at/all", "--data", "{data}"], "nowhere/at/all"),
        (["softsrv", "--model", "{model}", "--data", "nowhere.jsonl"], "nowhere.jsonl"),
        (["softsrv", "--model", "{model}", "--data", "{data}", "--column", "text"], "ROLE=NAME"),
        (["softsrv", "--model", "{model}", "--data", "{data}", "--column", "text=body"], "body"),
        (["softsrv", "--model", "{model}", "--column", "text=a", "--column", "text=b"], "twice"),
        (["embedsdg", "--model", "{model}", "--data", "{data}", "--teacher", ""], "name is empty"),
        (["softsrv", "--model", "{model}", "--data", "{data}", "--teacher", "x"], "no use for"),
        (["softsrv", "--model", "{model}", "--data", "{data}", "--bits", "5"], "5"),
        (["softsrv", "--model", "{model}", "--data", "{data}", "--bits", "0", "--dry-run"], "is 0"),
    ],
)
def test_what_cannot_be_run_is_told_in_one_line(
    arguments, told, data, chat_model, tmp_path, monkeypatch
):
    monkeypatch.delenv("SYNTHKIT_MODEL", raising=False)
    filled = [each.format(data=data, model=chat_model) for each in arguments]
    line = one_line(reproduce(*filled, "--out", tmp_path / "out", "--quiet"))
    assert told in line
    assert not list(tmp_path.glob("out/*/result.json"))


def test_without_data_the_papers_set_is_tried_and_that_is_told(chat_model, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    line = one_line(reproduce("softsrv", "--model", chat_model, "--out", tmp_path, "--quiet"))
    assert "no --data was given" in line and "openai/gsm8k" in line


def test_the_environment_names_the_model(chat_model, data, tmp_path, monkeypatch):
    monkeypatch.setenv("SYNTHKIT_MODEL", str(chat_model))
    done = reproduce("softsrv", "--data", data, "--limit", 1, "--out", tmp_path, "--quiet")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "softsrv-fast-tiny-balls-limit1" / "result.json").is_file()


def test_too_few_rows_and_rows_too_long_are_told(chat_model, tmp_path):
    few = write_jsonl(tmp_path / "few.jsonl", questions(FEWEST - 1))
    long = write_jsonl(tmp_path / "long.jsonl", [{"text": f"{i} " * 300} for i in range(20)])
    for path, told in ((few, f"{FEWEST} are needed"), (long, "the shortest of")):
        asked = ("softsrv", "--model", chat_model, "--data", path, "--out", tmp_path, "--quiet")
        assert told in one_line(reproduce(*asked))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("name", "held", "told"),
    [
        ("no.jsonl", "", "no rows|must be at least one row"),
        ("no.csv", "", "is empty"),
        ("head.csv", "question,answer\n", "no rows|0 rows"),
    ],
)
def test_data_without_rows_are_told(method, name, held, told, chat_model, tmp_path):
    (tmp_path / name).write_text(held)
    asked = (method, "--model", chat_model, "--data", tmp_path / name, "--out", tmp_path)
    for how in ("--quiet", "--dry-run"):
        assert re.search(told, one_line(reproduce(*asked, how)))


def test_a_row_without_a_text_is_told_by_the_columns_own_name(chat_model, tmp_path):
    rows = [{"review": text} for text in ("good", "bad", None)]
    path = write_jsonl(tmp_path / "holes.jsonl", rows)
    line = one_line(reproduce("softsrv", "--model", chat_model, "--data", path, "--dry-run"))
    assert "column 'review': 1 of 3 rows" in line


def test_a_plan_counts_the_seeds_that_are_asked_for(chat_model, data):
    asked = ("softsrv", "--model", chat_model, "--data", data, "--dry-run", "--seeds")
    assert "all, 4 seeds" in reproduce(*asked, "1,2,3,4").output
    assert "2^31 - 1" in one_line(reproduce(*asked, str(2**31)))


def test_a_model_without_a_template_is_not_asked(data, tmp_path):
    folder = tiny_lm(tmp_path / "plain", max_position_embeddings=8192)
    for method in ("embedsdg", "synalign"):
        asked = (method, "--scale", "paper", "--model", folder, "--data", data, "--limit", 1)
        line = one_line(reproduce(*asked, "--out", tmp_path / "out", "--quiet"))
        assert "'plain' has no chat template" in line and "--teacher" in line
        (log,) = (tmp_path / "out").glob(f"{method}-*/measurements.jsonl")
        assert len(read_jsonl(log)) <= 1  # its head: nothing was measured


class Server:
    """The transport of a server that dies after some answers, and keeps what it was asked."""

    def __init__(self):
        self.asked, self.left = [], 3

    async def handle(self, request):
        if not self.left:
            raise httpx.ConnectError("refused")
        self.left -= 1
        prompt = json.loads(request.content)["messages"][0]["content"]
        message = {"content": reply(prompt, self.asked.count(prompt))}
        self.asked.append(prompt)
        return httpx.Response(
            200, json={"choices": [{"message": message, "finish_reason": "stop"}]}
        )


@pytest.mark.parametrize("method", ["embedsdg", "synalign"])
def test_after_a_dead_server_the_same_command_goes_on(
    method, data, chat_model, tmp_path, monkeypatch
):
    server = Server()
    own = {"transport": httpx.MockTransport(server.handle), "retries": 0, "concurrency": 1}
    monkeypatch.setattr(
        "synthkit.teacher.HTTPTeacher", lambda *args, **how: HTTPTeacher(*args, **how, **own)
    )
    asked = (method, "--model", chat_model, "--data", data, "--limit", 4, "--out", tmp_path,
             "--teacher", "http://user:secret@nowhere:1/v1#oracle", "--quiet")  # fmt: skip
    line = one_line(reproduce(*asked))
    assert "no answer" in line and "safe" in line and "secret" not in line
    (folder,) = tmp_path.iterdir()
    assert len(read_jsonl(folder / "answers.jsonl")) == 3
    server.left = 1000
    done = reproduce(*asked)
    assert done.exit_code == 0, done.output
    assert len(server.asked) == len(read_jsonl(folder / "answers.jsonl"))  # nothing asked twice
    result = (folder / "result.json").read_text()
    assert "secret" not in result and "#oracle" in load_result(folder / "result.json").command


def test_a_server_names_its_one_model(monkeypatch):
    def answer(models, status=200):
        listed = {"data": [{"id": name} for name in models]}
        found = httpx.Response(status, json=listed, request=httpx.Request("GET", "http://host"))
        monkeypatch.setattr("httpx.get", lambda *a, **k: found)

    answer(["one"])
    assert only_model("http://host/v1") == "one"
    answer(["one", "two"])
    with pytest.raises(ValueError, match=r"2 models \(one, two\).*#MODEL"):
        only_model("http://host/v1")
    answer(["one"], status=404)
    with pytest.raises(ValueError, match="does not list"):
        only_model("http://host/v1")
    with pytest.raises(ValueError, match="name a host"):
        only_model("http://host:99999/v1")
    monkeypatch.undo()
    with pytest.raises(ConnectionError, match=r"no server answers at http://127\.0\.0\.1:9/v1"):
        only_model("http://me:secret@127.0.0.1:9/v1")


def test_a_table_whose_last_column_never_varies_has_no_target(chat_model, tmp_path):
    path = tmp_path / "flat.csv"
    tiny_table(30).assign(flat=1).to_csv(path, index=False)
    asked = ("difflm", "--model", chat_model, "--data", path, "--limit", 1, "--out", tmp_path)
    assert "target" not in Request("difflm").module.read(path, columns={}).columns
    assert reproduce(*asked, "--quiet").exit_code == 0
    # named all the same, its AUC has no value
    assert reproduce(*asked, "--quiet", "--column", "target=flat", "--seeds", 3).exit_code == 0


def test_texts_of_one_column_are_written_by_difflm(data, chat_model, tmp_path):
    asked = ("difflm", "--model", chat_model, "--data", data, "--column", "text=problem")
    done = reproduce(*asked, "--limit", 2, "--out", tmp_path, "--quiet")
    assert done.exit_code == 0, done.output
    (folder,) = tmp_path.iterdir()
    arms = set(load_result(folder / "result.json").frame()["arm"])
    assert {"DiffLM", "frozen model alone", "real rows"} <= arms


# --- a real model in four bits --------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_the_papers_path_runs_in_nf4_on_smollm2(method, data, table, tmp_path):
    if cached("smollm2") is None:
        pytest.skip("smollm2 is not in the cache: run `synthkit get-model smollm2`")
    rows = table if method == "difflm" else data
    asked = (method, "--scale", "paper", "--model", "smollm2", "--bits", 4, "--data", rows)
    done = reproduce(*asked, "--limit", 1, "--out", tmp_path, "--quiet")
    assert done.exit_code == 0, done.output
    (folder,) = tmp_path.iterdir()
    result = load_result(folder / "result.json")
    assert result.model["bits"] == 4 and result.scale == "paper" and result.preset["limit"] == 1
    assert f"{result.preset['method']}" == "paper"


def test_rows_that_hold_lists_are_no_table(tmp_path):
    nested = write_jsonl(tmp_path / "tools.jsonl", [{"id": i, "function": [i]} for i in range(20)])
    with pytest.raises(ValueError, match=r"function hold lists.*--column text=NAME"):
        Request("difflm").module.read(nested, columns={})
