"""The models that come with the package, each with the SHA-256 of its file."""

import hashlib
from importlib import resources
from importlib.resources.abc import Traversable

from modiste.errors import InputError

SHA256 = {
    "fashion-mnist": "ad30471ea7eb661a5da52e3a819afdd5535037bf7311926814ac593156f299b7",
    "photo": "9577cf243ec95fdf13b68125bbb0d3e6fcf08e23cf03d1d30622835b0e967742",
}
"""The first is for pictures as Fashion-MNIST has them, the last for all others."""

NAMES = tuple(SHA256)


def file(name: str) -> Traversable:
    """The file of a bundled model."""
    return resources.files("modiste") / "assets" / "models" / f"{name}.onnx"


def require(name: str, content: bytes) -> None:
    """Raise an InputError unless the content is that of the bundled model of that name."""
    if hashlib.sha256(content).hexdigest() != SHA256[name]:
        raise InputError(f"The bundled model {name} is damaged or was changed. Install modiste again.")
