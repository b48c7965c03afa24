"""Sampling of rows at study size, against its bars."""

import sys


def test_sampling_at_study_size_reaches_its_bars(repo, monkeypatch):
    monkeypatch.syspath_prepend(repo / "tests" / "benchmarks")
    import bench_difflm_sampling as bench

    monkeypatch.delitem(sys.modules, "bench_difflm_sampling")
    found = bench.compare(rows=48, singles=3, rounds=1)
    assert not bench.missed(found), found
    assert bench.missed({name: 0.0 for name in bench.BARS}) and found["tokens a row"] >= 10
