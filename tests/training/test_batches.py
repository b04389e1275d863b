"""Batches: selection, order and augmentation of the training images."""

import torch
from torch import Tensor

from modiste.recipes.config import AugmentationConfig
from modiste.training.batches import Batches

IMAGES = torch.randint(1, 256, (64, 28, 28), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
NO_LOSSES = torch.full((64,), torch.inf)


def create_batches(**changes: object) -> Batches:
    """Batches with augmentation; the label of an image is its index."""
    options = AugmentationConfig(horizontal_flip=True, random_crop_padding=4, random_erasing_prob=0.5)
    values = {"images": IMAGES, "targets": torch.arange(64), "batch_size": 10, "augmentation": options, "seed": 3}
    return Batches(**(values | changes))  # type: ignore[arg-type]


def epoch_steps(batches: Batches, epoch: int, losses: Tensor = NO_LOSSES) -> list[tuple[Tensor, Tensor, Tensor]]:
    """All steps of an epoch: (indices, images, targets) each."""
    return list(batches(epoch, batches.order(epoch, losses)))


def test_a_batch_does_not_depend_on_the_first_step() -> None:
    """The fourth batch is bit-identical whether or not the first three were drawn before it."""
    batches = create_batches()
    alone = next(iter(batches(2, batches.order(2, NO_LOSSES), first_step=3)))
    assert all(torch.equal(one, other) for one, other in zip(epoch_steps(batches, 2)[3], alone, strict=True))


def test_mixup_gives_mixed_targets() -> None:
    """A target has the weights of two labels, which sum to 1; it does not depend on the first step."""
    batches = create_batches(augmentation=AugmentationConfig(mixup_prob=1.0), targets=torch.eye(64))
    (_, images, targets) = epoch_steps(batches, 2)[3]
    (_, alone, _) = next(iter(batches(2, batches.order(2, NO_LOSSES), first_step=3)))
    assert torch.equal(images, alone)
    torch.testing.assert_close(targets.sum(1), torch.ones(10))
    assert ((targets > 0).sum(1) == 2).sum() >= 8  # an image may be mixed with itself
    assert (targets.amax(1) >= 0.5).all()


def test_seed_and_epoch_change_the_order() -> None:
    """Each epoch and each seed has its own order."""
    first = create_batches().order(0, NO_LOSSES)
    assert not torch.equal(first, create_batches().order(1, NO_LOSSES))
    assert not torch.equal(first, create_batches(seed=4).order(0, NO_LOSSES))


def test_an_epoch_has_full_batches_of_distinct_images() -> None:
    """64 images in batches of 10 are 6 steps of 60 different images; fewer images than a batch are one step."""
    steps = epoch_steps(create_batches(), 0)
    chosen = torch.cat([places for places, _, _ in steps])
    assert len(steps) == 6
    assert len(chosen.unique()) == 60
    assert torch.equal(chosen, torch.cat([labels for _, _, labels in steps]))
    assert [len(labels) for _, _, labels in epoch_steps(create_batches(batch_size=100), 0)] == [64]


def test_weights_decide_how_often_an_epoch_has_an_image() -> None:
    """Each as often as its weight, rounded up or down, in an order that the epoch and the seed decide."""
    weights = torch.cat([torch.full((32,), 0.5), torch.full((32,), 1.5)]).double()
    batches = create_batches(weights=weights)
    orders = torch.stack([batches.order(epoch, NO_LOSSES) for epoch in range(4)])
    counts = torch.stack([torch.bincount(order, minlength=64) for order in orders])
    assert orders.shape == (4, 64)
    assert (counts[:, :32] <= 1).all()
    assert ((counts[:, 32:] == 1) | (counts[:, 32:] == 2)).all()
    assert len(counts.unique(dim=0)) > 1
    assert torch.equal(orders[2], create_batches(weights=weights).order(2, NO_LOSSES))


def test_easy_images_are_skipped_after_the_first_epoch() -> None:
    """With `skip_easy_fraction` later epochs take the images with the highest losses, those without a loss first."""
    losses = torch.arange(64.0)
    losses[5] = torch.inf
    batches = create_batches(skip_easy_fraction=0.75)
    assert len(batches.order(0, losses)) == 64
    assert sorted(batches.order(1, losses).tolist()) == [5, *range(49, 64)]
    assert len(create_batches(skip_easy_fraction=0.99).order(1, losses)) == 10
