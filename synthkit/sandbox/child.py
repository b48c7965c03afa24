"""The other half of `synthkit.sandbox`: a small process that forks one guarded child a program.

`sandbox` starts this file as a script, with no environment and nothing but the standard library.
It reads one JSON request a line from stdin and writes one JSON outcome a line to stdout.
It is never imported for use elsewhere.
"""

import errno
import json
import os
import secrets
import select
import signal
import sys
import time
import types

try:
    import resource
except ImportError:  # Windows; `sandbox` refuses to start this file there
    resource = None

STDOUT_LIMIT = 64 * 1024  # bytes of a program's output that are kept

DENIED_IMPORTS = frozenset(
    "asyncio _asyncio concurrent ctypes _ctypes dbm _dbm fcntl ftplib gc http imaplib mmap "
    "multiprocessing _multiprocessing pip _posixshmem _posixsubprocess poplib pty resource select "
    "selectors shutil signal _signal smtplib socket _socket socketserver sqlite3 _sqlite3 ssl _ssl "
    "subprocess tempfile termios threading venv webbrowser xmlrpc".split()
)
DENIED_EVENTS = (  # prefixes of audit events
    "os. socket. subprocess. shutil. ctypes. signal. resource. mmap. fcntl. pty. tempfile. glob. "
    "pathlib. gc. sqlite3. syslog. urllib. http. ftplib. webbrowser. _thread. _posixsubprocess. "
    "cpython.run_ sys.addaudithook sys.remote_exec"
).split()


class Forbidden(RuntimeError):
    """The program asked for something that the sandbox refuses."""


def make_guard(roots, refused):
    """An audit hook that raises `Forbidden` for what a small pure program never needs.

    `roots` are the folders that may be read: the standard library, so that imports work, and the
    empty working folder, where the compiler looks for the source line of a SyntaxError. What is
    refused is also appended to `refused`, since a program may swallow the exception.
    """
    fspath, realpath = os.fspath, os.path.realpath
    denied_events, denied_imports = tuple(DENIED_EVENTS), DENIED_IMPORTS
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

    def outside(path):
        if not isinstance(path, (str, bytes, os.PathLike)):
            return True  # a file descriptor, or None for the current folder
        path = realpath(os.fsdecode(fspath(path)))
        return not any(path == root or path.startswith(root + os.sep) for root in roots)

    def refuses(event, args):
        if event == "open":
            path, mode, flags = args
            writes = any(letter in "wax+" for letter in mode) if mode else flags & writing
            return writes or outside(path)
        if event in ("os.listdir", "os.scandir"):  # the import system lists its folders
            return outside(args[0])
        if event == "import":
            return args[0].partition(".")[0] in denied_imports
        return event.startswith(denied_events)

    def guard(event, args):
        if refuses(event, args):
            detail = f" {args[0]!r:.80}" if event in ("open", "import", "os.listdir") else ""
            refused.append(f"Forbidden: {event}{detail} is refused by the sandbox")
            raise Forbidden(refused[-1].removeprefix("Forbidden: "))

    return guard


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


def execute(source, refused):
    """(status, error) after running `source` as a fresh `__main__` module."""
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    status, error = "ok", ""
    try:
        exec(compile(source, "<program>", "exec"), main.__dict__)
    except BaseException as problem:
        status = "memory" if isinstance(problem, MemoryError) else "failed"
        try:
            words = str(problem).splitlines()
        except Exception:
            words = []
        error = ": ".join([type(problem).__name__, *words[:1]])
    return ("forbidden", refused[0]) if refused else (status, error)


def run_guarded(request, out_fd, report_fd, nonce):
    """The life of a forked child: give up what it may not have, run, report, leave."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for source_fd, fd in ((null, 0), (out_fd, 1), (null, 2), (report_fd, 3)):
        os.dup2(source_fd, fd)
    os.closerange(4, 64)
    stdout = open(1, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.stdin, sys.stdout, sys.stderr = open(0, closefd=False), stdout, open(2, "w", closefd=False)
    sys.argv = [""]
    set_limits(request["timeout"], request["memory_mb"])
    for name in list(sys.modules):
        if name.partition(".")[0] in DENIED_IMPORTS:
            del sys.modules[name]  # so that importing it is seen by the guard
    refused = []
    roots = [os.path.realpath(path) for path in (*sys.path, os.getcwd())]
    sys.addaudithook(make_guard(roots, refused))
    status, error = execute(request["source"], refused)
    try:
        stdout.flush()
    except Exception:
        pass
    report = json.dumps({"nonce": nonce, "status": status, "error": error[:500]})
    os.write(3, report.encode())
    os._exit(0)


def collect(fds, deadline):
    """What arrives on each of `fds` until all are closed, and whether `deadline` passed first."""
    received = {fd: bytearray() for fd in fds}
    still_open = set(fds)
    while still_open:
        left = deadline - time.monotonic()
        ready = select.select(still_open, [], [], left)[0] if left > 0 else []
        if not ready:
            return received, True
        for fd in ready:
            chunk = os.read(fd, 65536)
            if not chunk:
                still_open.discard(fd)
            elif len(received[fd]) < STDOUT_LIMIT:
                received[fd] += chunk[: STDOUT_LIMIT - len(received[fd])]
    return received, False


def verdict(report, nonce, late, exit_status):
    """(status, error) from the child's own report and from how it ended."""
    try:
        told = json.loads(bytes(report).decode())
        if told.pop("nonce") == nonce:
            return told["status"], told["error"]
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    number = os.WTERMSIG(exit_status) if os.WIFSIGNALED(exit_status) else 0
    if late or number in (signal.SIGXCPU, signal.SIGALRM):
        return "timeout", "the program did not end in time"
    how = f"signal {signal.Signals(number).name}" if number else "an early exit"
    return "crashed", f"the process ended by {how}"


def supervise(request):
    """Fork a guarded child for one program, wait for it, and give its outcome as a dict."""
    nonce = secrets.token_hex(8)
    out_r, out_w = os.pipe()
    report_r, report_w = os.pipe()
    start = time.monotonic()
    pid = os.fork()
    if pid == 0:
        try:
            run_guarded(request, out_w, report_w, nonce)
        finally:
            os._exit(1)
    os.close(out_w)
    os.close(report_w)
    received, late = collect((out_r, report_r), start + request["timeout"])
    for kill in (os.killpg, os.kill):  # its whole group, and itself if it had none yet
        try:
            kill(pid, signal.SIGKILL)
        except OSError as problem:
            if problem.errno not in (errno.ESRCH, errno.EPERM):
                raise
    exit_status = os.waitpid(pid, 0)[1]
    os.close(out_r)
    os.close(report_r)
    status, error = verdict(received[report_r], nonce, late, exit_status)
    stdout = received[out_r].decode("utf-8", "replace")
    seconds = time.monotonic() - start
    return {"status": status, "stdout": stdout, "error": error, "seconds": seconds}


def serve():
    """Answer requests, one JSON object a line, until stdin is closed."""
    for line in sys.stdin:
        answer = json.dumps(supervise(json.loads(line))) + "\n"
        view = memoryview(answer.encode())
        while view:
            view = view[os.write(1, view) :]


if __name__ == "__main__":
    serve()
