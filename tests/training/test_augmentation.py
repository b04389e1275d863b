"""Random changes of training images."""

import math

import pytest
import torch

from modiste.recipes.config import AugmentationConfig
from modiste.training import augmentation

SHAPES = [(64, 28, 28), (64, 16, 16, 3)]


def images(shape: tuple[int, ...]) -> torch.Tensor:
    """Random uint8 images above 0, so that padding is recognized."""
    return torch.randint(1, 256, shape, generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


def random(seed: int = 0) -> torch.Generator:
    """A new random generator."""
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("shape", SHAPES)
def test_about_half_of_the_images_are_flipped(shape: tuple[int, ...]) -> None:
    """Each image is unchanged or mirrored horizontally."""
    before = images(shape)
    after = augmentation.random_horizontal_flip(before, random())
    same = (after == before).flatten(1).all(1)
    mirrored = (after == before.flip(2)).flatten(1).all(1)
    assert (same | mirrored).all()
    assert 16 < same.sum() < 48


@pytest.mark.parametrize("shape", SHAPES)
def test_random_crop_shifts_by_at_most_the_padding(shape: tuple[int, ...]) -> None:
    """Each image is shifted by up to 2 pixels, and the border is black."""
    before = images(shape)
    after = augmentation.random_crop(before, random(), 2)
    size = shape[1]
    assert after.shape == before.shape
    for old, new in zip(before, after, strict=True):
        padded = torch.zeros(size + 4, size + 4, *shape[3:], dtype=torch.uint8)
        padded[2:-2, 2:-2] = old
        assert any(torch.equal(padded[y : y + size, x : x + size], new) for y in range(5) for x in range(5))
    assert (after == 0).any()


@pytest.mark.parametrize("shape", SHAPES)
def test_random_erasing_overwrites_one_rectangle(shape: tuple[int, ...]) -> None:
    """In half of the images a rectangle of 2 to 33 % of the area changes."""
    before = torch.zeros(400, *shape[1:], dtype=torch.uint8)
    after = augmentation.random_erasing(before, random(), AugmentationConfig(random_erasing_prob=0.5))
    changed = (after != before).reshape(400, shape[1], shape[2], -1).any(3)
    touched = changed.flatten(1).any(1)
    assert 150 < touched.sum() < 250
    for mask in changed[touched]:
        rows, columns = mask.any(1).nonzero()[:, 0], mask.any(0).nonzero()[:, 0]
        height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
        assert 0.01 < height * width / shape[1] ** 2 < 0.36  # rounding to pixels exceeds the bounds a little
        assert mask.sum() > 0.9 * height * width


def test_without_augmentation_images_are_unchanged() -> None:
    """All settings are off."""
    before = images((8, 28, 28))
    assert torch.equal(augmentation.augment(before, random(), AugmentationConfig(horizontal_flip=False)), before)


@pytest.mark.parametrize("shape", SHAPES)
def test_random_downscale_changes_about_a_third_of_the_images(shape: tuple[int, ...]) -> None:
    """They lose detail and keep their mean; an image of one brightness does not change."""
    before = images(shape)
    after = augmentation.random_downscale(before, random(), 0.5)
    same = (after == before).flatten(1).all(1)
    assert 28 < same.sum() < 56
    old, new = before[~same].float().flatten(1), after[~same].float().flatten(1)
    assert (new.std(1) < 0.9 * old.std(1)).all()
    assert (new.mean(1) - old.mean(1)).abs().max() < 6
    uniform = torch.full_like(before, 77)
    assert torch.equal(augmentation.random_downscale(uniform, random(), 0.5), uniform)


@pytest.mark.parametrize("shape", SHAPES)
def test_random_resized_crop_enlarges_part_of_the_image(shape: tuple[int, ...]) -> None:
    """A bright square in the middle becomes larger; with a scale of 1 the image is unchanged."""
    before = torch.zeros(shape, dtype=torch.uint8)
    third = shape[1] // 3
    before[:, third : 2 * third, third : 2 * third] = 255
    after = augmentation.random_resized_crop(before, random(), AugmentationConfig(random_resized_crop_scale=0.5))
    assert after.shape == before.shape
    area_ratio = after.float().flatten(1).mean(1) / before.float().flatten(1).mean(1)
    assert area_ratio.max() > 1.3
    assert torch.equal(augmentation.random_resized_crop(images(shape), random(), AugmentationConfig()), images(shape))


@pytest.mark.parametrize("shape", SHAPES)
def test_rotation_is_about_the_center(shape: tuple[int, ...]) -> None:
    """A horizontal bar is rotated in both directions, by at most the given angle; its middle stays in place."""
    before = torch.zeros(shape, dtype=torch.uint8)
    half = shape[1] // 2
    before[:, half - 1 : half + 1] = 255
    after = augmentation.random_resized_crop(before, random(), AugmentationConfig(rotation_degrees=30)).float()
    after = after if after.dim() == 3 else after[..., 0]
    rows = torch.arange(shape[1]).float()[None, :, None]
    heights = (after * rows).sum(1) / after.sum(1)
    quarter = half // 2
    slopes = (heights[:, half + quarter] - heights[:, half - quarter]) / (2 * quarter)
    assert slopes.min() < -0.2 < 0.2 < slopes.max()
    assert slopes.abs().max() < math.tan(math.radians(31))
    assert (heights[:, half] - (half - 0.5)).abs().max() < 1


@pytest.mark.parametrize("shape", SHAPES)
def test_train_size_reduces_the_images(shape: tuple[int, ...]) -> None:
    """The mean of each image is about the same; random erasing is applied after the resizing."""
    before = images(shape)
    after = augmentation.augment(before, random(), AugmentationConfig(horizontal_flip=False, train_size=20))
    assert after.shape == (shape[0], 20, 20, *shape[3:])
    assert after.dtype == torch.uint8
    assert (after.float().flatten(1).mean(1) - before.float().flatten(1).mean(1)).abs().max() < 10
    erased = augmentation.augment(
        before, random(), AugmentationConfig(horizontal_flip=False, train_size=20, random_erasing_prob=1.0)
    )
    assert erased.shape == after.shape


@pytest.mark.parametrize("shape", SHAPES)
def test_color_jitter_stays_within_its_strength(shape: tuple[int, ...]) -> None:
    """A strength near 0 changes at most one gray level; 0.3 changes the brightness by up to 30 %."""
    before = (images(shape) // 4 + 64).contiguous()
    assert (augmentation.color_jitter(before, random(), 1e-6).int() - before.int()).abs().max() <= 1
    after = augmentation.color_jitter(before, random(), 0.3).float().flatten(1).mean(1)
    ratio = after / before.float().flatten(1).mean(1)
    assert 0.69 < ratio.min() < 0.9
    assert 1.1 < ratio.max() < 1.31


def test_hue_jitter_keeps_the_brightness() -> None:
    """Red becomes another color of the same brightness; gray images do not change."""
    red = torch.tensor([150, 80, 80], dtype=torch.uint8).repeat(50, 4, 4, 1)
    after = augmentation.color_jitter(red, random(), 0.0, 0.5).float()[:, 0, 0]
    weights = torch.tensor([0.299, 0.587, 0.114])
    assert (after @ weights - red[0, 0, 0].float() @ weights).abs().max() < 1.5
    assert set(after.argmax(1).tolist()) == {0, 1, 2}
    for gray in (torch.full((5, 4, 4), 90), torch.full((5, 4, 4, 3), 90)):
        assert torch.equal(augmentation.color_jitter(gray.to(torch.uint8), random(), 0.0, 0.5), gray.to(torch.uint8))


@pytest.mark.parametrize("shape", SHAPES)
def test_mixup_blends_images_and_targets_alike(shape: tuple[int, ...]) -> None:
    """Pixels and targets have the same weights; the first image has a weight of at least 0.5."""
    before, places = images(shape), torch.eye(shape[0])
    after, targets = augmentation.mixup(before, places, random(), 0.5)
    own = targets.diagonal()
    assert 16 < (own < 1).sum() < 48
    assert own.min() >= 0.5
    assert torch.equal(targets.sum(1), torch.ones(len(targets)))
    expected = torch.einsum("ij,j...->i...", targets, before.float())
    assert (after.float() - expected).abs().max() <= 0.5 + 1e-3


@pytest.mark.parametrize("shape", SHAPES)
def test_augmentation_is_reproducible(shape: tuple[int, ...]) -> None:
    """All randomness comes from the generator."""
    options = AugmentationConfig(
        horizontal_flip=True,
        random_crop_padding=2,
        random_downscale=0.5,
        random_resized_crop_scale=0.5,
        rotation_degrees=10,
        color_jitter=0.3,
        hue_jitter=0.1,
        random_erasing_prob=0.5,
    )
    first, second = (augmentation.augment(images(shape), random(3), options) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, augmentation.augment(images(shape), random(4), options))
