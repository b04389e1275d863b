"""The public API: functions of `modiste` that are imported when they are used."""

import io
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import modiste
from helpers.command import OWN, TINY, run_in_process
from helpers.models import tiny_model
from helpers.progress import Silent
from helpers.runs import write_run
from modiste.errors import InputError, SettingError
from modiste.recipes import named, settings
from modiste.runs.folder import Run

FUNCTIONS = ("compare", "evaluate", "load", "recipe", "train")
SMALL = {
    "model": {"name": "helpers.network:tiny", "width": 2},
    "optimizer": {"batch_size": 20},
    "compute": {"threads": 1, "precision": "fp32"},
    "schedule": {"epochs": 1},
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_function_is_an_attribute_of_the_package(name: str) -> None:
    """And documented, and typed."""
    assert getattr(modiste, name).__doc__
    assert f"import {name} as {name}" in Path(modiste.__file__).with_suffix(".pyi").read_text()


def test_another_attribute_is_an_attribute_error() -> None:
    """As for any module."""
    with pytest.raises(AttributeError, match="no attribute 'fit'"):
        modiste.fit  # noqa: B018  the attribute is what is tested


def test_importing_the_package_imports_nothing_else() -> None:
    """So it takes no time and works without any extra; to load a model needs no torch."""
    code = "import sys; import modiste; assert not {'numpy', 'PIL', 'onnxruntime', 'torch', 'click'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    code = "import sys; import modiste; modiste.load(); assert not {'torch', 'click', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_recipe_has_changed_settings(tmp_path: Path) -> None:
    """Of sections, of a section's name, and of the recipe itself; by name or from a file."""
    recipe = modiste.recipe("sprint", optimizer={"lr": 0.2}, model="resnet18", seed=3)
    changes = {"optimizer.lr": 0.2, "model.name": "resnet18", "seed": 3}
    assert recipe == settings.with_settings(named.sprint(), changes)
    (tmp_path / "recipe.json").write_text(settings.to_json(recipe))
    assert modiste.recipe(tmp_path / "recipe.json") == recipe
    with pytest.raises(SettingError, match=r"There is no setting 'optimizer.rate'"):
        modiste.recipe("sprint", optimizer={"rate": 0.2})


@pytest.mark.slow
def test_a_training_from_python_has_the_weights_of_the_command(
    idx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same bits; the epochs are printed where there is no terminal."""
    monkeypatch.chdir(tmp_path)
    run = modiste.train(modiste.recipe("sprint", **SMALL), data=idx, name="python")
    assert "epoch   1  train loss" in capsys.readouterr().err
    arguments = [f"--data={idx}", "--name=command", "--epochs=1", "--set=compute.precision=fp32", *TINY, *OWN]
    run_in_process(tmp_path, "train", "sprint", *arguments)
    assert run == Run(Path("runs/python"))
    assert run.weights.read_bytes() == Path("runs/command/model.safetensors").read_bytes()
    assert run.recipe() == Run(Path("runs/command")).recipe()
    scores = modiste.evaluate(run)
    assert scores.n == 40
    assert modiste.evaluate("python").accuracy == scores.accuracy
    assert [method.name for method in modiste.compare(["python", "runs/python", run]).methods] == ["python"]
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


@pytest.mark.parametrize("name", ["a/../..", "..", "", "a/../b"])
def test_a_name_that_leads_out_of_the_folder_is_refused(name: str, idx: Path, tmp_path: Path) -> None:
    """As on the command line, before anything is read or written."""
    with pytest.raises(SettingError, match=r"must be a name or an absolute path, without '..'"):
        modiste.train("sprint", data=tmp_path / "nowhere", name=name, progress=Silent())


def test_a_run_is_loaded_by_name_folder_and_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or as the run itself; the content of a file, and None for the bundled models."""
    monkeypatch.chdir(tmp_path)
    run = write_run(tmp_path / "runs" / "mine")
    same = [modiste.load(model) for model in ("mine", "runs/mine", run.path, run, run.model, str(run.model))]
    assert {model.sha256 for model in same} == {modiste.load(run.model.read_bytes()).sha256}
    assert {model.name for model in same} == {"mine"}
    assert modiste.load().name == "bundled"
    with pytest.raises(InputError, match="yours does not exist"):
        modiste.load("yours")
    run.model.unlink()
    with pytest.raises(InputError, match=r"has no model\.onnx"):
        modiste.load("mine")


def test_a_model_takes_photos_in_every_form(tmp_path: Path) -> None:
    """Paths, arrays, Pillow images, bytes and open files, of which each has the same prediction."""
    pixels = np.full((28, 28, 3), 250, np.uint8)
    image = Image.fromarray(pixels)
    image.save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    model = modiste.load(tiny_model(channels=3))
    photos = [tmp_path / "a.png", str(tmp_path / "a.png"), pixels, image, content, io.BytesIO(content)]
    assert {(each.label, each.probability, each.error) for each in model.predict(photos)} == {
        ("bright", model.predict(pixels)[0].probability, None)
    }


def test_the_bundled_models_are_pickled() -> None:
    """They are loaded again when they are used."""
    model = pickle.loads(pickle.dumps(modiste.load(threads=1)))  # noqa: S301 - pickled above
    assert (model.name, model.threads) == ("bundled", 1)
    assert model.predict([np.zeros((28, 28), np.uint8)])[0].error is None


@pytest.mark.slow
@pytest.mark.parametrize("network", ["timm:resnet18", "torchvision:mobilenet_v3_small"])
def test_networks_of_libraries_have_the_same_bits_from_python_and_the_command(
    network: str, idx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trained with AdamW, a cosine schedule and class weights."""
    monkeypatch.chdir(tmp_path)
    changes = {
        "optimizer": {"name": "adamw", "lr": 0.001, "batch_size": 20},
        "schedule": {"name": "cosine", "epochs": 1},
        "loss": {"class_weights": "balanced"},
        "compute": {"threads": 1, "precision": "fp32"},
    }
    recipe = modiste.recipe("sprint", model=network, **changes)
    run = modiste.train(recipe, data=idx, name="python", progress=Silent())
    flat = {f"{section}.{key}": value for section, values in changes.items() for key, value in values.items()}
    arguments = [f"--set={key}={value}" for key, value in flat.items()]
    run_in_process(tmp_path, "train", "sprint", f"--data={idx}", "--name=command", f"--set=model={network}", *arguments)
    assert run.weights.read_bytes() == Path("runs/command/model.safetensors").read_bytes()
    assert run.model.read_bytes() == Path("runs/command/model.onnx").read_bytes()
