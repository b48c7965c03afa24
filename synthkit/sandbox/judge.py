"""Tests are judged outside the process of the program, on plain values.

A test of the form `assert f(…) == literal` is judged by the helper itself: the program's process
evaluates the call and sends its value. Other tests run in a second guarded process, in which the
program's own names stand for objects that stay in the program's process; what the program did to
builtins or modules is not seen there. The program's process never holds an expected value.
"""

import ast
import builtins
import json
import operator
import sys

from values import decode, encode, pack

COMPARE = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Is: operator.is_, ast.IsNot: operator.is_not,
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip
PIPE = 60_000  # bytes that a pipe takes before it is read
_eval, _compile = eval, compile  # from before a program could replace them
_TRUE = (lambda value, _: bool(value), True)
_FALSE = (lambda value, _: not value, False)


def simple_tests(tests):
    """(call, comparison, expected) for each test, or None if one is not of the simple form."""
    try:
        found = [_simple(ast.parse(test).body) for test in tests]
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return None
    if not all(found) or sum(len(evaluate(call)) for call, _ in found) > PIPE:
        return None
    return found


def evaluate(call):
    """The question for the value of an expression, in the program's namespace."""
    return pack(["evaluate", call])


def _simple(body):
    if len(body) != 1 or not isinstance(body[0], ast.Assert):
        return None
    test = body[0].test
    (compare, expected), swapped = _TRUE, False
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test, (compare, expected) = test.operand, _FALSE
    elif isinstance(test, ast.Compare) and len(test.ops) == 1:
        left, right = test.left, test.comparators[0]
        swapped = not isinstance(left, ast.Call)
        test, literal = (right, left) if swapped else (left, right)
        compare = COMPARE[type(body[0].test.ops[0])]
        try:
            expected = ast.literal_eval(literal)
        except (ValueError, TypeError):
            return None
    if not (isinstance(test, ast.Call) and isinstance(test.func, ast.Name)):
        return None
    inner = [node for node in ast.walk(test) if isinstance(node, ast.Call) and node is not test]
    own = [n for n in inner if not (isinstance(n.func, ast.Name) and _is_builtin(n.func.id))]
    if own or (inner and _is_builtin(test.func.id)):
        return None
    judge = (lambda value: compare(expected, value)) if swapped else (
        lambda value: compare(value, expected)
    )  # fmt: skip
    return ast.unparse(test), judge


def _is_builtin(name):
    return hasattr(builtins, name)


def judge_value(line, judge):
    """(status, error) of one simple test, from what the program's process answered."""
    try:
        told = json.loads(line)
        if "raised" in told:
            return as_status(told["raised"][0], told["error"])
        passed = judge(decode(told["value"], lambda number: object()))
    except Exception as problem:
        return "failed", f"{type(problem).__name__}: {problem}"[:500]
    return ("ok", "") if passed is True or passed else ("failed", "AssertionError")


def as_status(name, error):
    """(status, error) of a program that ended in an exception."""
    return ("memory" if name == "MemoryError" else "failed"), error


def describe(problem):
    """An exception in one line, such as "ValueError: no such item"."""
    try:
        words = str(problem).splitlines()
    except BaseException:
        words = []
    return ": ".join([type(problem).__name__, *words[:1]])[:500]


# --- in the process of the program: answers -------------------------------------------------------


class Answers:
    """Answers questions about the names and objects of a program's namespace."""

    def __init__(self, namespace):
        self.namespace, self.objects = namespace, []

    def __call__(self, line):
        """The answer, one line of JSON, to a question, one line of JSON."""
        try:
            action, *given = json.loads(line)
            return pack(getattr(self, action)(*given))
        except BaseException as problem:
            names = [kind.__name__ for kind in type(problem).__mro__]
            return pack({"raised": names, "error": describe(problem)})

    def keep(self, value):
        self.objects.append(value)
        return {"object": len(self.objects) - 1}

    def find(self, number):
        if isinstance(number, list):  # a function or class of the standard library
            return getattr(__import__(number[0]), number[1])
        return self.objects[number]

    def evaluate(self, source):
        value = _eval(_compile(source, "<test>", "eval"), self.namespace)
        return {"value": encode(value, self.keep)}

    def names(self, wanted):
        there = [name for name in wanted if name in self.namespace]
        return {"names": {name: encode(self.namespace[name], self.keep) for name in there}}

    def do(self, what, arguments, options):
        arguments = [decode(argument, self.find) for argument in arguments]
        options = {name: decode(value, self.find) for name, value in options.items()}
        value = encode(DEEDS[what](*arguments, **options), self.keep)
        after = [encode(item, self.keep) for item in arguments] if what == "call" else []
        return {"value": value, "after": after}


DEEDS = {
    "call": lambda function, /, *arguments, **options: function(*arguments, **options),
    "getattr": getattr, "setattr": setattr, "list": list, "len": len, "str": str, "repr": repr,
    "bool": bool, "isinstance": isinstance, "item": operator.getitem, "in": operator.contains,
    "eq": operator.eq, "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge,
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "next": next, "iter": iter,
    "hash": hash,
}  # fmt: skip


# --- in the process of the tests: questions -------------------------------------------------------


class Lost(BaseException):
    """The program's process has ended."""


def make_remote(ask):
    """The class whose objects stand for objects of the program; `ask` sends a question."""

    class Remote:
        def __init__(self, number):
            object.__setattr__(self, "_number", number)

        def __getattr__(self, name):
            if name.startswith("__") and name != "__name__":
                raise AttributeError(name)
            return told("getattr", self, name)

        def __setattr__(self, name, value):
            told("setattr", self, name, value)

        def __call__(self, *arguments, **options):
            return told("call", self, *arguments, **options)

        def __eq__(self, other):  # no object of the program is equal to a plain value
            return isinstance(other, Remote) and bool(told("eq", self, other))

        def __hash__(self):
            return hash(told("hash", self))

        def __iter__(self):
            return iter(told("list", self))

        def __next__(self):
            return told("next", self)

        def __instancecheck__(self, value):
            return isinstance(value, Remote) and bool(told("isinstance", value, self))

    told = _teller(ask, Remote)
    _add_operators(Remote, told)
    return Remote


def _teller(ask, Remote):
    """The function that has a deed done in the program's process, and gives its value."""

    def keep(value):
        if isinstance(value, Remote):
            return {"object": value._number}
        module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
        if module in sys.modules and getattr(sys.modules[module], name, None) is value:
            return {"object": [module, name]}
        raise TypeError(f"a test cannot hand {value!r:.80} to the program")

    def told(what, *arguments, **options):
        sent = {name: encode(value, keep) for name, value in options.items()}
        answer = ask("do", what, [encode(argument, keep) for argument in arguments], sent)
        for before, after in zip(arguments, answer["after"]):
            if type(before) in (list, dict, set):  # the program may have changed it
                after = decode(after, Remote)
                before.clear()
                before.extend(after) if type(before) is list else before.update(after)
        return decode(answer["value"], Remote)

    return told


def _add_operators(Remote, told):
    def among_remotes(what):  # an object of the program decides nothing about a plain value
        return lambda a, b: told(what, a, b) if isinstance(b, Remote) else NotImplemented

    for what in ("len", "str", "repr", "bool"):
        setattr(Remote, f"__{what}__", lambda self, what=what: told(what, self))
    for what in ("lt", "le", "gt", "ge", "add", "sub", "mul"):
        setattr(Remote, f"__{what}__", among_remotes(what))
    Remote.__getitem__ = lambda self, item: told("item", self, item)
    Remote.__contains__ = lambda self, item: bool(told("in", self, item))


def make_ask(write, read):
    """The function that sends a question to the program's process and gives the answer."""

    def ask(*question):
        try:
            write(pack(question))
            line = read()
        except OSError:
            line = b""
        if not line.endswith(b"\n"):
            raise Lost
        answer = json.loads(line)
        if "raised" not in answer:
            return answer
        for name in answer["raised"]:  # the nearest exception that is known here
            kind = getattr(builtins, name, None)
            if isinstance(kind, type) and issubclass(kind, Exception):
                raise kind(answer["error"].partition(": ")[2])
        raise RuntimeError(answer["error"])

    return ask


class _InProgram(ast.NodeTransformer):
    """Calls with a lambda among their arguments are evaluated in the program's process."""

    def visit_Call(self, node):
        own = isinstance(node.func, ast.Name) and not _is_builtin(node.func.id)
        if own and any(isinstance(child, ast.Lambda) for child in ast.walk(node)):
            name = ast.Name("_evaluate_in_program", ast.Load())
            return ast.Call(name, [ast.Constant(ast.unparse(node))], [])
        return self.generic_visit(node)


def run_tests_remotely(code, tests, ask):
    """Run `tests` where the names of the program `code` stand for its objects.

    What the program imports at its top level is imported here as well, unchanged. A name of
    `builtins` means the builtin, unless the tests use no other name of the program.
    """
    Remote = make_remote(ask)
    namespace = {"__name__": "__tests__"}
    for node in ast.parse(code).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            try:
                exec(compile(ast.Module([node], []), "<imports>", "exec"), namespace)
            except ImportError:
                pass
    tree = ast.fix_missing_locations(_InProgram().visit(ast.parse("\n".join(tests))))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - set(namespace)
    there = ask("names", sorted(used))["names"]
    own = [name for name in there if not _is_builtin(name)]
    for name in own or there:
        namespace[name] = decode(there[name], Remote)
    namespace["_evaluate_in_program"] = lambda source: decode(
        ask("evaluate", source)["value"], Remote
    )
    exec(compile(tree, "<tests>", "exec"), namespace)
