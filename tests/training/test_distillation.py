"""Distillation: a network learns the probabilities of teachers, which were not trained on its validation images."""

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

from helpers.command import OWN, TINY, run_in_process
from helpers.idx import labels_file, write_idx_folder
from modiste.data import sources
from modiste.errors import InputError
from modiste.inference import model_file
from modiste.models.normalized import NormalizedModel
from modiste.recipes import settings
from modiste.recipes.config import DistillationConfig
from modiste.recipes.named import sprint
from modiste.recipes.recipe import Recipe
from modiste.runs import run_info
from modiste.runs.folder import Run
from modiste.training import distillation
from modiste.training.distillation import Teachers

HELD_OUT = "--set=data.val_fraction=0.2"


@pytest.fixture(scope="module")
def teacher_runs(idx: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two teachers in `runs/teachers`, of different seeds and without validation images; read only."""
    folder = tmp_path_factory.mktemp("teacher_runs")
    for seed in (0, 1):
        arguments = ["sprint", f"--data={idx}", "--epochs=8", f"--seed={seed}", f"--name=teachers/seed-{seed}"]
        run_in_process(folder, "train", *arguments, *TINY, *OWN)
    return folder


def student_recipe(teacher_runs: Path, data: Path) -> Recipe:
    """A recipe that learns from both teachers."""
    changes = {"data.source": str(data), "distillation.teachers": teacher_paths(teacher_runs)}
    return settings.with_settings(sprint(), changes)


def teacher_paths(home: Path) -> list[str]:
    """The run folders of the two teachers."""
    return [str(home / "runs" / "teachers" / f"seed-{seed}") for seed in (0, 1)]


def teachers_option(*teachers: str) -> str:
    """The command-line option that sets the teachers."""
    return f"--set=distillation.teachers={json.dumps(teachers)}"


@pytest.mark.slow
def test_the_targets_are_the_mean_of_the_teachers_probabilities(teacher_runs: Path, idx: Path) -> None:
    """At temperature 1 they are the mean over the model files; bf16 differs by rounding only."""
    recipe = settings.with_settings(student_recipe(teacher_runs, idx), {"distillation.temperature": 1})
    data = sources.open_training(recipe.data, recipe.seed)
    images = data.train.images[:20]
    models = [model_file.load(teacher_runs / f"runs/teachers/seed-{seed}/model.onnx") for seed in (0, 1)]
    probabilities = [torch.from_numpy(model.probabilities(images)) for model in models]
    assert (probabilities[0] - probabilities[1]).abs().max() > 0.01
    for precision, tolerance in ((torch.float32, 1e-4), (torch.bfloat16, 0.05)):
        teachers = distillation.load_teachers(recipe, data, torch.device("cpu"), precision)
        assert teachers
        targets = teachers.probabilities(torch.from_numpy(images))
        assert targets.dtype == torch.float32
        assert torch.allclose(targets, (probabilities[0] + probabilities[1]) / 2, atol=tolerance)


class Constant(nn.Module):
    """Returns the same logits for any images."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        return self.logits


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_the_loss_has_a_kullback_leibler_term(temperature: float) -> None:
    """The divergence at the temperature times its square, weighted against the loss on the labels."""
    student_logits, teacher_logits = torch.randn(2, 50, 10, generator=torch.Generator().manual_seed(0)) * 5
    networks = (NormalizedModel(Constant(teacher_logits), torch.zeros(1), torch.ones(1)).eval(),)
    teachers = Teachers(networks, DistillationConfig("x", temperature, weight=0.75), torch.float32)
    images, label_losses = torch.zeros(50, 28, 28, dtype=torch.uint8), torch.arange(50.0)
    targets, probabilities = (teacher_logits / temperature).softmax(1), (student_logits / temperature).softmax(1)
    divergence = temperature**2 * (targets * (targets / probabilities).log()).sum(1)
    assert torch.allclose(
        teachers.losses(label_losses, student_logits, images), 0.25 * label_losses + 0.75 * divergence, rtol=1e-4
    )
    assert torch.allclose(teachers.losses(label_losses, teacher_logits, images), 0.25 * label_losses, atol=1e-4)


@pytest.mark.slow
def test_a_student_learns_from_its_teachers(teacher_runs: Path, idx: Path, tmp_path: Path) -> None:
    """With all labels wrong it predicts the correct classes; environment.json records teachers and their seconds."""
    wrong = tmp_path / "wrong"
    shutil.copytree(idx, wrong)
    (wrong / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels_file((np.arange(200) + 1) % 10)))
    arguments = [f"--data={wrong}", "--epochs=12", "--name=student", *TINY, *OWN, "--set=augmentation.mixup_prob=0.5"]
    run_in_process(tmp_path, "train", "sprint", *arguments, teachers_option(*teacher_paths(teacher_runs)))
    assert json.loads(run_in_process(tmp_path, "evaluate", "runs/student", "--json").stdout)["accuracy"] > 0.5
    record = json.loads((tmp_path / "runs" / "student" / "environment.json").read_text())
    teachers = record["data"]["teachers"]
    assert [(each["run"], each["seed"]) for each in teachers] == [("seed-0", 0), ("seed-1", 1)]
    assert all(
        each["recipe"] == "sprint" and len(each["commit"]) >= 40 and each["seconds"] > 0 and each["parameters"] > 0
        for each in teachers
    )
    info = run_info.read(Run(tmp_path / "runs" / "student"))
    assert info.teacher_seconds == pytest.approx(sum(each["seconds"] for each in teachers))


@pytest.mark.slow
def test_a_training_is_not_resumed_with_other_teachers(teacher_runs: Path, idx: Path, tmp_path: Path) -> None:
    """The probabilities of the teachers are part of the training data."""
    shutil.copytree(teacher_runs / "runs" / "teachers", tmp_path / "teachers")
    arguments = [f"--data={idx}", "--epochs=1", "--name=a", *TINY, *OWN, teachers_option("teachers/seed-0")]
    run_in_process(tmp_path, "train", "sprint", *arguments)
    (tmp_path / "runs" / "a" / "finished").unlink()  # as after a kill before the end
    shutil.rmtree(tmp_path / "teachers" / "seed-0")
    (tmp_path / "teachers" / "seed-1").rename(tmp_path / "teachers" / "seed-0")
    assert "(teachers/seed-0) are not those" in run_in_process(tmp_path, "train", "--resume", "runs/a", code=2).stderr


@pytest.mark.slow
def test_teachers_must_hold_out_the_same_images(teacher_runs: Path, idx: Path, tmp_path: Path) -> None:
    """A teacher that was trained on them is left out; without another one the training is refused."""
    shutil.copytree(teacher_runs / "runs" / "teachers", tmp_path / "teachers")
    arguments = ["train", "sprint", f"--data={idx}", "--epochs=1", *TINY, *OWN, HELD_OUT]
    teachers = teachers_option("teachers/seed-0", "teachers/seed-1")
    assert "None of the teachers" in run_in_process(tmp_path, *arguments, teachers, "--name=a", code=2).stderr
    assert not (tmp_path / "runs").exists()
    run_in_process(tmp_path, *arguments, "--name=fold-0")
    (tmp_path / "runs" / "fold-0").rename(tmp_path / "teachers" / "fold-0")
    with_teachers = [*arguments, teachers_option("teachers/seed-0", "teachers/fold-0")]
    run_in_process(tmp_path, *with_teachers, "--name=b")
    record = json.loads((tmp_path / "runs" / "b" / "environment.json").read_text())
    assert [each["run"] for each in record["data"]["teachers"]] == ["fold-0"]
    assert (
        "None of the teachers"
        in run_in_process(tmp_path, *with_teachers, "--name=c", "--set=data.fold=1", code=2).stderr
    )


def test_teachers_with_other_classes_or_images_are_refused(teacher_runs: Path, tmp_path: Path) -> None:
    """Two classes instead of ten, 28 pixels instead of 32, squash instead of letterbox."""
    recipe = student_recipe(teacher_runs, write_idx_folder(tmp_path / "idx"))
    data = sources.open_training(recipe.data, recipe.seed)
    other = [
        (recipe, replace(data, class_names=("bag", "coat"))),
        (settings.with_settings(recipe, {"data.image_size": 32}), data),
        (settings.with_settings(recipe, {"data.resize_mode": "letterbox"}), data),
    ]
    for changed, changed_data in other:
        with pytest.raises(InputError, match="seed-0 cannot be used: its classes are T-shirt/top"):
            distillation.load_teachers(changed, changed_data, torch.device("cpu"), torch.float32)


def _delete_weights(run: Path) -> None:
    (run / "model.safetensors").unlink()


def _truncate_weights(run: Path) -> None:
    (run / "model.safetensors").write_bytes((run / "model.safetensors").read_bytes()[:-50])


def _replace_weights(run: Path) -> None:
    save_file({"mean": torch.zeros(1), "std": torch.ones(1)}, run / "model.safetensors")


def _delete_metrics(run: Path) -> None:
    (run / "metrics.csv").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_delete_weights, "seed-1 has no weights. Remove it, then train it again, a bench with --keep"),
        (_truncate_weights, "seed-1 cannot be used: "),
        (_replace_weights, "does not fit the network in"),
        (_delete_metrics, "seed-1/metrics.csv"),
    ],
)
def test_a_damaged_teacher_is_refused_before_anything_is_written(
    damage: Callable[[Path], None], message: str, teacher_runs: Path, idx: Path, tmp_path: Path
) -> None:
    """The error names it, and no run folder is created."""
    shutil.copytree(teacher_runs / "runs" / "teachers", tmp_path / "teachers")
    damage(tmp_path / "teachers" / "seed-1")
    arguments = ["train", "sprint", f"--data={idx}", *TINY, *OWN, teachers_option("teachers/seed-0", "teachers/seed-1")]
    assert message in run_in_process(tmp_path, *arguments, code=2).stderr
    assert not (tmp_path / "runs").exists()


def test_a_teacher_must_accept_the_training_size(teacher_runs: Path, idx: Path, tmp_path: Path) -> None:
    """The student may train on a size that its teacher does not accept."""
    arguments = [
        "train",
        "sprint",
        f"--data={idx}",
        *TINY,
        "--set=augmentation.train_size=24",
        "--set=augmentation.random_resized_crop_scale=0.5",
    ]
    arguments += [teachers_option(*teacher_paths(teacher_runs))]
    assert "seed-0 cannot be used" in run_in_process(tmp_path, *arguments, code=2).stderr


@pytest.mark.parametrize("name", ["nowhere", "empty", "file"])
def test_a_teacher_must_be_a_finished_run(name: str, idx: Path, tmp_path: Path) -> None:
    """The error says how to train teachers."""
    (tmp_path / "empty").mkdir(parents=True)
    (tmp_path / "file").write_text("")
    arguments = ["train", "sprint", f"--data={idx}", *TINY, f"--set=distillation.teachers={name}"]
    error = run_in_process(tmp_path, *arguments, code=2).stderr
    assert f"There is no finished run {tmp_path / name}" in error
    assert "modiste train marathon-teacher --fold 0 --name teachers/fold-0" in error
