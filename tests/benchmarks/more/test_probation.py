"""The simulated probations roll bad versions back and good ones not, and say how often."""

import pytest

from benchmarks.more import probation


def test_bad_versions_are_rolled_back_and_good_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probation, "PATHS", 20)
    report = probation.measure()
    rolled_back = {row[0]: (row[1].split()[0], row[2]) for row in report.rows}
    assert rolled_back["answers alike"] == ("0.0", "–")
    share, median = rolled_back["30 points worse, differs on 34 %"]
    assert share == "100.0"
    assert int(median) < 100
    assert [claim.required for claim in report.claims] == ["≤ 1 %", "≤ 300"]
