"""Make images from photos that are files, or bytes in a table."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from modiste.data.arrays import ImageFormat
from modiste.data.split import Images, Indices
from modiste.errors import InputError
from modiste.imaging import preprocess
from modiste.imaging.preprocess import PhotoInput

MAX_DECODERS = 4
"""Photos decoded in parallel."""


def load_photos(
    photo: Callable[[int], PhotoInput], names: Sequence[str], image_format: ImageFormat, indices: Indices
) -> Images:
    """Return the images, uint8 [k, s, s] or [k, s, s, 3], that photos at some indices become.

    Args:
        photo: index -> path or bytes of a photo.
        names: of the photos, for errors about bytes.
        image_format: the images that the photos become.
        indices: of the photos.

    Raises:
        InputError: a photo cannot be used; it is named.
    """
    size, channels = image_format.size, image_format.channels
    images = np.empty((len(indices), size, size) if channels == 1 else (len(indices), size, size, 3), np.uint8)

    def decode(index: int) -> Images:
        try:
            return preprocess.to_image(photo(index), size, channels, resize_mode=image_format.resize_mode)
        except InputError as error:
            raise type(error)(str(error).replace("The photo", names[index], 1)) from None

    with ThreadPoolExecutor(MAX_DECODERS) as pool:  # decoders release the interpreter's lock
        for row, image in enumerate(pool.map(decode, indices.tolist())):
            images[row] = image
    return images
