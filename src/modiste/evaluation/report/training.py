"""How it was trained: the settings of each method, and the formulas behind them."""

import tomllib
from collections.abc import Callable
from typing import Any

from modiste.evaluation import facts
from modiste.evaluation.claims import paired
from modiste.evaluation.entries import Entry, differences
from modiste.evaluation.report.html import Html, join, table, tag
from modiste.evaluation.report.texts import Texts, beside
from modiste.evaluation.study import Study


def section(study: Study, say: Texts) -> Html:
    """A column a method, then cross-entropy, momentum and Nesterov momentum."""
    entries = study.shown() or list(study.given)
    head = [say("training.setting"), *(entry.name for entry in entries)]
    rows = [[say(f"training.{key}"), *(tell(entry, say) for entry in entries)] for key, tell in ROWS.items()]
    formulas = {key: Html(text) for key, text in tomllib.loads(beside("formulas.toml")).items()}
    return join([say("training.about"), table(head, rows), _folds(study, say), say("training.formulas", **formulas)])


def _folds(study: Study, say: Texts) -> Html:
    """A sentence for each cross-validation: every fold held out in turn, judged on it."""
    return join(
        say("training.folds", name=entry.name, n=entry.n, accuracy=f"{entry.accuracy:.2%}", images=f"{entry.images:,}")
        for entry in study.everything()
        if entry.split == "validation" and entry.n > 1
    )


def tricks(study: Study, say: Texts) -> Html:
    """What each trick is, where it is on, and what it was worth where that was measured."""
    entries = study.shown() or list(study.given)
    head = [say("tricks.trick"), *(entry.name for entry in entries)]
    rows = [[say(f"tricks.{key}"), *(tell(entry) for entry in entries)] for key, tell in TRICKS.items()]
    return join([say("tricks.about"), table(head, rows), tag("h3", say("tricks.worth")), _worth(study, say)])


def _worth(study: Study, say: Texts) -> Html:
    """Differences in test accuracy and loss between methods of one network that differ in a trick."""
    base = study.measured("classic-cnn") or next((e for e in study.given if e.on_fashion_mnist), None)
    rows = []
    for entry in study.everything() if base else []:
        changed = differences(base, entry) if base and entry.on_fashion_mnist else {}
        if (
            base
            and changed
            and all(key.startswith(("augmentation.", "network.init", "network.drop")) for key in changed)
        ):
            what = ", ".join(f"{key} {before} → {after}" for key, (before, after) in changed.items())
            gap, loss = (entry.accuracy or 0) - (base.accuracy or 0), (entry.loss or 0) - (base.loss or 0)
            rows.append([what, f"{100 * gap:+.2f}", f"{loss:+.4f}", f"{entry.n} / {base.n}", len(paired(entry, base))])
    if not rows:
        return tag("p", say("tricks.none"), class_="missing")
    head = [say(f"tricks.{key}") for key in ("change", "points", "loss", "n", "pairs")]
    return join([say("tricks.base", name=base.name if base else ""), table(head, rows, kind="figures")])


def _optimizer(entry: Entry, say: Texts) -> str:
    known = entry.settings
    momentum = known.get("optimizer.momentum", 0)
    name = {"sgd": "SGD", "muon": "Muon"}.get(str(known.get("optimizer.name")), "-")
    kind = say("training.nesterov") if known.get("optimizer.nesterov") else say("training.momentum")
    return f"{name}, {kind} {momentum}" if momentum else name


def _schedule(entry: Entry, say: Texts) -> Html | str:
    known = entry.settings
    name = known.get("schedule.name")
    if name == "plateau":
        return say(
            "training.plateau", factor=known.get("schedule.factor", "-"), patience=known.get("schedule.patience", "-")
        )
    if name == "triangle":
        return say("training.triangle", warmup=f"{known.get('schedule.warmup', 0):.0%}")
    return say("training.constant")


def _stopping(entry: Entry, say: Texts) -> Html:
    patience = entry.settings.get("stopping.patience", 0)
    key = "early" if patience else "no_stopping"
    return say(f"training.{key}", patience=patience, monitor=say.word(str(entry.settings.get("stopping.monitor", ""))))


def _loss(entry: Entry) -> str:
    if entry.settings.get("distillation.teachers"):
        return "taught"
    return "smoothed" if entry.settings.get("optimizer.smoothing") else "plain"


def _seconds(entry: Entry, say: Texts) -> str:
    taught = entry.settings.get("distillation.teachers")
    return str(say("training.with_teachers", seconds=f"{entry.seconds:,.0f}")) if taught else f"{entry.seconds:,.0f}"


def _teachers(entry: Entry) -> int:
    """How many there were: of a run those that it asked, which may be fewer than its recipe names."""
    asked = facts.read(entry.run).teachers if entry.run else entry.settings.get("distillation.teachers", ())
    return len(asked)


def _setting(key: str) -> Callable[[Entry, Texts], Any]:
    return lambda entry, say: entry.settings.get(key, "-")


ROWS: dict[str, Callable[[Entry, Texts], Any]] = {
    "network": _setting("network.name"),
    "weights": lambda entry, say: entry.settings.get("network.weights") or say("training.scratch"),
    "loss": lambda entry, say: say(f"training.{_loss(entry)}"),
    "optimizer": _optimizer,
    "lr": _setting("optimizer.lr"),
    "batch": _setting("optimizer.batch"),
    "decay": _setting("optimizer.weight_decay"),
    "schedule": _schedule,
    "stopping": _stopping,
    "most": _setting("schedule.epochs"),
    "epochs": lambda entry, say: f"{entry.epochs:.3g}",
    "kept": lambda entry, say: entry.kept or "-",
    "seconds": _seconds,
    "hardware": lambda entry, say: entry.hardware or "-",
    "seed": lambda entry, say: ", ".join(str(outcome.seed) for outcome in entry.outcomes),
}


def _on(key: str) -> Callable[[Entry], str]:
    return lambda entry: "✓" if entry.settings.get(key) else "-"


TRICKS: dict[str, Callable[[Entry], Any]] = {
    "bn": lambda entry: "✓" if entry.network in ("cnn", "resnet18", "residual") else "?",
    "xavier": lambda entry: "✓" if entry.settings.get("network.initialisation") == "xavier" else "-",
    "dropout": lambda entry: (entry.settings.get("network.dropout") or "-") if entry.network == "cnn" else "-",
    "flip": _on("augmentation.flip"),
    "crop": lambda entry: entry.settings.get("augmentation.crop") or "-",
    "erasing": lambda entry: entry.settings.get("augmentation.erasing") or "-",
    "mixing": lambda entry: entry.settings.get("augmentation.mixing") or "-",
    "teachers": lambda entry: _teachers(entry) or "-",
    "average": lambda entry: entry.settings.get("optimizer.average") or "-",
    "drop": lambda entry: entry.settings.get("schedule.drop") or "-",
}
