"""Data as other tools write it: each format is opened, trained on for one epoch, and evaluated."""

import io
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from helpers.command import OWN, TINY, run_in_process
from helpers.idx import write_idx_folder
from helpers.photos import fill, saved
from modiste.data import fashion_mnist, sources
from modiste.data.pixel_csv import read_table
from modiste.data.split import Images, Labels
from modiste.errors import InputError, SettingError
from modiste.recipes.config import DataConfig
from modiste.runs import files

COUNTS = {"train": 60, "test": 20}


def draw(split: str, shape: tuple[int, ...] = (28, 28), classes: int = 4) -> tuple[Images, Labels]:
    """Images on black of which the row of the label is bright."""
    labels = np.arange(COUNTS[split], dtype=np.int64) % classes
    images = np.random.default_rng(len(split)).integers(0, 30, (len(labels), *shape), dtype=np.uint8)
    images[np.arange(len(labels)), 4 + 4 * labels] = 255
    return images, labels


def write_pixel_csv(folder: Path) -> Path:
    """Write tables as Kaggle has them, with pandas."""
    for split in COUNTS:
        images, labels = draw(split)
        table = pd.DataFrame(images.reshape(len(images), -1), columns=[f"pixel{n}" for n in range(1, 785)])
        table.insert(0, "label", labels)
        table.to_csv(folder / f"fashion-mnist_{split}.csv", index=False)
    return folder


def write_keras_npz(folder: Path) -> Path:
    """Write an archive as Keras' datasets are."""
    (x_train, y_train), (x_test, y_test) = (draw(split) for split in COUNTS)
    np.savez(folder / "clothes.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return folder / "clothes.npz"


def write_medmnist_npz(folder: Path) -> Path:
    """Write a compressed archive as MedMNIST has it: with a validation split, and labels [n, 1] of uint8."""
    arrays = {}
    for name, split in (("train", "train"), ("val", "test"), ("test", "test")):
        images, labels = draw(split)
        arrays |= {f"{name}_images": images, f"{name}_labels": labels[:, None].astype(np.uint8)}
    np.savez_compressed(folder / "clothes.npz", **arrays)
    return folder


def write_parquet(folder: Path) -> Path:
    """Write two shards for train and one for test, with the schema and the metadata of Hugging Face's datasets."""
    features = {"image": {"_type": "Image"}, "label": {"names": ["a", "b", "c", "d"], "_type": "ClassLabel"}}
    schema = pa.schema(
        [("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])), ("label", pa.int64())],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    (folder / "data").mkdir()
    for split, shards in (("train", 2), ("test", 1)):
        images, labels = draw(split)
        for shard in range(shards):
            rows = [
                {"image": {"bytes": saved(Image.fromarray(image)), "path": None}, "label": int(label)}
                for image, label in zip(images[shard::shards], labels[shard::shards], strict=True)
            ]
            path = folder / "data" / f"{split}-{shard:05}-of-{shards:05}.parquet"
            pq.write_table(pa.Table.from_pylist(rows, schema), path)
    return folder


def write_file_list(folder: Path) -> Path:
    """Write photos and a table of their paths, labels and splits, with pandas."""
    rows = []
    (folder / "photos").mkdir()
    for split in COUNTS:
        for index, (image, label) in enumerate(zip(*draw(split), strict=True)):
            path = f"photos/{split}-{index}.png"
            Image.fromarray(image).save(folder / path)
            rows.append({"image_path": path, "label": "abcd"[label], "split": split})
    pd.DataFrame(rows).to_csv(folder / "photos.csv", index=False)
    return folder / "photos.csv"


def write_raw(folder: Path) -> Path:
    """Write IDX files where torchvision has them: in FashionMNIST/raw."""
    write_idx_folder(folder / "FashionMNIST" / "raw", labels=4)
    return folder


WRITERS = [write_pixel_csv, write_keras_npz, write_medmnist_npz, write_parquet, write_file_list, write_raw]


@pytest.mark.slow
@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__.removeprefix("write_"))
def test_each_format_is_trained_on_and_evaluated(write: Callable[[Path], Path], tmp_path: Path) -> None:
    """By the commands; the network learns its four classes, and mistakes.csv names the images."""
    source = write(tmp_path)
    run_in_process(
        tmp_path, "train", "classic-cnn", f"--data={source}", "--name=run", "--epochs=6", *TINY, *OWN,
        "--set=optimizer.lr=0.05",
    )  # fmt: skip
    run_in_process(tmp_path, "evaluate", "runs/run", "--json")
    scores = files.read_json(tmp_path / "runs" / "run" / "scores.json")["test"]
    assert (scores["n"], len(scores["per_class"])) == (20, 4)
    assert scores["accuracy"] > 0.9
    assert (tmp_path / "runs" / "run" / "mistakes.csv").read_text().startswith("file,true_label,predicted_label")


@pytest.mark.parametrize("write", WRITERS[:5], ids=lambda write: write.__name__.removeprefix("write_"))
def test_images_and_labels_are_those_that_were_stored(write: Callable[[Path], Path], tmp_path: Path) -> None:
    """Of train, in their order: also photos of 28 x 28 pixels on black for a gray model."""
    data = DataConfig(str(write(tmp_path)), val_fraction=0)
    train = sources.open_training(data, seed=0).train
    images, labels = draw("train")
    order = np.argsort(np.arange(60) % 2, kind="stable") if write is write_parquet else np.arange(60)
    assert (train.images == images[order]).all()
    assert (train.labels == labels[order]).all()
    assert train.names
    assert train.names[7] == ("photos/train-7.png" if write is write_file_list else "train#7")
    names = ("a", "b", "c", "d") if write in {write_parquet, write_file_list} else ("0", "1", "2", "3")
    assert sources.open_source(data).class_names == names


@pytest.mark.slow
def test_a_table_of_60000_images_opens_in_seconds(tmp_path: Path) -> None:
    """Kaggle's Fashion-MNIST: the official images in another order, which are recognized and have names of clothes."""
    part = fashion_mnist.source(28).part("train")
    order = np.random.default_rng(0).permutation(60_000)
    images, labels = part.load(order), part.labels[order]
    digits = np.array([str(value) for value in range(256)], object)
    with (tmp_path / "fashion-mnist_train.csv").open("w") as file:
        file.write("label," + ",".join(f"pixel{n}" for n in range(1, 785)) + "\n")
        for label, image in zip(labels.tolist(), digits[images.reshape(60_000, -1)], strict=True):
            file.write(f"{label},{','.join(image)}\n")
    before = time.process_time()
    table = read_table(tmp_path / "fashion-mnist_train.csv")
    assert time.process_time() - before < 6
    assert (table.images == images).all()
    assert (table.values == labels).all()
    data = DataConfig(str(tmp_path))
    assert sources.open_source(data).class_names[9] == "Ankle boot"
    assert sources.dataset_name(data) == "fashion-mnist"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["1" + ",0" * 63], "has 64 columns in row 2, but 65 titles"),
        (["1" + ",0" * 64, "1" + ",0.5" * 64], r"has '0.5' in row 3, but labels and pixels are whole numbers"),
        (["1" + ",256" * 64], "has '256' in row 2"),
        (["shirt" + ",0" * 64], "has 'shirt' in row 2"),
        (["1" + ",0" * 64], r"have one class \(1\)"),
        ([], "has no images"),
    ],
)
def test_an_invalid_table_of_pixels_is_refused(tmp_path: Path, lines: list[str], message: str) -> None:
    """The error names the row and the value."""
    header = ",".join(["label", *(f"pixel{n}" for n in range(64))])
    (tmp_path / "train.csv").write_text("\n".join([header, *lines]) + "\n")
    with pytest.raises(InputError, match=rf"train.csv.*{message}"):
        sources.open_training(DataConfig(str(tmp_path), image_size=8), seed=0)


def test_tables_may_have_windows_line_ends_and_the_label_last(tmp_path: Path) -> None:
    """And no newline at the end; three columns for each pixel are RGB."""
    header = ",".join([*(f"p{n}" for n in range(192)), "label"])
    rows = [",".join([str(row)] * 192 + [str(row % 2 * 7)]) for row in range(4)]
    (tmp_path / "data.csv").write_bytes("\r\n".join([header, *rows]).encode("utf-8-sig"))
    data = DataConfig(str(tmp_path / "data.csv"), image_size=8, channels=3, val_fraction=0)
    train = sources.open_training(data, seed=0)
    assert train.class_names == ("0", "7")
    assert train.train.images.shape == (4, 8, 8, 3)
    assert train.train.images[3].tolist() == [[[3, 3, 3]] * 8] * 8


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"weights": np.zeros(3)}, "holds weights, but no images"),
        ({"x_train": np.zeros((4, 28, 28))}, "has the array x_train, but no array of labels"),
        ({"x_train": np.zeros((4, 28, 28)), "y_train": np.zeros(3, int)}, "holds 4 images, but there are 3 labels"),
        ({"x_train": np.zeros((4, 28, 28)), "y_train": np.eye(4)}, r"have the shape \[4, 4\], but each image"),
        ({"x_train": np.zeros((4, 28, 28)), "y_train": np.array([0, 1, -1, 0])}, "have the value -1"),
        ({"x_train": np.zeros((4, 28, 28)), "y_train": np.array([0, 1, np.nan, 0])}, "have the value nan"),
        ({"x_train": np.full((4, 28, 28), -1.0), "y_train": np.arange(4)}, "x_train in .* has pixels from -1 to -1"),
        ({"x_train": np.zeros((4, 2, 3, 4, 5)), "y_train": np.arange(4)}, r"has the shape \[4, 2, 3, 4, 5\]"),
        ({"x_train": np.zeros((4, 28, 28)), "y_train": np.array([{}] * 4)}, "y_train in .* cannot be read"),
    ],
)  # fmt: skip
def test_an_invalid_archive_is_refused(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    """The error names the array and what it should be; pickled objects are never loaded."""
    np.savez(tmp_path / "data.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=message):
        sources.open_training(DataConfig(str(tmp_path / "data.npz"), val_fraction=0), seed=0)


@pytest.mark.parametrize("version", [180, 255])
def test_fault_30_an_archive_of_another_version_is_refused(version: int, tmp_path: Path) -> None:
    """Of zip, as a changed byte says."""
    np.savez(tmp_path / "data.npz", x_train=np.zeros((4, 28, 28)), y_train=np.arange(4))
    content = bytearray((tmp_path / "data.npz").read_bytes())
    content[content.index(b"PK\x01\x02") + 6] = version
    (tmp_path / "data.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"is no .npz archive"):
        sources.open_training(DataConfig(str(tmp_path / "data.npz"), val_fraction=0), seed=0)


def test_images_of_archives_have_any_usual_shape(tmp_path: Path) -> None:
    """Floats from 0 to 1, channels first, a channel of its own, text as labels; RGB images are scaled."""
    labels = np.array(["shirt", "coat"] * 3)
    np.savez(tmp_path / "gray.npz", images=np.full((6, 1, 28, 28), 0.5), labels=labels)
    train = sources.open_training(DataConfig(str(tmp_path / "gray.npz"), val_fraction=0), seed=0)
    assert (train.class_names, train.train.labels.tolist()) == (("coat", "shirt"), [1, 0] * 3)
    assert train.train.images.shape == (6, 28, 28)
    assert set(train.train.images.flat) == {128}
    np.savez(tmp_path / "rgb.npz", x_train=np.full((6, 3, 40, 30), 7, np.uint8), y_train=np.arange(6) % 2)
    data = DataConfig(str(tmp_path / "rgb.npz"), image_size=32, channels=3, val_fraction=0)
    assert sources.open_training(data, seed=0).train.images.shape == (6, 32, 32, 3)


def test_stored_images_need_the_channels_and_the_size_of_the_recipe(tmp_path: Path) -> None:
    """The errors name the settings, and with these it works."""
    np.savez(tmp_path / "rgb.npz", x_train=np.zeros((6, 32, 32, 3), np.uint8), y_train=np.arange(6) % 2)
    data = DataConfig(str(tmp_path / "rgb.npz"), val_fraction=0)
    with pytest.raises(SettingError, match=r"RGB. Set data.channels to 3 and data.image_size to 32"):
        sources.open_training(data, seed=0)
    np.savez(tmp_path / "rgb.npz", x_train=np.zeros((6, 32, 32), np.uint8), y_train=np.arange(6) % 2)
    with pytest.raises(SettingError, match=r"have 32 x 32 pixels. Set data.image_size to 32"):
        sources.open_training(data, seed=0)


def test_parquet_columns_are_found_without_metadata(tmp_path: Path) -> None:
    """A column of bytes and labels as text, as pandas writes them; test may lack a class but have no other."""
    photos = [saved(Image.new("RGB", (20, 20), (10 * n, 0, 0))) for n in range(6)]
    table = pd.DataFrame({"picture": photos, "category": ["hat", "coat"] * 3})
    table.to_parquet(tmp_path / "train.parquet")
    table.iloc[:2].to_parquet(tmp_path / "test.parquet")
    data = DataConfig(str(tmp_path / "train.parquet"), image_size=16, channels=3, val_fraction=0)
    train = sources.open_training(data, seed=0)
    assert (train.class_names, train.train.labels.tolist()) == (("coat", "hat"), [1, 0] * 3)
    assert len(sources.open_test(data, lambda: None)) == 2
    table["category"] = "Coat"
    table.to_parquet(tmp_path / "test.parquet")
    with pytest.raises(InputError, match=r"have the value 'Coat', but no image to train on has it. Is it 'coat'"):
        sources.open_test(data, lambda: None)


@pytest.mark.parametrize("metadata", ["[" * 100_000, "[1]", '{"info": {"features": {"label": [1]}}}', "\xff"])
def test_damaged_metadata_of_parquet_are_left_out(tmp_path: Path, metadata: str) -> None:
    """Columns are then found by type and name."""
    photos = [saved(Image.new("RGB", (20, 20), (10 * n, 0, 0))) for n in range(6)]
    table = pa.table({"image": photos, "label": ["hat", "coat"] * 3})
    pq.write_table(table.replace_schema_metadata({"huggingface": metadata}), tmp_path / "train.parquet")
    data = DataConfig(str(tmp_path), image_size=16, channels=3, val_fraction=0)
    assert sources.open_training(data, seed=0).class_names == ("coat", "hat")


@pytest.mark.parametrize("name", ["../secret.png", "sub/../../secret.png", "/etc/passwd"])
def test_a_table_lists_no_files_outside_of_its_folder(tmp_path: Path, name: str) -> None:
    """In a CSV and in Parquet; an absolute path into the folder is accepted."""
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    for path in (tmp_path / "secret.png", folder / "a.png", folder / "b.png"):
        Image.new("L", (16, 16), len(path.name)).save(path)
    rows = f"file,label\na.png,x\n{folder / 'b.png'},y\n"
    (folder / "list.csv").write_text(rows)
    assert len(sources.open_training(DataConfig(str(folder), image_size=16, val_fraction=0), seed=0).train.images) == 2
    (folder / "list.csv").write_text(f"{rows}{name},x\n")
    with pytest.raises(InputError, match=r"list.csv lists .*, which is not in .*data\. Move the table above"):
        sources.open_training(DataConfig(str(folder), val_fraction=0), seed=0)
    photos = [{"bytes": None, "path": "a.png"}, {"bytes": None, "path": name}]
    pq.write_table(pa.table({"image": photos, "label": ["x", "y"]}), folder / "train.parquet")
    (folder / "list.csv").unlink()
    with pytest.raises(InputError, match="which is not in"):
        sources.open_training(DataConfig(str(folder / "train.parquet"), image_size=16, val_fraction=0), seed=0)


def test_parquet_files_without_photos_are_refused(tmp_path: Path) -> None:
    """The error lists the columns; a damaged photo is named by its row."""
    pd.DataFrame({"a": [1], "label": [2]}).to_parquet(tmp_path / "train.parquet")
    with pytest.raises(InputError, match="has no column of photos; its columns are a, label"):
        sources.open_training(DataConfig(str(tmp_path)), seed=0)
    pd.DataFrame({"image": [b"x" * 99] * 4, "label": [0, 1] * 2}).to_parquet(tmp_path / "train.parquet")
    with pytest.raises(InputError, match="train#0 is"):
        sources.open_training(DataConfig(str(tmp_path), val_fraction=0), seed=0)
    no_text = (tmp_path / "train.parquet").read_bytes().replace(b"label", b"labe\xff")
    (tmp_path / "train.parquet").write_bytes(no_text)
    with pytest.raises(InputError, match=r"train.parquet cannot be read"):
        sources.open_training(DataConfig(str(tmp_path)), seed=0)
    (tmp_path / "train.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"train.parquet cannot be read"):
        sources.open_training(DataConfig(str(tmp_path)), seed=0)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["a.png,x", "b.png,y"], "lists files that do not exist: a.png, b.png. Paths are relative to"),
        (["0.png,x,train"], "has 3 columns in row 2, but 2 titles"),
        (["0.png,"], "has no file or no label, in row 2"),
        (["0.png,x", "0.png,y"], "lists 0.png for the second time"),
        (["0.png,x"], r"have one class \('x'\)"),
        ([], "lists no files"),
    ],
)
def test_an_invalid_list_of_files_is_refused(tmp_path: Path, rows: list[str], message: str) -> None:
    """The error names the row."""
    for number in range(2):
        Image.new("L", (16, 16)).save(tmp_path / f"{number}.png")
    (tmp_path / "list.csv").write_text("\n".join(["file,label", *rows]) + "\n")
    with pytest.raises(InputError, match=rf"list.csv.*{message}"):
        sources.open_training(DataConfig(str(tmp_path), val_fraction=0), seed=0)


def test_a_list_of_files_and_class_folders_that_disagree_are_refused(tmp_path: Path) -> None:
    """Naming the list uses it; a list that agrees with the folders, or of predictions, does not matter."""
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        for number in range(2):
            Image.new("L", (16, 16), 90 * number).save(tmp_path / folder / f"{number}.png")
    paths = [f"{folder}/{number}.png" for folder in ("first", "second") for number in range(2)]
    table = tmp_path / "labels.csv"
    table.write_text("Filename,Class\n" + "".join(f"{path},{path[-5]}\n" for path in paths))
    data = DataConfig(str(tmp_path), image_size=16, val_fraction=0)
    with pytest.raises(InputError, match=r"first/0.png has the label 0. To use the table, name it with --data"):
        sources.open_training(data, seed=0)
    listed = sources.open_training(DataConfig(str(table), image_size=16, val_fraction=0), seed=0)
    assert (listed.class_names, listed.train.labels.tolist()) == (("0", "1"), [0, 1, 0, 1])
    table.write_text("file,label,probability\n" + "".join(f"{path},x,1\n" for path in paths))
    assert sources.open_training(data, seed=0).class_names == ("first", "second")


def test_data_without_a_recognized_form_is_refused(tmp_path: Path) -> None:
    """Other tables, other files, a file of IDX images, and folders with several datasets; each has its advice."""
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"its columns are a, b. Write a table with the columns label, pixel1"):
        sources.open_source(DataConfig(str(tmp_path / "table.csv")))
    (tmp_path / "corrections.csv").write_text("file,label\n0.png,a\n")
    with pytest.raises(InputError, match="is no table of images"):
        sources.open_source(DataConfig(str(tmp_path / "corrections.csv")))
    (tmp_path / "clothes.zip").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"clothes.zip is no data that can be read. Give a folder of class folders"):
        sources.open_source(DataConfig(str(tmp_path / "clothes.zip")))
    images = write_idx_folder(tmp_path / "idx") / "train-images-idx3-ubyte.gz"
    with pytest.raises(InputError, match="Give its folder"):
        sources.open_source(DataConfig(str(images)))
    (tmp_path / "npz").mkdir()
    for name in ("a", "b"):
        np.savez(tmp_path / "npz" / f"{name}.npz", x=np.zeros(2))
    with pytest.raises(InputError, match=r"holds several datasets: a.npz, b.npz. Name one"):
        sources.open_source(DataConfig(str(tmp_path / "npz")))
    content = io.BytesIO()
    np.savez(content, x=np.zeros(2))
    (tmp_path / "cut.npz").write_bytes(content.getvalue()[:50])
    with pytest.raises(InputError, match=r"cut.npz is no .npz archive"):
        sources.open_training(DataConfig(str(tmp_path / "cut.npz")), seed=0)


def test_probabilities_of_another_tool_are_scored_on_each_format(tmp_path: Path) -> None:
    """Without a model, stored images of any size are accepted, as only their labels are used."""
    np.savez(tmp_path / "rgb.npz", x_test=np.zeros((6, 32, 32, 3), np.uint8), y_test=np.arange(6) % 2)
    np.savez(tmp_path / "p.npz", np.eye(2)[np.arange(6) % 2])
    finished = run_in_process(tmp_path, "evaluate", "p.npz", "--data=rgb.npz", "--json")
    assert json.loads(finished.stdout)["accuracy"] == 1


def test_a_table_lists_the_photos_of_the_folder_with_its_name(tmp_path: Path) -> None:
    """`train.csv` those of `train/`, as in competitions; a file that is in neither is named."""
    for name in ("train", "test"):
        fill(tmp_path / name, 4)
        rows = "".join(f"{number}.png,{'ab'[number % 2]}\n" for number in range(4))
        (tmp_path / f"{name}.csv").write_text(f"file,label\n{rows}")
    source = sources.open_source(DataConfig(source=str(tmp_path), image_size=16))
    assert source.part("train").load(np.arange(4)).shape == (4, 16, 16)
    assert len(source.part("test").labels) == 4
    (tmp_path / "train.csv").write_text("file,label\n0.png,a\n9.png,b\n")
    source = sources.open_source(DataConfig(source=str(tmp_path), image_size=16))
    with pytest.raises(InputError, match=r"files that do not exist: 9\.png"):
        source.part("train")
