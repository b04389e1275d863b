"""The report page: whole, self-contained, in both languages, whatever runs are given."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from helpers.idx import write_idx_folder
from helpers.runs import write_results, write_run
from modiste.errors import SettingError
from modiste.recipes import named
from modiste.reporting import claims, results_table
from modiste.reporting.evaluate import evaluate
from modiste.reporting.html_report import page, texts, training
from modiste.reporting.report_data import ReportData
from modiste.runs import files

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Balanced(HTMLParser):
    """Fails on a tag that is closed in the wrong place, and gathers addresses and ids."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag points to."""
        self.ids += [value or "" for key, value in attrs if key == "id"]
        self.addresses += [value or "" for key, value in attrs if key in ("src", "href", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the tag that was opened last."""
        assert self.open.pop() == tag


def parsed(path: Path) -> Balanced:
    """Parse the page and check that every tag is closed."""
    parser = Balanced()
    parser.feed(path.read_text(encoding="utf-8"))
    assert not parser.open
    return parser


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """A judged CNN, a judged ResNet, one that nobody judged, and a results file; names need escaping."""
    data = write_idx_folder(tmp_path / "data")
    cnn = write_run(tmp_path / "<cnn> & co", data=data, blind=1)
    resnet = write_run(tmp_path / "resnet", named.classic_resnet18(), data)
    for run in (cnn, resnet):
        evaluate(run.path)
    new = write_run(tmp_path / "new", named.sprint(), data)
    return [cnn.path, resnet.path, new.path, write_results(tmp_path / "classic-cnn.json")]


@pytest.mark.parametrize("lang", texts.LANGUAGES)
def test_the_page_stands_alone(tmp_path: Path, runs: list[Path], lang: str) -> None:
    """No address leads out of the file, no script is in it, no id is there twice, and every tag is closed."""
    out = tmp_path / "deep" / "report.html"
    page.write(runs, out, lang, tmp_path)
    found = parsed(out)
    assert all(address.startswith(("data:", "#")) for address in found.addresses)
    assert len(found.ids) == len(set(found.ids))
    text = out.read_text(encoding="utf-8")
    assert "<script" not in text
    assert not re.search(r"url\((?!#)|@import|http-equiv", text)
    assert f'<html lang="{lang}">' in text
    assert "&lt;cnn&gt; &amp; co" in text
    assert "<cnn>" not in text


def test_one_run_of_sprint_alone_gives_a_whole_page(tmp_path: Path) -> None:
    """What is missing is said: no CNN, no ResNet, no trick measured, no row of ours."""
    run = write_run(tmp_path / "run", named.sprint())
    (tmp_path / "results").mkdir()
    page.write([run.path], tmp_path / "r.html", "en", tmp_path / "results")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    parsed(tmp_path / "r.html")
    for sentence in ("CNN has not been trained here", "ResNet-18 has not been trained here", "Not judged yet"):
        assert sentence in text
    assert text.count("not measured here") == len(claims.answers(ReportData((), {}))) - 1


def test_a_taught_run_is_told_as_one(tmp_path: Path) -> None:
    """By whom it learned, what they took, and the layers of its own network."""
    run = write_run(tmp_path / "run", named.marathon_taught())
    facts = files.read_json(run.environment)
    facts["data"]["teachers"] = [{"run": "fold-0", "seconds": 1000}]
    files.write_json(run.environment, facts)
    (tmp_path / "results").mkdir()
    page.write([run.path], tmp_path / "r.html", "en", tmp_path / "results")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    for told in ("Kullback-Leibler divergence", "1,006 with those of its teachers", "960,506"):
        assert told in text
    assert training.TRICKS["teachers"](results_table.read_run(run.path)) == 1  # of the two in its recipe


def test_results_files_alone_give_a_whole_page(tmp_path: Path) -> None:
    """Without a run there are no curves, which is said, and the numbers are there."""
    path = write_results(tmp_path / "classic-cnn.json", (0.93, 0.94))
    page.write([path], tmp_path / "r.html", "en", tmp_path)
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    parsed(tmp_path / "r.html")
    assert "There are no curves" in text
    assert "93.50%" in text


def test_data_that_is_gone_is_said(tmp_path: Path) -> None:
    """A run whose data was moved still has its report."""
    run = write_run(tmp_path / "run")
    (tmp_path / "data").rename(tmp_path / "moved")
    page.write([run.path], tmp_path / "r.html", "en", tmp_path)
    assert "There is no sample sheet" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_folds_are_told_apart_from_seeds(tmp_path: Path) -> None:
    """Results judged on the folds held out are a cross-validation, and no row of the public table."""
    path = write_results(tmp_path / "classic-cnn-folds.json", (0.93, 0.94), split="validation")
    page.write([path], tmp_path / "r.html", "en", tmp_path)
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "each of 2 folds was held out in turn" in text
    assert "the table has no row of ours" in text


def test_tricks_are_weighed_from_results(tmp_path: Path) -> None:
    """Two results files that differ in crop and erasing alone give a row of differences."""
    base = named.classic_cnn()
    erasing = replace(base, augmentation=replace(base.augmentation, random_crop_padding=4, random_erasing_prob=0.5))
    one = write_results(tmp_path / "classic-cnn.json", (0.93, 0.94))
    write_results(tmp_path / "classic-cnn-erasing.json", (0.92, 0.93), erasing)
    page.write([one], tmp_path / "r.html", "en", tmp_path)
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "augmentation.random_crop_padding 0 → 4, augmentation.random_erasing_prob 0.0 → 0.5" in text
    assert "<td>-1.00</td>" in text


def test_both_languages_have_the_same_texts() -> None:
    """Every key of one is in the other, with the same names to fill in."""
    names = re.compile(r"\$\{?(\w+)", re.ASCII)
    en, zh = (texts.read(lang).known for lang in texts.LANGUAGES)
    assert en.keys() == zh.keys()
    assert {key: set(names.findall(text)) for key, text in en.items()} == {
        key: set(names.findall(text)) for key, text in zh.items()
    }


@pytest.mark.parametrize(("lang", "reach"), [("en", "93.00 to 93.97"), ("zh", "93.00 至 93.97")])
def test_intervals_are_in_the_language_of_the_page(tmp_path: Path, lang: str, reach: str) -> None:
    """The word between the ends of an interval is English or Chinese as the rest."""
    path = write_results(tmp_path / "classic-cnn.json", (0.93, 0.94))
    page.write([path], tmp_path / "r.html", lang, tmp_path)
    assert f"<td>{reach}</td>" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_another_language_is_refused() -> None:
    """The languages there are are named."""
    with pytest.raises(SettingError, match="one of en, zh"):
        texts.read("fr")
