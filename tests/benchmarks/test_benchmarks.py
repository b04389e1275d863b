"""The benchmarks, on tiny data: real processes, one after the other."""

import gzip
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.command import environment
from helpers.idx import write_idx_folder
from helpers.models import tiny_model
from modiste.inference import model_file
from modiste.recipes import settings
from modiste.recipes.named import classic_cnn, sprint
from modiste.recipes.recipe import Recipe
from modiste.reporting.evaluate import evaluate
from modiste.runs import files, results
from modiste.runs.folder import Run

PARTS = ("train", "validation")
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SAMPLES = Path(__file__).parents[2] / "src" / "modiste" / "assets" / "samples"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import one of the scripts, as another of them would."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return import_module


def tiny(idx: Path, **more: object) -> Recipe:
    """`sprint`, small enough for a test."""
    small = {"data.source": str(idx), "model.width": 2, "optimizer.batch_size": 20, "compute.threads": 1}
    return settings.with_settings(sprint(), small | more)


def trained(recipe: Recipe, path: Path) -> Run:
    """A finished run of the recipe, by the command."""
    file = path.with_suffix(".json")
    file.write_text(settings.to_json(recipe))
    command = [sys.executable, "-m", "modiste", "train", str(file), "--name", str(path)]
    subprocess.run(command, env=environment(), capture_output=True, check=True)
    return Run(path)


def test_a_race_trains_and_predicts_once(idx: Path, script: Any) -> None:
    """The record has the time with its parts, both accuracies, and one opening of the test split."""
    record = script("race").race(tiny(idx))
    parts = (record[f"seconds_{part}"] for part in ("reading", "training", "predicting"))
    assert abs(record["seconds"] - sum(parts)) < 1e-6
    assert (record["split"], record["openings"]) == ("test", 1)
    assert record["epochs"] == sprint().schedule.epochs
    assert record["threads"] == 1
    assert record["precision"] in ("fp32", "bf16")
    assert 0 <= record["accuracy"] <= 1
    assert 0 <= record["accuracy_flip_tta"] <= 1


def test_a_race_is_not_for_recipes_that_judge_on_the_way(script: Any) -> None:
    """Only the end of a race is judged, so that a plateau would never be seen."""
    with pytest.raises(SystemExit, match="without a plateau"):
        script("race").race(classic_cnn())


def test_a_race_for_choices_leaves_the_test_split_sealed(tmp_path: Path, script: Any) -> None:
    """With a fold held out, it is judged on that, and the test files may as well not be there."""
    data = write_idx_folder(tmp_path / "idx", train=100)
    for file in data.glob("t10k*"):
        file.unlink()
    record = script("race").race(tiny(data, **{"data.val_fraction": 0.2}))
    assert (record["split"], record["openings"]) == ("validation", 0)
    assert record["images"] > 0


def test_a_sitting_is_written_down_and_goes_on(idx: Path, tmp_path: Path) -> None:
    """Each training is a process of its own and is not run twice; the results have a row a contestant, and a chart."""
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
        done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True)
    assert "..." not in done.stdout
    written = json.loads((tmp_path / "results" / "time_to_accuracy.json").read_text())
    (row,) = written["contestants"]
    assert (row["recipe"], row["n"], len(written["runs"])) == ("tiny.json", 2, 2)
    assert {run["seed"] for run in written["runs"]} == {0, 1}
    assert all(run["seconds_importing"] > 0 for run in written["runs"])
    assert (tmp_path / "docs" / "time_to_accuracy.png").read_bytes().startswith(b"\x89PNG")
    noted = tmp_path / "runs" / "time_to_accuracy" / "tiny.json-0.json"
    noted.write_text(json.dumps(json.loads(noted.read_text()) | {"commit": "another"}))
    refused = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "is of another commit, machine or set of packages" in refused.stderr


def test_a_trick_is_compared_seed_by_seed(
    idx: Path, tmp_path: Path, script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recipe differs from itself by nothing; a trick has its settings, its difference and its share of the time.

    One view is the same trainings, judged without the other one.
    """
    tricks = script("tricks")
    recipe = tmp_path / "tiny.json"
    recipe.write_text(settings.to_json(tiny(idx, **{"schedule.epochs": 1})))
    monkeypatch.setattr(tricks, "AS_IT_IS", str(recipe))
    monkeypatch.setattr(tricks, "TRICKS", {str(recipe): (), "without smoothing": ("optimizer.label_smoothing=0",)})
    monkeypatch.setattr(sys, "argv", ["tricks.py", "--seeds", "2"])
    monkeypatch.chdir(tmp_path)
    tricks.main()
    written = json.loads((tmp_path / "results" / "tricks.json").read_text())
    itself, without, single = written["tricks"]
    assert (itself["difference"], itself["seconds_ratio"]) == (0, 1)
    assert (without["settings"], without["n"]) == (["optimizer.label_smoothing=0"], 2)
    assert single["mean"] == itself["accuracy"]
    assert single["difference"] == pytest.approx(itself["accuracy"] - itself["mean"])
    assert single["seconds"] < itself["seconds"]
    assert without["difference_interval"][0] <= without["difference"] <= without["difference_interval"][1]
    assert {run["split"] for run in written["runs"]} == {"validation"}


def test_every_trick_is_a_setting_of_the_recipe(script: Any) -> None:
    """Each row can be trained, and changes what the recipe does."""
    for name, given in script("tricks").TRICKS.items():
        changed = settings.with_settings(sprint(), dict(map(settings.parse_setting, given)))
        assert (changed == sprint()) == (name == "sprint")


def test_the_machine_is_measured_with_the_step(
    idx: Path, tmp_path: Path, script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shares of a step add up, and no step is faster than the machine."""
    (tmp_path / "tiny.json").write_text(settings.to_json(tiny(idx)))
    machine = script("machine")
    monkeypatch.setattr(machine, "TIMES", 2)
    monkeypatch.setattr(sys, "argv", ["machine.py", str(tmp_path / "tiny.json"), "--out", str(tmp_path / "m.json")])
    machine.main()
    (run,) = json.loads((tmp_path / "m.json").read_text())["runs"]
    assert sum(run["parts"].values()) == pytest.approx(1)
    assert 0 < run["share_of_matrix_product"] < 1
    assert run["limits"].keys() == {"matrix_product", "convolution", "copy"}


@pytest.mark.parametrize("more", [[], ["--validation"]])
def test_the_plain_loop_trains_from_torchvisions_files(tmp_path: Path, more: list[str]) -> None:
    """It runs as a script, on the files as torchvision lays them out, and prints its record."""
    raw = write_idx_folder(tmp_path / "FashionMNIST" / "raw", train=60)
    for file in raw.glob("*.gz"):
        file.with_suffix("").write_bytes(gzip.decompress(file.read_bytes()))
    command = [sys.executable, str(BENCHMARKS / "plain_loop.py"), str(tmp_path), "--epochs", "1", *more]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    record = json.loads(done.stdout)
    assert (record["epochs"], record["split"]) == (1, "validation" if more else "test")
    assert record["precision"] == "fp32"
    assert 0 <= record["accuracy"] <= 1


def few_photos(root: Path) -> list[str]:
    """Write 45 photos of three classes and 15 senders; return the rows of senders.csv."""
    rows = []
    for number, name in enumerate(("pants", "shoes", "hat")):
        (root / "train" / name).mkdir(parents=True)
        for photo in range(15):
            file = f"train/{name}/{photo}.jpg"
            Image.new("RGB", (40, 40), (80 * number, 10 * photo, 90)).save(root / file)
            rows.append(f"{file},{number * 5 + photo // 3}")
    (root / "senders.csv").write_text("\n".join(["file,sender_id", *rows]))
    return rows


def test_no_sender_is_on_both_sides_of_a_fold(tmp_path: Path, script: Any) -> None:
    """Each photo is held out once; a class that is left out is held out all the same."""
    cut = script("photo_folds")
    rows = few_photos(tmp_path / "in")
    laid = list(cut.folds(tmp_path / "in", tmp_path / "home"))
    assert sum(len(cut.held_out(folder)) for folder in laid) == 45
    senders = dict(row.split(",") for row in rows)
    for folder in laid:
        both = [{senders[f"train/{p.parent.name}/{p.name}"] for p in folder.glob(f"{part}/*/*")} for part in PARTS]
        assert not both[0] & both[1]
    fewer = [f"{file},{int(sender) // 2}" for file, sender in (row.split(",") for row in rows)]  # another cut
    (tmp_path / "in" / "senders.csv").write_text("\n".join(["file,sender_id", *fewer]))
    laid = list(cut.folds(tmp_path / "in", tmp_path / "home"))
    assert sum(len(cut.held_out(folder)) for folder in laid) == 45
    assert {sum(1 for _ in folder.glob("*/*/*.jpg")) for folder in laid} == {45}
    without = list(cut.folds(tmp_path / "in", tmp_path / "home", "hat"))
    assert not [path for folder in without for path in folder.glob("train/hat/*")]
    assert sum(len(cut.held_out(folder)) for folder in without) == 45


def test_photos_that_are_shown_are_not_learned(tmp_path: Path, script: Any) -> None:
    """The data folder of the bundled model has all photos but the samples and those of the tests."""
    cut = script("photo_folds")
    few_photos(tmp_path / "in")
    shown = tmp_path / "in" / "train" / "hat" / "0.jpg"
    shown.write_bytes((SAMPLES / "coat.jpg").read_bytes())
    laid = cut.everything(tmp_path / "in", tmp_path / "home")
    found = {f"{path.parent.name}/{path.name}" for path in laid.glob("*/*")}
    assert len(found) == 44
    assert "hat/0.jpg" not in found
    assert len(cut.SHOWN) == 60


def test_photos_are_judged_by_the_run_that_has_not_seen_them(tmp_path: Path, script: Any) -> None:
    """One fold comes to all the figures: accuracy, pictures without clothes, the same label after changes."""
    photos, cut, judging = script("photos"), script("photo_folds"), script("judged")
    few_photos(tmp_path / "in")
    folder = next(cut.folds(tmp_path / "in", tmp_path / "home"))
    small = {
        "model": "residual",
        "model.weights": "",
        "model.freeze_stages": 0,
        "model.width": 2,
        "data.image_size": 28,
    }
    quick = {"augmentation.train_size": 0, "schedule.epochs": 1, "optimizer.batch_size": 20, "optimizer.lr": 0.01}
    changes = [f"{key}={value}" for key, value in (small | quick).items()]
    run = cut.trained(folder, Run(tmp_path / "run"), changes)
    assert cut.trained(folder, run, changes) == run
    with pytest.raises(SystemExit, match="other settings"):
        cut.trained(folder, run, changes[:-1])
    photo = min(folder.glob("train/*/*"))
    away = photo.rename(tmp_path / "away.jpg")
    with pytest.raises(SystemExit, match="have changed"):
        cut.trained(folder, run, changes)
    away.rename(photo)
    judged = judging.seen(run, cut.held_out(folder))
    found = judging.figures([judged])
    assert found["images"] == len(cut.held_out(folder))
    assert 0 <= found["accuracy"] <= 1
    told = photos.record(1, run, judged)
    assert (told["images"], told["val_accuracy"]) == (found["images"], found["accuracy"])

    Image.new("RGB", (40, 40), "gray").save(tmp_path / "wall.jpg")
    nothing = photos.none_recall_of_no_clothes([run], [judged], [tmp_path / "wall.jpg"])
    assert (nothing["images"], nothing["none_recall"] in (0, 1)) == (1, True)
    same = photos.same_labels([run], [judged])
    assert list(same) == list(script("changes").CHANGES)
    assert same["EXIF turn"] == 1
    assert 0 <= photos.heat_maps([run], [judged])["heat_maps_right"] <= 1
    assert photos.of_product_pictures(judged.photos)["images"] == len(judged.photos) - judged.of_class("hat").sum()


def test_pictures_too_small_to_be_looked_at_are_left_out(tmp_path: Path, script: Any) -> None:
    """They would get no label for that reason alone."""
    for side in (4, 40):
        Image.new("RGB", (side, side), "gray").save(tmp_path / f"{side}.png")
    assert script("photos").usable(sorted(tmp_path.iterdir())) == [tmp_path / "40.png"]


def test_a_share_of_labels_is_given_where_95_percent_are_right(script: Any) -> None:
    """The lowest threshold at which 95 % of the given labels are right; what has no label is counted above it."""
    judging = script("judged")
    names = ("Dress", "Shirt", "none of these")
    classes = ["dress", "dress", "hat", "hat", "dress"] * 40
    paths = [Path(name) / "x.jpg" for name in classes]
    rows = [[0.9, 0.1, 0.0], [0.8, 0.2, 0.0], [0.6, 0.4, 0.0], [0.1, 0.2, 0.7], [0.7, 0.3, 0.0]] * 40
    judged = judging.Seen(paths, np.array(rows), judging.candidate_labels(paths, names), names)
    found = judging.figures([judged])
    careful, shipped = found["at_95_percent_right"], found["as_shipped"]
    assert (careful["answered"], careful["answered_correct"], careful["none_recall"]) == (0.6, 1.0, 1.0)
    assert shipped["answers_correct"] == careful["answers_correct"] == 1.0
    assert (found["accuracy"], found["accuracy_of_classes"]) == (0.8, {"dress": 1.0, "hat": 0.5})


def test_the_lowest_sureness_from_which_19_of_20_are_right(script: Any) -> None:
    """Those equally sure are taken label_groups; where no such confidence is, nothing is sure enough."""
    right_from = script("judged").right_from
    assert right_from(np.array([0.9, 0.8, 0.6, 0.7, 0.5]), np.array([True, True, False, True, False])) == 0.7
    assert right_from(np.array([0.9, 0.7, 0.7]), np.array([True, True, False])) == 0.9
    assert right_from(np.array([0.9, 0.7]), np.zeros(2, bool)) == 1


def test_a_fold_has_no_part_in_its_own_threshold(script: Any) -> None:
    """The others choose it: one that is right on all its labels lowers only theirs."""
    judging = script("judged")
    names = ("Dress", "none of these")
    right, wrong = [Path("dress/x.jpg")] * 200, [Path("dress/x.jpg"), Path("hat/x.jpg")] * 100
    told = np.array([[0.7, 0.3], [0.6, 0.4]] * 100)
    good = judging.Seen(right, told, judging.candidate_labels(right, names), names)
    bad = judging.Seen(wrong, told, judging.candidate_labels(wrong, names), names)
    first, second = (each.careful() for each in judging.others([good, bad]))
    assert first == bad.careful() != good.careful() == second
    assert good.part(np.arange(200) < 3).photos == right[:3]


def test_every_runtime_says_the_same_of_a_run(idx: Path, tmp_path: Path, script: Any, monkeypatch: Any) -> None:
    """Accuracy, share of images called alike, and how fast; but for OpenVINO and the compiler, which takes a minute."""
    runtimes, inference = script("runtimes"), script("inference")
    made = runtimes.contestants
    monkeypatch.setattr(
        runtimes,
        "contestants",
        lambda *given: {name: one for name, one in made(*given).items() if not name.endswith((" compiled", "O, fp32"))},
    )
    monkeypatch.setattr(runtimes, "TIMES", 3)
    monkeypatch.setattr(runtimes, "SECONDS", 0.1)
    run = trained(tiny(idx, **{"data.val_fraction": 0.2}), tmp_path / "tiny")
    records = inference.models(run)
    assert len(records) == 4
    for record in records:
        exact = "int8" not in record["runtime"]
        assert record["same"] == 1 if exact else record["same"] > 0.8
        assert (record["split"], record["images"]) == ("validation", 40)
        assert record["milliseconds_one_image_one_thread"] > 0
        assert record["images_a_second_two_threads"] > 0


def test_command_api_and_page_are_asked_the_same(tmp_path: Path, script: Any) -> None:
    """The samples: all three say the same of each, also a model that is never sure enough."""
    agreement = script("agreement")
    if not agreement.shutil.which("chromium"):
        pytest.skip("needs Debian's package chromium")
    samples = sorted(SAMPLES.glob("*.png"))
    unsure = tmp_path / "unsure.onnx"
    unsure.write_bytes(tiny_model(metadata={"threshold": "0.99"}))
    for options in ((), ("--model", str(unsure))):
        found = agreement.agreement(samples, *options)
        assert (found["pictures"], found["same"], found["different"]) == (len(samples), 1.0, [])


def test_the_load_is_read_as_wrk_prints_it(script: Any) -> None:
    """Rate, times in milliseconds whatever their unit, and what went wrong."""
    told = """\
  Latency Distribution
     50%   96.10ms
     75%  101.50ms
     99%    1.20s
  2000 requests in 3.00s, 1.00MB read
  Non-2xx or 3xx responses: 13
Requests/sec:    635.94
"""
    found = script("waiting").read_wrk(told)
    assert (found["answers_a_second"], found["refused"], found["socket_errors"]) == (635.94, 13, "")
    assert (found["milliseconds_p50"], found["milliseconds_p99"]) == (96.1, 1200.0)
    with pytest.raises(SystemExit, match="not understood"):
        script("waiting").read_wrk("unable to connect")


def test_a_folder_of_photos_is_timed_as_a_process(tmp_path: Path, script: Any, monkeypatch: Any) -> None:
    """Copies with 400 pixels a side, all of them predicted; one process, timed from start to end."""
    waiting = script("waiting")
    monkeypatch.setattr(waiting, "COPIES", 7)
    monkeypatch.setattr(waiting, "TIMES", 1)
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(3):
        Image.new("RGB", (600, 800), (number, 9, 9)).save(photos / f"{number}.png")
    found = waiting.folder(Path(sys.executable), photos, tmp_path)
    assert len((tmp_path / "labels.csv").read_text().splitlines()) == 1 + 7
    with Image.open(tmp_path / "pictures" / "00006.jpg") as copied:
        assert copied.size == (300, 400)
    assert found["pictures_a_second"] == 7 / found["seconds"]
    assert waiting.process(Path(sys.executable), photos / "0.png") > 0


def test_a_model_is_bundled_of_two_trainings(
    idx: Path, script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file says what the results file says of it, and carries the temperature; other pairs are refused."""
    bundled, out = script("bundled"), tmp_path / "results.json"
    monkeypatch.setattr(script("runtimes"), "TIMES", 3)
    monkeypatch.setattr(script("runtimes"), "SECONDS", 0.1)
    whole = trained(tiny(idx), tmp_path / "whole")
    held_out = trained(tiny(idx, **{"data.val_fraction": 0.2}), tmp_path / "held-out")
    monkeypatch.setattr(sys, "argv", ["bundled.py", str(whole.path), str(held_out.path), f"--out={out}"])
    bundled.main()
    content, made = results.read(out), whole.path / "bundled.onnx"
    assert content["form"] in capsys.readouterr().out
    assert content["held_out"]["n"] == 40
    assert [each["form"] for each in content["held_out"]["forms"]] == [form.name for form in bundled.FORMS]
    told = evaluate(made)
    assert {key: getattr(told, key) for key in ("n", "accuracy", "loss")}.items() <= content["test"].items()
    loaded = model_file.load(made)
    assert loaded.calibration.temperature == content["held_out"]["temperature"]
    assert [loaded.tta_threshold] == [form.tta_threshold for form in bundled.FORMS if form.name == content["form"]]
    for form, found in zip(bundled.FORMS, content["held_out"]["forms"], strict=True):
        assert (0 < found["tta_fraction"] <= 1) == (form.tta_threshold > 0)
    for pair in ((whole, whole), (held_out, whole), (held_out, held_out)):
        with pytest.raises(SystemExit, match="is not the recipe of"):
            bundled.require_pair(*pair)
    facts = files.read_json(held_out.environment)
    facts["data"]["teachers"] = [{"run": "a", "sha256": "1", "seconds": 1}]
    files.write_json(held_out.environment, facts)
    with pytest.raises(SystemExit, match="learned from others"):
        bundled.require_pair(whole, held_out)


def test_the_quickest_form_that_is_as_good_as_any_is_bundled(script: Any) -> None:
    """A tenth of a point is what a quicker one may lose."""

    def chosen(*found: tuple[float, float]) -> int:
        told = [{"accuracy": right, "images_a_second_two_threads": 1 / taken} for right, taken in found]
        return int(script("bundled").best(told))

    assert chosen((0.9552, 0.1), (0.9550, 0.2), (0.9560, 0.3), (0.9563, 0.4)) == 2
    assert chosen((0.9556, 0.2), (0.9560, 0.1), (0.9563, 0.4)) == 1
    assert chosen((0.90, 0.1), (0.93, 0.4)) == 1
