"""The shapes of small functions: one body for each style, with a condition or expression left open.

In a body, `{f}` is the function's name, `{a}` and `{b}` its arguments, `{x}` an item, `{o}` what is
built up, `{t}` a total so far, `{i}` an index and `{k}` the constant.
"""

from __future__ import annotations

STYLES = ("comprehension", "loop", "map", "recursion", "generator", "while")

KEEP = {
    "comprehension": "return [{x} for {x} in {a} if {cond}]",
    "loop": """
{o} = []
for {x} in {a}:
    if {cond}:
        {o}.append({x})
return {o}""",
    "map": "return list(filter(lambda {x}: {cond}, {a}))",
    "recursion": """
if not {a}:
    return []
{o} = {f}({a}[1:])
return [{a}[0]] + {o} if {cond_0} else {o}""",
    "generator": "return list({x} for {x} in {a} if {cond})",
    "while": """
{o}, {i} = [], 0
while {i} < len({a}):
    if {cond_i}:
        {o}.append({a}[{i}])
    {i} += 1
return {o}""",
}

CHANGE = {
    "comprehension": "return [{expr} for {x} in {a}]",
    "loop": """
{o} = []
for {x} in {a}:
    {o}.append({expr})
return {o}""",
    "map": "return list(map(lambda {x}: {expr}, {a}))",
    "recursion": """
if not {a}:
    return []
return [{expr_0}] + {f}({a}[1:])""",
    "generator": "return list({expr} for {x} in {a})",
    "while": """
{o}, {i} = [], 0
while {i} < len({a}):
    {o}.append({expr_i})
    {i} += 1
return {o}""",
}

_ADD = {
    "comprehension": "return {wrap}([{expr} for {x} in {a}])",
    "loop": """
{o} = {empty}
for {x} in {a}:
    {o} += {expr}
return {o}""",
    "map": "return {wrap}(map(lambda {x}: {expr}, {a}))",
    "recursion": """
if not {a}:
    return {empty}
return {expr_0} + {f}({a}[1:])""",
    "generator": "return {wrap}({expr} for {x} in {a})",
    "while": """
{o}, {i} = {empty}, 0
while {i} < len({a}):
    {o} += {expr_i}
    {i} += 1
return {o}""",
}

_ADD_IF = {
    "comprehension": "return {wrap}([{x} for {x} in {a} if {cond}])",
    "loop": """
{o} = {empty}
for {x} in {a}:
    if {cond}:
        {o} += {x}
return {o}""",
    "map": "return {wrap}(filter(lambda {x}: {cond}, {a}))",
    "recursion": """
if not {a}:
    return {empty}
{o} = {f}({a}[1:])
return {o} + {a}[0] if {cond_0} else {o}""",
    "generator": "return {wrap}({x} for {x} in {a} if {cond})",
    "while": """
{o}, {i} = {empty}, 0
while {i} < len({a}):
    if {cond_i}:
        {o} += {a}[{i}]
    {i} += 1
return {o}""",
}

COUNT = {
    "comprehension": "return len([{x} for {x} in {a} if {cond}])",
    "loop": """
{o} = 0
for {x} in {a}:
    if {cond}:
        {o} += 1
return {o}""",
    "map": "return len(list(filter(lambda {x}: {cond}, {a})))",
    "recursion": """
if not {a}:
    return 0
{o} = {f}({a}[1:])
return {o} + 1 if {cond_0} else {o}""",
    "generator": "return sum(1 for {x} in {a} if {cond})",
    "while": """
{o}, {i} = 0, 0
while {i} < len({a}):
    if {cond_i}:
        {o} += 1
    {i} += 1
return {o}""",
}

ALL = {
    "comprehension": "return all([{cond} for {x} in {a}])",
    "loop": """
for {x} in {a}:
    if not {cond}:
        return False
return True""",
    "map": "return all(map(lambda {x}: {cond}, {a}))",
    "recursion": """
if not {a}:
    return True
return {cond_0} and {f}({a}[1:])""",
    "generator": "return all({cond} for {x} in {a})",
    "while": """
{i} = 0
while {i} < len({a}) and {cond_i}:
    {i} += 1
return {i} == len({a})""",
}

ANY = {
    "comprehension": "return any([{cond} for {x} in {a}])",
    "loop": """
for {x} in {a}:
    if {cond}:
        return True
return False""",
    "map": "return any(map(lambda {x}: {cond}, {a}))",
    "recursion": """
if not {a}:
    return False
return {cond_0} or {f}({a}[1:])""",
    "generator": "return any({cond} for {x} in {a})",
    "while": """
{i} = 0
while {i} < len({a}) and not {cond_i}:
    {i} += 1
return {i} < len({a})""",
}

CHANGE_WORDS = {
    "comprehension": 'return " ".join([{expr} for {x} in {a}.split()])',
    "loop": """
{o} = []
for {x} in {a}.split():
    {o}.append({expr})
return " ".join({o})""",
    "map": 'return " ".join(map(lambda {x}: {expr}, {a}.split()))',
    "recursion": """
if " " not in {a}:
    {x} = {a}
    return {expr}
{x}, {o} = {a}.split(" ", 1)
return {expr} + " " + {f}({o})""",
    "generator": 'return " ".join({expr} for {x} in {a}.split())',
    "while": """
{o}, {i} = {a}.split(), 0
while {i} < len({o}):
    {x} = {o}[{i}]
    {o}[{i}] = {expr}
    {i} += 1
return " ".join({o})""",
}


def _filled(shape: dict[str, str], fills: dict[str, str]) -> dict[str, str]:
    bodies = {}
    for style, body in shape.items():
        for slot, text in fills.items():
            body = body.replace(f"{{{slot}}}", text)
        bodies[style] = body
    return bodies


def shaped(shape: dict[str, str], *, cond: str = "", expr: str = "") -> dict[str, str]:
    """A shape's bodies with the task's condition or expression on the item (`@`) put in."""
    forms = {"": "{x}", "_0": "{a}[0]", "_i": "{a}[{i}]"}
    fills = {f"cond{tail}": cond.replace("@", item) for tail, item in forms.items()}
    fills |= {f"expr{tail}": expr.replace("@", item) for tail, item in forms.items()}
    return _filled(shape, fills)


_NUMBERS, _LETTERS = {"wrap": "sum", "empty": "0"}, {"wrap": '"".join', "empty": '""'}
SUM, CHANGE_LETTERS = _filled(_ADD, _NUMBERS), _filled(_ADD, _LETTERS)
SUM_IF, KEEP_LETTERS = _filled(_ADD_IF, _NUMBERS), _filled(_ADD_IF, _LETTERS)
KEEP_LETTERS["recursion"] = """
if not {a}:
    return ""
{o} = {f}({a}[1:])
return {a}[0] + {o} if {cond_0} else {o}"""
