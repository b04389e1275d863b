"""Photos of clothes cut by who sent them: folders of links, what their classes mean, the runs trained on them."""

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
SHOWN = (*ROOT.glob("src/modiste/assets/samples/*.jpg"), *ROOT.glob("tests/photos/*/*.jpg"))
"""Photos that the bundled model is shown by people and tests, and does not learn from."""

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
        sides = {
            "train": [paths[index] for index in train if classes[index] != left_out],
            "validation": [paths[index] for index in validation],
        }
        yield laid(folder, {f"{side}/{name_of(path)}": path for side, chosen in sides.items() for path in chosen})


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


def held_out(folder: Path) -> list[Path]:
    """The photos of a fold that its training does not see."""
    return sorted(folder.glob("validation/*/*"))


def candidate_labels(paths: list[Path], names: tuple[str, ...]) -> NDArray[np.bool_]:
    """What each photo may be called, by its class; what is in no class may not be called anything."""
    found = np.zeros((len(paths), len(names)), bool)
    for row, path in zip(found, paths, strict=True):
        meaning = MEANINGS.get(path.parent.name, NONE_OF_THESE)
        row[[names.index(label) for label in ([meaning] if isinstance(meaning, str) else meaning)]] = True
    return found


def trained(folder: Path, run: Run, changes: Sequence[str]) -> Run:
    """Train on a fold, or go on with it, or take what is there; `changes` are KEY=VALUE.

    Raises:
        SystemExit: what is there was trained in another way, or on photos that are cut otherwise by now.
    """
    if run.recipe_file.exists():
        source = {"data.source": run.recipe().data.source}
        wanted = settings.with_settings(photo(), dict(map(settings.parse_setting, changes)) | source)
        if run.recipe() != wanted:
            raise SystemExit(f"{run.path} was trained with other settings. Remove it, or take another --home.")
    if not run.finished:
        begun = ["--resume", str(run.path)] if run.recipe_file.exists() else ["photo", "--data", str(folder.resolve())]
        sets = [part for change in changes for part in ("--set", change)]
        named = [] if run.recipe_file.exists() else ["--name", str(run.path.resolve()), *sets]
        subprocess.run([sys.executable, "-m", "modiste", "train", *begun, *named], check=True)
    elif files.read_json(run.environment)["data"]["sha256"] != _sha256(run):
        raise SystemExit(
            f"The photos of {run.path} have changed since it was trained. Remove it, or take another --home."
        )
    return run


def _sha256(run: Run) -> str:
    return sources.sha256(run.recipe().data)
