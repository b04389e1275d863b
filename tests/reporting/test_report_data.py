"""What a report is made from."""

from pathlib import Path

import pytest

from helpers.runs import write_run
from modiste.errors import InputError
from modiste.reporting import report_data
from modiste.reporting.evaluate import evaluate
from modiste.runs import files, results


def test_a_run_of_other_labels_has_no_place_in_the_report(tmp_path: Path) -> None:
    """The report is about Fashion-MNIST; a judged run of other labels is pointed to `compare`."""
    run = write_run(tmp_path / "run")
    evaluate(run.path)
    scores = files.read_json(run.scores)
    scores["test"]["labels"][0]["label"] = "kimono"
    files.write_json(run.scores, scores)
    with pytest.raises(InputError, match="modiste compare"):
        report_data.open_report_data([run.path], tmp_path)


def test_results_of_photos_have_no_place_in_the_report(tmp_path: Path) -> None:
    """They tell of trainings too, but of another task: their settings are those of many."""
    told = {"seed": 0, "val_accuracy": 0.9, "val_loss": 0.3, "epochs": 1, "parameters": 9, "seconds": 1.0}
    changes = {"split": "validation", "settings": ["data.synthetic_per_class=100"]}
    results.write(tmp_path / "photos.json", recipe="photos", command="python x.py", runs=[told], **changes)
    assert report_data.open_report_data([], tmp_path).filed == {}
