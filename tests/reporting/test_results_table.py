"""What is put side by side, and its place in the public table."""

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
from modiste.reporting import leaderboard, results_table
from modiste.reporting.evaluate import evaluate
from modiste.runs import files, results


def test_a_run_that_is_not_judged_has_no_accuracy(tmp_path: Path) -> None:
    """Its history is there, its scores are not."""
    entry = results_table.read_run(write_run(tmp_path / "run").path)
    assert (entry.accuracy, entry.interval_images, entry.split) == (None, None, "")
    assert (entry.epochs, entry.best_epoch, entry.seconds, entry.parameters) == (3, 2, 6, 7840)


@pytest.mark.parametrize("dataset", ["fashion-mnist", "digits"])
def test_the_recorded_dataset_decides_what_is_fashion_mnist(tmp_path: Path, dataset: str) -> None:
    """The name by checksum counts, not whether the recipe names a folder."""
    run = write_run(tmp_path / "run")
    content = files.read_json(run.environment)
    files.write_json(run.environment, content | {"data": {**content["data"], "source": dataset}})
    evaluate(run.path)
    assert results_table.read_run(run.path).on_fashion_mnist == (dataset == "fashion-mnist")


def test_test_scores_count_before_validation_scores(tmp_path: Path) -> None:
    """A run judged on validation alone says so; judged on test too, test counts."""
    run = write_run(tmp_path / "run", blind=1)
    evaluate(run.path, "validation")
    assert results_table.read_run(run.path).split == "validation"
    evaluate(run.path)
    entry = results_table.read_run(run.path)
    assert (entry.split, entry.images, entry.accuracy) == ("test", 20, pytest.approx(0.9))


def test_a_results_file_is_the_mean_of_its_seeds(tmp_path: Path) -> None:
    """Accuracy, loss and both intervals are computed from its records."""
    entry = results_table.read_results(write_results(tmp_path / "classic-cnn.json", (0.92, 0.94)))
    assert entry.name == "classic-cnn"
    assert entry.accuracy == pytest.approx(0.93)
    assert entry.interval_seeds is not None
    assert entry.interval_seeds[0] < 0.92
    assert entry.interval_images == pytest.approx((0.9248, 0.9348), abs=1e-4)


def test_the_interval_of_two_seeds_stays_between_0_and_1(tmp_path: Path) -> None:
    """It is clipped, as that of any share."""
    assert results_table.read_results(write_results(tmp_path / "a.json", (0.22, 0.33))).interval_seeds[0] == 0


def test_folds_are_judged_on_all_their_images_together(tmp_path: Path) -> None:
    """Three folds of 10,000 images are 30,000 different ones; seeds are judged on the same."""
    folds = results_table.read_results(write_results(tmp_path / "folds.json", (0.9, 0.91, 0.89), split="validation"))
    seeds = results_table.read_results(write_results(tmp_path / "seeds.json", (0.9, 0.91, 0.89)))
    assert (folds.images, seeds.images) == (30_000, 10_000)
    assert folds.interval_images == intervals.wilson_interval(27_000, 30_000)


def test_equal_names_take_as_much_of_their_paths_as_they_need(tmp_path: Path) -> None:
    """Runs of one name in several folders stay apart by these; a results file keeps its name, others are left alone."""
    write_idx_folder(tmp_path / "data")
    places = ("a/x/sprint", "b/x/sprint", "c/sprint", "c/other")
    paths = [write_run(tmp_path / place, data=tmp_path / "data").path for place in places]
    paths.append(write_results(tmp_path / "results" / "sprint.json"))
    names = [entry.name for entry in results_table.read_methods(paths)]
    assert names == ["a/x/sprint", "b/x/sprint", "c/sprint", "other", "sprint"]
    paths.append(write_results(tmp_path / "old" / "sprint.json"))
    assert [entry.name for entry in results_table.read_methods(paths)][-2:] == ["results/sprint", "old/sprint"]
    assert [entry.name for entry in results_table.read_methods(paths[:1] * 2)] == ["sprint"] * 2


def test_methods_differ_in_what_matters(tmp_path: Path) -> None:
    """A seed is no difference, a crop is; what JSON made of a tuple is none."""
    base = named.classic_cnn()
    crop = replace(base, seed=1, augmentation=replace(base.augmentation, random_crop_padding=4))
    one = results_table.read_results(write_results(tmp_path / "a.json", recipe=base))
    other = results_table.read_run(write_run(tmp_path / "run", crop, tmp_path).path)
    assert results_table.setting_differences(one, other) == {
        "augmentation.random_crop_padding": (0, 4),
        "data.source": ("", str(tmp_path)),
    }


def test_a_results_file_of_before_a_setting_had_its_default(tmp_path: Path) -> None:
    """Methods that differ in what was not yet there then are two."""
    path = write_results(tmp_path / "old.json")
    content = json.loads(path.read_text())
    del content["settings"]["augmentation.mixup_prob"]
    path.write_text(json.dumps(content))
    mixed = settings.with_settings(named.classic_cnn(), {"augmentation.mixup_prob": 0.5})
    old, new = (
        results_table.read_results(path),
        results_table.read_results(write_results(tmp_path / "new.json", recipe=mixed)),
    )
    assert results_table.setting_differences(old, new) == {"augmentation.mixup_prob": (0.0, 0.5)}


def test_runs_of_one_method_are_pooled_by_seed(tmp_path: Path) -> None:
    """Two seeds make an entry of two; runs that nobody judged make none."""
    runs = [write_run(tmp_path / str(seed), replace(named.classic_cnn(), seed=seed)) for seed in (1, 0)]
    assert results_table.pool_runs("p", [results_table.read_run(run.path) for run in runs]) is None
    for run in runs:
        evaluate(run.path)
    pooled = results_table.pool_runs("p", [results_table.read_run(run.path) for run in runs])
    assert pooled is not None
    assert [outcome.seed for outcome in pooled.run_results] == [0, 1]
    opened = [results_table.read_run(run.path) for run in runs]
    other = replace(opened[1], recipe=settings.with_settings(opened[1].recipe, {"optimizer.lr": 0.002}))
    pooled = results_table.pool_runs("p", [opened[0], other])
    assert pooled is not None
    assert [outcome.seed for outcome in pooled.run_results] == [1]


@pytest.mark.parametrize("content", ["{}", "[]", "no json", '{"runs": []}'])
def test_a_file_that_holds_no_results_is_refused(tmp_path: Path, content: str) -> None:
    """Other JSON, or none at all, is one sentence with the file's name."""
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(InputError, match=r"a\.json"):
        results_table.read_methods([tmp_path / "a.json"])


def test_results_without_trainings_are_refused(tmp_path: Path) -> None:
    """A results file of something else than trainings is told apart."""
    with pytest.raises(InputError, match="has no trainings"):
        results_table.read_results(write_results(tmp_path / "a.json", ()))


@pytest.mark.parametrize(
    "change",
    [
        {"seed": "x"},
        {"epochs": None},
        {"accuracy": 93.0},
        {"accuracy": float("nan")},
        {"loss": float("inf")},
        {"parameters": float("inf")},
        {"images": 0},
    ],
)
def test_damaged_records_are_told(tmp_path: Path, change: dict[str, object]) -> None:
    """A record of a results file that is no training is one sentence with the file's name."""
    path = write_results(tmp_path / "a.json", (0.93,))
    content = json.loads(path.read_text())
    content["runs"][0] |= change
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"a\.json has no trainings"):
        results_table.read_results(path)


@pytest.mark.parametrize(
    "change", [{"split": "train"}, {"settings": [1]}, {"settings": {"schedule.warmup_fraction": "x"}}]
)
def test_a_damaged_results_file_is_told(tmp_path: Path, change: dict[str, object]) -> None:
    """A split that nothing is judged on, and settings that no recipe has, are told with the file's name."""
    path = write_results(tmp_path / "a.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=r"a\.json ha"):
        results_table.read_results(path)


@pytest.mark.parametrize(
    "content",
    ["[]", '{"parameters": "x"}', '{"data": "x"}', '{"data": {"train": "x"}}', '{"data": {"validation": {"n": []}}}'],
)
def test_a_damaged_environment_is_told(tmp_path: Path, content: str) -> None:
    """An environment.json that is something else is one sentence with its path."""
    run = write_run(tmp_path / "run")
    run.environment.write_text(content)
    with pytest.raises(InputError, match=r"environment\.json"):
        results_table.read_run(run.path)


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
                [-1 if true == said == 0 else int(true == said) for said in range(10)] for true in range(10)
            ]
        },
    ],
)
def test_scores_that_do_not_belong_together_are_told(tmp_path: Path, change: dict[str, object]) -> None:
    """A figure of scores.json that cannot be is one sentence with its path."""
    run = write_run(tmp_path / "run")
    found = compute_scores(np.eye(10), np.arange(10), FASHION_MNIST, "test")
    run.scores.write_text(json.dumps({"test": found.as_dict() | change}))
    with pytest.raises(InputError, match=r"scores\.json"):
        results_table.read_run(run.path)


def test_our_row_stands_at_its_place(tmp_path: Path) -> None:
    """The public table has 38 rows; ours comes between those above and below it, with its interval."""
    assert len(leaderboard.public_table()) == 38
    table = leaderboard.add_results([results_table.read_results(write_results(tmp_path / "mine.json", (0.9405,)))])
    place = next(place for place, row in enumerate(table) if row.result)
    assert table[place - 1].accuracy >= 0.9405 >= table[place + 1].accuracy
    assert table[place].preprocessing == "random horizontal flips"
    assert table[place].result is not None


def test_other_data_has_no_place_in_the_public_table(tmp_path: Path) -> None:
    """A run on generated data, or judged on validation, gets no row."""
    run = write_run(tmp_path / "run")
    evaluate(run.path)
    assert not any(row.result for row in leaderboard.add_results([results_table.read_run(run.path)]))


@pytest.mark.parametrize("content", ["[]", "broken", '{"test": 1}', '{"test_openings": "x"}'])
def test_damaged_scores_are_told(tmp_path: Path, content: str) -> None:
    """A scores.json that is something else is one sentence with its path, for whoever reads it."""
    run = write_run(tmp_path / "run")
    run.scores.write_text(content)
    with pytest.raises(InputError, match=r"scores\.json"):
        results_table.read_run(run.path)


def test_what_a_training_took_counts_its_teachers(tmp_path: Path) -> None:
    """In a results file and in a run alike; a record without teachers is its own time."""
    assert results.total_seconds({"seconds": 10}) == 10
    assert results.total_seconds({"seconds": 10, "teachers": [{"seconds": 20.5}, {"seconds": 2}]}) == 32.5
    run = write_run(tmp_path / "run")
    alone = results_table.read_run(run.path).seconds
    facts = files.read_json(run.environment)
    facts["data"]["teachers"] = [{"run": "fold-0", "seconds": 20.5}]
    files.write_json(run.environment, facts)
    assert results_table.read_run(run.path).seconds == alone + 20.5
