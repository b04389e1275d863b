"""The trainings of the photo benchmark: which photos each learns from and which it leaves out, and their runs."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from photo_sets import COLLECTION, EXCLUDED, GeneratedPhoto, Photo, without_kinds
from sklearn.model_selection import StratifiedGroupKFold

from modiste.data import sources
from modiste.recipes import named, settings
from modiste.recipes.recipe import Recipe
from modiste.runs import files
from modiste.runs.folder import Run

FOLDS = 5

SECONDS_BETWEEN_CHECKS = 0.2


@dataclass(frozen=True)
class Training:
    """A training.

    Args:
        name: of its run folder and its data folder.
        train: the photos to train on.
        left_out: the photos that it is evaluated on: a source, or the people of a fold.
        changes: settings of the recipe as KEY=VALUE.
        recipe: its name, or its file.
    """

    name: str
    train: list[Photo]
    left_out: list[Photo]
    changes: tuple[str, ...]
    recipe: str = "photo"

    def run(self, home: Path) -> Run:
        """Return its run below `home`."""
        return Run(home / self.name)

    @property
    def is_baseline(self) -> bool:
        """Whether it is of another recipe, for comparison."""
        return self.recipe != "photo"

    def resolve_recipe(self, source: str = "photos") -> Recipe:
        """Return the whole recipe, with the folder of its photos."""
        changes = dict(map(settings.parse_setting, self.changes))
        return settings.with_settings(named.resolve(self.recipe), changes | {"data.source": source})


def plan_trainings(
    photos: list[Photo], changes: tuple[str, ...], generated: Sequence[GeneratedPhoto] = ()
) -> list[Training]:
    """List the trainings: one without each source, the folds of the people of COLLECTION, and one on all photos.

    Each is also trained on the generated photos that are made of its training photos alone.
    """
    names = dict.fromkeys(photo.source for photo in photos if not photo.is_of_collection)
    left_out = {f"without-{name}": [photo for photo in photos if photo.source == name] for name in names}
    left_out |= {f"fold-{fold}": people for fold, people in enumerate(make_folds(photos))}
    excluded = {path.read_bytes() for path in EXCLUDED}
    bundled = [photo for photo in photos if photo.path.read_bytes() not in excluded]
    return [
        *(
            Training(name, with_generated(without(photos, each), generated), each, changes)
            for name, each in left_out.items()
        ),
        Training("all", with_generated(bundled, generated), [], (*changes, "data.val_fraction=0")),
    ]


def with_generated(photos: list[Photo], generated: Sequence[GeneratedPhoto]) -> list[Photo]:
    """Return the photos and the generated ones that are made of them alone."""
    paths = {photo.path for photo in photos}
    return photos + [each.photo for each in generated if each.parents <= paths]


def plan_baseline(photos: list[Photo], changes: tuple[str, ...], recipe: str) -> list[Training]:
    """List the trainings of another recipe on COLLECTION alone, without the kinds of its shoes: on all, and folds."""
    collection = [photo for photo in photos if photo.source == COLLECTION]
    folds = {f"baseline-fold-{fold}": people for fold, people in enumerate(make_folds(photos))}
    left_out = {"baseline-all": [photo for photo in photos if not photo.is_of_collection], **folds}
    return [
        Training(name, without_kinds(without(collection, each)), each, changes, recipe)
        for name, each in left_out.items()
    ]


def make_folds(photos: list[Photo]) -> list[list[Photo]]:
    """Divide the photos by the people of COLLECTION into folds, by sender and with similar shares of each label."""
    people = [photo for photo in photos if photo.is_of_collection]
    labels, groups = ["/".join(photo.labels) for photo in people], [photo.group for photo in people]
    splits = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0).split(people, labels, groups)
    return [[people[index] for index in fold] for _, fold in splits]


def without(photos: list[Photo], left_out: list[Photo]) -> list[Photo]:
    """Return the photos that are not left out."""
    paths = {photo.path for photo in left_out}
    return [photo for photo in photos if photo.path not in paths]


def link_photos(training: Training, folder: Path) -> Path:
    """Make the data folder of a training, of links, with its labels.json and groups.csv; return it.

    Existing links that are right are not touched, since a training may be reading them; others are removed.
    """
    parts = {"train": training.train, "validation": training.left_out}
    links = {f"{part}/{photo.folder}/{photo.path.name}": photo for part, each in parts.items() for photo in each}
    targets = {folder / name: photo.path.resolve() for name, photo in links.items()}
    for link in [path for path in folder.rglob("*.*") if path.is_symlink() and targets.get(path) != path.resolve()]:
        link.unlink()
    for link, target in targets.items():
        if not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)
    for empty in [path for path in folder.glob("*/*") if path.is_dir() and not any(path.iterdir())]:
        empty.rmdir()
    labels = {photo.folder: photo.labels if len(photo.labels) > 1 else photo.labels[0] for photo in links.values()}
    files.write_json(folder / "labels.json", labels)
    groups = [f"{name},{photo.group}" for name, photo in links.items()]
    files.write_text(folder / "groups.csv", "\n".join(["file,group", *groups]) + "\n")
    return folder


def train_all(trainings: Sequence[Training], home: Path, jobs: int) -> Iterator[Training]:
    """Train all that are not finished, some at the same time, each on one thread; they resume where they stopped.

    Yields:
        Each training that is finished; the others go on meanwhile.

    Raises:
        SystemExit: a training failed, or an existing run has other settings or was trained on other photos; then no
            other one goes on.
    """
    folders = {training.name: link_photos(training, home / "data" / training.name) for training in trainings}
    finished = [training for training in trainings if _is_finished(training, home)]
    waiting = [training for training in trainings if training not in finished]
    running: list[tuple[Training, subprocess.Popen[bytes]]] = []
    try:
        while waiting or running or finished:
            while waiting and len(running) < jobs:
                training = waiting.pop(0)
                running.append((training, _start(training, home, folders[training.name])))
            yield from finished
            time.sleep(SECONDS_BETWEEN_CHECKS)
            ended = [each for each in running if each[1].poll() is not None]
            running = [each for each in running if each not in ended]
            for training, process in ended:
                _require_success(training.name, process, _log(home, training.name))
            finished = [training for training, _ in ended]
    finally:
        for _, process in running:
            process.terminate()
            process.wait()


def _start(training: Training, home: Path, folder: Path) -> subprocess.Popen[bytes]:
    """Start or resume a training; its output is appended to its log."""
    run, log = training.run(home), _log(home, training.name)
    print(f"{training.name}: training; its log is {log}", flush=True)
    arguments = ["--resume", str(run.path)]
    if not run.recipe_file.exists():
        sets = [argument for change in training.changes for argument in ("--set", change)]
        arguments = [training.recipe, "--data", str(folder.resolve()), "--name", str(run.path.resolve()), *sets]
    with log.open("ab") as output:
        return subprocess.Popen([sys.executable, "-m", "modiste", "train", *arguments], stdout=output, stderr=output)


def _require_success(name: str, process: subprocess.Popen[bytes], log: Path) -> None:
    if process.returncode:
        raise SystemExit(f"{log.read_text(encoding='utf-8')}\n{name} failed with exit code {process.returncode}.")
    print(f"{name}: finished", flush=True)


def _is_finished(training: Training, home: Path) -> bool:
    """Return whether its run is finished; raise SystemExit if it has other settings or was trained on other photos."""
    run = training.run(home)
    if run.recipe_file.exists() and run.recipe() != training.resolve_recipe(run.recipe().data.source):
        raise SystemExit(f"{run.path} was trained with other settings. Remove it, or use another --home.")
    if run.finished and files.read_json(run.environment)["data"]["sha256"] != sources.sha256(run.recipe().data):
        raise SystemExit(f"The photos of {run.path} have changed since its training. Remove it, or use another --home.")
    return run.finished


def _log(home: Path, name: str) -> Path:
    return home / f"{name}.log"
