"""The tricks of a recipe, each as the change of settings that takes it out, or in."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from modiste.errors import SettingError
from modiste.recipes import settings
from modiste.recipes.recipe import Recipe, Settings


@dataclass(frozen=True, slots=True)
class Row:
    """A change of a recipe: the name of its row in a table, and the settings that differ."""

    name: str
    settings: Settings


Change = tuple[str, Settings, Callable[[Recipe], bool]]  # name, settings, whether the recipe has what is changed

SGD_RATES = (0.05, 0.1, 0.2, 0.4)
"""In place of Muon, whose learning rate is not comparable."""

DROPOUT_NETWORKS = ("cnn", "efficientnet_lite1")

OPTIMIZATION: tuple[Change, ...] = (
    ("without momentum", {"optimizer.momentum": 0.0, "optimizer.nesterov": False}, lambda r: r.optimizer.name == "sgd"),
    ("without Nesterov momentum", {"optimizer.nesterov": False}, lambda r: r.optimizer.name == "sgd"),
    *(
        (
            f"SGD instead of Muon, learning rate {rate}",
            {"optimizer.name": "sgd", "optimizer.lr": rate, "optimizer.momentum": 0.9},
            lambda r: r.optimizer.name == "muon",
        )
        for rate in SGD_RATES
    ),
    ("constant learning rate", {"schedule.name": "constant"}, lambda r: r.schedule.name != "constant"),
    ("without warm-up", {"schedule.warmup_fraction": 0.0}, lambda r: r.schedule.name == "one_cycle"),
    ("without early stopping", {"early_stopping.patience": 0}, lambda r: True),
    ("without weight decay", {"optimizer.weight_decay": 0.0}, lambda r: True),
    ("without label smoothing", {"optimizer.label_smoothing": 0.0}, lambda r: True),
    ("without averaged weights", {"optimizer.ema_decay": 0.0, "optimizer.initial_weight": 0.0}, lambda r: True),
    ("the same learning rate for the head", {"optimizer.head_lr_mult": 1.0}, lambda r: True),
    ("the same learning rate for norms and biases", {"optimizer.norm_bias_lr_mult": 1.0}, lambda r: True),
    ("without skipping easy images", {"schedule.skip_easy_fraction": 0.0}, lambda r: True),
    ("without distillation", {"distillation.teachers": []}, lambda r: True),
)

NETWORK: tuple[Change, ...] = (
    ("without Xavier initialization", {"model.init": "default"}, lambda r: not r.model.weights),
    ("without ImageNet weights", {"model.weights": ""}, lambda r: r.model.weights == "imagenet"),
    ("without batch norm", {"model.norm_layer": "none"}, lambda r: r.model.norm_layer == "batch_norm"),
    ("group norm instead of batch norm", {"model.norm_layer": "group_norm"}, lambda r: r.model.name == "resnet18"),
    ("3 x 3 stem without pooling", {"model.stem_type": "cifar"}, lambda r: True),
    ("7 x 7 stem with pooling", {"model.stem_type": "imagenet"}, lambda r: True),
    ("without dropout", {"model.dropout": 0.0}, lambda r: r.model.name in DROPOUT_NETWORKS),
    ("without stochastic depth", {"model.drop_path_rate": 0.0}, lambda r: True),
)

AUGMENTATION: tuple[Change, ...] = (
    ("without horizontal flips", {"augmentation.horizontal_flip": False}, lambda r: True),
    ("with horizontal flips", {"augmentation.horizontal_flip": True}, lambda r: True),
    ("without random crops", {"augmentation.random_crop_padding": 0}, lambda r: True),
    *(
        (
            f"with random crops (padding {padding})",
            {"augmentation.random_crop_padding": padding},
            lambda r: r.augmentation.random_crop_padding == 0,
        )
        for padding in (1, 4)
    ),
    ("without random erasing", {"augmentation.random_erasing_prob": 0.0}, lambda r: True),
    (
        "with random erasing (probability 0.5)",
        {"augmentation.random_erasing_prob": 0.5},
        lambda r: r.augmentation.random_erasing_prob == 0,
    ),
    ("without mixup", {"augmentation.mixup_prob": 0.0}, lambda r: True),
)


def parse_rows(texts: Sequence[str]) -> tuple[Row, ...]:
    """Parse `KEY=VALUE`, a row of that name, and `NAME=KEY=VALUE`, which may be repeated for more settings of a row.

    Raises:
        SettingError: there is no such setting.
    """
    rows: dict[str, Settings] = {}
    for text in texts:
        name, _, setting = text.partition("=")
        has_name = name not in settings.to_settings(Recipe()) and "=" in setting
        key, value = settings.parse_setting(setting if has_name else text)
        rows.setdefault(name if has_name else text, {})[key] = value
    return tuple(Row(name, change) for name, change in rows.items())


def find_rows(recipe: Recipe) -> tuple[Row, ...]:
    """Return each trick of the recipe taken out, usual ones taken in, and other learning rates.

    A change that is not allowed beside the other settings, or that changes nothing, is left out.
    """
    changes = [*_learning_rates(recipe), *OPTIMIZATION, *NETWORK, *AUGMENTATION]
    return tuple(Row(name, change) for name, change, applies in changes if applies(recipe) and _changes(recipe, change))


def _learning_rates(recipe: Recipe) -> Iterator[Change]:
    lr, momentum = recipe.optimizer.lr, recipe.optimizer.momentum
    for name, rate in (("a third of the learning rate", lr / 3), ("three times the learning rate", 3 * lr)):
        yield name, {"optimizer.lr": float(f"{rate:.3g}")}, lambda r: True
    if momentum:  # a step of SGD with momentum m is in the long run that of a rate 1 / (1 - m) times as high
        rate = float(f"{lr / (1 - momentum):.3g}")
        change = {"optimizer.lr": rate, "optimizer.momentum": 0.0, "optimizer.nesterov": False}
        yield f"without momentum, learning rate {rate:g}", change, lambda r: r.optimizer.name == "sgd"


def _changes(recipe: Recipe, change: Settings) -> bool:
    try:
        return settings.with_settings(recipe, change) != recipe
    except SettingError:
        return False
