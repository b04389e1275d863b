"""The simulation of the statistics, with few draws."""

from pathlib import Path

import interval_coverage
import numpy as np
import pytest

from modiste.metrics import intervals
from modiste.runs import files


def test_every_case_has_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a rate, and with bounds unless it is of few groups or seeds; those that are missed are named."""
    cases = list(interval_coverage.list_cases())
    few = [cases[place] for place in (0, 2, 15, 28, 33, 38, 41, -1, -2, -30)]
    monkeypatch.setattr(interval_coverage, "list_cases", lambda: few)
    monkeypatch.setattr("sys.argv", ["interval_coverage.py", "--draws", "20", "--out", str(tmp_path / "coverage.json")])
    interval_coverage.main()
    content = files.read_json(tmp_path / "coverage.json")
    assert [record["name"] for record in content["runs"]] == [each.name for each in few]
    assert all(0 <= record["rate"] <= 1 for record in content["runs"])
    expected = [record["name"] for record in content["runs"] if record["within_bounds"] is False]
    assert (content["missed"], content["draws"], content["n"]) == (expected, 20, len(few))


def test_few_groups_have_no_bounds() -> None:
    """They are those that are marked as approximate."""
    for each in interval_coverage.list_cases():
        if "groups" in each.values:
            assert (each.bounds is None) == (each.values["groups"] < intervals.MIN_GROUPS)


@pytest.mark.parametrize("sizes", ["equal", "unequal", "very unequal"])
def test_intervals_over_30_groups_cover(sizes: str) -> None:
    """At least 93 % of the true values, of accuracies and of differences, whatever the sizes of the groups."""
    random = np.random.default_rng(0)
    shared = {"groups": 30, "sizes": sizes, "correlation": 0.3}
    assert interval_coverage.cluster_share(4000, random, accuracy=0.8, **shared) > 0.93
    assert interval_coverage.cluster_difference(4000, random, difference=0.03, **shared) > 0.93


def test_t_intervals_cover() -> None:
    """95 % with normal errors; the paired test has 5 % false alarms."""
    random = np.random.default_rng(0)
    assert interval_coverage.paired_t(20_000, random, n=3) == pytest.approx(0.95, abs=0.005)
    assert interval_coverage.paired_t_alarms(20_000, random, n=6) == pytest.approx(0.05, abs=0.005)
    assert interval_coverage.holm_alarms(5000, random, n=6, methods=4) < 0.055
