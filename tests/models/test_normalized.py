"""The preprocessing of a network."""

import pytest
import torch
from torch import nn

from helpers.network import initialized
from modiste.models.normalized import NormalizedModel, mean_and_std
from modiste.recipes.config import ModelConfig


@pytest.mark.parametrize("shape", [(50, 9, 9), (50, 9, 9, 3)])
def test_mean_and_std_of_the_images_are_exact(shape: tuple[int, ...]) -> None:
    """They equal those of the pixels as float64."""
    images = torch.randint(0, 256, shape, dtype=torch.uint8)
    mean, std = mean_and_std(images)
    pixels = images.double().reshape(-1, shape[3] if len(shape) == 4 else 1) / 255
    torch.testing.assert_close(mean.double(), pixels.mean(0), rtol=1e-6, atol=0)
    torch.testing.assert_close(std.double(), pixels.std(0, correction=0), rtol=1e-6, atol=0)


def test_flip_tta_averages_the_logits_of_both_images() -> None:
    """In evaluation the logits are the mean over the image and its mirror image; in training there is one pass."""
    body = initialized(ModelConfig(name="residual"), 5)
    network = NormalizedModel(body, torch.zeros(1), torch.ones(1), flip_tta=True)
    images = torch.randint(0, 256, (3, 28, 28), dtype=torch.uint8)
    both = body.eval()(torch.stack([images, images.flip(2)]).flatten(0, 1)[:, None] / 255).unflatten(0, (2, 3))
    logits = network.eval()(images)
    torch.testing.assert_close(logits, both.mean(0))
    torch.testing.assert_close(network(images.flip(2)), logits)
    batch_sizes: list[int] = []
    body.register_forward_pre_hook(lambda _, inputs: batch_sizes.append(len(inputs[0])))
    network(images)
    network.train()(images)
    assert batch_sizes == [6, 3]


def test_eval_blur_mixes_each_pixel_with_its_neighbors() -> None:
    """Half of each pixel is the mean of its 3 x 3 neighbors; a uniform image does not change, nor does training."""
    network = NormalizedModel(nn.Identity(), torch.zeros(1), torch.ones(1), eval_blur=0.5).eval()
    images = torch.full((2, 28, 28), 51, dtype=torch.uint8)
    images[1, 10, 10] = 255
    uniform, dot = network(images)[:, 0]
    torch.testing.assert_close(uniform, torch.full((28, 28), 0.2))
    torch.testing.assert_close(dot[10, 9:12], torch.tensor([0.2 + 0.4 / 9, 0.2 + 0.4 + 0.4 / 9, 0.2 + 0.4 / 9]))
    assert network.train()(images)[1, 0, 10, 10] == 1
