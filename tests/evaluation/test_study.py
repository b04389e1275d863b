"""What a report is made from."""

from pathlib import Path

import pytest

from helpers.runs import write_run
from modiste.errors import InputError
from modiste.evaluation import study
from modiste.evaluation.evaluate import evaluate
from modiste.runs import files, results


def test_a_run_of_other_labels_has_no_place_in_the_report(tmp_path: Path) -> None:
    """The report is about Fashion-MNIST; a judged run of other labels is pointed to `compare`."""
    run = write_run(tmp_path / "run")
    evaluate(run.path)
    scores = files.read_json(run.scores)
    scores["test"]["labels"][0]["label"] = "kimono"
    files.write_json(run.scores, scores)
    with pytest.raises(InputError, match="modiste compare"):
        study.open_study([run.path], tmp_path)


def test_results_of_photos_have_no_place_in_the_report(tmp_path: Path) -> None:
    """They tell of trainings too, but of another task: their settings are those of many."""
    told = {"seed": 0, "validation_accuracy": 0.9, "validation_loss": 0.3, "epochs": 1, "parameters": 9, "seconds": 1.0}
    changes = {"split": "validation", "settings": ["data.catalogue=100"]}
    results.write(tmp_path / "photos.json", recipe="photos", command="python x.py", runs=[told], **changes)
    assert study.open_study([], tmp_path).filed == {}
