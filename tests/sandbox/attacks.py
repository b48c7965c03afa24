"""Plain attacks on the sandbox, and programs that mean well: data for `test_sandbox.py`."""
# ruff: noqa: E501
# fmt: off

# Each is a program; {W} is a folder of the user with `thesis.txt` in it, {KEY} the name of a secret
# in the environment. A program that reads a secret prints it.
REACHES = {
    "open w": "open('{W}/new', 'w').write('x')",
    "open a": "open('{W}/thesis.txt', 'a').write('x')",
    "open r": "print(open('{W}/thesis.txt').read())",
    "open by os": "import os; os.open('{W}/new', os.O_CREAT | os.O_WRONLY)",
    "os.truncate": "import os; os.truncate('{W}/thesis.txt', 0)",
    "os.remove": "import os; os.remove('{W}/thesis.txt')",
    "os.unlink": "import os; os.unlink('{W}/thesis.txt')",
    "os.rename": "import os; os.rename('{W}/thesis.txt', '{W}/new')",
    "os.replace": "import os; os.replace('{W}/thesis.txt', '{W}/new')",
    "os.link": "import os; os.link('{W}/thesis.txt', '{W}/new')",
    "os.symlink": "import os; os.symlink('/etc/passwd', '{W}/new')",
    "os.mkdir": "import os; os.mkdir('{W}/new')",
    "os.mknod": "import os; os.mknod('{W}/new')",
    "os.mkfifo": "import os; os.mkfifo('{W}/new')",
    "os.chmod": "import os; os.chmod('{W}/thesis.txt', 0)",
    "posix.mknod": "import posix; posix.mknod('{W}/new')",
    "builtin importer": "import sys; sys.meta_path[0].load_module('posix').mknod('{W}/new')",
    "create_builtin": "import _imp, sys; m = _imp.create_builtin(sys.modules['posix'].__spec__); "
    "_imp.exec_builtin(m); m.mknod('{W}/new')",
    "random._os": "import random; random._os.remove('{W}/thesis.txt')",
    "pathlib write": "import pathlib; pathlib.Path('{W}/new').write_text('x')",
    "pathlib unlink": "import pathlib; pathlib.Path('{W}/thesis.txt').unlink()",
    "pathlib touch": "import pathlib; pathlib.Path('{W}/new').touch()",
    "shutil": "import shutil; shutil.rmtree('{W}')",
    "tempfile": "import tempfile; tempfile.NamedTemporaryFile(dir='{W}', delete=False)",
    "readline": "import readline; readline.write_history_file('{W}/thesis.txt')",
    "tkinter exec": "import tkinter; tkinter.Tcl().eval('exec touch {W}/new')",
    "tkinter delete": "import tkinter; tkinter.Tcl().eval('file delete {W}/thesis.txt')",
    "_tkinter": "import _tkinter",
    "sqlite3": "import sqlite3; sqlite3.connect('{W}/new').execute('create table t (x)')",
    "dbm": "import dbm.dumb; dbm.dumb.open('{W}/new', 'c')",
    "logging": "import logging; logging.basicConfig(filename='{W}/new'); logging.error('x')",
    "zipfile": "import zipfile; zipfile.ZipFile('{W}/new', 'w')",
    "codecs": "import codecs; codecs.open('{W}/new', 'w')",
    "fileinput": "import fileinput; list(fileinput.input('{W}/thesis.txt', inplace=True))",
    "linecache": "import linecache; print(linecache.getlines('{W}/thesis.txt'))",
    "FileIO": "import io; io.FileIO('{W}/new', 'w')",
    "open of a name with an own type": "class S(str):\n"
    "    def startswith(self, *a): return True\n    def __contains__(self, x): return False\n"
    "print(open(S('{W}/thesis.txt')).read())",
    "dots": "import os; print(open(os.__file__ + '/../../../../../../../../{W}/thesis.txt').read())",
    "realpath patched": "import posixpath, os\n"
    "posixpath.realpath = os.path.realpath = lambda *a, **k: os.__file__\n"
    "print(open('{W}/thesis.txt').read())",
    "builtins patched": "import builtins\nbuiltins.isinstance = lambda *a: True\n"
    "builtins.any = lambda *a: True\nprint(open('{W}/thesis.txt').read())",
    "faulthandler": "import faulthandler; faulthandler.dump_traceback(3)",
    "os.system": "import os; os.system('touch {W}/new')",
    "os.popen": "import os; os.popen('touch {W}/new').read()",
    "os.execv": "import os; os.execv('/bin/touch', ['touch', '{W}/new'])",
    "os.spawnv": "import os; os.spawnv(os.P_WAIT, '/bin/touch', ['touch', '{W}/new'])",
    "os.posix_spawn": "import os; os.posix_spawn('/bin/touch', ['touch', '{W}/new'], {{}})",
    "subprocess": "import subprocess; subprocess.run(['touch', '{W}/new'])",
    "_posixsubprocess": "import _posixsubprocess",
    "multiprocessing": "import multiprocessing",
    "pty": "import pty; pty.spawn(['touch', '{W}/new'])",
    "webbrowser": "import webbrowser; webbrowser.open('http://localhost')",
    "pdb": "breakpoint()",
    "ctypes": "import ctypes; ctypes.CDLL(None).system(b'touch {W}/new')",
    "os.fork": "import os\nwhile True: os.fork()",
    "os.forkpty": "import os; os.forkpty()",
    "threading": "import threading",
    "queue.threading": "import queue; queue.threading.Thread(target=print).start()",
    "_thread": "import _thread; _thread.start_new_thread(print, ())",
    "os.kill": "import os; os.kill(os.getppid(), 9)",
    "os.killpg": "import os; os.killpg(0, 9)",
    "signal": "import signal; signal.alarm(0)",
    "socket": "import socket; socket.create_connection(('127.0.0.1', 22))",
    "_socket": "import _socket",
    "urllib": "import urllib.request; urllib.request.urlopen('http://127.0.0.1')",
    "http.client": "import http.client",
    "asyncio": "import asyncio",
    "spwd": "import spwd; print(spwd.getspall()[0].sp_nam)",
    "pwd": "import pwd; print(pwd.getpwall())",
    "/etc/passwd": "print(open('/etc/passwd').read())",
    "/proc/self": "print(open('/proc/self/environ').read())",
    "/proc of the parent": "import os; print(open(f'/proc/{{os.getppid()}}/environ').read())",
    "/proc/1": "print(open('/proc/1/environ').read())",
    "listdir": "import os; print(os.listdir('/'))",
    "os.walk": "import os; print(list(os.walk('{W}')))",
    "readlink": "import os; print(os.readlink('/proc/self/exe'))",
    "gc": "import gc; gc.get_objects()",
    "resource": "import resource",
    "mmap": "import mmap",
    "settrace": "import sys; sys.settrace(lambda *a: None)",
    "second hook": "import sys; sys.addaudithook(print)",
    "subinterpreter": "import _xxsubinterpreters, _interpreters",
    "frames to the helper": "import sys\nf = sys._getframe()\n"
    "while f:\n    for v in [*f.f_globals.values(), *f.f_locals.values()]:\n"
    "        if callable(getattr(v, 'mknod', None)): v.mknod('{W}/new')\n    f = f.f_back",
    "the helper's own os": "import sys\nf = sys._getframe()\n"
    "while f.f_back: f = f.f_back\nf.f_globals['REAL'].write(3, b'[\"ok\", \"\"]\\n')\n",
}

# Those that may end otherwise than by a refusal: they find nothing there.
IN_VAIN = {"linecache", "the helper's own os", "subinterpreter"}

# Wrong answers of `add(1, 2) == 3`, with their tests: none may pass.
FORGES = {
    "json.dumps": "import json\n_o = json.dumps\n"
    'json.dumps = lambda d, **k: \'["ok", ""]\'\ndef add(a, b): return 0',
    "__eq__ of an int": "class E(int):\n    def __eq__(s, o): return True\n"
    "    __hash__ = int.__hash__\ndef add(a, b): return E()",
    "__eq__ of an object": "class E:\n    def __eq__(s, o): return True\n"
    "    def __rsub__(s, o): return 0\n    def __sub__(s, o): return 0\n"
    "    def __abs__(s): return 0\n    def __lt__(s, o): return True\n"
    "def add(a, b): return E()",
    "__class__": "class E:\n    __class__ = int\n    def __eq__(s, o): return True\n"
    "def add(a, b): return E()",
    "__reduce__": "class E:\n    def __reduce__(s): return (int, (3,))\ndef add(a, b): return E()",
    "a float": "class E(float):\n    def __eq__(s, o): return True\n"
    "    def __float__(s): return 3.0\ndef add(a, b): return E(1)",
    "abs": "import builtins\nbuiltins.abs = lambda x: 0\ndef add(a, b): return 0",
    "abs defined": "def abs(x): return 0\ndef add(a, b): return 0",
    "eval": "import builtins\nbuiltins.eval = builtins.exec = lambda *a: 3\n"
    "builtins.compile = lambda *a, **k: 'x'\ndef add(a, b): return 0",
    "AssertionError": "import builtins\nbuiltins.AssertionError = ZeroDivisionError\n"
    "def add(a, b): return 0",
    "operator": "import operator\noperator.eq = lambda a, b: True\ndef add(a, b): return 0",
    "math.isclose": "import math\nmath.isclose = lambda *a, **k: True\ndef add(a, b): return 0",
    "os._exit": "import os\ndef add(a, b): os._exit(0)",
    "os._exit at once": "import os\nos._exit(0)",
    "sys.exit": "import sys\ndef add(a, b): sys.exit(0)",
    "atexit": "import atexit, os\natexit.register(os._exit, 0)\ndef add(a, b): return 0",
    "excepthook": "import sys\nsys.excepthook = lambda *a: None\ndef add(a, b): return 0",
    "stdout": 'print(\'["ok", ""]\\n{"status": "ok"}\')\ndef add(a, b): return 0',
    "descriptor": 'import os\ndef add(a, b):\n    os.write(3, b\'["ok", ""]\\n\')\n    return 0',
    "descriptor by open": "f = open(3, 'wb', 0)\nf.write(b'[\"ok\", \"\"]\\n')\n"
    "def add(a, b): return 0",
    "audit": "import sys\nsys.audit('synthkit.report', 3, b'[\"ok\", \"\"]\\n')\n"
    "def add(a, b): return 0",
    "the tests in a frame": "import sys\ndef add(a, b):\n    f, seen = sys._getframe(), ''\n"
    "    while f:\n        seen += repr(f.f_locals) + repr(f.f_globals)\n        f = f.f_back\n"
    "    return 3 if '== ' + str(3) in seen else 0",
    "judge patched": "import sys\nf = sys._getframe()\nwhile f.f_back: f = f.f_back\n"
    "j = f.f_globals['judge']\nj.as_status = lambda *a: ('ok', '')\n"
    "j.judge_value = lambda *a: ('ok', '')\ndef add(a, b): return 0",
    "__del__": "class E(int):\n    def __del__(s): raise SystemExit(0)\ndef add(a, b): return E()",
}

BOMBS = {
    "loop": ("while True: pass", "timeout"),
    "sleep": ("import time; time.sleep(60)", "timeout"),
    "output": ("while True: print('a' * 9999)", "timeout"),
    "memory": ("a = [0] * 10**9", "memory"),
    "recursion": ("def f(): return f()\nf()", "failed"),
    "swallows": ("while True:\n    try: 1 / 0\n    except BaseException: pass", "timeout"),
}

HONEST = [
    (
        "class V:\n    def __init__(self, x): self.x = x\n"
        "    def __eq__(self, other): return isinstance(other, V) and self.x == other.x\n"
        "    def __hash__(self): return hash(self.x)\n"
        "    def __add__(self, other): return V(self.x + other.x)",
        ["assert V(1) + V(2) == V(3)", "assert V(1) != V(2)", "assert len({V(1), V(1)}) == 1"],
    ),
    ("import math\ndef f(r): return math.pi * r * r", ["assert math.isclose(f(1), math.pi)"]),
    ("import re\ndef f(s): return bool(re.fullmatch('a+b', s))", ["assert f('aab') == True"]),
    (
        "from collections import Counter\ndef f(s): return Counter(s)",
        ["assert f('aa') == {'a': 2}"],
    ),
    (
        "from collections import defaultdict\ndef f(s):\n    d = defaultdict(list)\n"
        "    for i, c in enumerate(s): d[c].append(i)\n    return d",
        ["assert f('ab') == {'a': [0], 'b': [1]}"],
    ),
    (
        "from itertools import permutations\ndef f(n): return list(permutations(range(n)))",
        ["assert f(2) == [(0, 1), (1, 0)]", "assert len(f(3)) == 6"],
    ),
    (
        "import heapq as hq\ndef f(n, k): return hq.nlargest(k, n)",
        ["assert f([1, 3, 2], 2) == [3, 2]"],
    ),
    (
        "from functools import lru_cache, reduce\n@lru_cache(None)\ndef f(n): return n if n < 2 else f(n-1) + f(n-2)",
        ["assert f(50) == 12586269025", "assert reduce(lambda a, b: a + b, [f(3), f(4)]) == 5"],
    ),
    (
        "import string\ndef f(s): return all(c in string.ascii_letters for c in s)",
        ["assert f('ab')", "assert not f('1')"],
    ),
    (
        "from datetime import datetime\ndef f(s): return datetime.strptime(s, '%Y-%m-%d').weekday()",
        ["assert f('2020-02-03') == 0"],
    ),
    (
        "from datetime import date\ndef f(y): return date(y, 1, 1)",
        ["assert f(2020) == date(2020, 1, 1)"],
    ),
    (
        "import random\ndef f(n):\n    random.seed(0)\n    return sorted(random.sample(range(n), n))",
        ["assert f(3) == [0, 1, 2]"],
    ),
    (
        "import bisect\ndef f(a, x): return bisect.bisect_left(a, x)",
        ["assert f([1, 2, 4], 3) == 2"],
    ),
    (
        "import json\ndef f(d): return json.loads(json.dumps(d))",
        ["assert f({'a': [1, None]}) == {'a': [1, None]}"],
    ),
    (
        "from typing import List, Optional\ndef f(a: List[int]) -> Optional[int]: return a[0] if a else None",
        ["assert f([]) is None", "assert f([4]) == 4"],
    ),
    (
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\n    y: int = 0",
        ["assert P(1) == P(1, 0)", "assert P(1).x == 1", "assert P(1) != P(2)"],
    ),
    (
        "import statistics, fractions, decimal\ndef f(a): return statistics.mean(a)",
        ["assert f([1, 2]) == 1.5", "assert f([1, 3]) == 2"],
    ),
    (
        "from fractions import Fraction\ndef f(a): return Fraction(a, 4)",
        ["assert f(2) == 0.5", "assert f(1) == Fraction(1, 4)"],
    ),
    (
        "from queue import PriorityQueue\ndef f(a):\n    q = PriorityQueue()\n    for x in a: q.put(x)\n    return [q.get() for _ in a]",
        ["assert f([2, 1]) == [1, 2]"],
    ),
    (
        "import copy, operator, enum\ndef f(a): return copy.deepcopy(a)",
        ["assert f([[1]]) == [[1]]"],
    ),
    (
        "import sys\nsys.setrecursionlimit(5000)\ndef f(n): return 0 if n == 0 else 1 + f(n - 1)",
        ["assert f(2000) == 2000"],
    ),
    ("def sum(a, b): return a + b", ["assert sum(10, 15) == 25"]),
    (
        "def f(n): return 2 ** n",
        ["assert f(20000) == 2 ** 20000", "assert f(70) == 1180591620717411303424"],
    ),
    ("def f(): yield from (1, 2)", ["assert list(f()) == [1, 2]"]),
    (
        "def f(x): return x, {x}, [x], {x: b'1'}, 1j, -0.0, None",
        ["assert f(1) == (1, {1}, [1], {1: b'1'}, 1j, 0, None)"],
    ),
    ("def f(a): a.sort()", ["x = [2, 1]\nf(x)\nassert x == [1, 2]"]),
    (
        "def f(x):\n    if x < 0: raise ValueError('negative')\n    return x",
        [
            "try:\n    f(-1)\nexcept ValueError as e:\n    assert str(e) == 'negative'\nelse:\n    assert False"
        ],
    ),
    (
        "def f(a): return sorted(a, key=lambda x: -x)",
        [
            "assert [f([i, 2]) for i in (1, 3)] == [[2, 1], [3, 2]]",
            "assert set(f([1])) == set([1])",
        ],
    ),
    (
        "class Stack:\n    def __init__(self): self.items = []\n    def push(self, x): self.items.append(x)\n    def __len__(self): return len(self.items)",
        ["s = Stack()\ns.push(1)\nassert len(s) == 1 and s.items == [1]"],
    ),
    (
        "def f(g, a): return [g(x) for x in a]",
        [
            "assert f(lambda x: x + 1, [1]) == [2]",
            "assert sum(f(lambda x: x, [1])) == 1",
            "assert f(len, ['ab']) == [2]",
        ],
    ),
    (
        "def candidate(x): return x + 1",
        [
            "def check(candidate):\n    assert candidate(1) == 2\n    for i in range(3): assert candidate(i) == i + 1\ncheck(candidate)"
        ],
    ),
]
