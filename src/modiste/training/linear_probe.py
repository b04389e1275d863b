"""Linear probe: a linear head fitted to features of the network before it, which are computed once.

The head is multinomial logistic regression, the linear evaluation of pretrained features of Kornblith et al. 2019,
arXiv 1805.08974: L-BFGS, and an L2 penalty chosen by cross-validation.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import LBFGS

from modiste.data.folds import stratified_folds
from modiste.data.split import Groups, Indices
from modiste.errors import SettingError, TrainingError
from modiste.models.layers import MeanMaxPoolHead, MeanPoolHead
from modiste.models.normalized import NormalizedModel
from modiste.runs.metrics_file import EpochMetrics
from modiste.training import targets
from modiste.training.batches import Batches
from modiste.training.loop import ProgressCallback, State, end_epoch
from modiste.training.schedule import Schedule
from modiste.training.step import Step
from modiste.training.validator import Validator

Cuts = Sequence[tuple[Indices, Indices]]
"""Of each fold of a cross-validation the indices of the images that are fitted and that are held out."""

OnStep = Callable[[int, int], None]
"""Receives that a batch of so many has ended, and each iteration after the last one; may raise to stop."""

PENALTIES = (1e4, 3e3, 1e3, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0)
"""L2 penalties to choose from, for features of unit variance; the strongest first. 1 / `C` in scikit-learn."""

DEFAULT_PENALTY = 100.0
"""Where a class has too few images or groups for cross-validation; what it chooses for most folders of photos."""

FOLDS = 5

FEATURE_BATCH = 8
"""Images a step while features are computed: the activations of more do not fit the cache of a CPU core."""

EXACT, ROUGH = (1e-6, 1e-7), (1e-3, 1e-4)
"""Tolerances of L-BFGS for gradient and change: of the head, and to compare penalties, which takes a fifth of the
steps (docs/log.md)."""


class _StopRequested(Exception):
    """Leaves the computation of the features or the fit."""


def train(
    state: State,
    batches: Batches,
    step: Step,
    schedule: Schedule,
    validator: Validator,
    save: Callable[[State], None],
    progress: ProgressCallback,
    stop_requested: Callable[[], bool],
) -> None:
    """Fit the head in one epoch, in place of `loop.train`; nothing is saved when a stop is requested before its end.

    Raises:
        TrainingError: a feature is not finite.
        NotANumber: the validation loss is not finite.
    """
    if schedule.finished(state.history):
        return
    started = time.perf_counter()
    state.network.eval_blur = schedule.recipe.model.eval_blur  # the features are those of evaluation
    logits = _fit_to_batches(state.network, batches, step.precision, partial(progress.on_step, 1), stop_requested)
    if logits is None:
        return
    labels = batches.targets.cpu()
    loss = targets.losses(logits, labels).mean().item()
    accuracy = targets.is_correct(logits, labels).double().mean().item()
    val_loss, val_accuracy = validator(state.network)
    lr, seconds = schedule.learning_rate(state.history, 1.0), time.perf_counter() - started
    metrics = EpochMetrics(1, loss, accuracy, val_loss, val_accuracy, lr, seconds)
    end_epoch(state, metrics, schedule, save, progress)


def initialize_head(
    state: State, batches: Batches, step: Step, progress: ProgressCallback, stop_requested: Callable[[], bool]
) -> None:
    """Fit the head before the first epoch, unless a stop is requested; raises as `fit_head`.

    Head first and then the network distorts the pretrained features less (Kumar et al. 2022, arXiv 2202.10054).
    """
    logits = _fit_to_batches(state.network, batches, step.precision, partial(progress.on_step, 0), stop_requested)
    if logits is not None and state.ema:
        state.ema.restart(state.network)


def _fit_to_batches(
    network: NormalizedModel,
    batches: Batches,
    precision: torch.dtype,
    show_step: OnStep,
    stop_requested: Callable[[], bool],
) -> Tensor | None:
    """Fit the head to all training images as `fit_head`; None where a stop is requested."""

    def on_step(done: int, steps: int) -> None:
        show_step(done, steps)
        if stop_requested():
            raise _StopRequested

    images, labels = batches.images, batches.targets
    cuts = find_cuts(labels, batches.groups, batches.seed)
    try:
        return fit_head(network, images, labels, cuts, batches.weights, precision, on_step)
    except _StopRequested:
        return None


def find_cuts(labels: Tensor, groups: Groups | None, seed: int) -> Cuts:
    """Cut images stratified by their targets, without cutting a group; none where a class has too few images."""
    strata = np.unique(labels.cpu().numpy(), axis=0, return_inverse=True)[1].reshape(-1)
    return stratified_folds(strata, FOLDS, seed, groups)


def fit_head(
    network: NormalizedModel,
    images: Tensor,
    labels: Tensor,
    cuts: Cuts = (),
    image_weights: Tensor | None = None,
    precision: torch.dtype = torch.float32,
    on_step: OnStep = lambda _, __: None,
) -> Tensor:
    """Fit the last linear layer of a network in place, to all images; the layers before it are not changed.

    Args:
        network: ends in pooling and a linear layer. It is in evaluation mode afterwards.
        images: uint8 [n, s, s] or [n, s, s, 3], on the network's device.
        labels: targets in one of the forms of `targets.losses`.
        cuts: folds of the cross-validation that chooses the penalty; without any it is `DEFAULT_PENALTY`.
        image_weights: of the losses, float64 [n] with the mean 1; None: all 1.
        precision: in which the features are computed; the head is fitted in float32.
        on_step: receives the progress.

    Returns:
        The logits of the images, float32 [n, k], on the CPU.

    Raises:
        SettingError: the network has no such head.
        TrainingError: a feature is not finite.
    """
    linear, steps = find_head(network), -(-len(images) // FEATURE_BATCH)
    features = compute_features(network, images, precision, on_step).cpu()
    mean = features.mean(0)
    std = (features - mean).std(correction=0).clamp_min(1e-12)  # one for all: a feature that varies little says little
    inputs = (features - mean) / std
    all_images = torch.ones(len(images)) if image_weights is None else image_weights.cpu().float()
    regression = _Regression(inputs, labels.cpu(), all_images, linear.out_features, lambda: on_step(steps, steps))
    weights = regression.fit(np.arange(len(images)), regression.choose_penalty(cuts), EXACT)
    scaled = weights[:, :-1] / std
    with torch.no_grad():
        linear.weight.copy_(scaled)
        linear.bias.copy_(weights[:, -1] - scaled @ mean)
    return _logits(inputs, weights)


def find_head(network: NormalizedModel) -> nn.Linear:
    """Return the last linear layer of a network that ends in pooling and that layer; raise SettingError for another."""
    head = getattr(network.body, "head", None)
    if not isinstance(head, MeanPoolHead | MeanMaxPoolHead):
        raise SettingError(
            "This network does not end in pooling and one linear layer, which optimizer.name=lbfgs fits. Set "
            "model.name to efficientnet_lite1 or residual, or use another optimizer."
        )
    return head.linear


def freeze_features(network: NormalizedModel) -> None:
    """Let only the head be trained; raise SettingError for a network without one."""
    head = find_head(network)
    network.requires_grad_(False)
    head.requires_grad_(True)


@torch.no_grad()
def compute_features(network: NormalizedModel, images: Tensor, precision: torch.dtype, on_step: OnStep) -> Tensor:
    """Return the inputs of the head in evaluation mode, float32 [n, d], for uint8 images on the network's device.

    Raises TrainingError unless all are finite.
    """
    network.eval()
    features: list[Tensor] = []
    batches = images.split(FEATURE_BATCH)
    hook = find_head(network).register_forward_pre_hook(lambda _, inputs: features.append(inputs[0].float()))
    try:
        for done, batch in enumerate(batches, start=1):
            with torch.autocast(images.device.type, precision, enabled=precision != torch.float32):
                network(batch)
            on_step(done, len(batches))
    finally:
        hook.remove()
    result = torch.cat(features)
    if not result.isfinite().all():
        raise TrainingError("The network's features are not numbers. Give other weights with --set model.weights=.")
    return result


@dataclass(frozen=True, slots=True)
class _Regression:
    """Multinomial logistic regression.

    Args:
        inputs: standardized features, float32 [n, d].
        labels: targets in one of the forms of `targets.losses`.
        image_weights: of the losses, float32 [n].
        num_classes: k.
        on_iteration: called in each iteration; may raise to stop.
    """

    inputs: Tensor
    labels: Tensor
    image_weights: Tensor
    num_classes: int
    on_iteration: Callable[[], None] = lambda: None

    def choose_penalty(self, cuts: Cuts) -> float:
        """Return the penalty with the lowest weighted loss of held-out images, from the strongest to the first rise."""
        starts = [self._zeros() for _ in cuts]
        best, best_loss = DEFAULT_PENALTY, float("inf")
        for penalty in PENALTIES if cuts else ():
            starts = [self.fit(fitted, penalty, ROUGH, start) for (fitted, _), start in zip(cuts, starts, strict=True)]
            losses = [self.losses(held_out, w).sum().item() for (_, held_out), w in zip(cuts, starts, strict=True)]
            if sum(losses) > best_loss:
                break
            best, best_loss = penalty, sum(losses)
        return best

    def fit(
        self, rows: Indices, penalty: float, tolerances: tuple[float, float], start: Tensor | None = None
    ) -> Tensor:
        """Minimize weighted loss and penalty over these rows, [k, d + 1] with the biases last, from `start` or 0."""
        weights = (self._zeros() if start is None else start.clone()).requires_grad_()
        subset = replace(
            self, inputs=self.inputs[rows], labels=self.labels[rows], image_weights=self.image_weights[rows]
        )
        gradient, change = tolerances
        optimizer = LBFGS(
            [weights], max_iter=1000, tolerance_grad=gradient, tolerance_change=change, line_search_fn="strong_wolfe"
        )

        def closure() -> Tensor:
            self.on_iteration()
            losses = subset.losses(slice(None), weights)
            loss = losses.mean() + penalty / 2 * weights[:, :-1].square().sum() / len(rows)
            (weights.grad,) = torch.autograd.grad(loss, weights)
            return loss

        optimizer.step(closure)
        return weights.detach()

    def losses(self, rows: Indices | slice, weights: Tensor) -> Tensor:
        """Return the weighted losses of these rows, [r], with weights [k, d + 1]."""
        losses = targets.losses(_logits(self.inputs[rows], weights), self.labels[rows])
        return self.image_weights[rows] * losses

    def _zeros(self) -> Tensor:
        return torch.zeros(self.num_classes, self.inputs.shape[1] + 1)


def _logits(inputs: Tensor, weights: Tensor) -> Tensor:
    return torch.addmm(weights[:, -1], inputs, weights[:, :-1].T)
