"""How fast the models and all that uses them are, and whether all that uses them says the same.

    python benchmarks/inference.py PHOTOS runs/fashion-mnist runs/photo

PHOTOS is a folder of photos, which the bundled models look at. Each run, with its weights and data, goes through every
runtime. Needs two cores with nothing else running, wrk, chromium and `pip install openvino`. Writes
results/inference.json.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import timing
from agreement import agreement
from runtimes import compared
from waiting import base_install, folder, load, megabytes, milliseconds, process

from modiste.data import sources
from modiste.imaging import photo_files
from modiste.runs import environment, results
from modiste.runs.folder import Run, open_run

PICTURES = 1000
SAMPLES = Path(__file__).parents[1] / "src" / "modiste" / "assets" / "samples"


def models(run: Run) -> list[dict[str, Any]]:
    """A record a runtime, on the images that the run held out, or on those it learned from where there are none."""
    recipe = run.recipe()
    data = sources.open_training(recipe.data, recipe.seed)
    judged = data.validation if len(data.validation) else data.train
    facts = {
        "model": run.name,
        "size": recipe.data.image_size,
        "split": judged.name,
        "megabytes": run.model.stat().st_size / 1e6,
    }
    return [facts | record for record in compared(run, judged, data.train.images)]


def use(photos: Path, home: Path) -> dict[str, Any]:
    """What people wait for, with the bundled models: photos get one of them, the sample the other."""
    picture, sample = photo_files.find_photos(photos).readable[0], min(SAMPLES.glob("*.png"))
    python = base_install(home)
    return {
        "base_install_megabytes": megabytes(python),
        "process_seconds": process(python, picture),
        "photo_milliseconds": milliseconds(picture),
        "folder": folder(python, photos, home),
        "load": load(sample, home),
    }


def main() -> None:
    """Measure one after the other and write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, default=Path("results/inference.json"))
    given = parser.parse_args()
    runs = [open_run(path) for path in given.runs]
    with tempfile.TemporaryDirectory() as home:
        used = use(given.photos, Path(home))
    records = [record | environment.describe() for run in runs for record in models(run)]
    print("All that is timed is measured; what the command, the API and the page say is compared now.", flush=True)
    used["agreement"] = agreement(photo_files.find_photos(given.photos).readable[:PICTURES])
    command = timing.command()
    results.write(given.out, recipe="inference", command=command, runs=records, **used)
    print(given.out)


if __name__ == "__main__":
    main()
