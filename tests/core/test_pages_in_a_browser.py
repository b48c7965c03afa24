"""Pages that the kit writes, in a browser: accessible by axe's rules, no error, nothing fetched."""

import itertools

import chromium
import pytest

from synthkit import evaluate
from synthkit.studies.recorded import report
from synthkit.worlds import load_world

LOOKS = list(itertools.product((390, 1280), ("light", "dark")))


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The report of a recorded study, with its figures, and that of `evaluate`."""
    folder = tmp_path_factory.mktemp("pages")
    report(["synalign-study", "softsrv-smollm2"], folder / "report.html")
    world = load_world("math")
    real, other = (world.sample(80, seed=seed) for seed in (0, 1))
    evaluate(real, other).save_page(folder / "evaluate.html")
    return folder


@pytest.fixture(scope="module")
def browser():
    with chromium.browser() as running:
        yield running


@pytest.fixture(scope="module")
def axe():
    reason = "needs axe: pip install -e '.[course]'"
    return pytest.importorskip("axe_playwright_python.sync_playwright", reason=reason).Axe()


def look(browser, address, width=1280, scheme="light"):
    """The page, and what its console and its requests said."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    told = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on(
        "request",
        lambda request: request.url.startswith(("file:", "data:")) or told.append(request.url),
    )
    page.goto(address)
    return page, told


@pytest.mark.browser
@pytest.mark.parametrize("name", ["report.html", "evaluate.html"])
def test_a_page_breaks_no_rule_of_axe_and_fetches_nothing(pages, browser, axe, name):
    for width, scheme in LOOKS:
        page, told = look(browser, (pages / name).as_uri(), width, scheme)
        found = axe.run(page)
        rules = [
            (each["id"], each["nodes"][0]["html"][:200]) for each in found.response["violations"]
        ]
        assert not rules and not told, f"{name}, {width} pixels, {scheme}: {rules} {told}"
        page.close()


@pytest.mark.browser
def test_axe_finds_what_a_page_lacks(browser, axe, tmp_path):
    (tmp_path / "poor.html").write_text(
        "<html><img src='data:,'><p style='color:#ddd'>Pale words</p></html>"
    )
    page, _ = look(browser, (tmp_path / "poor.html").as_uri())
    found = {each["id"] for each in axe.run(page).response["violations"]}
    assert {"html-has-lang", "image-alt", "color-contrast"} <= found
