"""The page of a report: what a reader of any kind needs, checked without a browser."""

import errno
import itertools
import os
import re
from html.parser import HTMLParser

import pytest

from synthkit.core.intervals import Interval, no_interval
from synthkit.core.page import STYLE
from synthkit.evaluation.measure import Measure
from synthkit.evaluation.page import svg
from synthkit.evaluation.report import Report

VOID = {"meta", "link", "img", "circle", "path", "line"}
ROWS = (
    Measure("fidelity", "a < b", "0 = same", Interval(0.5, 0.4, 0.6, 9), Interval(0.1, 0, 0.2, 9)),
    Measure("fidelity", "p", "small = differ", no_interval(0.001, 9), no_interval(0.4, 9), 3),
    Measure("novelty", "copies", "share", Interval(0, 0, 0, 9), Interval(0, 0, 0, 9)),
)
REPORT = Report(ROWS, ("Small & noted.",), "texts", 40, 30, 20, "random halves", 10)


class Page(HTMLParser):
    """The elements of a page in order, with what they hold."""

    def __init__(self, text):
        super().__init__()
        self.found, self.open, self.words = [], [], {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs), tuple(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs), tuple(self.open)))

    def handle_data(self, data):
        if self.open:
            self.words.setdefault(self.open[-1], []).append(data.strip())

    def all(self, *tags):
        return [attrs for tag, attrs, _ in self.found if tag in tags]


@pytest.fixture
def page(tmp_path):
    return Page(REPORT.save_page(tmp_path / "page.html").read_text())


def test_the_page_has_language_title_one_heading_and_no_level_left_out(page):
    assert not page.open and page.all("html") == [{"lang": "en"}]
    assert page.words["title"][0] and len(page.all("h1")) == len(page.all("main")) == 1
    levels = [int(tag[1]) for tag, _, _ in page.found if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and all(b <= a + 1 for a, b in itertools.pairwise(levels))


def test_the_page_stands_alone(page):
    assert not page.all("script", "img", "iframe", "form")
    addresses = [
        value for _, attrs, _ in page.found for name, value in attrs.items()
        if name in ("src", "href", "action")
    ]  # fmt: skip
    assert addresses == ["data:,"] and "url(" not in STYLE and "@import" not in STYLE
    assert not any(name.startswith("on") for _, attrs, _ in page.found for name in attrs)


def test_tables_and_drawings_can_be_heard(page):
    assert len(page.all("table")) == len(page.all("caption")) == 1
    scopes = [attrs["scope"] for attrs in page.all("th")]
    assert scopes == ["col"] * 6 + ["row"] * len(ROWS)
    drawings = page.all("svg")
    assert len(drawings) == 2 and all(attrs["role"] == "img" for attrs in drawings)
    assert page.words["desc"][0].startswith("a < b: synthetic 0.50 [0.40, 0.60], real 0.10")
    wide = [attrs for attrs in page.all("div") if attrs["class"] == "wide"]
    assert len(wide) == 1 and wide[0]["tabindex"] == "0" and wide[0]["aria-label"]


def test_the_page_says_what_is_apart_and_what_to_know(page):
    assert page.words["strong"] == ["1 of 3 measures are apart from real data: a < b."]
    assert page.words["li"] == ["Small & noted."]
    assert "0.001 (no interval)" in page.words["td"]


def luminance(colour):
    wide = "".join(c * 2 for c in colour[1:]) if len(colour) == 4 else colour[1:]
    shares = [int(wide[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [x / 12.92 if x <= 0.03928 else ((x + 0.055) / 1.055) ** 2.4 for x in shares]
    return sum(w * x for w, x in zip((0.2126, 0.7152, 0.0722), linear))


def test_every_colour_is_readable_on_every_ground_light_dark_and_printed():
    themes = [dict(re.findall(r"--(\w+): (#\w+)", part)) for part in STYLE.split(":root")[1:]]
    assert len(themes) == 3
    for theme in themes:
        for name, least in (
            ("ink", 7), ("soft", 4.5), ("rule", 3), ("synthetic", 4.5), ("real", 4.5),
        ):  # fmt: skip
            for ground in ("paper", "band"):
                high, low = sorted((luminance(theme[name]), luminance(theme[ground])))[::-1]
                assert (high + 0.05) / (low + 0.05) >= least, (name, ground)


def test_a_drawing_marks_both_sides_and_keeps_shares_off_negative_numbers():
    drawn = Page(svg(ROWS))
    assert len(drawn.all("circle")) == len(drawn.all("path")) == len(ROWS)
    assert all(float(word) >= 0 for word in drawn.words["text"] if re.fullmatch(r"[-.\d]+", word))
    xs = [float(attrs[x]) for attrs in drawn.all("line") for x in ("x1", "x2")]
    assert 0 <= min(xs) and max(xs) <= 360
    assert "<svg" in REPORT.plot()._repr_html_()


@pytest.mark.parametrize("write", ["save_page", "save_json"])
def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch, write):
    path = tmp_path / "report"
    path.write_text("old")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"disk is full.*the old file is untouched"):
        getattr(REPORT, write)(path)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
