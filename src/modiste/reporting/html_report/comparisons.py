"""The sections that end the report: a sample prediction, the public leaderboard, and the course report's claims."""

from importlib import resources
from pathlib import Path

from markupsafe import Markup

from modiste import inference
from modiste.errors import InputError
from modiste.imaging.png import data_url
from modiste.reporting import claims, formatting, leaderboard
from modiste.reporting.html_report.dataset import Section
from modiste.reporting.html_report.texts import Texts
from modiste.reporting.report_data import ReportData
from modiste.reporting.results_table import MethodResult


def describe_sample(data: ReportData, texts: Texts) -> Section:
    """Return a test image of Fashion-MNIST and the prediction of each run on it; without any, of the bundled model."""
    png = (resources.files("modiste") / "assets" / "samples" / "ankle-boot.png").read_bytes()
    models = {result.name: result.run.model for result in data.runs if result.run and result.uses_fashion_mnist}
    rows = [("own", [name, _predict(model, png, texts)]) for name, model in models.items() if model.is_file()]
    rows = rows or [("published", [texts.get("sample.bundled"), _predict(None, png, texts)])]
    return {"image": data_url(png), "alt": texts.translate("Ankle boot"), "rows": rows}


def _predict(model: Path | None, png: bytes, texts: Texts) -> str:
    """Return the three most probable classes, or why there is no prediction."""
    try:
        (prediction,) = inference.load(model).predict([png], top=3)
    except InputError as error:
        return str(error)
    top = ", ".join(f"{texts.translate(name)} {probability:.1%}" for name, probability in prediction.top)
    return prediction.error or top


def describe_leaderboard(data: ReportData, texts: Texts) -> Section:
    """Return the rows of the public leaderboard, of the user's results and of modiste's published results.

    Where the user has results, each row is marked against the most accurate one.
    """
    rows = []
    own = [result for result in data.own if result.on_fashion_mnist and result.accuracy is not None]
    best = max(own, key=lambda result: result.accuracy or 0.0, default=None)
    for row in leaderboard.add_results([*data.own, *data.published]):
        source, note, preprocessing = "", Markup.escape(texts.translate(row.note)), [row.preprocessing]
        if row.result:
            source = "own" if row.result in data.own else "published"
            interval = formatting.format_interval(row.result.interval_images, texts.translate("to"))
            note = texts.get(f"leaderboard.{source}", n=row.result.n, interval=interval)
            preprocessing = row.preprocessing.split(", ")
        done = texts.translate(", ").join(map(texts.translate, preprocessing))
        accuracy = formatting.format_percent(row.accuracy)
        cells = [row.classifier, accuracy, row.data_version, row.parameters, done, row.submitter, note]
        rows.append((source, cells + ([_describe_mark(row, best, texts)] if best else [])))
    compared = texts.get("leaderboard.compared", name=best.name) if best else ""
    return {"rows": rows, "has_own": any(source == "own" for source, _ in rows), "compared": compared}


def _describe_mark(row: leaderboard.LeaderboardRow, best: MethodResult, texts: Texts) -> str:
    mark = leaderboard.mark(row, best)
    return texts.get(f"leaderboard.{mark.replace(' ', '_')}") if mark else ""


def describe_claims(data: ReportData, texts: Texts) -> Section:
    """Return the check of each claim."""
    return {"claims": claims.check_claims(data, texts.translate)}
