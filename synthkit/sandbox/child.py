"""Helper process of `synthkit.sandbox`: a small process that forks guarded children for a program.

`runner` starts this file as a script, with no environment and nothing but the standard library.
A request on stdin is two lengths of 12 digits, a program, and its tests as a JSON list; an answer
on stdout is one line of JSON. The program's child is forked before the tests are read, so its
memory never holds them. This file is never imported for use elsewhere.
"""

import errno
import gc
import importlib
import json
import os
import re
import select
import signal
import sys
import time
import types

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import guard
import judge

del sys.path[0]

try:
    import resource
except ImportError:  # Windows; `runner` refuses to start this file there
    resource = None

STDOUT_LIMIT = 64 * 1024  # bytes of a program's output that are kept
REPORT_LIMIT = 16 * 2**20  # bytes of results that are read
NOBODY = 65534
REAL = guard.Real()
IMPORTED = re.compile(r"^[ \t]*(?:import|from)[ \t]+([\w., \t]+)", re.MULTILINE)


def set_limits(timeout, memory_mb):
    """Resource limits of the calling process: processor seconds, memory, files, processes."""
    signal.setitimer(signal.ITIMER_REAL, timeout + 1.0)  # ends it even if the parent is gone
    limits = {
        "RLIMIT_CPU": int(timeout) + 2,
        "RLIMIT_AS": memory_mb * 2**20,
        "RLIMIT_CORE": 0,
        "RLIMIT_FSIZE": 0,
        "RLIMIT_NOFILE": 16,
        "RLIMIT_NPROC": 0,  # not applied to root: the audit hook refuses fork as well
    }
    for name, value in limits.items():
        try:
            resource.setrlimit(getattr(resource, name), (value, value))
        except (ValueError, OSError):
            if sys.platform != "darwin":  # macOS does not know every limit
                raise


def become_nobody():
    """Give up root's rights, where there are any."""
    if os.geteuid() == 0:
        try:
            REAL.setgroups([])
            REAL.setresgid(NOBODY, NOBODY, NOBODY)
            REAL.setresuid(NOBODY, NOBODY, NOBODY)
        except OSError:  # the only user of a namespace, which has no rights outside
            pass


def live(messages):
    """Under the guard: send each of `messages`, (fd, bytes), as it comes."""
    audit = sys.audit
    roots = [path for path in sys.path if path.startswith("/")]
    sys.addaudithook(guard.make_guard(sys._getframe(), REAL.write, (3, 5), roots, sys.stdout))
    guard.disarm_child()
    vars(REAL).clear()
    for fd, data in messages:
        audit(guard.REPORT, fd, data)


def run_program(source):
    """Run a program as a fresh `__main__`; then answer questions about it until there are no more.

    Yields:
        (3, line): how it ended, for the helper; (5, line): an answer, for the process of the tests.
    """
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    answers, flush, read = judge.Answers(main.__dict__), sys.stdout.flush, REAL.read
    yield 3, b""
    try:
        exec(compile(source, "<program>", "exec"), main.__dict__)
        status, error = "ok", ""
    except BaseException as problem:
        status, error = judge.as_status(type(problem).__name__, judge.describe(problem))
    _try(flush)
    yield 3, judge.pack([status, error])
    data = b""
    while chunk := read(4, 65536):
        *lines, data = (data + chunk).split(b"\n")
        for line in lines:
            reply = answers(line)
            _try(flush)
            yield 5, reply


def _try(flush):
    try:
        flush()
    except BaseException:
        pass


def run_tests(code, tests):
    """Run tests of a program that lives in another process; yields (3, line): how they ended."""
    ask = judge.make_ask(open(5, "wb", 0, closefd=False).write, open(4, "rb").readline)
    yield 3, b""
    try:
        judge.run_tests_remotely(code, tests, ask)
        told = ["ok", ""]
    except judge.Lost:
        told = ["lost", ""]
    except BaseException as problem:
        told = judge.as_status(type(problem).__name__, judge.describe(problem))
    yield 3, judge.pack(told)


def fork(limits, fds, messages):
    """Fork a guarded child that lives through the generator `messages`; its id.

    Args:
        limits: (timeout, memory_mb).
        fds: what become its descriptors 1, 3, 4 and 5; None for none.
    """
    pid = REAL.fork()
    if pid:
        return pid
    try:
        REAL.setsid()
        null = REAL.open(os.devnull, os.O_RDWR)
        wanted = [null, fds[0], null, *fds[1:]]
        for i, fd in enumerate(wanted):
            REAL.dup2(null if fd is None else fd, 40 + i)
        for i in range(len(wanted)):
            REAL.dup2(40 + i, i)
        REAL.closerange(len(wanted), 64)
        become_nobody()
        set_limits(*limits)
        next(messages)
        live(messages)
    finally:
        os._exit(0)


def supervise(code, limits, read_tests):
    """Fork a guarded child for a program, wait for its end and its tests; the outcome as a dict."""
    start = time.monotonic()
    out, report, question, answer, decision = (REAL.pipe() for _ in range(5))
    fds = (out[1], report[1], question[0], answer[1])
    pids = [fork(limits, fds, run_program(code))]
    tests = read_tests()
    simple = judge.simple_tests(tests)
    if simple is None:
        fds = (None, decision[1], answer[0], question[1])
        pids.append(fork(limits, fds, run_tests(code, tests)))
    keep = [out[0], report[0], decision[0], *([answer[0]] if simple else [])]
    if simple:
        try:
            REAL.write(question[1], b"".join(judge.evaluate(call) for call, _ in simple))
        except BrokenPipeError:
            pass  # it has ended, which is seen next
    for fd in {*out, *report, *question, *answer, *decision}.difference(keep):
        REAL.close(fd)
    trial = Trial(simple, answer[0])
    try:
        late = trial.watch(out[0], report[0], decision[0], start + limits[0])
    finally:
        endings = [end(pid) for pid in pids]
        for fd in keep:
            REAL.close(fd)
    status, error = trial.verdict(late, endings[0])
    stdout = trial.received[out[0]].decode("utf-8", "replace")
    seconds = time.monotonic() - start
    return {"status": status, "stdout": stdout, "error": error, "seconds": seconds}


class Trial:
    """State of one program while it runs.

    Attributes:
        ended: (status, error) of the program itself, None until it has told.
        tested: (status, error) of its tests, None until all have passed or one has failed.
        received: the bytes that arrived, by descriptor.
    """

    def __init__(self, simple, answer):
        self.simple, self.answer, self.judged = simple, answer, 0
        self.ended, self.received = None, {}
        self.tested = ("ok", "") if simple == [] else None

    def watch(self, out, report, decision, deadline):
        """Read until the outcome is known or nothing more comes; whether `deadline` passed."""
        reading = {out, report, decision, *([self.answer] if self.simple else [])}
        self.received = {fd: bytearray() for fd in reading}
        while reading:
            left = deadline - time.monotonic()
            ready = select.select(reading, [], [], left)[0] if left > 0 else []
            if not ready:
                return True
            for fd in sorted(ready):
                chunk, limit = REAL.read(fd, 65536), STDOUT_LIMIT if fd == out else REPORT_LIMIT
                if not chunk:
                    reading.discard(fd)
                    continue
                kept = self.received[fd]
                kept += chunk[: limit - len(kept)]
                if fd != out and chunk.endswith(b"\n"):
                    self.hear(fd, report, decision)
            if self.settled() and not self.has_more(out, reading):
                return False
        return False

    def hear(self, fd, report, decision):
        """Take note of whole lines that came by `fd`."""
        lines = bytes(self.received[fd]).splitlines()
        if fd == report:
            for line in lines:
                if line.startswith(b"forbidden "):
                    words = line.decode("utf-8", "replace").removeprefix("forbidden ")
                    self.ended = ("forbidden", f"Forbidden: {words}")
                elif self.ended is None:
                    self.ended = tuple(json.loads(line))
        elif fd == decision:
            self.tested = tuple(json.loads(lines[0]))
        else:
            self.received[fd].clear()
            for line in lines:
                if self.tested is None:
                    status, error = judge.judge_value(line, self.simple[self.judged][1])
                    self.judged += 1
                    if status != "ok" or self.judged == len(self.simple):
                        self.tested = (status, error)

    def settled(self):
        """True if the reports so far decide the outcome."""
        if self.ended is None:
            return False
        return self.ended[0] != "ok" or (self.tested is not None and self.tested[0] != "lost")

    def has_more(self, out, reading):
        """True if printed text waits to be read: the program flushed before it reported its end."""
        return out in reading and bool(select.select([out], [], [], 0)[0])

    def verdict(self, late, exit_status):
        """(status, error) from what was told and from how the program's process ended."""
        if self.settled():
            return self.ended if self.ended[0] != "ok" else self.tested
        number = os.WTERMSIG(exit_status) if os.WIFSIGNALED(exit_status) else 0
        if late or number in (signal.SIGXCPU, signal.SIGALRM):
            return "timeout", "the program did not end in time"
        how = f"signal {signal.Signals(number).name}" if number else "an early exit"
        return "crashed", f"the process ended by {how}"


def end(pid):
    """Kill a child and what it started; its exit status."""
    for kill in (REAL.killpg, REAL.kill):  # its whole group, and itself if it had none yet
        try:
            kill(pid, signal.SIGKILL)
        except OSError as problem:
            if problem.errno not in (errno.ESRCH, errno.EPERM):
                raise
    return REAL.waitpid(pid, 0)[1]


def read_exactly(size):
    """`size` bytes of stdin, and none of what follows; b"" at its end."""
    data = bytearray()
    while len(data) < size:
        chunk = REAL.read(0, size - len(data))
        if not chunk:
            return b""
        data += chunk
    return bytes(data)


def import_ahead(source):
    """Import what a program will import, once for all programs of this helper."""
    for names in IMPORTED.findall(source):
        for name in names.split(" import ")[0].split(","):
            name = name.split()[0] if name.split() else ""
            if name.partition(".")[0] in guard.ALLOWED_IMPORTS and name not in sys.modules:
                try:
                    importlib.import_module(name)
                except Exception:
                    pass  # the program will see it
                guard.hide_modules()
                gc.freeze()  # what a child does not touch is not copied for it


def prepare():
    """Import what a child cannot: modules of the interpreter itself; all, if nobody may read."""
    ahead = guard.ALLOWED_IMPORTS.intersection(sys.builtin_module_names)
    if os.geteuid() == 0 and not _readable_by_nobody(os.__file__):
        ahead = guard.ALLOWED_IMPORTS
    for name in sorted(ahead):
        try:
            importlib.import_module(name)
        except ImportError:
            pass  # of another version of Python


def _readable_by_nobody(path):
    try:
        REAL.seteuid(NOBODY)
    except OSError:
        return True  # the only user there is
    try:
        with open(path):
            return True
    except OSError:
        return False
    finally:
        REAL.seteuid(0)


def serve(limits):
    """Answer requests until stdin is closed."""
    guard.disarm_threads()
    prepare()
    sys.argv, sys.stdin = [""], open(0, closefd=False)
    sys.stdout = open(1, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.stderr = open(2, "w", closefd=False)
    guard.disarm()
    guard.hide_modules()
    gc.freeze()
    while header := read_exactly(24):
        code = read_exactly(int(header[:12])).decode("utf-8", "surrogatepass")
        import_ahead(code)
        size = int(header[12:])
        outcome = supervise(code, limits, lambda size=size: json.loads(read_exactly(size)))
        view = memoryview(json.dumps(outcome).encode() + b"\n")
        while view:
            view = view[REAL.write(1, view) :]


if __name__ == "__main__":
    serve((float(sys.argv[1]), int(sys.argv[2])))
