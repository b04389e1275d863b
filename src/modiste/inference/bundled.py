"""The models that come with the package, of which each picture gets its own."""

from threading import Lock

from modiste.imaging.decode import Photo
from modiste.imaging.preprocess import is_gray
from modiste.inference import bundled_files, model
from modiste.inference.model import Model
from modiste.inference.predictor import Predictor


class Bundled(Predictor):
    """Predicts with the model that fits a picture: the first for those of Fashion-MNIST's kind, the last for all else.

    A model is loaded when it is first needed.

    Args:
        threads: CPU threads of each model; 0 is one a core.
    """

    __slots__ = ("_loaded", "_lock", "threads")

    name = "bundled"

    def __init__(self, threads: int = 0) -> None:
        self.threads = threads
        self._loaded: dict[str, Model] = {}
        self._lock = Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """Those of the models, and its own for what none of them could take."""
        return (*bundled_files.NAMES, self.name)

    @property
    def models(self) -> tuple[Model, ...]:
        """All of them, loaded."""
        return tuple(map(self._load, bundled_files.NAMES))

    def pick(self, photo: Photo) -> Model:
        """The model for a photo, uint8 [h, w, 3]."""
        return self._load(bundled_files.NAMES[0 if _is_catalogue(photo) else -1])

    def _load(self, name: str) -> Model:
        with self._lock:  # pictures are predicted on several threads
            if name not in self._loaded:
                self._loaded[name] = model.load(name, self.threads)
            return self._loaded[name]


def _is_catalogue(photo: Photo) -> bool:
    """Whether a photo is as Fashion-MNIST has them: 28 x 28 pixels, gray, something bright on black."""
    on_black = photo[[0, 0, -1, -1], [0, -1, 0, -1]].min() < 128
    return photo.shape[:2] == (28, 28) and is_gray(photo) and bool(on_black and photo.any())
