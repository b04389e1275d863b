"""Trainings on a GPU, and what a machine without one can check of them."""

from pathlib import Path

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from helpers.command import OWN, TINY, TRICKS, parse
from helpers.progress import Silent
from helpers.training import train_steps
from modiste.errors import SettingError
from modiste.inference import model_file
from modiste.models import networks
from modiste.models.normalized import NormalizedModel
from modiste.recipes import named, settings
from modiste.recipes.recipe import Recipe
from modiste.runs import files
from modiste.training import batches, checkpoint, compute, targets
from modiste.training import run as training_run
from modiste.training.batches import Batches
from modiste.training.build import build_training
from modiste.training.validator import predict_logits

HAS_GPU = torch.cuda.is_available()
GRAY = [name for name in named.NAMED if not name.startswith("photo") and not named.resolve(name).distillation.teachers]

on_gpu = pytest.mark.skipif(not HAS_GPU, reason="needs a CUDA GPU")


def tiny(idx: Path, device: str, **more: object) -> Recipe:
    """All tricks, in fp32."""
    changes = {**parse(*TINY, *OWN, *TRICKS), "data.source": str(idx), "schedule.epochs": 3, "optimizer.lr": 0.05}
    changes |= {"early_stopping.patience": 9, "compute.device": device, "compute.precision": "fp32", **more}
    return settings.with_settings(named.classic_cnn(), changes)


@pytest.mark.parametrize("name", GRAY)
def test_no_step_mixes_devices(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Order, batch, augmentation, network and loss, on tensors that only claim to be on a GPU.

    An operation on tensors of two devices is an error, as it would be on a GPU.
    """
    monkeypatch.setattr(batches, "generator", lambda *_: None)  # one of CUDA needs a driver
    recipe = named.resolve(name)
    with FakeTensorMode(), torch.device("cuda"), torch.no_grad():
        body = networks.build(recipe.model, 10, recipe.data, recipe.augmentation.train_size)
        network = NormalizedModel(body, torch.full((1,), 0.3), torch.full((1,), 0.3))
        labels = torch.zeros(64, dtype=torch.int64)
        labels = targets.to_distributions(labels, 10) if recipe.augmentation.mixup_prob else labels
        images = torch.zeros(64, 28, 28, dtype=torch.uint8)
        each = Batches(images, labels, 32, recipe.augmentation, 0, recipe.schedule.skip_easy_fraction)
        losses = torch.zeros(64)
        for indices, augmented, truth in each(1, each.order(1, losses)):
            logits = network(augmented)
            losses[indices] = targets.losses(logits, truth, recipe.optimizer.label_smoothing)
            assert (augmented.device.type, logits.device.type) == ("cuda", "cuda")
            assert targets.is_correct(logits, truth).device.type == "cuda"


@pytest.mark.skipif(HAS_GPU, reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_an_error(idx: Path) -> None:
    """The message names the devices there are; `auto` takes the CPU."""
    with pytest.raises(SettingError, match=r"There is no device 'cuda' here\. Choose one of cpu"):
        build_training(tiny(idx, "cuda"))
    assert compute.resolve_device(tiny(idx, "auto").compute) == torch.device("cpu")


@pytest.mark.cuda
@on_gpu
@pytest.mark.parametrize("name", GRAY)
def test_every_recipe_trains_a_step_on_the_gpu(name: str, idx: Path) -> None:
    """In the precision that `auto` chooses."""
    changes = {"data.source": str(idx), "schedule.epochs": 1, "optimizer.batch_size": 100, "compute.device": "cuda"}
    training = build_training(settings.with_settings(named.resolve(name), changes))
    train_steps(training)
    assert len(training.state.history) == 1
    assert training.state.losses.is_cuda


@pytest.mark.cuda
@on_gpu
def test_auto_is_bf16_where_the_gpu_has_it() -> None:
    """Since Ampere."""
    device = torch.device("cuda")
    expected = "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    assert compute.choose_precision(device) == expected


@pytest.mark.cuda
@on_gpu
@pytest.mark.parametrize("name", ["sprint", "marathon", "classic-cnn", "classic-resnet18"])
def test_gpu_and_cpu_give_the_same_logits(name: str, idx: Path) -> None:
    """In fp32, which is not TF32, of the same weights."""
    changes = {"data.source": str(idx), "compute.device": "cpu", "compute.precision": "fp32"}
    training = build_training(settings.with_settings(named.resolve(name), changes))
    network, images = training.state.network, training.batches.images[:50]
    on_cpu = predict_logits(network, images)
    assert torch.allclose(predict_logits(network.cuda(), images.cuda()).cpu(), on_cpu, atol=1e-3)


@pytest.mark.cuda
@on_gpu
def test_a_training_on_the_gpu_resumes(idx: Path, tmp_path: Path) -> None:
    """From a checkpoint in the middle of an epoch, with all its state on the GPU; it ends near the unbroken one."""
    recipe = tiny(idx, "cuda")
    unbroken, stopped, resumed = (build_training(recipe) for _ in range(3))
    train_steps(unbroken)
    train_steps(stopped, lambda state: checkpoint.save(state, tmp_path), stop_after=11)
    checkpoint.load(resumed.state, tmp_path)
    assert resumed.state.losses.is_cuda
    assert resumed.state.order.is_cuda
    train_steps(resumed)
    for one, other in zip(unbroken.state.history, resumed.state.history, strict=True):
        assert one.train_loss == pytest.approx(other.train_loss, abs=0.02)


@pytest.mark.cuda
@on_gpu
def test_a_run_on_the_gpu_has_all_its_files(idx: Path, tmp_path: Path) -> None:
    """The exported model is verified against the network, and the run says on which GPU it was trained."""
    run = training_run.start(tiny(idx, "cuda"), tmp_path / "run", Silent())
    assert run.finished
    assert files.read_json(run.environment)["device"] == torch.cuda.get_device_name()
    assert model_file.load(run.model).class_names
