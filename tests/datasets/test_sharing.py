"""Rows that are shared: every format gives them back, and a card says where they are from."""

import json

import datasets
import pytest
import yaml

from synthkit.core.provenance import with_provenance
from synthkit.datasets import Provenance, load_table, save_dataset, write_rows
from synthkit.datasets.sharing import LIMITS, UNKNOWN

ROWS = with_provenance(
    {"text": ['first, "quoted"\nline', "zweite"], "ids": [[1, 2], []]},
    {"method": "SoftSRV", "model": "tiny", "seed": 3, "temperature": 1.0},
)
ABOUT = Provenance(
    "a|b.csv", "mit", {"preset": {"steps": 2}}, "synthkit sample softsrv -n 2", ("It drifts.",),
    "3 x copy",
)  # fmt: skip


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_rows_come_back_from_a_file_as_they_were(ending, tmp_path):
    path = write_rows(ROWS, tmp_path / f"rows.{ending}")
    builder = {"jsonl": "json"}.get(ending, ending)
    again = datasets.load_dataset(
        builder, data_files=str(path), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert again.to_list() == ROWS.to_list()


def test_lists_become_json_in_a_csv_file(tmp_path):
    frame = load_table(write_rows(ROWS, tmp_path / "rows.csv"))
    assert list(frame["text"]) == list(ROWS["text"])
    assert [json.loads(cell) for cell in frame["ids"]] == list(ROWS["ids"])


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\.jsonl, \.csv, \.parquet, or into a folder.*rows\.xls"):
        write_rows(ROWS, tmp_path / "rows.xls")
    assert not list(tmp_path.iterdir())


def test_a_folder_is_read_by_load_dataset_and_its_card_tells_the_provenance(tmp_path):
    folder = save_dataset(ROWS, tmp_path / "mine", ABOUT)
    again = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    assert again.to_list() == ROWS.to_list()
    _, head, body = (folder / "README.md").read_text().split("---\n", 2)
    facts = yaml.safe_load(head)
    assert facts["tags"] == ["synthetic", "synthkit", "softsrv"]
    assert facts["size_categories"] == ["n<1K"] and facts["pretty_name"] == "mine"
    for told in (
        "| method | SoftSRV |", "| model that wrote the rows | tiny |", "| seeds | 3 |",
        "| turned away | 3 x copy |", "a\\|b.csv", "| licence of the real data | mit |",
        '{"preset": {"steps": 2}}', "`synthkit sample softsrv -n 2`", "- `text`", "- It drifts.",
        *(f"- {limit}" for limit in LIMITS),
    ):  # fmt: skip
        assert told in body


def test_an_unknown_licence_is_said_and_no_licence_is_made_up(tmp_path):
    text = (save_dataset(ROWS, tmp_path / "mine") / "README.md").read_text()
    assert UNKNOWN in text and "license:" not in text
