"""Each planted fault still has its place, and the tool tells those that are caught."""

from dataclasses import replace
from pathlib import Path

import package_map
import planted_faults

ROOT = Path(__file__).resolve().parents[2]


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
