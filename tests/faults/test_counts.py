"""What the tests of faults write about what they tried."""

import json
from pathlib import Path

import pytest

from faults.counts import count


@pytest.mark.parametrize("failure", ["", "raised", "listed"])
def test_the_counts_of_a_test_are_written_also_when_it_fails(
    failure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An assertion, too, is a failure."""
    monkeypatch.setenv("MODISTE_FAULTS_RESULTS", str(tmp_path / "counts"))

    def run() -> None:
        with count("kills", [26, 27], "kills") as counts:
            counts.n = 3
            if failure == "listed":
                counts.failures.append("the second one")
            assert failure != "raised", "why"

    if failure:
        with pytest.raises(AssertionError):
            run()
    else:
        run()
    content = json.loads((tmp_path / "counts" / "kills.json").read_text())
    assert (content["faults"], content["tried"], content["n"]) == ([26, 27], "kills", 3)
    assert content["failures"] == len(content["examples"]) == (failure != "")
    assert content["test"].startswith("tests/faults/test_counts.py::test_the_counts")
