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
from helpers.runs import rows, write_ablation, write_results, write_run
from modiste.errors import InputError, SettingError
from modiste.labels import FASHION_MNIST
from modiste.metrics import significance
from modiste.recipes import named, settings
from modiste.reporting import canvas, method_files
from modiste.reporting.evaluate import evaluate
from modiste.reporting.experiment_results import Experiment, read_experiment
from modiste.reporting.report import html_format, texts, training
from modiste.reporting.report.build import build_document
from modiste.reporting.report.front_matter import FrontMatter
from modiste.reporting.report.write import write_report
from modiste.reporting.report_data import ReportData
from modiste.reporting.results_table import MethodResult
from modiste.runs import files, metrics_file
from modiste.runs.folder import Run

VOID = {"meta", "col", "img", "br", "hr", "link", "input"}


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


def render(
    *own: MethodResult,
    published: tuple[MethodResult, ...] = (),
    experiments: tuple[Experiment, ...] = (),
    lang: str = "en",
) -> str:
    """The page about these results; every tag of it is closed."""
    language = texts.read(lang)
    document = build_document(ReportData(own, published, experiments), language, FrontMatter())
    for figure in document.figures:
        canvas.translate(figure.plot, language.terms)
    html = html_format.to_html(document)
    parse(html)
    return html


def read_runs(*runs: Run) -> list[MethodResult]:
    """These runs as results."""
    return [method_files.read_run(run.path) for run in runs]


def read_results(path: Path, **options: Any) -> MethodResult:
    """A results file, written and read."""
    return method_files.read_results(write_results(path, **options))


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
    write_report(runs, out, lang, tmp_path)
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
    assert '<th scope="col" class="l">than best</th>' in html
    for row, mark in (("WRN-28-10", "higher"), ("2 Conv+2 FC", "not distinguishable"), ("GRU+SVM", "lower")):
        assert re.search(
            rf'<th scope="row">{re.escape(row)}</th>.*<td class="l">{mark}</td></tr>', html.replace("\n", "")
        )


def test_published_results_are_apart(tmp_path: Path) -> None:
    """They are in a section of their own, and only there, in tables, figure and claims; those of validation are not."""
    own, other, audit = (
        read_results(tmp_path / "own.json", recipe=named.sprint()),
        read_results(tmp_path / "classic-cnn.json"),
        read_results(tmp_path / "audit.json", split="validation"),
    )
    html = render(own, published=(other, audit))
    assert "audit" not in html
    before, section = html.split('<section id="published">')
    assert "classic-cnn" not in before
    assert row_of("own", "own") in before
    assert row_of("classic-cnn", "published") in section
    assert {">measured here</text>", ">published with modiste</text>"} <= set(re.findall(r">[a-z ]+</text>", section))


def row_of(name: str, source: str = "") -> str:
    """The beginning of a table's row."""
    return f'<tr class="{source}"><th scope="row">{name}</th>'


def test_only_what_was_trained_is_described(tmp_path: Path) -> None:
    """A run of sprint: no other network, no trick that it does not use, no claim about others."""
    html = render(*read_runs(write_run(tmp_path / "run", named.sprint())))
    assert "Not evaluated yet" in html
    assert "Small residual network" not in html  # it has no layers.json here
    assert "Skipping easy images" in html
    for text in ("ResNet-18", "Two convolutional", "Dropout</b>", "Mixup", "Xavier", "92.75%"):
        assert text not in html


def test_references_are_those_that_are_cited(tmp_path: Path) -> None:
    """They are numbered in the order of their first citation."""
    html = render(*read_runs(write_run(tmp_path / "run", named.sprint())))
    entries = re.findall(r'<li id="ref-(\w+)">', html)
    cited = list(dict.fromkeys(re.findall(r'<a href="#ref-(\w+)">', html)))
    assert entries == cited
    assert "jiang2019" in entries
    assert "zhang2018" not in entries


@pytest.mark.parametrize(("accuracies", "falls"), [((0.8, 0.6), True), ((0.8, 0.9), False)])
def test_a_falling_train_accuracy_of_sprint_is_explained(
    tmp_path: Path, accuracies: tuple[float, float], falls: bool
) -> None:
    """Only where it falls."""
    run = write_run(tmp_path / "run", named.sprint())
    epochs = zip(rows((0.6, 0.4), held_out=False), accuracies, strict=True)
    metrics_file.write(run.metrics, [replace(row, train_accuracy=accuracy) for row, accuracy in epochs])
    sentence = "it is trained only on the 32% of the images with the highest loss"
    assert (sentence in render(*read_runs(run))) == falls


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
    assert row_of("Conv2d 3 × 3") + '<td class="r">8 × 26 × 26</td><td class="r">80</td>' in html
    assert '<td class="r">1,280</td>' in html
    assert html.count("2 layers of a, b, 1.28K parameters") == 1
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


@pytest.mark.slow
@pytest.mark.parametrize(("lang", "note"), [("en", "The epoch of the weights was chosen"), ("zh", "权重所属的轮次")])
def test_scores_of_the_split_that_chose_the_epoch_say_so(tmp_path: Path, lang: str, note: str) -> None:
    """In the table and with the scores of the run, where its note is translated."""
    run = write_run(tmp_path / "run", dataset="fashion-mnist")
    evaluate(run.path, "validation")
    html = render(*read_runs(run), lang=lang)
    chosen = texts.read(lang).get("results.chosen")
    assert f'<td class="l">{chosen}</td>' in html
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
    assert "The public leaderboard is left out" in html
    assert "the best epoch was chosen on it" in html


@pytest.mark.parametrize("is_evaluated", [True, False])
@pytest.mark.parametrize("class_names", [FASHION_MNIST[:2], ("dark", "bright")])
def test_a_report_on_other_data_is_about_that_data(
    tmp_path: Path, is_evaluated: bool, class_names: tuple[str, ...]
) -> None:
    """Without the description of Fashion-MNIST, published results, claims and the sample, with or without scores."""
    data = write_idx_folder(tmp_path / "beans", labels=2)
    (data / "labels.json").write_text(json.dumps(class_names))
    run = write_run(tmp_path / "run", named.classic_resnet18(), data)
    run.model.write_bytes(tiny_model(class_names))
    if is_evaluated:
        evaluate(run.path)
    html = render(*read_runs(run), published=(read_results(tmp_path / "published.json"),))
    assert "<title>Report: beans</title>" in html
    assert "The first training images of each class of beans." in html
    assert row_of("run") + '<td class="l">beans</td><td class="r">80</td>' in html
    assert html.count("test (beans)") == (2 if is_evaluated else 0)  # table and details
    assert "MNIST" not in html
    assert "ourse report" not in html


def test_runs_on_other_data_beside_fashion_mnist_are_not_compared(tmp_path: Path) -> None:
    """A note names them."""
    data = write_idx_folder(tmp_path / "beans", labels=2)
    other = write_run(tmp_path / "run", named.sprint(), data)
    html = render(read_results(tmp_path / "own.json"), *read_runs(other))
    assert "Not on the official files of Fashion-MNIST: run (beans)." in html


def test_mixed_precisions_are_reported(tmp_path: Path) -> None:
    """For a mean over trainings in bf16 and fp32, in a results file or over runs of one method."""
    result = read_results(tmp_path / "own.json", accuracies=(0.93, 0.94))
    first, second = (
        replace(each, precision=name) for each, name in zip(result.run_results, ("bf16", "fp32"), strict=True)
    )
    note = "The mean is over trainings in different precisions (bf16 and fp32): "
    assert f"{note}own." in render(replace(result, run_results=(first, second)))
    assert note not in render(replace(result, run_results=(first, replace(second, precision="bf16"))))
    runs = [replace(result, name=str(seed), run_results=(each,), run=Run(tmp_path / "runs" / str(seed)))
            for seed, each in enumerate((first, second))]  # fmt: skip
    assert f"{note}0 and 1 more." in render(*runs)


def test_tricks_are_compared_between_results(tmp_path: Path) -> None:
    """Two results files that differ only in crop and erasing give a row of differences."""
    base = named.classic_cnn()
    erasing = replace(base, augmentation=replace(base.augmentation, random_crop_padding=4, random_erasing_prob=0.5))
    one = read_results(tmp_path / "classic-cnn.json", accuracies=(0.93, 0.94))
    other = read_results(tmp_path / "erasing.json", accuracies=(0.92, 0.93), recipe=erasing)
    html = render(one, other)
    assert "augmentation.random_crop_padding 0 → 4, augmentation.random_erasing_prob 0.0 → 0.5" in html
    assert '<td class="r">-1.00</td>' in html
    longer = read_results(tmp_path / "longer.json", accuracies=(0.92, 0.9305), recipe=erasing)
    low, high = significance.compare_seeds((0.92, 0.9305), (0.93, 0.94), is_paired=True).interval or (0, 0)
    assert f'<td class="r">{100 * low:.2f} to {100 * high:.2f}</td>' in render(one, longer)


def test_tricks_are_not_compared_between_precisions(tmp_path: Path) -> None:
    """The trainings differ in more than the trick."""
    plain = read_results(tmp_path / "plain.json")
    flipped = read_results(
        tmp_path / "dropout.json", recipe=settings.with_settings(named.classic_cnn(), {"model.dropout": 0.1})
    )
    assert "model.dropout 0.5 → 0.1" in render(plain, flipped)
    one, other = (
        replace(each, run_results=tuple(replace(run, precision=precision) for run in each.run_results))
        for each, precision in ((plain, "bf16"), (flipped, "fp32"))
    )
    assert "model.dropout 0.5 → 0.1" not in render(one, other)


def test_an_ablation_is_plotted(tmp_path: Path) -> None:
    """In Chinese, only names of rows and results are in English."""
    ablation = write_ablation(tmp_path / "own.json", {"unchanged": ([], 0.5), "a row": (["model.dropout=0.0"], 0.6)})
    result = read_results(tmp_path / "cnn.json")
    html = render(result, experiments=(read_experiment(ablation),), lang="zh")
    assert "own：各项改动与原配方的准确率之差（测试集，n = 2 个种子的平均值）" in html
    assert {"a row"} == set(re.findall(r">([^<一-鿿]*[A-Za-z][^<一-鿿]*)</text>", html)) - {"cnn (n = 2)"}


def test_a_report_needs_more_than_an_ablation(tmp_path: Path) -> None:
    """It has no method to describe."""
    ablation = write_ablation(tmp_path / "own.json", {"unchanged": ([], 0.5)})
    with pytest.raises(InputError, match="Give a run, or a results file"):
        write_report([ablation], tmp_path / "r.html")


def test_classes_with_equal_recall_are_listed_together(tmp_path: Path) -> None:
    """Under the confusion matrix."""
    run = write_run(tmp_path / "run", dataset="fashion-mnist")
    evaluate(run.path)
    assert "Highest recall: T-shirt/top, Trouser, Pullover" in render(*read_runs(run))


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
    assert f'<td class="r">{interval}</td>' in render(
        read_results(tmp_path / "a.json", accuracies=(0.93, 0.94)), lang=lang
    )


@pytest.mark.slow
def test_every_word_of_a_chinese_figure_is_translated(runs: list[Path]) -> None:
    """Only names of runs are in English in an SVG."""
    own, published = method_files.read_methods(runs[:2]), method_files.read_methods(runs[3:])
    html = render(*own, *published, published=(*published,), lang="zh")
    names = {"&lt;cnn&gt; &amp; co (data)", "resnet (data)", "classic-cnn (n = 2)"}
    assert set(re.findall(r">([^<一-鿿]*[A-Za-z][^<一-鿿]*)</text>", html)) == names


def test_an_unknown_language_is_refused() -> None:
    """The error lists the languages."""
    with pytest.raises(SettingError, match="one of en, zh"):
        texts.read("fr")
