"""The sandbox: programs end with the right verdict, and nothing reaches the outside."""

import importlib
import os
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from sandbox import attacks

from synthkit.sandbox import run_many, run_python, run_tests
from synthkit.sandbox import runner as sandbox

confinement = importlib.import_module("synthkit.sandbox.confinement")


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


@pytest.fixture(params=["namespace", "guard"])
def level(request, monkeypatch):
    """Each level of confinement; the namespaces where the machine has them."""
    if request.param == "guard":
        monkeypatch.setattr(confinement, "_found", lambda: ("guard", None))
    elif confinement.confinement() != "namespace":
        pytest.skip("no bubblewrap here, or no namespaces for it")
    return request.param


def test_nothing_is_reached(level, tmp_path, monkeypatch):
    (tmp_path / "thesis.txt").write_text("three years")
    monkeypatch.setenv("A_SECRET", "sk-012345")
    sources = [text.format(W=tmp_path) for text in attacks.REACHES.values()]
    assert len(sources) >= 59
    found = dict(zip(attacks.REACHES, run_many(sources, workers=1)))
    heard = [
        word for word in ("three", "sk-01", "root") for o in found.values() if word in o.stdout
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    assert (tmp_path / "thesis.txt").read_text() == "three years"
    assert not heard
    refused = {name for name, outcome in found.items() if outcome.status == "forbidden"}
    assert set(found) - refused <= attacks.IN_VAIN


def test_a_refusal_cannot_be_swallowed():
    source = "import os\ntry: os.fork()\nexcept BaseException: pass"
    outcome = run_python("print(1)\n" + source)
    assert (outcome.status, outcome.stdout) == ("forbidden", "1\n")
    assert outcome.error == "Forbidden: os.fork is refused by the sandbox"


@pytest.mark.parametrize("test", ["assert add(1, 2) == 3", "assert abs(add(1, 2) - 3) < 1e-9"])
def test_no_wrong_program_passes(level, test):
    outcomes = run_tests([(code, [test]) for code in attacks.FORGES.values()], workers=1)
    assert [n for n, outcome in zip(attacks.FORGES, outcomes) if outcome.ok] == []


def test_imports_of_tests_are_the_real_ones():
    code = attacks.FORGES["math.isclose"]
    assert not run_tests([(code, ["assert math.isclose(add(1, 2), 3)"])])[0].ok


def test_bombs_end(level):
    start = time.monotonic()
    sources = [source for source, _ in attacks.BOMBS.values()]
    outcomes = run_many(sources, timeout=1.0)
    assert [o.status for o in outcomes] == [status for _, status in attacks.BOMBS.values()]
    assert max(len(o.stdout) for o in outcomes) <= 64 * 1024 and time.monotonic() - start < 20


def test_honest_programs_pass(level):
    outcomes = run_tests(attacks.HONEST, workers=1)
    wrong = [(case, o) for case, o in zip(attacks.HONEST, outcomes) if not o.ok]
    assert not wrong


def test_a_namespace_hides_everything_but_the_interpreter():
    """Even without the guard: what is run in its place sees no file, process or network."""
    if confinement.confinement() != "namespace":
        pytest.skip("no bubblewrap here, or no namespaces for it")
    temporary = str(Path(tempfile.gettempdir(), "x"))
    source = (
        "import os, socket\n"
        "print([p for p in ('/proc', '/home', '/etc/passwd', '/bin', '/sys') if os.path.exists(p)])"
        f"\ntry: open({temporary!r}, 'w')\nexcept OSError: print('read-only')\n"
        "try: socket.create_connection(('1.1.1.1', 53), 1)\nexcept OSError: print('no network')\n"
        "print(os.getppid() < 3, 'A_SECRET' in os.environ)"
    )
    command, options = confinement.confine(["-c", source], "")
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.stdout.split("\n")[:4] == ["[]", "read-only", "no network", "True False"]


def test_less_than_required_is_refused(monkeypatch):
    monkeypatch.setattr(confinement, "_found", lambda: ("guard", None))
    with pytest.raises(RuntimeError, match="bwrap"):
        run_python("1", require="namespace")
    assert run_python("1", require="guard").ok
    with pytest.raises(ValueError, match="jail"):
        run_python("1", require="jail")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="not root")
def test_root_is_given_up(level):
    assert run_python("import os; print(os.geteuid())").stdout != "0\n"


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
