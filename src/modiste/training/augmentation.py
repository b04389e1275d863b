"""Random changes of training images, each image on its own, one batch at a time.

Every function takes `images`, uint8 [b, s, s] or [b, s, s, 3], and returns the same number of images. All randomness
comes from `generator`, that of the step and on the device of the images, so that a repeated step changes its images in
the same way. torchvision's v2 transforms draw one change for a whole batch and take no generator.
"""

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from modiste.recipes.config import AugmentationConfig

MAX_CROP_RATIO = 4 / 3  # of the longer side to the shorter; torchvision's default
ERASING_TRIES = 10  # rectangles that are drawn for an image until one fits, as in torchvision
RGB_TO_YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))


def augment(images: Tensor, generator: Generator, options: AugmentationConfig) -> Tensor:
    """Apply the augmentations that are switched on, in this order; with `train_size`, the images get that size."""
    if options.horizontal_flip:
        images = random_horizontal_flip(images, generator)
    if options.random_crop_padding:
        images = random_crop(images, generator, options.random_crop_padding)
    if options.random_downscale < 1:
        images = random_downscale(images, generator, options.random_downscale)
    if options.random_resized_crop_scale < 1 or options.rotation_degrees or options.train_size:
        images = random_resized_crop(images, generator, options)
    if options.color_jitter or options.hue_jitter:
        images = color_jitter(images, generator, options.color_jitter, options.hue_jitter)
    if options.random_erasing_prob:
        images = random_erasing(images, generator, options)
    return images


def random_horizontal_flip(images: Tensor, generator: Generator) -> Tensor:
    """Flip each image left to right with probability 1/2."""
    flipped = torch.rand(len(images), generator=generator, device=images.device) < 0.5
    return torch.where(_per_image(flipped, images), images.flip(2), images)


def random_crop(images: Tensor, generator: Generator, padding: int) -> Tensor:
    """Pad each side by this many black pixels, then cut out the original size at a random place (He et al. 2016)."""
    count, size = images.shape[:2]
    padded = images.new_zeros(count, size + 2 * padding, size + 2 * padding, *images.shape[3:])
    padded[:, padding : padding + size, padding : padding + size] = images
    corners = torch.randint(2 * padding + 1, (2, count, 1), generator=generator, device=images.device)
    rows, columns = corners + torch.arange(size, device=images.device)
    indices = torch.arange(count, device=images.device)
    return padded[indices[:, None, None], rows[:, :, None], columns[:, None, :]]


def random_downscale(images: Tensor, generator: Generator, min_scale: float) -> Tensor:
    """Scale a third of the images down and up again, as if they were enlarged from fewer pixels.

    The smaller size is uniform from `min_scale` * s to s, and the same for a whole batch, so that two calls scale it.
    """
    size, draw = images.shape[1], torch.rand(1 + len(images), generator=generator, device=images.device)
    small_size = max(1, round(size * (min_scale + (1 - min_scale) * draw[0].item())))
    chosen = torch.nonzero(draw[1:] < 1 / 3).flatten()
    if not len(chosen):
        return images
    small = F.interpolate(_to_float(images[chosen]), (small_size, small_size), mode="bilinear", antialias=True)
    enlarged = _to_uint8(F.interpolate(small, (size, size), mode="bicubic"), images)
    return images.index_copy(0, chosen, enlarged)


def random_resized_crop(images: Tensor, generator: Generator, options: AugmentationConfig) -> Tensor:
    """Cut a random rectangle out of each image, rotate it and scale it to the training size.

    Its share of the area is uniform from `random_resized_crop_scale` to 1, its aspect ratio log-uniform from 3/4 to
    4/3, as in torchvision's RandomResizedCrop (Szegedy et al. 2015). A side that would not fit is as long as the image;
    the other side then keeps the area. The rectangle is rotated about its center by up to `rotation_degrees`; pixels
    outside of the image have the color of its edge.
    """
    size = options.train_size or images.shape[1]
    draw = torch.rand(5, len(images), generator=generator, device=images.device)
    min_area = options.random_resized_crop_scale
    area, ratio = min_area + (1 - min_area) * draw[0], MAX_CROP_RATIO ** (2 * draw[1] - 1)
    width = (area * ratio).sqrt().clamp(max=1).maximum(area)  # and so the height is at most 1 too
    height = area / width
    center_x, center_y = (1 - width) * (2 * draw[2] - 1), (1 - height) * (2 * draw[3] - 1)
    angle = math.radians(options.rotation_degrees) * (2 * draw[4] - 1)
    cos, sin = angle.cos(), angle.sin()
    # affine_grid's coordinates: -1 to 1 is the whole side, width and height are half sides
    theta = torch.stack([width * cos, -width * sin, center_x, height * sin, height * cos, center_y], 1).view(-1, 2, 3)
    pixels = _to_float(images)
    grid = F.affine_grid(theta, [*pixels.shape[:2], size, size], align_corners=False)
    return _to_uint8(F.grid_sample(pixels, grid, padding_mode="border", align_corners=False), images)


def color_jitter(images: Tensor, generator: Generator, strength: float, hue: float = 0.0) -> Tensor:
    """Multiply brightness, contrast (about the mean) and saturation by random factors, and rotate the hues.

    The factors are uniform from 1 - `strength` to 1 + `strength`. `hue` is the largest rotation, as a share of a full
    turn, in the plane of I and Q of YIQ, which keeps the brightness Y. Gray images have neither saturation nor hue.
    """
    draw = 2 * torch.rand(4, len(images), 1, 1, 1, generator=generator, device=images.device) - 1
    factors = 1 + strength * draw[:3]
    pixels = _to_float(images) * factors[0]
    mean = pixels.mean((1, 2, 3), keepdim=True)
    pixels = mean + factors[1] * (pixels - mean)
    if pixels.shape[1] == 3:
        matrices = _color_matrices(factors[2].flatten(), math.tau * hue * draw[3].flatten())
        pixels = torch.einsum("bij,bjhw->bihw", matrices, pixels)
    return _to_uint8(pixels, images)


def _color_matrices(saturation: Tensor, angle: Tensor) -> Tensor:
    """Matrices [b, 3, 3] for RGB that multiply the saturation [b] and rotate the hue by the angle [b] in radians."""
    yiq = torch.tensor(RGB_TO_YIQ, device=angle.device)
    cos, sin, zero = saturation * angle.cos(), saturation * angle.sin(), torch.zeros_like(angle)
    rotation = torch.stack([zero + 1, zero, zero, zero, cos, -sin, zero, sin, cos], 1).view(-1, 3, 3)
    return torch.linalg.inv(yiq) @ rotation @ yiq  # type: ignore[no-any-return]


def random_erasing(images: Tensor, generator: Generator, options: AugmentationConfig) -> Tensor:
    """Overwrite a random rectangle with random bytes in a share of the images (Zhong et al. 2017, RE-R).

    Area (uniform) and aspect ratio (log-uniform) are drawn as in torchvision's RandomErasing.
    """
    count, size = images.shape[:2]
    height, width, fits = _draw_rectangles(images, generator, options)
    erased = fits & (torch.rand(count, generator=generator, device=images.device) < options.random_erasing_prob)
    place = torch.rand(2, count, generator=generator, device=images.device)
    top, left = (place * (size + 1 - torch.stack([height, width]))).long()
    pixel = torch.arange(size, device=images.device)
    in_rows = (pixel >= top[:, None]) & (pixel < (top + height)[:, None])
    in_columns = (pixel >= left[:, None]) & (pixel < (left + width)[:, None])
    mask = in_rows[:, :, None] & in_columns[:, None, :] & erased[:, None, None]
    noise = torch.randint(256, images.shape, generator=generator, device=images.device, dtype=torch.uint8)
    return torch.where(mask if images.dim() == 3 else mask[..., None], noise, images)


def _draw_rectangles(images: Tensor, generator: Generator, options: AugmentationConfig) -> tuple[Tensor, ...]:
    """Return height and width, int64 [b], of the first rectangle of each image that fits, and whether one did."""
    size, device = images.shape[1], images.device
    draw = torch.rand(2, len(images), ERASING_TRIES, generator=generator, device=device)
    min_area, max_area = options.random_erasing_scale
    area = size * size * (min_area + (max_area - min_area) * draw[0])
    min_log, max_log = torch.tensor(options.random_erasing_ratio, device=device).log()
    ratio = (min_log + (max_log - min_log) * draw[1]).exp()
    height, width = (area * ratio).sqrt().round().long(), (area / ratio).sqrt().round().long()
    fits = (height < size) & (width < size)
    first = fits.float().argmax(1, keepdim=True)
    return height.gather(1, first)[:, 0], width.gather(1, first)[:, 0], fits.any(1)


def mixup(images: Tensor, targets: Tensor, generator: Generator, prob: float) -> tuple[Tensor, Tensor]:
    """Blend a share `prob` of the images with others of the batch, and their targets, floats [b, k], likewise.

    As mixup (Zhang et al. 2018), but each image has a proportion of its own, uniform from 0 to 1/2 for the other image.
    """
    draw = torch.rand(2, len(images), generator=generator, device=images.device)
    partner = torch.randperm(len(images), generator=generator, device=images.device)
    proportion = torch.where(draw[0] < prob, draw[1] / 2, 0)
    blended = torch.lerp(images.float(), images[partner].float(), _per_image(proportion, images))
    return blended.round_().to(torch.uint8), torch.lerp(targets, targets[partner], proportion[:, None])


def _to_float(images: Tensor) -> Tensor:
    """Convert uint8 [b, s, s] or [b, s, s, 3] to floats [b, 1 or 3, s, s] from 0 to 255."""
    return (images.unsqueeze(1) if images.dim() == 3 else images.permute(0, 3, 1, 2)).float()


def _to_uint8(pixels: Tensor, images: Tensor) -> Tensor:
    """Convert floats [b, 1 or 3, s, s] to uint8 with the dimensions of the images that they come from."""
    rounded = pixels.round_().clamp_(0, 255).to(torch.uint8)
    return rounded.squeeze(1) if images.dim() == 3 else rounded.permute(0, 2, 3, 1)


def _per_image(values: Tensor, images: Tensor) -> Tensor:
    """Reshape a value for each image, [b], so that it broadcasts over the images."""
    return values.reshape(-1, *[1] * (images.dim() - 1))
