"""Imports run one way, and the map and the planted faults fit the package as it is."""

from dataclasses import replace
from pathlib import Path

import package_map
import planted_faults

ROOT = Path(__file__).resolve().parents[2]


def test_arrows_run_one_way():
    wrong = package_map.against_the_arrows(package_map.imports())
    assert not wrong, "\n".join(wrong)


def test_no_imports_run_in_a_circle():
    assert not package_map.circle(package_map.imports())


def test_every_room_stands_on_a_shelf():
    rooms = {
        path.stem
        for path in (ROOT / "synthkit").iterdir()
        if not path.name.startswith("_") and (path.suffix == ".py" or path.is_dir())
    }
    assert rooms == set(package_map.HEIGHT) == set(package_map.PLACES) and len(rooms) <= 20


def test_the_rules_of_arrows_can_fail():
    found = package_map.imports()
    assert "synthkit.worlds.math" in found["synthkit.lm.documents"]
    upwards = {"synthkit.core.files": {"synthkit.lm"}, "synthkit.spa": {"synthkit.difflm.rows"}}
    assert len(package_map.against_the_arrows(upwards)) == 2
    assert package_map.circle({"a": {"b"}, "b": {"a"}})


def test_the_map_leaves_out_arrows_that_others_replace():
    uses = {"top": {"middle", "ground"}, "middle": {"ground"}, "side": {"ground"}, "ground": set()}
    arrows = {("top", "middle"), ("middle", "ground"), ("side", "ground")}
    assert set(package_map.direct(uses)) == arrows


def test_every_planted_fault_still_has_its_place():
    faults = planted_faults.FAULTS
    assert len({fault.name for fault in faults}) == len(faults) >= 20
    for method in package_map.METHODS:
        assert sum(fault.file.startswith(f"{method}/") for fault in faults) >= 4, method
    for fault in faults:
        compile(fault.planted(ROOT), fault.file, "exec")
        assert fault.old != fault.new
        assert (ROOT / "tests" / fault.tests.split()[0]).exists(), fault.name


def test_planted_faults_are_caught_and_what_changes_nothing_survives(monkeypatch, capsys):
    same = planted_faults.Fault(
        "same", "core/intervals.py", 'method="wilson"', "method='wilson'", "core/test_intervals.py"
    )
    gone = replace(same, name="gone", old="no such text")
    monkeypatch.setattr(planted_faults, "FAULTS", [*planted_faults.FAULTS, same, gone])
    assert planted_faults.main(["wilson", "one_sided"]) == 0
    assert "2 of 2 faults are caught" in capsys.readouterr().out
    assert planted_faults.main(["same", "gone"]) == 1
    assert capsys.readouterr().out.endswith("0 of 2 faults are caught\n")
