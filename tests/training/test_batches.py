"""Which images a step takes, and in what order."""

import torch
from torch import Tensor

from modiste.recipes.recipe import AugmentationConfig
from modiste.training.batches import Batches

IMAGES = torch.randint(1, 256, (64, 28, 28), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
UNSEEN = torch.full((64,), torch.inf)


def batches(**changes: object) -> Batches:
    """Batches with every change on; the labels are the places of the images."""
    options = AugmentationConfig(horizontal_flip=True, random_crop_padding=4, random_erasing_prob=0.5)
    values = {"images": IMAGES, "targets": torch.arange(64), "batch_size": 10, "augmentation": options, "seed": 3}
    return Batches(**(values | changes))  # type: ignore[arg-type]


def epoch(made: Batches, number: int, losses: Tensor = UNSEEN) -> list[tuple[Tensor, Tensor, Tensor]]:
    """All steps of an epoch."""
    return list(made(number, made.order(number, losses)))


def test_a_step_is_the_same_from_any_start() -> None:
    """The fourth batch is the same bits whether or not the first three were drawn before it."""
    made = batches()
    alone = next(iter(made(2, made.order(2, UNSEEN), first_step=3)))
    assert all(torch.equal(here, there) for here, there in zip(epoch(made, 2)[3], alone, strict=True))


def test_mixed_images_have_mixed_labels() -> None:
    """Where the recipe mixes images, targets are parts of two labels that add up to one, the same from any start."""
    made = batches(augmentation=AugmentationConfig(mixup_prob=1.0), targets=torch.eye(64))
    (_, images, targets) = epoch(made, 2)[3]
    (_, alone, _) = next(iter(made(2, made.order(2, UNSEEN), first_step=3)))
    assert torch.equal(images, alone)
    torch.testing.assert_close(targets.sum(1), torch.ones(10))
    assert ((targets > 0).sum(1) == 2).sum() >= 8  # but for an image that is its own partner
    assert (targets.amax(1) >= 0.5).all()


def test_seed_and_epoch_change_the_order() -> None:
    """Another epoch or another seed is another order."""
    first = batches().order(0, UNSEEN)
    assert not torch.equal(first, batches().order(1, UNSEEN))
    assert not torch.equal(first, batches(seed=4).order(0, UNSEEN))


def test_an_epoch_is_whole_batches_of_distinct_images() -> None:
    """64 images in batches of 10 are 6 steps of 60 different images; fewer images than a batch are one step."""
    steps = epoch(batches(), 0)
    chosen = torch.cat([places for places, _, _ in steps])
    assert len(steps) == 6
    assert len(chosen.unique()) == 60
    assert torch.equal(chosen, torch.cat([labels for _, _, labels in steps]))
    assert [len(labels) for _, _, labels in epoch(batches(batch_size=100), 0)] == [64]


def test_easy_images_are_skipped_after_the_first_epoch() -> None:
    """With `drop`, later epochs take the images of the highest losses, unseen ones first."""
    losses = torch.arange(64.0)
    losses[5] = torch.inf
    made = batches(skip_easy_fraction=0.75)
    assert len(made.order(0, losses)) == 64
    assert sorted(made.order(1, losses).tolist()) == [5, *range(49, 64)]
    assert len(batches(skip_easy_fraction=0.99).order(1, losses)) == 10
