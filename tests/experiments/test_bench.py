"""Many trainings of one recipe, with real processes."""

import json
import re
import signal
import time
from pathlib import Path

import pytest

from helpers.command import TINY, run_in_process, start
from helpers.idx import write_idx_folder
from helpers.photos import fill
from helpers.runs import write_results
from modiste.cli.bench import print_differences, print_results
from modiste.errors import InputError
from modiste.experiments import bench
from modiste.metrics import intervals
from modiste.recipes import settings
from modiste.recipes.named import classic_cnn, sprint
from modiste.runs import folder, results


@pytest.fixture
def small(tmp_path: Path) -> list[str]:
    """Arguments of a bench that takes seconds."""
    write_idx_folder(tmp_path / "idx", train=200, test=40)
    return ["classic-cnn", f"--set=data.source={tmp_path / 'idx'}", "--set=schedule.epochs=2", *TINY, "--name=small"]


@pytest.mark.slow
def test_seeds_become_a_results_file(small: list[str], tmp_path: Path) -> None:
    """Two seeds give mean, both intervals, a record each and one precision; a second call trains nothing again."""
    content = json.loads(run_in_process(tmp_path, "bench", *small, "--seeds=2", "--jobs=2", "--json").stdout)
    assert json.loads((tmp_path / "results" / "small.json").read_text()) == content
    assert content["n"] == 2
    assert content["split"] == "test"
    assert [run["seed"] for run in content["runs"]] == [0, 1]
    assert content["mean"] == pytest.approx(sum(run["accuracy"] for run in content["runs"]) / 2)
    assert content["interval_seeds"][0] <= content["mean"] <= content["interval_seeds"][1]
    assert content["settings"]["schedule.epochs"] == 2
    assert "seed" not in content["settings"]
    assert "--set optimizer.batch_size=20" in content["command"]
    home = tmp_path / "runs" / "bench" / "small"
    assert sorted(file.name for file in (home / "seed-0").iterdir()) == [
        ".lock",
        "confusion.png",
        "curves.png",
        "environment.json",
        "finished",
        "layers.json",
        "metrics.csv",
        "mistakes.csv",
        "mistakes.html",
        "mistakes.png",
        "probabilities.npz",
        "recipe.json",
        "scores.json",
    ]
    assert len(content["precision"]) == 1
    recipes = [folder.open_run(home / f"seed-{seed}").recipe() for seed in (0, 1)]
    assert [[recipe.compute.precision] for recipe in recipes] == [content["precision"]] * 2
    again = run_in_process(tmp_path, "bench", *small, "--seeds=2")
    assert "training" not in again.stderr
    done = run_in_process(tmp_path, "bench", *small, "--seeds=2", "--keep", code=2)
    assert "was trained without --keep, and its weights were deleted" in done.stderr


def test_several_recipes_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A sentence for each pair."""
    accuracies = {"a": (0.931, 0.934, 0.929), "b": (0.90, 0.905, 0.901), "c": (0.93, 0.934, 0.931)}
    paths = [write_results(tmp_path / f"{name}.json", values) for name, values in accuracies.items()]
    print_differences(paths)
    better, same, worse = capsys.readouterr().out.splitlines()
    assert better.startswith("a is 2.93 points better than b, 95 % interval")
    assert same.startswith("a and c are not distinguishable")
    assert worse.startswith("c is 2.97 points better than b")


@pytest.mark.slow
def test_folds_leave_the_test_split_unopened(small: list[str], tmp_path: Path) -> None:
    """Each fold is held out once and evaluated."""
    content = json.loads(
        run_in_process(tmp_path, "bench", *small, "--folds", "--set=data.val_fraction=0.5", "--json").stdout
    )
    assert [run["fold"] for run in content["runs"]] == [0, 1]
    assert content["split"] == "validation"
    images = sum(run["images"] for run in content["runs"])  # each fold has its own
    assert content["interval_images"] == list(intervals.wilson_interval(round(content["mean"] * images), images))
    for run in (tmp_path / "runs" / "bench" / "small").glob("*/scores.json"):
        assert json.loads(run.read_text())["test_openings"] == 0


@pytest.mark.slow
def test_runs_of_another_recipe_are_an_error(small: list[str], tmp_path: Path) -> None:
    """Runs of the same name with other settings are not averaged."""
    run_in_process(tmp_path, "bench", *small, "--seeds=1")
    done = run_in_process(tmp_path, "bench", *small, "--seeds=1", "--set=optimizer.lr=0.1", code=2)
    assert "has another recipe" in done.stderr


@pytest.mark.slow
def test_a_stopped_bench_resumes(small: list[str], tmp_path: Path) -> None:
    """SIGTERM ends it with 143 and leaves runs that the same command finishes; meanwhile a second bench is refused."""
    long = [*small, "--set=schedule.epochs=25", "--seeds=2"]
    process = start(tmp_path, "bench", *long)
    log = tmp_path / "runs" / "bench" / "small" / "seed-0" / "metrics.csv"
    while not log.exists():
        assert process.poll() is None
        time.sleep(0.01)
    assert "is in use by another modiste process" in run_in_process(tmp_path, "bench", *long, code=2).stderr
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "The same command resumes it" in err
    assert not (tmp_path / "runs" / "bench" / "small" / "seed-1").exists()
    assert json.loads(run_in_process(tmp_path, "bench", *long, "--json").stdout)["n"] == 2


def test_settings_need_a_name(tmp_path: Path) -> None:
    """With --set and no --name the results file of the recipe itself is not overwritten."""
    assert "Add a --name" in run_in_process(tmp_path, "bench", "sprint", "--set=optimizer.lr=1", code=2).stderr


@pytest.mark.slow
def test_a_bench_in_which_every_training_fails_fails(small: list[str], tmp_path: Path) -> None:
    """The exit code and the sentence are those of a training; there is no results file."""
    done = run_in_process(tmp_path, "bench", *small, "--seeds=2", "--set=optimizer.lr=1e30", code=3)
    assert "not a number" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "results" / "small.json").exists()


@pytest.mark.slow
def test_a_training_that_fails_is_listed_with_its_reason(small: list[str], tmp_path: Path) -> None:
    """The others are run, and the exit code says that some failed."""
    home = tmp_path / "runs" / "bench" / "small"
    home.mkdir(parents=True)
    (home / "seed-0").write_text("no folder can be made here")
    done = run_in_process(tmp_path, "bench", *small, "--seeds=2", code=1)
    content = json.loads((tmp_path / "results" / "small.json").read_text())
    assert [run["seed"] for run in content["runs"]] == [1]
    (failed,) = content["failed"]
    assert (failed["seed"], failed["fold"]) == (0, 0)
    assert "exists already and is not overwritten" in failed["reason"]
    assert "Not in the mean: seed 0, fold 0 failed." in done.stdout


def test_seeds_and_folds_differ_in_nothing_else() -> None:
    """The trainings of a bench are the recipe with seeds 0.. or folds 0.., none left out."""
    assert [recipe.seed for recipe in bench.vary_seed(sprint(), 3)] == [0, 1, 2]
    assert [recipe.data.fold for recipe in bench.vary_fold(classic_cnn())] == [0, 1, 2, 3, 4]
    with pytest.raises(InputError, match="has no folds"):
        bench.vary_fold(sprint())


def class_folders(root: Path, *folders: str) -> Path:
    """Write two images for each of two classes into each of the folders."""
    for name in folders:
        for label in ("coat", "dress"):
            fill(root / name / label, 2)
    return root


@pytest.mark.parametrize(
    ("folders", "split", "message"),
    [
        (("train", "validation"), "test", "has no test split to evaluate on. Add one."),
        (("train",), "test", "has no test split to evaluate on. Add one, or use --folds."),
        (("train", "validation"), "validation", "split of its own, which every fold would share. Add a test split"),
        (("train", "validation", "test"), "validation", "every fold would share. Leave out --folds."),
    ],
)
def test_data_without_the_split_is_refused_before_training(
    folders: tuple[str, ...], split: str, message: str, tmp_path: Path
) -> None:
    """Neither hours without a result nor five trainings on the same images."""
    recipe = settings.with_settings(classic_cnn(), {"data.source": str(class_folders(tmp_path / "data", *folders))})
    trainings = bench.vary_fold(recipe) if split == "validation" else bench.vary_seed(recipe, 2)
    with pytest.raises(InputError, match=re.escape(message)):
        bench.run(bench.Bench(trainings, split, tmp_path / "runs"), print)
    assert not (tmp_path / "runs").exists()


def test_results_that_mix_precisions_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The list of precisions has both, and the command prints them."""
    records = [
        {"accuracy": 0.5, "accuracy_flip_tta": None, "loss": 1.0, "images": 10, "precision": precision}
        for precision in ("fp32", "bf16")
    ]
    plan = bench.Bench(bench.vary_seed(sprint(), 2), "test", tmp_path)
    bench.write(tmp_path / "x.json", "x", "modiste bench x", plan, bench.Records(records, []))
    assert results.read(tmp_path / "x.json")["precision"] == ["bf16", "fp32"]
    print_results(tmp_path / "x.json", as_json=False)
    output = capsys.readouterr().out
    assert "differ in precision (bf16, fp32)" in output
    assert "two trainings is usually too wide" in output


@pytest.mark.parametrize(
    ("accuracies", "statement"),
    [
        (
            (0.93,),
            "One seed shows no spread, so there is no interval over seeds and no comparison with another recipe.",
        ),
        ((0.93, 0.931, 0.933), "95 % interval over 3 seeds: 92.75 to 93.51 %, sd 0.15 points. Compared with another"),
        ((0.93, 0.93), "All 2 seeds have the same accuracy, which shows no spread, so there is no interval over"),
    ],
)
def test_the_spread_over_seeds_is_stated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], accuracies: tuple[float, ...], statement: str
) -> None:
    """With the difference that as many seeds can show; one seed has no interval, and it says so."""
    records = [
        {"accuracy": accuracy, "accuracy_flip_tta": None, "loss": 1.0, "images": 1000, "precision": "fp32"}
        for accuracy in accuracies
    ]
    plan = bench.Bench(bench.vary_seed(sprint(), len(accuracies)), "test", tmp_path)
    bench.write(tmp_path / "x.json", "x", "modiste bench x", plan, bench.Records(records, []))
    print_results(tmp_path / "x.json", as_json=False)
    assert statement in capsys.readouterr().out
