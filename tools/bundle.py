"""Bundle a model file with the package, with its scores from results/ in its metadata.

    python tools/bundle.py fashion-mnist runs/bench/marathon/seed-0/bundled.onnx    # written by benchmarks/bundled.py
    python tools/bundle.py photo runs/photos/all/model.onnx                          # scores of all folds

It writes src/modiste/assets/models/NAME.onnx and its SHA-256 in src/modiste/inference/bundled_files.py.
"""

import argparse
import hashlib
import json
import math
from pathlib import Path

import numpy as np
import onnx

from modiste.export import int8
from modiste.inference import bundled_files, model_file
from modiste.runs import results

ROOT = Path(__file__).parents[1]
PHOTOS = (ROOT / "src" / "modiste" / "assets" / "samples", ROOT / "tests" / "photos", ROOT / "tests" / "more-photos")

MIN_FP16_SIZE = 1024
"""Weight tensors with at least this many elements are stored in fp16."""

MAX_DIFFERENCE = 0.02
"""Between the probabilities with weights in fp16 and in fp32."""


def metadata(name: str) -> dict[str, str]:
    """Return the metadata of the bundled file: its scores, and the calibration or the detector of outliers."""
    if name == "fashion-mnist":
        test = results.read(ROOT / "results" / "fashion-mnist.json")["test"]
        scores = {"scores": json.dumps({"test": {"n": test["n"], "accuracy": test["accuracy"]}})}
        return scores | results.read(ROOT / "results" / "out-of-distribution.json")["metadata"]
    photos = results.read(ROOT / "results" / "photos.json")
    folds = {"n": photos["folds"]["images"], "accuracy": photos["folds"]["accuracy"]}
    return {
        "scores": json.dumps({"folds": folds}),
        **{key: json.dumps(value) for key, value in photos["calibration"].items()},
    }


def to_bundled(name: str, content: bytes) -> bytes:
    """Return the model file with its metadata, and in fp16 for photos."""
    content = content if name == "fashion-mnist" else to_fp16(content)
    return int8.with_metadata(content, metadata(name))


def to_fp16(content: bytes) -> bytes:
    """Return the model file with fp16 weights that are cast to fp32 on loading: half the size at the same speed."""
    loaded = onnx.load_model_from_string(content)
    nodes = []
    for weights in loaded.graph.initializer:
        if weights.data_type == onnx.TensorProto.FLOAT and math.prod(weights.dims) >= MIN_FP16_SIZE:
            name, values = weights.name, onnx.numpy_helper.to_array(weights)
            weights.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            nodes.append(onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    nodes.extend(loaded.graph.node)
    del loaded.graph.node[:]
    loaded.graph.node.extend(nodes)
    return bytes(loaded.SerializeToString())


def max_difference(content: bytes, other: bytes) -> float:
    """Return the largest difference of two models' probabilities on the samples and the photos of the tests."""
    first, second = model_file.load(content), model_file.load(other)
    paths = [path for folder in PHOTOS for path in sorted(folder.rglob("*.[jp][pn]g"))]
    images = np.stack([first.preprocess(path)[1] for path in paths])
    return float(np.abs(first.probabilities(images) - second.probabilities(images)).max())


def main() -> None:
    """Write the model file and its SHA-256."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", choices=bundled_files.NAMES)
    parser.add_argument("model", type=Path)
    args = parser.parse_args()
    exported = args.model.read_bytes()
    content = to_bundled(args.name, exported)
    difference = max_difference(exported, content)
    if difference > MAX_DIFFERENCE:
        raise SystemExit(f"Its probabilities differ by {difference:.4f} in fp16; at most {MAX_DIFFERENCE} is accepted.")
    path = ROOT / "src" / "modiste" / "assets" / "models" / f"{args.name}.onnx"
    path.write_bytes(content)
    hashes = Path(bundled_files.__file__)
    text = hashes.read_text(encoding="utf-8").replace(
        bundled_files.SHA256[args.name], hashlib.sha256(content).hexdigest()
    )
    hashes.write_text(text, encoding="utf-8")
    print(f"{path.relative_to(ROOT)}: {len(content) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
