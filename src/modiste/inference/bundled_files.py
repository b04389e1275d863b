"""The model files that come with the package, each with its SHA-256."""

import hashlib
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from modiste.errors import InputError

SHA256 = {
    "fashion-mnist": "a42dca4975bb8a539d1b5d412e3bc4c09d18ab6855c944a566bfdbe2b6085b76",
    "photo": "400ce8403c7b6b285fec2b09802072bcc3c4939c1d4bdaf70f72fbe93dd81217",
}
"""The first model is for images like those of Fashion-MNIST, the last for all other photos."""

NAMES = tuple(SHA256)


def require_unambiguous(name: str) -> None:
    """Raise an InputError if a bundled model has the name of a model file or a run folder in the current folder."""
    path = Path(name)
    if name in NAMES and (path.is_file() or (path / "recipe.json").is_file()):
        raise InputError(
            f"{name} is the name of a bundled model and of {path.resolve()}. Give this path to use it, or change to "
            "another folder to use the bundled model."
        )


def bundled_file(name: str) -> Traversable:
    """Return the file of a bundled model."""
    return resources.files("modiste") / "assets" / "models" / f"{name}.onnx"


def verify_sha256(name: str, content: bytes) -> None:
    """Raise an InputError unless the content has the SHA-256 of that bundled model."""
    if hashlib.sha256(content).hexdigest() != SHA256[name]:
        raise InputError(f"The bundled model {name} is damaged or was changed. Install modiste again.")
