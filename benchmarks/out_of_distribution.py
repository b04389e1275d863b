"""Choose and measure when the bundled fashion-mnist predicts "none of these" for an image unlike Fashion-MNIST.

    python benchmarks/out_of_distribution.py MORE_PHOTOS CLOTHING_PHOTOS

The distributions are fitted on 48,000 training images, with copies of some as JPEG and enlarged; the threshold on the
12,000 that are left. Then follow, in shares that are "none of these": the test images (false alarms), generated images,
and photos that show no clothes: reduced to 28 gray pixels, and prepared as `predict --model fashion-mnist` does. It
writes results/out-of-distribution.json, whose metadata `tools/bundle.py` puts into the model.
"""

import argparse
import csv
import io
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from generated_images import KINDS, generate
from numpy.typing import NDArray
from PIL import Image

from modiste.data import fashion_mnist
from modiste.imaging.preprocess import to_image
from modiste.inference.outliers import KEY, Images, OutlierDetector
from modiste.metrics.outliers import fit_outliers
from modiste.runs import results

FALSE_ALARMS = 0.004
"""Of the validation images; at most 0.005 of the test images may be false alarms."""

TRAIN, SEED = 48_000, 0
COPIED = 4_000
"""Training images that are copied once as JPEG and once enlarged."""

PER_KIND = 150
NO_CLOTHES = ("grocery", "waste", "misc", "animals-buildings", "tools-furniture", "screenshots")
NOT_CLASSES = ("hat", "shorts", "skirt", "other")


def encode(image: Image.Image, kind: str) -> bytes:
    """Return an image as a file."""
    file = io.BytesIO()
    image.convert("RGB").save(file, kind)
    return file.getvalue()


COPIES: dict[str, Callable[[Image.Image], bytes]] = {
    "JPEG of 28 pixels": lambda image: encode(image, "JPEG"),
    "bilinear, 112 pixels": lambda image: encode(image.resize((112, 112), Image.Resampling.BILINEAR), "PNG"),
    "bicubic JPEG, 224 pixels": lambda image: encode(image.resize((224, 224), Image.Resampling.BICUBIC), "JPEG"),
    "on white": lambda image: encode(image.point([255 - level for level in range(256)]), "PNG"),
}
"""Copies of Fashion-MNIST that are recognized; the first two are fitted as well."""


def copies(images: Images, kind: str) -> Images:
    """Return how copies of images are prepared."""
    return np.stack([to_image(COPIES[kind](Image.fromarray(image)), 28, 1) for image in images])


def fit(images: Images, labels: NDArray[np.int64]) -> OutlierDetector:
    """Fit the detector on training images."""
    some = np.random.default_rng(SEED).choice(TRAIN, COPIED, replace=False)
    copied = [copies(images[some], kind) for kind in list(COPIES)[:2]]
    fitted = np.concatenate([images[:TRAIN], *copied]), np.concatenate([labels[:TRAIN], labels[some], labels[some]])
    return fit_outliers(*fitted, images[TRAIN:], FALSE_ALARMS)


def photos(paths: Iterable[Path]) -> dict[str, Images]:
    """Return photos in gray, reduced to 28 pixels, and as they are prepared for the model."""
    small, prepared = [], []
    for path in paths:
        gray = Image.open(path).convert("L").resize((28, 28), Image.Resampling.BOX)
        small.append(to_image(gray, 28, 1))
        prepared.append(to_image(path, 28, 1))
    return {"28 gray pixels": np.stack(small), "prepared": np.stack(prepared)}


def photo_sets(more: Path, clothing: Path) -> dict[str, list[Path]]:
    """Return some photos of each source, those of classes apart from those that show none."""
    sets: dict[str, list[Path]] = {}
    for row in csv.DictReader((more / "photos.csv").open(encoding="utf-8")):
        if row["source"] in NO_CLOTHES:
            sets.setdefault(f"no clothes/{row['source']}", []).append(more / row["file"])
        elif row["class"] not in NOT_CLASSES:
            sets.setdefault(f"clothes/{row['source']}", []).append(more / row["file"])
    folders = [each for each in sorted((clothing / "validation").iterdir()) if each.name not in NOT_CLASSES]
    sets["clothes/collection"] = [path for each in folders for path in sorted(each.iterdir())]
    random = np.random.default_rng(SEED)
    return {name: [paths[i] for i in random.permutation(len(paths))[:PER_KIND]] for name, paths in sets.items()}


def main() -> None:
    """Fit, measure, write the results file, and print the shares."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("more", type=Path)
    parser.add_argument("clothing", type=Path)
    args = parser.parse_args()
    source = fashion_mnist.source()
    train, test = source.part("train").load_split("train"), source.part("test").load_split("test")
    detector = fit(train.images, train.labels)
    random = np.random.default_rng(SEED)
    sets = {f"generated/{kind}": np.stack([generate(kind, random) for _ in range(PER_KIND)]) for kind in KINDS}
    for name, paths in photo_sets(args.more, args.clothing).items():
        sets |= {f"{name}/{form}": images for form, images in photos(paths).items()}
    sets |= {f"copies/{kind}": copies(train.images[TRAIN : TRAIN + 1000], kind) for kind in COPIES}
    shares = {name: float(detector.is_outlier(images).mean()) for name, images in sets.items()}
    groups = sorted({name.partition("/")[0] + "/" + name.rpartition("/")[2] for name in sets if "clothes" in name})
    means = {
        group: float(np.mean([shares[name] for name in shares if _is_in(name, group)]))
        for group in [*groups, "generated/"]
    }
    false_alarms = float(detector.is_outlier(test.images).mean())
    results.write(
        Path("results") / "out-of-distribution.json",
        recipe="fashion-mnist",
        command="python benchmarks/out_of_distribution.py MORE_PHOTOS CLOTHING_PHOTOS",
        runs=[],
        threshold=detector.threshold,
        validation={"n": len(train.images) - TRAIN, "false_alarms": 1 - detector.coverage},
        test={"n": len(test.images), "false_alarms": false_alarms},
        outliers={name: {"n": len(sets[name]), "share": share} for name, share in shares.items()},
        mean_outliers=means,
        metadata={KEY: detector.to_metadata()[KEY]},
    )
    print(
        f"false alarms on test {false_alarms:.2%}",
        *(f"{group} {share:.1%}" for group, share in means.items()),
        sep="\n",
    )


def _is_in(name: str, group: str) -> bool:
    kind, _, form = group.partition("/")
    return name.startswith(f"{kind}/") and name.endswith(form)


if __name__ == "__main__":
    main()
