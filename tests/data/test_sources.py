"""Opening the training, validation and test splits."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.idx import images_file, labels_file, write_idx_folder
from helpers.photos import fill
from modiste.data import sources
from modiste.errors import InputError
from modiste.recipes.config import DataConfig


@pytest.fixture
def source(tmp_path: Path) -> str:
    """An IDX folder of 100 training and 20 test images."""
    return str(write_idx_folder(tmp_path / "idx"))


def test_folds_are_stratified_disjoint_and_cover_all(source: str) -> None:
    """Each image is in one of the five validation folds, which have equally many images of each class."""
    complete = sources.open_training(DataConfig(source, val_fraction=0), seed=3).train
    held_out = []
    for fold in range(5):
        training = sources.open_training(DataConfig(source, fold=fold), seed=3)
        assert np.bincount(training.validation.labels).tolist() == [2] * 10
        assert len(training.train) == 80
        held_out += [image.tobytes() for image in training.validation.images]
        assert not set(held_out[-20:]) & {image.tobytes() for image in training.train.images}
    assert sorted(held_out) == sorted(image.tobytes() for image in complete.images)


def test_the_seed_decides_the_folds(source: str) -> None:
    """The same seed gives the same splits, another seed others."""
    sums = [sources.open_training(DataConfig(source), seed).validation.sha256() for seed in (0, 0, 1)]
    assert sums[0] == sums[1] != sums[2]


def test_open_validation_returns_the_images_that_training_held_out(source: str) -> None:
    """Also with `max_train_images` and with other folds."""
    for data in (
        DataConfig(source),
        DataConfig(source, fold=2, val_fraction=0.1),
        DataConfig(source, max_train_images=7),
    ):
        held_out = sources.open_training(data, seed=5).validation
        assert sources.open_validation(data, seed=5).sha256() == held_out.sha256()


def test_without_validation_images_open_validation_is_refused(source: str) -> None:
    """The error suggests the test split."""
    with pytest.raises(InputError, match="--split test"):
        sources.open_validation(DataConfig(source, val_fraction=0), seed=0)


def test_max_train_images_applies_after_the_fold(source: str) -> None:
    """It limits the training and the validation images, and is balanced over the classes."""
    full = sources.open_training(DataConfig(source), seed=0)
    few = sources.open_training(DataConfig(source, max_train_images=15), seed=0)
    for split, all_images in ((few.train, full.train.images), (few.validation, full.validation.images)):
        assert np.bincount(split.labels).tolist() == [2] * 5 + [1] * 5
        assert {image.tobytes() for image in split.images} <= {image.tobytes() for image in all_images}


def test_each_opening_of_the_test_split_is_counted_first(source: str) -> None:
    """It is not read when the opening cannot be counted."""
    openings: list[int] = []
    for _ in range(2):
        assert len(sources.open_test(DataConfig(source), lambda: openings.append(1))) == 20
    assert len(openings) == 2

    def refuse() -> None:
        raise InputError("The run folder cannot be written.")

    Path(source, "t10k-images-idx3-ubyte.gz").write_bytes(b"never read")
    with pytest.raises(InputError, match="cannot be written"):
        sources.open_test(DataConfig(source), refuse)


def test_idx_files_need_not_be_gzipped(tmp_path: Path) -> None:
    """Their names lack the suffix .gz."""
    images = np.zeros((4, 28, 28), np.uint8)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(images_file(images))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(labels_file(np.array([0, 1, 2, 3])))
    data = DataConfig(str(tmp_path), val_fraction=0)
    assert sources.open_training(data, seed=0).train.labels.tolist() == [0, 1, 2, 3]
    with pytest.raises(InputError, match="no test split"):
        sources.open_test(data, lambda: None)


def test_fault_30_different_numbers_of_images_and_labels_are_refused(tmp_path: Path) -> None:
    """The error has both numbers (fault 30)."""
    (tmp_path / "train-images-idx3-ubyte").write_bytes(images_file(np.zeros((4, 28, 28), np.uint8)))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(labels_file(np.array([0, 1, 2])))
    with pytest.raises(InputError, match=r"4 images, but .* 3 labels"):
        sources.open_training(DataConfig(str(tmp_path), val_fraction=0), seed=0)


def test_a_file_without_images_is_refused(tmp_path: Path) -> None:
    """An IDX file may have a length of 0."""
    (tmp_path / "train-images-idx3-ubyte").write_bytes(images_file(np.zeros((0, 28, 28), np.uint8)))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(labels_file(np.array([])))
    with pytest.raises(InputError, match="has no images"):
        sources.open_training(DataConfig(str(tmp_path)), seed=0)


def test_fewer_images_of_a_class_than_folds_are_refused(tmp_path: Path) -> None:
    """The error suggests three solutions."""
    source = write_idx_folder(tmp_path, train=30)
    with pytest.raises(InputError, match=r"at least 5 images, .* only 3.*data.val_fraction=0"):
        sources.open_training(DataConfig(str(source)), seed=0)


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.write_text("x"), "is no data that can be read"),
        (lambda path: path.mkdir(), "holds no data that can be read"),
    ],
)
def test_an_invalid_source_is_refused(tmp_path: Path, make: object, fault: str) -> None:
    """A missing path, a file and an empty folder; the error names the path."""
    path = tmp_path / "clothes"
    make(path)  # type: ignore[operator]
    with pytest.raises(InputError, match=f"clothes {fault}"):
        sources.open_training(DataConfig(str(path)), seed=0)


def test_the_hash_of_the_data_changes_with_its_training_files(tmp_path: Path) -> None:
    """Test files do not change it."""
    source = write_idx_folder(tmp_path)
    data = DataConfig(str(source))
    before = sources.sha256(data)
    (source / "t10k-labels-idx1-ubyte.gz").write_bytes(b"other")
    assert sources.sha256(data) == before
    write_idx_folder(source, train=90)
    assert sources.sha256(data) != before


def test_moved_data_has_the_same_hash(tmp_path: Path) -> None:
    """The hash depends on the content, not on the path."""
    folder = write_idx_folder(tmp_path / "old")
    before = sources.sha256(DataConfig(str(folder)))
    folder.rename(tmp_path / "new")
    assert sources.sha256(DataConfig(str(tmp_path / "new"))) == before
    (tmp_path / "new" / "labels.json").unlink()
    assert sources.sha256(DataConfig(str(tmp_path / "new"))) != before


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (["zero", "one", "two"], ("zero", "one", "two")),
        ({"2": "two", "0": "zero", "1": "one"}, ("zero", "one", "two")),
        (None, ("0", "1", "2")),
    ],
)
def test_labels_json_of_an_idx_folder_has_class_names(tmp_path: Path, content: object, names: tuple[str, ...]) -> None:
    """Without the file, classes are named by their numbers."""
    folder = write_idx_folder(tmp_path, labels=3)
    (folder / "labels.json").write_text(json.dumps(content)) if content else (folder / "labels.json").unlink()
    assert sources.open_training(DataConfig(str(folder)), seed=0).class_names == names


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "has no name for class 0; the labels go up to 2"),
        (["zero", "one"], "has no name for class 2; the labels go up to 2"),
        ({"0": "zero", "2": "two"}, "has no name for class 1; the labels go up to 2"),
        (["zero", "one", "two", "three"], r"train-images-idx3-ubyte.gz has no image of class 3 \(three\)"),
    ],
)
def test_labels_json_names_exactly_the_classes_of_the_images(tmp_path: Path, content: object, message: str) -> None:
    """A class without a name or without training images is refused."""
    folder = write_idx_folder(tmp_path, labels=3)
    (folder / "labels.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        sources.open_training(DataConfig(str(folder)), seed=0)


def test_a_gap_in_the_labels_of_an_idx_folder_is_refused(tmp_path: Path) -> None:
    """The class has no training images; a test split may lack a class."""
    folder = write_idx_folder(tmp_path, labels=4)
    (folder / "labels.json").unlink()
    for stem in ("t10k", "train"):
        labels = np.arange(100 if stem == "train" else 20) % 2 * 3
        (folder / f"{stem}-labels-idx1-ubyte.gz").write_bytes(labels_file(labels))
        if stem == "t10k":
            assert set(sources.open_test(DataConfig(str(folder)), lambda: None).labels) == {0, 3}
    with pytest.raises(InputError, match=r"no image of class 1 \(1\)"):
        sources.open_training(DataConfig(str(folder)), seed=0)


@pytest.mark.parametrize("content", ['{"Bag": "8"}', "3", '["a", "a", "b"]', '["a", "b", 7]', "{"])
def test_an_invalid_labels_json_of_an_idx_folder_is_refused(tmp_path: Path, content: str) -> None:
    """Keys that are not numbers, duplicate names and invalid JSON; the error names the file."""
    folder = write_idx_folder(tmp_path, labels=3)
    (folder / "labels.json").write_text(content)
    with pytest.raises(InputError, match=r"labels.json.*(Write|Give|Correct)"):
        sources.open_training(DataConfig(str(folder)), seed=0)


@pytest.mark.parametrize(("background", "bright_corners", "expected"), [(0, 0, True), (0, 2, False), (255, 0, False)])
def test_whether_training_images_are_on_black(
    tmp_path: Path, background: int, bright_corners: int, expected: bool
) -> None:
    """At least 99 % of them; natural images have any background."""
    images = np.full((100, 28, 28), background, np.uint8)
    images[:, 8:20, 8:20] = 255 - background
    images[:bright_corners] = 255
    write_idx_folder(tmp_path)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(images_file(images))
    config = DataConfig(source=str(tmp_path), val_fraction=0)
    assert sources.open_training(config, 0).is_on_black == expected


def test_gray_photos_of_class_folders_are_put_on_black(tmp_path: Path) -> None:
    """Also photos of one color, which are left as they are."""
    for name in ("a", "b"):
        fill(tmp_path / name, 5, lambda _: Image.new("L", (28, 28), 255))
    assert sources.open_training(DataConfig(source=str(tmp_path)), 0).is_on_black


def test_a_fold_can_replace_the_validation_split(tmp_path: Path) -> None:
    """With use_val_split=false, images of train are held out, and those of the validation split are not used."""
    for split, count in (("train", 8), ("val", 3)):
        for label in ("coat", "hat"):
            fill(tmp_path / split / label, count)
    own = sources.open_training(DataConfig(str(tmp_path), val_fraction=0.25), seed=0)
    assert (len(own.train), len(own.validation)) == (16, 6)
    data = DataConfig(str(tmp_path), val_fraction=0.25, use_val_split=False)
    training = sources.open_training(data, seed=0)
    assert (len(training.train), len(training.validation)) == (12, 4)
    assert sources.open_validation(data, seed=0).sha256() == training.validation.sha256()
    assert len(sources.held_out_indices(data, seed=0)) == 4


def test_images_have_names(source: str, tmp_path: Path) -> None:
    """Split and position in IDX files; in class folders the files, in the order of the images."""
    held_out = sources.open_training(DataConfig(source), seed=0).validation
    assert held_out.names
    assert held_out.image_names == held_out.names
    assert all(name.startswith("train#") for name in held_out.names)
    assert replace(held_out, names=None).image_names[:2] == ("validation#0", "validation#1")
    for label in ("coat", "hat"):
        fill(tmp_path / "photos" / label, 2)
    train = sources.open_training(DataConfig(str(tmp_path / "photos"), val_fraction=0), seed=0).train
    assert train.image_names == ("coat/0.png", "coat/1.png", "hat/0.png", "hat/1.png")
