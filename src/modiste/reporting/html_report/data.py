"""The data: a sample of it, and how it is split."""

import numpy as np

from modiste.data import sources
from modiste.errors import ModisteError
from modiste.imaging.contact_sheet import png
from modiste.recipes.recipe import DataConfig
from modiste.reporting.html_report.html import Html, join, picture, table, tag
from modiste.reporting.html_report.texts import Texts
from modiste.reporting.report_data import ReportData
from modiste.runs import run_info

EACH = 10
"""Images of each label on the sample sheet."""


def section(study: ReportData, say: Texts) -> Html:
    """A strip of images for each label, then the split of each method."""
    return join([say("data.about"), _sheet(study, say), say("data.split"), _split(study, say)])


def _sheet(study: ReportData, say: Texts) -> Html:
    """Strips in the colors of the data: white clothes on black."""
    run = next((entry.run for entry in study.given if entry.run), None)
    try:
        rows = sources.first_of_each_label(run.recipe().data if run else DataConfig(val_fraction=0), EACH)
    except ModisteError as error:
        return tag("p", say("data.gone", reason=str(error)), class_="missing")
    strips = [
        tag("div", tag("span", say.word(name)), picture(png(np.concatenate(list(images), axis=1)), name, "pixels"))
        for name, images in rows
        if len(images)
    ]
    return tag("div", *strips, class_="strips")


def _split(study: ReportData, say: Texts) -> Html:
    rows = []
    for entry in study.shown():
        known = run_info.read(entry.run).images if entry.run else {}
        counts = [known.get(part) for part in ("train", "validation")]
        counts.append(entry.images if entry.split == "test" else None)
        rows.append([entry.name, *("-" if count is None else f"{count:,}" for count in counts), entry.recipe.data.fold])
    if not rows:
        return tag("p", say("data.no_runs"), class_="missing")
    return table([say(f"data.{key}") for key in ("run", "train", "validation", "test", "fold")], rows, kind="figures")
