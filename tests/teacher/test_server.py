"""Teachers for real: `transformers serve` on loopback with SmolLM2, asked by the methods."""

import os
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest
from contract.methods import METHODS
from tiny import tiny_lm
from transformers.utils import import_utils

from synthkit import load_lm, load_world
from synthkit.core.files import read_jsonl
from synthkit.lm.catalogue import cached
from synthkit.teacher import HTTPTeacher, TeacherError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not getattr(import_utils, "is_serve_available", bool)(),
        reason="needs pip install 'transformers[serving]', of a release that can serve",
    ),
    pytest.mark.skipif(
        cached("smollm2") is None, reason="needs a model: synthkit get-model smollm2"
    ),
]
WAIT = 300  # seconds that a server may take to start


class Served:
    """`transformers serve` in a process of its own; `start` after `kill` takes the same port."""

    def __init__(self):
        self.model = str(cached("smollm2"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = None

    def start(self):
        """Start it and wait until it answers."""
        options = {"host": "127.0.0.1", "port": self.port, "device": "cpu", "dtype": "float32"}
        flags = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        command = [sys.executable, "-m", "transformers.cli.transformers", "serve", self.model]
        self.process = subprocess.Popen(
            [*command, *flags], env=os.environ | {"HF_HUB_OFFLINE": "1"}, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + WAIT
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if httpx.get(f"http://127.0.0.1:{self.port}/health", timeout=2).is_success:
                    return
            except httpx.HTTPError:
                time.sleep(0.3)
        raise AssertionError(f"the server did not start (exit status {self.process.poll()})")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def teacher(self, **options):
        options = {"max_tokens": 32, "concurrency": 2, "timeout": 120.0} | options
        return HTTPTeacher(self.model, f"http://127.0.0.1:{self.port}/v1", **options)


@pytest.fixture(scope="module")
def server():
    served = Served()
    served.start()
    yield served
    served.kill()


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lm")
    return load_lm(tiny_lm(folder, "llama", num_hidden_layers=1, max_position_embeddings=512))


def fitted(name, lm, teacher, **options):
    case = METHODS[name]
    made = case.kind(lm if case.model else None, **{**case.options, "teacher": teacher, **options})
    reviews = load_world("reviews").rows(24, seed=0)  # whose words the model uses too
    return made.fit(reviews if name == "SynAlign" else case.rows)


@pytest.mark.parametrize("name", ["EmbedSDG", "SoftSRV", "SynAlign"])
def test_a_method_runs_with_a_served_model(name, server, lm):
    """Every answer is used or counted with the reason why not."""
    short = {"max_tokens": 48, "stop": [".", "!"]}  # a sentence, which is not cut
    teacher = server.teacher(**(short if name == "SynAlign" else {"max_tokens": 200}))
    options = {"drop": ()} if name == "SoftSRV" else {}
    method = fitted(name, lm, teacher, **options)
    start = time.perf_counter()
    rows = method.sample(10 if name == "SynAlign" else 4)
    took = time.perf_counter() - start
    usage = teacher.usage
    print(f"{name}: {len(rows)} rows, {usage}, {usage.completion_tokens / took:.0f} tokens/s")
    assert usage.requests >= 4 and usage.failed == 0 and usage.completion_tokens > 4
    assert len(rows) + sum(method.report.rejected.values()) >= 4, method.report
    if name == "SynAlign":
        assert len(rows) > 0 and all(row["text"].strip() for row in rows)
    if name == "SoftSRV":
        answered = sum(bool(answer) for answer in rows["answer"])
        assert len(rows) == 4 and (answered or usage.cut)  # a cut answer is none


@pytest.mark.parametrize("name", ["EmbedSDG", "SynAlign"])
def test_a_server_that_dies_loses_no_answer(name, server, lm, tmp_path):
    path = tmp_path / "answers.jsonl"

    def kept():
        return [row["entry"] for row in read_jsonl(path, tolerate_torn=True) if "entry" in row]

    def kill_after_three():
        while not (path.exists() and len(kept()) >= 3):
            time.sleep(0.05)
        server.kill()

    teacher = server.teacher(retries=1, backoff=0.1)
    method = fitted(name, lm, teacher)
    killer = threading.Thread(target=kill_after_three, daemon=True)
    killer.start()
    with pytest.raises(TeacherError, match=r"stopped .* answers are safe in answers\.jsonl"):
        method.sample(10, checkpoint=path)
    killer.join(WAIT)
    before = kept()
    assert len(before) >= 3
    server.start()
    again = server.teacher()
    method.teacher = again
    method.sample(10, checkpoint=path)
    assert again.usage.requests + len(before) == len(kept())  # nothing was asked twice
    assert kept()[: len(before)] == before
