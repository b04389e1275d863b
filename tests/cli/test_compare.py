"""The command `modiste compare`."""

import csv
import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from markdown_it import MarkdownIt
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.weightstats import DescrStatsW

from helpers.command import run_in_process
from helpers.idx import write_idx_folder
from helpers.runs import write_results, write_run
from modiste.cli.compare import compare
from modiste.data import sources
from modiste.labels import FASHION_MNIST
from modiste.recipes import named, settings
from modiste.recipes.config import DataConfig
from modiste.reporting.evaluate import evaluate


def invoke(*arguments: object) -> Result:
    """Run the command, with figures beside the first argument; an error is raised."""
    out = Path(str(arguments[0])).parent / "figures"
    return CliRunner().invoke(compare, [*map(str, arguments), "--out", str(out)], catch_exceptions=False)


@pytest.fixture
def two_runs_and_two_files(originals: list[Path], tmp_path: Path) -> list[Path]:
    """Copies of `originals`."""
    for path in originals:
        (shutil.copytree if path.is_dir() else shutil.copy)(path, tmp_path / path.name)
    return [tmp_path / path.name for path in originals]


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two evaluated runs, and scikit-learn's predictions of the same 200 test images as .npy and .csv."""
    tmp_path = tmp_path_factory.mktemp("compared")
    data = write_idx_folder(tmp_path / "data", test=200)
    paths = [write_run(tmp_path / f"run-{blind}", data=data, blind=blind).path for blind in (1, 2)]
    for path in paths:
        evaluate(path)
    config = DataConfig(source=str(data))
    train, test = sources.open_training(config, 0).train, sources.open_test(config, lambda: None)
    images, test_images = train.images.reshape(len(train), -1), test.images.reshape(len(test), -1)
    logistic = LogisticRegression(max_iter=50).fit(images / 255, train.labels)
    np.save(tmp_path / "logistic.npy", logistic.predict_proba(test_images / 255))
    neighbors = KNeighborsClassifier(1).fit(images, train.labels).predict(test_images)
    rows = [f"{index},{FASHION_MNIST[label]}" for index, label in enumerate(neighbors)]
    (tmp_path / "neighbors.csv").write_text("\n".join([",predicted", *rows]))
    return [*paths, tmp_path / "logistic.npy", tmp_path / "neighbors.csv"]


def test_another_tools_predictions_are_compared_with_runs(two_runs_and_two_files: list[Path]) -> None:
    """In one command; each pair has a sentence, with the p-value of statsmodels."""
    content = json.loads(invoke(*two_runs_and_two_files, "--json").output)
    assert [method["name"] for method in content["methods"]] == ["run-1", "run-2", "logistic.npy", "neighbors.csv"]
    assert [method["loss"] is None for method in content["methods"]] == [False, False, False, True]
    assert [method["brier"] is None for method in content["methods"]] == [False, False, False, True]
    assert len(content["pairs"]) == 6
    pair = content["pairs"][0]
    assert (pair["first"], pair["second"], pair["seeds"]) == ("run-1", "run-2", None)
    difference = pair["images"]["difference"]
    only_first = round(200 * difference)  # run-2 predicts a class less, and nothing better
    assert pair["images"]["p_value"] == pytest.approx(mcnemar([[160, only_first], [0, 20]], exact=True).pvalue)
    low, high = pair["images"]["interval"]
    assert pair["sentence"].startswith(
        f"run-1 is {100 * difference:.2f} points better than run-2, 95 % interval {100 * low:.2f} to {100 * high:.2f}, "
        "paired over 200 images, p < 0.001 (p < 0.001 after Holm's correction)."
    )


def test_the_markdown_table_is_rendered(two_runs_and_two_files: list[Path]) -> None:
    """As three tables and a list, with nothing else on standard output."""
    result = invoke(*two_runs_and_two_files, "--format", "markdown")
    html = MarkdownIt("commonmark").enable("table").render(result.stdout)
    assert (html.count("<table>"), html.count("<li>")) == (3, 6)
    assert "<p>images, seeds: 95 % interval of the accuracy over other images, other seeds.</p>" in html
    assert "<td>neighbors.csv</td>" in html
    assert re.search(r"<li>run-1 is \d+\.\d\d points better than run-2, 95 % interval", html)
    assert "Figures:" in result.stderr


def test_the_latex_table_is_valid(two_runs_and_two_files: list[Path], tmp_path: Path) -> None:
    """Every row has as many cells as columns, special characters are escaped, and LaTeX compiles it where it exists."""
    odd = two_runs_and_two_files[0].rename(tmp_path / "50%_of_$x & y#{z}~^\\run")
    tex = invoke(odd, *two_runs_and_two_files[1:], "--format", "latex").stdout
    for columns, body in re.findall(r"\\begin{tabular}{(\w+)}(.*?)\\end{tabular}", tex, re.DOTALL):
        rows = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {len(columns)}
    assert tex.count(r"\item") == 6
    assert r"images, seeds: 95 \% interval of the accuracy over other images, other seeds." in tex
    assert r"50\%\_of\_\$x \& y\#\{z\}\textasciitilde{}\textasciicircum{}\textbackslash{}run" in tex
    plain = re.sub(r"\\[a-z]+|\\[&%$#_{}\\]|\$[<>|]\$|\$\\pm\$", "", tex)
    assert plain.count("{") == plain.count("}")
    assert not re.search(r"[%$#_^~]", plain)
    if shutil.which("pdflatex"):
        document = f"\\documentclass{{article}}\\begin{{document}}\n{tex}\n\\end{{document}}\n"
        (tmp_path / "table.tex").write_text(document)
        command = ["pdflatex", "-halt-on-error", "-interaction=batchmode", "table.tex"]
        assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 0


def test_the_csv_table_has_a_row_per_comparison(two_runs_and_two_files: list[Path]) -> None:
    """With figures that are not rounded; one method alone has a row, too."""
    rows = list(csv.DictReader(io.StringIO(invoke(*two_runs_and_two_files, "--format", "csv").stdout)))
    assert len(rows) == 6
    difference = float(rows[0]["accuracy_first"]) - float(rows[0]["accuracy_second"])
    assert float(rows[0]["difference"]) == pytest.approx(difference)
    assert rows[0]["interval_low"] < rows[0]["interval_high"]
    (row,) = csv.DictReader(io.StringIO(invoke(two_runs_and_two_files[0], "--format", "csv").stdout))
    assert (row["first"], row["second"]) == ("run-1", "")


@pytest.mark.parametrize("suffix", ["svg", "pdf"])
def test_figures_are_vector_graphics_on_request(two_runs_and_two_files: list[Path], suffix: str) -> None:
    """As of each input, and of all."""
    out = two_runs_and_two_files[0].parent / "figures"
    invoke(*two_runs_and_two_files[1:], "--figures", suffix)
    names = {"loss", "accuracy", "accuracies", "differences", "confusion-run-2"}
    names |= {"confusion-logistic.npy", "confusion-neighbors.csv"}
    assert {path.name for path in out.iterdir()} == {f"{name}.{suffix}" for name in names}
    start = (out / f"differences.{suffix}").read_bytes()[:5]
    assert start in (b"<?xml", b"%PDF-")


def test_seeds_are_paired_where_they_are_the_same(tmp_path: Path) -> None:
    """With statsmodels' figures; other seeds are compared unpaired, one seed not at all."""
    a, b = (0.931, 0.934, 0.929, 0.936, 0.933, 0.930), (0.928, 0.930, 0.928, 0.930, 0.931, 0.929)
    paths = [write_results(tmp_path / "a.json", a), write_results(tmp_path / "b.json", b)]
    paths += [write_results(tmp_path / "c.json", (0.80, 0.81)), write_results(tmp_path / "d.json", (0.93,))]
    output = invoke(*paths).output
    reference = DescrStatsW(100 * np.subtract(a, b))
    low, high = reference.tconfint_mean()
    assert (
        f"a is {reference.mean:.2f} points better than b, 95 % interval {low:.2f} to {high:.2f}, paired over 6 seeds, "
        f"p = {reference.ttest_mean()[1]:.2g} (" in output
    )
    assert "a is 12.72 points better than c" in output
    assert "unpaired over 6 and 2 seeds" in output
    assert "a and d are not compared: d is one training, which shows no spread, so there is no interval" in output
    assert "give the run folders of the bench, as runs/bench/a/* and runs/bench/d/*, in place of" in output
    assert re.search(r"0\.\d+ \(0\.031\)", output)  # the least that a sign-flip test of six pairs can give


def test_methods_that_are_not_distinguishable_say_what_would_be(tmp_path: Path) -> None:
    """The minimum detectable difference of as many seeds, and the number that would show the observed one."""
    paths = [write_results(tmp_path / "a.json", (0.930, 0.934, 0.929))]
    paths.append(write_results(tmp_path / "b.json", (0.931, 0.930, 0.929)))
    assert (
        "a and b are not distinguishable: the difference is +0.10 points, 95 % interval -0.56 to 0.76, paired over 3 "
        "seeds, p = 0.58; 3 seeds show a difference of 0.86 points or more in four of five cases, and one of 0.10 "
        "points would take about 57."
    ) in invoke(*paths).output


def test_published_rows_are_marked(tmp_path: Path) -> None:
    """Against each method, with the error of 10,000 images and the spread over seeds."""
    content = json.loads(invoke(write_results(tmp_path / "a.json", (0.936, 0.937, 0.938)), "--json").output)
    marks = {row["classifier"]: row["marks"]["a"] for row in content["leaderboard"]}
    assert marks["WRN-28-10"] == "higher"
    assert marks["2 Conv+2 FC"] == "not distinguishable"
    assert marks["Human performance"] == "lower"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0\n1\n", "has 2 labels, but the split has 200 images"),
        ("0.5,0.5\n", "shape"),
        ("", "shape"),
    ],
)
def test_predictions_of_other_images_are_refused(two_runs_and_two_files: list[Path], text: str, message: str) -> None:
    """They have another number of rows."""
    other = two_runs_and_two_files[0].parent / "other.csv"
    other.write_text(text)
    result = run_in_process(other.parent, "compare", str(two_runs_and_two_files[0]), "other.csv", code=2)
    assert message in result.stderr


def test_what_cannot_be_compared_is_refused(two_runs_and_two_files: list[Path], tmp_path: Path) -> None:
    """No input, a file that is none, a file of no known kind, and two formats at once."""
    (tmp_path / "notes.txt").write_text("accuracy 0.9")
    run = str(two_runs_and_two_files[0])
    for arguments, message in (
        ([], "nothing to compare"),
        (["none.npy"], "none.npy does not exist"),
        (["notes.txt"], "is not a run folder"),
        ([run, "--json", "--format", "csv"], "two forms of the same output"),
    ):
        assert message in run_in_process(tmp_path, "compare", *arguments, code=2).stderr


def test_logits_are_compared_where_they_are_said_to_be_logits(two_runs_and_two_files: list[Path]) -> None:
    """They have the accuracy and the loss of their probabilities."""
    probabilities = two_runs_and_two_files[2]
    logits = probabilities.with_name("logits.npy")
    np.save(logits, np.log(np.load(probabilities)) - 2)
    run = two_runs_and_two_files[0]
    methods = json.loads(invoke(run, probabilities, "--logits", logits, "--json").output)["methods"]
    assert [method["name"] for method in methods] == ["run-1", "logistic.npy", "logits.npy"]
    assert methods[2]["loss"] == pytest.approx(methods[1]["loss"])
    assert "--logits" in run_in_process(run.parent, "compare", str(run), str(logits), code=2).stderr


def test_runs_and_results_files_are_compared(tmp_path: Path) -> None:
    """Each has a row; the public table has its remarks; figures are drawn."""
    run = write_run(tmp_path / "own", blind=1)
    evaluate(run.path)
    new = write_run(tmp_path / "new", named.sprint())
    results = write_results(tmp_path / "classic-cnn.json", (0.93, 0.94))
    out = tmp_path / "figures"
    arguments = [*map(str, (run.path, new.path, results)), "--out", str(out)]
    output = CliRunner().invoke(compare, arguments, catch_exceptions=False).output
    assert "90.00%" in output
    assert "new is not evaluated yet. Try: modiste evaluate" in output
    assert "own and classic-cnn are not compared: they were evaluated on different images." in output
    assert "ours, n = 2" in output
    assert "n = 2 is uninformative" in output
    assert "untested" in output
    assert output.index("untested") < output.index("own and classic-cnn are not compared")
    assert {path.name for path in out.iterdir()} == {
        "loss.png",
        "accuracy.png",
        "accuracies.png",
        "confusion-own.png",
    }


def test_json_has_methods_and_figures(tmp_path: Path) -> None:
    """`--json` prints one JSON object and nothing else."""
    run = write_run(tmp_path / "[odd] name", replace(named.classic_cnn(), seed=3))
    result = CliRunner().invoke(
        compare, [str(run.path), "--out", str(tmp_path / "o"), "--json"], catch_exceptions=False
    )
    content = json.loads(result.output)
    assert content["methods"][0]["name"] == "[odd] name"
    assert content["methods"][0]["accuracy"] is None
    assert (content["methods"][0]["dataset"], content["different_data"]) == ("data", {})
    assert len(content["figures"]) == 2


def test_differences_that_limit_the_comparison_are_reported(tmp_path: Path) -> None:
    """Different precisions, and an epoch that was chosen on the split that it is evaluated on."""
    recipe = settings.with_settings(named.classic_cnn(), {"early_stopping.patience": 2})
    paths = [write_results(tmp_path / "folds.json", recipe=recipe, split="validation")]
    paths.append(write_results(tmp_path / "seeds.json"))
    for path, precision in zip(paths, ("fp32", "bf16"), strict=True):
        content = json.loads(path.read_text())
        path.write_text(json.dumps(content | {"runs": [each | {"precision": precision} for each in content["runs"]]}))
    command = [*map(str, paths), "--out", str(tmp_path / "figures")]
    output = CliRunner().invoke(compare, command, catch_exceptions=False).output
    assert "folds: the epoch was chosen on the validation split" in output
    assert "The trainings differ in precision" in output
    assert "seeds: bf16" in output
    assert "different images" in output
    assert "  folds: Fashion-MNIST, validation split of 20,000 images" in output
    assert "differ in precision" not in CliRunner().invoke(compare, command[1:], catch_exceptions=False).output
