"""What a type checker sees of the package: checked by mypy, never run."""

from datasets import Dataset
from typing_extensions import assert_type

from synthkit import LM, SPA, DiffLM, EmbedSDG, SoftSRV, SynAlign, evaluate, load_lm, load_world
from synthkit.evaluation.report import Report
from synthkit.teacher import LMTeacher, Teacher

lm = load_lm()
assert_type(lm, LM)
world = load_world("math")
real = world.sample(10, seed=0)
assert_type(real, Dataset)
assert_type(EmbedSDG(lm, teacher=world.teacher()).fit(real), EmbedSDG)
assert_type(SoftSRV(lm).fit(real), SoftSRV)
assert_type(SPA(lm).fit(real), SPA)
assert_type(SynAlign(lm).fit(real), SynAlign)
assert_type(DiffLM(lm).fit(real), DiffLM)
assert_type(evaluate(real, real), Report)
teacher: Teacher = LMTeacher(lm)
for method in (EmbedSDG(lm), SoftSRV(lm), SPA(lm), SynAlign(lm), DiffLM()):
    assert_type(method.sample(10, seed=1, strict=True), Dataset)
