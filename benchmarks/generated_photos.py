"""Generate training photos of garments: cut out on new backgrounds, on persons, and images of Fashion-MNIST.

    python benchmarks/generated_photos.py COLLECTION MORE FOLDER

FOLDER/generated.csv lists each generated photo with its class and the photos that it is made of, that of the garment
first; a training uses it only where all of these are training photos.
"""

import argparse
import csv
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from cutouts import Cutout, cut_out, paste
from numpy.typing import NDArray
from photo_sets import LABELS, Photo, read_photos

from modiste.data import fashion_mnist
from modiste.imaging import png
from modiste.imaging.preprocess import to_photo
from modiste.labels import FASHION_MNIST

SIZE = 240
"""Pixels a side of the generated photos."""

PER_CLASS = 200
"""Photos of each class that each of the three methods generates. With more of them, accuracy in the collection and
recall of "none of these" on left-out sources fall."""

GARMENTS = ("t-shirt", "pullover", "dress", "coat", "shirt")
"""The classes that are generated, of photos with the same labels: nearly all of these are of one kind, taken at home.
Generated photos of other objects lower the recall on left-out sources."""

PERSONS_SOURCE, PERSON_CLASSES = "shop-worn", ("t-shirt", "pullover", "coat")
"""Photos of persons on white from head to hip."""

CLUTTERED = "outdoors-worn"
"""A source whose garments are not cut out: they do not lie or hang alone."""

Background = NDArray[np.float32]


@dataclass(frozen=True)
class Pool:
    """The photos of both sets, with what was cut out of them."""

    photos: list[Photo]
    cutouts: dict[int, Cutout]

    def indices(self, *sources: str, classes: tuple[str, ...] = ()) -> list[int]:
        """Return the photos of some sources, and of some classes of these."""
        rows = enumerate(self.photos)
        return [i for i, photo in rows if photo.source in sources and (not classes or photo.class_name in classes)]


def read(photo: Photo) -> NDArray[np.uint8]:
    """Decode a photo, its longer side reduced to `SIZE`: uint8 [h, w, 3]."""
    pixels = to_photo(photo.path)
    scale = SIZE / max(pixels.shape[:2])
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def read_cutout(photo: Photo) -> Cutout | None:
    """Cut out the garment that a photo shows; None where it shows none, or it cannot be cut out."""
    is_garment = photo.labels in [LABELS[name] for name in GARMENTS] and photo.source != CLUTTERED
    return cut_out(read(photo)) if is_garment else None


def draw_background(pool: Pool, random: np.random.Generator) -> tuple[Background, list[int]]:
    """Draw a background, floats [SIZE, SIZE, 3], and return the photos that it is taken from.

    A third is nearly white, as in shops; the others have a color or the ground of another photo.
    """
    kind = random.random()
    if kind < 0.35:
        shade = np.linspace(0, random.uniform(0, 30), SIZE, dtype=np.float32)
        return np.repeat(random.uniform(232, 256) - shade[:, None, None], SIZE, 1) * np.ones(3, np.float32), []
    if kind < 0.5:
        return _draw_gradient(random), []
    index = int(random.choice(pool.indices("collection", "collection-rest", "bag-phone", "sneaker-phone")))
    return _tile_ground(read(pool.photos[index]), random), [index]


def _draw_gradient(random: np.random.Generator) -> Background:
    first = random.uniform(0, 255, 3) if random.random() < 0.5 else random.uniform(60, 230) + random.normal(0, 15, 3)
    weight = np.linspace(0, 1, SIZE)[:, None, None]
    weight = weight if random.random() < 0.5 else weight.transpose(1, 0, 2)
    noise = random.normal(0, random.uniform(0, 6), (SIZE, SIZE, 1))
    return (first + random.uniform(-40, 40, 3) * weight + noise).astype(np.float32)


def _tile_ground(photo: NDArray[np.uint8], random: np.random.Generator) -> Background:
    """Fill the background with a corner of a photo, where the ground is; mirrored, so that no edges are seen."""
    side = int(random.integers(28, 60))
    top, left = (int(random.integers(2)) * (length - side) for length in photo.shape[:2])
    corner = photo[max(0, top) :, max(0, left) :][:side, :side]
    if random.random() < 0.5:
        return cv2.resize(corner, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    height, width = corner.shape[:2]
    padded = np.pad(corner, ((0, SIZE - height), (0, SIZE - width), (0, 0)), "symmetric")
    return padded.astype(np.float32)


def place_on_background(cutout: Cutout, background: Background, random: np.random.Generator) -> NDArray[np.uint8]:
    """Put an object at a random place and size onto a background, a third of the time with a soft shadow."""
    height, width = cutout.opacity.shape
    aspect = np.exp(random.uniform(-0.2, 0.2))
    scale = random.uniform(0.6, 1) * SIZE / max(height * aspect, width / aspect)
    cutout = cutout.resized(int(height * aspect * scale), int(width / aspect * scale))
    height, width = cutout.opacity.shape
    top, left = int(random.integers(SIZE - height + 1)), int(random.integers(SIZE - width + 1))
    if random.random() < 1 / 3:
        shadow = Cutout(np.zeros_like(cutout.pixels), cv2.GaussianBlur(cutout.opacity, (0, 0), 4) * 0.4)
        paste(background, shadow, top + int(random.integers(8)), left + int(random.integers(-6, 7)))
    paste(background, cutout, top, left)
    return np.clip(background, 0, 255).astype(np.uint8)


def put_on_person(garment: Cutout, person: Cutout, is_dress: bool, random: np.random.Generator) -> Cutout:
    """Draw a garment over the torso of a person from head to hip: the person's head, arms and legs stay visible."""
    height, width = person.opacity.shape
    chest = np.flatnonzero(person.opacity[int(0.35 * height) : int(0.6 * height)].mean(0) > 0.5)
    left, right = (chest[0], chest[-1]) if len(chest) else (0, width - 1)
    garment_width = (right - left) * random.uniform(1.0, 1.45)
    garment_height = height * (random.uniform(0.6, 0.78) if is_dress else random.uniform(0.48, 0.62))
    worn = garment.resized(int(garment_height), int(garment_width))
    margin = max(0, int(garment_width) - width) // 2 + 1
    canvas = np.pad(person.pixels, ((0, 0), (margin, margin), (0, 0))).astype(np.float32)
    opacity = np.pad(person.opacity, ((0, 0), (margin, margin)))[..., None].astype(np.float32)
    place = int(height * random.uniform(0.19, 0.25)), margin + int((left + right - garment_width) / 2)
    paste(canvas, worn, *place)
    paste(opacity, Cutout(np.ones((*worn.opacity.shape, 1), np.uint8), worn.opacity), *place)
    return Cutout(canvas.astype(np.uint8), opacity[..., 0])


def generate(pool: Pool, per_class: int = PER_CLASS) -> Iterator[tuple[NDArray[np.uint8], str, list[int]]]:
    """Yield each generated photo with its class and the indices of its photos, that of the garment first."""
    persons = [i for i in pool.indices(PERSONS_SOURCE, classes=PERSON_CLASSES) if i in pool.cutouts]
    originals = fashion_mnist.source(28).part("train")
    for class_name in GARMENTS:
        garments = [i for i in pool.cutouts if pool.photos[i].labels == LABELS[class_name]]
        flat = [i for i in garments if pool.photos[i].is_of_collection]
        label = FASHION_MNIST.index(LABELS[class_name][0])
        chosen = np.random.default_rng(label).permutation(np.flatnonzero(originals.labels == label))[:per_class]
        images = originals.load(chosen)
        for copy in range(per_class):
            random = np.random.default_rng((label, copy))
            if garments:
                index = int(random.choice(garments))
                yield _finish(pool, pool.cutouts[index], [index], class_name, random)
            if flat and persons:
                index, person = int(random.choice(flat)), int(random.choice(persons))
                worn = put_on_person(pool.cutouts[index], pool.cutouts[person], class_name == "dress", random)
                yield _finish(pool, worn, [index, person], class_name, random)
            yield _finish(pool, enlarge(images[copy], random), [], class_name, random)


def _finish(
    pool: Pool, cutout: Cutout, parents: list[int], class_name: str, random: np.random.Generator
) -> tuple[NDArray[np.uint8], str, list[int]]:
    """Put a cutout on a background; return the photo, its class and the indices of all its photos."""
    background, ground = draw_background(pool, random)
    return place_on_background(cutout, background, random), class_name, [*parents, *ground]


def enlarge(image: NDArray[np.uint8], random: np.random.Generator) -> Cutout:
    """Enlarge an image of Fashion-MNIST, uint8 [28, 28] bright on black, and color it."""
    bright = cv2.morphologyEx((image > 30).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    gray, opacity = (
        cv2.resize(each, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC) for each in (255 - image, bright * 255)
    )
    color = random.uniform(0.35, 1, 3) ** random.uniform(0, 1)
    return Cutout((gray[:, :, None] * color).astype(np.uint8), cv2.GaussianBlur(opacity, (0, 0), 2) / np.float32(255))


def main() -> None:
    """Write the generated photos and generated.csv."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("collection", type=Path)
    parser.add_argument("more", type=Path)
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    photos = read_photos(args.collection, args.more)
    cv2.setNumThreads(1)
    with ProcessPoolExecutor() as processes:
        cutouts = enumerate(processes.map(read_cutout, photos, chunksize=32))
        pool = Pool(photos, {index: cutout for index, cutout in cutouts if cutout})
    args.folder.mkdir(parents=True, exist_ok=True)
    with (args.folder / "generated.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["file", "class", "photos"])
        for row, (pixels, class_name, parents) in enumerate(generate(pool)):
            name = f"{row:05}.png"
            (args.folder / name).write_bytes(png.encode(pixels))
            paths = " ".join(to_relative(photos[parent].path, args.collection, args.more) for parent in parents)
            table.writerow([name, class_name, paths])


def to_relative(path: Path, *roots: Path) -> str:
    """Return the path of a photo relative to its set."""
    return next(path.relative_to(root).as_posix() for root in roots if path.is_relative_to(root))


if __name__ == "__main__":
    main()
