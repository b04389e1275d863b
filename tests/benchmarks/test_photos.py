"""The photo benchmark on tiny photo sets, with real trainings."""

import contextlib
import io
import json
import shutil
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from modiste.inference import model_file
from modiste.labels import FASHION_MNIST, NONE_OF_THESE
from modiste.recipes import named, settings
from modiste.runs import results
from modiste.runs.folder import Run
from modiste.runs.lock import lock

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SAMPLES = Path(__file__).parents[2] / "src" / "modiste" / "assets" / "samples"
NAMES = (*FASHION_MNIST, NONE_OF_THESE)

SMALL = {
    "model": "residual",
    "model.weights": "",
    "model.freeze_stages": 0,
    "model.width": 2,
    "data.image_size": 28,
    "data.synthetic_per_class": 1,
    "model.head_init": "random",
    "model.fold_batch_norm": False,
    "model.freeze_depthwise": False,
    "schedule.epochs": 1,
    "optimizer.batch_size": 20,
    "optimizer.lr": 0.01,
}
"""Settings with which `photo` trains within seconds."""

pytestmark = pytest.mark.filterwarnings("ignore:The least populated class")
"""Fewer shoes of a kind than folds."""


def set_options(changes: dict[str, Any]) -> list[str]:
    """Return the command-line options that change these settings."""
    return [f"--set={key}={str(value).lower()}" for key, value in changes.items()]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that imports a script of `benchmarks/`."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return import_module


def write_rows(path: Path, *rows: str) -> None:
    """Write a CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows))


def write_photo(path: Path, *color: int) -> None:
    """Write a photo of one color."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 40), color).save(path)


def write_sets(root: Path) -> tuple[Path, Path]:
    """Write 30 photos by 10 people, 10 more by them, and another source of 12 photos."""
    collection, more = root / "collection", root / "more"
    senders, photos = ["file,sender_id"], ["file,class,source,group"]
    for number, name in enumerate(("pants", "shoes", "hat")):
        for photo in range(10):
            senders.append(f"train/{name}/{photo}.png,{photo}")
            write_photo(collection / senders[-1].partition(",")[0], 80 * number, 10 * photo, 90)
    for number, (source, name) in enumerate((("collection-rest", "dress"), ("street", "bag"), ("street", "other"))):
        for photo in range(10 if number == 0 else 6):
            group = f"collection-rest/sender-{photo}" if number == 0 else f"{source}/{photo // 2}"
            photos.append(f"{source}/{name}/{photo}.png,{name},{source},{group}")
            write_photo(more / photos[-1].partition(",")[0], 90, 80 * number, 10 * photo)
    write_rows(collection / "senders.csv", *senders)
    write_rows(more / "photos.csv", *photos)
    kinds = ["train/shoes/0.png,boot", "train/shoes/1.png,sandal", "train/shoes/2.png,unsure"]
    write_rows(more / "shoe-kinds.csv", "file_in_shared_clothing-photos,kind", *kinds)
    return collection, more


@pytest.fixture
def sets(tmp_path: Path) -> tuple[Path, Path]:
    """Write the photo sets for a test."""
    return write_sets(tmp_path)


def test_the_photos_of_both_sets(sets: tuple[Path, Path], script: Any) -> None:
    """Labels, class folders and people; a kind that is none of the three is not used."""
    photos = script("photo_sets").read_photos(*sets)
    assert len(photos) == 52
    by_folder = {photo.folder: photo.labels for photo in photos}
    assert by_folder == {
        "pants--collection": ("Trouser",),
        "boot--collection": ("Ankle boot",),
        "sandal--collection": ("Sandal",),
        "shoes--collection": ("Sandal", "Sneaker", "Ankle boot"),
        "hat--collection": (NONE_OF_THESE,),
        "dress--collection-rest": ("Dress",),
        "bag--street": ("Bag",),
        "other--street": (NONE_OF_THESE,),
    }
    people = [{photo.group for photo in photos if photo.source == name} for name in ("collection", "collection-rest")]
    assert people == [{f"sender-{number}" for number in range(10)}] * 2


@pytest.mark.parametrize(("limit", "counts"), [(0, [10, 8]), (8, [8, 8]), (3, [3, 3])])
def test_photos_are_limited_by_class_and_source(
    sets: tuple[Path, Path], script: Any, limit: int, counts: list[int]
) -> None:
    """At most so many, from the first to the last; 0 is no limit."""
    limited = script("photo_sets").limit_photos(script("photo_sets").read_photos(*sets), limit)
    folders = [photo.folder for photo in limited]
    assert [folders.count(name) for name in ("pants--collection", "shoes--collection")] == counts
    assert len({photo.path for photo in limited}) == len(limited)


def test_generated_photos_are_trained_on_with_their_parents(
    sets: tuple[Path, Path], tmp_path: Path, script: Any
) -> None:
    """A photo on a background is left out with either of the two; one without parents never is."""
    rows = ["0.png,trousers,train/pants/0.png street/other/1.png", "1.png,bag,"]
    write_rows(tmp_path / "generated.csv", "file,class,photos", *rows)
    photo_sets = script("photo_sets")
    photos = photo_sets.read_photos(*sets)
    generated = photo_sets.read_generated(tmp_path, photos, *sets)
    assert [each.photo.folder for each in generated] == ["trousers--generated", "bag--generated"]
    assert [each.photo.group for each in generated] == ["sender-0", "1.png"]
    without_street, *folds, everything = script("photo_trainings").plan_trainings(photos, (), generated)
    counts = [
        sum(photo.path.parent == tmp_path for photo in each.train) for each in (without_street, everything, *folds)
    ]
    assert counts[:2] == [1, 2]
    assert sorted(counts[2:]) == [1, 2, 2, 2, 2]


def test_each_training_leaves_out_a_source_or_people(sets: tuple[Path, Path], script: Any) -> None:
    """Every photo is left out once; nobody sent photos to both parts; the baseline learns from COLLECTION alone."""
    trainings, photos = script("photo_trainings"), script("photo_sets").read_photos(*sets)
    *planned, everything = trainings.plan_trainings(photos, ("seed=0",))
    names = ["without-street", *(f"fold-{fold}" for fold in range(5))]
    assert [training.name for training in planned] == names
    assert sorted(str(photo.path) for each in planned for photo in each.left_out) == sorted(str(p.path) for p in photos)
    assert (everything.train, everything.left_out) == (photos, [])
    assert everything.changes == ("seed=0", "data.val_fraction=0")
    baseline = trainings.plan_baseline(photos, (), "former.json")
    assert [training.name for training in baseline] == ["baseline-all", *(f"baseline-fold-{fold}" for fold in range(5))]
    assert {photo.folder for photo in baseline[0].train} == {
        f"{name}--collection" for name in ("pants", "shoes", "hat")
    }
    for training in [*planned, *baseline]:
        assert len({p.path for p in training.train} & {p.path for p in training.left_out}) == 0
        assert not {photo.group for photo in training.train} & {photo.group for photo in training.left_out}


def test_samples_and_test_photos_are_not_trained_on(sets: tuple[Path, Path], script: Any) -> None:
    """The bundled model learns from all other photos."""
    photo_sets = script("photo_sets")
    (sets[0] / "train" / "hat" / "0.png").write_bytes((SAMPLES / "coat.jpg").read_bytes())
    photos = photo_sets.read_photos(*sets)
    *_, everything = script("photo_trainings").plan_trainings(photos, ())
    assert [photo.path.name for photo in photos if photo not in everything.train] == ["0.png"]
    assert len(photo_sets.EXCLUDED) == 73


def test_a_data_folder_follows_its_photos(sets: tuple[Path, Path], tmp_path: Path, script: Any) -> None:
    """Links that are not its photos any more are removed, with their class folders."""
    trainings = script("photo_trainings")
    first, second, *_ = trainings.plan_trainings(script("photo_sets").read_photos(*sets), ())
    for training in (second, first, second, first):
        folder = trainings.link_photos(training, tmp_path / "data")
        paths = {path.resolve() for path in folder.glob("train/*/*")}
        assert paths == {photo.path.resolve() for photo in training.train}
        left_out = {path.name for path in folder.glob("validation/*")}
        assert left_out == {photo.folder for photo in training.left_out}
        labels = json.loads((folder / "labels.json").read_text())
        assert len((folder / "groups.csv").read_text().splitlines()) == 1 + len(training.train) + len(training.left_out)
        assert labels.keys() == {path.name for path in folder.glob("*/*")}
        assert labels["shoes--collection"] == ["Sandal", "Sneaker", "Ankle boot"]
        assert labels["pants--collection"] == "Trouser"


def run_benchmark(root: Path, *arguments: str) -> str:
    """Run the benchmark with small trainings in `root`, and return its output."""
    changes = set_options(SMALL)
    sets = [str(root / "collection"), str(root / "more")]
    output = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(output):
        patch.syspath_prepend(BENCHMARKS)
        patch.setattr(import_module("photo_trainings"), "FOLDS", 2)
        patch.setattr(sys, "argv", ["photos.py", *sets, "--home", str(root / "runs"), *changes, *arguments])
        import_module("photos").main()
    return output.getvalue()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the benchmark has run on a few photos: seven trainings of one epoch."""
    root = tmp_path_factory.mktemp("benchmark")
    write_sets(root)
    former = {**SMALL, "data.source": "photos"}
    (root / "former.json").write_text(settings.to_json(settings.with_settings(named.photo(), former)))
    run_benchmark(root, "--limit", "9", "--baseline", str(root / "former.json"))
    return root


@pytest.mark.slow
def test_the_benchmark_measures_everything(finished: Path) -> None:
    """With --limit the results are not written to results/."""
    content = results.read(finished / "runs" / "photos.json")
    names = ["without-street", "fold-0", "fold-1", "all", "baseline-all", "baseline-fold-0", "baseline-fold-1"]
    assert [run["recipe"] for run in content["runs"]] == names
    answers = content["left_out_sources"]["answers"]
    assert answers.keys() == {"Ankle boot", "Dress", "Sandal", "Trouser", NONE_OF_THESE}
    assert all(answer["by_folds"] for answer in answers.values())
    assert content["sources"]["street"]["bag"]["images"] == 6
    assert content["baseline"]["sources"].keys() == content["sources"].keys()
    assert content["same_class_after"]["folds"]["EXIF turn"] == 1
    assert content["same_class_after"]["left_out_sources"]["images"] == 12
    assert sum(each["images"] for each in content["same_class_after_by_source"].values()) == 12
    assert content["calibration"].keys() == {"temperature", "threshold", "label_groups"}
    assert content["network_of_product_pictures"]["images"] == 19


@pytest.mark.slow
def test_finished_trainings_are_not_repeated(finished: Path, script: Any) -> None:
    """What was measured is enough, even without the runs; it must be of the same settings and photos."""
    shutil.move(finished / "runs" / "fold-0", finished / "elsewhere")
    output = run_benchmark(finished, "--limit", "9", "--only", "fold-0", "without-street")
    shutil.move(finished / "elsewhere", finished / "runs" / "fold-0")
    assert [line.split()[0] for line in output.splitlines()] == ["fold-0:", "without-street:"]
    path = finished / "runs" / "measurements" / "without-street.npz"
    measured = script("photo_measurements").read(path)
    assert measured.predictions.probabilities.shape == (12, 11)
    assert measured.perturbed.shape == (6, 12, 11)
    assert measured.predictions.probabilities.sum(1) == pytest.approx(1, abs=1e-5)
    assert measured.is_hottest_decisive.shape == (2,)
    with pytest.raises(SystemExit, match="other settings or photos"):
        run_benchmark(finished, "--limit", "9", "--only", "without-street", "--set", "seed=1")
    with pytest.raises(SystemExit, match="other settings or photos"):
        run_benchmark(finished, "--only", "without-street", "--measurements", str(path.parent))


@pytest.mark.slow
def test_a_measurement_is_what_the_model_predicts(finished: Path, script: Any) -> None:
    """For the photos as they are, in their order; the mirror image has the same label in both."""
    measured = script("photo_measurements").read(finished / "runs" / "measurements" / "fold-0.npz")
    model = model_file.load(finished / "runs" / "fold-0" / "model.onnx")
    names = [photo.path for photo in measured.predictions.photos]
    photos = [finished / ("more" if name.parts[0] == "collection-rest" else "collection") / name for name in names]
    images = np.stack([model.preprocess(photo)[1] for photo in photos])
    assert measured.predictions.probabilities == pytest.approx(model.probabilities(images), abs=1e-6)
    assert measured.perturbed[5] == pytest.approx(model.probabilities(images[:, :, ::-1]), abs=1e-6)


@pytest.mark.slow
def test_trainings_end_with_the_benchmark(tmp_path: Path) -> None:
    """A terminated benchmark leaves no training behind."""
    write_sets(tmp_path)
    changes = set_options({**SMALL, "schedule.epochs": 10000})
    sets, home = [str(tmp_path / "collection"), str(tmp_path / "more")], tmp_path / "runs"
    command = [sys.executable, str(BENCHMARKS / "photos.py"), *sets, "--home", str(home), "--only=fold-0", *changes]
    command.append(f"--measurements={tmp_path}")
    benchmark = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (home / "fold-0" / "metrics.csv").exists():
        assert benchmark.poll() is None
        time.sleep(0.1)
    benchmark.terminate()
    assert benchmark.wait(60) != 0
    with lock(home / "fold-0"):  # no training holds it
        assert not Run(home / "fold-0").finished


@pytest.mark.slow
def test_trainings_that_do_not_fit_the_command_are_rejected(finished: Path) -> None:
    """A name, settings or photos that differ, and a training that fails, whose output is shown."""
    for message, arguments in (
        (r"There is no training 'fold-5'. There are: without-street,", ("--only", "fold-5")),
        ("trained with other settings", ("--only", "all", "--set", "seed=1")),
        ("have changed", ("--only", "all")),  # no limit
        (r"(?s)optimizer.lr.+all failed with exit code 2", ("--only", "all", "--set=optimizer.lr=-1", "--home=other")),
    ):
        with pytest.raises(SystemExit, match=message), contextlib.chdir(finished):
            run_benchmark(finished, "--measurements=others", *arguments)


@pytest.mark.slow
def test_a_training_is_timed_as_a_user_starts_it(finished: Path, script: Any) -> None:
    """On class folders with a validation folder."""
    data = finished / "runs" / "data" / "fold-0"
    changes = set_options(SMALL)
    run = Run(finished / "timed")
    record = script("photo_timings").time_training("photo", data, run, *changes)
    assert record["seconds"] > 0
    assert record["images"] == len(list(data.glob("validation/*/*")))
    assert record["accuracy"] * record["images"] == pytest.approx(round(record["accuracy"] * record["images"]))


def predictions(script: Any, *rows: tuple[str, str, str], predicted: list[int]) -> Any:
    """Return predictions of photos by class, source and group, each with probability 0.7 of one label."""
    photos = [script("photo_sets").Photo(Path(f"{i}.png"), *row) for i, row in enumerate(rows)]
    probabilities = np.full((len(rows), len(NAMES)), 0.03)
    probabilities[np.arange(len(rows)), predicted] = 0.7
    return script("photo_predictions").PhotoPredictions(photos, probabilities, NAMES)


def test_recalls_by_answer_and_source(script: Any) -> None:
    """Answers with too few left-out photos are evaluated by the folds; each has its photos and groups."""
    bag, shirt = NAMES.index("Bag"), NAMES.index("Shirt")
    bags = predictions(
        script, *[("bag", "street", f"{i // 2}") for i in range(40)], predicted=[bag] * 30 + [shirt] * 10
    )
    shirts = predictions(script, *[("shirt", "shop", f"{i}") for i in range(4)], predicted=[bag] * 4)
    people = predictions(
        script, *[("shirt", "collection", f"sender-{i}") for i in range(10)], predicted=[shirt] * 9 + [bag]
    )
    scores = script("evaluate_photos").summarize([bags, shirts, people])
    left_out, by_answer = scores["left_out_sources"], scores["left_out_sources"]["answers"]
    assert by_answer.keys() == {"Bag", "Shirt"}
    assert [by_answer["Bag"][key] for key in ("by_folds", "images", "groups", "recall")] == [False, 40, 20, 0.75]
    assert [by_answer["Shirt"][key] for key in ("by_folds", "images", "groups", "recall")] == [True, 10, 10, 0.9]
    assert left_out["macro_recall"] == pytest.approx((0.75 + 0.9) / 2)
    assert left_out["macro_recall_interval"][0] < left_out["macro_recall"] < left_out["macro_recall_interval"][1]
    assert left_out["without_folds"]["macro_recall"] == 0.75
    assert left_out["lowest_answer"] == "Bag"
    assert scores["sources"]["shop"]["shirt"]["recall"] == 0
    assert (scores["folds"]["images"], scores["folds"]["accuracy"]) == (10, 0.9)


def test_a_shoe_of_the_folds_is_correct_with_any_kind(script: Any) -> None:
    """The accuracy on COLLECTION is defined as before the kinds were determined; the recall of answers is not."""
    evaluate_photos, sneaker = script("evaluate_photos"), NAMES.index("Sneaker")
    shoe = script("photo_sets").Photo(Path("a.png"), "shoes", "collection", "sender-1", "boot")
    answers = evaluate_photos.Answers(
        script("photo_predictions").PhotoPredictions([shoe], np.eye(11)[[sneaker]], NAMES), np.ones(1), np.ones(1, bool)
    )
    assert not answers.outcomes[""].any()
    assert answers.accept_any_kind().outcomes[""].all()


def test_a_photo_that_is_not_answered_is_none_of_these(script: Any) -> None:
    """This is correct for a photo without clothes alone."""
    both = predictions(script, ("other", "stones", "1"), ("bag", "street", "2"), predicted=[NAMES.index("Bag")] * 2)
    outcomes = script("evaluate_photos").Answers(both, np.ones(2), np.array([False, False])).outcomes
    assert [each.tolist() for each in outcomes.values()] == [[False, True], [True, False]]


def test_calibration_is_fitted_on_the_other_parts(script: Any) -> None:
    """A part whose answers are all correct changes only the threshold of the others."""
    bag = NAMES.index("Bag")
    correct = predictions(script, *[("bag", "street", "1")] * 150, predicted=[bag] * 150)
    wrong = predictions(script, *[("other", "stones", "2")] * 120, predicted=[bag] * 120)
    first, second = script("photo_predictions").fit_on_others([correct, wrong])
    assert first == wrong.fit_calibration()
    assert second == correct.fit_calibration() != first
