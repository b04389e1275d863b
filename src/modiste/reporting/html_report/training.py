"""How it was trained: the settings of each method, and the formulas behind them."""

import tomllib
from collections.abc import Callable, Iterator
from typing import Any

from modiste.reporting.claims import paired
from modiste.reporting.html_report.html import Html, join, table, tag
from modiste.reporting.html_report.texts import Texts, beside
from modiste.reporting.report_data import ReportData
from modiste.reporting.results_table import MethodResult, setting_differences
from modiste.runs import run_info


def section(study: ReportData, say: Texts) -> Html:
    """A column a method, then cross-entropy, momentum and Nesterov momentum."""
    entries = study.shown() or list(study.given)
    head = [say("training.setting"), *(entry.name for entry in entries)]
    rows = [[say(f"training.{key}"), *(tell(entry, say) for entry in entries)] for key, tell in ROWS.items()]
    formulas = {key: Html(text) for key, text in tomllib.loads(beside("formulas.toml")).items()}
    return join([say("training.about"), table(head, rows), _folds(study, say), say("training.formulas", **formulas)])


def _folds(study: ReportData, say: Texts) -> Html:
    """A sentence for each cross-validation: every fold held out in turn, judged on it."""
    return join(
        say("training.folds", name=entry.name, n=entry.n, accuracy=f"{entry.accuracy:.2%}", images=f"{entry.images:,}")
        for entry in study.everything()
        if entry.split == "validation" and entry.n > 1
    )


def tricks(study: ReportData, say: Texts) -> Html:
    """What each trick is, where it is on, and what it was worth where that was measured."""
    entries = study.shown() or list(study.given)
    head = [say("tricks.trick"), *(entry.name for entry in entries)]
    rows = [[say(f"tricks.{key}"), *(tell(entry) for entry in entries)] for key, tell in TRICKS.items()]
    return join([say("tricks.about"), table(head, rows), tag("h3", say("tricks.worth")), _worth(study, say)])


def _worth(study: ReportData, say: Texts) -> Html:
    """Differences in test accuracy and loss between methods of one network that differ in a trick."""
    base = study.measured("classic-cnn") or next((e for e in study.given if e.on_fashion_mnist), None)
    rows = list(_gaps(base, study)) if base else []
    if not base or not rows:
        return tag("p", say("tricks.none"), class_="missing")
    head = [say(f"tricks.{key}") for key in ("change", "points", "loss", "n", "pairs")]
    return join([say("tricks.base", name=base.name), table(head, rows, kind="figures")])


def _gaps(base: MethodResult, study: ReportData) -> Iterator[list[Any]]:
    """A row for each method that differs from the base in nothing but tricks."""
    for entry in study.everything():
        changed = setting_differences(base, entry) if entry.on_fashion_mnist else {}
        if changed and all(key.startswith(("augmentation.", "network.init", "network.drop")) for key in changed):
            what = ", ".join(f"{key} {before} → {after}" for key, (before, after) in changed.items())
            gap, loss = (entry.accuracy or 0) - (base.accuracy or 0), (entry.loss or 0) - (base.loss or 0)
            yield [what, f"{100 * gap:+.2f}", f"{loss:+.4f}", f"{entry.n} / {base.n}", len(paired(entry, base))]


def _optimizer(entry: MethodResult, say: Texts) -> str:
    options = entry.recipe.optimizer
    name = {"sgd": "SGD", "muon": "Muon"}[options.name]
    kind = say("training.nesterov") if options.nesterov else say("training.momentum")
    return f"{name}, {kind} {options.momentum}" if options.momentum else name


def _schedule(entry: MethodResult, say: Texts) -> Html:
    options = entry.recipe.schedule
    if options.name == "reduce_on_plateau":
        return say("training.plateau", factor=options.factor, patience=options.patience)
    if options.name == "one_cycle":
        return say("training.triangle", warmup=f"{options.warmup_fraction:.0%}")
    return say("training.constant")


def _stopping(entry: MethodResult, say: Texts) -> Html:
    options = entry.recipe.early_stopping
    key = "early" if options.patience else "no_stopping"
    return say(f"training.{key}", patience=options.patience, monitor=say.word(options.monitor))


def _loss(entry: MethodResult) -> str:
    if entry.recipe.distillation.teachers:
        return "taught"
    return "smoothed" if entry.recipe.optimizer.label_smoothing else "plain"


def _seconds(entry: MethodResult, say: Texts) -> str:
    seconds, taught = f"{entry.seconds:,.0f}", entry.recipe.distillation.teachers
    return str(say("training.with_teachers", seconds=seconds)) if taught else seconds


def _teachers(entry: MethodResult) -> int:
    """How many there were: of a run those that it asked, which may be fewer than its recipe names."""
    return len(run_info.read(entry.run).teachers if entry.run else entry.recipe.distillation.teachers)


ROWS: dict[str, Callable[[MethodResult, Texts], Any]] = {
    "network": lambda entry, say: entry.network,
    "weights": lambda entry, say: entry.recipe.model.weights or say("training.scratch"),
    "loss": lambda entry, say: say(f"training.{_loss(entry)}"),
    "optimizer": _optimizer,
    "lr": lambda entry, say: entry.recipe.optimizer.lr,
    "batch": lambda entry, say: entry.recipe.optimizer.batch_size,
    "decay": lambda entry, say: entry.recipe.optimizer.weight_decay,
    "schedule": _schedule,
    "stopping": _stopping,
    "most": lambda entry, say: entry.recipe.schedule.epochs,
    "epochs": lambda entry, say: f"{entry.epochs:.3g}",
    "kept": lambda entry, say: entry.best_epoch or "-",
    "seconds": _seconds,
    "hardware": lambda entry, say: entry.hardware or "-",
    "seed": lambda entry, say: ", ".join(str(outcome.seed) for outcome in entry.run_results),
}


TRICKS: dict[str, Callable[[MethodResult], Any]] = {
    "bn": lambda entry: "✓" if entry.network in ("cnn", "resnet18", "residual") else "?",
    "xavier": lambda entry: "✓" if entry.recipe.model.init == "xavier" else "-",
    "dropout": lambda entry: (entry.recipe.model.dropout or "-") if entry.network == "cnn" else "-",
    "flip": lambda entry: "✓" if entry.recipe.augmentation.horizontal_flip else "-",
    "crop": lambda entry: entry.recipe.augmentation.random_crop_padding or "-",
    "erasing": lambda entry: entry.recipe.augmentation.random_erasing_prob or "-",
    "mixing": lambda entry: entry.recipe.augmentation.mixup_prob or "-",
    "teachers": lambda entry: _teachers(entry) or "-",
    "average": lambda entry: entry.recipe.optimizer.ema_decay or "-",
    "drop": lambda entry: entry.recipe.schedule.skip_easy_fraction or "-",
}
