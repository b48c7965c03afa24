"""Claims of the papers that recorded runs can answer, written down after these runs.

They could not sway what was measured, and what was measured shall not sway them: each asks for the
paper's direction alone (more than 0), or for the paper's own number; one asks for the bound of the
kit's own alarm, a tenth. The ledger marks them.
"""

from __future__ import annotations

from functools import partial

from .claims import Claim, Gap, Level
from .difflm import experiment as tables
from .difflm import experiment_texts as records
from .embedsdg import report as embedsdg
from .papers import paper_claims
from .real_claims import PLACE as REAL
from .softsrv import experiment as softsrv
from .spa import experiment as spa
from .spa.testbeds import PLACE
from .synalign import experiment as reviews
from .synalign import experiment_real as sentences
from .synalign import writing

_more = partial(Claim, strict=True)
CONTINUED = "accuracy (continue)"


def _embedsdg() -> tuple[Claim, ...]:
    ours, none = embedsdg.METHOD, embedsdg.NO_DATA
    return (
        _more("continued", "as in the paper, a tuned student that goes on with the examples alone",
              Gap(CONTINUED, ours, embedsdg.BASELINE), paper="better-than-random"),
        _more("over-base", "going on with the examples beats stopping",
              Gap(CONTINUED, ours, none, less=embedsdg.ACCURACY), paper="over-base"),
        _more("retrain", "real and synthetic examples beat the real ones alone",
              Gap(embedsdg.ACCURACY, ours, none), paper="retrain"),
        _more("density-rank", "accuracy rises with density (45-bin Spearman)",
              Level("45-bin Spearman", "student"), paper="density-spearman"),
    )  # fmt: skip


def _softsrv() -> tuple[Claim, ...]:
    small = softsrv.SWEPT[1]
    return (
        *(_more(f"real: {name}", f"student of {name} better than of real texts",
                Gap("student accuracy", name, softsrv.REAL), paper="beats-real")
          for name in ("SSMC", small)),
        _more("match-ssmc", "SSMC above SSNP in MAUVE", Gap("MAUVE", "SSMC", "SSNP"),
              paper="contextual"),
        _more("size", "1,500 texts bring a small context closer than 384",
              Gap("MAUVE", f"{small}, 1500 texts", small), paper="size", at=("math",)),
    )  # fmt: skip


def _spa() -> tuple[Claim, ...]:
    first = ("records, strong skew",)
    return (
        _more("lexical-random", "BM25+ parts are more diverse than random ones",
              Gap("diversity", spa.BM25, spa.RANDOM), paper="lexical-random"),
        *(_more(f"kl-{arm}", f"adapters of influence differ more than those of {arm}",
                Gap("KL", spa.INFLUENCE, arm), paper="kl", at=(*first, "records, mild skew"))
          for arm in (spa.RANDOM, spa.BM25)),
        _more("temperature-cost", "one adapter is less right at temperature 1 than greedy",
              Gap("pass@1", spa.GREEDY, spa.HOT), paper="temperature-cost"),
        Claim("twelve", "twelve parts keep the diversity of six",
              Gap("diversity", list(spa.COUNTS)[-1], spa.INFLUENCE), paper="more-parts", at=first),
        _more("clusters", "clusters of scores are more diverse than the largest score",
              Gap("diversity", spa.CLUSTERS, spa.INFLUENCE), paper="clusters", at=first),
    )  # fmt: skip


def _synalign() -> tuple[Claim, ...]:
    baselines = {"SimPrompt": writing.SIMPLE, "AttrPrompt": writing.ATTRIBUTED}
    return (
        *(_more(f"best-{name}-{task}", f"above {name} ({task})",
                Gap(f"accuracy, {task}", reviews.ALIGNED, arm), paper="best", at=(reviews.WRITTEN,))
          for name, arm in baselines.items() for task in ("tone", "sentiment")),
        _more("beside-real", "half weighted texts beside half real ones beat real ones",
              Gap("accuracy", reviews.MIXED, sentences.REAL), paper="beside-real",
              at=(reviews.STUDENT,)),
    )  # fmt: skip


def _sentences() -> tuple[Claim, ...]:
    plain, aligned = sentences.UNWEIGHTED, sentences.ALIGNED
    found = []
    for skew in (sentences.CLUSTER, "length"):
        tv, accuracy = (f"{skew} skew: {name}" for name in ("TV, thinned", "accuracy, subset"))
        found += [
            _more(f"weights-{skew}", f"weights bring the thinned {skew} closer",
                  Gap(tv, plain, aligned), paper="weights"),
            _more(f"student-{skew}", f"weights help a student of a pool with a {skew} skew",
                  Gap(accuracy, aligned, plain), paper="students"),
        ]  # fmt: skip
    found.append(_more("retriever", "weights help a retriever (nDCG@10)",
                       Gap("nDCG@10", aligned, plain), paper="retriever"))  # fmt: skip
    return tuple(found)


def _tables() -> tuple[Claim, ...]:
    reported = paper_claims("difflm")
    return tuple(
        Claim(f"auc-{name}", "AUC reaches the paper's", Level("auc", tables.DIFFUSION),
              float(reported[name].number), paper=name, at=(name,))
        for name in ("adult", "default", "magic")
    )  # fmt: skip


# By method, and then by the form of a place (see `Study.place`).
LATER: dict[str, dict[str, tuple[Claim, ...]]] = {
    "embedsdg": {embedsdg.WORLD: _embedsdg()},
    "softsrv": {
        "{world}": _softsrv(),
        "{world}, {frozen}": (
            _more("reconstruct", "SSMC reconstructs better than SSNP",
                  Gap("loss", "SSNP", "SSMC"), paper="reconstruct"),
        ),
    },
    "spa": {PLACE: _spa()},
    "synalign": {"{part}": _synalign(), "{set}, {encoder}": _sentences()},
    "difflm": {
        "{table}": _tables(),
        REAL: (
            Claim("real-listens", "another row's latent costs at least a tenth more",
                  Level("shuffled-latent gap", tables.DIFFUSION), 0.1),
        ),
        "{set}": (
            _more("frozen-texts", "more texts are valid than of the frozen model alone",
                  Gap("valid", tables.DIFFUSION, records.FROZEN), paper="frozen"),
            _more("diffusion-texts", "more texts are valid with the diffusion than with N(0, I)",
                  Gap("valid", tables.DIFFUSION, tables.NORMAL), paper="diffusion"),
        ),
    },
}  # fmt: skip
