"""The sections on how the methods were trained, and on the tricks that they use."""

import tomllib
from collections.abc import Callable, Sequence

from modiste.recipes.ranges import is_factory
from modiste.reporting.html_report.dataset import Section
from modiste.reporting.html_report.texts import Texts, read_text
from modiste.reporting.report_data import CNN, ReportData, find_result
from modiste.reporting.results_table import MethodResult, accuracy_differences, setting_differences

TRICK_SETTINGS = ("augmentation.", "model.init", "model.dropout")
"""Beginnings of the settings that belong to tricks."""


def describe_training(data: ReportData, texts: Texts) -> Section:
    """Return a row for each setting, the cross-validations, and the formulas of losses and optimizers."""
    cross_validations = [
        {"name": r.name, "n": r.n, "accuracy": f"{r.accuracy:.2%}", "images": f"{r.images:,}", "source": source}
        for source, results in (("own", data.own), ("published", data.published))
        for r in results
        if r.split == "validation" and r.n > 1
    ]
    return {
        "names": [result.name for result in data.methods],
        "rows": [
            [texts.get(f"training.{key}"), *(value(result, texts) for result in data.methods)]
            for key, value in SETTINGS.items()
        ],
        "cross_validations": cross_validations,
        "formulas": tomllib.loads(read_text("formulas.toml")),
    }


def describe_tricks(data: ReportData, texts: Texts) -> Section:
    """Return which methods use which trick, and the measured effect of each."""
    return {
        "names": [result.name for result in data.methods],
        "rows": [
            [texts.get(f"tricks.{key}"), *(value(result) for result in data.methods)] for key, value in TRICKS.items()
        ],
        "own": _compare_tricks(data.own),
        "published": _compare_tricks(data.published),
    }


def _compare_tricks(results: Sequence[MethodResult]) -> Section | None:
    """Compare methods with the two-layer CNN, or without one with the first method; None if none differs in tricks."""
    tested = [result for result in results if result.on_fashion_mnist and result.accuracy is not None]
    baseline = find_result(tested, CNN) or next(iter(tested), None)
    rows = [row for result in tested if baseline and (row := _compare_methods(result, baseline))]
    return {"baseline": baseline.name, "rows": rows} if baseline and rows else None


def _compare_methods(result: MethodResult, baseline: MethodResult) -> list[str]:
    """Return changed settings, differences of mean accuracy and loss, both n and the number of common seeds.

    Methods that differ in no trick, or in anything else, give an empty list.
    """
    changes = setting_differences(baseline, result)
    if not changes or not all(key.startswith(TRICK_SETTINGS) for key in changes):
        return []
    text = ", ".join(f"{key} {before} → {after}" for key, (before, after) in changes.items())
    accuracy, loss = (result.accuracy or 0) - (baseline.accuracy or 0), (result.loss or 0) - (baseline.loss or 0)
    pairs = len(accuracy_differences(result, baseline))
    return [text, f"{100 * accuracy:+.2f}", f"{loss:+.4f}", f"{result.n} / {baseline.n}", str(pairs)]


def _describe_optimizer(result: MethodResult, texts: Texts) -> str:
    optimizer = result.recipe.optimizer
    if is_factory(optimizer.name):
        return optimizer.name
    name = {"sgd": "SGD", "muon": "Muon", "adamw": "AdamW", "lbfgs": "L-BFGS"}[optimizer.name]
    is_nesterov = optimizer.nesterov and optimizer.name != "adamw"
    kind = texts.get("training.nesterov" if is_nesterov else "training.momentum")
    return f"{name}, {kind} {optimizer.momentum}" if optimizer.momentum else name


def _describe_schedule(result: MethodResult, texts: Texts) -> str:
    schedule = result.recipe.schedule
    if is_factory(schedule.name):
        return schedule.name
    values = {"factor": schedule.factor, "patience": schedule.patience, "warmup": f"{schedule.warmup_fraction:.0%}"}
    return texts.get(f"training.{schedule.name}", **values)


def _describe_early_stopping(result: MethodResult, texts: Texts) -> str:
    options = result.recipe.early_stopping
    key = "training.monitor" if options.patience else "training.no_early_stopping"
    return texts.get(key, patience=options.patience, monitor=texts.translate(options.monitor))


def _describe_loss(result: MethodResult, texts: Texts) -> str:
    if result.recipe.distillation.teachers:
        return texts.get("training.distillation")
    if is_factory(result.recipe.loss.name):
        return result.recipe.loss.name
    return texts.get("training.smoothing" if result.recipe.optimizer.label_smoothing else "training.cross_entropy")


def _describe_seconds(result: MethodResult, texts: Texts) -> str:
    seconds, teachers = f"{result.seconds:,.0f}", result.recipe.distillation.teachers
    return texts.get("training.with_teachers", seconds=seconds) if teachers else seconds


def _count_teachers(result: MethodResult) -> int:
    """Count the teachers: of a run those that were used, which may be fewer than its recipe names."""
    return len(result.info.teachers if result.run else result.recipe.distillation.teachers)


SETTINGS: dict[str, Callable[[MethodResult, Texts], object]] = {
    "network": lambda result, _: result.network,
    "weights": lambda result, texts: result.recipe.model.weights or texts.get("training.random_weights"),
    "loss": _describe_loss,
    "optimizer": _describe_optimizer,
    "lr": lambda result, _: result.recipe.optimizer.lr,
    "batch_size": lambda result, _: result.recipe.optimizer.batch_size,
    "weight_decay": lambda result, _: result.recipe.optimizer.weight_decay,
    "schedule": _describe_schedule,
    "early_stopping": _describe_early_stopping,
    "max_epochs": lambda result, _: result.recipe.schedule.epochs,
    "epochs": lambda result, _: f"{result.epochs:.3g}",
    "best_epoch": lambda result, _: result.best_epoch or "-",
    "seconds": _describe_seconds,
    "precision": lambda result, _: ", ".join(result.precisions) or "-",
    "hardware": lambda result, _: result.hardware or "-",
    "seed": lambda result, _: ", ".join(str(each.seed) for each in result.run_results),
}
"""Rows of the table of settings, by the key of their text."""

TRICKS: dict[str, Callable[[MethodResult], object]] = {
    "batch_norm": lambda result: "✓" if result.network in ("cnn", "resnet18", "residual") else "?",
    "xavier": lambda result: "✓" if result.recipe.model.init == "xavier" else "-",
    "dropout": lambda result: (result.recipe.model.dropout or "-") if result.network == "cnn" else "-",
    "flip": lambda result: "✓" if result.recipe.augmentation.horizontal_flip else "-",
    "crop": lambda result: result.recipe.augmentation.random_crop_padding or "-",
    "erase": lambda result: result.recipe.augmentation.random_erasing_prob or "-",
    "mixup": lambda result: result.recipe.augmentation.mixup_prob or "-",
    "teachers": lambda result: _count_teachers(result) or "-",
    "ema": lambda result: result.recipe.optimizer.ema_decay or "-",
    "skip_easy": lambda result: result.recipe.schedule.skip_easy_fraction or "-",
}
"""Rows of the table of tricks, by the key of their text."""
