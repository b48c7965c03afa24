"""Checks of lesson 03: the size of an adapter, what the loss counts, what a student forgets."""

from __future__ import annotations

from .checks import close


def exercise_1(trained, lesson):
    """Trained parameters at two ranks."""
    for rank in (3, 8):
        student = lesson.lm.with_lora(rank=rank, alpha=2 * rank)
        sizes = {name: p.numel() for name, p in student.model.named_parameters()}
        count = {part: sum(n for name, n in sizes.items() if part in name)
                 for part in ("lora_", "lora_A", "lora_B", "")}  # fmt: skip
        found = trained(rank)
        if found in (count[""], count[""] - count["lora_"]):
            return "the frozen weights are counted too; only the adapter is trained."
        if found in (count["lora_A"], count["lora_B"]):
            return "this is one matrix of each pair; A and B are both trained."
        if found == sum("lora_" in name for name in sizes):
            return "this is the number of matrices; each has `numel()` parameters."
        if found != count["lora_"]:
            return f"rank {rank} has {count['lora_']:,} trained parameters, and not {found:,}."


def exercise_2(cost, lesson):
    """Nats per answer token after two trainings."""
    pairs = map(lesson.as_prompt_and_completion, lesson.test[:40])
    asked, wanted = map(list, zip(*pairs))
    untrained = float(lesson.lm.nll(wanted, prompts=asked).mean())
    answers, whole = float(cost["answers"]), float(cost["whole"])
    if answers > untrained:
        return (
            "an answer costs more than before the training: it was measured without its question "
            "(`prompts=`), or together with it."
        )
    if answers > whole:
        return "the two are swapped: training on the answers alone makes them cheaper."
    if whole - answers < 1e-3:
        return "both cost the same: for `whole`, the rows need a single column `text`."


def exercise_3(lost, lesson):
    """Nats per token that the student's loss exceeds the base model's by."""
    for name in ("facts", "reviews", "code"):
        world = lesson.load_world(name)
        texts = [world.text(row) for row in world.rows(40, seed=9)]
        mine, base = (float(lm.nll(texts).mean()) for lm in (lesson.student, lesson.lm))
        if close(lost[name], mine - base, rel=0.05, abs=2e-3):
            continue
        if close(lost[name], base - mine, rel=0.05, abs=2e-3):
            return "the sign is turned: what is lost is the student's loss minus the base model's."
        if close(lost[name], mine, rel=0.02):
            return "this is the student's own loss; subtract that of the base model."
        if close(lost[name], 40 * (mine - base), rel=0.05):
            return "this is the sum over the texts; the exercise asks for the mean."
        return (
            f"for `{name}` it is {mine - base:.3f}, and not {lost[name]:.3f}: are the texts those?"
        )
