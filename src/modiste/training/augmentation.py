"""Random changes of training images, on whole batches of uint8 [b, s, s] or [b, s, s, 3].

Each takes the generator that belongs to its step, so the same step is changed the same way again.
"""

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from modiste.recipes.recipe import AugmentationConfig

RATIO = 4 / 3
"""Of a zoomed rectangle's sides, at most."""

TRIES = 10  # as torchvision: a rectangle that does not fit is drawn again, so often at most


def augment(images: Tensor, random: Generator, options: AugmentationConfig) -> Tensor:
    """Apply what the recipe switches on: flip, crop, coarse, zoom, color, erasing. Only zoom may give another size."""
    if options.horizontal_flip:
        images = flip(images, random)
    if options.random_crop_padding:
        images = crop(images, random, options.random_crop_padding)
    if options.random_downscale < 1:
        images = coarsen(images, random, options.random_downscale)
    if options.random_resized_crop_scale < 1 or options.rotation_degrees or options.train_size:
        images = zoom(images, random, options)
    if options.color_jitter or options.hue_jitter:
        images = color(images, random, options.color_jitter, options.hue_jitter)
    if options.random_erasing_prob:
        images = erase(images, random, options)
    return images


def flip(images: Tensor, random: Generator) -> Tensor:
    """Mirror each image left to right with probability one half."""
    flip_tta = torch.rand(len(images), generator=random, device=images.device) < 0.5
    return torch.where(_per_image(flip_tta, images), images.flip(2), images)


def crop(images: Tensor, random: Generator, padding: int) -> Tensor:
    """Pad each side with black, then cut the original size at a random place."""
    count, size = images.shape[:2]
    padded = images.new_zeros(count, size + 2 * padding, size + 2 * padding, *images.shape[3:])
    padded[:, padding : padding + size, padding : padding + size] = images
    corners = torch.randint(2 * padding + 1, (2, count, 1), generator=random, device=images.device)
    rows, columns = corners + torch.arange(size, device=images.device)
    every = torch.arange(count, device=images.device)
    return padded[every[:, None, None], rows[:, :, None], columns[:, None, :]]


def coarsen(images: Tensor, random: Generator, least: float) -> Tensor:
    """Make a third of the images as if enlarged from fewer pixels a side, a random share of them from `least` on.

    All of a batch come from as many pixels, so that it is two scalings and no loop.
    """
    size, draw = images.shape[1], torch.rand(1 + len(images), generator=random, device=images.device)
    side = max(1, round(size * (least + (1 - least) * draw[0].item())))
    small = F.interpolate(_planes(images).float(), (side, side), mode="bilinear", antialias=True)
    found = F.interpolate(small, (size, size), mode="bicubic")
    return torch.where(_per_image(draw[1:] < 1 / 3, images), _bytes(found, images), images)


def zoom(images: Tensor, random: Generator, options: AugmentationConfig) -> Tensor:
    """Cut a random rectangle out of each image, turned, and scale it to the size that training sees.

    Its share of the area is uniform from `options.zoom` to 1, its aspect ratio log-uniform from 3/4 to 4/3, as
    torchvision's RandomResizedCrop draws them (Szegedy et al. 2015); where a side would not fit, it is the image's own,
    and the other keeps the area. It is turned about its middle by up to `options.turn` degrees; what is outside of the
    image has the color of its edge.
    """
    size = options.train_size or images.shape[1]
    draw = torch.rand(5, len(images), generator=random, device=images.device)
    area, ratio = (
        options.random_resized_crop_scale + (1 - options.random_resized_crop_scale) * draw[0],
        RATIO ** (2 * draw[1] - 1),
    )
    width = (area * ratio).sqrt().clamp(max=1).maximum(area)  # and so the height is at most 1 too
    height = area / width
    left, top = (1 - width) * (2 * draw[2] - 1), (1 - height) * (2 * draw[3] - 1)
    angle = math.radians(options.rotation_degrees) * (2 * draw[4] - 1)
    across, down = angle.cos(), angle.sin()
    # -1 to 1 is the whole side: the rectangle's half sides, and its middle
    view = torch.stack([width * across, -width * down, left, height * down, height * across, top], 1).view(-1, 2, 3)
    pixels = _planes(images).float()
    grid = F.affine_grid(view, [*pixels.shape[:2], size, size], align_corners=False)
    found = F.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    return _bytes(found, images)


def color(images: Tensor, random: Generator, reach: float, hue: float = 0.0) -> Tensor:
    """Multiply brightness, contrast (about the mean) and saturation by factors near 1, and turn the hues.

    Args:
        images: [b, s, s] or [b, s, s, 3].
        random: of the step.
        reach: the factors are 1 - reach to 1 + reach.
        hue: by up to this share of a full turn, in YIQ, which keeps the brightness.
    """
    draw = 2 * torch.rand(4, len(images), 1, 1, 1, generator=random, device=images.device) - 1
    factors = 1 + reach * draw[:3]
    pixels = _planes(images).float() * factors[0]
    middle = pixels.mean((1, 2, 3), keepdim=True)
    pixels = middle + factors[1] * (pixels - middle)
    if pixels.shape[1] == 3:
        colors = _of_colors(factors[2].flatten(), math.tau * hue * draw[3].flatten())
        pixels = torch.einsum("bij,bjhw->bihw", colors, pixels)
    return _bytes(pixels, images)


def _of_colors(saturation: Tensor, angle: Tensor) -> Tensor:
    """Matrices [b, 3, 3] that keep the brightness of RGB, multiply its saturation and turn its hue."""
    yiq = torch.tensor([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], device=angle.device)
    across, down, zero = saturation * angle.cos(), saturation * angle.sin(), torch.zeros_like(angle)
    turned = torch.stack([zero + 1, zero, zero, zero, across, -down, zero, down, across], 1).view(-1, 3, 3)
    return torch.linalg.inv(yiq) @ turned @ yiq  # type: ignore[no-any-return]


def erase(images: Tensor, random: Generator, options: AugmentationConfig) -> Tensor:
    """Overwrite a random rectangle with random bytes (Zhong et al. 2017, RE-R) in a share of the images.

    Area and aspect ratio are drawn as torchvision's RandomErasing draws them: area uniform, ratio log-uniform, and a
    rectangle that does not fit inside the image is drawn again.
    """
    count, size = images.shape[:2]
    height, width, fits = _rectangles(count, size, random, options, images.device)
    chosen = fits & (torch.rand(count, generator=random, device=images.device) < options.random_erasing_prob)
    place = torch.rand(2, count, generator=random, device=images.device)
    top, left = (place * (size + 1 - torch.stack([height, width]))).long()
    pixel = torch.arange(size, device=images.device)
    inside_rows = (pixel >= top[:, None]) & (pixel < (top + height)[:, None])
    inside_columns = (pixel >= left[:, None]) & (pixel < (left + width)[:, None])
    inside = inside_rows[:, :, None] & inside_columns[:, None, :] & chosen[:, None, None]
    noise = torch.randint(256, images.shape, generator=random, device=images.device, dtype=torch.uint8)
    return torch.where(inside.reshape(*inside.shape, *[1] * (images.dim() - 3)), noise, images)


def mix(images: Tensor, targets: Tensor, random: Generator, share: float) -> tuple[Tensor, Tensor]:
    """Blend a share of the images with others of the batch, in random proportions, and their targets likewise.

    As in mixup (Zhang et al. 2018) with uniform proportions, but drawn for each image; it stays the larger part.

    Args:
        images: uint8 [b, s, s] or [b, s, s, 3].
        targets: floats [b, labels], distributions.
        random: of the step.
        share: of the images.
    """
    draw = torch.rand(2, len(images), generator=random, device=images.device)
    other = torch.randperm(len(images), generator=random, device=images.device)
    of_other = torch.where(draw[0] < share, draw[1] / 2, 0)
    mixed = torch.lerp(images.float(), images[other].float(), _per_image(of_other, images))
    return mixed.round_().to(torch.uint8), torch.lerp(targets, targets[other], of_other[:, None])


def _rectangles(
    count: int, size: int, random: Generator, options: AugmentationConfig, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw `TRIES` rectangles an image and keep the first that fits: heights, widths, and whether any did, [count]."""
    draw = torch.rand(2, count, TRIES, generator=random, device=device)
    low, high = options.random_erasing_scale
    area = size * size * (low + (high - low) * draw[0])
    narrow, wide = torch.tensor(options.random_erasing_ratio, device=device).log()
    ratio = (narrow + (wide - narrow) * draw[1]).exp()
    height, width = (area * ratio).sqrt().round().long(), (area / ratio).sqrt().round().long()
    fits = (height < size) & (width < size)
    first = fits.float().argmax(1, keepdim=True)
    return height.gather(1, first)[:, 0], width.gather(1, first)[:, 0], fits.any(1)


def _planes(images: Tensor) -> Tensor:
    """[b, s, s] or [b, s, s, 3] -> [b, 1 or 3, s, s]."""
    return images.unsqueeze(1) if images.dim() == 3 else images.permute(0, 3, 1, 2)


def _bytes(pixels: Tensor, like: Tensor) -> Tensor:
    """Floats [b, 1 or 3, s, s] -> bytes in the shape of `like`."""
    rounded = pixels.round_().clamp_(0, 255).to(torch.uint8)
    return rounded.squeeze(1) if like.dim() == 3 else rounded.permute(0, 2, 3, 1)


def _per_image(values: Tensor, images: Tensor) -> Tensor:
    return values.reshape(-1, *[1] * (images.dim() - 1))
