"""Batches: images in memory as uint8, gathered and augmented one batch at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from modiste.data.split import Groups
from modiste.recipes.config import AugmentationConfig
from modiste.training import augmentation
from modiste.training.randomness import generator
from modiste.training.ranks import SINGLE, Ranks


@dataclass(frozen=True, slots=True)
class Batches:
    """The training images, in a new order each epoch.

    Args:
        images: uint8 [n, s, s] or [n, s, s, 3], on the device of the training.
        targets: as `targets.losses` takes them; floats [n, k] where mixup is on.
        batch_size: images a step. What is left over after whole batches is left out of the epoch, since a small last
            batch would distort batch norm. Fewer images than one batch are one batch.
        augmentation: changes of the images.
        seed: decides order and augmentation, with epoch and step.
        skip_easy_fraction: share of the images that every epoch but the first leaves out.
        weights: float64 [n] with the mean 1, how often an epoch has each image; None: once.
        groups: of the images, for cross-validation.
        ranks: the processes of the training, of which each augments its slice of a batch with random numbers of its
            own.
    """

    images: Tensor
    targets: Tensor
    batch_size: int
    augmentation: AugmentationConfig
    seed: int
    skip_easy_fraction: float = 0.0
    weights: Tensor | None = None
    groups: Groups | None = None
    ranks: Ranks = SINGLE

    def order(self, epoch: int, losses: Tensor) -> Tensor:
        """Return the indices of the images of an epoch (from 0) in their order, int64, at least one batch.

        After the first epoch, only the 1 - `skip_easy_fraction` of the images with the highest loss at their last step,
        `losses`, float32 [n], are trained on, as there is little left to learn from the others (online hard example
        mining, Shrivastava et al. 2016, over an epoch instead of a batch).
        """
        count = len(self.targets)
        random = generator(self.images.device, self.seed, "order", epoch)
        if self.weights is not None:
            return self._weighted_order(self.weights, random)
        if not self.skip_easy_fraction or not epoch:
            return torch.randperm(count, generator=random, device=self.images.device)
        hard = losses.topk(max(min(self.batch_size, count), round(count * (1 - self.skip_easy_fraction)))).indices
        return hard[torch.randperm(len(hard), generator=random, device=self.images.device)]

    def _weighted_order(self, weights: Tensor, random: Generator) -> Tensor:
        """Draw as many images as there are, each as often as its weight, rounded up or down (systematic sampling)."""
        count, device = len(weights), weights.device
        start = torch.rand(1, generator=random, device=device, dtype=torch.float64)
        points = torch.arange(count, device=device) + start
        drawn = torch.searchsorted(weights.cumsum(0), points).clamp(max=count - 1)
        return drawn[torch.randperm(count, generator=random, device=device)]

    def steps(self, order: Tensor) -> int:
        """Return the number of steps of an epoch in this order."""
        return max(1, len(order) // self.batch_size)

    def indices(self, order: Tensor, step: int) -> Tensor:
        """Return the indices of the images of a step, int64 [b]."""
        return order[step * self.batch_size : (step + 1) * self.batch_size]

    def __call__(self, epoch: int, order: Tensor, first_step: int = 0) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield indices, augmented images and targets of each step of an epoch, from `first_step` on.

        With several processes, the indices are those of the batch, images and targets those of this process's slice.
        """
        for step in range(first_step, self.steps(order)):
            indices = self.indices(order, step)
            own = self.ranks.slice(indices)
            random = generator(self.images.device, self.seed, "augmentation", epoch, step, self.ranks.rank)
            images = augmentation.augment(self.images[own], random, self.augmentation)
            targets = self.targets[own]
            if self.augmentation.mixup_prob:
                images, targets = augmentation.mixup(images, targets, random, self.augmentation.mixup_prob)
            yield indices, images, targets
