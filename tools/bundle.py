"""Makes a run's model a bundled one, with what results/ says of it.

    python tools/bundle.py fashion-mnist runs/fashion-mnist-0      # judged by results/fashion-mnist.json, its first run
    python tools/bundle.py photo runs/photos/run-all               # judged by results/photos.json, on all folds

Writes src/modiste/assets/models/NAME.onnx and pins its SHA-256 in src/modiste/inference/pinned.py.
"""

import argparse
import hashlib
import json
from pathlib import Path

from modiste.inference import model, pinned
from modiste.runs import results
from modiste.training import int8

ROOT = Path(__file__).parents[1]


def known(name: str) -> dict[str, str]:
    """What the file shall say of itself: how good it is, and for photos how sure it may be."""
    if name == "fashion-mnist":
        run = results.read(ROOT / "results" / "fashion-mnist.json")["runs"][0]
        return {"scores": json.dumps({"test": {"n": run["test_images"], "accuracy": run["test_accuracy"]}})}
    found = results.read(ROOT / "results" / "photos.json")
    return {
        "scores": json.dumps({"folds": {"n": found["images"], "accuracy": found["as_shipped"]["answers_right"]}}),
        **{key: json.dumps(found[key]) for key in ("temperature", "threshold", "together")},
    }


def bundled(name: str, content: bytes) -> bytes:
    """The model file with what is known of it, and without the path of its training data."""
    recipe = json.loads(model.load(content).recipe_json)
    recipe["data"]["source"] = Path(recipe["data"]["source"]).name
    return int8.with_facts(content, {"recipe": json.dumps(recipe), **known(name)})


def main() -> None:
    """Write the file and its sum."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", choices=pinned.NAMES)
    parser.add_argument("run", type=Path)
    given = parser.parse_args()
    content = bundled(given.name, (given.run / "model.onnx").read_bytes())
    path = ROOT / "src" / "modiste" / "assets" / "models" / f"{given.name}.onnx"
    path.write_bytes(content)
    pins = Path(pinned.__file__)
    text = pins.read_text(encoding="utf-8").replace(pinned.SHA256[given.name], hashlib.sha256(content).hexdigest())
    pins.write_text(text, encoding="utf-8")
    print(f"{path.relative_to(ROOT)}: {len(content) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
