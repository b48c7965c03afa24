"""How many replies of an instruct model can be used, with its chat template and without.

    SYNTHKIT_SMOLLM2=FOLDER python tests/tools/chat_rates.py [N]

counts, of N prompts each, EmbedSDG's generation prompts and SynAlign's descriptions.
"""

import os
import sys
from collections import Counter
from time import perf_counter

from synthkit import load_lm, load_world
from synthkit.embedsdg.prompts import generation_prompt
from synthkit.embedsdg.replies import parse_generation
from synthkit.synalign.schemas import SURFACE
from synthkit.teacher import LMTeacher, ask

TOKENS = {"generate": 200, "describe": 120}


def prompts(n: int) -> dict[str, list[str]]:
    """`n` prompts of each kind, from the kit's worlds."""
    rows = load_world("math").rows(2 * n, seed=0)
    pairs = [(row["question"], row["answer"]) for row in rows]
    texts = [row["text"] for row in load_world("reviews").rows(n, seed=0)]
    return {
        "generate": [generation_prompt(pairs[2 * i : 2 * i + 2]) for i in range(n)],
        "describe": [SURFACE.describe_prompt(text) for text in texts],
    }


def rates(lm, n: int = 20) -> dict:
    """(task, chat) to replies with text, replies that parse, statuses and seconds; greedy."""
    found = {}
    for task, asked in prompts(n).items():
        for chat in (False, True):
            start = perf_counter()
            teacher = LMTeacher(lm, chat=chat, max_new_tokens=TOKENS[task], batch_size=10)
            replies = ask(teacher, asked)
            if task == "generate":
                read = [parse_generation(reply) for reply in replies]
                statuses = [one.status if not one.complete else "parsed" for one in read]
            else:
                statuses = [SURFACE.parse(reply).reason or "parsed" for reply in replies]
            found[task, chat] = {
                "replies": sum(bool(reply) for reply in replies),
                "parsed": statuses.count("parsed"),
                "statuses": dict(Counter(statuses)),
                "seconds": round(perf_counter() - start, 1),
                "example": replies[0][:160],
            }
    return found


if __name__ == "__main__":
    lm = load_lm(os.environ["SYNTHKIT_SMOLLM2"])
    for (task, chat), found in rates(lm, int(sys.argv[1]) if sys.argv[1:] else 20).items():
        print(task, "in the template" if chat else "plain", found)
