"""Batches: images in memory as uint8, gathered and augmented a whole batch at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from modiste.recipes.recipe import AugmentationConfig
from modiste.training import augmentation
from modiste.training.randomness import generator


@dataclass(frozen=True, slots=True)
class Batches:
    """The training images in a new order each epoch.

    Args:
        images: uint8 [n, s, s] or [n, s, s, 3], on the device of the training.
        labels: targets, int64 [n] or bool [n, labels], likewise; where images are mixed floats [n, labels].
        batch: images a step. What is left over after whole batches waits for another epoch's order, since a small
            last batch would distort batch norm; fewer images than one batch are one batch.
        augmentation: changes of the images.
        seed: with epoch and step it decides order and changes.
        drop: share of the images that every epoch but the first leaves out.
    """

    images: Tensor
    labels: Tensor
    batch: int
    augmentation: AugmentationConfig
    seed: int
    drop: float = 0.0

    def order(self, epoch: int, losses: Tensor) -> Tensor:
        """Return which images an epoch takes, in the order it takes them: int64, at least a batch.

        Args:
            epoch: from 0.
            losses: float32 [n], of each image when it was last seen; infinite for one that never was. After the first
                epoch the images with the lowest are left out, as `drop` says: little is left to learn from them.
        """
        random = generator(self.images.device, self.seed, "order", epoch)
        count = len(self.labels)
        if not self.drop or not epoch:
            return torch.randperm(count, generator=random, device=self.images.device)
        kept = losses.topk(max(min(self.batch, count), round(count * (1 - self.drop)))).indices
        return kept[torch.randperm(len(kept), generator=random, device=self.images.device)]

    def steps(self, order: Tensor) -> int:
        """Steps of an epoch that takes these images."""
        return max(1, len(order) // self.batch)

    def __call__(self, epoch: int, order: Tensor, first_step: int = 0) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield places, images and labels of the epoch's steps, from `first_step` on."""
        for step in range(first_step, self.steps(order)):
            chosen = order[step * self.batch : (step + 1) * self.batch]
            random = generator(self.images.device, self.seed, "augmentation", epoch, step)
            images, labels = augmentation.augment(self.images[chosen], random, self.augmentation), self.labels[chosen]
            if self.augmentation.mixup_prob:
                images, labels = augmentation.mix(images, labels, random, self.augmentation.mixup_prob)
            yield chosen, images, labels
