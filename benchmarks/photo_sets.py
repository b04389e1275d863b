"""The two photo sets: their photos, with the labels, the source and the group of each."""

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modiste.labels import NONE_OF_THESE

ROOT = Path(__file__).parents[1]
EXCLUDED = (*ROOT.glob("src/modiste/assets/samples/*.jpg"), *ROOT.glob("tests/*photos/*/*.jpg"))
"""Photos that are samples or test data, so the bundled model is not trained on them."""

COLLECTION, REST = "collection", "collection-rest"
"""Sources whose photos were sent by the same people: COLLECTION, and the part of MORE with its other classes."""

GENERATED = "generated"
"""The source of all generated photos, so that sampling balances them against the real ones of their class."""

OTHER_CLASSES = ("hat", "shorts", "skirt")
"""Classes of clothes that correspond to no label of Fashion-MNIST."""

NO_CLOTHES = "other"
"""The class of photos without clothes."""

LABELS = {
    "t-shirt": ("T-shirt/top",),
    **dict.fromkeys(("pants", "trousers"), ("Trouser",)),
    **dict.fromkeys(("longsleeve", "pullover"), ("Pullover",)),
    "dress": ("Dress",),
    **dict.fromkeys(("outwear", "coat"), ("Coat",)),
    "shirt": ("Shirt",),
    "bag": ("Bag",),
    "sandal": ("Sandal",),
    "sneaker": ("Sneaker",),
    "boot": ("Ankle boot",),
    "shoes": ("Sandal", "Sneaker", "Ankle boot"),
    **dict.fromkeys((*OTHER_CLASSES, NO_CLOTHES), (NONE_OF_THESE,)),
}
"""The labels that photos of each class, and of each kind of shoe, may have."""


@dataclass(frozen=True)
class Photo:
    """A photo.

    Args:
        path: of its file.
        class_name: the class folder in its set.
        source: where it comes from.
        group: its sender or product; photos of a group are never in both parts of a split.
        kind: of a shoe of the class shoes: sandal, sneaker or boot; empty where the kind was not determined.
    """

    path: Path
    class_name: str
    source: str
    group: str
    kind: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that count as correct."""
        return LABELS[self.kind or self.class_name]

    @property
    def folder(self) -> str:
        """The class folder in a data folder: one for each class and source, for `data.sampling=balanced`."""
        return f"{self.kind or self.class_name}--{self.source}"

    @property
    def is_of_collection(self) -> bool:
        """Whether the people of COLLECTION sent it."""
        return self.source in {COLLECTION, REST}


def read_photos(collection: Path, more: Path) -> list[Photo]:
    """List the photos of both sets.

    Args:
        collection: COLLECTION, with senders.csv (file,sender_id); its class folders are below train/ and validation/.
        more: MORE, with photos.csv (file,class,source,group), and shoe-kinds.csv with kinds of shoes in `collection`.
    """
    kinds = {row["file_in_shared_clothing-photos"]: row["kind"] for row in _read_rows(more / "shoe-kinds.csv")}
    first = [
        Photo(
            collection / row["file"],
            Path(row["file"]).parent.name,
            COLLECTION,
            f"sender-{row['sender_id']}",
            kind if (kind := kinds.get(row["file"], "")) in LABELS else "",
        )
        for row in _read_rows(collection / "senders.csv")
    ]
    second = [  # the groups of collection-rest are collection-rest/sender-ID: the same people
        Photo(more / row["file"], row["class"], row["source"], row["group"].removeprefix(f"{REST}/"))
        for row in _read_rows(more / "photos.csv")
    ]
    return first + second


@dataclass(frozen=True)
class GeneratedPhoto:
    """A photo that `generated_photos.py` made, and the files of the photos that it is made of.

    Its group is that of the first one, which shows the object.
    """

    photo: Photo
    parents: frozenset[Path]


def read_generated(folder: Path, photos: list[Photo], *sets: Path) -> list[GeneratedPhoto]:
    """List what `generated_photos.py` wrote into a folder, from `photos`, which are in COLLECTION and MORE, `sets`."""
    groups = {photo.path: photo.group for photo in photos}
    generated = []
    for row in _read_rows(folder / "generated.csv"):
        parents = [next(root / path for root in sets if (root / path).exists()) for path in row["photos"].split()]
        group = groups.get(parents[0], row["file"]) if parents else row["file"]
        photo = Photo(folder / row["file"], row["class"], GENERATED, group)
        generated.append(GeneratedPhoto(photo, frozenset(parents)))
    return generated


def limit_photos(photos: list[Photo], limit: int) -> list[Photo]:
    """Return at most `limit` photos of each class and source, evenly spaced in their order; 0: all of them."""
    folders: dict[str, list[Photo]] = {}
    for photo in photos:
        folders.setdefault(photo.folder, []).append(photo)
    steps = {name: max(1, len(each) / limit) if limit else 1 for name, each in folders.items()}
    return [
        each[int(index * steps[name])]
        for name, each in folders.items()
        for index in range(int(len(each) / steps[name]))
    ]


def without_kinds(photos: list[Photo]) -> list[Photo]:
    """Return the photos without the kinds of shoes: any kind is correct."""
    return [replace(photo, kind="") for photo in photos]


def candidate_labels(photos: list[Photo], class_names: tuple[str, ...]) -> NDArray[np.bool_]:
    """Return the accepted labels of each photo: bool [n, labels]."""
    return np.array([[name in photo.labels for name in class_names] for photo in photos], bool).reshape(
        len(photos), len(class_names)
    )


def _read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
