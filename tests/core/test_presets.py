"""A method's settings by name, and what a saved method remembers of its model."""

from dataclasses import asdict
from types import SimpleNamespace

import pytest

from synthkit.core.files import read_json
from synthkit.core.identity import check_model, made_with
from synthkit.core.paths import data_dir
from synthkit.difflm.presets import PARTS
from synthkit.difflm.presets import PRESETS as DIFFLM
from synthkit.embedsdg.presets import PRESETS as EMBEDSDG
from synthkit.softsrv.presets import PRESETS as SOFTSRV
from synthkit.spa.presets import PRESETS as SPA
from synthkit.synalign.presets import PRESETS as SYNALIGN

LM = SimpleNamespace(name="small", fingerprint="aa")


def test_a_model_is_known_by_its_fingerprint_and_not_by_its_name():
    renamed = SimpleNamespace(name="renamed", fingerprint="aa")
    check_model(made_with(renamed), made_with(LM))
    with pytest.raises(ValueError, match=r"^the prompt was trained with small"):
        check_model({"name": "x", "fingerprint": "c"}, made_with(LM), "the prompt was trained")


# --- what "paper" means --------------------------------------------------------------------------

PAPERS = read_json(data_dir() / "papers" / "presets.json")
METHODS = {
    "embedsdg": EMBEDSDG, "softsrv": SOFTSRV, "spa": SPA, "synalign": SYNALIGN, "difflm": DIFFLM,
}  # fmt: skip


def flat(preset) -> dict:
    """The values of a preset, those of its parts by dotted names."""
    found = {}
    for name, value in asdict(preset).items():
        inner = value if isinstance(value, dict) else None
        found |= {f"{name}.{k}": v for k, v in inner.items()} if inner else {name: value}
    return found


@pytest.mark.parametrize("method", METHODS)
def test_the_preset_paper_holds_the_papers_values_and_says_what_differs(method):
    preset, table = METHODS[method]["paper"], PAPERS[method]
    have, known = flat(preset), table["values"]
    assert {name: have[name] for name in known} == {name: v for name, (v, _) in known.items()}
    assert {source for _, source in known.values()} <= set(PAPERS["sources"])
    listed = [*known, *table["differs"], *table["not stated"]]
    assert sorted(listed) == sorted(have), "every knob is the paper's, differs, or is not stated"
    for name in table["differs"]:
        part, _, knob = name.rpartition(".")
        about = PARTS.get(part, type(preset)).__doc__.partition('"paper" holds')[2]
        assert f"`{knob}`" in about and table["paper"] in about, f"{name} is not in the docstring"
