"""Imports run one way, and the map shows them."""

from pathlib import Path

import package_map

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
