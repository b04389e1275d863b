"""Fashion-MNIST: the bundled files, and copies of them."""

import gzip
import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from helpers.idx import images_file, labels_file, write_idx_folder
from modiste.data import fashion_mnist, sources
from modiste.errors import InputError, SettingError
from modiste.imaging import preprocess
from modiste.labels import FASHION_MNIST
from modiste.recipes.config import DataConfig

ALL = DataConfig(val_fraction=0)


@pytest.fixture
def copied_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the bundled files that a test may damage."""
    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    for name in fashion_mnist.MD5:
        shutil.copy(Path(str(fashion_mnist.folder() / name)), folder)
    monkeypatch.setattr(fashion_mnist, "folder", lambda: folder)
    return folder


def test_the_bundled_files_are_the_published_ones() -> None:
    """All four files have the MD5 sums that Zalando published."""
    assert [file["published"] for file in fashion_mnist.verify()] == [True] * 4


def test_the_training_split_has_60000_images() -> None:
    """The train set has 6,000 images of each label, gray, 28 x 28."""
    training = sources.open_training(ALL, seed=0)
    assert training.train.images.shape == (60000, 28, 28)
    assert np.bincount(training.train.labels).tolist() == [6000] * 10
    assert training.train.images.flags.writeable
    assert len(training.validation) == 0


def test_fault_30_an_altered_file_is_refused(copied_files: Path) -> None:
    """A valid IDX file with other content is refused by its checksum (fault 30)."""
    shutil.copy(copied_files / "t10k-images-idx3-ubyte.gz", copied_files / "train-images-idx3-ubyte.gz")
    with pytest.raises(InputError, match=r"train-images-idx3-ubyte.gz is altered.*Install"):
        sources.open_training(ALL, seed=0)


def test_a_missing_file_is_refused(copied_files: Path) -> None:
    """The error names the file."""
    (copied_files / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(InputError, match=r"train-labels-idx1-ubyte.gz is missing"):
        sources.open_training(ALL, seed=0)


def test_training_works_without_the_test_files(copied_files: Path) -> None:
    """Neither training data nor fingerprint need them."""
    for path in copied_files.glob("t10k*"):
        path.unlink()
    training = sources.open_training(DataConfig(max_train_images=100, val_fraction=0), seed=0)
    assert len(training.train) == 100
    assert len(sources.sha256(ALL)) == 64
    with pytest.raises(InputError, match="test split"):
        sources.open_test(ALL, lambda: None)


@pytest.mark.parametrize(
    "convert", [bytes, gzip.decompress, lambda content: gzip.compress(gzip.decompress(content), 1)]
)
def test_the_official_files_are_recognized_by_their_content(tmp_path: Path, convert: Callable[[bytes], bytes]) -> None:
    """In any folder; gzipped, decompressed or gzipped again."""
    for name in ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"):
        content = convert((fashion_mnist.folder() / name).read_bytes())
        (tmp_path / (name if content[:2] == b"\x1f\x8b" else name.removesuffix(".gz"))).write_bytes(content)
    data = DataConfig(str(tmp_path))
    assert sources.open_source(data).class_names == FASHION_MNIST
    assert sources.dataset_name(data) == "fashion-mnist"


def test_other_idx_files_are_not_fashion_mnist(tmp_path: Path) -> None:
    """The name of the dataset is that of the folder, and the classes are numbers."""
    assert sources.dataset_name(DataConfig(str(write_idx_folder(tmp_path / "fashion-mnist")))) != "fashion-mnist"
    folder = write_idx_folder(tmp_path / "digits", labels=7)
    (folder / "labels.json").unlink()
    data = DataConfig(str(folder))
    assert sources.dataset_name(data) == "digits"
    assert sources.open_source(data).class_names == ("0", "1", "2", "3", "4", "5", "6")
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(labels_file(np.arange(20) % 8))
    with pytest.raises(InputError, match=r"go up to 7, but there are 7 classes, from 0 to 6.*add training images"):
        sources.open_test(data, lambda: None)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(images_file(np.zeros((10_000, 28, 28), np.uint8)))
    assert sources.dataset_name(data) == "digits"  # also where there are fewer labels than images


def test_rgb_and_other_sizes_are_setting_errors() -> None:
    """The error for RGB suggests `--data`; the one for another size has the valid size."""
    with pytest.raises(SettingError, match=r"needs photos.*--data"):
        sources.open_training(DataConfig(channels=3), seed=0)
    with pytest.raises(SettingError, match=r"data.image_size is 32.*Set data.image_size to 28"):
        sources.open_training(DataConfig(image_size=32), seed=0)


def test_the_samples_are_test_images() -> None:
    """Each gray sample is the test image that its README names, byte for byte."""
    folder = resources.files("modiste") / "assets" / "samples"
    test = sources.open_test(ALL, lambda: None)
    rows = [line.split("|") for line in (folder / "README.md").read_text().splitlines() if ".png`" in line]
    assert len(rows) == 6
    for _, file, index, label, _ in rows:
        picture = (folder / file.strip(" `")).read_bytes()
        assert (preprocess.to_image(picture, 28, 1) == test.images[int(index)]).all()
        assert sources.open_source(ALL).class_names[test.labels[int(index)]] == label.strip()
