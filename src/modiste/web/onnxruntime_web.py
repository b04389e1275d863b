"""ONNX Runtime for browsers, from its npm package: a pinned version, downloaded once, or a file that the user has."""

import hashlib
import io
import os
import tarfile
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from modiste.errors import InputError, OutputError
from modiste.runs import files

VERSION = "1.30.0"
SHA512 = (
    "ab4cbe26baedba45d2cec05610c71c55fa97db92d19a8b171c5f8269126683ca"
    "590a5cdc57bb2f35ce2b298de32f4d956fb42644c0ecd528a0a91e025c07ca61"
)
"""Of the package, as in its registry's `dist.integrity`."""

NAME = f"onnxruntime-web-{VERSION}.tgz"
MAX_BYTES = 64 * 2**20
TIMEOUT = 60.0
"""Seconds without a byte of the download."""

FILES = {"ort.wasm.bundle.min.mjs": "ort.js", "ort-wasm-simd-threaded.wasm": "ort.wasm"}
"""The files of the package that run models on a CPU, and their names here: some hosts do not know the suffix .mjs."""

LICENSE = """MIT License

Copyright (c) Microsoft Corporation

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""

ADVICE = f"Get it where there is a network (npm pack onnxruntime-web@{VERSION}), and add --onnxruntime-web {NAME}."


def read_files(package: Path | None = None) -> dict[str, bytes]:
    """Return name and content of each file of the runtime.

    Args:
        package: the npm package; None is the one in the user's cache, where it is downloaded to if it is missing.

    Raises:
        InputError: the package is missing, is another version, or cannot be downloaded.
    """
    content = _download_once() if package is None else _read(package)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        members = {name: archive.extractfile(f"package/dist/{source}") for source, name in FILES.items()}
        runtime = {name: member.read() for name, member in members.items() if member}
    return runtime | {"LICENSE.txt": LICENSE.encode()}


def cache_file() -> Path:
    """Return the path of the package in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "modiste" / NAME


def _read(package: Path) -> bytes:
    try:
        with package.open("rb") as file:
            content = file.read(MAX_BYTES)
    except OSError as error:
        raise InputError(f"{package} cannot be read ({error.strerror}). {ADVICE}") from None
    if not _is_pinned(content):
        raise InputError(f"{package} is not the package onnxruntime-web {VERSION}: its SHA-512 is another. {ADVICE}")
    return content


def _is_pinned(content: bytes) -> bool:
    return hashlib.sha512(content).hexdigest() == SHA512


def _download_once() -> bytes:
    """Return the package from the cache, or download it to there; a cache that cannot be written is not used."""
    path = cache_file()
    if path.is_file() and _is_pinned(content := path.read_bytes()):
        return content
    content = _download()
    with suppress(OutputError, InputError):
        files.make_folder(path.parent)
        files.write_bytes(path, content)
    return content


def _download() -> bytes:
    registry = os.environ.get("NPM_CONFIG_REGISTRY") or "https://registry.npmjs.org/"
    url = f"{registry.rstrip('/')}/onnxruntime-web/-/{NAME}"
    try:
        if not url.startswith(("https://", "http://")):
            raise ValueError("not a web address")  # noqa: TRY301  reported as other failures are
        with urlopen(url, timeout=TIMEOUT) as response:  # noqa: S310  the scheme is checked above
            content = bytes(response.read(MAX_BYTES))
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise InputError(f"{url} cannot be downloaded ({reason}). {ADVICE}") from None
    if not _is_pinned(content):
        raise InputError(f"{url} has another SHA-512 than onnxruntime-web {VERSION} must have. {ADVICE}")
    return content
