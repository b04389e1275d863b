"""Cross-validation folds of photos by sender: folders of links, the labels of their classes, and trained runs."""

import csv
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from modiste.data import sources
from modiste.labels import NONE_OF_THESE
from modiste.recipes import settings
from modiste.recipes.named import photo
from modiste.runs import files
from modiste.runs.folder import Run

FOLDS = 5

ROOT = Path(__file__).parents[1]
EXCLUDED = (*ROOT.glob("src/modiste/assets/samples/*.jpg"), *ROOT.glob("tests/photos/*/*.jpg"))
"""Photos that are samples or test data, so the bundled model is not trained on them."""

OTHER_CLASSES = ("hat", "shorts", "skirt")
"""Classes that correspond to no label of Fashion-MNIST; each is also left out of training to test unseen classes."""

LABELS = {
    "t-shirt": "T-shirt/top",
    "pants": "Trouser",
    "longsleeve": "Pullover",
    "dress": "Dress",
    "outwear": "Coat",
    "shirt": "Shirt",
    "shoes": ["Sandal", "Sneaker", "Ankle boot"],
    **dict.fromkeys(OTHER_CLASSES, NONE_OF_THESE),
}
"""Labels of Fashion-MNIST for each class folder, as labels.json has them."""


def read_senders(root: Path) -> tuple[list[Path], list[str], list[str]]:
    """Return photos, their classes and their senders, in the order of senders.csv."""
    with (root / "senders.csv").open(newline="", encoding="utf-8") as file:
        rows = [(Path(row["file"]), row["sender_id"]) for row in csv.DictReader(file)]
    return [root / path for path, _ in rows], [path.parent.name for path, _ in rows], [sender for _, sender in rows]


def senders_by_path(root: Path) -> dict[Path, str]:
    """Return the sender of each photo by its resolved path."""
    paths, _, senders = read_senders(root)
    return {path.resolve(): sender for path, sender in zip(paths, senders, strict=True)}


def make_folds(root: Path, home: Path, left_out: str = "") -> Iterator[Path]:
    """Make a data folder of links for each fold: train/, validation/ and labels.json.

    Args:
        root: PHOTOS.
        home: where the folders are made.
        left_out: a class that is removed from train/ but stays in validation/.
    """
    paths, classes, senders = read_senders(root)
    splits = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0).split(paths, classes, senders)
    for fold, (train, validation) in enumerate(splits):
        folder = home / f"fold-{fold}{f'-without-{left_out}' if left_out else ''}"
        parts = {
            "train": [paths[index] for index in train if classes[index] != left_out],
            "validation": [paths[index] for index in validation],
        }
        links = {f"{part}/{class_and_name(path)}": path for part, photos in parts.items() for path in photos}
        yield link_photos(folder, links)


def link_all(root: Path, home: Path) -> Path:
    """Make a data folder of links to all photos except `EXCLUDED`, and return it."""
    excluded = {path.read_bytes() for path in EXCLUDED}
    links = {class_and_name(path): path for path in read_senders(root)[0] if path.read_bytes() not in excluded}
    return link_photos(home / "all", links)


def class_and_name(photo: Path) -> str:
    """Return the path of a photo relative to the folder of its class folder."""
    return f"{photo.parent.name}/{photo.name}"


def link_photos(folder: Path, links: dict[str, Path]) -> Path:
    """Make a data folder with these links, by relative path, and its labels.json; return it.

    Existing links that are right are not touched, since a training may be reading them; others are removed.
    """
    for link in folder.rglob("*.*"):
        if link.is_symlink() and links.get(link.relative_to(folder).as_posix(), Path()).resolve() != link.resolve():
            link.unlink()
    for name, path in links.items():
        link = folder / name
        if not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path.resolve())
    classes = {path.parent.name for path in links.values()}
    labels = {name: label for name, label in LABELS.items() if name in classes}
    if not (folder / "labels.json").exists() or files.read_json(folder / "labels.json") != labels:
        files.write_json(folder / "labels.json", labels)
    return folder


def validation_photos(folder: Path) -> list[Path]:
    """Return the validation photos of a fold."""
    return sorted(folder.glob("validation/*/*"))


def candidate_labels(paths: list[Path], class_names: tuple[str, ...]) -> NDArray[np.bool_]:
    """Return the accepted labels of each photo by its class folder: bool [n, labels]; "none of these" for others."""
    mask = np.zeros((len(paths), len(class_names)), bool)
    for row, path in zip(mask, paths, strict=True):
        labels = LABELS.get(path.parent.name, NONE_OF_THESE)
        row[[class_names.index(label) for label in ([labels] if isinstance(labels, str) else labels)]] = True
    return mask


def train_or_open(folder: Path, run: Run, changes: Sequence[str]) -> Run:
    """Train the recipe `photo` on a fold, or resume the run, or open it when it is finished.

    Args:
        folder: data folder of the fold.
        run: its run folder.
        changes: settings of the recipe as KEY=VALUE.

    Raises:
        SystemExit: the existing run has other settings or was trained on other photos.
    """
    if run.recipe_file.exists():
        source = {"data.source": run.recipe().data.source}
        recipe = settings.with_settings(photo(), dict(map(settings.parse_setting, changes)) | source)
        if run.recipe() != recipe:
            raise SystemExit(f"{run.path} was trained with other settings. Remove it, or use another --home.")
    if not run.finished:
        arguments = ["--resume", str(run.path)]
        if not run.recipe_file.exists():
            sets = [argument for change in changes for argument in ("--set", change)]
            arguments = ["photo", "--data", str(folder.resolve()), "--name", str(run.path.resolve()), *sets]
        subprocess.run([sys.executable, "-m", "modiste", "train", *arguments], check=True)
    elif files.read_json(run.environment)["data"]["sha256"] != _sha256(run):
        raise SystemExit(f"The photos of {run.path} have changed since its training. Remove it, or use another --home.")
    return run


def _sha256(run: Run) -> str:
    return sources.sha256(run.recipe().data)
