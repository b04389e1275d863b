"""Evaluating runs, models and files of probabilities."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.idx import images_file, write_idx_folder
from helpers.models import tiny_model
from helpers.photos import fill
from helpers.runs import write_run
from modiste.errors import InputError, SettingError
from modiste.inference.model_file import load
from modiste.labels import FASHION_MNIST
from modiste.metrics.scores import Scores
from modiste.recipes import settings
from modiste.reporting.evaluate import evaluate
from modiste.runs import files
from modiste.runs.folder import Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run whose model never predicts the first of ten classes."""
    return write_run(tmp_path / "run", blind=1)


def test_evaluation_writes_six_files(run: Run) -> None:
    """Scores, probabilities, figures, and tables of mistakes; the written scores equal the returned ones."""
    before = {path.name for path in run.path.iterdir()}
    scores = evaluate(run.path)
    written = {path.name for path in run.path.iterdir()} - before
    assert written - {".lock"} == {
        "scores.json", "probabilities.npz", "confusion.png", "mistakes.png", "mistakes.csv", "mistakes.html"
    }  # fmt: skip
    assert scores.accuracy == pytest.approx(0.9)
    assert Scores.from_dict(files.read_json(run.scores)["test"], "here") == scores
    with np.load(run.probabilities) as arrays:
        assert arrays["probabilities"].shape == (20, 10)
        assert arrays["labels"].tolist() == list(range(10)) * 2
        assert str(arrays["split"]) == "test"


def test_files_of_test_are_not_overwritten_by_those_of_validation(run: Run) -> None:
    """These are in a folder of the run; without scores on test, they are beside the scores."""
    evaluate(run.path, "validation")
    with np.load(run.probabilities) as arrays:
        assert str(arrays["split"]) == "validation"
    evaluate(run.path)
    before = run.mistakes_page.read_bytes()
    evaluate(run.path, "validation")
    assert run.mistakes_page.read_bytes() == before
    assert {path.name for path in (run.path / "validation").iterdir()} == {
        "probabilities.npz", "confusion.png", "mistakes.png", "mistakes.csv", "mistakes.html"
    }  # fmt: skip


def test_flip_tta_averages_each_image_and_its_mirror_image(run: Run, tmp_path: Path) -> None:
    """A model that uses only the left half of an image classifies objects on the right with flip TTA."""
    weights = np.zeros((28, 28, 10), np.float32)
    images = np.zeros((20, 28, 28), np.uint8)
    for label in range(10):
        weights[label, :14, label] = 0.01
        images[label::10, label, slice(14, 28) if label % 2 else slice(14)] = 255
    run.model.write_bytes(tiny_model(FASHION_MNIST, weights=weights.reshape(784, 10)))
    (tmp_path / "data" / "t10k-images-idx3-ubyte.gz").write_bytes(images_file(images))
    scores = evaluate(run.path)
    assert scores.accuracy < 0.7
    assert scores.accuracy_flip_tta == 1
    without_tta = run.model.read_bytes()
    run.model.write_bytes(
        tiny_model(FASHION_MNIST, weights=weights.reshape(784, 10), metadata={"tta_threshold": "0.5"})
    )
    with_tta = evaluate(run.path)
    assert (with_tta.accuracy, with_tta.accuracy_flip_tta) == (1, None)  # flip TTA below the threshold
    run.model.write_bytes(without_tta)
    run.recipe_file.write_text(
        settings.to_json(settings.with_settings(run.recipe(), {"augmentation.horizontal_flip": False}))
    )
    assert evaluate(run.path).accuracy_flip_tta is None


def test_each_opening_of_the_test_split_is_counted(run: Run) -> None:
    """Two evaluations on test and one on validation are two openings, and both splits have scores."""
    evaluate(run.path)
    evaluate(run.path, "validation")
    evaluate(run.model)
    content = files.read_json(run.scores)
    assert content["test_openings"] == 2
    assert content["test"]["n"] == content["validation"]["n"] == 20


def test_an_opening_is_counted_when_the_evaluation_fails(run: Run, tmp_path: Path) -> None:
    """A damaged file of test images is counted as opened, and no scores are written."""
    (tmp_path / "data" / "t10k-images-idx3-ubyte.gz").write_bytes(b"broken")
    with pytest.raises(InputError):
        evaluate(run.path)
    assert files.read_json(run.scores) == {"test_openings": 1}


def test_an_evaluation_on_validation_does_not_open_the_test_split(run: Run) -> None:
    """The counter of openings stays at 0."""
    assert evaluate(run.path, "validation").split == "validation"
    assert files.read_json(run.scores)["test_openings"] == 0


def test_the_evaluation_of_a_model_file_writes_nothing(run: Run, tmp_path: Path) -> None:
    """A model file has the name of its data, not the path."""
    alone = tmp_path / "elsewhere" / "model.onnx"
    alone.parent.mkdir()
    alone.write_bytes(run.model.read_bytes())
    assert evaluate(alone, data=run.recipe().data.source) == evaluate(run.path)
    assert [path.name for path in alone.parent.iterdir()] == ["model.onnx"]


def test_scores_on_other_data_are_not_written(run: Run, tmp_path: Path) -> None:
    """The run folder has scores of its own data only; the opening is counted."""
    other = write_idx_folder(tmp_path / "other", test=30)
    assert evaluate(run.path, data=str(other)).n == 30
    assert files.read_json(run.scores) == {"test_openings": 1}


@pytest.mark.parametrize("suffix", [".npz", ".csv"])
def test_probabilities_of_other_tools_get_the_same_scores(run: Run, tmp_path: Path, suffix: str) -> None:
    """The .npz file that a run wrote, and a CSV of it, have the scores of the run."""
    expected = evaluate(run.path)
    file = tmp_path / f"probabilities{suffix}"
    with np.load(run.probabilities) as arrays:
        if suffix == ".npz":
            np.savez(file, arrays["probabilities"])
        else:
            np.savetxt(file, arrays["probabilities"], delimiter=",", fmt="%.9g")
    scores = evaluate(file, data=str(tmp_path / "data"))
    assert scores.confusion_matrix == expected.confusion_matrix
    assert scores.loss == pytest.approx(expected.loss, abs=1e-6)


def test_labels_are_matched_by_name(run: Run, tmp_path: Path) -> None:
    """Class folders may have some of the classes of the model; an unknown class is an error that names it."""
    for folder in ("test/Bag", "test/Coat", "train/Bag", "train/Coat"):
        fill(tmp_path / "some" / folder, 1)
    scores = evaluate(run.path, data=str(tmp_path / "some"))
    assert [label.name for label in scores.per_class if label.support] == ["Coat", "Bag"]
    for part in ("test", "train"):
        (tmp_path / "some" / part / "Bag").rename(tmp_path / "some" / part / "Hat")
    with pytest.raises(InputError, match="Hat"):
        evaluate(run.path, data=str(tmp_path / "some"))


def test_what_cannot_be_evaluated_is_refused(run: Run, tmp_path: Path) -> None:
    """A missing file, a folder that is not a run, a missing model and an unknown split each have their error."""
    with pytest.raises(InputError, match="does not exist"):
        evaluate(tmp_path / "nothing")
    with pytest.raises(InputError, match="not a run folder"):
        evaluate(tmp_path / "data")
    with pytest.raises(SettingError, match="one of test, validation"):
        evaluate(run.path, "train")
    run.model.unlink()
    with pytest.raises(InputError, match="modiste train"):
        evaluate(run.path)
    assert not run.scores.exists()


def test_scores_are_plain_json(run: Run) -> None:
    """scores.json has no NaN, and has counts and fractions of the confusion matrix."""
    evaluate(run.path)
    content = json.loads(run.scores.read_text(), parse_constant=pytest.fail)
    assert len(content["test"]["confusion_matrix"]) == len(content["test"]["confusion_matrix_normalized"]) == 10


def test_each_candidate_label_is_correct(tmp_path: Path) -> None:
    """Images with several candidate labels count in the accuracy, and not in the confusion matrix."""
    for name, shade in (("black", 0), ("white", 255), ("odd", 255)):
        fill(tmp_path / "data" / "test" / name, 3, lambda _, shade=shade: Image.new("L", (28, 28), shade))
    meanings = {"black": ["dark", "bright"], "white": ["bright", "dark"], "odd": "dark"}
    (tmp_path / "data" / "labels.json").write_text(json.dumps(meanings))
    (tmp_path / "m.onnx").write_bytes(tiny_model())
    scores = evaluate(tmp_path / "m.onnx", data=str(tmp_path / "data"))
    assert scores.n == 9
    assert scores.accuracy == pytest.approx(6 / 9)
    assert (scores.confusion_matrix, scores.n_ambiguous) == (((0, 3), (0, 0)), 6)
    bright = load(tmp_path / "m.onnx").probabilities(np.full((1, 28, 28), 255, np.uint8))[0]
    assert scores.loss == pytest.approx(
        -np.log(float(bright[0])) / 3
    )  # of the class "odd": for the other images the candidate labels have probability 1
