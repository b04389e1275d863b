"""Measure the speed of the bundled model for photos, and how long a training on a user's photos takes."""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from user_latency import time_folder, time_prediction

from modiste.imaging import photo_files
from modiste.inference import model_file
from modiste.runs import environment, files, results
from modiste.runs.folder import Run

BUNDLED = Path(model_file.__file__).parents[1] / "assets" / "models" / "photo.onnx"

RECIPES = ("photo", "photo-quick")


def add_timings(out: Path, collection: Path, home: Path) -> None:
    """Measure the bundled model and trainings on COLLECTION's own split, and add them to the results file.

    Raises:
        SystemExit: the bundled model is not the one of the results file.
    """
    content = results.read(out)
    if model_file.load("photo").calibration.threshold != content["calibration"]["threshold"]:
        raise SystemExit(f"The bundled model is not that of {out}. Run tools/bundle.py photo MODEL before.")
    content["timings"] = {**environment.describe(), **measure_model(collection), **measure_trainings(collection, home)}
    files.write_json(out, content)


def measure_model(photos: Path) -> dict[str, Any]:
    """Return the size of the bundled model, and its speed on one photo and on a folder."""
    with tempfile.TemporaryDirectory() as home:
        return {
            "megabytes": BUNDLED.stat().st_size / 1e6,
            "photo_milliseconds": time_prediction(Path(photo_files.find_photos(photos).readable[0])),
            "folder": time_folder(Path(sys.executable), photos, Path(home)),
        }


def measure_trainings(data: Path, home: Path) -> dict[str, Any]:
    """Return seconds and validation accuracy of the recipes, as a user trains them on class folders."""
    return {"trainings": {recipe: time_training(recipe, data, Run(home / "timed" / recipe)) for recipe in RECIPES}}


def time_training(recipe: str, data: Path, run: Run, *options: str) -> dict[str, Any]:
    """Time the process `modiste train RECIPE --data DATA` from start to end; an earlier run is removed."""
    shutil.rmtree(run.path, ignore_errors=True)
    command = [
        sys.executable,
        "-m",
        "modiste",
        "train",
        recipe,
        "--data",
        str(data),
        "--name",
        str(run.path.absolute()),
    ]
    start = time.perf_counter()
    subprocess.run([*command, *options], stdout=subprocess.DEVNULL, check=True)
    seconds = time.perf_counter() - start
    scores = model_file.load(run.model).scores["validation"]
    return {"seconds": seconds, "images": int(scores["n"]), "accuracy": scores["accuracy"]}
