"""A folder for any static host: the page of `modiste serve`, with the model in the browser instead of a server.

`static/` has the page, whose modules are all taken but `predictor.js`, which asks a server; `offline/` has the one that
runs the model, and the preprocessing in JavaScript.
"""

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import modiste
from modiste.errors import InputError
from modiste.inference import outliers
from modiste.inference.model import Model
from modiste.runs import files
from modiste.web import onnxruntime_web
from modiste.web.samples import find_samples

SERVER_ONLY = ("docs.html", "docs.js", "predictor.js")
"""Files of `static/` that are left out."""

PHOTO_TYPES = ("image/jpeg", "image/png", "image/webp")
"""Media types of the photos that `offline/decode.js` decodes."""

POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; style-src 'self'; "
    "img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'"
)
"""Content-Security-Policy of the page and its worker: nothing is sent to another host."""

CHARSET = '<meta charset="utf-8">'


@dataclass(frozen=True, slots=True)
class Site:
    """A written folder, and the bytes of its model and of everything else in it."""

    folder: Path
    model_bytes: int
    other_bytes: int


def write_site(model: Model, folder: Path, package: Path | None = None) -> Site:
    """Write the folder of a model's page.

    Args:
        model: the model.
        folder: it must not exist, or be empty.
        package: the npm package of ONNX Runtime; None downloads it once, see `onnxruntime_web.read_files`.

    Raises:
        InputError: the folder has files already, its parent does not exist, or the runtime cannot be had.
        OutputError: the folder cannot be written.
    """
    if os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir())):
        raise InputError(f"{folder} exists already and is not overwritten. Name another with --web, or remove it.")
    if not folder.absolute().parent.is_dir():
        raise InputError(f"The folder {folder.absolute().parent} does not exist. Make it first, or name another.")
    content = _site_files(model, onnxruntime_web.read_files(package))
    _write(folder, content)
    model_bytes = len(content["model.onnx"])
    return Site(folder, model_bytes, sum(map(len, content.values())) - model_bytes)


def _site_files(model: Model, runtime: dict[str, bytes]) -> dict[str, bytes]:
    """Return path and content of each file of the site."""
    web, assets = resources.files("modiste") / "web", resources.files("modiste") / "assets"
    page = [file for file in (web / "static").iterdir() if file.name not in SERVER_ONLY]
    content = {file.name: file.read_bytes() for file in [*page, *(web / "offline").iterdir()]}
    samples = find_samples([model])
    content |= {sample.file: (assets / sample.file).read_bytes() for sample in samples}
    content |= {f"onnxruntime/{name}": data for name, data in runtime.items()}
    about = {
        "models": [_describe(model)],
        "version": modiste.__version__,
        "samples": list(map(asdict, samples)),
        "photo_types": PHOTO_TYPES,
    }
    content["about.json"] = json.dumps(about, ensure_ascii=False).encode()
    content["model.onnx"] = model.session.content
    policy = f'{CHARSET}\n  <meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    content["index.html"] = content["index.html"].replace(CHARSET.encode(), policy.encode())
    return content | {"files.js": _file_list(content)}


def _describe(model: Model) -> dict[str, Any]:
    """Return what the page needs to know of a model: what `/about` has, and how to preprocess and calibrate."""
    calibration = model.calibration
    return {
        "name": model.name,
        "file": "model.onnx",
        "class_names": model.class_names,
        "label_groups": model.label_groups,
        "image_size": model.image_size,
        "channels": model.channels,
        "resize_mode": model.resize_mode,
        "is_on_black": model.is_on_black,
        "temperature": calibration.temperature,
        "threshold": calibration.threshold,
        "tta_threshold": model.tta_threshold,
        "tta_crop": model.tta_crop,
        "scores": model.scores,
        "can_abstain": model.can_abstain,
        "outliers": model.outliers and json.loads(model.outliers.to_metadata()[outliers.KEY]),
    }


def _file_list(content: dict[str, bytes]) -> bytes:
    """Return the script that tells the service worker which files to save; a change of any makes another version."""
    version = hashlib.sha256()
    for name in sorted(content):
        version.update(name.encode() + b"\0" + hashlib.sha256(content[name]).digest())
    paths = json.dumps(["./", *sorted(set(content) - {"service-worker.js"})])
    return f'const VERSION = "{version.hexdigest()[:16]}";\nconst FILES = {paths};\n'.encode()


def _write(folder: Path, content: dict[str, bytes]) -> None:
    """Write the files beside the folder first, so that it is complete or missing."""
    partial = folder.absolute().with_name(f"{folder.absolute().name}{files.PARTIAL_SUFFIX}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        for name, data in content.items():
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            (partial / name).write_bytes(data)
        if folder.is_dir():
            folder.rmdir()
        partial.replace(folder)
    except OSError as error:
        raise files.write_error(folder, error) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
