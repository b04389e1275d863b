"""How good the recipe `photo` is on photos by people that it has not seen.

    python benchmarks/photos.py PHOTOS --folds 1                # for choices: the first fold alone
    python benchmarks/photos.py PHOTOS --no-clothes FOLDER      # all five, and all that is measured with them
    python benchmarks/photos.py PHOTOS --all                    # the model to ship: all photos, nothing held out

PHOTOS holds class folders below train/ and validation/, and senders.csv (file,sender_id): people give several photos of
one piece of clothing, so all photos of a sender are held out label_groups. A sitting that was stopped goes on where it was.
Writes results/photos.json.
"""

import argparse
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import timing
from changes import CHANGES, same_after
from judged import Seen, accuracy, figures, labelled, others, pooled, seen
from masking import hot_matters
from numpy.typing import NDArray
from photo_folds import FOLDS, UNKNOWN, candidate_labels, everything, folds, held_out, trained
from PIL import Image, ImageOps

from modiste.errors import InputError
from modiste.imaging import photo_files as pictures
from modiste.imaging.preprocess import to_image, to_photo
from modiste.inference import model_file
from modiste.inference.calibration import FLOOR
from modiste.runs import environment, results
from modiste.runs.folder import Run

SEARCHED = 4
"""The first folds, on which the recipe was chosen."""

UNHEARD_FOLDS = 2
"""Folds in which each class is left out: six trainings more."""

SOME = 8
"""Of the photos each eighth is enough for heat maps: each takes forty looks."""

SETS = ("data.synthetic_per_class=100",)
"""Of the recipe: labels that the photos lack, and drawings that are no clothes."""


def record(number: int, run: Run, judged: Seen) -> dict[str, Any]:
    """What a results file says of one fold."""
    return {
        **results.run_record(run),
        "fold": number,
        "val_accuracy": float(judged.truth.is_correct(judged.probabilities.argmax(1)).mean()),
        "val_loss": float(-np.log(judged.truth.likelihood(judged.probabilities).clip(FLOOR)).mean()),
        "images": len(judged.photos),
    }


def none_recall_of_unheard(root: Path, home: Path, changes: Sequence[str]) -> dict[str, Any]:
    """Share of a class's photos that get no label from models that never saw the class, nor chose a threshold by it."""
    found: dict[str, Any] = {}
    for name in UNKNOWN:
        spared = []
        for number, folder in enumerate(list(folds(root, home, name))[:UNHEARD_FOLDS]):
            judged = seen(trained(folder, Run(home / f"run-{number}-without-{name}"), changes), held_out(folder))
            unheard = judged.of_class(name)
            spared.append(~labelled(judged.part(unheard), judged.part(~unheard).careful()))
        told = np.concatenate(spared)
        found[name] = {"images": len(told), "none_recall": float(told.mean())}
    return found | {"none_recall": fmean(each["none_recall"] for each in found.values())}


def none_recall_of_no_clothes(runs: list[Run], judged: list[Seen], paths: list[Path]) -> dict[str, Any]:
    """Share of pictures without clothes that get no label, each run as its fold is judged, and as it would ship."""
    shown = [(seen(run, paths), chooser) for run, chooser in zip(runs, others(judged), strict=True)]
    careful = [~labelled(each, chooser.careful()) for each, chooser in shown]
    usual = [~labelled(each, chooser.calibration()) for each, chooser in shown]
    return {
        "images": len(paths),
        "none_recall": float(np.concatenate(careful).mean()),
        "none_recall_as_shipped": float(np.concatenate(usual).mean()),
    }


def same_labels(runs: list[Run], judged: list[Seen]) -> dict[str, float]:
    """For each change, the share of photos that are called the same after it, by the run that has not seen them."""
    found = [same_after(model_file.load(run.model, 1), each.photos) for run, each in zip(runs, judged, strict=True)]
    return {name: fmean(same for each in found for same in each[name]) for name in CHANGES}


def heat_maps(runs: list[Run], judged: list[Seen]) -> dict[str, Any]:
    """Share of some photos whose label loses more by masking the hottest fifth than by a random fifth."""
    pairs = zip(runs, judged, strict=True)
    right = [told for run, each in pairs for told in hot_matters(model_file.load(run.model), each.photos[::SOME])]
    return {"heat_maps_images": len(right), "heat_maps_right": fmean(right)}


def of_product_pictures(paths: list[Path]) -> dict[str, Any]:
    """Share of the photos that a network of Fashion-MNIST is right on, of those whose clothes it has a label for.

    Fed as most people do it (gray, 28 x 28, inverted), and by the steps of Fashion-MNIST's own makers.
    """
    model = model_file.load("fashion-mnist")
    known = [path for path in paths if path.parent.name not in UNKNOWN]
    ways = {"usual": [usual(path) for path in known], "its_own": [to_image(path, 28, 1) for path in known]}
    right = {
        way: candidate_labels(known, model.class_names)[
            np.arange(len(known)), model.probabilities(np.stack(images)).argmax(1)
        ]
        for way, images in ways.items()
    }
    return {"images": len(known), **{way: float(told.mean()) for way, told in right.items()}}


def usual(path: Path) -> NDArray[np.uint8]:
    """Gray, 28 x 28, inverted: a bright garment on black, if the photo is of a dark one on white."""
    with Image.open(path) as opened:
        return 255 - np.asarray(ImageOps.exif_transpose(opened).convert("L").resize((28, 28)))


def as_they_are(root: Path, home: Path, changes: Sequence[str]) -> dict[str, Any]:
    """What a stranger gets: trained on the class folders under their own names, judged on their validation/."""
    run = trained(root, Run(home / "run-as-they-are"), changes)
    return {"images": len(held_out(root)), "accuracy": model_file.load(run.model).scores["validation"]["accuracy"]}


def usable(paths: list[Path]) -> list[Path]:
    """Those that can be looked at: a picture of seven pixels a side gets no label for another reason."""
    found = []
    for path in paths:
        with suppress(InputError):
            to_photo(path)
            found.append(path)
    return found


def main() -> None:
    """Train and judge the folds, and write the results when all of them are done."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--folds", type=int, default=FOLDS, help="only the first so many; then nothing is written")
    parser.add_argument("--all", action="store_true", help="only train on all photos; nothing is written")
    parser.add_argument("--no-clothes", type=Path, help="a folder of pictures without clothes; needed for all folds")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any setting of the recipe")
    parser.add_argument("--home", type=Path, default=Path("runs/photos"), help="where the folds and their runs are")
    parser.add_argument("--out", type=Path, default=Path("results/photos.json"))
    given = parser.parse_args()
    changes = [*SETS, *given.set]
    if given.all:
        alone = [*changes, "data.val_fraction=0"]
        print(trained(everything(given.photos, given.home), Run(given.home / "run-all"), alone).path)
        return
    no_clothes = usable(pictures.find_photos(given.no_clothes).readable) if given.no_clothes else []
    if given.folds >= FOLDS and not no_clothes:  # now, not after hours of training
        parser.error("all folds are measured with --no-clothes FOLDER, a folder of pictures without clothes")
    chosen = list(folds(given.photos, given.home))[: given.folds]
    runs = [trained(folder, Run(given.home / f"run-{number}"), changes) for number, folder in enumerate(chosen)]
    judged = [seen(run, held_out(folder)) for run, folder in zip(runs, chosen, strict=True)]
    found = figures(judged)
    print(json.dumps(found, indent=2))
    if len(runs) < FOLDS:
        return
    found |= {
        "untouched_folds": accuracy(pooled(judged[SEARCHED:])),
        "same_class_after": same_labels(runs, judged),
        **heat_maps(runs, judged),
        "unseen_kinds": none_recall_of_unheard(given.photos, given.home, changes),
        "no_clothes": none_recall_of_no_clothes(runs, judged, no_clothes),
        "network_of_product_pictures": of_product_pictures(pooled(judged).photos),
        "as_they_are": as_they_are(given.photos, given.home, given.set),
        "settings": changes,
        "measured_with": environment.hardware(),
    }
    records = [record(number, run, each) for number, (run, each) in enumerate(zip(runs, judged, strict=True))]
    command = timing.command()
    results.write(given.out, recipe="photos", command=command, runs=records, split="validation", **found)
    print(given.out)


if __name__ == "__main__":
    main()
