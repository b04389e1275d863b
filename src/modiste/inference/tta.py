"""Test-time augmentation of the images that a model is least sure of."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from modiste.imaging.resize import enlarge_center

Images = NDArray[np.uint8]
Probabilities = NDArray[np.float32]


def average_views(
    probabilities: Probabilities,
    images: Images,
    predict: Callable[[Images], Probabilities],
    threshold: float,
    crop: float,
) -> Probabilities:
    """Return the probabilities, [n, k], where those of uncertain images are the mean over several views of each.

    Args:
        probabilities: of the images as they are, [n, k].
        images: uint8 [n, s, s] or [n, s, s, 3].
        predict: returns the probabilities of such images.
        threshold: an image is uncertain where its highest probability is below this; 0: none is.
        crop: the views are the image and its mirror image, and both of its center crop, whose side is this fraction of
            the image's and which is enlarged to its size; 1: no crop.
    """
    is_uncertain = probabilities.max(1) < threshold
    if not is_uncertain.any():
        return probabilities
    uncertain = images[is_uncertain]
    views = [uncertain[:, :, ::-1]]
    if crop < 1:
        cropped = np.stack([enlarge_center(image, crop) for image in uncertain])
        views += [cropped, cropped[:, :, ::-1]]
    result = probabilities.copy()
    result[is_uncertain] += sum(map(predict, views))
    result[is_uncertain] /= 1 + len(views)
    return result
