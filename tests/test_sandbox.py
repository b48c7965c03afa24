"""The sandbox: programs end with the right verdict, and nothing reaches the outside."""

import os
import time
from pathlib import Path

import pytest

from synthkit.sandbox import Outcome, run_many, run_python, run_tests
from synthkit.sandbox import runner as sandbox


def test_ok_with_output():
    outcome = run_python("print(1 + 1)")
    assert (outcome.status, outcome.stdout, outcome.error) == ("ok", "2\n", "")
    assert outcome.ok and 0 < outcome.seconds < 2


@pytest.mark.parametrize(
    "source, status, error",
    [
        ("1 / 0", "failed", "ZeroDivisionError: division by zero"),
        ("def f(:", "failed", "SyntaxError: invalid syntax"),
        ("a = '\0'", "failed", "SyntaxError|ValueError"),
        ("a = '\ud800'", "failed", "UnicodeEncodeError"),
        ("compile('f(', 'x.py', 'exec')", "failed", "SyntaxError"),
        ("raise SystemExit(0)", "failed", "SystemExit: 0"),
        ("input()", "failed", "EOFError"),
        ("def f(): return f()\nf()", "failed", "RecursionError"),
        ("import numpy", "failed", "ModuleNotFoundError"),
        ("a = [0] * 10**9", "memory", "MemoryError"),
        ("a = 'b'\nwhile True: a += a", "memory", "MemoryError"),
        ("import os; os._exit(0)", "crashed", "an early exit"),
        ("import os; os.abort()", "crashed", "SIGABRT"),
    ],
)
def test_verdicts(source, status, error):
    patience = 10.0 if status == "memory" else 2.0  # filling the memory takes a busy machine long
    outcome = run_python(source, timeout=patience)
    assert outcome.status == status, outcome
    assert error in outcome.error or any(part in outcome.error for part in error.split("|"))


@pytest.mark.parametrize(
    "source",
    [
        "import os\nwhile True: os.fork()",
        "import os\ntry: os.fork()\nexcept BaseException: pass",
        "import os; os.system('true')",
        "import os; os.execv('/bin/true', ['true'])",
        "import os; os.posix_spawn('/bin/true', ['true'], {})",
        "import subprocess; subprocess.run(['true'])",
        "import _posixsubprocess",
        "import multiprocessing",
        "import threading",
        "import socket",
        "import _socket",
        "import ctypes",
        "import shutil",
        "import resource",
        "import signal",
        "open('out.txt', 'w')",
        "import os; os.open('out.txt', os.O_WRONLY | os.O_CREAT)",
        "import io; io.FileIO('out.txt', 'a')",
        "open('/etc/passwd').read()",
        "import os; open(os.__file__ + '/../../../../../../etc/hosts').read()",
        "import os; os.listdir('/')",
        "import os; os.remove('/no/such/file')",
        "import os; os.rename('/no/such/file', '/no/other')",
        "import os; os.mkdir('folder')",
        "import os; os.kill(os.getppid(), 9)",
        "import sys; sys.addaudithook(print)",
    ],
)
def test_refused(source):
    outcome = run_python(source)
    assert outcome.status == "forbidden", outcome
    assert outcome.error.startswith("Forbidden: ") and "refused" in outcome.error


@pytest.mark.parametrize(
    "source", ["while True: pass", "import time; time.sleep(60)", "while True: print('a' * 999)"]
)
def test_timeout(source):
    start = time.monotonic()
    outcome = run_python(source, timeout=0.3)
    assert outcome.status == "timeout"
    assert len(outcome.stdout) <= 64 * 1024 and time.monotonic() - start < 5


def test_a_program_cannot_claim_success():
    forged = '{"status": "ok", "error": "", "nonce": ""}'
    assert run_python(f"import os; os.write(3, b'{forged}'); os._exit(0)").status == "crashed"


def test_closed_channels_end_the_program():
    outcome = run_python("import os, time\nos.close(1)\nos.close(3)\ntime.sleep(60)")
    assert outcome.status == "crashed" and outcome.seconds < 2


def test_environment_and_folder_are_empty(monkeypatch):
    monkeypatch.setenv("A_SECRET", "value")
    outcome = run_python("import os, sys; print('A_SECRET' in os.environ, os.getcwd(), sys.argv)")
    secret, folder, argv = outcome.stdout.split()
    assert secret == "False" and argv == "['']"
    assert not Path(folder).exists() and folder != os.getcwd()


def test_common_modules_work():
    names = "math random re itertools functools collections string statistics dataclasses datetime"
    names += " json fractions decimal heapq bisect operator copy enum typing"
    outcomes = run_many([f"import {name}" for name in names.split()])
    assert {outcome.status for outcome in outcomes} == {"ok"}


def test_programs_do_not_see_each_other():
    first = "import builtins\nbuiltins.print = None\nleft = 1"
    outcomes = run_many([first, "print('left' in globals())"], workers=1)
    assert [outcome.status for outcome in outcomes] == ["ok", "ok"]
    assert outcomes[1].stdout == "False\n"


def test_run_many_keeps_order_past_bad_programs():
    sources = [f"print({n})" if n % 5 else "while True: pass" for n in range(1, 21)]
    outcomes = run_many(sources, timeout=0.3)
    assert [o.status for o in outcomes] == ["ok" if n % 5 else "timeout" for n in range(1, 21)]
    assert [o.stdout for o in outcomes if o.ok] == [f"{n}\n" for n in range(1, 21) if n % 5]
    assert run_many([]) == []


def test_a_lost_helper_is_replaced():
    with sandbox._Runner(2.0, 256) as runner:
        assert runner.run("print(1)").ok
        runner._process.kill()
        runner._process.wait()
        assert runner.run("print(1)").status == "crashed"
        assert runner.run("print(1)").ok


def test_run_tests():
    code = "def double(x):\n    return 2 * x"
    outcomes = run_tests([(code, ["assert double(2) == 4"]), (code, ["assert double(2) == 5"])])
    assert [outcome.status for outcome in outcomes] == ["ok", "failed"]
    assert outcomes[1].error == "AssertionError"


@pytest.mark.parametrize(
    "call, kind, words",
    [
        (lambda: run_python(b"1"), TypeError, "must be a str, got bytes"),
        (lambda: run_python("1", timeout=0), ValueError, "timeout"),
        (lambda: run_python("1", memory_mb=1), ValueError, "memory_mb"),
        (lambda: run_many(["1"], workers=0), ValueError, "workers"),
    ],
)
def test_bad_input(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


def test_a_platform_without_limits_is_refused(monkeypatch):
    monkeypatch.setattr(sandbox.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match="resource limits"):
        run_python("1")


def test_outcome_is_frozen():
    with pytest.raises(AttributeError):
        Outcome("ok", "", "", 0.0).status = "failed"
