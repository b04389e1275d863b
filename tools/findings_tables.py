"""Tables of docs/findings.md and docs/audit.md: claims, ablations, transfer, class weights, the leaderboard, labels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from table_format import RESULTS, Translate, read, span, table

from modiste.reporting import leaderboard, method_files
from modiste.reporting.claims.answer import Answer
from modiste.reporting.claims.check import check_claims
from modiste.reporting.formatting import format_p_value
from modiste.reporting.report import texts
from modiste.reporting.report_data import ReportData, open_report_data

LEADERBOARD_RECIPES = ("classic-cnn", "marathon-25k", "marathon-100k")
"""Recipes that the rows of the public leaderboard are compared with."""

VERDICTS = {
    "holds": "**holds**",
    "fails": "**does not hold**",
    "not_distinguishable": "not distinguishable here",
    "not_measured": "not measured",
}

TRANSFER = ("600", "1800", "6000")
"""Numbers of labels of `benchmarks/transfer.py`."""


def claims_table(_: Translate) -> str:
    """Return each claim with its verdict and the figures, as `modiste report` has them, from the published results."""
    runs = method_files.read_methods(sorted(path.parent for path in RESULTS.glob("runs/*/*/recipe.json")))
    published, english = open_report_data([]), texts.read("en")
    data = ReportData((*runs, *published.published), own_experiments=published.published_experiments)
    rows = [[english.get(f"claims.{each.claim}").unescape(), *_describe(each, english)] for each in check_claims(data)]
    return table(["claim", "verdict", "measured"], rows)


def _describe(answer: Answer, english: texts.Texts) -> list[str]:
    if "command" in answer.values:
        return [VERDICTS["not_measured"], ""]
    return [VERDICTS[answer.verdict], english.get(f"answers.{answer.sentence}", **answer.values).unescape()]


def ablation_table(name: str) -> str:
    """Return the rows of an ablation, with the unchanged recipe first."""
    first, *others = read(name)["tricks"]
    head = ["", "test accuracy", "difference in points (95 % interval)", "p", "p (Holm)", "detectable", "n"]
    rows = [["unchanged", f"{first['mean']:.2%}", "", "", "", "", str(first["n"])]]
    return table(head, [*rows, *map(_ablation_row, others)])


def _ablation_row(row: dict[str, Any]) -> list[str]:
    detectable = row["minimum_detectable_difference"]
    return [
        row["recipe"],
        f"{row['mean']:.2%}",
        _difference(row),
        *(format_p_value(row[key]) for key in ("p_value", "p_holm")),
        "-" if detectable is None else f"{100 * detectable:.2f}",
        str(row["n"]),
    ]


def _difference(row: dict[str, Any]) -> str:
    """Format a difference with its interval; bold where the interval excludes 0."""
    interval = row["difference_interval"]
    text = f"{100 * row['difference']:+.2f}"
    if not interval:
        return text
    text = text if interval[0] <= 0 <= interval[1] else f"**{text}**"
    return f"{text} ({span([100 * end for end in interval], 'to', '+.2f')})"


def transfer_table(_: Translate) -> str:
    """Return the accuracy with and without ImageNet weights for each number of labels."""
    head = ["labels", "ImageNet weights", "random weights", "difference in points (95 % interval)", "n"]
    return table(head, map(_transfer_row, TRANSFER))


def _transfer_row(labels: str) -> list[str]:
    pretrained, random = (_row(f"transfer-{labels}", name) for name in ("unchanged", "random weights"))
    swapped = {**random, "difference": -random["difference"]}
    if interval := random["difference_interval"]:
        swapped["difference_interval"] = [-interval[1], -interval[0]]
    return [
        f"{int(labels):,}",
        f"{pretrained['mean']:.2%}",
        f"{random['mean']:.2%}",
        _difference(swapped),
        str(random["n"]),
    ]


def _row(name: str, row: str) -> dict[str, Any]:
    return next(each for each in read(name)["tricks"] if each["recipe"] == row)


def imbalance_table(_: Translate) -> str:
    """Return macro recall with and without class weights, for each size of the data and each training."""
    head = ["images of each class", "training", "weights", "macro recall", "difference in points (95 % interval)", "n"]
    return table(head, map(_imbalance_row, read("imbalance")["rows"]))


def _imbalance_row(row: dict[str, Any]) -> list[str]:
    is_first, interval = row["arm"] == "none", row["interval_seeds"]
    difference = "" if is_first else _difference({"difference": row["gain"], "difference_interval": interval})
    sizes = f"{row['majority']:,} or {row['minority']}"
    return [sizes, row["training"], row["arm"], f"{row['macro_recall']:.2%}", difference, str(row["n"])]


def leaderboard_table(_: Translate) -> str:
    """Return each row of the public leaderboard, marked against recipes of modiste by images and seeds together."""
    own = [method_files.read_results(RESULTS / f"{name}.json") for name in LEADERBOARD_RECIPES]
    rows = [
        [
            row.classifier.replace("|", r"\|"),
            f"{row.accuracy:.1%}",
            row.data_version or "-",
            *(leaderboard.mark(row, result) or "-" for result in own),
        ]
        for row in sorted(leaderboard.public_table(), key=lambda each: -each.accuracy)
    ]
    titles = [f"than `{each.name}` ({each.accuracy:.2%}, n = {each.n})" for each in own]
    return table(["classifier", "accuracy", "data", *titles], rows)


def label_errors_table(_: Translate) -> str:
    """Return the verdicts by eye and the share of wrong labels that they give."""
    content = read("label-errors")
    verdicts = ("wrong", "unsure", "right")
    rows = [
        [each["stratum"], f"{each['images']:,}", str(each["n"]), *(str(each[key]) for key in verdicts)]
        for each in content["runs"]
    ]
    return table(["test images", "in all", "looked at", *verdicts], rows)


def audit_table(_: Translate) -> str:
    """Return the accuracy of each method on the test images, and without suspects and duplicates."""
    head = ["", "all", "without label issues", "without duplicates", "without both"]
    return table(head, map(_audit_row, read("audit")["accuracies"]))


def _audit_row(row: dict[str, Any]) -> list[str]:
    masks = ("all", "without_suspects", "without_duplicates", "without_both")
    return [Path(row["method"]).stem, *(f"{row[key]['accuracy']:.2%} (n = {row[key]['n']:,})" for key in masks)]


TABLES: dict[str, Callable[[Translate], str]] = {
    "claims": claims_table,
    "ablation_cnn": lambda _: ablation_table("classic-cnn-ablation"),
    "transfer": transfer_table,
    "ablation_resnet": lambda _: ablation_table("classic-resnet18-ablation"),
    "imbalance": imbalance_table,
    "leaderboard": leaderboard_table,
    "label_errors": label_errors_table,
    "audit": audit_table,
}
