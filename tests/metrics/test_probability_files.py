"""Files of probabilities from other tools."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from helpers.scores import split_of
from modiste.errors import InputError
from modiste.metrics import prediction_tables, probability_files

NAMES = ("bag", "coat")
GOOD = np.array([[0.75, 0.25], [0.5, 0.5]])


def read(path: Path, labels: list[int] | None = None) -> np.ndarray:
    """The probabilities in a file for images with these labels."""
    return probability_files.read_probabilities(path, NAMES, split_of(labels or [0, 1]))[0]


def one_hot(labels: list[int], k: int = 3) -> np.ndarray:
    """Probabilities that are certain of these labels."""
    return np.eye(k)[labels]


def notes(path: Path, probabilities: np.ndarray, labels: list[int]) -> str:
    """The notes about the order of rows and columns."""
    np.savetxt(path, probabilities, delimiter=",")
    return "\n".join(probability_files.read_probabilities(path, ("a", "b", "c"), split_of(labels))[1])


def test_an_npz_file_is_read(tmp_path: Path) -> None:
    """Its array named probabilities, or the one that was written without a name."""
    for name in ("probabilities", "arr_0"):
        np.savez(tmp_path / "a.npz", class_names=NAMES, **{name: GOOD.astype(np.float32)})
        assert (read(tmp_path / "a.npz") == GOOD).all()


@pytest.mark.parametrize("names", [["images"], ["p", "q"], ["arr_0", "arr_1"], ["labels"], []])
def test_an_array_of_another_name_is_refused(tmp_path: Path, names: list[str]) -> None:
    """It may be anything; the error has the names in the file and the one that is needed."""
    np.savez(tmp_path / "a.npz", **dict.fromkeys(names, GOOD))
    with pytest.raises(InputError, match=f"holds {', '.join(names) or 'nothing'}, but no array named probabilities"):
        read(tmp_path / "a.npz")


def test_csv_header_orders_the_columns(tmp_path: Path) -> None:
    """Without a header the columns are in the order of the classes."""
    file = tmp_path / "a.csv"
    file.write_text("0.75,0.25\n0.5,0.5\n")
    assert (read(file) == GOOD).all()
    file.write_text("coat,bag\n0.25,0.75\n0.5,0.5\n")
    assert (read(file) == GOOD).all()


@pytest.mark.parametrize(
    "text",
    [
        ",bag,coat\n0,0.75,0.25\n1,0.5,0.5\n",
        "id,bag,coat\n1,0.5,0.5\n0,0.75,0.25\n",
        "index,0,1\n1,0.75,0.25\n2,0.5,0.5\n",
        "0,1\n0.75,0.25\n0.5,0.5\n",
        "0,0.75,0.25\n1,0.5,0.5\n",
    ],
)
def test_an_index_column_and_numbered_classes_are_recognized(tmp_path: Path, text: str) -> None:
    """With and without a header, as pandas writes them; rows are put into the order of their index."""
    (tmp_path / "a.csv").write_text(text)
    assert (read(tmp_path / "a.csv") == GOOD).all()


@pytest.mark.parametrize(
    "text",
    ["bag\ncoat\ncoat\n", "0\n1\n1\n", "predicted\n0\n1.0\n1\n", "id,label\n0,bag\n1,coat\n2,coat\n",
     "2,coat\n3,coat\n1,bag\n", "ImageId,Label\n1,0\n2,1\n3,1\n"],
)  # fmt: skip
def test_a_csv_of_predicted_labels_is_read(tmp_path: Path, text: str) -> None:
    """Names or indices, with or without header and index column; a note says that there are no probabilities."""
    (tmp_path / "a.csv").write_text(text)
    file = probability_files.read_probabilities(tmp_path / "a.csv", NAMES, split_of([0, 1, 1]))
    assert file.is_hard_labels
    assert (file.probabilities == one_hot([0, 1, 1], 2)).all()
    assert probability_files.HARD_LABELS in file.notes


@pytest.mark.parametrize("array", [GOOD, GOOD.astype(np.float32), np.array([0, 1]), np.array(["bag", "coat"])])
def test_an_npy_file_is_read(tmp_path: Path, array: np.ndarray) -> None:
    """Probabilities, or predicted labels as numbers or names."""
    np.save(tmp_path / "a.npy", array)
    assert (read(tmp_path / "a.npy") == (GOOD if array.ndim == 2 else np.eye(2))).all()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([0, 2]), "has the labels 2, but the classes are bag, coat, or 0 to 1. Write one of these"),
        (np.array([1, 2]), "has the labels 2, .* They count from 1: subtract 1 from each"),
        (np.array([[np.nan, 1.0], [0.5, 0.5]]), "has NaN or infinity in row 0 .from 0.. Predict that image again"),
        (np.array([[-0.5, 1.5], [0.5, 0.5]]), "has a negative number in row 0 .* modiste compare --logits"),
        (np.array([0.5, 1]), "has the labels 0.5"),
        (np.array(["bag", "hat"]), "has the labels hat"),
        (np.array([0, 1, 1]), "has 3 labels, but the split has 2 images"),
        (np.zeros((2, 2, 2)), "shape"),
        (np.array([[3.0, 1.0], [0.5, 0.5]]), "name them as such: modiste compare --logits"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, array: np.ndarray, message: str) -> None:
    """Labels of no class, other images, and logits that are not said to be logits."""
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(InputError, match=message):
        read(tmp_path / "a.npy")


def test_an_index_that_does_not_number_the_images_is_refused(tmp_path: Path) -> None:
    """Such as the rows of a shuffled part of the data."""
    (tmp_path / "a.csv").write_text(",bag,coat\n17,0.75,0.25\n4,0.5,0.5\n")
    with pytest.raises(InputError, match="does not number the images"):
        read(tmp_path / "a.csv")


def test_logits_that_are_said_to_be_logits_get_a_softmax(tmp_path: Path) -> None:
    """A constant for all classes does not matter; infinite ones are refused."""
    np.save(tmp_path / "a.npy", np.log(GOOD) + 3)
    split = split_of([0, 1])
    file = probability_files.read_probabilities(tmp_path / "a.npy", NAMES, split, is_logits=True)
    assert file.probabilities == pytest.approx(GOOD)
    np.save(tmp_path / "a.npy", np.array([[np.inf, 1.0], [0.5, 0.5]]))
    with pytest.raises(InputError, match="NaN or infinity in row 0"):
        probability_files.read_probabilities(tmp_path / "a.npy", NAMES, split, is_logits=True)


def test_class_names_in_an_npz_order_columns_and_labels(tmp_path: Path) -> None:
    """Labels are indices into these names."""
    arrays = {"probabilities": GOOD[:, ::-1], "class_names": ["coat", "bag"], "labels": [1, 0]}
    np.savez(tmp_path / "a.npz", **arrays)
    assert (read(tmp_path / "a.npz", [0, 1]) == GOOD).all()
    with pytest.raises(InputError, match="another order"):
        read(tmp_path / "a.npz", [1, 0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.75,0.25\n", "shape"),
        ("0.75,0.25\n0.5,0.6\n", "sums to 1.1000"),
        ("0.75,0.25\n1.5,-0.5\n", "row 1"),
        ("0.75,0.25\nnan,0.5\n", "row 1"),
        ("0.75,0.25\nx,0.5\n", "line 2 has 'x', which is not a number"),
        ("0.75,0.25\n\n1\n", "line 3 has 1 cells, but the lines before have 2"),
        ("bag,coat\n0.75,0.25\n,0.5\n", "line 3 has a blank cell"),
        ("0.75;0.25\n0.5;0.5\n", "line 2 has '0.5;0.5', .* commas between and decimal points"),
        (
            "file,bag,coat\na.png,0.75,0.25\nb.png,0.5,0.5\n",
            "line 2 has 'a.png', .* without other columns than an index",
        ),
        ("bag\nhat\n", "has the labels hat, but the classes are"),
        ('bag\n""\n', "line 2 has a blank cell"),
        ("hat,bag\n0.75,0.25\n0.5,0.5\n", "the classes are bag, coat"),
        ("", "shape"),
    ],
)
def test_invalid_values_are_refused(tmp_path: Path, text: str, message: str) -> None:
    """Wrong shapes, sums, signs, words and columns each have their message."""
    file = tmp_path / "a.csv"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        read(file)


@pytest.mark.parametrize("labels", [[1, 1], [0, 7], [0]])
def test_labels_of_other_images_are_refused(tmp_path: Path, labels: list[int]) -> None:
    """A file with labels must have those of the split."""
    np.savez(tmp_path / "a.npz", probabilities=GOOD, labels=labels)
    with pytest.raises(InputError, match="other images"):
        read(tmp_path / "a.npz")


def test_any_candidate_label_is_a_label_of_the_image(tmp_path: Path) -> None:
    """Files of earlier versions have the predicted one of the candidate labels."""
    np.savez(tmp_path / "a.npz", probabilities=GOOD, labels=[0, 1])
    split = split_of([0, 0], np.ones((2, 2), bool))
    assert (probability_files.read_probabilities(tmp_path / "a.npz", NAMES, split)[0] == GOOD).all()


def test_the_order_of_columns_is_stated_and_a_better_one_suggested(tmp_path: Path) -> None:
    """Perfect probabilities with columns b, c, a are 0 % right as a, b, c."""
    labels = [0, 0, 1, 1, 2, 2]
    assert notes(tmp_path / "a.csv", one_hot(labels), labels) == "Columns are taken as: a, b, c."
    rotated = notes(tmp_path / "a.csv", one_hot(labels)[:, [1, 2, 0]], labels)
    assert "With columns in the order b, c, a the accuracy would be 100.0% instead of 0.0%" in rotated


@pytest.mark.parametrize(
    ("images", "file", "order"),
    [
        ([2, 0, 1, 2, 0, 1, 2, 0], [0, 0, 0, 1, 1, 2, 2, 2], "rows sorted by class"),
        ([0, 0, 0, 1, 1, 1, 2, 2], [0, 1, 2, 0, 1, 2, 0, 1], "one image of each class in turn"),
    ],
)
def test_a_better_order_of_rows_is_suggested(tmp_path: Path, images: list[int], file: list[int], order: str) -> None:
    """For perfect probabilities in another order of the images."""
    assert order in notes(tmp_path / "a.csv", one_hot(file), images)


def test_without_a_better_order_there_is_no_suggestion(tmp_path: Path) -> None:
    """The probabilities are poor in every order, which a note says, and in the right one there is none."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 300)
    poor = notes(tmp_path / "a.csv", random.dirichlet(np.ones(3), 300), labels.tolist())
    assert "With" not in poor
    assert "is near that of the same predictions in random order" in poor
    assert "near" not in notes(tmp_path / "a.csv", one_hot(labels * (random.random(300) < 0.7)), labels.tolist())


def test_probabilities_of_0_are_counted(tmp_path: Path) -> None:
    """Where the class of an image has them, since the loss then depends on what is taken for 0."""
    zeros = notes(tmp_path / "a.csv", one_hot([0, 1, 2, 2, 1, 0]), [0, 1, 2, 2, 1, 1])
    assert "Images whose class has probability 0: 1. Each counts as 1.2e-38 in the loss, 87.3 nats" in zeros


def test_a_damaged_or_missing_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no traceback for a file that is no .npz, holds objects or is not there."""
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 no zip")
    np.savez(tmp_path / "objects.npz", probabilities=np.array([{}]))
    np.savez_compressed(tmp_path / "good.npz", probabilities=np.random.default_rng(0).random((50, 10)))
    good = (tmp_path / "good.npz").read_bytes()
    (tmp_path / "changed.npz").write_bytes(good[:200] + bytes(100) + good[300:])
    monkeypatch.setattr(prediction_tables, "MAX_BYTES", 10_000)
    np.savez_compressed(tmp_path / "bomb.npz", probabilities=np.zeros(10_001, np.int8))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**13, 10)})
    with zipfile.ZipFile(tmp_path / "vast.npz", "w") as archive:
        archive.writestr("probabilities.npy", header.getvalue())
    (tmp_path / "bad.npy").write_bytes(b"no array")
    (tmp_path / "vast.npy").write_bytes(header.getvalue())
    np.save(tmp_path / "objects.npy", np.array([{}]))
    for name in (
        "bad.npz",
        "objects.npz",
        "changed.npz",
        "bomb.npz",
        "vast.npz",
        "none.npz",
        "none.csv",
        "none.npy",
        "bad.npy",
        "objects.npy",
        "vast.npy",
    ):
        with pytest.raises(InputError, match="has no probabilities"):
            read(tmp_path / name)
