"""The report page: complete, self-contained, in both languages, for any selection of runs."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from helpers.idx import write_idx_folder
from helpers.models import tiny_model
from helpers.runs import write_results, write_run
from modiste.errors import InputError, SettingError
from modiste.labels import FASHION_MNIST
from modiste.recipes import named, settings
from modiste.reporting import claims, results_table
from modiste.reporting.evaluate import evaluate
from modiste.reporting.html_report import page, texts, training
from modiste.reporting.report_data import ReportData
from modiste.reporting.results_table import MethodResult
from modiste.runs import files
from modiste.runs.folder import Run

VOID = {"meta", "img", "br", "hr", "link", "input"}


class PageParser(HTMLParser):
    """Fails on a tag that is closed in the wrong place, and collects addresses and ids."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the addresses and the id of a tag."""
        self.ids += [value or "" for key, value in attrs if key == "id"]
        self.addresses += [value or "" for key, value in attrs if key in ("src", "href", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Require the tag that was opened last."""
        assert self.open.pop() == tag


def parse(html: str) -> PageParser:
    """Parse a page and check that every tag is closed."""
    parser = PageParser()
    parser.feed(html)
    assert not parser.open
    return parser


def render(*own: MethodResult, published: tuple[MethodResult, ...] = (), lang: str = "en") -> str:
    """The page about these results; every tag of it is closed."""
    html = page.render_report(ReportData(own, published), texts.read(lang))
    parse(html)
    return html


def read_runs(*runs: Run) -> list[MethodResult]:
    """These runs as results."""
    return [results_table.read_run(run.path) for run in runs]


def read_results(path: Path, **options: Any) -> MethodResult:
    """A results file, written and read."""
    return results_table.read_results(write_results(path, **options))


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """A CNN and a ResNet that are evaluated, a run that is not, and a results file; names and layers need escaping."""
    data = write_idx_folder(tmp_path / "data")
    cnn = write_run(tmp_path / "<cnn> & co", data=data, blind=1)
    files.write_json(cnn.layers, [{"layer": "<Conv2d> 5 x 5", "output_shape": [32, 28, 28], "parameters": 832}])
    resnet = write_run(tmp_path / "resnet", named.classic_resnet18(), data)
    for run in (cnn, resnet):
        evaluate(run.path)
    new = write_run(tmp_path / "new", named.sprint(), data)
    return [cnn.path, resnet.path, new.path, write_results(tmp_path / "classic-cnn.json")]


@pytest.mark.parametrize("lang", texts.LANGUAGES)
def test_the_page_is_self_contained(tmp_path: Path, runs: list[Path], lang: str) -> None:
    """It has no external address, no script and no duplicate id, and names are escaped."""
    out = tmp_path / "deep" / "report.html"
    page.write_report(runs, out, lang, tmp_path)
    text = out.read_text(encoding="utf-8")
    parser = parse(text)
    assert all(address.startswith(("data:", "#")) for address in parser.addresses)
    assert len(parser.ids) == len(set(parser.ids))
    assert "<script" not in text
    assert not re.search(r"url\((?!#)|@import|http-equiv", text)
    assert f'<html lang="{lang}">' in text
    assert "&lt;cnn&gt; &amp; co" in text
    assert "<cnn>" not in text
    assert "<Conv2d>" not in text


def test_rows_of_the_leaderboard_are_marked_against_the_best_result(tmp_path: Path) -> None:
    """Higher, lower or not distinguishable from the most accurate result of the user; without any there is no mark."""
    worse = read_results(tmp_path / "worse.json", accuracies=(0.90, 0.91))
    html = render(read_results(tmp_path / "best.json", accuracies=(0.936, 0.937, 0.938)), worse)
    assert '<th scope="col">than best</th>' in html
    for row, mark in (("WRN-28-10", "higher"), ("2 Conv+2 FC", "not distinguishable"), ("GRU+SVM", "lower")):
        assert re.search(rf'<th scope="row">{re.escape(row)}</th>.*<td>{mark}</td></tr>', html.replace("\n", ""))
    assert ">than " not in render(published=(worse,))


def test_published_results_are_marked_as_published(tmp_path: Path) -> None:
    """In the tables, in the figure and under a claim."""
    own, other = (
        read_results(tmp_path / "own.json", recipe=named.sprint()),
        read_results(tmp_path / "classic-cnn.json"),
    )
    html = render(own, published=(other,))
    assert html.count('<tr class="own"><th scope="row">own</th>') == 2  # results and leaderboard
    assert html.count('<tr class="published"><th scope="row">classic-cnn</th>') == 2
    assert '<tr class="own"><th scope="row">classic-cnn</th>' not in html
    assert {">measured here</text>", ">published with modiste</text>"} <= set(re.findall(r">[a-z ]+</text>", html))
    assert '<tr class="own"><th scope="row">measured here</th><td>not measured here</td>' in html
    assert '<tr class="published"><th scope="row">published with modiste</th><td>93.05% (n = 2)</td>' in html
    claim = html[html.index("92.75% after about 40 epochs") :]
    assert claim.index("None of your results measures this") < claim.index("published with modiste")


def test_a_single_run_of_sprint_gives_a_complete_page(tmp_path: Path) -> None:
    """It lists what was not measured: CNN, ResNet, tricks, leaderboard."""
    html = render(*read_runs(write_run(tmp_path / "run", named.sprint())))
    networks = ("The CNN of the course report was not", "The ResNet-18 of the course report was not")
    for sentence in (*networks, "Not evaluated yet", "no two of your methods", "none of your results is on"):
        assert sentence in html
    assert html.count('"verdict not_measured"') == len(claims.check_claims(ReportData(()))) - 1


def test_layers_are_read_from_the_runs(tmp_path: Path) -> None:
    """Networks with the same layers share a table with the total; a run without layers.json is listed."""
    layers = [
        {"layer": "Conv2d 3 x 3", "output_shape": [8, 26, 26], "parameters": 80},
        {"layer": "Linear", "output_shape": [7], "parameters": 1200},
    ]
    other_lr = settings.with_settings(named.sprint(), {"optimizer.lr": 0.5})
    first, second = write_run(tmp_path / "a", named.sprint()), write_run(tmp_path / "b", other_lr)
    for run in (first, second):
        files.write_json(run.layers, layers)
    html = render(*read_runs(first, second, write_run(tmp_path / "c")))
    assert '<th scope="row">Conv2d 3 × 3</th><td>8 × 26 × 26</td><td>80</td>' in html
    assert "<td>1,280</td>" in html
    assert html.count("2 layers, 1.28K parameters") == 1
    assert "there is no layers.json: c" in html


def test_damaged_layers_are_refused(tmp_path: Path) -> None:
    """The error names the file."""
    run = write_run(tmp_path / "run")
    files.write_json(run.layers, [{"layer": "Linear"}])
    with pytest.raises(InputError, match=r"layers\.json is not a list of layers"):
        render(*read_runs(run))


def test_a_distilled_run_names_its_teachers(tmp_path: Path) -> None:
    """It shows the loss, the time including that of the teachers, and the number of teachers."""
    run = write_run(tmp_path / "run", named.marathon_taught())
    environment = files.read_json(run.environment)
    environment["data"]["teachers"] = [{"run": "fold-0", "seconds": 1000}]
    files.write_json(run.environment, environment)
    (result,) = read_runs(run)
    html = render(result)
    assert "Kullback-Leibler divergence" in html
    assert "1,006 including the teachers" in html
    assert training.TRICKS["teachers"](result) == 1  # of the two in its recipe


@pytest.mark.parametrize(("lang", "note"), [("en", "The epoch of the weights was chosen"), ("zh", "权重所属的轮次")])
def test_scores_of_the_split_that_chose_the_epoch_say_so(tmp_path: Path, lang: str, note: str) -> None:
    """On the card, in the table and with the scores of the run, where its note is translated."""
    run = write_run(tmp_path / "run", dataset="fashion-mnist")
    evaluate(run.path, "validation")
    html = render(*read_runs(run), lang=lang)
    chosen = texts.read(lang).get("results.chosen")
    assert f"<small>{chosen}" in html
    assert f"<td>{chosen}</td>" in html
    assert f'<p class="missing">{note}' in html


def test_results_files_alone_give_a_whole_page(tmp_path: Path) -> None:
    """Without a run there are no curves, and the numbers are there."""
    html = render(read_results(tmp_path / "classic-cnn.json", accuracies=(0.93, 0.94)))
    assert "No curves" in html
    assert "93.50%" in html


def test_without_the_data_the_page_has_no_sample_images(tmp_path: Path) -> None:
    """The page says that they are missing."""
    run = write_run(tmp_path / "run")
    (tmp_path / "data").rename(tmp_path / "moved")
    assert "No sample images" in render(*read_runs(run))


def test_results_on_folds_are_called_cross_validation(tmp_path: Path) -> None:
    """They are not in the leaderboard, and the page says that the best epochs were chosen on the folds."""
    html = render(read_results(tmp_path / "folds.json", accuracies=(0.93, 0.94), split="validation"))
    assert "2-fold cross-validation of folds" in html
    assert "none of your results is on the official test split" in html
    assert "the best epoch was chosen on it" in html


@pytest.mark.parametrize("is_evaluated", [True, False])
@pytest.mark.parametrize("class_names", [FASHION_MNIST[:2], ("dark", "bright")])
def test_runs_on_other_data_are_marked_and_not_compared(
    tmp_path: Path, is_evaluated: bool, class_names: tuple[str, ...]
) -> None:
    """Their data is named; they answer no claim and predict no sample, with or without scores."""
    data = write_idx_folder(tmp_path / "beans", labels=2)
    (data / "labels.json").write_text(json.dumps(class_names))
    run = write_run(tmp_path / "run", named.classic_resnet18(), data)
    run.model.write_bytes(tiny_model(class_names))
    if is_evaluated:
        evaluate(run.path)
    html = render(*read_runs(run))
    assert "Not on the official files of Fashion-MNIST: run (beans)." in html
    assert "The first training images of each class of beans:" in html
    assert '<th scope="row">run</th><td>beans</td><td>80</td>' in html
    assert html.count("test (beans)") == (3 if is_evaluated else 0)  # card, table and details
    assert "The ResNet-18 of the course report was not measured here" in html
    assert "none of your results is on the official test split" in html
    assert "Course report: Shirt" not in html
    assert html.count('"verdict not_measured"') == len(claims.check_claims(ReportData(()))) - 1
    sample = html[html.index('<section id="sample">') : html.index('<section id="leaderboard">')]
    assert "bundled model" in sample
    assert '<th scope="row">run</th>' not in sample


@pytest.mark.parametrize("source", ["own", "published"])
def test_the_accuracy_figure_explains_the_colors_that_it_has(tmp_path: Path, source: str) -> None:
    """Without results of the user there is no blue, and without published ones no gray."""
    results = tuple(read_results(tmp_path / f"{name}.json") for name in "ab")
    html = render(*results) if source == "own" else render(published=results)
    assert ("Blue: measured here." in html) == (source == "own")
    assert ("Gray: published with modiste." in html) == (source == "published")
    assert (">published with modiste</text>" in html) == (source == "published")
    assert ">measured here</text>" not in html


def test_mixed_precisions_are_reported(tmp_path: Path) -> None:
    """For a mean over trainings in bf16 and fp32, in a results file or over runs of one method."""
    result = read_results(tmp_path / "own.json", accuracies=(0.93, 0.94))
    first, second = (
        replace(each, precision=name) for each, name in zip(result.run_results, ("bf16", "fp32"), strict=True)
    )
    note = "The mean is over trainings in different precisions (bf16 and fp32): "
    assert f"{note}own." in render(replace(result, run_results=(first, second)))
    assert note not in render(replace(result, run_results=(first, replace(second, precision="bf16"))))
    runs = [replace(result, name=str(seed), run_results=(each,), run=Run(tmp_path / str(seed)))
            for seed, each in enumerate((first, second))]  # fmt: skip
    assert f"{note}0." in render(*runs)


def test_tricks_are_compared_between_results(tmp_path: Path) -> None:
    """Two results files that differ only in crop and erasing give a row of differences."""
    base = named.classic_cnn()
    erasing = replace(base, augmentation=replace(base.augmentation, random_crop_padding=4, random_erasing_prob=0.5))
    one = read_results(tmp_path / "classic-cnn.json", accuracies=(0.93, 0.94))
    other = read_results(tmp_path / "erasing.json", accuracies=(0.92, 0.93), recipe=erasing)
    html = render(one, other)
    assert "augmentation.random_crop_padding 0 → 4, augmentation.random_erasing_prob 0.0 → 0.5" in html
    assert "<td>-1.00</td>" in html


def test_classes_with_equal_recall_are_listed_together(tmp_path: Path) -> None:
    """Under the confusion matrix, as in the claim."""
    run = write_run(tmp_path / "run", dataset="fashion-mnist")
    evaluate(run.path)
    assert "highest recall T-shirt/top = Trouser = Pullover" in render(*read_runs(run))


def test_both_languages_have_the_same_texts() -> None:
    """Both have the same keys with the same placeholders."""
    placeholders = re.compile(r"\{(\w+)\}", re.ASCII)
    en, zh = (
        {
            (section, key): set(placeholders.findall(text))
            for section, content in texts.read(lang).texts.items()
            for key, text in content.items()
            if section != "terms"
        }
        for lang in texts.LANGUAGES
    )
    assert en == zh


@pytest.mark.parametrize(("lang", "interval"), [("en", "93.00 to 93.97"), ("zh", "93.00 至 93.97")])
def test_intervals_are_in_the_language_of_the_page(tmp_path: Path, lang: str, interval: str) -> None:
    """The word between the ends of an interval is translated."""
    assert f"<td>{interval}</td>" in render(read_results(tmp_path / "a.json", accuracies=(0.93, 0.94)), lang=lang)


def test_every_word_of_a_chinese_figure_is_translated(runs: list[Path]) -> None:
    """Only names of runs are in English in an SVG."""
    own, published = results_table.read_methods(runs[:2]), results_table.read_methods(runs[3:])
    html = render(*own, *published, published=(*published,), lang="zh")
    names = {"&lt;cnn&gt; &amp; co (data)", "resnet (data)", "classic-cnn (n = 2)"}
    assert set(re.findall(r">([^<一-鿿]*[A-Za-z][^<一-鿿]*)</text>", html)) == names


def test_an_unknown_language_is_refused() -> None:
    """The error lists the languages."""
    with pytest.raises(SettingError, match="one of en, zh"):
        texts.read("fr")
