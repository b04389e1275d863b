"""How good the recipe `photo` is on photos by people that it has not seen.

    python benchmarks/photos.py PHOTOS --folds 1                # for choices: the first fold alone
    python benchmarks/photos.py PHOTOS --no-clothes FOLDER      # all five, and all that is measured with them
    python benchmarks/photos.py PHOTOS --all                    # the model to ship: all photos, nothing held out

PHOTOS holds class folders below train/ and validation/, and senders.csv (file,sender_id): people give several photos of
one piece of clothing, so all photos of a sender are held out together. A sitting that was stopped goes on where it was.
Writes results/photos.json.
"""

import argparse
import csv
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from changes import CHANGES, same_after
from masking import hot_matters
from numpy.typing import NDArray
from PIL import Image, ImageOps
from sklearn.model_selection import StratifiedGroupKFold

from modiste.data.split import Split
from modiste.evaluation import calibration, intervals
from modiste.evaluation.scores import FLOOR, calibration_error
from modiste.images import files as pictures
from modiste.images.prepare import to_image
from modiste.inference import model as inference
from modiste.inference.certainty import Certainty
from modiste.labels import NONE_OF_THESE
from modiste.recipes import settings
from modiste.recipes.named import photo
from modiste.runs import environment, files, metrics, results
from modiste.runs.folder import Run

FOLDS = 5
SEARCHED = 2
"""The first folds, on which the recipe was chosen."""

UNHEARD_FOLDS = 2
"""Folds in which each class is left out: six trainings more."""

SETS = ("data.catalogue=100",)
"""Of the recipe: labels that the photos lack, and drawings that are no clothes."""

AT_A_TIME = 64
ROOT = Path(__file__).parents[1]
SHOWN = (*ROOT.glob("src/modiste/assets/samples/*.jpg"), *ROOT.glob("tests/photos/*/*.jpg"))
"""Photos that the bundled model is shown by people and tests, and does not learn from."""

PRECISION = 0.95
"""Share of the labels given that shall be right when "none of these" is counted."""

UNKNOWN = ("hat", "shorts", "skirt")
"""Classes that none of the labels fits; each is left out of training in turn, to see what becomes of the unheard-of."""

MEANINGS = {
    "t-shirt": "T-shirt/top",
    "pants": "Trouser",
    "longsleeve": "Pullover",
    "dress": "Dress",
    "outwear": "Coat",
    "shirt": "Shirt",
    "shoes": ["Sandal", "Sneaker", "Ankle boot"],
    **dict.fromkeys(UNKNOWN, NONE_OF_THESE),
}
"""What the class folders mean in the labels of Fashion-MNIST."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Seen:
    """What a model says of photos that its training has not seen.

    Args:
        photos: their paths; the folder of each is its class.
        probabilities: [n, labels], the network's own.
        allowed: bool [n, labels], what each may be called.
        names: of the labels.
    """

    photos: list[Path]
    probabilities: Floats
    allowed: NDArray[np.bool_]
    names: tuple[str, ...]

    @property
    def truth(self) -> Split:
        """What each may be called, as a split without images."""
        images = np.empty((len(self.photos), 0, 0), np.uint8)
        return Split("validation", images, self.allowed.argmax(1).astype(np.int64), self.allowed)

    def certainty(self) -> Certainty:
        """Temperature and threshold that these photos choose, as every model ships with."""
        return calibration.fit(self.probabilities, self.truth, self.names, calibration.together(self.allowed))

    def careful(self) -> Certainty:
        """The same with a threshold from which on 95 % of the labels given are right."""
        certainty = self.certainty()
        calibrated = certainty.calibrated(self.probabilities)
        said = calibrated.argmax(1)
        given = said != self.names.index(NONE_OF_THESE)
        least = right_from(certainty.sureness(calibrated)[given], self.truth.right(said)[given])
        return replace(certainty, threshold=least)

    def part(self, chosen: NDArray[np.bool_]) -> "Seen":
        """Some of the photos."""
        photos = [path for path, wanted in zip(self.photos, chosen, strict=True) if wanted]
        return Seen(photos, self.probabilities[chosen], self.allowed[chosen], self.names)

    def of_class(self, *names: str) -> NDArray[np.bool_]:
        """Which of the photos are of these classes."""
        return np.array([path.parent.name in names for path in self.photos])


def photos(root: Path) -> tuple[list[Path], list[str], list[str]]:
    """The photos, their classes and their senders, in the order of senders.csv."""
    with (root / "senders.csv").open(newline="", encoding="utf-8") as file:
        rows = [(Path(row["file"]), row["sender_id"]) for row in csv.DictReader(file)]
    return [root / path for path, _ in rows], [path.parent.name for path, _ in rows], [sender for _, sender in rows]


def folds(root: Path, home: Path, left_out: str = "") -> Iterator[Path]:
    """Lay out each fold as a data folder of links: train/, validation/ and labels.json.

    Args:
        root: PHOTOS.
        home: where the folds go.
        left_out: a class that is not trained on; it stays in validation.
    """
    paths, classes, senders = photos(root)
    cut = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0).split(paths, classes, senders)
    for number, (train, validation) in enumerate(cut):
        folder = home / f"fold-{number}{f'-without-{left_out}' if left_out else ''}"
        parts = {
            "train": [paths[index] for index in train if classes[index] != left_out],
            "validation": [paths[index] for index in validation],
        }
        yield laid(folder, {f"{part}/{name_of(path)}": path for part, chosen in parts.items() for path in chosen})


def everything(root: Path, home: Path) -> Path:
    """Lay out all photos as a data folder, but for those in `SHOWN`, and return it."""
    shown = {path.read_bytes() for path in SHOWN}
    return laid(home / "all", {name_of(path): path for path in photos(root)[0] if path.read_bytes() not in shown})


def name_of(photo: Path) -> str:
    """Class and name."""
    return f"{photo.parent.name}/{photo.name}"


def laid(folder: Path, wanted: dict[str, Path]) -> Path:
    """Make a data folder of links, by their names in it, and what its class folders mean; return it.

    Links that are right are left alone, as a training may be reading them; what is not wanted is removed.
    """
    for link in folder.rglob("*.*"):
        if link.is_symlink() and wanted.get(link.relative_to(folder).as_posix(), Path()).resolve() != link.resolve():
            link.unlink()
    for name, path in wanted.items():
        link = folder / name
        if not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path.resolve())
    classes = {path.parent.name for path in wanted.values()}
    known = {name: meaning for name, meaning in MEANINGS.items() if name in classes}
    if not (folder / "labels.json").exists() or files.read_json(folder / "labels.json") != known:
        files.write_json(folder / "labels.json", known)
    return folder


def trained(folder: Path, run: Run, changes: Sequence[str]) -> Run:
    """Train on a fold, or go on with it, or take what is there; `changes` are KEY=VALUE.

    Raises:
        SystemExit: what is there was trained in another way.
    """
    if run.recipe_file.exists():
        source = {"data.source": run.recipe().data.source}
        wanted = settings.with_settings(photo(), dict(map(settings.parse_setting, changes)) | source)
        if run.recipe() != wanted:
            raise SystemExit(f"{run.path} was trained with other settings. Remove it, or take another --home.")
    if not run.card.exists():
        begun = ["--resume", str(run.path)] if run.recipe_file.exists() else ["photo", "--data", str(folder.resolve())]
        sets = [part for change in changes for part in ("--set", change)]
        named = [] if run.recipe_file.exists() else ["--name", str(run.path.resolve()), *sets]
        subprocess.run([sys.executable, "-m", "modiste", "train", *begun, *named], check=True)
    return run


def seen(run: Run, paths: list[Path]) -> Seen:
    """Show photos to a run's model, by the way in that all pictures take."""
    model = inference.load(run.model)
    found = []
    for start in range(0, len(paths), AT_A_TIME):
        images = [to_image(path, model.size, model.channels) for path in paths[start : start + AT_A_TIME]]
        found.append(model.probabilities(np.stack(images)))
    probabilities = np.concatenate(found).astype(np.float64)
    return Seen(paths, probabilities, allowed(paths, model.labels), model.labels)


def allowed(paths: list[Path], names: tuple[str, ...]) -> NDArray[np.bool_]:
    """What each photo may be called, by its class; what is in no class may not be called anything."""
    found = np.zeros((len(paths), len(names)), bool)
    for row, path in zip(found, paths, strict=True):
        meaning = MEANINGS.get(path.parent.name, NONE_OF_THESE)
        row[[names.index(label) for label in ([meaning] if isinstance(meaning, str) else meaning)]] = True
    return found


def record(number: int, run: Run, judged: Seen) -> dict[str, Any]:
    """What a results file says of one fold."""
    recipe, rows, facts = run.recipe(), metrics.read(run.metrics), files.read_json(run.environment)
    right = (judged.probabilities * judged.allowed).sum(1)
    return {
        "seed": recipe.seed,
        "fold": number,
        "validation_accuracy": float(judged.truth.right(judged.probabilities.argmax(1)).mean()),
        "validation_loss": float(-np.log(right.clip(FLOOR)).mean()),
        "validation_images": len(judged.photos),
        "seconds": round(sum(row.seconds for row in rows), 1),
        "epochs": len(rows),
        **{key: facts[key] for key in ("parameters", "precision", "threads", "device", "hardware", "commit")},
    }


def pooled(folds_seen: list[Seen]) -> Seen:
    """The photos of all folds, each judged by the run that had not seen it."""
    paths = [path for each in folds_seen for path in each.photos]
    probabilities, may = (
        np.concatenate([getattr(each, key) for each in folds_seen]) for key in ("probabilities", "allowed")
    )
    return Seen(paths, probabilities, may, folds_seen[0].names)


def right_from(sure: Floats, right: NDArray[np.bool_]) -> float:
    """The lowest sureness from which on 95 % of the labels are right; 1 where no such is."""
    order = np.argsort(-sure, kind="stable")
    shares = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    last = np.append(sure[order][1:] < sure[order][:-1], True)  # those equally sure are told together
    enough = np.flatnonzero(last & (shares >= PRECISION))
    return float(sure[order][enough[-1]]) if len(enough) else 1.0


def others(folds_seen: list[Seen]) -> list[Seen]:
    """For each fold all the others, to choose its temperature and threshold; a single one has to choose its own."""
    if len(folds_seen) == 1:
        return folds_seen
    return [pooled([other for other in folds_seen if other is not each]) for each in folds_seen]


def figures(folds_seen: list[Seen]) -> dict[str, Any]:
    """Accuracy, calibration, and how it knows what it does not know, over the photos of all folds."""
    judged, choosers = pooled(folds_seen), others(folds_seen)
    usual = list(zip(folds_seen, [each.certainty() for each in choosers], strict=True))
    careful = list(zip(folds_seen, [each.careful() for each in choosers], strict=True))
    right = judged.truth.right(judged.probabilities.argmax(1))
    sure = np.concatenate([certainty.sureness(certainty.calibrated(each.probabilities)) for each, certainty in usual])
    surest = np.argsort(-sure, kind="stable")[: round(0.8 * len(sure))]
    classes = sorted({path.parent.name for path in judged.photos})
    shipped = judged.certainty()
    return {
        **accuracy(judged),
        "accuracy_of_classes": {name: float(right[judged.of_class(name)].mean()) for name in classes},
        "accuracy_of_surest_80_percent": float(right[surest].mean()),
        "ece": calibration_error(sure, right),
        "at_95_percent_right": answers(judged, np.concatenate([labelled(*each) for each in careful])),
        "as_shipped": answers(judged, np.concatenate([labelled(*each) for each in usual])),
        "temperature": shipped.temperature,
        "threshold": shipped.threshold,
        "threshold_at_95_percent_right": judged.careful().threshold,
        "together": [[judged.names[label] for label in group] for group in shipped.together],
    }


def accuracy(judged: Seen) -> dict[str, Any]:
    """Share of photos whose most probable label is right."""
    right = judged.truth.right(judged.probabilities.argmax(1))
    interval = intervals.wilson(int(right.sum()), len(right))
    return {"images": len(right), "accuracy": float(right.mean()), "interval_images": interval}


def answers(judged: Seen, given: NDArray[np.bool_]) -> dict[str, Any]:
    """What becomes of the photos when only some are given a label and all others "none of these"."""
    right, none = judged.truth.right(judged.probabilities.argmax(1)), judged.of_class(*UNKNOWN)
    answer = np.where(given, right, none)
    return {
        "labels_given": float(given.mean()),
        "labels_given_right": float(right[given].mean()) if given.any() else None,
        "none_recall": float((~given)[none].mean()) if none.any() else None,
        "answers_right": float(answer.mean()),
        "answers_right_interval": intervals.wilson(int(answer.sum()), len(answer)),
    }


def labelled(judged: Seen, certainty: Certainty) -> NDArray[np.bool_]:
    """Which photos are given a label."""
    calibrated = certainty.calibrated(judged.probabilities)
    sure: NDArray[np.bool_] = certainty.sureness(calibrated) >= certainty.threshold
    named: NDArray[np.bool_] = calibrated.argmax(1) != judged.names.index(NONE_OF_THESE)
    return sure & named


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
    usual = [~labelled(each, chooser.certainty()) for each, chooser in shown]
    return {
        "images": len(paths),
        "none_recall": float(np.concatenate(careful).mean()),
        "none_recall_as_shipped": float(np.concatenate(usual).mean()),
    }


def same_labels(runs: list[Run], judged: list[Seen]) -> dict[str, float]:
    """For each change, the share of photos that are called the same after it, by the run that has not seen them."""
    found = [same_after(inference.load(run.model, 1), each.photos) for run, each in zip(runs, judged, strict=True)]
    return {name: fmean(same for each in found for same in each[name]) for name in CHANGES}


def heat_maps_right(runs: list[Run], judged: list[Seen]) -> float:
    """Share of photos whose label loses more by masking the hottest fifth than by a random fifth."""
    pairs = zip(runs, judged, strict=True)
    return fmean(right for run, each in pairs for right in hot_matters(inference.load(run.model), each.photos))


def of_product_pictures(paths: list[Path]) -> dict[str, Any]:
    """Share of the photos that a network of Fashion-MNIST is right on, of those whose clothes it has a label for.

    Fed as most people do it (gray, 28 x 28, inverted), and by the steps of Fashion-MNIST's own makers.
    """
    model = inference.load("fashion-mnist")
    known = [path for path in paths if path.parent.name not in UNKNOWN]
    ways = {"usual": [usual(path) for path in known], "its_own": [to_image(path, 28, 1) for path in known]}
    right = {
        way: allowed(known, model.labels)[np.arange(len(known)), model.probabilities(np.stack(images)).argmax(1)]
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
    return {"images": len(held_out(root)), "accuracy": metrics.read(run.metrics)[-1].validation_accuracy}


def held_out(folder: Path) -> list[Path]:
    """The photos of a fold that its training does not see."""
    return sorted(folder.glob("validation/*/*"))


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
        alone = [*changes, "data.validation=0"]
        print(trained(everything(given.photos, given.home), Run(given.home / "run-all"), alone).path)
        return
    no_clothes = pictures.pictures_below(given.no_clothes) if given.no_clothes else []
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
        "same_label_after": same_labels(runs, judged),
        "heat_maps_right": heat_maps_right(runs, judged),
        "unheard_of": none_recall_of_unheard(given.photos, given.home, changes),
        "no_clothes": none_recall_of_no_clothes(runs, judged, no_clothes),
        "network_of_product_pictures": of_product_pictures(pooled(judged).photos),
        "as_they_are": as_they_are(given.photos, given.home, given.set),
        "settings": changes,
        "measured_with": environment.hardware(),
    }
    records = [record(number, run, each) for number, (run, each) in enumerate(zip(runs, judged, strict=True))]
    command = shlex.join(["python", "benchmarks/photos.py", *sys.argv[1:]])
    results.write(given.out, recipe="photos", command=command, runs=records, split="validation", **found)
    print(given.out)


if __name__ == "__main__":
    main()
