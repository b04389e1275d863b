"""Makes a model file a bundled one, with what results/ says of it.

    python tools/bundle.py fashion-mnist runs/bench/marathon/seed-0/bundled.onnx    # as benchmarks/bundled.py left it
    python tools/bundle.py photo runs/photos/run-all/model.onnx                     # judged on all folds of photos.json

Writes src/modiste/assets/models/NAME.onnx and pins its SHA-256 in src/modiste/inference/bundled_files.py.
"""

import argparse
import hashlib
import json
import math
from pathlib import Path

import numpy as np
import onnx

from modiste.export import int8
from modiste.imaging.preprocess import to_image
from modiste.inference import bundled_files, model_file
from modiste.runs import results

ROOT = Path(__file__).parents[1]
PICTURES = (ROOT / "src" / "modiste" / "assets" / "samples", ROOT / "tests" / "photos")

LARGE, NEAR = 1024, 0.02
"""Numbers from which on weights are stored in 16 bits, and how far probabilities may move by that."""


def known(name: str) -> dict[str, str]:
    """What the file shall say of itself: how good it is, and for photos how sure it may be."""
    if name == "fashion-mnist":
        test = results.read(ROOT / "results" / "fashion-mnist.json")["test"]
        return {"scores": json.dumps({"test": {"n": test["n"], "accuracy": test["accuracy"]}})}
    found = results.read(ROOT / "results" / "photos.json")
    return {
        "scores": json.dumps({"folds": {"n": found["images"], "accuracy": found["as_shipped"]["answers_correct"]}}),
        **{key: json.dumps(found[key]) for key in ("temperature", "threshold", "label_groups")},
    }


def bundled(name: str, content: bytes) -> bytes:
    """The model file with what is known of it, without the path of its training data; that for photos in 16 bits."""
    recipe = json.loads(model_file.load(content).recipe_json)
    recipe["data"]["source"] = Path(recipe["data"]["source"]).name
    small = content if name == "fashion-mnist" else halved(content)
    return int8.with_metadata(small, {"recipe": json.dumps(recipe), **known(name)})


def halved(content: bytes) -> bytes:
    """The model file with its weights in 16 bits, made 32 again when it is loaded: half the size, as fast."""
    loaded = onnx.load_model_from_string(content)
    nodes = []
    for weights in loaded.graph.initializer:
        if weights.data_type == onnx.TensorProto.FLOAT and math.prod(weights.dims) >= LARGE:
            name, values = weights.name, onnx.numpy_helper.to_array(weights)
            weights.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            nodes.append(onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    nodes.extend(loaded.graph.node)
    del loaded.graph.node[:]
    loaded.graph.node.extend(nodes)
    return bytes(loaded.SerializeToString())


def furthest(one: bytes, other: bytes) -> float:
    """How far the probabilities of two models are apart, at most, on the samples and the photos of the tests."""
    first, second = model_file.load(one), model_file.load(other)
    paths = [path for folder in PICTURES for path in sorted(folder.rglob("*.[jp][pn]g"))]
    images = np.stack([to_image(path, first.image_size, first.channels) for path in paths])
    return float(np.abs(first.probabilities(images) - second.probabilities(images)).max())


def main() -> None:
    """Write the file and its sum."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", choices=bundled_files.NAMES)
    parser.add_argument("model", type=Path)
    given = parser.parse_args()
    trained = given.model.read_bytes()
    content = bundled(given.name, trained)
    gap = furthest(trained, content)
    if gap > NEAR:
        raise SystemExit(f"Its probabilities differ by up to {gap:.4f} in 16 bits; candidate_labels: {NEAR}.")
    path = ROOT / "src" / "modiste" / "assets" / "models" / f"{given.name}.onnx"
    path.write_bytes(content)
    pins = Path(bundled_files.__file__)
    text = pins.read_text(encoding="utf-8").replace(
        bundled_files.SHA256[given.name], hashlib.sha256(content).hexdigest()
    )
    pins.write_text(text, encoding="utf-8")
    print(f"{path.relative_to(ROOT)}: {len(content) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
