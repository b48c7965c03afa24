"""Confinement of generated code on this machine: by namespaces, or by the guard alone."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

Level = Literal["namespace", "guard"]
LEVELS: tuple[Level, ...] = ("namespace", "guard")  # from the strictest

CHILD = Path(__file__).with_name("child.py")
_NOBODY = 65534
_TRIAL = "import os; print(os.path.exists('/proc'), os.listdir('/tmp'))"


def confinement() -> Level:
    """The level of confinement here: "namespace" (by bubblewrap) or "guard".

    One trial run per process tells (about 30 ms): containers often forbid namespaces.
    """
    return _found()[0]


def confine(arguments: Sequence[str], folder: str) -> tuple[list[str], dict[str, Any]]:
    """The command that runs Python with `arguments`, and the options of `Popen` that go with it.

    Args:
        arguments: a script of this folder and its arguments, or `-c` and source.
        folder: an empty folder to run in, where there is no namespace.
    """
    level, user = _found()
    if level == "namespace":
        return _in_namespace(arguments, user)
    command = [sys.executable, *_ISOLATED, *arguments]
    return command, {"env": {}, "cwd": folder, "start_new_session": True}


_ISOLATED = ("-I", "-S", "-B", "-X", "utf8")


@functools.cache
def _found() -> tuple[Level, int | None]:
    """The level, and the user that bubblewrap is started as (None: the caller)."""
    if not sys.platform.startswith("linux") or shutil.which("bwrap") is None:
        return "guard", None
    for user in [_NOBODY, None] if os.geteuid() == 0 else [None]:
        command, options = _in_namespace(["-c", _TRIAL], user)
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=10, **options)
        except (OSError, subprocess.SubprocessError):
            continue
        if done.returncode == 0 and done.stdout.split() == ["False", "[]"]:
            return "namespace", user
    return "guard", None


def _in_namespace(arguments: Sequence[str], user: int | None) -> tuple[list[str], dict[str, Any]]:
    """Python under bubblewrap: no network, no other process, the interpreter's files read-only."""
    python = os.path.realpath(sys.executable)
    paths = sysconfig.get_paths()
    library = os.path.join(sys.base_prefix, "lib")
    readable = [python, library, paths["stdlib"], paths["platstdlib"]]
    readable += ["/usr/lib", "/usr/lib64", "/lib", "/lib64", "/etc/ld.so.cache", "/nix/store"]
    command = [shutil.which("bwrap") or "bwrap", "--unshare-all", "--die-with-parent", "--clearenv"]
    command += ["--uid", str(_NOBODY), "--gid", str(_NOBODY)]
    for path in dict.fromkeys(readable):
        command += ["--ro-bind-try", path, path]
    packages = os.path.join(paths["stdlib"], "site-packages")
    if os.path.isdir(packages):
        command += ["--tmpfs", packages]  # what is installed there is no program's business
    command += ["--ro-bind", str(CHILD.parent), str(CHILD.parent)]
    for device in ("null", "urandom"):
        command += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    command += ["--dir", "/tmp", "--chdir", "/tmp", "--remount-ro", "/", "--"]
    command += [python, *_ISOLATED, *arguments]
    options: dict[str, Any] = {"env": {}, "cwd": "/", "start_new_session": True}
    if user is not None:
        options |= {"user": user, "group": user, "extra_groups": []}
    return command, options


def require_level(require: Level | None) -> None:
    """Raise unless this machine confines at least as `require` asks.

    Raises:
        ValueError: there is no such level.
        RuntimeError: this machine offers less.
    """
    if require is not None and require not in LEVELS:
        raise ValueError(f"require={require!r}: choose one of {', '.join(LEVELS)}, or None")
    if require == "namespace" and confinement() != "namespace":
        raise RuntimeError(
            "generated code is confined by the guard alone on this machine, and "
            'require="namespace" asks for namespaces; install bubblewrap (bwrap), and allow '
            "unprivileged user namespaces"
        )
