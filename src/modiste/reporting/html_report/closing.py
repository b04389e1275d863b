"""The end of the report: a picture with its prediction, the public table, and the claims."""

from importlib import resources
from pathlib import Path

from modiste import inference
from modiste.errors import InputError
from modiste.reporting import claims, leaderboard
from modiste.reporting.html_report.html import Html, join, picture, table, tag
from modiste.reporting.html_report.texts import Texts
from modiste.reporting.report_data import ReportData

SAMPLE = "ankle-boot.png"


def prediction(study: ReportData, say: Texts) -> Html:
    """A test picture, and what each run says of it; without a model of a run, what the bundled model says."""
    png = (resources.files("modiste") / "assets" / "samples" / SAMPLE).read_bytes()
    runs = [(entry.name, entry.run.model) for entry in study.shown() if entry.run and entry.run.model.is_file()]
    models: list[tuple[str, Path | None]] = [*runs] or [(str(say("picture.bundled")), None)]
    told = []
    for name, model in models:
        try:
            (found,) = inference.load(model).predict([png], top=3)
        except InputError as error:
            told.append([name, str(error)])
            continue
        best = ", ".join(f"{say.word(label)} {share:.1%}" for label, share in found.top)
        told.append([name, found.error or best])
    said = table([say("picture.model"), say("picture.says")], told)
    return join([say("picture.about"), tag("div", picture(png, SAMPLE, "pixels boot"), said, class_="pair picture")])


def public_table(study: ReportData, say: Texts) -> Html:
    """The public table with our rows and its remarks."""
    rows, marked = [], []
    for place, row in enumerate(leaderboard.add_results(study.everything())):
        note: Html | str = say.word(row.note)
        if row.result:
            marked.append(place)
            low, high = row.result.interval_images or (0.0, 0.0)
            note = say("table.ours", n=row.result.n, low=f"{low:.2%}", high=f"{high:.2%}")
        done = ", ".join(map(say.word, row.preprocessing.split(", "))) if row.result else say.word(row.preprocessing)
        rows.append(
            [row.classifier, f"{row.accuracy:.2%}", row.data_version, row.parameters, done, row.submitter, note]
        )
    keys = ("classifier", "accuracy", "data", "parameters", "preparation", "submitter", "note")
    missing = [] if marked else [tag("p", say("table.none"), class_="missing")]
    return join([say("table.about"), *missing, table([say(f"table.{key}") for key in keys], rows, marked)])


def answered(study: ReportData, say: Texts) -> Html:
    """A card a claim: what the report says, the verdict, the figures."""
    cards = []
    for answer in claims.answers(study, say.word):
        verdict = tag("span", say(f"verdict.{answer.verdict}"), class_=f"verdict {answer.verdict}")
        claim = tag("p", say(f"claims.{answer.claim}"), class_="claim")
        figures = tag("p", say(f"answers.{answer.sentence}", **answer.values))
        cards.append(tag("li", verdict, claim, figures))
    return join([say("claims.about"), tag("ul", *cards, class_="claims")])
