"""Claims about runs on real data with a real model, written down before any was recorded.

Each asks for the direction that the paper claims; `data/papers` says what the papers claim.
"""

from __future__ import annotations

from functools import partial

from .claims import Claim, Gap, Level
from .difflm import default as tables
from .difflm import real as difflm
from .difflm import shift
from .embedsdg import doses
from .embedsdg import real as embedsdg
from .softsrv import questions
from .softsrv import real as softsrv
from .spa import experiment as spa
from .spa import free
from .spa.real import WORLD
from .synalign import real_trial as synalign

PLACE = "{data}"
_more = partial(Claim, strict=True)


def _embedsdg() -> tuple[Claim, ...]:
    ours, random, drawn = embedsdg.EMBEDSDG, embedsdg.RANDOM, embedsdg.DRAWN
    loss, thin = embedsdg.LOSS, embedsdg.THIN
    return (
        _more("real-seeds", "EmbedSDG's students answer better than those of random seeds (loss)",
              Gap(loss, random, ours), paper="better-than-random"),
        _more("real-accuracy", "EmbedSDG's students are right more often than those of random "
              "seeds", Gap("accuracy", ours, random), paper="better-than-random"),
        _more("real-gain", "a student that goes on with EmbedSDG's rows answers better than before "
              "(loss)", Gap(loss, embedsdg.REAL, ours), paper="over-base"),
        _more("real-place", "EmbedSDG's rows teach more than as many drawn at random (loss)",
              Gap(loss, drawn, ours)),
        _more("real-place-thin", "they do so where the map is thin (loss)", Gap(thin, drawn, ours)),
        _more("real-rare", "EmbedSDG's rows lie where real ones are fewer",
              Gap("density", random, ours)),
        _more("real-density", "answers are likelier where the map is dense (per-example Spearman)",
              Level("per-example Spearman", "student")),
        _more("real-density-within", "answers are likelier where the map is dense (within a type)",
              Level("within-type Spearman", "student")),
        _more("real-density-binned", "answers are likelier where the map is dense (45-bin Pearson)",
              Level("45-bin Pearson", "student")),
        *_embedsdg_doses(),
    )  # fmt: skip


def _embedsdg_doses() -> tuple[Claim, ...]:
    at = {"at": (f"asdiv/problems.jsonl, {doses.TOLD}",)}
    least, *_, most = doses.DOSES.doses
    ours, drawn = (doses.dose(way, most) for way in (embedsdg.EMBEDSDG, embedsdg.DRAWN))
    return (
        _more("real-dose", f"{most} rows of EmbedSDG's teach more than {least} (loss)",
              Gap(embedsdg.LOSS, doses.dose(embedsdg.EMBEDSDG, least), ours), **at),
        _more("real-right", f"a student is right more often after {most} rows of EmbedSDG's",
              Gap("accuracy", ours, embedsdg.REAL), paper="over-base", **at),
        _more("real-right-place", f"{most} rows of EmbedSDG's make a student right more often than "
              "as many drawn at random", Gap("accuracy", ours, drawn), **at),
        Claim("real-own", "of the model's own replies, which continue examples, at least half are "
              "accepted", Level("accepted", embedsdg.CONTINUES), 0.5, **at),
    )  # fmt: skip


def _softsrv() -> tuple[Claim, ...]:
    plain, contextual, best = "SSNP", "SSMC", softsrv.best_variant
    templates, tuned = (softsrv.TEMPLATE, softsrv.EXAMPLES), softsrv.TUNED
    closer = (
        _more(f"real-closer: {name}", f"{name} above the template in MAUVE",
              Gap("MAUVE", name, softsrv.TEMPLATE), paper="closer")
        for name in softsrv.VARIANTS
    )  # fmt: skip
    best_closer = (
        _more(f"real-best: {other}", f"the variant of lowest loss ({{arm}}) above the {other} in "
              "MAUVE", Gap("MAUVE", best, other), paper="closer")
        for other in (*templates, softsrv.REFINED)
    )  # fmt: skip
    students = (
        _more(f"real-student: {other}", f"{contextual}'s texts teach real ones better than the "
              f"{other}'s (loss)", Gap("student loss", other, contextual))
        for other in templates
    )  # fmt: skip
    return (
        *closer,
        *best_closer,
        _more("real-contextual", f"{contextual} above {plain} in MAUVE",
              Gap("MAUVE", contextual, plain), paper="contextual"),
        _more("real-reconstruct", f"{contextual} reconstructs better than {plain}",
              Gap("loss", plain, contextual), paper="reconstruct"),
        Claim("real-nats", f"{contextual} at least .05 nats a token below {plain}",
              Gap("loss", plain, contextual), 0.05),
        Claim("real-copies", f"{contextual} copies no more than chance + .10",
              Gap("near copies, train", softsrv.REAL, contextual), -0.10),
        *students,
        _more("real-refined", "self-refinement brings the template nearer in MAUVE",
              Gap("MAUVE", softsrv.REFINED, softsrv.TEMPLATE)),
        _more("real-lora-loss", f"LoRA on the generator reconstructs better than {contextual}",
              Gap("loss", contextual, tuned)),
        _more("real-lora", f"LoRA on the generator above {contextual} in MAUVE",
              Gap("MAUVE", tuned, contextual)),
        *_softsrv_questions(),
    )  # fmt: skip


def _softsrv_questions() -> tuple[Claim, ...]:
    Q, at = questions, {"at": (f"gsm8k/train.jsonl, {questions.TOLD}",)}
    below = partial(Gap, "loss")
    return (
        _more("real-few", "320 texts reconstruct new ones better than 24 in as many steps",
              below(Q.FEWER, Q.USUAL), **at),
        Claim("real-enough", "96 texts leave a loss that is at most .05 nats higher than 320",
              below(Q.USUAL, Q.FEW), -0.05, **at),
        Claim("real-few-copies", "of 24 texts at most a tenth of what is written is a copy",
              Level("near copies, train", Q.FEWER, sign=-1), -0.1, paper="lossy", **at),
        _more("real-hidden", "the mean of hidden states reconstructs better than that of inputs",
              below(Q.USUAL, Q.HIDDEN), **at),
        _more("real-learned", "a linear map of the context, learned with the prompt, reconstructs "
              "better", below(Q.USUAL, Q.LEARNED), **at),
    )  # fmt: skip


def _spa() -> tuple[Claim, ...]:
    pairs, right = (partial(Gap, measure, spa.INFLUENCE) for measure in ("diversity", "pass@1"))
    styles, ari = partial(Gap, "working modes", spa.INFLUENCE), "adjusted Rand index, mode"
    at, of_free = {"at": (WORLD,)}, {"at": (f"seed_tasks.jsonl, {free.TOLD}",)}
    return (
        _more("real-diversity-random", "more different answers than random parts",
              pairs(spa.RANDOM), paper="diversity-random"),
        Claim("real-right-random", "as right as random parts", right(spa.RANDOM), -0.05, **at),
        _more("real-working-random", "more working styles than random parts",
              styles(spa.RANDOM), **at),
        _more("real-diversity-temperature", "more different answers than temperature 1",
              pairs(spa.HOT)),
        Claim("real-right-temperature", "at least as right as temperature 1",
              right(spa.HOT), **at),
        _more("real-working-temperature", "more working styles than temperature 1",
              styles(spa.HOT), **at),
        _more("real-temperature-cost", "one adapter is less right at temperature 1 than greedy",
              Gap("pass@1", spa.GREEDY, spa.HOT), paper="temperature-cost", **at),
        Claim("real-right-alone", "as right as one adapter, greedy", right(spa.GREEDY), -0.02,
              paper="pass-1", **at),
        _more("real-pass-5", "five answers, one per adapter, solve more than one",
              Gap("pass@5", spa.INFLUENCE, spa.INFLUENCE, less="pass@1"), paper="pass-5", **at),
        _more("real-kl", "adapters of parts by influence differ more than of random parts (KL)",
              Gap("KL", spa.INFLUENCE, spa.RANDOM), paper="kl", **at),
        Claim("real-modes", "influence finds the styles (ARI)", Level(ari, spa.INFLUENCE), 0.5,
              **at),
        Claim("real-modes-sign", "the right sign finds more than the wrong one (ARI)",
              Gap(ari, spa.INFLUENCE, spa.WRONG), 0.2, **at),
        _more("real-alike", "free answers less alike than of random parts (self-BLEU)",
              Gap("self-BLEU", spa.RANDOM, spa.INFLUENCE), **of_free),
        Claim("real-free-loss", "free answers predicted as well as by random parts (loss + .1)",
              Gap("answer loss", spa.RANDOM, spa.INFLUENCE), -0.1, **of_free),
    )  # fmt: skip


def _synalign() -> tuple[Claim, ...]:
    R, weighted = synalign, (synalign.TILTING, synalign.EXACT)
    of_weights = (
        claim
        for arm in weighted
        for claim in (
            _more(f"real-weights-{arm}", f"weights ({arm}) bring the texts closer to held-out ones",
                  Gap("MMD^2, held out", R.UNWEIGHTED, arm), paper="weights"),
            Claim(f"real-third-{arm}", f"weights ({arm}) leave at most .3 of the MMD^2",
                  Level("over unweighted", arm, sign=-1), -0.3),
            _more(f"real-subset-{arm}", f"weights ({arm}) beat a random subset in MMD^2",
                  Gap("MMD^2, held out", R.SUBSET, arm)),
            _more(f"real-students-{arm}", f"a student of texts weighted by {arm} predicts better",
                  Gap("accuracy, alone", arm, R.UNWEIGHTED), paper="students"),
        )
    )  # fmt: skip
    beside = partial(Gap, "accuracy, beside real", against=R.few(R.REAL, 25))
    taught = partial(Gap, f"accuracy, asked{R.TILTED}", R.EXPLORED, less="accuracy, asked")
    return (
        *of_weights,
        _more("real-beside", "weighted texts (exact) help beside 25 real ones",
              beside(R.few(R.EXACT, 25)), paper="beside-real"),
        Claim("real-valid", "records that are held to the schema are all valid",
              Level("valid records", R.HELD), 1.0),
        _more("real-right", "their values are right more often than the commonest ones",
              Gap("right", R.HELD, R.COMMONEST)),
        _more("real-attributes", "described texts have nearer attributes than label-only ones",
              Gap("TV, asked", R.LABEL, R.EXPLORED), paper="attributes"),
        _more("real-exploration", "explored demonstrations come closer than random ones (MMD^2)",
              Gap("MMD^2, asked", R.ANY, R.EXPLORED), paper="exploration"),
        *(_more(f"real-best: {way}", f"weighted, it teaches more than {way}",
                taught(against=way), paper="best") for way in (R.LABEL, R.UNIFORM)),
    )  # fmt: skip


def _difflm() -> tuple[Claim, ...]:
    return (
        _more("real-beats", "more utility (AUC) than as many real rows",
              Gap("AUC", difflm.DIFFUSION, difflm.REAL), paper="beats-real"),
        _more("real-frozen", "more drafts are valid than of the frozen model alone",
              Gap("valid", difflm.DIFFUSION, difflm.ALONE), paper="frozen"),
        _more("real-class-conditional", "more utility (AUC) than columns independent in classes",
              Gap("AUC", difflm.DIFFUSION, difflm.WITHIN)),
        _more("real-pairs", "pair error below independent columns",
              Gap("pair error", difflm.APART, difflm.DIFFUSION)),
        Claim("real-parses", "at least half of the programs or tools written parse",
              Level("parses", difflm.DIFFUSION), 0.5),
        _more("real-format", "a real decoder teaches more (AUC) than the format model in its time",
              Gap("AUC", difflm.DIFFUSION, difflm.FORMAT)),
        Claim("real-trie", "more drafts are rows with the trie than without",
              Gap("valid", difflm.DIFFUSION, difflm.FREE)),
        Claim("default-utility", "the default teaches TVAE's AUC + .03",
              Gap("AUC", difflm.DIFFUSION, tables.TVAE), 0.03),
        Claim("default-time", "the default takes at most ten times TVAE's seconds",
              Level(tables.TIMES, difflm.DIFFUSION, sign=-1), -10.0),
        Claim("shift", "under a covariate shift its rows teach at most .03 less AUC than real ones",
              Gap(shift.OTHER, difflm.DIFFUSION, difflm.REAL), -0.03,
              at=(f"adult/train.csv, {shift.told('age')}",)),
    )  # fmt: skip


REAL_CLAIMS: dict[str, tuple[Claim, ...]] = {
    "embedsdg": _embedsdg(),
    "softsrv": _softsrv(),
    "spa": _spa(),
    "synalign": _synalign(),
    "difflm": _difflm(),
}
