"""The models that come with the package; one of them is selected for each photo."""

from threading import Lock

from modiste.imaging.decode import Photo
from modiste.imaging.fashion_mnist_like import original_image
from modiste.inference import bundled_files, model_file
from modiste.inference.model import Model, Predictor


class BundledModels(Predictor):
    """Predict a photo with the first model if it looks like an image of Fashion-MNIST, else with the last.

    A model is loaded when it is first needed, with that number of CPU threads; 0 is one per core.
    """

    name = "bundled"

    def __init__(self, threads: int = 0) -> None:
        self.threads = threads
        self.sha256 = " ".join(bundled_files.SHA256.values())
        self._loaded: dict[str, Model] = {}
        self._lock = Lock()

    def __reduce__(self) -> tuple[type["BundledModels"], tuple[int]]:
        """Pickle the number of threads; the models are loaded again."""
        return BundledModels, (self.threads,)

    @property
    def models(self) -> tuple[Model, ...]:
        """All bundled models, loaded."""
        return tuple(map(self._load, bundled_files.NAMES))

    def select_model(self, photo: Photo) -> Model:
        """Return the model for a photo, uint8 [h, w, 3]."""
        return self._load(bundled_files.NAMES[-1 if original_image(photo, 28) is None else 0])

    def _load(self, name: str) -> Model:
        with self._lock:  # photos are predicted on several threads
            if name not in self._loaded:
                self._loaded[name] = model_file.load(name, self.threads)
            return self._loaded[name]
