"""A lesson in JupyterLab, in a real browser: all cells run, and an exercise answers back."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import chromium
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(600)]
ROOT = Path(__file__).resolve().parents[2]
LESSON = "02_worlds"  # no model, and a figure
EXERCISE = '("02.1", enough)'
SETTINGS = {  # without these, dialogs stand before the page
    "notebook-extension/tracker": {"autoStartDefaultKernel": True, "windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
PATIENCE = 120_000  # milliseconds that a busy machine may take for a step


@pytest.fixture(scope="module")
def browser():
    pytest.importorskip("jupyterlab", reason="needs JupyterLab: pip install -e '.[lessons]'")
    with chromium.browser() as running:
        yield running


@pytest.fixture(scope="module")
def server(browser, tmp_path_factory):
    """The address of a JupyterLab on loopback whose files are copies, and its token."""
    folder = tmp_path_factory.mktemp("jupyterlab")
    (folder / "nbs").mkdir()
    shutil.copy(ROOT / "nbs" / f"{LESSON}.ipynb", folder / "nbs")
    for name, values in SETTINGS.items():
        path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("MPLBACKEND", None)  # the kernel's own shows figures
    places = {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
              "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data",
              "JUPYTER_RUNTIME_DIR": "runtime", "IPYTHONDIR": "ipython"}  # fmt: skip
    environment |= {name: str(folder / place) for name, place in places.items()}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
             f"--port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}",
             "--expose-app-in-browser", f"--ServerApp.root_dir={folder / 'nbs'}"],
            cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        wait_for(f"http://127.0.0.1:{port}/api/status?token={token}", process, folder / "log")
        yield f"http://127.0.0.1:{port}", token
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def wait_for(address, process, log):
    for _ in range(240):
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            return urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"no server after 120 seconds: {log.read_text()[-2000:]}")


@pytest.fixture(scope="module")
def page(browser, server):
    """The lesson in JupyterLab, all cells run, and a list of what went wrong on the page."""
    address, token = server
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE)
    page.wrong = []
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("requestfailed", lambda request: page.wrong.append(f"failed: {request.url}"))
    page.goto(f"{address}/lab/tree/{LESSON}.ipynb?token={token}")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    page.evaluate("jupyterapp.shell.currentWidget.context.sessionContext.ready")
    # Here, since each test may run in a process of its own.
    page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
    return page


def cell_of(page, text):
    """The code cell that holds a text."""
    return page.locator(".jp-CodeCell").filter(has_text=text).first


def answer(page, source, reply):
    """Write an answer into the exercise's cell as a student does, and wait for the reply."""
    cell = cell_of(page, EXERCISE)
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(source)
    page.keyboard.press("Control+Enter")
    cell.locator(".jp-OutputArea-output", has_text=reply).wait_for()


def test_all_cells_run_and_the_figure_is_seen(page, tmp_path):
    prompts = page.locator(".jp-CodeCell .jp-InputPrompt").all_inner_texts()
    assert len(prompts) > 20
    assert [text for text in prompts if not text.strip("[]: \n").isdigit()] == []
    assert page.locator("[data-mime-type='application/vnd.jupyter.error']").count() == 0
    figure = page.locator(".jp-OutputArea-output img").first
    figure.scroll_into_view_if_needed()
    assert figure.evaluate("image => image.complete && image.naturalWidth > 300")
    shown = page.screenshot(path=os.environ.get("SYNTHKIT_SCREENSHOT", tmp_path / "lesson.png"))
    assert len(shown) > 20_000


def test_an_exercise_is_answered_wrong_and_then_right(page):
    stub = cell_of(page, EXERCISE)
    stub.locator(".jp-OutputArea-output", has_text="not answered yet").wait_for()
    answer(page, 'enough = 40\n\ncheck("02.1", enough)', "too few")
    assert "right." not in stub.locator(".jp-OutputArea-output").inner_text()
    answer(page, 'enough = 828\n\ncheck("02.1", enough)', "02.1: right.")


def test_nothing_went_wrong_on_the_page(page):
    assert page.wrong == []
    assert page.locator(".jp-Dialog").count() == 0
