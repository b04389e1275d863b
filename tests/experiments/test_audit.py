"""Audits with real trainings, on planted errors and on small data."""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.command import TINY, run_in_process
from helpers.idx import images_file, labels_file, write_idx_folder
from helpers.photos import fill
from modiste.data import fashion_mnist, folds
from modiste.data.split import Split
from modiste.errors import InputError, SettingError
from modiste.experiments import audit
from modiste.labels import FASHION_MNIST
from modiste.recipes import settings
from modiste.recipes.named import sprint

QUICK = ("--set=schedule.epochs=1", "--set=data.val_fraction=0.5", *TINY)


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a table."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write_split(folder: Path, start: str, images: np.ndarray, labels: np.ndarray) -> None:
    """Write the two IDX files of a split."""
    folder.mkdir(exist_ok=True)
    (folder / "labels.json").write_text(json.dumps(FASHION_MNIST))
    (folder / f"{start}-images-idx3-ubyte").write_bytes(images_file(images))
    (folder / f"{start}-labels-idx1-ubyte").write_bytes(labels_file(labels))


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str], set[tuple[str, str]]]:
    """10,000 images of Fashion-MNIST with 2 % of their labels changed, and a test split with copies of some.

    Returns the folder, the names of the images with a changed label, and the pairs of an image and its copy.
    """
    folder = tmp_path_factory.mktemp("planted") / "idx"
    part, random = fashion_mnist.source(28).part("train"), np.random.default_rng(0)
    indices = folds.balanced_subset(part.labels, 10_000)
    images, labels = part.load(indices), part.labels[indices].copy()
    changed = random.choice(10_000, 200, replace=False)
    labels[changed] = (labels[changed] + random.integers(1, 10, 200)) % 10
    write_split(folder, "train", images, labels)
    copied = random.choice(10_000, 60, replace=False)
    shifted, brighter, mirrored = images[copied].reshape(3, 20, 28, 28)
    copies = [np.roll(shifted, (1, -2), (1, 2)), np.clip(brighter * 1.3, 0, 255).astype(np.uint8), mirrored[:, :, ::-1]]
    others = fashion_mnist.source(28).part("test")
    test = np.concatenate([*copies, others.load(np.arange(140))])
    write_split(folder, "t10k", test, np.concatenate([labels[copied], others.labels[:140]]))
    pairs = {(f"train#{original}", f"test#{copy}") for copy, original in enumerate(copied)}
    return folder, {f"train#{index}" for index in changed}, pairs


@pytest.mark.slow
def test_planted_errors_and_copies_are_found(
    planted: tuple[Path, set[str], set[tuple[str, str]]], tmp_path: Path
) -> None:
    """Of the k most suspect at least 65 % are planted, 90 % are found within the 2k, and all copies are."""
    folder, changed, pairs = planted
    three_folds = ("--set=data.val_fraction=0.3333", "--set=compute.threads=1")
    run_in_process(tmp_path, "audit", "--data", str(folder), *three_folds, "--jobs=2")
    suspects = [row["image"] for row in rows(tmp_path / "audit" / "suspects.csv") if row["split"] == "train"]
    k = len(changed)
    assert len(changed & set(suspects[:k])) >= 0.65 * k
    assert len(changed & set(suspects[: 2 * k])) >= 0.9 * k
    duplicates = rows(tmp_path / "audit" / "duplicates.csv")
    assert pairs <= {(row["image_1"], row["image_2"]) for row in duplicates}
    across = next(each for each in summary(tmp_path)["duplicates"] if each["splits"] == ["train", "test"])
    assert across["pairs"] >= len(pairs)


def summary(folder: Path) -> dict[str, Any]:
    """The content of audit.json."""
    content: dict[str, Any] = json.loads((folder / "audit" / "audit.json").read_text())
    return content


@pytest.mark.slow
def test_an_audit_writes_its_files_and_resumes(tmp_path: Path) -> None:
    """Tables, pages and summary; a second call trains nothing, and each opening of test is counted."""
    write_idx_folder(tmp_path / "idx", train=200, test=150)
    arguments = ("audit", "--data", "idx", *QUICK)
    first = run_in_process(tmp_path, *arguments, "--json")
    home = tmp_path / "audit"
    assert json.loads(first.stdout) == summary(tmp_path)
    assert {path.name for path in home.iterdir()} == {
        ".lock", "audit.json", "duplicates.csv", "folds", "index.html", "sample.json", "suspects.csv",
        "test_openings.json", "verdicts.html",
    }  # fmt: skip
    content = summary(tmp_path)
    assert [(each["split"], each["images"]) for each in content["splits"]] == [("train", 200), ("test", 150)]
    assert content["command"].startswith("modiste audit --data idx --set schedule.epochs=1")
    assert [run["fold"] for run in content["runs"]] == [0, 1]
    assert "http" not in (home / "index.html").read_text().replace("http://www.w3.org", "")
    folds_before = {path: path.stat().st_mtime_ns for path in home.glob("folds/*/model.onnx")}
    run = next(home.glob("folds/fold-0"))
    second = run_in_process(tmp_path, *arguments, f"--evaluate={run}")
    assert "training" not in second.stderr
    assert {path: path.stat().st_mtime_ns for path in home.glob("folds/*/model.onnx")} == folds_before
    assert json.loads((home / "test_openings.json").read_text()) == {"test_openings": 2}
    by_folds, by_run = summary(tmp_path)["accuracies"]
    assert by_folds["without_suspects"]["accuracy"] >= by_folds["all"]["accuracy"]
    assert by_run["method"] == str(run)
    assert by_run["all"]["n"] == 150
    assert "test accuracy" in second.stdout
    write_idx_folder(tmp_path / "idx", train=220, test=150)
    assert "The data has changed since" in run_in_process(tmp_path, *arguments, code=2).stderr
    other = run_in_process(tmp_path, *arguments, "--set=optimizer.lr=0.5", code=2)
    assert "has another recipe. Choose another --name or --out" in other.stderr


@pytest.mark.slow
def test_a_validation_split_is_audited_and_not_trained_on(tmp_path: Path) -> None:
    """Class folders with all three splits: names are files, and the folds are of train."""
    for split, count in (("train", 6), ("val", 3), ("test", 2)):
        for label, level in (("coat", 60), ("hat", 180)):
            fill(
                tmp_path / "photos" / split / label,
                count,
                lambda number, level=level, split=split: Image.fromarray(
                    np.random.default_rng([number, level, len(split)]).integers(
                        level, level + 60, (16, 16, 3), np.uint8
                    )
                ),
            )
    arguments = ("--data", "photos", *QUICK, "--set=data.image_size=16", "--set=data.channels=3")
    run_in_process(tmp_path, "audit", "sprint", *arguments)
    content = summary(tmp_path)
    assert [(each["split"], each["images"]) for each in content["splits"]] == [
        ("train", 12), ("validation", 6), ("test", 4),
    ]  # fmt: skip
    assert content["settings"]["data.use_val_split"] is False
    assert sum(run["images"] for run in content["runs"]) == 12
    sample = json.loads((tmp_path / "audit" / "sample.json").read_text())
    assert min(sample["strata"]["suspect"]) == "test/coat/0.png"


def test_the_default_recipe_fits_the_data(tmp_path: Path) -> None:
    """Gray images: sprint on all of them; class folders: a head on pretrained features."""
    gray = audit.default_recipe("")
    assert (gray.name, gray.schedule.skip_easy_fraction, gray.compute.precision) == ("sprint", 0, "fp32")
    for label in ("coat", "hat"):
        fill(tmp_path / label, 2)
    assert audit.default_recipe(str(tmp_path)).name == "photo-quick"


def test_recipes_get_folds(idx: Path) -> None:
    """Five for a recipe that holds nothing out; otherwise its own."""
    recipe = settings.with_settings(sprint(), {"data.source": str(idx)})
    assert audit.prepare(recipe).data.folds == 5
    assert audit.prepare(settings.with_settings(recipe, {"data.val_fraction": 0.5})).data.folds == 2


def test_bad_data_is_refused_before_training(tmp_path: Path) -> None:
    """No training split, one class, too few images for the folds, a part of the images: one sentence each."""
    data = write_idx_folder(tmp_path / "few", train=30, test=10)
    recipe = settings.with_settings(sprint(), {"data.source": str(data)})
    with pytest.raises(InputError, match="needs 5 images of each class, but a class has only 3"):
        audit.prepare(recipe)
    with pytest.raises(SettingError, match=r"an audit needs every training image\. Set it to 0"):
        audit.prepare(settings.with_settings(recipe, {"data.max_train_images": 10}))
    for file in data.glob("train*"):
        file.unlink()
    with pytest.raises(InputError, match="has no training images"):
        audit.prepare(recipe)
    fill(tmp_path / "one" / "coat", 9)
    with pytest.raises(InputError, match="class folders for one class"):
        audit.prepare(settings.with_settings(recipe, {"data.source": str(tmp_path / "one")}))


def test_runs_are_evaluated_on_a_test_split_only(idx: Path, tmp_path: Path) -> None:
    """Data without one, and a run that does not exist, are refused before anything is trained."""
    fill(tmp_path / "photos" / "coat", 6)
    fill(tmp_path / "photos" / "hat", 6)
    photos = settings.with_settings(sprint(), {"data.source": str(tmp_path / "photos")})
    with pytest.raises(InputError, match="has no test split for --evaluate"):
        audit.run(audit.Audit(photos, tmp_path / "a", ("runs/x",)), "", print)
    recipe = settings.with_settings(sprint(), {"data.source": str(idx)})
    with pytest.raises(InputError, match="runs/x does not exist"):
        audit.run(audit.Audit(recipe, tmp_path / "b", ("runs/x",)), "", print)
    assert not (tmp_path / "b" / "folds").exists()


def test_groups_are_counted_for_folds(tmp_path: Path) -> None:
    """Nine photos of two senders are not enough for five folds."""
    for label in ("coat", "hat"):
        fill(tmp_path / label, 9)
    files = [f"{label}/{number}.png,{number % 2}" for label in ("coat", "hat") for number in range(9)]
    (tmp_path / "groups.csv").write_text("\n".join(["file,group", *files]))
    recipe = settings.with_settings(sprint(), {"data.source": str(tmp_path)})
    with pytest.raises(InputError, match="needs 5 groups of images of each class, but a class has only 2"):
        audit.prepare(recipe)


def test_a_missing_extra_is_named(idx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is trained or written."""
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    done = run_in_process(tmp_path, "audit", "--data", str(idx), code=2)
    assert "pip install 'modiste[audit]'" in done.stderr
    assert not (tmp_path / "audit").exists()


def test_duplicates_keep_the_most_similar_of_each_split() -> None:
    """Of three near-identical training images, a test image is paired with the most similar one."""
    images = fashion_mnist.source(28).part("train").load(np.arange(1))
    dimmer = [(images * factor).astype(np.uint8) for factor in (1.0, 0.97, 0.9)]
    train = Split("train", np.concatenate(dimmer), np.zeros(3, np.int64))
    test = Split("test", images.copy(), np.zeros(1, np.int64))
    pairs = audit.find_duplicates([train, test])
    assert (0, 3) in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)
    assert len(pairs) <= 4


def test_the_share_of_errors_is_printed(idx: Path, tmp_path: Path) -> None:
    """From a verdict file, as a sentence or as JSON, without any training."""
    from modiste.experiments import verdicts
    from modiste.metrics.label_quality import rank_labels

    split = Split("test", np.zeros((300, 8, 8), np.uint8), np.arange(300) % 2)
    probabilities = np.full((300, 2), 0.5)
    verdicts.write_sample(tmp_path, split, rank_labels(split, probabilities), ("a", "b"), seed=0)
    names = [name for part in json.loads((tmp_path / "sample.json").read_text())["strata"].values() for name in part]
    content = {"annotator": "Ada", "method": "by eye", "verdicts": [{"image": n, "verdict": "right"} for n in names]}
    (tmp_path / "verdicts.json").write_text(json.dumps(content))
    done = run_in_process(tmp_path, "audit", "--rate", "verdicts.json", "--out", ".")
    assert done.stdout.startswith("0.00% of the 300 labels of test are wrong (95 % interval 0.00 to 2.41 %)")
    assert "By 200 verdicts of Ada: by eye" in done.stdout
    as_json = run_in_process(tmp_path, "audit", "--rate", "verdicts.json", "--out", ".", "--json")
    assert json.loads(as_json.stdout)["estimate"]["rate"] == 0
