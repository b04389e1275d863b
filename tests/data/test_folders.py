"""Class folders, as people make them."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.pictures import fill, noise
from modiste.data import folders, sources
from modiste.errors import InputError
from modiste.labels import FASHION_MNIST
from modiste.recipes.recipe import DataConfig


def of(root: Path, **settings: object) -> DataConfig:
    """A data section for a folder."""
    return DataConfig(source=str(root), **{"image_size": 16, "val_fraction": 0.0, **settings})  # type: ignore[arg-type]


def test_folders_are_labels(tmp_path: Path) -> None:
    """Each folder is a label; pictures come in turn from each, and are the pixels of their files."""
    fill(tmp_path / "trousers", 3, lambda number: Image.fromarray(noise(16, 10 + number)))
    fill(tmp_path / "boots", 2)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "boots" / "notes.txt").write_text("not a picture")
    training = sources.open_training(of(tmp_path), seed=0)
    assert training.class_names == ("boots", "trousers")
    assert training.train.labels.tolist() == [0, 1, 0, 1, 1]
    assert (training.train.images[1] == noise(16, 10)).all()


def test_own_validation_is_used(tmp_path: Path) -> None:
    """With validation/ there, nothing of train/ is held out, whatever the recipe's share says."""
    for part, count in (("train", 6), ("validation", 2), ("test", 3)):
        for label in ("a", "b"):
            fill(tmp_path / part / label, count)
    data = of(tmp_path, val_fraction=0.5)
    training = sources.open_training(data, seed=0)
    assert (len(training.train), len(training.validation)) == (12, 4)
    assert len(sources.open_validation(data, seed=0)) == 4
    assert len(sources.open_test(data, lambda: None)) == 6


def test_without_validation_a_fold_is_held_out(tmp_path: Path) -> None:
    """Plain class folders are cut into folds, and have no test split."""
    for label in ("a", "b"):
        fill(tmp_path / label, 5)
    data = of(tmp_path, val_fraction=0.2)
    training = sources.open_training(data, seed=0)
    assert np.bincount(training.train.labels).tolist() == [4, 4]
    assert np.bincount(training.validation.labels).tolist() == [1, 1]
    with pytest.raises(InputError, match="--split validation"):
        sources.open_test(data, lambda: pytest.fail("counted"))


def test_labels_json_says_what_folders_mean(tmp_path: Path) -> None:
    """Two folders may mean one label; none of these is the last label; null is left out; others mean their name."""
    for name in ("tees", "polos", "zips", "hats", "socks"):
        fill(tmp_path / name, 2)
    meanings = {"tees": "Top", "polos": "Top", "hats": None, "socks": "none of these"}
    (tmp_path / "labels.json").write_text(json.dumps(meanings))
    training = sources.open_training(of(tmp_path), seed=0)
    assert training.class_names == ("Top", "zips", "none of these")
    assert np.bincount(training.train.labels).tolist() == [4, 2, 2]
    assert training.train.candidate_labels is None


def test_a_folder_may_be_one_of_several_labels(tmp_path: Path) -> None:
    """Its images are candidate_labels each of them, the others their own alone; folds and fingerprints know it."""
    for name in ("boots", "shoes", "hats"):
        fill(tmp_path / name, 5)
    (tmp_path / "labels.json").write_text(json.dumps({"shoes": ["sandals", "boots"]}))
    training = sources.open_training(of(tmp_path, val_fraction=0.2), seed=0)
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
        ("[]", "is no table"),
        ('{"a": ["x", "x"]}', "list of different labels"),
        ('{"a": []}', "list of different labels"),
        ('{"a": 3}', "means 3"),
        ('{"a": ""}', "means ''"),
        ('{"z": "Top"}', "no folder 'z'"),
    ],
)
def test_a_labels_json_that_cannot_be_used(tmp_path: Path, text: str, fault: str) -> None:
    """Each fault of labels.json is an error that names the file and the entry."""
    for name in ("a", "b"):
        fill(tmp_path / name, 1)
    (tmp_path / "labels.json").write_text(text)
    with pytest.raises(InputError, match=f"labels.json.*{fault}"):
        sources.open_training(of(tmp_path), seed=0)


def test_one_class_is_refused(tmp_path: Path) -> None:
    """A single label cannot be learned; the error names it and says what to add."""
    fill(tmp_path / "boots", 3)
    with pytest.raises(InputError, match=r"one label \(boots\).*two"):
        sources.open_training(of(tmp_path), seed=0)


def test_an_empty_class_folder_is_refused(tmp_path: Path) -> None:
    """A class folder without a picture is an error that names it."""
    fill(tmp_path / "boots", 3)
    (tmp_path / "hats").mkdir()
    with pytest.raises(InputError, match="hats holds no picture"):
        sources.open_training(of(tmp_path), seed=0)


def test_a_broken_picture_is_named(tmp_path: Path) -> None:
    """One broken picture among good ones stops everything before training, and is named."""
    fill(tmp_path / "boots", 3)
    broken = fill(tmp_path / "hats", 3) / "1.png"
    broken.write_bytes(broken.read_bytes()[:100])
    with pytest.raises(InputError, match=r"hats/1.png is truncated"):
        sources.open_training(of(tmp_path), seed=0)


def test_nothing_in_a_class_folder_is_left_out_without_a_word(tmp_path: Path) -> None:
    """Pictures further below, and a link that leads nowhere, are named."""
    fill(tmp_path / "boots", 3)
    lost = fill(tmp_path / "hats", 3) / "gone.jpg"
    lost.symlink_to("nowhere.jpg")
    with pytest.raises(InputError, match=r"hats/gone.jpg does not exist"):
        sources.open_training(of(tmp_path), seed=0)
    lost.unlink()
    fill(tmp_path / "hats" / "more", 1)
    with pytest.raises(InputError, match=r"hats/more holds pictures"):
        sources.open_training(of(tmp_path), seed=0)
    (tmp_path / "hats").rename(tmp_path / "rest")
    fill(tmp_path / "coats", 3)
    (tmp_path / "labels.json").write_text('{"rest": null}')  # what is left out may hold what it likes
    assert sources.open_training(of(tmp_path), seed=0).class_names == ("boots", "coats")


def test_a_picture_that_is_not_read_is_named(tmp_path: Path) -> None:
    """An AVIF photo in a class folder is not passed over in silence."""
    fill(tmp_path / "boots", 3)
    (fill(tmp_path / "hats", 1) / "IMG_1.AVIF").write_bytes(b"x")
    with pytest.raises(InputError, match=r"IMG_1.AVIF is of a format that is not read"):
        sources.open_training(of(tmp_path), seed=0)


def test_a_new_label_in_validation_is_refused(tmp_path: Path) -> None:
    """A validation folder that train lacks is an error that names it."""
    for label in ("a", "b"):
        fill(tmp_path / "train" / label, 2)
    fill(tmp_path / "validation" / "c", 2)
    with pytest.raises(InputError, match="means 'c', which train has no pictures of"):
        sources.open_training(of(tmp_path), seed=0)


def test_photos_become_rgb(tmp_path: Path) -> None:
    """With three channels the images are [n, s, s, 3]."""
    for label in ("a", "b"):
        fill(tmp_path / label, 2)
    assert sources.open_training(of(tmp_path, channels=3), seed=0).train.images.shape == (4, 16, 16, 3)


def test_a_test_folder_alone_can_be_judged(tmp_path: Path) -> None:
    """A folder with test/ alone has labels and a test split, and no training."""
    for label in ("a", "b"):
        fill(tmp_path / "test" / label, 2)
    data = of(tmp_path)
    assert sources.class_names(data) == ("a", "b")
    assert len(sources.open_test(data, lambda: None)) == 4
    with pytest.raises(InputError, match="no training images"):
        sources.open_training(data, seed=0)


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without permission is an error of one sentence."""
    for label in ("a", "b"):
        fill(tmp_path / label, 1)

    def refuse(path: Path) -> list[Path]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(InputError, match=r"cannot be read \(Permission denied\)"):
        sources.open_training(of(tmp_path), seed=0)


def test_a_folder_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """A label of bytes that are not UTF-8 could be neither shown nor written into a model (fault 24)."""
    for name in (b"dress", b"robe \xe9"):
        (tmp_path / os.fsdecode(name)).mkdir()
    with pytest.raises(InputError, match="cannot be printed"):
        folders.subfolders(tmp_path)


def test_the_catalogue_fills_the_labels_that_photos_lack(tmp_path: Path) -> None:
    """Bags and the kinds of shoe come from Fashion-MNIST, photo-like, and drawings are made that are no clothes.

    The validation photos stay alone.
    """
    for name in ("pants", "shoes", "hats"):
        fill(tmp_path / name, 5)
    meanings = {"pants": "Trouser", "shoes": ["Sandal", "Sneaker", "Ankle boot"], "hats": "none of these"}
    (tmp_path / "labels.json").write_text(json.dumps(meanings))
    data = of(tmp_path, channels=3, image_size=32, val_fraction=0.2, synthetic_per_class=3)
    training = sources.open_training(data, seed=0)
    names = training.class_names
    assert set(names) == {*FASHION_MNIST, "none of these"}
    assert names[-1] == "none of these"
    added, drawn = training.train.labels[12:39], training.train.labels[39:]
    assert [names[label] for label in sorted(set(added))] == sorted(set(FASHION_MNIST) - {"Trouser"})
    assert [names[label] for label in drawn] == ["none of these"] * 6
    assert training.train.candidate_labels is not None
    assert training.train.candidate_labels[12:].sum(1).tolist() == [1] * 33
    assert training.train.images.shape == (12 + 33, 32, 32, 3)
    assert len(training.validation) == 3
    assert sources.open_training(data, seed=0).train.sha256() == training.train.sha256()
    assert sources.open_training(data, seed=1).train.sha256() != training.train.sha256()
