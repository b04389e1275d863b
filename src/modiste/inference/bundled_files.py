"""The model files that come with the package, each with its SHA-256."""

import hashlib
import os
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


def find_path(name: str | Path) -> Path:
    """Return the path of a run or file: where there is none of that name, of the run in `runs`, if there is one.

    The name of a bundled model is returned as it is.
    """
    path = Path(name)
    if path.name != str(name) or path.name in NAMES or os.path.lexists(path):
        return path
    from modiste.runs.folder import Run, named_path  # here, since a path of a file does not need it

    run = Run(named_path(path.name))
    return run.path if os.path.lexists(run.recipe_file) else path


def bundled_file(name: str) -> Traversable:
    """Return the file of a bundled model."""
    return resources.files("modiste") / "assets" / "models" / f"{name}.onnx"


def verify_sha256(name: str, content: bytes) -> None:
    """Raise an InputError unless the content has the SHA-256 of that bundled model."""
    if hashlib.sha256(content).hexdigest() != SHA256[name]:
        raise InputError(f"The bundled model {name} is damaged or was changed. Install modiste again.")
