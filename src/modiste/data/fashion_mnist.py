"""The bundled Fashion-MNIST: the four official files (Zalando SE, MIT license)."""

from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from modiste.data import idx
from modiste.data.idx_folder import IdxFolder, md5

MD5 = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}
"""The checksums published at github.com/zalandoresearch/fashion-mnist."""


def folder() -> Traversable:
    """Return the folder of the bundled files."""
    return resources.files("modiste") / "assets" / "fashion-mnist"


def source(size: int = 28) -> IdxFolder:
    """Open the bundled files; altered or missing ones raise InputError when a split is opened."""
    return IdxFolder(folder(), size, MD5)


def verify() -> list[dict[str, Any]]:
    """Return `file`, `bytes`, `md5` and `published` (whether that is the published checksum) of each bundled file."""
    records = []
    for name, published in MD5.items():
        content = idx.read_bytes(folder() / name)
        checksum = md5(content)
        records.append({"file": name, "bytes": len(content), "md5": checksum, "published": checksum == published})
    return records
