"""Real sets by path or by hub name.

A path is read from the disk and nothing is downloaded; a hub name goes through the `datasets`
library. Each `load_...` returns a `datasets.Dataset`, `load_table` a `pandas.DataFrame`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.files import read_json, read_jsonl
from .containers import columns_of, need_rows
from .files import FORMATS, lines, local_file
from .normalise import normalise_number
from .reading import read_rows
from .tool_schemas import tools_in
from .validation import as_dataset, bad_rows, check_texts, is_blank, need_columns, to_dataset

if TYPE_CHECKING:
    import pandas as pd
    from datasets import Dataset


HUB = {  # short name -> name and configuration on the Hugging Face hub
    "gsm8k": ("openai/gsm8k", "main"),
    "mbpp": ("google-research-datasets/mbpp", "full"),
    "asdiv": ("EleutherAI/asdiv", "asdiv"),
    "sst2": ("stanfordnlp/sst2", None),
    "ag_news": ("fancyzhx/ag_news", None),
}
ONLY_SPLIT = {"EleutherAI/asdiv": "validation"}  # of sets that are not split on the hub
# Columns of rows from the hub where the sets' own files have others.
AS_IN_FILES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "EleutherAI/asdiv": lambda row: {**row, "question": f"{row['body']} {row['question']}".strip()},
    "stanfordnlp/sst2": lambda row: {"text": row["sentence"].strip(), "label": row["label"]},
}

_ONE_NUMBER = re.compile(r"(-?[\d,]*\.?\d+)(?:\s*\(.*\))?")  # and a unit: "9 (apples)"


def load_texts(
    source: str | Path | pd.DataFrame | Dataset | Sequence,
    text: str = "text",
    label: str | None = None,
) -> Dataset:
    """Texts, with a label each where one is asked for, from a file or from data in memory.

    Args:
        source: a csv, tsv, jsonl, json or txt file (one text a line), a DataFrame, a Dataset, or a
            list of dictionaries or of strings.
        text: the column that holds the texts.
        label: the column that holds the labels; labels that are all whole numbers become int.

    Returns:
        Dataset with `text`, and `label` where it was asked for.

    Raises:
        FileNotFoundError, TypeError: there is no such file; `source` is nothing that can be read.
        ValueError: a file that cannot be read, no rows, a column that is not there, or rows
            without text: how many, and the first one's number, from 0.
    """
    if isinstance(source, (str, Path)):
        source = read_rows(local_file(source))
    table = columns_of(source)
    wanted = {"text": text} | ({"label": label} if label is not None else {})
    need_columns(list(table), wanted.values())
    picked = {name: list(table[column]) for name, column in wanted.items()}
    need_rows(len(picked["text"]))
    check_texts(picked["text"], text)
    if label is not None:
        blank = [i for i, value in enumerate(picked["label"]) if is_blank(value)]
        if blank:
            raise ValueError(bad_rows(label, blank, picked["label"], "a label"))
        picked["label"] = _whole_numbers(picked["label"])
    return to_dataset(picked)


# --- known sets ---------------------------------------------------------------------------------


def load_questions(
    path_or_name: str | Path, *, split: str = "train", limit: int | None = None
) -> Dataset:
    """Questions with worked answers: GSM8K, or any file with `question` and `answer`.

    Args:
        path_or_name: a file, a folder that holds `<split>.jsonl`, or a hub name ("gsm8k",
            "openai/gsm8k").
        split: the split of a folder or of a set on the hub; a file is one split already.
        limit: keep only the first `limit` rows.

    Returns:
        Dataset with `question`, `answer` and `final`, the number after "####" (see
        `normalise_number`), None where an answer ends in none.

    Raises:
        ConnectionError: the hub could not be reached.
        FileNotFoundError, ValueError: see `load_texts`.
    """
    rows = _first(read_set(path_or_name, split), limit)
    table = as_dataset(rows, "question", "answer")
    answers = list(table["answer"])
    finals = [_final(answer) for answer in answers]
    return to_dataset({"question": list(table["question"]), "answer": answers, "final": finals})


def read_set(path_or_name: str | Path, split: str = "train") -> list[dict[str, Any]]:
    """The rows of a file, of a folder's `<split>.jsonl`, or of a set on the hub, as they are.

    Raises:
        ConnectionError: the hub could not be reached.
        FileNotFoundError, ValueError: there is no such file, or it cannot be read.
    """
    path, name = Path(path_or_name), str(path_or_name)
    if path.is_dir() and (path / f"{split}.jsonl").is_file():
        path = path / f"{split}.jsonl"
    known: dict[str, tuple] = HUB | {hub: (hub, config) for hub, config in HUB.values()}
    hub_like = re.fullmatch(r"[\w-]+/[\w.-]+", name) and path.suffix.lower() not in FORMATS
    if path.exists() or not (name in known or hub_like):
        return read_rows(local_file(path))
    hub, config = known.get(name, (name, None))
    return _from_hub(hub, config, split)


def load_mbpp(
    path_or_name: str | Path, *, split: str = "train", limit: int | None = None
) -> Dataset:
    """Short Python tasks: MBPP from a file or from the hub ("mbpp"; its `full` configuration).

    Returns:
        Dataset with `prompt`, `code` (line ends LF, tabs kept) and `tests` (a list of assert
        statements; a set-up that the task needs comes first).

    Raises:
        ConnectionError, FileNotFoundError, ValueError: see `load_questions`.
    """
    rows = _first(read_set(path_or_name, split), limit)
    named = [{**row, "prompt": row.get("prompt", row.get("text"))} for row in rows]
    as_dataset([{k: row.get(k) for k in ("prompt", "code")} for row in named], "prompt", "code")
    for i, row in enumerate(named):
        if not row.get("test_list"):
            raise ValueError(f"row {i} (from 0) has no 'test_list'; found {', '.join(rows[i])}")
    columns = {name: [_lf(row[name]) for row in named] for name in ("prompt", "code")}
    return to_dataset({**columns, "tests": [_tests(row) for row in named]})


def load_clinc150(path: str | Path, *, split: str = "train") -> Dataset:
    """Intents in ten domains: CLINC150's `data_full.json` or `data_small.json`.

    Args:
        path: the JSON file; the `domains.json` beside it, where there is one, names the domains.
        split: train, val or test.

    Returns:
        Dataset with `text`, `label` (the intent) and `domain` ("" without `domains.json`).

    Raises:
        ValueError: no such split (the message names those there are), or not that shape.
    """
    path = local_file(path)
    splits, beside = read_json(path), path.with_name("domains.json")
    if not isinstance(splits, dict) or split not in splits:
        found = ", ".join(splits) if isinstance(splits, dict) else type(splits).__name__
        raise ValueError(f"{path.name} has no split {split}; found {found}")
    domains = read_json(beside) if beside.is_file() else {}
    domain_of = {intent: name for name, intents in domains.items() for intent in intents}
    pairs = splits[split]
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise ValueError(f"{path.name}: every example must be a pair [text, intent]")
    rows = [
        {"text": text, "label": label, "domain": domain_of.get(label, "")} for text, label in pairs
    ]
    return as_dataset(rows, "text", "label")


def load_asdiv(path: str | Path) -> Dataset:
    """Short word problems with worked answers: ASDiv as JSON Lines (`question, answer, formula`).

    An answer is the formula and, under it, "#### " and its number. Problems without a formula or
    with another answer than one number (names, times, pairs) are left out.

    Returns:
        Dataset with `question`, `answer`, `final` and `type` (of the solution, "" if unknown).

    Raises:
        ValueError: no row with these columns is left.
    """
    rows = []
    for row in read_jsonl(local_file(path)):
        number = _ONE_NUMBER.fullmatch(str(row.get("answer", "")).strip())
        formula, final = str(row.get("formula", "")), number and normalise_number(number[1])
        if "=" in formula and final is not None:
            answer = f"{formula}\n#### {final}"
            about = {"final": final, "type": row.get("type", "")}
            rows.append({"question": row.get("question"), "answer": answer, **about})
    if not rows:
        raise ValueError(f"{Path(path).name} has no row with a question, a formula and one number")
    return as_dataset(rows, "question", "answer")


def load_sentiment(path: str | Path) -> Dataset:
    """Sentences with their sentiment: one a line, the text, a tab, then 0 or 1.

    Returns:
        Dataset with `text` and `label` (int: 1 is positive).

    Raises:
        ValueError: a line that does not end in a tab and 0 or 1 (its number, from 1).
    """
    path, rows = local_file(path), []
    for number, line in enumerate(lines(path), start=1):
        text, _, label = line.rpartition("\t")
        if line.strip() and (not text.strip() or label.strip() not in ("0", "1")):
            raise ValueError(
                f"{path.name}, line {number}: needs a text, a tab and 0 or 1; found {line[:80]!r}"
            )
        if line.strip():
            rows.append({"text": text.strip(), "label": int(label)})
    return as_dataset(rows, "text")


def load_self_instruct(path: str | Path) -> Dataset:
    """Instructions with answers, the Self-Instruct JSON Lines: one row an instance of a task.

    Returns:
        Dataset with `id`, `instruction`, `input` ("" where a task has none) and `output`.

    Raises:
        ValueError: a line without an instruction and instances, or an instance without an output.
    """
    path, rows = local_file(path), []
    for number, task in enumerate(read_jsonl(path), start=1):
        if not isinstance(task.get("instances"), list) or "instruction" not in task:
            raise ValueError(
                f"{path.name}, task {number}: needs 'instruction' and a list 'instances'; "
                f"found {', '.join(task)}"
            )
        head = {"id": str(task.get("id", number)), "instruction": task["instruction"]}
        rows += [
            {**head, "input": each.get("input", ""), "output": each.get("output")}
            for each in task["instances"]
        ]
    return as_dataset(rows, "instruction", "output")


def load_tool_schemas(path: str | Path) -> Dataset:
    """Tools as JSON: BFCL (JSON Lines behind `.json`), ToolAlpaca, or tools in the kit's own shape.

    The types of BFCL become those of JSON Schema, `dict` to `object` and so on; a tool that occurs
    twice is kept once. ToolAlpaca's operations are read from their OpenAPI documents; its list of
    public services has names and descriptions only, and their text has no `parameters`.

    Returns:
        Dataset with `text` (compact JSON: name, description, parameters), `name`, `description` and
        `category` ("" where the file gives none).

    Raises:
        ValueError: nothing in the file is a tool.
    """
    path = local_file(path)
    rows: dict[str, dict[str, str]] = {}
    for record in read_rows(path):
        for tool, category in tools_in(record):
            text = json.dumps(tool, ensure_ascii=False, separators=(",", ":"))
            about = {"name": tool["name"], "description": tool["description"]}
            rows.setdefault(text, {"text": text, **about, "category": category})
    if not rows:
        raise ValueError(
            f"no tool in {path.name}: records need 'function' (BFCL), 'Documentation' or 'API' "
            "(ToolAlpaca), or 'name' and 'parameters'"
        )
    return as_dataset(list(rows.values()), "text", "name")


def _from_hub(name: str, config: str | None, split: str) -> list[dict[str, Any]]:
    import datasets

    try:
        rows = datasets.load_dataset(name, config, split=ONLY_SPLIT.get(name, split)).to_list()
    except Exception as error:  # the hub's client raises some twenty kinds
        reason = (str(error).strip().splitlines() or [""])[0]
        raise ConnectionError(
            f"could not load {name!r} (split {split!r}) from the Hugging Face hub: "
            f"{type(error).__name__}: {reason}. There is no local file of that name either; "
            "without a connection, give the path of the set's file"
        ) from error
    return [AS_IN_FILES[name](row) for row in rows] if name in AS_IN_FILES else rows


def _first(rows: list[dict], limit: int | None) -> list[dict]:
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    return rows[:limit]


def _whole_numbers(labels: list) -> list:
    """Labels that are all spelled as whole numbers, as int; others as they are."""
    spelled = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
    if all(isinstance(label, str) and spelled.fullmatch(label.strip()) for label in labels):
        return [int(label) for label in labels]
    return labels


def _final(answer: str) -> str | None:
    """The number after the last "####" of a GSM8K answer."""
    _, mark, tail = answer.rpartition("####")
    return normalise_number(tail.strip().partition("\n")[0]) if mark else None


def _lf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _tests(row: Mapping[str, Any]) -> list[str]:
    """The asserts of an MBPP task, after the lines that set them up."""
    before = row.get("test_setup_code") or "\n".join(row.get("test_imports") or ())
    return [_lf(test) for test in ([before] if before else []) + list(row["test_list"])]
