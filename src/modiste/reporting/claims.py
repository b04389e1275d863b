"""The course report's claims, each answered from runs and results files.

An answer is a verdict and the key of a sentence with its figures; the sentences are in the report's texts, one language
a file. Each rule stands in the docstring of its function.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from modiste.labels import FASHION_MNIST
from modiste.metrics import intervals
from modiste.reporting import leaderboard, results_table
from modiste.reporting.report_data import COURSE_REPORT, ReportData
from modiste.reporting.results_table import MethodResult

BENCH_RESNET18 = "modiste bench classic-resnet18 --seeds 2"
BENCH_ERASING = "modiste bench classic-cnn --set augmentation.random_crop_padding=4 --set augmentation.random_erasing_prob=0.5 --name classic-cnn-erasing"
MEASURED_BY = {
    "cnn_accuracy": "modiste bench classic-cnn",
    "cnn_loss": "modiste bench classic-cnn",
    "resnet18_accuracy": BENCH_RESNET18,
    "resnet18_loss": BENCH_RESNET18,
    "overfit": "modiste train classic-resnet18",
    "worst": "modiste evaluate RUN",
    "taken_for": "modiste evaluate RUN",
    "best": "modiste evaluate RUN",
    "generalizes": BENCH_ERASING,
    "costs": BENCH_ERASING,
    "xavier": "modiste train classic-cnn --epochs 1 --name default --set model.init=default",
}
"""What to type to measure a claim that nobody has measured."""

Verdict = Literal["holds", "fails", "unmeasured"]
Word = Callable[[str], str]
"""Says a label, or a word between figures, in the reader's language."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a claim.

    Args:
        claim: its key.
        verdict: holds, fails (does not hold here) or unmeasured.
        sentence: key of the sentence that gives the figures.
        values: what is put into the sentence.
    """

    claim: str
    verdict: Verdict
    sentence: str
    values: Mapping[str, str] = field(default_factory=dict)


def answers(study: ReportData, word: Word = str) -> list[Answer]:
    """Answer every claim, in the report's order."""
    return [
        *_figures("cnn", study.measured("classic-cnn"), ""),
        *_resnet(study),
        _overfit(study),
        _worst(study, word),
        _taken_for(study, word),
        _best(study, word),
        *_erasing(study, word),
        _xavier(study),
        Answer("batch_norm", "unmeasured", "batch_norm"),
        _two_layers(study),
    ]


def _unmeasured(claim: str, sentence: str = "no_run") -> Answer:
    return Answer(claim, "unmeasured", sentence, {"command": MEASURED_BY[claim]})


def _verdict(holds: bool) -> Verdict:
    return "holds" if holds else "fails"


def _figures(network: str, entry: MethodResult | None, suffix: str) -> list[Answer]:
    """Accuracy at least, and loss at most, what the report gives; means over the seeds on the official test split."""
    loss, accuracy = COURSE_REPORT[network]
    if entry is None or entry.accuracy is None or entry.loss is None:
        return [_unmeasured(f"{network}_{figure}") for figure in ("accuracy", "loss")]
    values = _values(entry)
    return [
        Answer(f"{network}_accuracy", _verdict(entry.accuracy >= accuracy), f"accuracy{suffix}", values),
        Answer(f"{network}_loss", _verdict(entry.loss <= loss), f"loss{suffix}", values),
    ]


def _values(entry: MethodResult) -> dict[str, str]:
    low, high = entry.interval_images or (0.0, 0.0)
    return {
        "name": entry.name,
        "accuracy": f"{entry.accuracy or 0:.2%}",
        "loss": f"{entry.loss or 0:.4f}",
        "low": f"{low:.2%}",
        "high": f"{high:.2%}",
        "n": str(entry.n),
        "epochs": f"{entry.epochs:.3g}",
    }


def _resnet(study: ReportData) -> list[Answer]:
    """As `_figures` with ImageNet weights; without them the claim is not measured, and what was reached is told.

    The results file of most trainings goes before single runs, of which the first one's method counts.
    """
    found = [entry for entry in study.everything() if entry.network == "resnet18" and entry.on_fashion_mnist]
    started = [entry for entry in found if entry.recipe.model.weights == "imagenet"]
    if started:
        filed = max((entry for entry in started if not entry.run), key=lambda entry: entry.n, default=None)
        return _figures("resnet18", filed or results_table.pool_runs("resnet18", started), "")
    scratch = _figures("resnet18", study.measured("classic-resnet18"), "_scratch")
    return [Answer(answer.claim, "unmeasured", answer.sentence, answer.values) for answer in scratch]


def _overfit(study: ReportData) -> Answer:
    """After the epoch that was kept, validation loss rose while train loss fell, and training stopped on its own."""
    runs = [entry for entry in study.given if entry.network == "resnet18" and entry.history and entry.best_epoch]
    judged = [entry for entry in runs if entry.history[0].val_loss is not None]
    if not judged:
        return _unmeasured("overfit")
    entry = judged[0]
    kept, last = entry.history[entry.best_epoch - 1], entry.history[-1]
    before, after = kept.val_loss or 0.0, last.val_loss or 0.0
    rose = last.epoch > kept.epoch and after > before and last.train_loss < kept.train_loss
    values = {
        "name": entry.name,
        "kept": str(kept.epoch),
        "last": str(last.epoch),
        "before": f"{before:.4f}",
        "after": f"{after:.4f}",
        "train_before": f"{kept.train_loss:.4f}",
        "train_after": f"{last.train_loss:.4f}",
    }
    return Answer("overfit", _verdict(rose), "overfit", values)


def _judged(study: ReportData) -> list[MethodResult]:
    """The runs whose confusion on the official test split is known."""
    return [
        entry for entry in study.given if entry.scores and entry.on_fashion_mnist and _labels(entry) == FASHION_MNIST
    ]


def _labels(entry: MethodResult) -> tuple[str, ...]:
    return tuple(label.name for label in entry.scores.per_class) if entry.scores else ()


def _recalls(entry: MethodResult) -> dict[str, float]:
    return {label.name: label.recall or 0.0 for label in entry.scores.per_class} if entry.scores else {}


def _worst(study: ReportData, word: Word) -> Answer:
    """Shirt has the lowest recall, in every run."""
    return _extreme("worst", study, "Shirt", lambda recalls: min(recalls, key=lambda label: recalls[label]), word)


def _best(study: ReportData, word: Word) -> Answer:
    """Bag has the highest recall, in every run."""
    return _extreme("best", study, "Bag", lambda recalls: max(recalls, key=lambda label: recalls[label]), word)


def _extreme(claim: str, study: ReportData, label: str, pick: Callable[[dict[str, float]], str], word: Word) -> Answer:
    runs = _judged(study)
    if not runs:
        return _unmeasured(claim)
    recalls = {entry.name: _recalls(entry) for entry in runs}
    picked = {name: pick(found) for name, found in recalls.items()}
    told = [f"{name}: {word(picked[name])} {found[picked[name]]:.1%}" for name, found in recalls.items()]
    values = {"list": "; ".join(told), "images": f"{runs[0].images:,}", "n": str(len(runs))}
    return Answer(claim, _verdict(set(picked.values()) == {label}), claim, values)


def _taken_for(study: ReportData, word: Word) -> Answer:
    """Of the shirts that were taken for something else, most were taken for T-shirts, in every run."""
    runs = _judged(study)
    if not runs:
        return _unmeasured("taken_for")
    shirt = FASHION_MNIST.index("Shirt")
    told, commonest = [], set()
    for entry in runs:
        row = list(entry.scores.confusion_matrix[shirt]) if entry.scores else []
        others = [count if label != shirt else -1 for label, count in enumerate(row)]
        label = FASHION_MNIST[others.index(max(others))]
        commonest.add(label)
        told.append(f"{entry.name}: {word(label)} {max(others)} / {sum(row) - row[shirt]}")
    values = {"list": "; ".join(told), "n": str(len(runs))}
    return Answer("taken_for", _verdict(commonest == {"T-shirt/top"}), "taken_for", values)


def _erasing(study: ReportData, word: Word) -> list[Answer]:
    """Generalizes: a lower test loss with crop and erasing. Costs accuracy: a lower mean test accuracy with them."""
    plain, erasing = study.measured("classic-cnn"), study.measured("classic-cnn-erasing")
    if plain is None or erasing is None or plain.loss is None or erasing.loss is None:
        return [_unmeasured(claim) for claim in ("generalizes", "costs")]
    gaps = paired(erasing, plain)
    gap = (erasing.accuracy or 0.0) - (plain.accuracy or 0.0)
    reach = intervals.t_interval(gaps)
    values = {
        "with": f"{erasing.accuracy or 0:.2%}",
        "without": f"{plain.accuracy or 0:.2%}",
        "loss_with": f"{erasing.loss:.4f}",
        "loss_without": f"{plain.loss:.4f}",
        "points": f"{100 * gap:+.2f}",
        "interval": f"{100 * reach[0]:+.2f} {word('to')} {100 * reach[1]:+.2f}" if reach else "-",
        "n": str(len(gaps)),
        "n_with": str(erasing.n),
        "n_without": str(plain.n),
    }
    return [
        Answer("generalizes", _verdict(erasing.loss < plain.loss), "generalizes", values),
        Answer("costs", _verdict(gap < 0), "costs", values),
    ]


def paired(one: MethodResult, other: MethodResult) -> list[float]:
    """Differences of the accuracies of two entries, seed by seed, where both have the seed."""
    there = {outcome.seed: outcome.accuracy for outcome in other.run_results}
    both = [(outcome.accuracy, there.get(outcome.seed)) for outcome in one.run_results]
    return [here - theirs for here, theirs in both if here is not None and theirs is not None]


def _xavier(study: ReportData) -> Answer:
    """Of two runs that differ in the initialization alone, Xavier's has the lower validation loss after one epoch."""
    runs = [entry for entry in study.given if entry.history and entry.history[0].val_loss is not None]
    for one in runs:
        for other in runs:
            if results_table.setting_differences(one, other) == {"model.init": ("xavier", "default")}:
                ours, theirs = (entry.history[0].val_loss or 0.0 for entry in (one, other))
                values = {"name": one.name, "other": other.name, "ours": f"{ours:.4f}", "theirs": f"{theirs:.4f}"}
                return Answer("xavier", _verdict(ours < theirs), "xavier", values)
    return _unmeasured("xavier", "no_pair")


def _two_layers(study: ReportData) -> Answer:
    """Every row of the public table that starts with `2 Conv`, and our CNN, rounds to 91, 92 or 93 per cent."""
    found = [row.accuracy for row in leaderboard.public_table() if row.classifier.startswith("2 Conv")]
    within = sum(91 <= round(100 * accuracy) <= 93 for accuracy in found)
    ours = study.measured("classic-cnn")
    mine = ours.accuracy if ours and ours.accuracy is not None else None
    holds = within == len(found) and (mine is None or 91 <= round(100 * mine) <= 93)
    values = {
        "within": str(within),
        "rows": str(len(found)),
        "low": f"{min(found):.1%}",
        "high": f"{max(found):.1%}",
        "ours": "-" if mine is None else f"{mine:.2%}",
        "n": str(ours.n if ours else 0),
    }
    return Answer("two_layers", _verdict(holds), "two_layers" if ours else "two_layers_table", values)
