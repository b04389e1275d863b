"""Verdict files, and what they say about the labels."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from modiste.data.split import Split
from modiste.errors import InputError
from modiste.experiments import verdicts
from modiste.metrics.label_quality import rank_labels

WHO = {"annotator": "Ada", "method": "by eye on the page"}


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    """The folder of an audit of 400 test images, with its sample."""
    labels = np.arange(400) % 2
    probabilities = np.where(np.eye(2)[labels] > 0, 0.9, 0.1)
    probabilities[7] = 0.02, 0.98
    probabilities[7] = probabilities[7][::-1] if labels[7] else probabilities[7]
    split = Split("test", np.random.default_rng(0).integers(0, 255, (400, 8, 8), dtype=np.uint8), labels)
    verdicts.write_sample(tmp_path, split, rank_labels(split, probabilities), ("<b>", "shoe"), seed=0)
    return tmp_path


def sample(audit: Path) -> dict[str, list[str]]:
    """The images of each stratum."""
    strata: dict[str, list[str]] = json.loads((audit / "sample.json").read_text())["strata"]
    return strata


def write_json(audit: Path, by_image: dict[str, str], **head: str) -> Path:
    """Write a verdict file as the page does."""
    path = audit / "verdicts.json"
    rows = [{"image": image, "verdict": verdict} for image, verdict in by_image.items()]
    path.write_text(json.dumps({**WHO, **head, "verdicts": rows}))
    return path


def all_right(audit: Path) -> dict[str, str]:
    """A verdict on each image of the sample."""
    return {image: "right" for images in sample(audit).values() for image in images}


def test_the_sample_has_suspects_and_random_others(audit: Path) -> None:
    """100 each, without overlap; the page has them all, and escapes names."""
    strata = sample(audit)
    assert {name: len(images) for name, images in strata.items()} == {"suspect": 100, "random": 100}
    assert strata["suspect"][0] == "test#7"
    assert not set(strata["suspect"]) & set(strata["random"])
    page = (audit / "verdicts.html").read_text()
    assert page.count('class="question"') == 200
    assert "&lt;b&gt;" in page
    assert "suspect" not in page.partition('<script type="application/json"')[2].partition("</script>")[0]


def test_verdicts_give_an_estimate(audit: Path) -> None:
    """Two wrong suspects and one unsure other; the file says who judged and how."""
    strata, by_image = sample(audit), all_right(audit)
    by_image |= {strata["suspect"][0]: "wrong", strata["suspect"][1]: "wrong", strata["random"][0]: "unsure"}
    content = verdicts.rate(audit, write_json(audit, by_image), "modiste audit --rate verdicts.json")
    assert content == json.loads((audit / "label-errors.json").read_text())
    assert content["estimate"]["rate"] == pytest.approx(2 / 400)
    assert content["estimate_with_unsure"]["rate"] == pytest.approx((2 + 3) / 400)
    assert content["estimate"]["interval"][0] <= 2 / 400 <= content["estimate"]["interval"][1]
    assert (content["annotators"], content["method"]) == ("Ada", "by eye on the page")
    assert [run["stratum"] for run in content["runs"]] == ["suspect", "random"]


def test_a_table_is_read_as_well(audit: Path) -> None:
    """As a spreadsheet writes it; several people may have worked on it."""
    path = audit / "verdicts.csv"
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "verdict", "annotator", "method"])
        for row, (image, verdict) in enumerate(all_right(audit).items()):
            writer.writerow([image, verdict, ("Ada", "Bo")[row % 2], "by eye"])
    assert verdicts.rate(audit, path, "")["annotators"] == "Ada; Bo"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test#7": "maybe"}, "has the verdict 'maybe' on test#7. Write right, wrong, unsure"),
        ({"other.jpg": "right"}, "has verdicts on 1 images that are not in the sample, such as other.jpg"),
    ],
)
def test_other_verdicts_and_images_are_refused(audit: Path, change: dict[str, str], message: str) -> None:
    """One sentence each."""
    with pytest.raises(InputError, match=message):
        verdicts.rate(audit, write_json(audit, all_right(audit) | change), "")


def test_every_image_needs_a_verdict(audit: Path) -> None:
    """Otherwise those without one would be a choice of the annotator."""
    by_image = all_right(audit)
    del by_image["test#7"]
    with pytest.raises(InputError, match="has no verdict on 1 images of the sample, such as test#7"):
        verdicts.rate(audit, write_json(audit, by_image), "")


@pytest.mark.parametrize(
    ("key", "message"), [("annotator", "who gave the verdicts"), ("method", "how they were given")]
)
def test_annotator_and_method_are_needed(audit: Path, key: str, message: str) -> None:
    """A rate without a name says nothing."""
    with pytest.raises(InputError, match=message):
        verdicts.rate(audit, write_json(audit, all_right(audit), **{key: " "}), "")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("v.json", "[1]", "is not a verdict file"),
        ("v.json", '{"verdicts": [{"image": "a"}]}', "is not a verdict file"),
        ("v.json", "{", "cannot be read"),
        ("v.csv", "image,verdict\na,right\n", "lacks annotator, method"),
        ("v.csv", "", "lacks rows"),
        ("v.csv", "image,verdict,annotator,method\na,right,A,m\na,wrong,A,m\n", "has two verdicts on a"),
        ("missing.csv", None, "cannot be read"),
        ("missing.json", None, "is missing"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    """Of either kind."""
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        verdicts.read_verdicts(tmp_path / name)


def test_a_folder_without_an_audit_is_refused(tmp_path: Path) -> None:
    """The sample is missing, or something else."""
    with pytest.raises(InputError, match=r"has no sample.json. Name the folder of an audit"):
        verdicts.rate(tmp_path, tmp_path / "v.json", "")
    (tmp_path / "sample.json").write_text("{}")
    with pytest.raises(InputError, match="is not a sample"):
        verdicts.rate(tmp_path, tmp_path / "v.json", "")
