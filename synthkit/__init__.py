"""Five published methods for making synthetic training data with a language model, built step by step in notebooks

Modules:

- `synthkit.core.packing`: Fitted parts as files of plain formats: tensors (safetensors), rows (JSON Lines), JSON.
- `synthkit.core.parallel`: Several processes that train as one: the device of each, sums over all, the first one's values.
- `synthkit.course.assignments`: Graded assignments as their authors write them: notebooks whose cells carry marks.
- `synthkit.course.checks`: Replies to answers of the lessons' exercises: right, not answered yet, or the likely mistake.
- `synthkit.course.grading`: Grading of students' notebooks: each answer for itself, in a process with limits.
- `synthkit.datasets.loaders`: Real sets by path or by hub name.
- `synthkit.difflm.automatic`: The preset "auto": sizes and steps that follow from the table, which needs no options.
- `synthkit.difflm.format_model`: The offline decoder: a small Llama that knows how rows are written and can read hints.
- `synthkit.difflm.json_pieces`: Rows as JSON, cut into pieces: a column's key and value with what ends it.
- `synthkit.difflm.json_trie`: Rows as JSON, token by token: a trie of the valid rows for a model that reads text.
- `synthkit.difflm.ordered`: Embeddings that know the order of numbers: neighbouring digits begin alike.
- `synthkit.evaluation.diversity`: Diversity of the answers to one prompt, the share that is right, and how far adapters differ from each other.
- `synthkit.evaluation.mauve`: Fidelity of generated texts to real ones as distributions (MAUVE).
- `synthkit.evaluation.table_baselines`: Tables by other libraries, to stand beside our own: TVAE, CTGAN and GReaT, each optional.
- `synthkit.evaluation.table_fidelity`: Fidelity of a synthetic table by hand: its columns, its pairs of columns, its values.
- `synthkit.evaluation.table_utility`: Utility of a table (TSTR) and the classifier two-sample test, both by boosted trees.
- `synthkit.evaluation.tables`: Quality of a synthetic table: fidelity, utility and privacy, beside reference tables.
- `synthkit.sandbox.child`: Helper process of `synthkit.sandbox`: a small process that forks guarded children for a program.
- `synthkit.sandbox.guard`: Limits on a program: the audit hook that ends it, and what is removed before it starts.
- `synthkit.sandbox.judge`: Tests are judged outside the process of the program, on plain values.
- `synthkit.sandbox.runner`: Run generated Python in a separate process, with limits on time, memory and reach.
- `synthkit.sandbox.values`: Plain values as JSON that keeps their types: the form in which results reach the judge.
- `synthkit.studies.bakeoff.experiment`: The bake-off: every way sees the same real rows and writes as many drafts, and is scored alike.
- `synthkit.studies.difflm.default`: DiffLM as it stands, without any option, on tables that its preset was not chosen on.
- `synthkit.studies.difflm.report`: The DiffLM study: its claims, its tables and its figure.
- `synthkit.studies.embedded_lm`: Capabilities of a model in the embedded model's format, counted by the worlds themselves.
- `synthkit.studies.embedsdg.density_accuracy`: Relation of density on the map to the student's accuracy, with and without aggregation.
- `synthkit.studies.four_bits`: A real model in 4 bits beside itself in 16: loss, soft prompt, copies, programs that parse.
- `synthkit.studies.gpu_memory`: Peak memory and speed on a GPU, against the estimates: random weights in true sizes, in NF4.
- `synthkit.studies.later`: Claims of the papers that recorded runs can answer, written down after these runs.
- `synthkit.studies.ledger`: The ledger: every claim of the papers and of the kit, beside what recorded runs found.
- `synthkit.studies.spa.programs`: SPA on the code world with a real model: programs are executed, and their styles are known.
- `synthkit.studies.spa.records_base`: The base of SPA's records experiment: the embedded model after it has read records of all orders.
- `synthkit.studies.synalign.experiment_real`: SynAlign on real texts: what its weights do for a pool whose skew is known, since we made it.
- `synthkit.studies.synalign.ranking`: Quality of a ranking: offline metrics, and two rankings interleaved before simulated users.
- `synthkit.worlds.census`: The census world: rows of mixed types from a known Bayesian network.
- `synthkit.worlds.code`: The code world: small Python tasks, each solved in several styles, with tests that are run.
- `synthkit.worlds.code_shapes`: The shapes of small functions: one body for each style, with a condition or expression left open.
- `synthkit.worlds.code_tasks`: The tasks of the code world, as a table: what is asked, and how each style answers it.
- `synthkit.worlds.facts`: The facts world: a short passage and a yes/no question about it (the BoolQ shape).
- `synthkit.worlds.math_families`: The forty skill families of the math world: what each asks, and how it is solved.
- `synthkit.worlds.records`: The records world: three values to be stated in any order, and every order is right.
- `synthkit.worlds.reviews`: The reviews world: short reviews whose five attributes can be read from the text.
- `synthkit.worlds.targets.code`: The code target: eight tasks on lists of numbers; each task has its favourite argument names.
- `synthkit.worlds.targets.facts`: The facts target: three topics and four kinds of reasoning, which depend on each other.
- `synthkit.worlds.targets.math`: The math target: seven of the forty families, eight people, six towns, each with its regulars."""

import os
import sys
import warnings
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .datasets import load_table as load_table
    from .difflm import DiffLM as DiffLM
    from .embedsdg import EmbedSDG as EmbedSDG
    from .evaluation.report import evaluate as evaluate
    from .evaluation.tables import evaluate_table as evaluate_table
    from .lm import LM as LM
    from .lm import load_lm as load_lm
    from .softsrv import SoftSRV as SoftSRV
    from .spa import SPA as SPA
    from .synalign import SynAlign as SynAlign
    from .teacher import HTTPTeacher as HTTPTeacher
    from .teacher import LMTeacher as LMTeacher
    from .worlds import load_world as load_world

__version__ = "0.2.0"

# Threads that wait for each other sleep: by default they spin, and where other programs use the
# cores as well that takes many times as long. Only torch's import reads this.
if "torch" not in sys.modules:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("KMP_BLOCKTIME", "0")

# Progress bars are text where ipywidgets is missing; a lesson should not open with that warning.
warnings.filterwarnings("ignore", message="IProgress not found")

# Heavy libraries are imported when a name is first used.
_HOMES = {
    "LM": "lm",
    "load_lm": "lm",
    "load_world": "worlds",
    "load_table": "datasets",
    "LMTeacher": "teacher",
    "HTTPTeacher": "teacher",
    "EmbedSDG": "embedsdg",
    "SoftSRV": "softsrv",
    "SPA": "spa",
    "SynAlign": "synalign",
    "DiffLM": "difflm",
    "evaluate": "evaluation.report",
    "evaluate_table": "evaluation.tables",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'synthkit' has no attribute {name!r}; it offers {__all__}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__():
    return __all__
