"""groups.csv and data.group_pattern: photos that are not independent; corrections.csv: corrected labels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.idx import write_idx_folder
from helpers.photos import fill
from modiste.csv_cells import escape_formula
from modiste.data import sources
from modiste.data.synthetic.mix import add_synthetic_images
from modiste.errors import InputError, SettingError
from modiste.labels import FASHION_MNIST
from modiste.recipes import settings
from modiste.recipes.config import DataConfig
from modiste.recipes.recipe import Recipe


@pytest.fixture
def data(tmp_path: Path) -> DataConfig:
    """Two class folders with three photos each in train/."""
    for label in ("a", "b"):
        fill(tmp_path / "train" / label, 3)
    return DataConfig(str(tmp_path), image_size=16, val_fraction=0)


def write(data: DataConfig, *rows: str) -> None:
    """Write groups.csv as a spreadsheet program does, with a byte order mark."""
    Path(data.source, "groups.csv").write_text("\n".join(rows) + "\n", encoding="utf-8-sig")


def test_groups_are_numbered(data: DataConfig) -> None:
    """Photos of a group share a number, other photos have their own; other columns are ignored."""
    write(data, "file,sender_id,date", "train/a/0.png,anna,1", "train/b/2.png,anna,1", "train/a/1.png,ben,2")
    groups = sources.open_training(data, 0).train.groups
    assert groups is not None
    assert groups[0] == groups[5] != groups[1]
    assert len(set(groups.tolist())) == 5


def test_without_groups_csv_there_are_no_groups(data: DataConfig) -> None:
    """They are not derived from the photos."""
    assert sources.open_training(data, 0).train.groups is None


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([], "columns file,group"),
        (["photo,group"], "columns file,group"),
        (["file,group", "train/a/0.png"], "columns file,group"),
        (["file,group", "a/0.png,1"], "there is no file 'a/0.png'"),
        (["file,group", "train/a/0.png,1", "train/a/0.png,2"], "twice"),
    ],
)
def test_an_invalid_groups_csv_is_refused(data: DataConfig, rows: list[str], fault: str) -> None:
    """The error names the file and what to correct."""
    write(data, *rows)
    with pytest.raises(InputError, match=rf"groups.csv.*{fault}.*[Cc]orrect"):
        sources.open_training(data, 0)


@pytest.fixture
def senders(tmp_path: Path) -> DataConfig:
    """Two classes with twelve photos each, of six senders with two photos of each class, half of each held out."""
    for label in ("a", "b"):
        folder = fill(tmp_path / label, 12)
        for number in range(12):
            (folder / f"{number}.png").rename(folder / f"sender{number // 2}_{number}.png")
    return DataConfig(str(tmp_path), image_size=16, val_fraction=0.5)


def sender_sets(data: DataConfig) -> tuple[set[str], set[str]]:
    """The senders of the training images and of those held out."""
    training = sources.open_training(data, seed=0)
    train, held_out = (
        {name.partition("/")[2].partition("_")[0] for name in split.names or ()}
        for split in (training.train, training.validation)
    )
    assert len(train | held_out) == 6
    return train, held_out


def test_without_groups_a_fold_cuts_senders(senders: DataConfig) -> None:
    """Stratification alone puts photos of one sender on both sides."""
    train, held_out = sender_sets(senders)
    assert train & held_out


def test_no_fold_cuts_a_group_of_groups_csv(senders: DataConfig) -> None:
    """In each fold other senders are held out, of each class, and `open_validation` holds out the same ones."""
    names = [f"{label}/sender{n // 2}_{n}.png" for label in ("a", "b") for n in range(12)]
    write(senders, "file,group", *(f"{name},{name[2:9]}" for name in names))
    held_out_by_fold = []
    for fold in range(2):
        data = replace(senders, fold=fold)
        train, held_out = sender_sets(data)
        assert not train & held_out
        validation = sources.open_validation(data, seed=0)
        assert set(validation.labels) == {0, 1}
        assert validation.sha256() == sources.open_training(data, seed=0).validation.sha256()
        held_out_by_fold.append(held_out)
    assert not held_out_by_fold[0] & held_out_by_fold[1]


def test_no_fold_cuts_a_group_of_the_naming_pattern(senders: DataConfig) -> None:
    """Its first group is the sender; photos that groups.csv lists have the group named there."""
    data = replace(senders, group_pattern="(sender[0-9]+)_")
    train, held_out = sender_sets(data)
    assert not train & held_out
    write(senders, "file,group", "a/sender0_0.png,sender5", "b/sender0_0.png,sender5")
    groups = sources.open_training(replace(data, val_fraction=0), seed=0).train.groups
    assert groups is not None
    assert groups[0] == groups[10] == groups[11] != groups[1]  # sender0_0, sender5_10, sender5_11, sender0_1


def test_a_pattern_that_fits_no_name_is_refused(senders: DataConfig) -> None:
    """The error shows a name; a pattern without a group is no valid setting."""
    with pytest.raises(InputError, match=r"found in no file name; the first is 'a/sender0_0.png'"):
        sources.open_training(replace(senders, group_pattern="^(sender)"), seed=0)
    for pattern in ("sender", "(", "["):
        with pytest.raises(SettingError, match="a regular expression with a group in parentheses"):
            settings.with_settings(Recipe(), {"data.group_pattern": pattern})


def test_fewer_groups_of_a_class_than_folds_are_refused(senders: DataConfig) -> None:
    """Otherwise a fold would have no image of the class."""
    data = replace(senders, val_fraction=0.1, group_pattern="(sender[0-9]+)_")
    with pytest.raises(InputError, match="at least 10 groups of images, one for each fold, but a has only 6"):
        sources.open_training(data, seed=0)


def test_synthetic_images_are_groups_of_their_own(senders: DataConfig) -> None:
    """They do not remove the groups of the photos, which cross-validation needs."""
    data = replace(senders, channels=3, group_pattern="(sender[0-9]+)_", val_fraction=0)
    split = sources.open_training(data, seed=0).train
    mixed = add_synthetic_images(split, (*FASHION_MNIST, "a", "b"), 2, seed=0)
    assert split.groups is not None
    assert mixed.groups is not None
    assert mixed.groups[:24].tolist() == split.groups.tolist()
    assert len(mixed.groups) == len(mixed) > 24
    assert len(set(mixed.groups.tolist())) == 6 + len(mixed) - 24


def correct(data: DataConfig, *rows: str) -> Path:
    """Write corrections.csv beside the data."""
    path = Path(data.source, "corrections.csv")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8-sig")
    return path


def test_corrections_beside_the_data_change_labels(senders: DataConfig) -> None:
    """Of training and held-out images; the fold, the images and their order stay, and the data's hash changes."""
    before, sha256 = sources.open_training(senders, seed=0), sources.sha256(senders)
    names = [name for split in (before.train, before.validation) for name in (split.names or ())[:2]]
    correct(senders, "file,label", *(f"{name},{'b' if name[0] == 'a' else 'a'}" for name in names))
    after = sources.open_training(senders, seed=0)
    for old, new in ((before.train, after.train), (before.validation, after.validation)):
        assert (old.names, old.images_sha256()) == (new.names, new.images_sha256())
        assert np.flatnonzero(old.labels != new.labels).tolist() == [0, 1]
        assert new.n_corrected == 2
        assert old.sha256() != new.sha256()
    assert sources.sha256(senders) != sha256


def test_a_mistakes_csv_with_a_column_of_labels_is_a_file_of_corrections(senders: DataConfig, tmp_path: Path) -> None:
    """`data.corrections` names it; rows without a label are skipped."""
    header = "file,true_label,predicted_label,probability,label"
    rows = [header, "a/sender0_0.png,a,b,0.9,b", "a/sender0_1.png,a,b,0.8,"]
    file = tmp_path / "mistakes.csv"
    file.write_text("\n".join(rows))
    data = replace(senders, val_fraction=0, corrections=str(file))
    assert np.bincount(sources.open_training(data, seed=0).train.labels).tolist() == [11, 13]
    file.unlink()
    with pytest.raises(InputError, match=r"mistakes.csv does not exist. Correct data.corrections"):
        sources.open_training(data, seed=0)


def test_names_that_are_formulas_are_corrected(tmp_path: Path) -> None:
    """In mistakes.csv they begin with an apostrophe (fault 45)."""
    for label in ("=a", "@b"):
        fill(tmp_path / "data" / label, 2)
    data = DataConfig(str(tmp_path / "data"), image_size=16, val_fraction=0)
    correct(data, "file,label", f"{escape_formula('=a/0.png')},{escape_formula('@b')}")
    assert sources.open_training(data, seed=0).train.labels.tolist() == [1, 0, 1, 1]


def test_a_correction_replaces_candidate_labels(senders: DataConfig) -> None:
    """The image then has one label."""
    Path(senders.source, "labels.json").write_text('{"a": ["a", "b"], "b": "b"}')
    data = replace(senders, val_fraction=0)
    correct(senders, "file,label", "a/sender0_0.png,b", "b/sender0_0.png,b")
    train = sources.open_training(data, seed=0).train
    assert train.candidate_labels is not None
    assert train.candidate_labels[:2].tolist() == [[False, True], [True, True]]
    assert train.n_corrected == 1


def test_images_without_files_are_corrected_by_their_index(tmp_path: Path) -> None:
    """Also those of the bundled Fashion-MNIST, which is named differently then."""
    data = DataConfig(str(write_idx_folder(tmp_path / "idx")), val_fraction=0)
    correct(data, "file,label", "train#7,Coat", "test#3,Bag")
    assert sources.open_training(data, seed=0).train.labels[7] == FASHION_MNIST.index("Coat")
    test = sources.open_test(data, lambda: None)
    assert (test.labels[3], test.n_corrected) == (FASHION_MNIST.index("Bag"), 1)
    bundled = DataConfig(corrections=str(Path(data.source, "corrections.csv")), max_train_images=10)
    assert sources.dataset_name(bundled) == "fashion-mnist (corrected labels)"
    assert sources.dataset_name(replace(bundled, corrections="")) == "fashion-mnist"


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([], "columns file and label"),
        (["file,class", "a/sender0_0.png,b"], "columns file and label"),
        (["file,label", "a/sender0_0.png,b,c"], "columns file and label"),
        (["file,label", "a/none.png,b"], "there is no file 'a/none.png'"),
        (["file,label", "train#99,b"], "there is no file 'train#99'"),
        (["file,label", "a/sender0_0.png,b", "a/sender0_0.png,a"], "twice"),
        (["file,label", "a/sender0_0.png,B"], "has the label 'B', but the classes are a, b"),
    ],
)
def test_an_invalid_corrections_csv_is_refused(senders: DataConfig, rows: list[str], fault: str) -> None:
    """The error names the file and what to correct."""
    correct(senders, *rows)
    with pytest.raises(InputError, match=rf"corrections.csv.*{fault}.*[Cc]orrect"):
        sources.open_training(senders, seed=0)
