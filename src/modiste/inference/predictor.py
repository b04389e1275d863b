"""Pictures in, predictions out: in their order, in bounded memory, on several threads."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modiste.errors import InputError, SettingError
from modiste.imaging.decode import Photo
from modiste.imaging.preprocess import Picture, is_picture, photo_of, to_image
from modiste.inference.prediction import Prediction, printable

if TYPE_CHECKING:
    from modiste.inference.model import Model

CHUNK = 32
"""Pictures that a thread takes at a time."""


class Predictor(ABC):
    """What predicts pictures: a model, or several of which each picture gets its own."""

    __slots__ = ()

    name: str
    """What answers, where no picture says which."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """All that a record may name as its model."""

    @property
    @abstractmethod
    def models(self) -> "tuple[Model, ...]":
        """All that may answer."""

    @abstractmethod
    def pick(self, photo: Photo) -> "Model":
        """The model for a photo, uint8 [h, w, 3]."""

    def preprocess(self, picture: Picture) -> "tuple[Model, NDArray[np.uint8]]":
        """The model for a picture, and the image of it that the model takes: the one way for all that predict.

        Raises:
            InputError: the picture cannot be used.
        """
        photo = photo_of(picture)
        model = self.pick(photo)
        return model, to_image(photo, model.image_size, model.channels)

    def predict(self, pictures: Picture | Iterable[Picture], top: int = 3) -> list[Prediction]:
        """Predict pictures; one that cannot be used gives a record with an error and stops none of the others.

        Args:
            pictures: files as bytes, paths, what Pillow opened, or pixels; one alone is taken as it is.
            top: how many labels to tell.

        Raises:
            InputError: a model itself fails.
            SettingError: `top` is below 1.
        """
        return list(self.stream(pictures, top))

    def stream(self, pictures: Picture | Iterable[Picture], top: int = 3, threads: int = 1) -> Iterator[Prediction]:
        """Predict pictures one after the other, in their order, in bounded memory; arguments and errors as `predict`.

        Args:
            pictures: likewise.
            top: likewise.
            threads: each decodes and predicts a few pictures at a time; load models with one thread for this.
        """
        if top < 1:
            raise SettingError(f"top is {top}, but at least 1 label must be told.")
        several: Any = [pictures] if is_picture(pictures) else pictures
        waiting: Iterator[Picture] = iter(several)
        running: deque[Future[list[Prediction]]] = deque()
        given_up = Event()
        with ThreadPoolExecutor(threads) as pool:
            try:
                while chunk := list(islice(waiting, CHUNK)):
                    running.append(pool.submit(self._predict, chunk, top, given_up))
                    if len(running) > threads:
                        yield from running.popleft().result()
                while running:
                    yield from running.popleft().result()
            finally:
                given_up.set()

    def _predict(self, pictures: list[Picture], top: int, given_up: Event) -> list[Prediction]:
        """Predict some pictures; none as soon as nobody waits for them any more."""
        prepared = [self._prepared(picture) for picture in pictures if not given_up.is_set()]
        if given_up.is_set():
            return []
        told = {
            place: Prediction("", None, None, (), self.name, why)
            for place, why in enumerate(prepared)
            if isinstance(why, str)
        }
        for model in {one[0].name: one[0] for one in prepared if not isinstance(one, str)}.values():
            mine = {place: one[1] for place, one in enumerate(prepared) if one[0] is model}
            told |= zip(mine, model.predict_images(np.stack(list(mine.values())), top), strict=True)
        return [replace(told[place], file=_name(picture)) for place, picture in enumerate(pictures)]

    def _prepared(self, picture: Picture) -> "tuple[Model, NDArray[np.uint8]] | str":
        """The same, or why there is none."""
        try:
            return self.preprocess(picture)
        except InputError as error:
            return printable(str(error))


def _name(picture: Picture) -> str:
    return printable(str(picture)) if isinstance(picture, str | Path) else ""
