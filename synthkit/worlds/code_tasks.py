"""The tasks of the code world, as a table: what is asked, and how each style answers it.

Most tasks have a shape of `code_shapes` (keep some items, change each item, count, join words) and
fill in a condition or an expression, `@` being the item. The others write their bodies out.

`reference` is an independent statement of the right answer: it makes the expected values of the
tests, and no generated code is ever run to make them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .code_shapes import (
    ALL,
    ANY,
    CHANGE,
    CHANGE_LETTERS,
    CHANGE_WORDS,
    COUNT,
    KEEP,
    KEEP_LETTERS,
    SUM,
    SUM_IF,
    shaped,
)


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        kind: what the first argument is: numbers, words (lists), text, sentence, number, pair.
        what: noun phrases that complete "returns ...", with slots {a}, {b}, {k}.
        names: function names.
        reference: the right answer, called as `reference(*arguments, k)`.
        bodies: style -> function body.
        constants: values of k that appear in texts; empty if the task has no constant.
        hidden: the constant of a task that names none, for `reference` and its near misses.
        edges: items near the boundary, called with k; tests are rich in them.
        groups: for tasks on whole values (number, pair, palindromes): each of the three tests
            draws its argument from the group in its place.
        near: plausible wrong answers, like `reference`; the tests must tell each from it.
    """

    kind: str
    what: tuple[str, ...]
    names: tuple[str, ...]
    reference: Callable[..., Any]
    bodies: dict[str, str]
    constants: tuple = ()
    hidden: Any = None
    edges: Callable[[Any], tuple] = lambda k: ()
    groups: tuple[tuple, tuple, tuple] | None = None
    near: tuple[Callable[..., Any], ...] = ()


SMALL = tuple(range(2, 10))
LETTERS = tuple("aeinorst")


def _around(k: int) -> tuple[int, ...]:
    return (k - 1, k, k + 1)


WORDS = tuple(
    "an be cat cow dog fox hat sun tea bird blue boat book cake coat corn fish frog hand home "
    "salt ship song star tree bread chair cloud field horse house snail stone table train bottle "
    "candle farmer forest hammer silver summer travel".split()
)
PALINDROMES = tuple("abba level noon radar civic deed peep refer rotor stats tenet".split())
INSIDE = tuple("that edge else dead area high tent test text kick bulb".split())  # differ inside
OUTSIDE = tuple("seen feed noot moon ship levee tree pool".split())  # differ at the ends


TASKS: dict[str, Task] = {
    "keep_even": Task("numbers",
        ("the even numbers in {a}", "only the items of {a} that are even"),
        ("evens", "keep_even", "get_evens", "only_even"),
        lambda a, k: [x for x in a if x % k == 0], shaped(KEEP, cond="@ % 2 == 0"), hidden=2),
    "squares": Task("numbers",
        ("the square of each number in {a}", "a list with every item of {a} squared"),
        ("squares", "square_all", "squared", "to_squares"),
        lambda a, k: [x**k for x in a], shaped(CHANGE, expr="@ * @"), hidden=2),
    "count_vowels": Task("text",
        ("the number of vowels in {a}", "how many letters of {a} are vowels"),
        ("count_vowels", "vowels", "num_vowels", "vowel_count"),
        lambda a, k: len([x for x in a if x in k]), shaped(COUNT, cond='@ in "aeiou"'),
        hidden="aeiou", edges=lambda k: tuple("aeiou"),
        near=(lambda a, k: sum(x not in k for x in a),)),
    "sum_above": Task("numbers",
        ("the sum of the numbers in {a} above {k}", "the items of {a} above {k}, added up"),
        ("sum_above", "add_above", "total_above", "sum_big"),
        lambda a, k: sum(x for x in a if x > k), shaped(SUM_IF, cond="@ > {k}"), SMALL,
        edges=_around, near=(lambda a, k: sum(x for x in a if x < k),)),
    "reverse_words": Task("sentence",
        ("{a} with each word reversed", "the words of {a}, each one spelled backwards"),
        ("reverse_words", "flip_words", "mirror_words", "turn_words"),
        lambda a, k: " ".join("".join(reversed(x)) for x in a.split(" ")),
        shaped(CHANGE_WORDS, expr="@[::-1]")),
    "maximum": Task("numbers",
        ("the largest number in {a}", "the biggest item of {a}"),
        ("maximum", "largest", "find_max", "biggest"),
        lambda a, k: sorted(a)[-1],
        {"loop": """
{o} = {a}[0]
for {x} in {a}[1:]:
    if {x} > {o}:
        {o} = {x}
return {o}""",
         "map": """
from functools import reduce
return reduce(lambda {o}, {x}: {x} if {x} > {o} else {o}, {a})""",
         "recursion": """
{x}, *{o} = {a}
if not {o}:
    return {x}
{o} = {f}({o})
return {x} if {x} > {o} else {o}""",
         "while": """
{o}, {i} = {a}[0], 1
while {i} < len({a}):
    if {a}[{i}] > {o}:
        {o} = {a}[{i}]
    {i} += 1
return {o}"""},
        edges=lambda k: tuple(range(-9, 1)), near=(lambda a, k: max(a[:1] + a[1::2]),)),
    "keep_longer": Task("words",
        ("the words in {a} longer than {k} letters", "items of {a} with more than {k} letters"),
        ("longer_than", "keep_long", "long_words", "longer"),
        lambda a, k: [x for x in a if len(x) > k], shaped(KEEP, cond="len(@) > {k}"), (2, 3, 4, 5),
        edges=lambda k: tuple(w for w in WORDS if k - 1 <= len(w) <= k + 1)),
    "factorial": Task("number",
        ("the factorial of {a}", "the product of all numbers from 1 to {a}"),
        ("factorial", "fact", "product_to", "multiply_to"),
        lambda a, k: math.factorial(a),
        {"comprehension": """
from math import prod
return prod([{x} for {x} in range(2, {a} + 1)])""",
         "loop": """
{o} = 1
for {x} in range(2, {a} + 1):
    {o} *= {x}
return {o}""",
         "map": """
from functools import reduce
return reduce(lambda {o}, {x}: {o} * {x}, range(2, {a} + 1), 1)""",
         "recursion": """
if {a} == 0:
    return 1
return {a} * {f}({a} - 1)""",
         "generator": """
from math import prod
return prod({x} for {x} in range(2, {a} + 1))""",
         "while": """
{o} = 1
while {a} > 1:
    {o} *= {a}
    {a} -= 1
return {o}"""},
        groups=((3, 4, 5), (5, 6, 7), (0,))),
    "running_total": Task("numbers",
        ("the running total of {a}", "the list of sums of {a} so far, item by item"),
        ("running_total", "cumulative", "running_sum", "sums_so_far"),
        lambda a, k: list(itertools.accumulate(a)),
        {"comprehension": "return [sum({a}[:{i} + 1]) for {i} in range(len({a}))]",
         "loop": """
{o}, {t} = [], 0
for {x} in {a}:
    {t} += {x}
    {o}.append({t})
return {o}""",
         "map": "return list(map(lambda {i}: sum({a}[:{i} + 1]), range(len({a}))))",
         "recursion": """
if not {a}:
    return []
return {f}({a}[:-1]) + [sum({a})]""",
         "generator": "return list(sum({a}[:{i} + 1]) for {i} in range(len({a})))",
         "while": """
{o}, {i} = [], 0
while {i} < len({a}):
    {i} += 1
    {o}.append(sum({a}[:{i}]))
return {o}"""}),
    "scale": Task("numbers",
        ("each number in {a} times {k}", "a list with every item of {a} multiplied by {k}"),
        ("scale", "times", "multiply_all", "scaled"),
        lambda a, k: [x * k for x in a], shaped(CHANGE, expr="@ * {k}"), SMALL),
    "is_palindrome": Task("text",
        ("True if {a} reads the same backwards, else False",
         "True if {a} is a palindrome and False if not"),
        ("is_palindrome", "palindrome", "same_back", "mirrors"),
        lambda a, k: a == "".join(reversed(a)),
        {"comprehension": "return all([{x} == {o} for {x}, {o} in zip({a}, {a}[::-1])])",
         "loop": """
for {x}, {o} in zip({a}, {a}[::-1]):
    if {x} != {o}:
        return False
return True""",
         "map": "return all(map(lambda {x}, {o}: {x} == {o}, {a}, {a}[::-1]))",
         "recursion": """
if len({a}) < 2:
    return True
return {a}[0] == {a}[-1] and {f}({a}[1:-1])""",
         "generator": "return all({x} == {o} for {x}, {o} in zip({a}, {a}[::-1]))",
         "while": """
while len({a}) > 1:
    if {a}[0] != {a}[-1]:
        return False
    {a} = {a}[1:-1]
return True"""},
        groups=(PALINDROMES, INSIDE, OUTSIDE)),
    "sum_squares": Task("numbers",
        ("the sum of the squares of {a}", "the squares of all numbers in {a}, added up"),
        ("sum_squares", "square_sum", "add_squares", "total_squares"),
        lambda a, k: sum(x**k for x in a), shaped(SUM, expr="@ * @"), hidden=2),
    "count_value": Task("numbers",
        ("how often {k} occurs in {a}", "the number of items of {a} equal to {k}"),
        ("count_value", "how_many", "occurs", "times_seen"),
        lambda a, k: list(a).count(k), shaped(COUNT, cond="@ == {k}"), SMALL,
        edges=lambda k: (k, k, k + 1), near=(lambda a, k: len(a) - a.count(k),)),
    "add_constant": Task("numbers",
        ("each number in {a} plus {k}", "a list with {k} added to every item of {a}"),
        ("add_to_all", "add_each", "shift", "increase"),
        lambda a, k: [x + k for x in a], shaped(CHANGE, expr="@ + {k}"), SMALL),
    "remove_vowels": Task("text",
        ("{a} without its vowels", "the letters of {a} that are not vowels"),
        ("remove_vowels", "drop_vowels", "no_vowels", "strip_vowels"),
        lambda a, k: a.translate(str.maketrans("", "", k)),
        shaped(KEEP_LETTERS, cond='@ not in "aeiou"'), hidden="aeiou"),
    "digit_sum": Task("number",
        ("the sum of the digits of {a}", "the digits of {a}, added up"),
        ("digit_sum", "sum_digits", "add_digits", "digits_total"),
        lambda a, k: a % 10 + a // 10 % 10 + a // 100 % 10 + a // 1000,
        {"comprehension": "return sum([int({x}) for {x} in str({a})])",
         "loop": """
{o} = 0
for {x} in str({a}):
    {o} += int({x})
return {o}""",
         "map": "return sum(map(int, str({a})))",
         "recursion": """
if {a} < 10:
    return {a}
return {a} % 10 + {f}({a} // 10)""",
         "generator": "return sum(int({x}) for {x} in str({a}))",
         "while": """
{o} = 0
while {a} > 0:
    {o} += {a} % 10
    {a} //= 10
return {o}"""},
        groups=((23, 47, 68, 305, 471), (868, 999, 1203, 1456, 5274), (10, 103, 104, 1027))),
    "gcd": Task("pair",
        ("the greatest common divisor of {a} and {b}",
         "the largest number that divides both {a} and {b}"),
        ("gcd", "common_divisor", "divisor", "find_gcd"),
        lambda a, b, k: math.gcd(a, b),
        {"comprehension": """
return max([{x} for {x} in range(1, {a} + 1) if {a} % {x} == {b} % {x} == 0])""",
         "loop": """
for {x} in range({a}, 0, -1):
    if {a} % {x} == 0 and {b} % {x} == 0:
        return {x}""",
         "map": """
{o} = filter(lambda {x}: {a} % {x} == {b} % {x} == 0, range(1, {a} + 1))
return max({o})""",
         "recursion": """
if {b} == 0:
    return {a}
return {f}({b}, {a} % {b})""",
         "generator": "return max({x} for {x} in range(1, {a} + 1) if {a} % {x} == {b} % {x} == 0)",
         "while": """
while {b} > 0:
    {a}, {b} = {b}, {a} % {b}
return {a}"""},
        groups=(((4, 7), (4, 9), (8, 15), (14, 9)),
                ((6, 18), (4, 12), (5, 20), (8, 24)),
                ((18, 12), (24, 18), (36, 24), (20, 8)))),
    "drop_value": Task("numbers",
        ("{a} without the items equal to {k}", "the list {a} with every {k} removed"),
        ("drop_value", "without", "remove_all", "discard"),
        lambda a, k: [x for x in a if not x == k], shaped(KEEP, cond="@ != {k}"), SMALL,
        edges=lambda k: (k, k + 1, k - 1)),
    "lengths": Task("words",
        ("the length of each word in {a}", "a list of how long the words of {a} are"),
        ("lengths", "word_lengths", "get_lengths", "sizes"),
        lambda a, k: [sum(1 for _ in x) for x in a], shaped(CHANGE, expr="len(@)")),
    "all_above": Task("numbers",
        ("True if every number in {a} is above {k}, else False",
         "True if all items of {a} are more than {k} and False if not"),
        ("all_above", "every_above", "all_over", "all_big"),
        lambda a, k: min([*a, 99]) > k, shaped(ALL, cond="@ > {k}"), SMALL,
        edges=lambda k: (k, k + 1, k + 1, k + 2, k + 3, k + 4), near=(lambda a, k: max(a) < k,)),
    "sum_to": Task("number",
        ("the sum of the numbers from 1 to {a}", "1 + 2 + ... + {a}"),
        ("sum_to", "add_to", "triangle", "total_to"),
        lambda a, k: a * (a + 1) // 2,
        {"comprehension": "return sum([{x} for {x} in range(1, {a} + 1)])",
         "loop": """
{o} = 0
for {x} in range(1, {a} + 1):
    {o} += {x}
return {o}""",
         "map": "return sum(map(lambda {x}: {x} + 1, range({a})))",
         "recursion": """
if {a} == 0:
    return 0
return {a} + {f}({a} - 1)""",
         "generator": "return sum({x} for {x} in range(1, {a} + 1))",
         "while": """
{o} = 0
while {a} > 0:
    {o} += {a}
    {a} -= 1
return {o}"""},
        groups=((1, 2, 3, 4), (5, 6, 7, 8), (9, 10, 11, 12))),
    "initials": Task("sentence",
        ("the first letters of the words in {a}", "a string of the initial of each word of {a}"),
        ("initials", "first_letters", "acronym", "heads"),
        lambda a, k: "".join(y for x, y in zip(" " + a, a) if x == " "),
        {"comprehension": 'return "".join([{x}[0] for {x} in {a}.split()])',
         "loop": """
{o} = ""
for {x} in {a}.split():
    {o} += {x}[0]
return {o}""",
         "map": 'return "".join(map(lambda {x}: {x}[0], {a}.split()))',
         "recursion": """
if " " not in {a}:
    return {a}[0]
return {a}[0] + {f}({a}.split(" ", 1)[1])""",
         "generator": 'return "".join({x}[0] for {x} in {a}.split())',
         "while": """
{o} = ""
while " " in {a}:
    {o} += {a}[0]
    {a} = {a}.split(" ", 1)[1]
return {o} + {a}[0]"""}),
    "clip": Task("numbers",
        ("each number in {a}, but at most {k}",
         "a list where items of {a} above {k} are replaced by {k}"),
        ("clip", "cap_all", "at_most", "limit"),
        lambda a, k: [x if x < k else k for x in a], shaped(CHANGE, expr="min(@, {k})"), SMALL,
        edges=lambda k: (k - 1, k + 1, k + 2)),
    "count_letter": Task("text",
        ("how often the letter {k} occurs in {a}", "the number of letters {k} in {a}"),
        ("count_letter", "letter_count", "num_letter", "find_letter"),
        lambda a, k: a.count(k), shaped(COUNT, cond='@ == "{k}"'), LETTERS, edges=lambda k: (k, k),
        near=(lambda a, k: len(a) - a.count(k),)),
    "power": Task("pair",
        ("{a} to the power {b}", "{a} multiplied by itself {b} times, starting from 1"),
        ("power", "raise_to", "to_power", "exponent"),
        lambda a, b, k: a**b,
        {"comprehension": """
from math import prod
return prod([{a} for {x} in range({b})])""",
         "loop": """
{o} = 1
for {x} in range({b}):
    {o} *= {a}
return {o}""",
         "recursion": """
if {b} == 0:
    return 1
return {a} * {f}({a}, {b} - 1)""",
         "generator": """
from math import prod
return prod({a} for {x} in range({b}))""",
         "while": """
{o} = 1
while {b} > 0:
    {o} *= {a}
    {b} -= 1
return {o}"""},
        groups=(((2, 3), (2, 5), (3, 4), (4, 3)), ((5, 2), (6, 2), (7, 2)), ((5, 0), (3, 1)))),
    "any_above": Task("numbers",
        ("True if some number in {a} is above {k}, else False",
         "True if any item of {a} is more than {k} and False if not"),
        ("any_above", "some_above", "any_over", "has_big"),
        lambda a, k: max([*a, -99]) > k, shaped(ANY, cond="@ > {k}"), SMALL,
        edges=lambda k: (k + 1, k, k, k - 1, k - 2, k - 2), near=(lambda a, k: min(a) < k,)),
    "reverse_text": Task("text",
        ("{a} reversed", "the letters of {a} in reverse order"),
        ("reverse_text", "backwards", "reverse", "flip"),
        lambda a, k: a[::-1],
        {"comprehension": 'return "".join([{a}[-{i}] for {i} in range(1, len({a}) + 1)])',
         "loop": """
{o} = ""
for {x} in {a}:
    {o} = {x} + {o}
return {o}""",
         "map": 'return "".join(map(lambda {i}: {a}[-{i}], range(1, len({a}) + 1)))',
         "recursion": """
if not {a}:
    return ""
return {f}({a}[1:]) + {a}[0]""",
         "generator": 'return "".join({a}[-{i}] for {i} in range(1, len({a}) + 1))',
         "while": """
{o} = ""
while {a}:
    {o} += {a}[-1]
    {a} = {a}[:-1]
return {o}"""}),
    "keep_multiples": Task("numbers",
        ("the multiples of {k} in {a}", "the items of {a} that can be divided by {k}"),
        ("multiples_in", "keep_multiples", "divisible", "divided_by"),
        lambda a, k: [x for x in a if x // k * k == x], shaped(KEEP, cond="@ % {k} == 0"),
        (3, 4, 5, 6, 7), edges=lambda k: (k, 2 * k, 3 * k, k + 1)),
    "first_multiples": Task("number",
        ("the first {a} multiples of {k}", "a list of {k}, {k} * 2 and so on, with {a} items"),
        ("first_multiples", "times_table", "table", "list_multiples"),
        lambda a, k: list(range(k, k * a + 1, k)),
        {"comprehension": "return [{k} * {x} for {x} in range(1, {a} + 1)]",
         "loop": """
{o} = []
for {x} in range(1, {a} + 1):
    {o}.append({k} * {x})
return {o}""",
         "map": "return list(map(lambda {x}: {k} * {x}, range(1, {a} + 1)))",
         "recursion": """
if {a} == 0:
    return []
return {f}({a} - 1) + [{k} * {a}]""",
         "generator": "return list({k} * {x} for {x} in range(1, {a} + 1))",
         "while": """
{o}, {i} = [], 0
while {i} < {a}:
    {i} += 1
    {o}.append({k} * {i})
return {o}"""},
        SMALL, groups=((1, 2), (3, 4), (5, 6))),
    "capitalise_words": Task("sentence",
        ("{a} with a capital letter at the start of each word", "{a} with every word capitalized"),
        ("capital_words", "capitalize_all", "upper_first", "to_title"),
        lambda a, k: a.title(), shaped(CHANGE_WORDS, expr="@.capitalize()")),
    "total_length": Task("words",
        ("the total length of the words in {a}", "how many letters the words of {a} have in all"),
        ("total_length", "count_letters", "all_letters", "sum_lengths"),
        lambda a, k: len("".join(a)), shaped(SUM, expr="len(@)")),
    "repeat_letters": Task("text",
        ("{a} with each letter repeated {k} times", "each letter of {a} written {k} times"),
        ("repeat_letters", "stretch", "repeat_each", "echo"),
        lambda a, k: "".join(x for x in a for _ in range(k)),
        shaped(CHANGE_LETTERS, expr="@ * {k}"), (2, 3, 4)),
    "absolute": Task("numbers",
        ("the absolute value of each number in {a}", "the items of {a} with their signs dropped"),
        ("absolute", "abs_all", "drop_signs", "magnitudes"),
        lambda a, k: [x if x > 0 else -x for x in a], shaped(CHANGE, expr="abs(@)"),
        edges=lambda k: tuple(range(-9, 0))),
    "fibonacci": Task("number",
        ("the Fibonacci number at index {a}", "number {a} of the Fibonacci sequence 0, 1, 1, 2"),
        ("fibonacci", "fib", "fib_number", "nth_fib"),
        lambda a, k: (0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55)[a],
        {"loop": """
{x}, {o} = 0, 1
for {i} in range({a}):
    {x}, {o} = {o}, {x} + {o}
return {x}""",
         "recursion": """
if {a} < 2:
    return {a}
return {f}({a} - 1) + {f}({a} - 2)""",
         "while": """
{x}, {o} = 0, 1
while {a} > 0:
    {x}, {o} = {o}, {x} + {o}
    {a} -= 1
return {x}"""},
        groups=((2, 4, 6), (3, 5, 7), (8, 9))),
    "starts_with": Task("words",
        ("the words in {a} that start with {k}", "items of {a} with {k} as first letter"),
        ("starts_with", "keep_initial", "words_from", "by_letter"),
        lambda a, k: [x for x in a if x.startswith(k)], shaped(KEEP, cond='@[0] == "{k}"'),
        tuple("bcfhst"), edges=lambda k: tuple(w for w in WORDS if w[0] == k)),
    "keep_digits": Task("text",
        ("the digits in {a}", "only the characters of {a} that are digits"),
        ("keep_digits", "digits", "only_digits", "get_digits"),
        lambda a, k: "".join(x for x in a if x in "0123456789"),
        shaped(KEEP_LETTERS, cond="@.isdigit()"), edges=lambda k: tuple("123456789")),
}  # fmt: skip

OPENERS = (
    "Write a function {f}({args}) that returns {what}.",
    "Define {f}({args}) so that it returns {what}.",
    "Complete {f}({args}): it should give {what}.",
    "Implement {f}({args}), which gives back {what}.",
    "Python function wanted: {f}({args}) returns {what}.",
)

ARGUMENTS = {  # kind -> names of the first argument
    "numbers": ("nums", "values", "numbers", "items", "data"),
    "words": ("words", "items", "names", "tokens", "data"),
    "text": ("text", "s", "string", "line", "given"),
    "sentence": ("text", "s", "sentence", "line", "phrase"),
    "number": ("n", "m", "num", "number", "size"),
    "pair": ("a", "p", "first", "left", "x"),
}
SECONDS = {"a": "b", "p": "q", "first": "second", "left": "right", "x": "y"}
ITEMS = {  # kind -> names of one item
    "numbers": ("x", "v", "n", "item"),
    "words": ("w", "x", "word", "item"),
    "text": ("c", "ch", "x", "char"),
    "sentence": ("w", "x", "word", "part"),
    "number": ("d", "j", "t", "v"),
    "pair": ("d", "j", "t", "v"),
}
RESULTS = ("out", "result", "res", "acc")
TOTALS = ("total", "so_far")
INDICES = ("i", "k", "pos", "idx")
