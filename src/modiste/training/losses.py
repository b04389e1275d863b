"""The loss of the labels: cross-entropy or one of the user's own, with weights of the classes."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from modiste.errors import SettingError
from modiste.recipes import factories
from modiste.recipes.config import LossConfig
from modiste.recipes.ranges import is_factory
from modiste.recipes.recipe import Recipe
from modiste.training import targets

CONTRACT = (
    "A loss's factory takes loss.options by keyword and returns a function of logits [b, k] and targets, which returns "
    "the loss of each image, [b]."
)

LossFunction = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class LabelLoss:
    """The loss of each image, float32 [b], for logits, float32 [b, k], and targets as `targets.losses` takes them.

    Args:
        label_smoothing: of the cross-entropy.
        class_weights: float32 [k], factors of the losses; None: all 1.
        own: the user's own loss in place of the cross-entropy.
    """

    label_smoothing: float = 0.0
    class_weights: Tensor | None = None
    own: LossFunction | None = None

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the weighted losses."""
        losses = self.own(logits, labels) if self.own else targets.losses(logits, labels, self.label_smoothing)
        return losses if self.class_weights is None else losses * _image_weights(labels, self.class_weights)


def create_loss(recipe: Recipe, labels: Tensor, num_classes: int) -> LabelLoss:
    """Return the loss of a recipe for the targets of its training images; raise a SettingError if it cannot be used."""
    weights = class_weights(recipe.loss, labels, num_classes) if recipe.loss.class_weights else None
    own = _create_own(recipe.loss, labels, num_classes) if is_factory(recipe.loss.name) else None
    return LabelLoss(recipe.optimizer.label_smoothing, weights, own)


def class_weights(options: LossConfig, labels: Tensor, num_classes: int) -> Tensor:
    """Return weights of the classes, float32 [k], whose mean over the training images is 1.

    A balanced weight is n / (k * images of the class), as in scikit-learn's `compute_class_weight`; an image with
    several candidate labels counts for each of them in equal parts.

    Raises:
        SettingError: there is another number of weights than of classes.
    """
    if options.class_weights == "balanced":
        counts = _image_weights(labels, torch.eye(num_classes, device=labels.device)).sum(0)
        weights = counts.sum() / (num_classes * counts.clamp_min(1e-9))
        weights[counts == 0] = 1.0  # of a class without images, which has no loss
    else:
        if len(options.class_weights) != num_classes:
            raise SettingError(
                f"loss.class_weights has {len(options.class_weights)} numbers, but there are {num_classes} classes. "
                "Give one for each, in the order of the classes, or balanced."
            )
        weights = torch.tensor(options.class_weights, dtype=torch.float32, device=labels.device)
    return weights / _image_weights(labels, weights).mean()


def _image_weights(labels: Tensor, weights: Tensor) -> Tensor:
    """Return the weight of each image, [n] or [n, j], for weights [k] or [k, j]: the mean over its candidate labels."""
    if labels.dim() == 1:
        return weights[labels]
    distributions = labels.to(weights.dtype)
    return distributions @ weights / distributions.sum(1).reshape(-1, *[1] * (weights.dim() - 1))


def _create_own(options: LossConfig, labels: Tensor, num_classes: int) -> LossFunction:
    factory = factories.find("loss.name", options.name)
    with factories.explained("loss.name", options.name, CONTRACT, factory):
        own: LossFunction = factory(**options.options)
        if isinstance(own, nn.Module):
            own = _without_parameters(own, options).to(labels.device)
        logits = torch.zeros(min(2, len(labels)), num_classes, device=labels.device, requires_grad=True)
        losses = own(logits, labels[:2])
        if not isinstance(losses, Tensor) or losses.shape != logits.shape[:1]:
            shape = tuple(losses.shape) if isinstance(losses, Tensor) else type(losses).__name__
            raise SettingError(
                f"loss.name is {options.name!r}, which returns {shape} for two images, but it must be (2,): the loss "
                "of each image. Losses of torch.nn do so with loss.options.reduction=none."
            )
        losses.mean().backward()
    return own


def _without_parameters(own: nn.Module, options: LossConfig) -> nn.Module:
    """Return a loss; raise a SettingError if it has parameters, which no optimizer would update."""
    if any(parameter.requires_grad for parameter in own.parameters()):
        raise SettingError(
            f"loss.name is {options.name!r}, which has parameters of its own, but only those of the network are "
            "trained. Move them into the network."
        )
    return own
