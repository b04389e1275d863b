"""Class folders in the usual layouts."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.photos import fill, noise
from modiste.data import folders, sources
from modiste.data.split import Split
from modiste.data.verify import verify
from modiste.errors import InputError
from modiste.imaging import preprocess
from modiste.labels import FASHION_MNIST
from modiste.recipes.config import DataConfig


def config(root: Path, **settings: object) -> DataConfig:
    """The data settings for a folder."""
    return DataConfig(source=str(root), **{"image_size": 16, "val_fraction": 0.0, **settings})  # type: ignore[arg-type]


def test_folders_are_classes(tmp_path: Path) -> None:
    """Photos are sorted by folder and file name; hidden folders and other files are ignored."""
    fill(tmp_path / "trousers", 3, lambda number: Image.fromarray(noise(16, 10 + number)))
    fill(tmp_path / "boots", 2)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "boots" / "notes.txt").write_text("not a photo")
    training = sources.open_training(config(tmp_path), seed=0)
    assert training.class_names == ("boots", "trousers")
    assert training.train.labels.tolist() == [0, 0, 1, 1, 1]
    assert (training.train.images[2] == noise(16, 10)).all()


def test_a_validation_folder_is_used(tmp_path: Path) -> None:
    """No image of train/ is held out then, for any `data.val_fraction`."""
    for part, count in (("train", 6), ("validation", 2), ("test", 3)):
        for label in ("a", "b"):
            fill(tmp_path / part / label, count)
    data = config(tmp_path, val_fraction=0.5)
    training = sources.open_training(data, seed=0)
    assert (len(training.train), len(training.validation)) == (12, 4)
    assert len(sources.open_validation(data, seed=0)) == 4
    assert len(sources.open_test(data, lambda: None)) == 6


def test_without_a_validation_folder_a_fold_is_held_out(tmp_path: Path) -> None:
    """Class folders alone are split into folds, and have no test split."""
    for label in ("a", "b"):
        fill(tmp_path / label, 5)
    data = config(tmp_path, val_fraction=0.2)
    training = sources.open_training(data, seed=0)
    assert np.bincount(training.train.labels).tolist() == [4, 4]
    assert np.bincount(training.validation.labels).tolist() == [1, 1]
    with pytest.raises(InputError, match="--split validation"):
        sources.open_test(data, lambda: pytest.fail("counted"))


def test_labels_json_maps_folders_to_classes(tmp_path: Path) -> None:
    """Two folders may have one class; "none of these" is the last class; folders with null are left out."""
    for name in ("tees", "polos", "zips", "hats", "socks"):
        fill(tmp_path / name, 2)
    meanings = {"tees": "Top", "polos": "Top", "hats": None, "socks": "none of these"}
    (tmp_path / "labels.json").write_text(json.dumps(meanings))
    training = sources.open_training(config(tmp_path), seed=0)
    assert training.class_names == ("Top", "zips", "none of these")
    assert np.bincount(training.train.labels).tolist() == [4, 2, 2]
    assert training.train.candidate_labels is None


def test_a_folder_may_have_candidate_labels(tmp_path: Path) -> None:
    """Its images have several candidate labels, other images one; the SHA-256 of a split includes them."""
    for name in ("boots", "shoes", "hats"):
        fill(tmp_path / name, 5)
    (tmp_path / "labels.json").write_text(json.dumps({"shoes": ["sandals", "boots"]}))
    training = sources.open_training(config(tmp_path, val_fraction=0.2), seed=0)
    assert training.class_names == ("boots", "hats", "sandals")
    for split in (training.train, training.validation):
        assert split.candidate_labels is not None
        assert {tuple(row) for row in split.candidate_labels.tolist()} == {
            (True, False, False),
            (False, True, False),
            (True, False, True),
        }
        assert split.candidate_labels[np.arange(len(split)), split.labels].all()
    assert training.train.sha256() != replace(training.train, candidate_labels=None).sha256()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "cannot be read"),
        ("[]", "is not a table"),
        ('{"a": ["x", "x"]}', "list of different labels"),
        ('{"a": []}', "list of different labels"),
        ('{"a": 3}', "means 3"),
        ('{"a": ""}', "means ''"),
        ('{"z": "Top"}', "no folder 'z'"),
    ],
)
def test_an_invalid_labels_json_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    """The error names the file and the entry."""
    for name in ("a", "b"):
        fill(tmp_path / name, 1)
    (tmp_path / "labels.json").write_text(text)
    with pytest.raises(InputError, match=f"labels.json.*{fault}"):
        sources.open_training(config(tmp_path), seed=0)


@pytest.mark.parametrize("spelling", ["validation", "val", "valid", "Val", "dev"])
def test_usual_names_of_splits_are_recognized(tmp_path: Path, spelling: str) -> None:
    """Such as Train/, val/ and TESTING/."""
    for name, count in (("Train", 3), (spelling, 2), ("TESTING", 1)):
        for label in ("a", "b"):
            fill(tmp_path / name / label, count)
    splits = {split["split"]: split["images"] for split in verify(config(tmp_path))["splits"]}
    assert splits == {"train": 6, "validation": 4, "test": 2}


def test_two_folders_of_one_split_are_refused(tmp_path: Path) -> None:
    """The error names both val/ and valid/."""
    for name in ("train", "val", "valid"):
        fill(tmp_path / name / "a", 1)
    with pytest.raises(InputError, match=r"val and .*valid are both the validation split"):
        sources.open_training(config(tmp_path), seed=0)


@pytest.mark.parametrize("folder", ["eval/a", "a"])
def test_classes_beside_the_splits_are_refused(tmp_path: Path, folder: str) -> None:
    """A folder that has the same classes, or is one, is not ignored."""
    for label in ("a", "b"):
        fill(tmp_path / "train" / label, 1)
    fill(tmp_path / folder, 1)
    with pytest.raises(InputError, match=r"by its name it is not a split. Rename it"):
        sources.open_training(config(tmp_path), seed=0)


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    """A folder of photos beside other classes is a class, not a split."""
    for label in ("car", "train"):
        fill(tmp_path / label, 2)
    assert sources.open_source(config(tmp_path)).class_names == ("car", "train")


def test_a_test_folder_without_classes_is_refused_when_opened(tmp_path: Path) -> None:
    """Training works without it."""
    for label in ("a", "b"):
        fill(tmp_path / "train" / label, 2)
    fill(tmp_path / "test", 2)
    assert len(sources.open_training(config(tmp_path), seed=0).train) == 4
    with pytest.raises(InputError, match="test has no class folders"):
        sources.open_test(config(tmp_path), lambda: None)


def test_labels_json_in_a_split_applies_to_all_splits(tmp_path: Path) -> None:
    """Two files that disagree are refused."""
    for split in ("train", "test"):
        for name in ("tees", "pants"):
            fill(tmp_path / split / name, 2)
    (tmp_path / "train" / "labels.json").write_text('{"tees": "T-shirt/top", "pants": "Trouser"}')
    labels = [split["labels"] for split in verify(config(tmp_path))["splits"]]
    assert labels == [{"T-shirt/top": 2, "Trouser": 2}] * 2
    (tmp_path / "labels.json").write_text('{"tees": "Shirt"}')
    with pytest.raises(InputError, match=r"train/labels.json and another labels.json differ in 'tees'"):
        sources.open_training(config(tmp_path), seed=0)


def test_the_order_is_that_of_torchvisions_image_folder(tmp_path: Path) -> None:
    """Classes and images are sorted by name, so that probabilities of other tools can be evaluated."""
    for name, count in (("b", 12), ("B", 1), ("a b", 2), ("a", 3)):
        fill(tmp_path / "test" / name, count)
    data = config(tmp_path)
    test = sources.open_test(data, lambda: None)
    assert sources.open_source(data).class_names == ("B", "a", "a b", "b")
    assert test.labels.tolist() == [0, 1, 1, 1, 2, 2, *[3] * 12]
    order_of_b = [tmp_path / "test/b" / f"{number}.png" for number in (0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9)]
    assert (test.images[6:] == np.stack([preprocess.to_image(path, 16, 1) for path in order_of_b])).all()


def test_max_train_images_is_balanced_over_classes(tmp_path: Path) -> None:
    """Each class has about the same number of photos, as far as it has that many."""
    for name, count in (("a", 9), ("b", 2), ("c", 9)):
        fill(tmp_path / name, count)
    assert np.bincount(sources.open_training(config(tmp_path, max_train_images=8), 0).train.labels).tolist() == [
        3,
        2,
        3,
    ]


@pytest.mark.parametrize("split", ["test", "validation"])
def test_advice_for_a_missing_split_works(tmp_path: Path, split: str) -> None:
    """Photos in the folder that the error names can be opened as this split."""
    fill(tmp_path / "a", 2)
    fill(tmp_path / "b", 2)
    data = config(tmp_path)

    def open_split() -> Split:
        return sources.open_test(data, lambda: None) if split == "test" else sources.open_validation(data, 0)

    with pytest.raises(InputError, match="not trained on") as error:
        open_split()
    assert "--split" not in str(error.value)
    split_folder = Path(re.findall(rf"{re.escape(str(tmp_path))}/\w+", str(error.value))[0])
    split_folder.mkdir()
    for label in ("a", "b"):
        (tmp_path / label).rename(split_folder / label)
    assert len(open_split()) == 4


def test_the_macosx_folder_is_not_a_class(tmp_path: Path) -> None:
    """__MACOSX is left when an archive of macOS is unpacked."""
    for label in ("a", "b", "__MACOSX"):
        fill(tmp_path / label, 1)
    assert sources.open_source(config(tmp_path)).class_names == ("a", "b")


def test_a_single_class_is_refused(tmp_path: Path) -> None:
    """The error names it and says what to add."""
    fill(tmp_path / "boots", 3)
    with pytest.raises(InputError, match=r"one class \(boots\).*two"):
        sources.open_training(config(tmp_path), seed=0)


def test_an_empty_class_folder_is_refused(tmp_path: Path) -> None:
    """The error names it."""
    fill(tmp_path / "boots", 3)
    (tmp_path / "hats").mkdir()
    with pytest.raises(InputError, match="hats has no photos"):
        sources.open_training(config(tmp_path), seed=0)


def test_a_damaged_photo_is_refused(tmp_path: Path) -> None:
    """It is an error before training, which names the file."""
    fill(tmp_path / "boots", 3)
    damaged = fill(tmp_path / "hats", 3) / "1.png"
    damaged.write_bytes(damaged.read_bytes()[:100])
    with pytest.raises(InputError, match=r"hats/1.png is truncated.* `modiste data verify` names all"):
        sources.open_training(config(tmp_path), seed=0)


def test_photos_in_subfolders_and_dangling_links_are_refused(tmp_path: Path) -> None:
    """They are not ignored silently, except in folders that are left out."""
    fill(tmp_path / "boots", 3)
    link = fill(tmp_path / "hats", 3) / "gone.jpg"
    link.symlink_to("nowhere.jpg")
    with pytest.raises(InputError, match=r"hats/gone.jpg does not exist"):
        sources.open_training(config(tmp_path), seed=0)
    link.unlink()
    fill(tmp_path / "hats" / "more", 1)
    with pytest.raises(InputError, match=r"hats/more holds photos"):
        sources.open_training(config(tmp_path), seed=0)
    (tmp_path / "hats").rename(tmp_path / "rest")
    fill(tmp_path / "coats", 3)
    (tmp_path / "labels.json").write_text('{"rest": null}')  # a folder that is left out is not checked
    assert sources.open_training(config(tmp_path), seed=0).class_names == ("boots", "coats")


def test_photos_in_other_formats_are_refused(tmp_path: Path) -> None:
    """An AVIF photo in a class folder is not ignored silently."""
    fill(tmp_path / "boots", 3)
    (fill(tmp_path / "hats", 1) / "IMG_1.AVIF").write_bytes(b"x")
    with pytest.raises(InputError, match=r"formats that are not read: IMG_1.AVIF"):
        sources.open_training(config(tmp_path), seed=0)


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_class_that_only_another_split_has_is_refused_before_training(tmp_path: Path, split: str) -> None:
    """The error names its folder; no photo of that split is read."""
    for label in ("a", "b"):
        fill(tmp_path / "train" / label, 2)
    folder = fill(tmp_path / split / "c", 1)
    (folder / "0.png").write_bytes(b"never read")
    with pytest.raises(InputError, match=f"{split}/c means 'c', which train has no photos of"):
        sources.open_training(config(tmp_path), seed=0)
    (tmp_path / "labels.json").write_text('{"c": "a"}')
    assert sources.open_source(config(tmp_path)).class_names == ("a", "b")


def test_with_three_channels_photos_are_rgb(tmp_path: Path) -> None:
    """The images have the shape [n, s, s, 3]."""
    for label in ("a", "b"):
        fill(tmp_path / label, 2)
    assert sources.open_training(config(tmp_path, channels=3), seed=0).train.images.shape == (4, 16, 16, 3)


def test_a_test_folder_alone_can_be_evaluated(tmp_path: Path) -> None:
    """It has classes and a test split, and cannot be trained on."""
    for label in ("a", "b"):
        fill(tmp_path / "test" / label, 2)
    data = config(tmp_path)
    assert sources.open_source(data).class_names == ("a", "b")
    assert len(sources.open_test(data, lambda: None)) == 4
    with pytest.raises(InputError, match="no training images"):
        sources.open_training(data, seed=0)


def test_a_folder_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the reason."""
    for label in ("a", "b"):
        fill(tmp_path / label, 1)

    def refuse(path: Path) -> list[Path]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(InputError, match=r"cannot be read \(Permission denied\)"):
        sources.open_training(config(tmp_path), seed=0)


def test_a_folder_name_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    """It could not be printed or written into a model file (fault 24)."""
    for name in (b"dress", b"robe \xe9"):
        (tmp_path / os.fsdecode(name)).mkdir()
    with pytest.raises(InputError, match="cannot be printed"):
        folders.subfolders(tmp_path)


def test_synthetic_images_are_added_for_classes_without_photos(tmp_path: Path) -> None:
    """Photo-like images of Fashion-MNIST for all classes but Trouser, and drawings for "none of these".

    The validation split has photos only.
    """
    for name in ("pants", "shoes", "hats"):
        fill(tmp_path / name, 5)
    meanings = {"pants": "Trouser", "shoes": ["Sandal", "Sneaker", "Ankle boot"], "hats": "none of these"}
    (tmp_path / "labels.json").write_text(json.dumps(meanings))
    data = config(tmp_path, channels=3, image_size=32, val_fraction=0.2, synthetic_per_class=3)
    training = sources.open_training(data, seed=0)
    names = training.class_names
    assert set(names) == {*FASHION_MNIST, "none of these"}
    assert names[-1] == "none of these"
    photo_like, drawings = training.train.labels[12:39], training.train.labels[39:]
    assert [names[label] for label in sorted(set(photo_like))] == sorted(set(FASHION_MNIST) - {"Trouser"})
    assert [names[label] for label in drawings] == ["none of these"] * 6
    assert training.train.candidate_labels is not None
    assert training.train.candidate_labels[12:].sum(1).tolist() == [1] * 33
    assert training.train.images.shape == (12 + 33, 32, 32, 3)
    assert len(training.validation) == 3
    assert sources.open_training(data, seed=0).train.sha256() == training.train.sha256()
    assert sources.open_training(data, seed=1).train.sha256() != training.train.sha256()
