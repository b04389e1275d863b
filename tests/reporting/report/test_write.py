"""A report in every format, from the command's point of view: files, names, figures, languages."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from helpers.idx import write_idx_folder
from helpers.models import tiny_model
from helpers.runs import write_results, write_run
from modiste.errors import InputError
from modiste.recipes import named
from modiste.reporting import canvas
from modiste.reporting.evaluate import evaluate
from modiste.reporting.report.write import write_report
from modiste.runs import files

NAMES = "50% & <b> $x_1$ {Łukasz} 李雷 \\ #~^"
"""A title that no format may take for markup."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """An evaluated run with layers, one with a name of other characters, and a results file."""
    folder = tmp_path_factory.mktemp("runs")
    data = write_idx_folder(folder / "data")
    cnn = write_run(folder / "cnn_100%", data=data, blind=1, dataset="fashion-mnist")
    layers = [{"layer": "Conv2d 5 x 5", "output_shape": [32, 28, 28], "parameters": 832}] * 40
    files.write_json(cnn.layers, layers)
    evaluate(cnn.path)
    other = write_run(folder / "Żółć", named.sprint(), data)
    return [cnn.path, other.path, write_results(folder / "classic-cnn.json")]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts of a user."""
    path = tmp_path_factory.mktemp("config") / "mine.toml"
    quoted = NAMES.replace("\\", "\\\\")
    path.write_text(
        f'title = "{quoted}"\nauthors = ["A_B", "C"]\nconclusion = "First.\\n\\nSecond."\n', encoding="utf-8"
    )
    return path


@pytest.mark.slow
def test_markdown_has_its_figures_beside_it(tmp_path: Path, runs: list[Path], config: Path) -> None:
    """Each figure as SVG and PDF; text is escaped; figures and tables are numbered and referred to."""
    out = tmp_path / "my report.md"
    write_report(runs, out, kind="markdown", config=config)
    text = out.read_text(encoding="utf-8")
    shown = re.findall(r"!\[Figure \d+\]\((.+)\)", text)
    assert shown
    for name in shown:
        assert (tmp_path / name).is_file()
        assert (tmp_path / name).with_suffix(".pdf").is_file()
    assert text.startswith(r"# 50% \& \<b\> \$x\_1\$ \{Łukasz\} 李雷 \\ \#\~^")
    assert re.findall(r"\*\*Figure (\d+)\.\*\*", text) == [str(number) for number in range(1, len(shown) + 1)]
    assert "Table 2 lists the numbers of images." in text
    assert "First.\n\nSecond." in text
    tables = re.findall(r"(?m)^\|.*\|$", text)
    assert tables
    columns = [len(re.findall(r"(?<!\\)\|", row)) for row in tables]
    assert all(count > 2 for count in columns)


@pytest.mark.slow
def test_the_layers_of_a_large_network_are_shortened(tmp_path: Path, runs: list[Path]) -> None:
    """The first and the last ones are there, and the sum of all."""
    write_report(runs[:1], tmp_path / "r.md", kind="markdown")
    text = (tmp_path / "r.md").read_text(encoding="utf-8")
    assert "… 16 more layers |  | 13,312 |" in text
    assert "33,280" in text


@pytest.mark.slow
@pytest.mark.parametrize(("language", "engine"), [("en", "pdflatex"), ("zh", "xelatex")])
def test_latex_compiles(language: str, engine: str, tmp_path: Path, runs: list[Path], config: Path) -> None:
    """With the Debian packages that the README states; no reference is undefined."""
    if not shutil.which(engine):
        pytest.skip(f"needs {engine}")
    write_report(runs, tmp_path / "report.tex", language, kind="latex", config=config)
    command = [engine, "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
    for _ in range(2):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
        assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "report.pdf").is_file()
    assert "undefined" not in done.stdout.lower()


@pytest.mark.slow
def test_chinese_latex_is_for_ctex(tmp_path: Path, runs: list[Path]) -> None:
    """Chinese text stays as it is, and references have Chinese names."""
    write_report(runs, tmp_path / "report.tex", "zh", kind="latex")
    text = (tmp_path / "report.tex").read_text(encoding="utf-8")
    assert r"\documentclass[a4paper]{ctexart}" in text
    assert r"表\ref{tab-results}列出本次测得的结果" in text
    assert "inputenc" not in text


@pytest.mark.slow
def test_pdf_is_a4(tmp_path: Path, runs: list[Path], config: Path) -> None:
    """Each page has 595 × 842 points."""
    pytest.importorskip("weasyprint", exc_type=ImportError)
    write_report(runs, tmp_path / "report.pdf", kind="pdf", config=config)
    content = (tmp_path / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    sizes = [[round(float(number)) for number in box.split()] for box in re.findall(rb"/MediaBox \[(.+?)\]", content)]
    assert sizes == [[0, 0, 595, 842]] * len(sizes)


def without_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find no font but the usual one, as where no other is installed."""
    monkeypatch.setattr(canvas, "find_fonts", canvas.find_fonts.__wrapped__)  # whose results are not remembered
    for name in ("_listed_fonts", "_new_fonts"):
        monkeypatch.setattr(canvas, name, list)


def test_names_that_no_font_can_draw_are_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the characters and a package; not for HTML, which uses the fonts of the reader."""
    data = write_idx_folder(tmp_path / "data", labels=2)
    (data / "labels.json").write_text('["连衣裙", "外套"]', encoding="utf-8")
    run = write_run(tmp_path / "run", data=data)
    run.model.write_bytes(tiny_model(("连衣裙", "外套")))
    without_fonts(monkeypatch)
    (_, note) = write_report([run.path], tmp_path / "r.md", kind="markdown")
    assert "has the characters 外套衣裙连, so figures show boxes" in note
    assert "fonts-noto-cjk" in note
    assert not any("characters" in note for note in write_report([run.path], tmp_path / "r.html"))
    notes = write_report([run.path], tmp_path / "r.tex", kind="latex")
    text = (tmp_path / "r.tex").read_text(encoding="utf-8")
    assert r"\cjk{连}{8FDE}\cjk{衣}{8863}\cjk{裙}{88D9} &" in text
    assert "LaTeX prints code points for 连衣裙外套." in notes[2]


@pytest.mark.slow
def test_without_a_chinese_font_only_figures_of_files_stay_english(
    tmp_path: Path, runs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A note says so, and names a font to install; a PDF is refused, and HTML uses the fonts of the reader."""
    without_fonts(monkeypatch)
    (note, *_) = write_report(runs[:1], tmp_path / "r.md", "zh", kind="markdown")
    assert "fonts-noto-cjk" in note
    assert "the figures are in English" in note
    assert ">accuracy<" in (tmp_path / "r-figures" / "fig-curves.svg").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="fonts-noto-cjk, and repeat the command, or use --format html"):
        write_report(runs[:1], tmp_path / "r.pdf", "zh", kind="pdf")
    write_report(runs[:1], tmp_path / "r.html", "zh")
    assert ">准确率<" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_commands_for_the_missing_claims_are_noted(tmp_path: Path, runs: list[Path]) -> None:
    """For a report that checks some of them."""
    notes = write_report(runs[:1], tmp_path / "r.html")
    assert "  modiste bench classic-resnet18 --seeds 3" in notes
