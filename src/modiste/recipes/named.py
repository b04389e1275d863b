"""The named recipes: plain functions, one each. Add a recipe here rather than a flag elsewhere."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from modiste.errors import SettingError
from modiste.recipes import settings
from modiste.recipes.recipe import (
    AugmentationConfig,
    DataConfig,
    DistillationConfig,
    EarlyStoppingConfig,
    ModelConfig,
    OptimizerConfig,
    Recipe,
    ScheduleConfig,
)

ABOUT = "The course report's method; patience, dropout rate and plateau patience are ours, chosen on validation."


def classic_cnn() -> Recipe:
    """The course report's two-layer CNN, 16.8 M parameters."""
    return Recipe(
        name="classic-cnn",
        description=ABOUT,
        data=DataConfig(val_fraction=0.2),
        model=ModelConfig(name="cnn", init="xavier", dropout=0.5),
        augmentation=AugmentationConfig(horizontal_flip=True, random_crop_padding=0, random_erasing_prob=0.0),
        optimizer=OptimizerConfig(name="sgd", lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.0, batch_size=256),
        schedule=ScheduleConfig(name="reduce_on_plateau", epochs=40, factor=0.1, patience=3),
        early_stopping=EarlyStoppingConfig(monitor="val_accuracy", patience=6),
    )


def classic_resnet18() -> Recipe:
    """The course report's ResNet-18, from scratch; `--set model.weights=imagenet` starts from ImageNet's."""
    cnn = classic_cnn()
    return replace(
        cnn,
        name="classic-resnet18",
        description=f"{ABOUT} So is the weight decay, which the report has at 0: without it validation stays at 92.2 %.",
        model=ModelConfig(name="resnet18"),
        # rate times decay sets the pace of a network with batch norm: this is the usual 0.0005 at a rate of 0.1
        optimizer=replace(cnn.optimizer, weight_decay=0.005),
        # at the first rate the accuracy goes up and down for longer than the CNN's patience
        early_stopping=replace(cnn.early_stopping, patience=10),
    )


def sprint() -> Recipe:
    """A small residual network, trained on what it finds hardest: 12 to 25 seconds on two cores."""
    return Recipe(
        name="sprint",
        description="A small residual network, nothing held out, last epoch; all numbers are ours.",
        data=DataConfig(val_fraction=0.0),
        # 24 channels reach as much in fewer epochs, but not in less time
        model=ModelConfig(name="residual", width=16, init="default"),
        augmentation=AugmentationConfig(horizontal_flip=True),  # shifts help only a longer training
        # rates of 0.07 and 0.14 and batches of 256 and 400 were no better, nor was a higher rate for the head or for
        # batch norm; without smoothing the loss is lower, but so is the accuracy
        optimizer=OptimizerConfig(
            name="muon",
            lr=0.1,
            head_lr_mult=0.1,
            norm_bias_lr_mult=0.8,
            momentum=0.85,
            batch_size=320,
            label_smoothing=0.1,
        ),
        # a third of the images have nearly all that is left to learn after the first epoch
        schedule=ScheduleConfig(name="one_cycle", epochs=5, warmup_fraction=0.2, skip_easy_fraction=0.68),
    )


def sprint_94() -> Recipe:
    """`sprint` to 94 %: a stem that sees the full size, shifts of a pixel, more epochs."""
    short = sprint()
    return replace(
        short,
        name="sprint-94",
        model=replace(short.model, stem_width=16),  # 24 channels without a stem come to less in the same time
        augmentation=replace(short.augmentation, random_crop_padding=1),  # 2 pixels are too much for so few epochs
        schedule=replace(short.schedule, epochs=11, skip_easy_fraction=0.6),
    )


def sprint_95() -> Recipe:
    """`sprint-94` to 95 %: twice as wide, more epochs."""
    shorter = sprint_94()
    return replace(
        shorter,
        name="sprint-95",
        model=replace(shorter.model, stem_width=32, width=32),  # without the stem, twice the epochs did not come as far
        schedule=replace(shorter.schedule, epochs=34),
    )


def marathon() -> Recipe:
    """For accuracy, whatever the time: a million parameters, by labels alone."""
    return _marathon("marathon", "A million", marathon_teacher().model, mixup=0.5, erasing=0.5, epochs=400)


def marathon_taught() -> Recipe:
    """`marathon` in fewer epochs, taught by two `marathon-teacher`, which come first."""
    model = marathon().model
    return _taught(_marathon("marathon-taught", "A million", model, mixup=0.5, erasing=0.5, epochs=120))


def marathon_300k() -> Recipe:
    """`marathon-taught` within 300,000 parameters: channels grow less, fewer images are erased."""
    model = replace(marathon().model, width_multiplier=1.25)
    return _taught(_marathon("marathon-300k", "At most 300,000", model, mixup=0.5, erasing=0.25, epochs=120))


def marathon_100k() -> Recipe:
    """`marathon-taught` within 100,000 parameters: as many channels at every size, nothing erased."""
    model = replace(marathon().model, width=24, width_multiplier=1.0)
    return _taught(_marathon("marathon-100k", "At most 100,000", model, mixup=0.5, erasing=0.0, epochs=120))


def marathon_25k() -> Recipe:
    """Within 25,000 parameters, by labels alone: one block a stage, nothing mixed or erased; half an hour on a core."""
    # as many channels at every size: twice as many at each next would leave too few at the first
    model = replace(sprint_94().model, stem_width=14, width=14, width_multiplier=1.0)
    return _marathon("marathon-25k", "At most 25,000", model, mixup=0.0, erasing=0.0, epochs=200)


def marathon_teacher() -> Recipe:
    """What the larger marathons learn from, trained with --fold 0 and 1: `sprint-94` with two blocks a stage."""
    # three times the arithmetic in the same epochs is no better; mixing and erasing are better label_groups than either
    model = replace(sprint_94().model, width=32, blocks_per_stage=2)
    whole = _marathon("marathon-teacher", "A million", model, mixup=0.5, erasing=0.5, epochs=100)
    description = "A million parameters, one fold held out, last epoch; all numbers are ours."
    return replace(whole, description=description, data=DataConfig(val_fraction=0.2))


def _marathon(name: str, size: str, model: ModelConfig, *, mixup: float, erasing: float, epochs: int) -> Recipe:
    """`sprint-94` for long, with another network and other changes of its images."""
    short = sprint_94()
    return replace(
        short,
        name=name,
        description=f"{size} parameters, nothing held out, last epoch; all numbers are ours.",
        model=model,
        augmentation=replace(short.augmentation, mixup_prob=mixup, random_erasing_prob=erasing),
        # without smoothing it is as accurate within what trainings differ by, and its probabilities are true
        optimizer=replace(short.optimizer, label_smoothing=0.0),
        schedule=replace(short.schedule, epochs=epochs),
    )


def _taught(alone: Recipe) -> Recipe:
    """The same, taught by what `modiste train marathon-teacher` leaves as `teachers/fold-0` and `teachers/fold-1`."""
    return replace(
        alone,
        description=f"Taught by others. {alone.description}",
        distillation=DistillationConfig(("runs/teachers/fold-0", "runs/teachers/fold-1")),
    )


def photo() -> Recipe:
    """Photos of clothes in class folders of one's own: a network that knows ImageNet, trained on."""
    return Recipe(
        name="photo",
        description="EfficientNet-Lite1 from ImageNet's weights, all but its first stages trained on; all numbers are ours.",
        data=DataConfig(image_size=224, channels=3, val_fraction=0.2),
        model=ModelConfig(
            name="efficientnet_lite1",  # Lite2 knows no more of clothes, Lite0 less
            weights="imagenet",
            init="default",
            dropout=0.2,
            drop_path_rate=0.2,
            eval_blur=0.5,  # without, one photo in 16 is called otherwise at half its size
            flip_tta=True,  # without, one photo in twelve is called otherwise in the mirror
            freeze_stages=3,  # half of the time would go into these stages, and they are as good as they were
        ),
        # much of it, as a few thousand photos are soon known by heart; but what is cut out shall have its sleeves
        augmentation=AugmentationConfig(
            horizontal_flip=True,
            random_downscale=0.45,
            random_resized_crop_scale=0.5,
            rotation_degrees=20,
            train_size=192,
            color_jitter=0.4,
            hue_jitter=0.1,
            random_erasing_prob=0.25,
        ),
        optimizer=OptimizerConfig(
            name="sgd", lr=0.02, momentum=0.9, weight_decay=1e-4, batch_size=32, label_smoothing=0.1, ema_decay=0.99
        ),
        schedule=ScheduleConfig(name="one_cycle", epochs=10, warmup_fraction=0.2),
    )


NAMED: dict[str, Callable[[], Recipe]] = {
    "classic-cnn": classic_cnn,
    "classic-resnet18": classic_resnet18,
    "sprint": sprint,
    "sprint-94": sprint_94,
    "sprint-95": sprint_95,
    "marathon": marathon,
    "marathon-taught": marathon_taught,
    "marathon-300k": marathon_300k,
    "marathon-100k": marathon_100k,
    "marathon-25k": marathon_25k,
    "marathon-teacher": marathon_teacher,
    "photo": photo,
}


def resolve(name_or_file: str) -> Recipe:
    """Return the recipe of that name, or the one in that `recipe.json`.

    Raises:
        SettingError: there is no such name.
        InputError: the file cannot be read or holds no recipe.
    """
    if name_or_file in NAMED:
        return NAMED[name_or_file]()
    if name_or_file.endswith(".json") or Path(name_or_file).is_file():
        return settings.read(Path(name_or_file))
    raise SettingError(f"There is no recipe {name_or_file!r}. {settings.nearest(name_or_file, list(NAMED))}")
