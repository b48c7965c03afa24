"""Wrong answers to the exercises of lesson 03; `Wrong` in tests/lessons/runner.py says how."""

WRONG = [
    ("03.1", "frozen weights", "if True)", 'if "lora_" in name)'),
    ("03.1", "one matrix of each pair", '"lora_A" in name', '"lora_" in name'),
    ("03.1", "number of matrices", "sum(1 for", "sum(p.numel() for"),
    ("03.2", "swapped", 'cost = {"answers": cost["whole"], "whole": cost["answers"]}'),
    ("03.2", "without its question", 'cost["answers"] = float(lm.nll(wanted).mean())'),
    ("03.2", "a single column", 'cost["whole"] = cost["answers"]'),
    ("03.3", "sign is turned", "lost = {name: -value for name, value in lost.items()}"),
    ("03.3", "student's own loss", "float(student.nll(texts).mean())",
     "float(student.nll(texts).mean() - lm.nll(texts).mean())"),
]  # fmt: skip
