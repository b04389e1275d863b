"""The linear probe: a head fitted to features that are computed once."""

import signal
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from helpers.progress import Silent
from modiste.errors import SettingError, Stopped, TrainingError
from modiste.models.layers import MeanPoolHead
from modiste.models.normalized import NormalizedModel
from modiste.recipes import settings
from modiste.recipes.named import photo_quick
from modiste.recipes.recipe import Recipe
from modiste.runs.folder import Run
from modiste.training import linear_probe, targets
from modiste.training import run as training_run
from modiste.training.build import build_training

COUNT, CLASSES = 90, 3
PLAIN = torch.arange(COUNT) % 7 % CLASSES
"""Classes of different sizes."""


def network() -> NormalizedModel:
    """Twelve random features of convolutions, and a head."""
    torch.manual_seed(0)
    features = nn.Sequential(nn.Conv2d(3, 12, 3), nn.ReLU())
    body = nn.Sequential(OrderedDict(features=features, head=MeanPoolHead(12, CLASSES, dropout=0.5)))
    return NormalizedModel(body, torch.tensor([0.5]), torch.tensor([0.3]))


def images(labels: Tensor) -> Tensor:
    """Noise that is brighter in one color for each class."""
    pixels = np.random.default_rng(0).integers(0, 180, (COUNT, 8, 8, 3), dtype=np.uint8)
    pixels[np.arange(COUNT), :, :, labels.numpy()] += 20
    return torch.from_numpy(pixels)


def test_the_head_is_that_of_logistic_regression() -> None:
    """For one label each, scikit-learn's LogisticRegression gives the same probabilities, and so does the network."""
    model, photos, image_weights = network(), images(PLAIN), torch.linspace(0.2, 1.8, COUNT).double()
    features = linear_probe.compute_features(model, photos, torch.float32, lambda *_: None).numpy()
    inputs = (features - features.mean(0)) / (features - features.mean(0)).std()
    logits = linear_probe.fit_head(model, photos, PLAIN, (), image_weights)
    reference = LogisticRegression(C=1 / linear_probe.DEFAULT_PENALTY, tol=1e-8, max_iter=1000)
    reference.fit(inputs, PLAIN.numpy(), image_weights.numpy())
    np.testing.assert_allclose(logits.softmax(1), reference.predict_proba(inputs), atol=2e-3)
    with torch.no_grad():
        torch.testing.assert_close(model(photos), logits, atol=1e-4, rtol=1e-4)


def test_candidate_labels_are_resolved() -> None:
    """Where labels.json gives half of the images two labels, the right one of them is predicted."""
    candidates = nn.functional.one_hot(PLAIN, CLASSES).bool()
    candidates[::2] |= nn.functional.one_hot((PLAIN[::2] + 1) % CLASSES, CLASSES).bool()
    cuts = linear_probe.find_cuts(candidates, None, seed=0)
    logits = linear_probe.fit_head(network(), images(PLAIN), candidates, cuts)
    assert targets.is_correct(logits, PLAIN).double().mean() > 0.9


def test_cross_validation_does_not_cut_groups() -> None:
    """Five copies of an image whose label is random: only where groups are cut does a weak penalty seem better."""
    groups, labels = np.repeat(np.arange(24), 5), torch.from_numpy(np.repeat(np.arange(24) % 2, 5))
    inputs = torch.from_numpy(np.random.default_rng(0).normal(size=(24, 40))[groups]).float()
    regression = linear_probe._Regression(inputs, labels, torch.ones(120), num_classes=2)
    grouped, alone = (
        regression.choose_penalty(linear_probe.find_cuts(labels, each, seed=0)) for each in (groups, None)
    )
    assert grouped >= 1000
    assert alone <= 10


def test_features_that_are_not_numbers_are_a_failed_training() -> None:
    """The error names what to change, and the head stays as it is."""
    model = network()
    before = linear_probe.find_head(model).weight.clone()
    next(model.body.parameters()).data.fill_(torch.nan)
    with pytest.raises(TrainingError, match=r"model\.weights"):
        linear_probe.fit_head(model, images(PLAIN), PLAIN)
    assert torch.equal(before, linear_probe.find_head(model).weight)


def recipe(idx: Path, model: str = "residual") -> Recipe:
    """`photo-quick` with a small network of random features, for gray images."""
    small = {"model.name": model, "model.weights": "", "model.fold_batch_norm": False, "model.width": 4}
    data = {"data.source": str(idx), "data.channels": 1, "data.image_size": 28}
    exact = {"compute.threads": 1, "compute.precision": "fp32"}
    return settings.with_settings(photo_quick(), {**small, **data, **exact})


class _Signal(Silent):
    """Sends SIGTERM at one call of `on_step`, counted from 1 in an epoch, or in all of them."""

    def __init__(self, at: int, epoch: int | None = None) -> None:
        self.at, self.epoch = at, epoch

    def on_step(self, epoch: int, step: int, steps: int) -> None:
        self.at -= self.epoch in (epoch, None)
        if not self.at:
            self.at = -1
            signal.raise_signal(signal.SIGTERM)


@pytest.fixture(scope="module")
def uninterrupted(idx: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The weights of a run that nothing stops."""
    run = training_run.start(recipe(idx), tmp_path_factory.mktemp("runs") / "a", Silent())
    return run.weights.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("at", [2, 25], ids=["a batch", "an iteration"])
def test_a_stopped_fit_starts_again(at: int, idx: Path, tmp_path: Path, uninterrupted: bytes) -> None:
    """A signal stops it at once, before anything is saved; `resume` ends with bit-identical weights (fault 31)."""
    path = tmp_path / "a"
    with pytest.raises(Stopped, match=r"train --resume .*a"):
        training_run.start(recipe(idx), path, _Signal(at))
    assert not Run(path).last.exists()
    assert training_run.resume(path, Silent()).weights.read_bytes() == uninterrupted


def test_a_network_without_such_a_head_is_refused(idx: Path, tmp_path: Path) -> None:
    """Before anything is written; the error names the networks that have one."""
    with pytest.raises(SettingError, match="efficientnet_lite1 or residual"):
        training_run.start(recipe(idx, "cnn"), tmp_path / "a", Silent())
    assert not (tmp_path / "a").exists()


@pytest.fixture(scope="module")
def pretrained(idx: Path, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """A training from the weights of another run, head first, with half of the initial weights in its average."""
    run = training_run.start(recipe(idx), tmp_path_factory.mktemp("runs") / "pretrained", Silent())
    changes = {
        "optimizer.name": "adamw",
        "optimizer.batch_size": 32,
        "optimizer.lr": 1e-3,
        "optimizer.momentum": 0.9,
        "optimizer.ema_decay": 0.5,
        "optimizer.initial_weight": 0.5,
        "model.weights": str(run.weights),
        "model.head_init": "linear_probe",
    }
    return settings.with_settings(recipe(idx), changes)


def test_fine_tuning_begins_with_a_fitted_head(pretrained: Recipe) -> None:
    """The network has it, and so have the moving average and the initial weights that are mixed into it."""
    training = build_training(pretrained)
    fitted = training.state.network.body.head.linear.weight
    fitted.data.zero_()
    linear_probe.initialize_head(training.state, training.batches, training.step, Silent(), lambda: False)
    assert fitted.abs().sum() > 1
    assert training.state.ema is not None
    assert torch.equal(training.state.ema.evaluated_model.body.head.linear.weight, fitted)


@pytest.mark.slow
@pytest.mark.parametrize("epoch", [0, 1], ids=["in the fit", "in the first epoch"])
def test_fine_tuning_is_resumed_after_a_fitted_head(epoch: int, pretrained: Recipe, tmp_path: Path) -> None:
    """Stopped before its end, the fit is repeated; stopped later, it is not. The weights are bit-identical."""
    expected = training_run.start(pretrained, tmp_path / "whole", Silent()).weights.read_bytes()
    with pytest.raises(Stopped, match=r"train --resume .*stopped"):
        training_run.start(pretrained, tmp_path / "stopped", _Signal(2, epoch))
    assert Run(tmp_path / "stopped").last.exists() == (epoch == 1)
    assert training_run.resume(tmp_path / "stopped", Silent()).weights.read_bytes() == expected
