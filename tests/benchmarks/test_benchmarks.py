"""The benchmarks on tiny data, with real processes."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import bundled
import imbalance
import machine
import numpy as np
import pytest
import runtimes
import timed_training
import transfer
import user_latency
from PIL import Image

import inference
from helpers.command import environment
from helpers.idx import write_idx_folder
from helpers.models import tiny_model
from modiste.inference import model_file
from modiste.recipes import settings
from modiste.recipes.named import classic_cnn, sprint
from modiste.recipes.recipe import Recipe
from modiste.reporting.evaluate import evaluate
from modiste.reporting.experiment_results import read_experiment
from modiste.runs import files, results
from modiste.runs.folder import Run

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SAMPLES = Path(__file__).parents[2] / "src" / "modiste" / "assets" / "samples"


def tiny(idx: Path, **more: object) -> Recipe:
    """Return `sprint`, small enough for a test."""
    small = {"data.source": str(idx), "model.width": 2, "optimizer.batch_size": 20, "compute.threads": 1}
    return settings.with_settings(sprint(), small | more)


def train_run(recipe: Recipe, path: Path) -> Run:
    """Train the recipe with the command and return its run."""
    file = path.with_suffix(".json")
    file.write_text(settings.to_json(recipe))
    command = [sys.executable, "-m", "modiste", "train", str(file), "--name", str(path)]
    subprocess.run(command, env=environment(), capture_output=True, check=True)
    return Run(path)


def test_a_timed_training_evaluates_once(idx: Path) -> None:
    """The record has the total time and its parts, both accuracies, and one opening of the test split."""
    record = timed_training.time_training(tiny(idx))
    parts = (record[f"seconds_{part}"] for part in ("reading", "training", "predicting"))
    assert abs(record["seconds"] - sum(parts)) < 1e-6
    assert (record["split"], record["openings"]) == ("test", 1)
    assert record["epochs"] == sprint().schedule.epochs
    assert record["threads"] == 1
    assert record["precision"] in ("fp32", "bf16")
    for accuracy in (record["accuracy"], record["accuracy_flip_tta"]):
        assert accuracy * record["images"] == pytest.approx(round(accuracy * record["images"]))


def test_recipes_that_need_validation_cannot_be_timed() -> None:
    """Only the end is evaluated, so a plateau could not be detected."""
    with pytest.raises(SystemExit, match="without reduce_on_plateau"):
        timed_training.time_training(classic_cnn())


def test_a_timed_training_on_validation_does_not_open_test(tmp_path: Path) -> None:
    """With a validation fold the test files are not even needed."""
    data = write_idx_folder(tmp_path / "idx", train=100)
    for file in data.glob("t10k*"):
        file.unlink()
    record = timed_training.time_training(tiny(data, **{"data.val_fraction": 0.2}))
    assert (record["split"], record["openings"]) == ("validation", 0)
    assert record["images"] > 0


@pytest.mark.slow
def test_finished_trainings_are_recorded_and_not_repeated(idx: Path, tmp_path: Path) -> None:
    """A second call reads the records; the results file has a row for each method."""
    (tmp_path / "tiny.json").write_text(settings.to_json(tiny(idx, **{"schedule.epochs": 1})))
    command = [
        sys.executable,
        str(BENCHMARKS / "time_to_accuracy.py"),
        "--recipe",
        "tiny.json=2",
        "--loop",
        "0",
    ]
    for _ in range(2):
        output = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True)
    assert "..." not in output.stdout
    content = json.loads((tmp_path / "results" / "time_to_accuracy.json").read_text())
    (row,) = content["methods"]
    assert (row["recipe"], row["n"], len(content["runs"])) == ("tiny.json", 2, 2)
    assert {run["seed"] for run in content["runs"]} == {0, 1}
    assert all(run["seconds_importing"] > 0 for run in content["runs"])
    record = tmp_path / "runs" / "time_to_accuracy" / "tiny.json-0.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"commit": "another"}))
    failed = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert "is of another commit, machine or set of packages" in failed.stderr


@pytest.mark.slow
def test_imbalance_is_measured_on_images_that_are_not_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every other class has a twentieth of the images, and each arm is trained on the same ones."""
    monkeypatch.setattr(imbalance, "HELD_OUT", 10)
    labels = np.arange(1000) % 10
    train, held_out = imbalance.draw(np.zeros((1000, 1, 1), np.uint8), labels, 60, seed=0)
    assert not set(train) & set(held_out)
    assert np.bincount(labels[train]).tolist() == [3, 60] * 5
    sets = ["--set=schedule.epochs=1", "--set=model.width=2", "--set=compute.threads=1"]
    monkeypatch.setattr(sys, "argv", ["imbalance.py", "--seeds=1", "--images=40", *sets])
    monkeypatch.chdir(tmp_path)
    imbalance.main()
    content = json.loads((tmp_path / "results" / "imbalance.json").read_text())
    assert [(row["training"], row["arm"], row["majority"], row["minority"]) for row in content["rows"]] == [
        ("sprint", "none", 40, 2), ("sprint", "class weights", 40, 2),
        *[("AdamW, 20 epochs", arm, 40, 2) for arm in ("none", "class weights", "sampling")],
    ]  # fmt: skip
    assert [run["recipe"] for run in content["runs"]] == [f"{row['training']}, {row['arm']}" for row in content["rows"]]
    assert content["rows"][0]["gain"] == 0
    assert {run["images"] for run in content["runs"]} == {100}


@pytest.mark.slow
def test_transfer_is_measured_by_the_number_of_labels(
    idx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both kinds of weights are trained on the same images, which are enlarged, and compared on test."""
    small = [f"data.source={idx}", "optimizer.batch_size=20", "schedule.epochs=1", "compute.threads=1"]
    sets = [argument for setting in small for argument in ("--set", setting)]
    monkeypatch.setattr(sys, "argv", ["transfer.py", "--seeds=1", "--labels", "40", *sets])
    monkeypatch.chdir(tmp_path)
    transfer.main()
    transferred = read_experiment(tmp_path / "results" / "transfer-40.json")
    assert [each.name for each in transferred.methods] == ["transfer-40: unchanged", "transfer-40: random weights"]
    assert transferred.unchanged.split == "test"
    assert (transferred.unchanged.recipe.model.upscale, transferred.unchanged.recipe.data.max_train_images) == (2, 40)
    accuracies = [method.accuracy for method in transferred.methods]
    assert transferred.differences[-1].difference == pytest.approx(accuracies[1] - accuracies[0])


@pytest.mark.slow
def test_the_machine_is_measured_with_the_step(idx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fractions of a step sum to 1, and the step is slower than the matrix product."""
    (tmp_path / "tiny.json").write_text(settings.to_json(tiny(idx)))
    monkeypatch.setattr(machine, "REPEATS", 2)
    monkeypatch.setattr(sys, "argv", ["machine.py", str(tmp_path / "tiny.json"), "--out", str(tmp_path / "m.json")])
    machine.main()
    (run,) = json.loads((tmp_path / "m.json").read_text())["runs"]
    assert sum(run["parts"].values()) == pytest.approx(1)
    assert 0 < run["share_of_matrix_product"] < 1
    assert run["limits"].keys() == {"matrix_product", "convolution", "copy"}


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--validation"]])
def test_the_plain_loop_trains_on_the_files_of_torchvision(tmp_path: Path, more: list[str]) -> None:
    """It runs as a script and prints its record."""
    raw = write_idx_folder(tmp_path / "FashionMNIST" / "raw", train=60)
    for file in raw.glob("*.gz"):
        file.with_suffix("").write_bytes(gzip.decompress(file.read_bytes()))
    command = [sys.executable, str(BENCHMARKS / "plain_loop.py"), str(tmp_path), "--epochs", "1", *more]
    output = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    record = json.loads(output.stdout)
    assert (record["epochs"], record["split"]) == (1, "validation" if more else "test")
    assert record["precision"] == "fp32"
    correct = record["accuracy"] * record["images"]
    assert correct == pytest.approx(round(correct))


@pytest.mark.slow
def test_runtimes_give_the_same_labels(idx: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """Accuracy, agreement and speed of all but OpenVINO and the compiled network, which takes a minute."""
    all_runtimes = runtimes.runtimes
    monkeypatch.setattr(
        runtimes,
        "runtimes",
        lambda *args: {k: v for k, v in all_runtimes(*args).items() if not k.endswith((" compiled", "O, fp32"))},
    )
    monkeypatch.setattr(runtimes, "REPEATS", 3)
    monkeypatch.setattr(runtimes, "SECONDS", 0.1)
    run = train_run(tiny(idx, **{"data.val_fraction": 0.2}), tmp_path / "tiny")
    records = inference.measure_runtimes(run)
    assert len(records) == 3
    for record in records:
        is_exact = "int8" not in record["runtime"]
        assert record["same"] == 1 if is_exact else record["same"] > 0.8
        assert (record["split"], record["images"]) == ("validation", 40)
        assert record["milliseconds_one_image_one_thread"] > 0
        assert record["images_a_second_two_threads"] > 0


@pytest.mark.slow
def test_command_api_and_page_agree(tmp_path: Path) -> None:
    """All three show the same for each sample, also for a model that always abstains."""
    agreement = pytest.importorskip("agreement")
    if not agreement.shutil.which("chromium"):
        pytest.skip("needs Debian's package chromium")
    samples = sorted(SAMPLES.glob("*.png"))
    unsure = tmp_path / "unsure.onnx"
    unsure.write_bytes(tiny_model(metadata={"threshold": "0.99"}))
    for options in ((), ("--model", str(unsure))):
        result = agreement.compare_interfaces(samples, *options)
        assert (result["photos"], result["same"], result["different"]) == (len(samples), 1.0, [])


def test_the_output_of_wrk_is_parsed() -> None:
    """The rate, the percentiles in milliseconds, and the errors."""
    output = """\
  Latency Distribution
     50%   96.10ms
     75%  101.50ms
     99%    1.20s
  2000 requests in 3.00s, 1.00MB read
  Non-2xx or 3xx responses: 13
Requests/sec:    635.94
"""
    parse_wrk = user_latency.parse_wrk
    load = parse_wrk(output)
    assert (load["requests_per_second"], load["rejected"], load["socket_errors"]) == (635.94, 13, "")
    assert (load["milliseconds_p50"], load["milliseconds_p99"]) == (96.1, 1200.0)
    with pytest.raises(SystemExit, match="cannot be parsed"):
        parse_wrk("unable to connect")


@pytest.mark.slow
def test_a_folder_of_photos_is_timed_as_a_process(tmp_path: Path, monkeypatch: Any) -> None:
    """Copies with 400 pixels on the longer edge are predicted by one process, timed from start to end."""
    monkeypatch.setattr(user_latency, "COPIES", 7)
    monkeypatch.setattr(user_latency, "REPEATS", 1)
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(3):
        Image.new("RGB", (600, 800), (number, 9, 9)).save(photos / f"{number}.png")
    result = user_latency.time_folder(Path(sys.executable), photos, tmp_path)
    assert len((tmp_path / "labels.csv").read_text().splitlines()) == 1 + 7
    with Image.open(tmp_path / "copies" / "00006.jpg") as copy:
        assert copy.size == (300, 400)
    assert result["photos_a_second"] == 7 / result["seconds"]
    assert user_latency.time_process(Path(sys.executable), photos / "0.png") > 0


@pytest.mark.slow
def test_the_bundled_model_is_made_from_two_runs(
    idx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its file has the temperature and form of the results file; runs that do not belong together are rejected."""
    out = tmp_path / "results.json"
    monkeypatch.setattr(runtimes, "REPEATS", 3)
    monkeypatch.setattr(runtimes, "SECONDS", 0.1)
    full = train_run(tiny(idx), tmp_path / "full")
    held_out = train_run(tiny(idx, **{"data.val_fraction": 0.2}), tmp_path / "held-out")
    monkeypatch.setattr(sys, "argv", ["bundled.py", str(full.path), str(held_out.path), f"--out={out}"])
    bundled.main()
    content, path = results.read(out), full.path / "bundled.onnx"
    assert content["form"] in capsys.readouterr().out
    assert content["held_out"]["n"] == 40
    assert [each["form"] for each in content["held_out"]["forms"]] == [form.name for form in bundled.FORMS]
    scores = evaluate(path, data=str(idx))
    assert {key: getattr(scores, key) for key in ("n", "accuracy", "loss")}.items() <= content["test"].items()
    loaded = model_file.load(path)
    assert loaded.calibration.temperature == content["held_out"]["temperature"]
    assert [loaded.tta_threshold] == [form.tta_threshold for form in bundled.FORMS if form.name == content["form"]]
    for form, each in zip(bundled.FORMS, content["held_out"]["forms"], strict=True):
        assert (0 < each["tta_fraction"] <= 1) == (form.tta_threshold > 0)
    for pair in ((full, full), (held_out, full), (held_out, held_out)):
        with pytest.raises(SystemExit, match="is not the recipe of"):
            bundled.require_pair(*pair)
    environment_file = files.read_json(held_out.environment)
    environment_file["data"]["teachers"] = [{"run": "a", "sha256": "1", "seconds": 1}]
    files.write_json(held_out.environment, environment_file)
    with pytest.raises(SystemExit, match="has other teachers"):
        bundled.require_pair(full, held_out)


def test_the_fastest_form_without_loss_of_accuracy_is_bundled() -> None:
    """A faster form may lose a tenth of a percentage point."""

    def fastest(*forms: tuple[float, float]) -> int:
        scores = [{"accuracy": accuracy, "images_a_second_two_threads": 1 / seconds} for accuracy, seconds in forms]
        return int(bundled.find_fastest(scores))

    assert fastest((0.9552, 0.1), (0.9550, 0.2), (0.9560, 0.3), (0.9563, 0.4)) == 2
    assert fastest((0.9556, 0.2), (0.9560, 0.1), (0.9563, 0.4)) == 1
    assert fastest((0.90, 0.1), (0.93, 0.4)) == 1
