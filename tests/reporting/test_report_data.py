"""The results that a report is about."""

from dataclasses import replace
from pathlib import Path

import pytest

from helpers.runs import rows, write_results, write_run
from modiste.errors import InputError
from modiste.recipes import named
from modiste.reporting import method_files
from modiste.reporting.evaluate import evaluate
from modiste.reporting.report.write import write_report
from modiste.reporting.report_data import CNN, ReportData, find_result, open_report_data
from modiste.runs import files, results


def test_fashion_mnist_is_recognized_in_any_folder(tmp_path: Path) -> None:
    """The dataset is the one that `train` recorded by its checksums."""
    for dataset, is_official in (("fashion-mnist", True), ("beans", False), ("", False)):
        run = write_run(tmp_path / f"run-{dataset}", dataset=dataset)
        evaluate(run.path)
        assert (find_result(open_report_data([run.path]).own, CNN) is not None) == is_official


def test_own_results_come_from_the_arguments_and_the_results_folder(tmp_path: Path) -> None:
    """Runs, results files, and the results files of `--results`, each once; the packaged ones are published."""
    run, file = write_run(tmp_path / "run"), write_results(tmp_path / "results" / "own.json")
    write_results(tmp_path / "results" / "other.json")
    data = open_report_data([run.path, file], tmp_path / "results")
    assert [result.name for result in data.own] == ["run", "own", "other"]
    assert {"classic-cnn", "classic-resnet18", "sprint"} <= {result.name for result in data.published}


def test_a_published_file_is_never_an_own_result(tmp_path: Path) -> None:
    """Neither as an argument nor in a folder, under any name; a file with other trainings is."""
    content = results.read_published()["classic-cnn"]
    files.write_json(tmp_path / "copy.json", content | {"command": "modiste bench"})
    own = write_results(tmp_path / "own" / "classic-cnn.json")
    data = open_report_data([tmp_path / "copy.json", own], tmp_path)
    assert [result.name for result in data.own] == ["classic-cnn"]
    assert [result.n for result in data.published if result.name == "classic-cnn"] == [content["n"]]
    with pytest.raises(InputError, match="files that come with modiste are published"):
        write_report([tmp_path / "copy.json"], tmp_path / "r.html")


def test_results_about_photos_are_left_out(tmp_path: Path) -> None:
    """A folder may have results files that are not about one recipe."""
    record = {"seed": 0, "val_accuracy": 0.9, "val_loss": 0.3, "epochs": 1, "parameters": 9, "seconds": 1.0}
    changes = {"split": "validation", "settings": ["data.synthetic_per_class=100"]}
    results.write(tmp_path / "photos.json", recipe="photos", command="python x.py", runs=[record], **changes)
    assert open_report_data([], tmp_path).own == ()


def test_seeds_of_a_method_are_one_method(tmp_path: Path) -> None:
    """With its mean and its interval over seeds; a run that is not evaluated is another one."""
    runs = [write_run(tmp_path / "runs" / str(seed), replace(named.classic_cnn(), seed=seed)) for seed in range(3)]
    for run in runs[:2]:
        evaluate(run.path)
    data = open_report_data([run.path for run in runs])
    assert [(result.name, result.n) for result in data.pooled] == [("0 and 1 more", 2), ("2", 1)]
    assert data.methods == data.pooled


def test_one_run_of_each_method_is_shown_in_detail(tmp_path: Path) -> None:
    """A second seed of the same method is left out."""
    first, second = (write_run(tmp_path / str(seed), replace(named.classic_cnn(), seed=seed)) for seed in (0, 1))
    other = write_run(tmp_path / "resnet", named.classic_resnet18())
    methods = tuple(method_files.read_run(run.path) for run in (first, second, other))
    assert [result.name for result in ReportData(methods).runs] == ["0", "resnet"]
    assert methods[0].history == tuple(rows((0.6, 0.4, 0.5)))


def test_a_folder_of_results_must_exist(tmp_path: Path) -> None:
    """A folder that does not exist is named in the error."""
    with pytest.raises(InputError, match="none is not a folder"):
        open_report_data([], tmp_path / "none")
