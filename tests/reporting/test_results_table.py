"""Results of methods, and their rank in the public leaderboard."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.idx import write_idx_folder
from helpers.runs import write_results, write_run
from helpers.scores import compute_scores
from modiste.errors import InputError
from modiste.labels import FASHION_MNIST
from modiste.metrics import intervals
from modiste.recipes import named, settings
from modiste.reporting import leaderboard, method_files, results_table
from modiste.reporting.evaluate import evaluate
from modiste.runs import files, results


def test_a_run_that_is_not_evaluated_has_no_accuracy(tmp_path: Path) -> None:
    """It has metrics of its epochs only."""
    result = method_files.read_run(write_run(tmp_path / "run").path)
    assert (result.accuracy, result.interval_images, result.split) == (None, None, "")
    assert (result.epochs, result.best_epoch, result.seconds, result.parameters) == (3, 2, 6, 7840)


@pytest.mark.parametrize("dataset", ["fashion-mnist", "digits"])
def test_the_recorded_dataset_decides_what_is_fashion_mnist(tmp_path: Path, dataset: str) -> None:
    """The name in environment.json decides, not the source in the recipe."""
    run = write_run(tmp_path / "run")
    content = files.read_json(run.environment)
    files.write_json(run.environment, content | {"data": {**content["data"], "source": dataset}})
    evaluate(run.path)
    assert method_files.read_run(run.path).on_fashion_mnist == (dataset == "fashion-mnist")


def test_test_scores_are_preferred_to_validation_scores(tmp_path: Path) -> None:
    """Validation scores are used only where there are no test scores."""
    run = write_run(tmp_path / "run", blind=1)
    evaluate(run.path, "validation")
    assert method_files.read_run(run.path).split == "validation"
    evaluate(run.path)
    result = method_files.read_run(run.path)
    assert (result.split, result.images, result.accuracy) == ("test", 20, pytest.approx(0.9))


def test_a_results_file_is_the_mean_of_its_seeds(tmp_path: Path) -> None:
    """Accuracy, loss and both intervals are computed from its records."""
    result = method_files.read_results(write_results(tmp_path / "classic-cnn.json", (0.92, 0.94)))
    assert result.name == "classic-cnn"
    assert result.accuracy == pytest.approx(0.93)
    assert result.interval_seeds is not None
    assert result.interval_seeds[0] < 0.92
    assert result.interval_images == pytest.approx((0.9248, 0.9348), abs=1e-4)


def test_the_interval_of_two_seeds_stays_between_0_and_1(tmp_path: Path) -> None:
    """It is clipped."""
    assert method_files.read_results(write_results(tmp_path / "a.json", (0.22, 0.33))).interval_seeds[0] == 0


def test_the_images_of_folds_are_added(tmp_path: Path) -> None:
    """Three folds of 10,000 images are 30,000 different images; seeds are evaluated on the same images."""
    folds = method_files.read_results(write_results(tmp_path / "folds.json", (0.9, 0.91, 0.89), split="validation"))
    seeds = method_files.read_results(write_results(tmp_path / "seeds.json", (0.9, 0.91, 0.89)))
    assert (folds.images, seeds.images) == (30_000, 10_000)
    assert folds.interval_images == intervals.wilson_interval(27_000, 30_000)


def test_equal_names_are_extended_by_their_folders(tmp_path: Path) -> None:
    """Only as far as needed; the name of a results file is not changed where it is the only one."""
    write_idx_folder(tmp_path / "data")
    folders = ("a/x/sprint", "b/x/sprint", "c/sprint", "c/other")
    paths = [write_run(tmp_path / folder, data=tmp_path / "data").path for folder in folders]
    paths.append(write_results(tmp_path / "results" / "sprint.json"))
    names = [result.name for result in method_files.read_methods(paths)]
    assert names == ["a/x/sprint", "b/x/sprint", "c/sprint", "other", "sprint"]
    paths.append(write_results(tmp_path / "old" / "sprint.json"))
    assert [result.name for result in method_files.read_methods(paths)][-2:] == ["results/sprint", "old/sprint"]


def test_the_run_of_a_seed_is_named_with_its_folder(tmp_path: Path) -> None:
    """Also one whose seed no other recipe has."""
    write_idx_folder(tmp_path / "data")
    folders = ("a/seed-0", "a/seed-1", "b/seed-0")
    paths = [write_run(tmp_path / folder, data=tmp_path / "data").path for folder in folders]
    assert [result.name for result in method_files.read_methods(paths)] == list(folders)


def test_a_run_that_is_named_twice_is_one_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its relative and its absolute path, or through a link."""
    run, other = write_run(tmp_path / "a").path, write_results(tmp_path / "b.json")
    (tmp_path / "link").symlink_to(run)
    monkeypatch.chdir(tmp_path)
    paths = [Path("a"), other, run, Path("b.json"), Path("link")]
    assert [result.name for result in method_files.read_methods(paths)] == ["a", "b"]


def test_setting_differences_ignore_the_seed(tmp_path: Path) -> None:
    """A tuple and its list in JSON are equal, too."""
    base = named.classic_cnn()
    crop = replace(base, seed=1, augmentation=replace(base.augmentation, random_crop_padding=4))
    one = method_files.read_results(write_results(tmp_path / "a.json", recipe=base))
    other = method_files.read_run(write_run(tmp_path / "run", crop, tmp_path).path)
    assert results_table.setting_differences(one, other) == {
        "augmentation.random_crop_padding": (0, 4),
        "data.source": ("", str(tmp_path)),
    }


def test_a_setting_that_a_results_file_lacks_has_its_default(tmp_path: Path) -> None:
    """Results files of earlier versions lack newer settings."""
    path = write_results(tmp_path / "old.json")
    content = json.loads(path.read_text())
    del content["settings"]["augmentation.mixup_prob"]
    path.write_text(json.dumps(content))
    mixed = settings.with_settings(named.classic_cnn(), {"augmentation.mixup_prob": 0.5})
    old, new = (
        method_files.read_results(path),
        method_files.read_results(write_results(tmp_path / "new.json", recipe=mixed)),
    )
    assert results_table.setting_differences(old, new) == {"augmentation.mixup_prob": (0.0, 0.5)}


@pytest.mark.parametrize("content", ["{}", "[]", "no json", '{"runs": []}'])
def test_a_file_that_holds_no_results_is_refused(tmp_path: Path, content: str) -> None:
    """Other JSON, and files that are not JSON; the error names the file."""
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(InputError, match=r"a\.json"):
        method_files.read_methods([tmp_path / "a.json"])


def test_results_without_trainings_are_refused(tmp_path: Path) -> None:
    """Such as a results file about something else."""
    with pytest.raises(InputError, match="has no trainings"):
        method_files.read_results(write_results(tmp_path / "a.json", ()))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("seed", "x", "has seed 'x', but it must be a number of at least 0"),
        ("seed", None, "has seed None"),
        ("epochs", None, "has epochs None"),
        ("accuracy", 93.0, "has accuracy 93.0, but it must be a number from 0 to 1"),
        ("accuracy", float("nan"), "has accuracy nan"),
        ("accuracy", "abc", "has accuracy 'abc'"),
        ("loss", float("inf"), "has loss inf"),
        ("parameters", float("inf"), "has parameters inf"),
        ("images", 0, "has images 0, but it must be a number of at least 1"),
        ("teachers", 1, "cannot be read"),
        ("seed", ..., "has no seed"),
        ("seconds", ..., "has no seconds"),
    ],
)
def test_invalid_records_are_refused(tmp_path: Path, key: str, value: object, message: str) -> None:
    """A value of a record is missing, of another type or out of range; the error names file, training and value."""
    path = write_results(tmp_path / "a.json", (0.92, 0.93))
    content = json.loads(path.read_text())
    content["runs"][1] |= {key: value}
    content["runs"][1] = {name: each for name, each in content["runs"][1].items() if each is not ...}
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"a\.json: training 2 {message}.*Restore the file"):
        method_files.read_results(path)


def test_a_seed_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    """It would count as two trainings."""
    path = write_results(tmp_path / "a.json", (0.92, 0.93))
    content = json.loads(path.read_text())
    content["runs"].append(content["runs"][0])
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="has seed 0 of fold 0 twice"):
        method_files.read_results(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split": "train"}, "has no trainings evaluated on test or validation"),
        ({"settings": [1]}, "has no settings that all its trainings share"),
        ({"settings": {"schedule.warmup_fraction": "x"}}, "has settings that no recipe has"),
    ],
)
def test_an_invalid_results_file_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    """An unknown split, and settings that are not settings of a recipe; the error names the file."""
    path = write_results(tmp_path / "a.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=rf"a\.json {message}"):
        method_files.read_results(path)


@pytest.mark.parametrize(
    "content",
    ["[]", '{"parameters": "x"}', '{"data": "x"}', '{"data": {"train": "x"}}', '{"data": {"validation": {"n": []}}}'],
)
def test_an_invalid_environment_is_refused(tmp_path: Path, content: str) -> None:
    """The error names environment.json."""
    run = write_run(tmp_path / "run")
    run.environment.write_text(content)
    with pytest.raises(InputError, match=r"environment\.json"):
        method_files.read_run(run.path)


@pytest.mark.parametrize(
    "change",
    [
        {"accuracy": "x"},
        {"accuracy": 2},
        {"n": 0},
        {"per_class": [{"name": "Bag"}]},
        {"confusion_matrix": [[1]]},
        {"worst_mistakes": ["x"]},
        {"interval_images": [0]},
        {"accuracy": 0.999},
        {"loss": float("nan")},
        {"n": 11},
        {
            "confusion_matrix": [
                [-1 if true == label == 0 else int(true == label) for label in range(10)] for true in range(10)
            ]
        },
    ],
)
def test_inconsistent_scores_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    """A value of scores.json is impossible or contradicts another one; the error names the file."""
    run = write_run(tmp_path / "run")
    scores = compute_scores(np.eye(10), np.arange(10), FASHION_MNIST, "test")
    run.scores.write_text(json.dumps({"test": scores.as_dict() | change}))
    with pytest.raises(InputError, match=r"scores\.json"):
        method_files.read_run(run.path)


def test_own_results_are_ranked_in_the_public_table(tmp_path: Path) -> None:
    """The public table has 38 rows; the own row is between a higher and a lower accuracy."""
    assert len(leaderboard.public_table()) == 38
    table = leaderboard.add_results([method_files.read_results(write_results(tmp_path / "own.json", (0.9405,)))])
    rank = next(index for index, row in enumerate(table) if row.result)
    assert table[rank - 1].accuracy >= 0.9405 >= table[rank + 1].accuracy
    assert table[rank].preprocessing == "random horizontal flips"
    assert table[rank].result is not None


@pytest.mark.parametrize(
    ("accuracies", "expected"),
    [
        ((0.9390, 0.9392), {"WRN-28-10": "higher", "2 Conv+2 FC": "not distinguishable", "GRU+SVM": "lower"}),
        ((0.92, 0.96), {"WRN-28-10": "not distinguishable", "2 Conv+2 FC": "not distinguishable"}),
        ((0.9391,), {"WRN-28-10": "higher", "2 Conv+2 FC": "not distinguishable", "GRU+SVM": "lower"}),
        ((0.855,), {"Human performance": "not distinguishable", "GRU+SVM": "higher"}),
    ],
)
def test_rows_of_the_public_table_are_marked(
    tmp_path: Path, accuracies: tuple[float, ...], expected: dict[str, str]
) -> None:
    """By the error of the test images, of which people saw 1,000, and by the spread over seeds where there are two."""
    result = method_files.read_results(write_results(tmp_path / "own.json", accuracies))
    marks = {row.classifier: leaderboard.mark(row, result) for row in leaderboard.add_results([result])}
    assert {name: marks[name] for name in expected} == expected
    assert marks["own"] is None


def test_rows_near_ours_are_selected(tmp_path: Path) -> None:
    """Those that are not distinguishable, and the next ones; all rows are 39."""
    for accuracies in ((0.9390, 0.9392), (0.59, 0.591)):
        result = method_files.read_results(write_results(tmp_path / "own.json", accuracies))
        table = leaderboard.add_results([result])
        rank = next(index for index, row in enumerate(table) if row.result)
        near = leaderboard.select_near(table, [result])
        assert {row.classifier for row in table[rank - 1 : rank + 2]} <= {row.classifier for row in near}
        marks = [leaderboard.mark(row, result) for row in near]
        assert marks.count("higher") <= 1
        assert marks.count("lower") <= 1
        assert len(near) < 20


def test_scores_beside_accuracy_are_read_from_results_files(tmp_path: Path) -> None:
    """Those of earlier versions have none; an infinite one is refused."""
    path = write_results(tmp_path / "a.json", (0.9, 0.92))
    assert method_files.read_results(path).mean("brier") is None
    content = json.loads(path.read_text())
    for record, brier in zip(content["runs"], (0.1, 0.2), strict=True):
        record["brier"] = brier
    path.write_text(json.dumps(content))
    result = method_files.read_results(path)
    assert (result.mean("brier"), result.mean("ece")) == (pytest.approx(0.15), None)
    assert result.by_seed() == {(0, 0): 0.9, (1, 0): 0.92}
    content["runs"][0]["brier"] = float("inf")
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="training 1 has brier inf"):
        method_files.read_results(path)


def test_results_on_other_data_are_not_in_the_public_table(tmp_path: Path) -> None:
    """A run on generated data has no row."""
    run = write_run(tmp_path / "run")
    evaluate(run.path)
    assert not any(row.result for row in leaderboard.add_results([method_files.read_run(run.path)]))


@pytest.mark.parametrize("content", ["[]", "broken", '{"test": 1}', '{"test_openings": "x"}'])
def test_invalid_scores_are_refused(tmp_path: Path, content: str) -> None:
    """The error names scores.json."""
    run = write_run(tmp_path / "run")
    run.scores.write_text(content)
    with pytest.raises(InputError, match=r"scores\.json"):
        method_files.read_run(run.path)


def test_training_time_includes_the_teachers(tmp_path: Path) -> None:
    """In a results file and in a run; a record without teachers has its own time only."""
    assert results.total_seconds({"seconds": 10}) == 10
    assert results.total_seconds({"seconds": 10, "teachers": [{"seconds": 20.5}, {"seconds": 2}]}) == 32.5
    run = write_run(tmp_path / "run")
    without_teachers = method_files.read_run(run.path).seconds
    environment = files.read_json(run.environment)
    environment["data"]["teachers"] = [{"run": "fold-0", "seconds": 20.5}]
    files.write_json(run.environment, environment)
    assert method_files.read_run(run.path).seconds == without_teachers + 20.5
