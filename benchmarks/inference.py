"""Measure runtimes, the command, the page and the service, and compare the predictions of all interfaces.

    python benchmarks/inference.py PHOTOS runs/fashion-mnist runs/photo

PHOTOS is a folder of photos, which the bundled models predict. The model of each run is measured in every runtime, on
the data of the run. It needs two idle cores, wrk, chromium and `pip install openvino`, and writes
results/inference.json.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import timing
from agreement import compare_interfaces
from runtimes import compare_runtimes
from user_latency import (
    install_base,
    installed_megabytes,
    measure_load,
    time_folder,
    time_prediction,
    time_process,
)

from modiste.data import sources
from modiste.imaging import photo_files
from modiste.runs import environment, results
from modiste.runs.folder import Run, open_run

MAX_COMPARED = 1000
"""Photos that are predicted by every interface."""

SAMPLES = Path(__file__).parents[1] / "src" / "modiste" / "assets" / "samples"


def measure_runtimes(run: Run) -> list[dict[str, Any]]:
    """Return a record for each runtime, on the validation images of the run, or its training images if it has none."""
    recipe = run.recipe()
    data = sources.open_training(recipe.data, recipe.seed)
    split = data.validation if len(data.validation) else data.train
    common = {
        "model": run.name,
        "size": recipe.data.image_size,
        "split": split.name,
        "megabytes": run.model.stat().st_size / 1e6,
    }
    return [common | record for record in compare_runtimes(run, split, data.train.images)]


def measure_interfaces(photos: Path, home: Path) -> dict[str, Any]:
    """Measure command and service with the bundled models: one of them on photos, the other on a sample."""
    photo, sample = Path(photo_files.find_photos(photos).readable[0]), min(SAMPLES.glob("*.png"))
    python = install_base(home)
    return {
        "base_install_megabytes": installed_megabytes(python),
        "process_seconds": time_process(python, photo),
        "photo_milliseconds": time_prediction(photo),
        "folder": time_folder(python, photos, home),
        "load": measure_load(sample, home),
    }


def main() -> None:
    """Measure everything and write the results file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, default=Path("results/inference.json"))
    args = parser.parse_args()
    runs = [open_run(path) for path in args.runs]
    with tempfile.TemporaryDirectory() as home:
        interfaces = measure_interfaces(args.photos, Path(home))
    records = [record | environment.describe() for run in runs for record in measure_runtimes(run)]
    print("All timings are done. Now the predictions of command, API and page are compared.", flush=True)
    interfaces["agreement"] = compare_interfaces(
        list(map(Path, photo_files.find_photos(args.photos).readable[:MAX_COMPARED]))
    )
    command = timing.current_command()
    results.write(args.out, recipe="inference", command=command, runs=records, **interfaces)
    print(args.out)


if __name__ == "__main__":
    main()
