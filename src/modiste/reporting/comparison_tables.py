"""The tables of a comparison: one row per method, and one per pair of methods."""

from collections.abc import Callable, Sequence

from modiste.metrics.intervals import Interval
from modiste.metrics.significance import Comparison
from modiste.reporting import formatting
from modiste.reporting.formatting import format_interval, format_loss, format_p_value, format_percent
from modiste.reporting.pairwise import Pair
from modiste.reporting.results_table import MethodResult
from modiste.reporting.statements import describe_units
from modiste.reporting.text_tables import TextTable


def methods_table(methods: Sequence[MethodResult]) -> TextTable:
    """Return the accuracy of each method with its intervals, and what it took."""
    unit = " or ".join(sorted({method.unit for method in methods if method.n > 1})) or "seeds"
    columns: dict[str, Callable[[MethodResult], str]] = {
        "run": lambda method: method.name,
        "split": lambda method: method.split or "-",
        "n": lambda method: str(method.n),
        "accuracy": lambda method: format_percent(method.accuracy),
        "images": lambda method: _format_marked(method.interval_images, method.is_interval_approximate),
        unit: lambda method: formatting.format_half_width(method.interval_seeds),
        "loss": lambda method: format_loss(method.loss),
        "epochs": lambda method: f"{method.epochs:.3g}" if method.epochs else "-",
        "params": lambda method: formatting.abbreviate_number(method.parameters) if method.parameters else "-",
        "s": lambda method: f"{method.seconds:.0f}" if method.epochs else "-",
    }
    rows = [[column(method) for column in columns.values()] for method in methods]
    caption = f"images, {unit}: 95 % interval of the accuracy over other images, other {unit}"
    if any(method.n == 2 for method in methods):
        caption += "; n = 2 is uninformative"
    return TextTable(list(columns), rows, names=2, caption=f"{caption}.")


def scores_table(methods: Sequence[MethodResult]) -> TextTable:
    """Return the scores beside accuracy of each method that has any."""
    columns: dict[str, Callable[[MethodResult], str]] = {
        "run": lambda method: method.name,
        "balanced accuracy": lambda method: format_percent(method.mean("balanced_accuracy")),
        "macro F1": lambda method: format_percent(method.mean("macro_f1")),
        "NLL": lambda method: format_loss(method.loss),
        "Brier": lambda method: format_loss(method.mean("brier")),
        "ECE": lambda method: format_percent(method.mean("ece")),
    }
    rows = [
        [column(method) for column in columns.values()] for method in methods if method.mean("macro_f1") is not None
    ]
    return TextTable(list(columns), rows)


def pairs_table(pairs: Sequence[Pair]) -> TextTable:
    """Return the difference of each pair over seeds and over images, as far as they were compared."""
    headers = ["first", "second", "over", "points", "95 % interval", "test", "p"]
    comparisons = [each for pair in pairs for each in (pair.seeds, pair.images) if each]
    optional: dict[str, Callable[[Comparison], str]] = {}
    if any(each.p_holm is not None for each in comparisons):
        optional["p (Holm)"] = lambda each: format_p_value(each.p_holm)
    if any(each.p_sign_flip is not None for each in comparisons):
        optional["sign-flip p (least)"] = _format_sign_flip
    if any(each.interval_bca for each in comparisons):
        optional["BCa interval"] = lambda each: _format_marked(each.interval_bca, each.is_bca_approximate)
    optional["detectable"] = lambda each: _format_size(each.minimum_detectable_difference)
    rows = [
        [
            *(pair.first, pair.second, describe_units(each), f"{100 * each.difference:+.2f}"),
            _format_marked(each.interval, each.is_approximate),
            *(each.test or "-", format_p_value(each.p_value)),
            *(column(each) for column in optional.values()),
        ]
        for pair in pairs
        for each in (pair.seeds, pair.images)
        if each
    ]
    return TextTable([*headers, *optional], rows, names=3)


def to_records(methods: Sequence[MethodResult], pairs: Sequence[Pair]) -> list[dict[str, object]]:
    """Return a record per pair and kind of comparison for a CSV file; one method alone has one without a second."""
    by_name = {method.name: method for method in methods}
    records = [
        _to_record(by_name[pair.first], by_name[pair.second], comparison, pair.reason)
        for pair in pairs
        for comparison in (*filter(None, (pair.seeds, pair.images)), *((None,) if pair.main is None else ()))
    ]
    return records or [_to_record(method, None, None, "") for method in methods]


def _to_record(
    first: MethodResult, second: MethodResult | None, comparison: Comparison | None, reason: str
) -> dict[str, object]:
    record: dict[str, object] = {}
    for key, method in (("first", first), ("second", second)):
        record |= {
            key: method and method.name,
            f"n_{key}": method and method.n,
            f"accuracy_{key}": method and method.accuracy,
        }
    keys = ("unit", "is_paired", "difference", "test", "p_value", "p_holm", "p_sign_flip",
            "minimum_detectable_difference", "required_n", "is_approximate")  # fmt: skip
    record |= {key: getattr(comparison, key, None) for key in keys}
    for key in ("interval", "interval_bca"):
        record[f"{key}_low"], record[f"{key}_high"] = getattr(comparison, key, None) or (None, None)
    return {**record, "reason": reason}


def _format_marked(interval: Interval | None, is_approximate: bool) -> str:
    return format_interval(interval) + formatting.format_approximate(interval is not None and is_approximate)


def _format_size(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}"


def _format_sign_flip(comparison: Comparison) -> str:
    """Format the p-value of the sign-flip test and the least that it can be with as many pairs, 2^(1-n)."""
    if comparison.p_sign_flip is None:
        return "-"
    return f"{format_p_value(comparison.p_sign_flip)} ({format_p_value(2.0 ** (1 - comparison.n))})"
