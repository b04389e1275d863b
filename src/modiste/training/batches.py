"""Batches: images in memory as uint8, gathered and augmented a whole batch at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from modiste.recipes.recipe import Augmentation
from modiste.training import augmentation
from modiste.training.randomness import generator


@dataclass(frozen=True, slots=True)
class Batches:
    """The training images in a new order each epoch.

    Args:
        images: uint8 [n, s, s] or [n, s, s, 3], on the device of the training.
        labels: int64 [n], likewise.
        batch: images a step. What is left over after whole batches waits for another epoch's order, since a small
            last batch would distort batch norm; fewer images than one batch are one batch.
        augmentation: changes of the images.
        seed: with epoch and step it decides order and changes.
    """

    images: Tensor
    labels: Tensor
    batch: int
    augmentation: Augmentation
    seed: int

    @property
    def steps(self) -> int:
        """Steps an epoch."""
        return max(1, len(self.labels) // self.batch)

    def __call__(self, epoch: int, first_step: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images and labels of the epoch's steps, from `first_step` on."""
        device = self.images.device
        order = torch.randperm(len(self.labels), generator=generator(device, self.seed, "order", epoch), device=device)
        for step in range(first_step, self.steps):
            chosen = order[step * self.batch : (step + 1) * self.batch]
            random = generator(device, self.seed, "augmentation", epoch, step)
            yield augmentation.augment(self.images[chosen], random, self.augmentation), self.labels[chosen]

    def indices(self, epoch: int, step: int) -> list[int]:
        """Return which training images a step took, for finding the one that broke it."""
        random = generator(self.images.device, self.seed, "order", epoch)
        order = torch.randperm(len(self.labels), generator=random, device=self.images.device)
        return order[step * self.batch : (step + 1) * self.batch].tolist()
