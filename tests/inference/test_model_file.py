"""Reading model files: what is accepted, and what is refused before it runs."""

import os
from pathlib import Path

import onnx
import pytest

from helpers.models import tiny_model
from modiste import inference
from modiste.errors import InputError


@pytest.mark.parametrize(
    "external_data",
    [
        {"location": "weights.bin"},
        {"location": "../weights.bin"},
        {"location": "/etc/hostname"},
        {"location": "*/_ORT_MEM_ADDR_/*", "offset": "4096", "length": "6272"},
    ],
)
def test_a_model_with_external_data_is_refused(
    external_data: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the file, above it, by an absolute path, or at an address in memory (fault 25)."""
    (tmp_path / "below").mkdir()
    for folder in (tmp_path, tmp_path / "below"):
        (folder / "weights.bin").write_bytes(bytes(784 * 2 * 4))
    monkeypatch.chdir(tmp_path / "below")
    path = tmp_path / "below" / "model.onnx"
    path.write_bytes(tiny_model(external_data=external_data))
    with pytest.raises(InputError, match="refers to other files"):
        inference.load(path)


def test_broken_files_are_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A missing, empty, cut or random file, a folder and a pickle are one-sentence errors, and nothing is logged."""
    complete = tiny_model()
    for name, content in {
        "empty": b"",
        "cut": complete[: len(complete) // 2],
        "short": complete[:-1],
        "garbage": os.urandom(1000),
        "pickle": b"\x80\x04\x95\x1c\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94",
        "text": b"hello, model",
    }.items():
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(content)
        with pytest.raises(InputError, match=rf"{name}.onnx (is|was|has) "):
            inference.load(path)
    for path in (tmp_path, tmp_path / "missing.onnx", tmp_path / ("x" * 300)):
        with pytest.raises(InputError, match=r"is a folder|does not exist|name too long"):
            inference.load(path)
    assert capfd.readouterr().err == ""


def test_a_third_party_model_is_refused() -> None:
    """An ONNX model without modiste's metadata, with a part of it, or with another input."""
    with pytest.raises(InputError, match="was not written by modiste"):
        inference.load(tiny_model(metadata={"format": None}))
    with pytest.raises(InputError, match="invalid metadata"):
        inference.load(tiny_model(metadata={"class_names": None}))
    with pytest.raises(InputError, match="invalid metadata"):
        inference.load(tiny_model(metadata={"class_names": "["}))
    with pytest.raises(InputError, match=r"\['n', 28, 28, 3\]"):
        inference.load(tiny_model(metadata={"channels": "3"}))


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"image_size": "1000000"}, "as its metadata declares"),
        ({"image_size": "0"}, "as its metadata declares"),
        ({"image_size": "-28"}, "as its metadata declares"),
        ({"image_size": "29"}, "as its metadata declares"),
        ({"image_size": "28.0"}, "invalid metadata"),
        ({"channels": "2"}, "as its metadata declares"),
        ({"class_names": "5"}, "invalid metadata"),
        ({"class_names": "[]"}, "invalid metadata"),
        ({"class_names": "[1, 2]"}, "invalid metadata"),
        ({"class_names": '"ab"'}, "invalid metadata"),
        ({"class_names": "[" * 100_000}, "invalid metadata"),
        ({"tta_threshold": "-0.1"}, "invalid metadata"),
        ({"tta_threshold": "nan"}, "invalid metadata"),
        ({"tta_crop": "2"}, "invalid metadata"),
        ({"resize_mode": "stretch"}, "invalid metadata .*resize mode"),
        ({"resize_mode": ""}, "invalid metadata .*resize mode"),
    ],
)
def test_metadata_that_contradicts_the_graph_is_refused(metadata: dict[str, str], message: str) -> None:
    """An image size or channels that the input does not have, and class names that are not a list of texts."""
    assert inference.load(tiny_model(("a", "b"))).class_names == ("a", "b")
    with pytest.raises(InputError, match=message):
        inference.load(tiny_model(metadata=metadata))


def test_a_graph_of_dynamic_or_excessive_image_size_is_refused() -> None:
    """The sides of the input must be fixed, and at most 1,024 pixels."""
    model = onnx.load_from_string(tiny_model())
    for side, image_size in (("s", "28"), (1_000_000, "1000000")):
        for dimension in model.graph.input[0].type.tensor_type.shape.dim[1:]:
            dimension.Clear()
            setattr(dimension, "dim_param" if isinstance(side, str) else "dim_value", side)
        next(entry for entry in model.metadata_props if entry.key == "image_size").value = image_size
        with pytest.raises(InputError, match=r"as its metadata declares|more than 1024 pixels"):
            inference.load(model.SerializeToString())


def test_the_tiny_model_is_valid_onnx() -> None:
    """The checker of `onnx` accepts the model that these tests load."""
    onnx.checker.check_model(onnx.load_from_string(tiny_model()))


def test_a_model_of_an_older_version_is_refused_with_the_next_step() -> None:
    """Its metadata has other keys."""
    with pytest.raises(InputError, match=r"older version of modiste\. Train the model again"):
        inference.load(tiny_model(metadata={"format": "modiste-1"}))


def test_a_model_is_identified_by_the_content_of_its_file(tmp_path: Path) -> None:
    """Two files of one name differ, two copies of one file do not."""
    for folder, labels in (("a", ("x", "y")), ("b", ("x", "z")), ("c", ("x", "y"))):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "m.onnx").write_bytes(tiny_model(labels))
    one, other, copy = (inference.load(tmp_path / folder / "m.onnx") for folder in "abc")
    assert one.name == other.name == copy.name
    assert one.sha256 == copy.sha256 != other.sha256


def test_metadata_that_is_not_text_is_refused() -> None:
    """Bytes that are not UTF-8 in place of a value."""
    content = tiny_model(metadata={"scores": "replace me"}).replace(b"replace me", b"\xff" * 10)
    with pytest.raises(InputError, match="invalid metadata"):
        inference.load(content)
