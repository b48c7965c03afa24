"""Work side by side: results in order, errors and kills that cost one item, an end to all."""

import os
import signal
import time

import pytest

from synthkit.core.processes import side_by_side

SLOW = "__import__('time').sleep(120)"


def values(outcomes):
    return [outcome.value for outcome in outcomes]


def test_results_come_in_the_order_of_the_items_and_the_longest_can_begin_first():
    begun = []
    note = lambda event, item, seconds: begun.append(item) if event == "started" else None  # noqa: E731
    items = ["1 + 1", "__import__('os').environ['OMP_NUM_THREADS']", "print('told') or 3"]
    found = list(side_by_side(eval, items, 2, first=(2, 0), note=note))
    assert values(found) == [2, "1", 3]
    assert [each.printed for each in found] == ["", "", "told\n"]
    assert begun == [items[2], items[0], items[1]]


def test_an_error_and_a_kill_cost_one_item_each():
    items = ["1 / 0", "__import__('os').kill(__import__('os').getpid(), 9)", "7"]
    divided, killed, well = side_by_side(eval, items, 2)
    assert isinstance(divided.error, ZeroDivisionError) and "_worked" in divided.traceback
    assert isinstance(killed.error, RuntimeError) and "signal 9" in str(killed.error)
    assert "--jobs 1" in str(killed.error)
    assert well.value == 7 and well.error is None


def test_whoever_stops_ends_all_processes():
    pids = []
    note = lambda event, item, seconds: pids.append(event)  # noqa: E731
    outcomes = side_by_side(eval, ["__import__('os').getpid()", SLOW, SLOW], 3, note=note)
    assert next(outcomes).value
    start = time.monotonic()
    outcomes.close()
    assert time.monotonic() - start < 30 and pids.count("started") == 3


def test_an_interrupt_ends_all_processes():
    def interrupt(event, item, seconds):
        if item == SLOW:
            raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(side_by_side(eval, [SLOW, SLOW], 1, note=interrupt))
    assert time.monotonic() - start < 30


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a process to kill")
def test_processes_end_with_a_caller_that_is_killed(tmp_path):
    import subprocess
    import sys

    code = (
        "from synthkit.core.processes import side_by_side\n"
        "if __name__ == '__main__':\n"
        f"    item = \"open({str(tmp_path / 'pid')!r}, 'w').write(str(__import__('os').getpid())) "
        "or None, __import__('time').sleep(120)\"\n"
        "    list(side_by_side(eval, [item], 1))\n"
    )
    (tmp_path / "caller.py").write_text(code)
    caller = subprocess.Popen([sys.executable, tmp_path / "caller.py"])
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        pid = int((tmp_path / "pid").read_text())
    finally:
        caller.kill()
        caller.wait()
    while _alive(pid):
        assert time.monotonic() < deadline + 30
        time.sleep(0.05)


def _alive(pid):
    try:
        os.kill(pid, signal.SIG_DFL)  # signal 0 asks only
    except ProcessLookupError:
        return False
    return True
