"""Limits on a program: the audit hook that ends it, and what is removed before it starts.

Runs inside the helper process (`child.py`), with nothing but the standard library. The hook lives
in the interpreter, not in a frame or a module: a refusal ends the process at once, so no traceback
leads into it, and it calls nothing that a program could have replaced.
"""

import os
import sys

# What may be imported. The last group is what modules of the first ones import when they are used.
ALLOWED_IMPORTS = frozenset(
    """
    __future__ abc array ast base64 binascii bisect builtins calendar cmath collections colorsys
    contextlib contextvars copy copyreg csv dataclasses datetime decimal difflib dis encodings enum
    errno fnmatch fractions functools graphlib hashlib heapq hmac html inspect io itertools json
    keyword linecache locale logging math numbers opcode operator os pathlib pickle posixpath pprint
    queue random re reprlib secrets stat statistics string stringprep struct sys textwrap time token
    tokenize traceback types typing unicodedata uuid warnings weakref zlib
    codecs genericpath importlib marshal ntpath posix sre_compile sre_constants sre_parse zipimport
    _abc _ast _bisect _blake2 _codecs _codecs_cn _codecs_hk _codecs_iso2022 _codecs_jp _codecs_kr
    _codecs_tw _collections _collections_abc _compat_pickle _contextvars _csv _datetime _decimal
    _frozen_importlib _frozen_importlib_external _functools _hashlib _heapq _imp _io _json _locale
    _md5 _multibytecodec _opcode _opcode_metadata _operator _pickle _py_abc _pydatetime _pydecimal
    _queue _random _sha1 _sha2 _sha256 _sha3 _sha512 _sre _stat _statistics _string _strptime
    _struct _suggestions _thread _tokenize _types _typing _uuid _warnings _weakref _weakrefset
    """.split()
)

# Everything else that the interpreter announces is refused.
ALLOWED_EVENTS = frozenset(
    """
    array.__new__ builtins.id builtins.input builtins.input/result compile exec function.__new__
    marshal.dump marshal.dumps marshal.load marshal.loads object.__delattr__ object.__getattr__
    object.__setattr__ pickle.find_class sys._getframe sys._getframemodulename sys.excepthook
    sys.set_int_max_str_digits sys.setswitchinterval sys.unraisablehook time.sleep
    """.split()
)

# What stays of `os`: what reads nothing but names, and what the import system needs. Many of the
# other functions (`mknod`, `write`) are announced by no event.
KEPT_OS = frozenset(
    """
    _exit _path_isdevdrive _path_isdir _path_isfile _path_islink _path_exists _path_lexists
    _path_normpath _path_splitroot _path_splitroot_ex _inputhook abort cpu_count device_encoding
    fspath fstat get_terminal_size getcwd getcwdb getegid geteuid getgid getpid getppid getuid
    WEXITSTATUS WIFEXITED WIFSIGNALED WTERMSIG isatty listdir lstat register_at_fork scandir stat
    strerror sysconf times urandom waitstatus_to_exitcode
    """.split()
)

_FOLDERS = ("os.listdir", "os.scandir")  # events that name a folder
REPORT = "synthkit.report"  # the event by which the helper's own frame writes to a pipe


def make_guard(home, write, fds, roots, stdout):
    """The audit hook: it ends the process, with a line on the report pipe, at what is refused.

    Args:
        home: the frame that alone may write, by `sys.audit(REPORT, fd, data)`.
        write: `os.write`.
        fds: where it may write; the first is the report pipe.
        roots: the folders that may be read (the standard library).
        stdout: is flushed before the end.
    """
    leave, getframe, flush = os._exit, sys._getframe, stdout.flush
    allows, last_words, base, mine = _make_rules(roots), _make_last_words(), BaseException, REPORT

    def guard(event, args):
        try:
            if event == mine and getframe(1) is home and args[0] in fds:
                data = args[1]
                while data:
                    data = data[write(args[0], data) :]
                return
            if allows(event, args):
                return
        except base:
            pass
        try:
            flush()
        except base:
            pass
        try:
            write(fds[0], last_words(event, args).encode("utf-8", "replace") + b"\n")
        finally:
            leave(1)

    return guard


def _make_rules(roots):
    """The function that tells whether an event is allowed; it reads nothing of this module."""
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    modules, builtin_names = ALLOWED_IMPORTS, frozenset(sys.stdlib_module_names)
    roots = tuple(root + "/" for root in roots)
    events, plain, folders = ALLOWED_EVENTS, type, _FOLDERS

    def readable(path):
        if plain(path) is not str:
            return False
        if path.startswith("/"):
            inside = (path + "/").startswith(roots) and "/../" not in path + "/"
            return inside and "-packages" not in path
        return "/" not in path and path != ".." and path != ""  # a name in the empty folder

    def importable(name, path):
        if plain(name) is not str:
            return False
        top = name.partition(".")[0]
        if path is not None:  # an extension module is about to be loaded from this file
            return plain(path) is str and path.rpartition("/")[2].partition(".")[0] in modules
        return top in modules or top not in builtin_names  # others are not found anyway

    def allows(event, args):
        if event == "open":
            path, mode, flags = args
            if plain(flags) is not int or flags & writing:
                return False
            if mode is not None and (plain(mode) is not str or mode.strip("rbtU")):
                return False
            return readable(path)
        if event in folders:
            return readable(args[0])
        if event == "import":
            return importable(args[0], args[1])
        return event in events

    return allows


def _make_last_words():
    kinds, plain, folders = (str, bytes), type, _FOLDERS

    def last_words(event, args):
        detail = ""
        if (event == "open" or event == "import" or event in folders) and args:
            detail = f" {args[0]!r:.80}" if plain(args[0]) in kinds else " of an odd kind"
        return f"forbidden {event}{detail} is refused by the sandbox"

    return last_words


class Real:
    """Functions of `os` that the helper needs, saved before `disarm`; a child forgets them."""

    def __init__(self):
        names = "close closerange dup2 fork kill killpg open pipe read seteuid setgroups setresgid"
        for name in f"{names} setresuid setsid waitpid write".split():
            setattr(self, name, getattr(os, name))


def disarm():
    """Take away the functions of `os` that no event announces; in their place, they announce it."""
    import posix
    import time

    for module, names in (
        (posix, set(vars(posix)) - KEPT_OS),
        (time, ("clock_settime", "clock_settime_ns")),
        (sys, ("activate_stack_trampoline",)),
    ):
        for name in names:
            value = getattr(module, name, None)
            if callable(value) and not isinstance(value, type):
                stub = _refused(f"{'os' if module is posix else module.__name__}.{name}")
                setattr(module, name, stub)
                if module is posix and vars(os).get(name) is value:
                    setattr(os, name, stub)


def _refused(name):
    def refused(*arguments, **options):
        sys.audit(name)

    return refused


def disarm_threads():
    """Take the starting of threads away, before a module keeps it under another name."""
    import _thread

    for name in ("start_new_thread", "start_new", "start_joinable_thread"):
        if hasattr(_thread, name):
            setattr(_thread, name, _refused(f"_thread.{name}"))


_no_builtin, _HIDDEN = _refused("import of a builtin module"), []


def hide_modules():
    """Remove what may not be imported from `sys.modules`, so importing it is noticed."""
    for name in [n for n in sys.modules if n.partition(".")[0] not in ALLOWED_IMPORTS]:
        if name != "__main__":
            _HIDDEN.append(sys.modules.pop(name))


def disarm_child():
    """Remove the rest in a child: the means to make builtin modules anew."""
    import _imp

    _imp.create_builtin = _imp.exec_builtin = _imp.init_frozen = _no_builtin
