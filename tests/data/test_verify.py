"""The report on data before training."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from helpers.idx import write_idx_folder
from helpers.photos import fill, noise
from modiste.data import duplicates
from modiste.data.verify import class_size_warnings, count_by_class, verify
from modiste.imaging.thumbnails import gray_thumbnail
from modiste.recipes.config import DataConfig


def draw(seed: int) -> Image.Image:
    """A photo that is like no other: noise of a few large cells."""
    return Image.fromarray(noise(12, seed)).resize((120, 120), Image.Resampling.BICUBIC)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two class folders of 20 photos each."""
    fill(tmp_path / "boots", 20, draw, ".jpg")
    fill(tmp_path / "hats", 20, lambda number: draw(100 + number), ".jpg")
    return tmp_path


def config(root: Path) -> DataConfig:
    """The data settings for a folder, with all images in train."""
    return DataConfig(str(root), image_size=16, val_fraction=0)


def test_splits_are_described(tmp_path: Path) -> None:
    """With the number of images of each class, their shape and the checksum of a split that is opened."""
    train, test = verify(config(write_idx_folder(tmp_path, side=16)))["splits"]
    assert train.keys() == test.keys() == {"split", "images", "shape", "labels", "sha256"}
    assert (train["split"], train["images"], train["labels"]["Bag"]) == ("train", 100, 10)
    assert (test["split"], test["images"], test["shape"]) == ("test", 20, [16, 16])


def test_good_data_has_no_warnings(photos: Path) -> None:
    """Every list of the report is empty."""
    report = verify(config(photos))
    assert {key: report[key] for key in report if key not in {"dataset", "splits"}} == {
        "ignored": [], "unreadable": [], "similar_names": [], "duplicates": [], "near_duplicates": [], "warnings": [],
    }  # fmt: skip


def test_small_classes_and_imbalance_are_warned_of() -> None:
    """From fewer than 20 images, and from ten times as many images as another class."""
    assert class_size_warnings({"a": 20, "b": 199}) == []
    (few,) = class_size_warnings({"a": 19, "b": 189})
    assert few.startswith("1 of 2 classes have fewer than 20 training images (a 19)")
    (imbalance,) = class_size_warnings({"a": 20, "b": 200})
    assert imbalance.startswith("b has 200 training images, a 20")
    assert len(class_size_warnings({"a": 0, "b": 10})) == 2
    assert class_size_warnings({"a": 20, "b": 200}, is_balanced=True) == []


def test_a_class_too_small_to_hold_images_out_is_warned_of(photos: Path) -> None:
    """Unless the data has validation images of its own."""
    fill(photos / "caps", 2, lambda number: draw(200 + number), ".jpg")
    warning = "caps has fewer than 5 training images, so a fifth cannot be held out for validation"
    assert any(each.startswith(warning) for each in verify(config(photos))["warnings"])


def test_empty_class_folders_and_classes_without_test_images_are_named(photos: Path) -> None:
    """The former as train refuses them; the latter in a warning."""
    for label in ("boots", "hats"):
        (photos / "train").mkdir(exist_ok=True)
        shutil.move(photos / label, photos / "train" / label)
    (photos / "test" / "hats").mkdir(parents=True)
    draw(300).save(photos / "test" / "hats" / "new.jpg")
    (photos / "train" / "bags").mkdir()
    report = verify(config(photos))
    warning = "test has no images of bags, boots: its scores say nothing about these classes. Add images."
    assert warning in report["warnings"]
    (empty,) = report["unreadable"]
    assert empty["error"].startswith(f"{photos / 'train' / 'bags'} has no photos. Put")
    assert report["ignored"] == []


def test_an_image_counts_for_each_of_its_candidate_labels() -> None:
    """Otherwise a class without images of its own would seem to have none."""
    candidates = np.array([[True, True], [True, False]])
    assert count_by_class(("a", "b"), np.array([0, 0]), None) == {"a": 2, "b": 0}
    assert count_by_class(("a", "b"), np.array([0, 0]), candidates) == {"a": 2, "b": 1}


def test_names_that_are_typed_differently_are_warned_of(photos: Path) -> None:
    """In case, accents, spaces and hyphens."""
    for name in ("Écharpe", "echarpe", "T-shirt", "t shirt"):
        fill(photos / name, 20, lambda number, name=name: draw(sum(map(ord, name)) + 1000 * number), ".jpg")
    assert verify(config(photos))["similar_names"] == [["T-shirt", "t shirt"], ["echarpe", "Écharpe"]]


def test_copies_are_found(photos: Path) -> None:
    """Copies of files in both classes, and photos that were made smaller, brighter, or compressed more."""
    shutil.copy(photos / "boots" / "3.jpg", photos / "hats" / "copy.jpg")
    photo = draw(7)
    photo.resize((70, 70)).save(photos / "boots" / "small.jpg")
    ImageEnhance.Brightness(draw(8)).enhance(1.1).save(photos / "boots" / "bright.jpg")
    draw(9).save(photos / "boots" / "compressed.jpg", quality=30)
    report = verify(config(photos))
    assert report["duplicates"] == [["boots/3.jpg", "hats/copy.jpg"]]
    assert sorted(report["near_duplicates"]) == [
        ["boots/7.jpg", "boots/small.jpg"], ["boots/8.jpg", "boots/bright.jpg"], ["boots/9.jpg", "boots/compressed.jpg"]
    ]  # fmt: skip
    assert [warning.partition(":")[0] for warning in report["warnings"]] == [
        "1 set of images in train", "1 set of images with different labels", "3 sets of images in train"
    ]  # fmt: skip


def test_copies_in_different_splits_are_warned_of(photos: Path) -> None:
    """And photos of one group; each sentence names two of the files."""
    for label in ("boots", "hats"):
        (photos / "train").mkdir(exist_ok=True)
        shutil.move(photos / label, photos / "train" / label)
        (photos / "test" / label).mkdir(parents=True)
        draw(200 + len(label)).save(photos / "test" / label / "new.jpg")
    shutil.copy(photos / "train" / "hats" / "5.jpg", photos / "test" / "hats" / "copy.jpg")
    draw(6).save(photos / "test" / "boots" / "compressed.jpg", quality=30)
    (photos / "groups.csv").write_text("file,group\ntrain/boots/1.jpg,anna\ntest/boots/new.jpg,anna\n")
    assert [warning.partition(".jpg. ")[0] for warning in verify(config(photos))["warnings"]] == [
        "train and test have 1 group in common, such as anna: scores are too good. Move each into one of the two.",
        "1 set of images in different splits: the same, such as train/hats/5.jpg and test/hats/copy",
        "1 set of images in different splits: nearly the same, such as train/boots/6.jpg and test/boots/compressed",
    ]


def test_near_duplicates_are_those_of_all_pairs() -> None:
    """The grid of cells leaves none out; images of one color are in no pair."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (400, 16, 16), dtype=np.uint8)
    images[200:] = np.clip(images[:200] + rng.normal(0, np.linspace(1, 15, 200)[:, None, None], (200, 16, 16)), 0, 255)
    images[5] = images[6] = 40
    thumbnails = np.stack([gray_thumbnail(image) for image in images])
    vectors = thumbnails.reshape(400, -1).astype(np.float64)
    with np.errstate(invalid="ignore"):
        expected = np.argwhere(np.triu(np.corrcoef(vectors) >= duplicates.MIN_CORRELATION, 1))
    assert 50 < len(expected) < 200
    assert duplicates.find_near(thumbnails).tolist() == expected.tolist()
    assert duplicates.find_near(np.zeros((4, 16, 16), np.uint8)).tolist() == []
