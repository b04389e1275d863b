"""Distillation: a network learns what teachers hold for its images, and none that could give held-out images away."""

import gzip
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from helpers.command import OWN, TINY, inside
from helpers.idx import labels_file, write_idx_folder
from modiste.data import sources
from modiste.errors import InputError
from modiste.inference import model_file
from modiste.models.normalized import NormalizedModel
from modiste.recipes import settings
from modiste.recipes.named import sprint
from modiste.recipes.recipe import DistillationConfig, Recipe
from modiste.runs import run_info
from modiste.runs.folder import Run
from modiste.training import distillation
from modiste.training.distillation import Teachers

HELD_OUT = "--set=data.val_fraction=0.2"


@pytest.fixture(scope="module")
def taught(idx: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two teachers in `runs/teachers`, of other seeds and nothing held out; read only."""
    folder = tmp_path_factory.mktemp("taught")
    for seed in (0, 1):
        given = ["sprint", f"--data={idx}", "--epochs=8", f"--seed={seed}", f"--name=teachers/seed-{seed}"]
        inside(folder, "train", *given, *TINY, *OWN)
    return folder


def student(taught: Path, data: Path) -> Recipe:
    """A recipe that learns from both."""
    given = {"data.source": str(data), "distillation.teachers": both(taught)}
    return settings.with_settings(sprint(), given)


def both(home: Path) -> list[str]:
    """Where its two teachers are."""
    return [str(home / "runs" / "teachers" / f"seed-{seed}") for seed in (0, 1)]


def by(*teachers: str) -> str:
    """The option that names them."""
    return f"--set=distillation.teachers={json.dumps(teachers)}"


def test_the_targets_are_the_mean_of_the_teachers_probabilities(taught: Path, idx: Path) -> None:
    """At temperature 1 what the model files say, in the mean; in bf16 the same but for its rounding."""
    recipe = settings.with_settings(student(taught, idx), {"distillation.temperature": 1})
    data = sources.open_training(recipe.data, recipe.seed)
    images = data.train.images[:20]
    models = [model_file.load(taught / f"runs/teachers/seed-{seed}/model.onnx") for seed in (0, 1)]
    said = [torch.from_numpy(model.probabilities(images)) for model in models]
    assert (said[0] - said[1]).abs().max() > 0.01
    for precision, apart in ((torch.float32, 1e-4), (torch.bfloat16, 0.05)):
        made = distillation.load_teachers(recipe, data, torch.device("cpu"), precision)
        assert made
        probabilities = made.probabilities(torch.from_numpy(images))
        assert probabilities.dtype == torch.float32
        assert torch.allclose(probabilities, (said[0] + said[1]) / 2, atol=apart)


class Constant(nn.Module):
    """Returns the same logits for any images."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        return self.logits


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_the_loss_is_the_divergence_at_the_temperature(temperature: float) -> None:
    """Kullback and Leibler's divergence by the square of the temperature, and the share of the labels' loss."""
    mine, theirs = torch.randn(2, 50, 10, generator=torch.Generator().manual_seed(0)) * 5
    others = (NormalizedModel(Constant(theirs), torch.zeros(1), torch.ones(1)).eval(),)
    made = Teachers(others, DistillationConfig("x", temperature, weight=0.75), torch.float32)
    images, by_labels = torch.zeros(50, 28, 28, dtype=torch.uint8), torch.arange(50.0)
    wanted, said = (theirs / temperature).softmax(1), (mine / temperature).softmax(1)
    divergence = temperature**2 * (wanted * (wanted / said).log()).sum(1)
    assert torch.allclose(made.losses(by_labels, mine, images), 0.25 * by_labels + 0.75 * divergence, rtol=1e-4)
    assert torch.allclose(made.losses(by_labels, theirs, images), 0.25 * by_labels, atol=1e-4)


def test_a_student_learns_from_its_teachers(taught: Path, idx: Path, tmp_path: Path) -> None:
    """With every label wrong it learns the right ones; its environment tells who taught it, and what that cost."""
    wrong = tmp_path / "wrong"
    shutil.copytree(idx, wrong)
    (wrong / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels_file((np.arange(200) + 1) % 10)))
    given = [f"--data={wrong}", "--epochs=12", "--name=student", *TINY, *OWN, "--set=augmentation.mixup_prob=0.5"]
    inside(tmp_path, "train", "sprint", *given, by(*both(taught)))
    assert json.loads(inside(tmp_path, "evaluate", "runs/student", "--json").stdout)["accuracy"] > 0.5
    record = json.loads((tmp_path / "runs" / "student" / "environment.json").read_text())
    teachers = record["data"]["teachers"]
    assert [(each["run"], each["seed"]) for each in teachers] == [("seed-0", 0), ("seed-1", 1)]
    assert all(
        each["recipe"] == "sprint" and len(each["commit"]) >= 40 and each["seconds"] > 0 and each["parameters"] > 0
        for each in teachers
    )
    info = run_info.read(Run(tmp_path / "runs" / "student"))
    assert info.teacher_seconds == pytest.approx(sum(each["seconds"] for each in teachers))


def test_a_training_is_not_resumed_with_other_teachers(taught: Path, idx: Path, tmp_path: Path) -> None:
    """What they answer is what it learns from, so they are a part of its data."""
    shutil.copytree(taught / "runs" / "teachers", tmp_path / "teachers")
    given = [f"--data={idx}", "--epochs=1", "--name=a", *TINY, *OWN, by("teachers/seed-0")]
    inside(tmp_path, "train", "sprint", *given)
    (tmp_path / "runs" / "a" / "finished").unlink()  # as if it had been killed before the end
    shutil.rmtree(tmp_path / "teachers" / "seed-0")
    (tmp_path / "teachers" / "seed-1").rename(tmp_path / "teachers" / "seed-0")
    assert "(teachers/seed-0) are not those" in inside(tmp_path, "train", "--resume", "runs/a", code=2).stderr


def test_teachers_must_hold_out_the_same_images(taught: Path, idx: Path, tmp_path: Path) -> None:
    """One that saw them all is left out, or refused if there is no other."""
    shutil.copytree(taught / "runs" / "teachers", tmp_path / "teachers")
    given = ["train", "sprint", f"--data={idx}", "--epochs=1", *TINY, *OWN, HELD_OUT]
    teachers = by("teachers/seed-0", "teachers/seed-1")
    assert "None of the teachers" in inside(tmp_path, *given, teachers, "--name=a", code=2).stderr
    assert not (tmp_path / "runs").exists()
    inside(tmp_path, *given, "--name=fold-0")
    (tmp_path / "runs" / "fold-0").rename(tmp_path / "teachers" / "fold-0")
    learning = [*given, by("teachers/seed-0", "teachers/fold-0")]
    inside(tmp_path, *learning, "--name=b")
    record = json.loads((tmp_path / "runs" / "b" / "environment.json").read_text())
    assert [each["run"] for each in record["data"]["teachers"]] == ["fold-0"]
    assert "None of the teachers" in inside(tmp_path, *learning, "--name=c", "--set=data.fold=1", code=2).stderr


def test_teachers_of_other_labels_or_images_are_refused(taught: Path, tmp_path: Path) -> None:
    """Two labels are not ten, and 28 pixels not 32."""
    recipe = student(taught, write_idx_folder(tmp_path / "idx"))
    data = sources.open_training(recipe.data, recipe.seed)
    other = [
        (recipe, replace(data, class_names=("bag", "coat"))),
        (settings.with_settings(recipe, {"data.image_size": 32}), data),
    ]
    for changed, changed_data in other:
        with pytest.raises(InputError, match="seed-0 cannot be used: its classes are T-shirt/top"):
            distillation.load_teachers(changed, changed_data, torch.device("cpu"), torch.float32)


def _drop(run: Path) -> None:
    (run / "model.safetensors").unlink()


def _truncate(run: Path) -> None:
    (run / "model.safetensors").write_bytes((run / "model.safetensors").read_bytes()[:-50])


def _take_other_weights(run: Path) -> None:
    save_file({"mean": torch.zeros(1), "std": torch.ones(1)}, run / "model.safetensors")


def _forget_its_cost(run: Path) -> None:
    (run / "metrics.csv").unlink()


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (_drop, "seed-1 has no weights. Remove it, then train it again, a bench with --keep"),
        (_truncate, "seed-1 cannot be used: "),
        (_take_other_weights, "does not fit the network in"),
        (_forget_its_cost, "seed-1/metrics.csv"),
    ],
)
def test_a_damaged_teacher_is_refused_before_anything_is_written(
    harm: Callable[[Path], None], message: str, taught: Path, idx: Path, tmp_path: Path
) -> None:
    """One sentence names it; no run folder is left."""
    shutil.copytree(taught / "runs" / "teachers", tmp_path / "teachers")
    harm(tmp_path / "teachers" / "seed-1")
    given = ["train", "sprint", f"--data={idx}", *TINY, *OWN, by("teachers/seed-0", "teachers/seed-1")]
    assert message in inside(tmp_path, *given, code=2).stderr
    assert not (tmp_path / "runs").exists()


def test_a_teacher_must_accept_the_training_size(taught: Path, idx: Path, tmp_path: Path) -> None:
    """A student may see other sizes than its teacher was made for."""
    given = [
        "train",
        "sprint",
        f"--data={idx}",
        *TINY,
        "--set=augmentation.train_size=24",
        "--set=augmentation.random_resized_crop_scale=0.5",
    ]
    given += [by(*both(taught))]
    assert "seed-0 cannot be used" in inside(tmp_path, *given, code=2).stderr


@pytest.mark.parametrize("name", ["nowhere", "empty", "file"])
def test_a_teacher_must_be_a_finished_run(name: str, idx: Path, tmp_path: Path) -> None:
    """The sentence says how to get teachers, and how to go without."""
    (tmp_path / "empty").mkdir(parents=True)
    (tmp_path / "file").write_text("")
    given = ["train", "sprint", f"--data={idx}", *TINY, f"--set=distillation.teachers={name}"]
    said = inside(tmp_path, *given, code=2).stderr
    assert f"There is no finished run {tmp_path / name}" in said
    assert "modiste train marathon-teacher --fold 0 --name teachers/fold-0" in said
