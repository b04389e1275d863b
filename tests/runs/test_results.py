"""Results files."""

from pathlib import Path

import pytest

from modiste.errors import InputError
from modiste.runs import environment, files, results


def test_a_results_file_needs_its_origin(tmp_path: Path) -> None:
    """Command, commit, hardware, versions and n are written, and a file without them is an error."""
    path = tmp_path / "x.json"
    results.write(path, recipe="x", command="modiste bench x", runs=[{"seed": 0}], mean=0.5)
    content = results.read(path)
    assert content["n"] == 1
    assert content["versions"]["python"] == environment.versions()["python"]
    assert content["hardware"] == environment.hardware()
    files.write_json(path, {"recipe": "x"})
    with pytest.raises(InputError, match="it lacks command, commit"):
        results.read(path)
