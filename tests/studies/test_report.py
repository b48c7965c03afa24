"""What a report prints and the page it writes: whole words, few columns, nothing lost."""

import itertools
import re

import pandas as pd
import pytest
from evaluation.test_page import Page

from synthkit.core.page import document, picture
from synthkit.studies.registry import RECORDED, load_study
from synthkit.studies.report import MOST, WIDTH, print_table, show
from synthkit.studies.results import load_result

LABEL = "DiffLM, latents of training rows"


def lines(capsys):
    return capsys.readouterr().out.splitlines()


def wide_frame(columns):
    return pd.DataFrame({f"long heading {i}": ["0.123 [0.001, 0.245]"] for i in range(columns)},
                        index=pd.Index([LABEL], name="arm"))  # fmt: skip


@pytest.mark.parametrize(("columns", "left"), [(2, 0), (3, 1), (9, 7)])
def test_a_table_has_the_columns_that_fit_whole_and_counts_the_others(columns, left, capsys):
    print_table(wide_frame(columns), "A title", ("A note.",), most=MOST)
    shown = lines(capsys)
    assert max(map(len, shown)) <= WIDTH and any(LABEL in line for line in shown)
    assert not any("…" in line for line in shown)
    told = [line for line in shown if "on the page" in line]
    assert told == ([f"{left} more column{'s' * (left > 1)} on the page."] if left else [])


def test_without_a_page_no_column_is_left_out(capsys):
    print_table(wide_frame(3), "A title")
    assert any("long heading 2" in line for line in lines(capsys))


@pytest.fixture(scope="module")
def spa(tmp_path_factory):
    """The recorded study of SPA, shown: its folder and its page."""
    out = tmp_path_factory.mktemp("spa")
    show(load_study("spa"), load_result("spa-study"), out)
    return out


def test_the_page_of_a_run_is_whole_and_can_be_heard(spa):
    text = (spa / "index.html").read_text()
    page = Page(text)
    levels = [int(tag[1]) for tag, _, _ in page.found if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and all(b <= a + 1 for a, b in itertools.pairwise(levels))
    assert not page.all("script", "iframe") and all(
        attrs["src"].startswith("data:image/svg+xml;base64,") for attrs in page.all("img")
    )
    heard = [attrs["alt"] for attrs in page.all("img")]
    assert len(heard) == 3 and "influence 5.72" in heard[0] and "random parts 1.69" in heard[0]
    ids = [attrs["id"] for _, attrs, _ in page.found if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {"ARI mode", "ARI topic", "KL"} <= set(page.words["th"])  # left out on the screen
    assert "Parts by influence give more diverse answers than random parts." in page.words["td"]


@pytest.mark.parametrize("name", RECORDED)
def test_a_run_is_told_in_one_line_with_its_verdict(name, tmp_path, capsys):
    line = show(load_study(RECORDED[name]), load_result(name), tmp_path).headline
    assert line.method == RECORDED[name] and line.lesson.isdigit() and line.paper.endswith(".")
    assert re.search(r"\[.*\], n=\d \((supported|refuted|undecided)\)$", line.seen)
    shown = lines(capsys)
    assert max(map(len, shown)) <= WIDTH and not any("…" in line for line in shown)


def test_what_a_page_is_told_cannot_become_a_part_of_it():
    text = document("<b>", picture(b"<svg/>", '"><script>', 10))
    assert "<script>" not in text and "&lt;b&gt;" in text
