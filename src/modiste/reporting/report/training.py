"""The sections on how the methods were trained, and on the tricks that they use."""

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence

from markupsafe import Markup

from modiste.metrics import significance
from modiste.recipes import settings
from modiste.recipes.ranges import is_factory
from modiste.recipes.recipe import Recipe
from modiste.reporting.difference_figure import plot_differences
from modiste.reporting.report.document import (
    Block,
    Figure,
    Formula,
    Heading,
    Paragraph,
    Section,
    Source,
    Table,
    tables_by_method,
)
from modiste.reporting.report.texts import Texts, read_text
from modiste.reporting.report_data import CNN, ReportData, find_result
from modiste.reporting.results_table import (
    NOT_OF_THE_METHOD,
    MethodResult,
    has_same_precision,
    setting_differences,
)

WITH_ROW = {
    "data.source", "data.sampling", "model.name", "model.weights", "model.init", "model.dropout", "loss.name",
    "loss.class_weights", "optimizer.name", "optimizer.lr", "optimizer.batch_size", "optimizer.weight_decay",
    "optimizer.momentum", "optimizer.nesterov", "optimizer.label_smoothing", "optimizer.ema_decay", "schedule.name",
    "schedule.epochs", "schedule.factor", "schedule.patience", "schedule.warmup_fraction",
    "schedule.skip_easy_fraction", "early_stopping.monitor", "early_stopping.patience",
    "augmentation.horizontal_flip", "augmentation.random_crop_padding", "augmentation.random_erasing_prob",
    "augmentation.mixup_prob", "distillation.teachers",
}  # fmt: skip
"""Settings that rows of the tables of settings and tricks state; another row lists all others."""

TRICK_SETTINGS = ("augmentation.", "model.init", "model.dropout")
"""Beginnings of the settings that belong to tricks."""

Values = Sequence[object]


def describe_training(data: ReportData, texts: Texts) -> Section:
    """Return the settings of each method, the cross-validations, and the formulas of losses and optimizers."""
    rows = _used_rows(
        "training", {key: [value(r, texts) for r in data.methods] for key, value in SETTINGS.items()}, texts
    )
    head = [texts.get("training.setting"), *(result.name for result in data.methods)]
    blocks: list[Block] = [
        Paragraph(texts.get("training.about")),
        *tables_by_method("tab-settings", texts.get("training.caption"), head, rows, texts.get("page.continued")),
        *_describe_cross_validations(data.pooled, texts),
        *_list_formulas(data.methods, texts),
    ]
    return texts.section("training", blocks)


def _describe_cross_validations(results: Sequence[MethodResult], texts: Texts) -> list[Block]:
    """Return a paragraph for each result over folds."""
    return [
        Paragraph(
            texts.get(
                "training.cross_validation", name=r.name, n=r.n, images=f"{r.images:,}", accuracy=f"{r.accuracy:.2%}"
            )
        )
        for r in results
        if r.split == "validation" and r.unit == "folds"
    ]


def _list_formulas(methods: Sequence[MethodResult], texts: Texts) -> list[Block]:
    """Return the formulas of the losses and optimizers that the methods use."""
    formulas = tomllib.loads(read_text("formulas.toml"))
    losses, optimizers = ([getattr(method.recipe, each) for method in methods] for each in ("loss", "optimizer"))
    descent = [each for each in optimizers if each.name in ("sgd", "muon") and each.momentum]
    is_cross_entropy = any(loss.name == "cross_entropy" for loss in losses)
    is_muon, is_adamw = (any(each.name == name for each in optimizers) for name in ("muon", "adamw"))
    is_nesterov = any(each.nesterov for each in descent)
    is_used = {
        "cross_entropy": is_cross_entropy,
        "smoothing": is_cross_entropy and any(each.label_smoothing for each in optimizers),
        "class_weights": any(loss.class_weights for loss in losses),
        "momentum": bool(descent),
        "nesterov": is_nesterov,
        "pytorch": is_nesterov,
        **dict.fromkeys(("muon", "newton_schulz", "muon_step"), is_muon),
        **dict.fromkeys(("adamw", "adamw_step"), is_adamw),
    }
    blocks: list[Block] = [Heading(texts.get("training.formulas"))] if any(is_used.values()) else []
    for key in (key for key, used in is_used.items() if used):
        blocks += [Paragraph(texts.get(f"training.{key}_formula")), Formula(formulas[key])]
        blocks += [Paragraph(texts.get("training.two_forms"))] if key == "pytorch" else []
    return blocks


def describe_tricks(data: ReportData, texts: Texts) -> Section:
    """Describe the tricks that the methods use, and the measured effect of each."""
    values = {key: [texts.translate(str(value(result))) for result in data.methods] for key, value in TRICKS.items()}
    rows = _used_rows("tricks", values, texts)
    used = [key for key in TRICKS if not _is_unused(values[key])]
    about = [Markup(" ").join(texts.get(f"tricks.{key}_about") for key in used)] if used else []
    head = [texts.get("tricks.trick"), *(result.name for result in data.methods)]
    tables = tables_by_method("tab-tricks", texts.get("tricks.caption"), head, rows, texts.get("page.continued"))
    effects = [*compare_tricks(data.pooled, "own", texts), *_plot_ablations(data, texts)]
    return texts.section("tricks", [*map(Paragraph, about), *(tables if used else []), *effects])


def _plot_ablations(data: ReportData, texts: Texts) -> list[Block]:
    """Return the figure of each ablation of the user."""
    return [
        Figure(
            f"fig-ablation-{index}",
            texts.get(
                "tricks.ablation_caption",
                name=ablation.name,
                n=ablation.unchanged.n,
                split=texts.get(f"results.{ablation.unchanged.split}"),
            ),
            plot_differences(ablation.differences),
        )
        for index, ablation in enumerate(data.own_experiments, start=1)
        if ablation.differences
    ]


def _used_rows(section: str, values: Mapping[str, Values], texts: Texts) -> list[Values]:
    """Return a row with its title for each key, without those that say nothing about any method."""
    return [[texts.get(f"{section}.{key}"), *row] for key, row in values.items() if not _is_unused(row)]


def _is_unused(row: Values) -> bool:
    return all(value in ("-", "?") for value in row)


def compare_tricks(results: Sequence[MethodResult], source: Source, texts: Texts) -> list[Block]:
    """Return the differences of methods to the two-layer CNN, or without one to the first; nothing without any."""
    tested = [result for result in results if result.on_fashion_mnist and result.accuracy is not None]
    baseline = find_result(tested, CNN) or next(iter(tested), None)
    rows = [row for result in tested if baseline and (row := _compare_methods(result, baseline, texts))]
    if not rows or not baseline:
        return []
    caption = texts.get(f"tricks.effect_{source}", name=baseline.name)
    head = texts.titles("tricks", "change points interval loss n")
    return [Table(f"tab-effects-{source}", caption, head, [(source, row) for row in rows], "lrrrr")]


def _compare_methods(result: MethodResult, baseline: MethodResult, texts: Texts) -> list[object]:
    """Return changed settings, the difference of mean accuracy with its interval, that of mean loss, and both n.

    Methods that differ in no trick, or in anything else, give an empty list.
    """
    changes = setting_differences(baseline, result)
    is_trick = changes and all(key.startswith(TRICK_SETTINGS) for key in changes)
    if not is_trick or not has_same_precision(result, baseline):
        return []
    text = ", ".join(f"{key} {before} → {after}" for key, (before, after) in changes.items())
    accuracy, loss = (result.accuracy or 0) - (baseline.accuracy or 0), (result.loss or 0) - (baseline.loss or 0)
    comparison = significance.compare_runs(result.by_seed(), baseline.by_seed(), result.unit)
    interval = texts.interval(comparison.interval, comparison.is_approximate) if comparison else "-"
    return [text, f"{100 * accuracy:+.2f}", interval, f"{loss:+.4f}", f"{result.n} / {baseline.n}"]


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
    smoothing = result.recipe.optimizer.label_smoothing
    return texts.get("training.smoothing", value=smoothing) if smoothing else texts.get("training.cross_entropy")


def _describe_class_weights(result: MethodResult) -> str:
    weights = result.recipe.loss.class_weights
    return weights if isinstance(weights, str) and weights else ", ".join(f"{each:g}" for each in weights) or "-"


def _list_other_settings(result: MethodResult) -> str:
    """List the settings without a row of their own that differ from their defaults, and the options of factories."""
    values, defaults = settings.to_settings(result.recipe), settings.to_settings(Recipe())
    changed: dict[str, object] = {}
    for key, value in values.items():
        if key.endswith(".options"):
            changed |= {f"{key}.{name}": option for name, option in value.items()}
        elif key not in WITH_ROW | NOT_OF_THE_METHOD and value != defaults[key]:
            changed[key] = value
    return ", ".join(f"{key}={_format_value(value)}" for key, value in changed.items()) or "-"


def _format_value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _is_sampled(result: MethodResult) -> bool:
    return result.recipe.data.sampling == "balanced"


def _is_built_in(result: MethodResult) -> bool:
    return result.network in ("cnn", "resnet18", "residual")


def _has_batch_norm(result: MethodResult) -> str:
    return "?" if not _is_built_in(result) else "yes" if result.recipe.model.norm_layer == "batch_norm" else "-"


def _describe_seconds(result: MethodResult, texts: Texts) -> str:
    seconds, teachers = f"{result.seconds:,.0f}", result.recipe.distillation.teachers
    return texts.get("training.with_teachers", seconds=seconds) if teachers else seconds


def _count_teachers(result: MethodResult) -> int:
    """Count the teachers: of a run those that were used, which may be fewer than its recipe names."""
    return len(result.info.teachers or result.recipe.distillation.teachers)


SETTINGS: dict[str, Callable[[MethodResult, Texts], object]] = {
    "network": lambda result, _: result.network,
    "weights": lambda result, texts: result.recipe.model.weights or texts.get("training.random_weights"),
    "loss": _describe_loss,
    "optimizer": _describe_optimizer,
    "lr": lambda result, _: result.recipe.optimizer.lr,
    "batch_size": lambda result, _: result.recipe.optimizer.batch_size,
    "weight_decay": lambda result, _: result.recipe.optimizer.weight_decay,
    "class_weights": lambda result, _: _describe_class_weights(result),
    "sampling": lambda result, texts: texts.get("training.balanced") if _is_sampled(result) else "-",
    "schedule": _describe_schedule,
    "early_stopping": _describe_early_stopping,
    "max_epochs": lambda result, _: result.recipe.schedule.epochs,
    "epochs": lambda result, _: f"{result.epochs:.3g}",
    "best_epoch": lambda result, _: ", ".join(str(r.best_epoch) for r in result.run_results if r.best_epoch) or "-",
    "seconds": _describe_seconds,
    "precision": lambda result, _: ", ".join(result.precisions) or "-",
    "hardware": lambda result, _: result.hardware or "-",
    "seed": lambda result, _: ", ".join(str(each.seed) for each in result.run_results),
    "other": lambda result, _: _list_other_settings(result),
}
"""Rows of the table of settings, by the key of their text."""

TRICKS: dict[str, Callable[[MethodResult], object]] = {
    "batch_norm": _has_batch_norm,
    "xavier": lambda result: "yes" if _is_built_in(result) and result.recipe.model.init == "xavier" else "-",
    "dropout": lambda result: (result.recipe.model.dropout or "-") if result.network == "cnn" else "-",
    "flip": lambda result: "yes" if result.recipe.augmentation.horizontal_flip else "-",
    "crop": lambda result: result.recipe.augmentation.random_crop_padding or "-",
    "erase": lambda result: result.recipe.augmentation.random_erasing_prob or "-",
    "mixup": lambda result: result.recipe.augmentation.mixup_prob or "-",
    "teachers": lambda result: _count_teachers(result) or "-",
    "ema": lambda result: result.recipe.optimizer.ema_decay or "-",
    "skip_easy": lambda result: result.recipe.schedule.skip_easy_fraction or "-",
}
"""Rows of the table of tricks, by the key of their text."""
