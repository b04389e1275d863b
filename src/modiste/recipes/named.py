"""The named recipes: a function each, whose docstring `modiste train --list` prints."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from modiste.errors import SettingError
from modiste.recipes import settings
from modiste.recipes.config import (
    AugmentationConfig,
    DataConfig,
    DistillationConfig,
    EarlyStoppingConfig,
    ModelConfig,
    OptimizerConfig,
    ScheduleConfig,
)
from modiste.recipes.recipe import Recipe

COURSE_REPORT = "The method of the course report; patience, dropout and schedule.patience are chosen on validation."
CHOSEN = "all values are chosen on validation."
TEACHERS = ("runs/teachers/fold-0", "runs/teachers/fold-1")


def classic_cnn() -> Recipe:
    """CNN of the course report: two convolutional layers, 16.8 M parameters."""
    return Recipe(
        name="classic-cnn",
        description=COURSE_REPORT,
        data=DataConfig(val_fraction=0.2),
        model=ModelConfig(name="cnn", init="xavier", dropout=0.5),
        augmentation=AugmentationConfig(horizontal_flip=True, random_crop_padding=0, random_erasing_prob=0.0),
        optimizer=OptimizerConfig(name="sgd", lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.0, batch_size=256),
        schedule=ScheduleConfig(name="reduce_on_plateau", epochs=40, factor=0.1, patience=3),
        early_stopping=EarlyStoppingConfig(monitor="val_accuracy", patience=6),
    )


def classic_resnet18() -> Recipe:
    """ResNet-18 of the course report, from random weights; `--set model.weights=imagenet` takes pretrained ones."""
    cnn = classic_cnn()
    return replace(
        cnn,
        name="classic-resnet18",
        description=f"{COURSE_REPORT} So is the weight decay: at the report's 0 validation accuracy stays at 92.2 %.",
        model=ModelConfig(name="resnet18"),
        # with batch norm only lr * weight_decay matters: this is the usual 0.0005 at a learning rate of 0.1
        optimizer=replace(cnn.optimizer, weight_decay=0.005),
        # at the initial learning rate the accuracy varies for longer than the CNN's patience
        early_stopping=replace(cnn.early_stopping, patience=10),
    )


def sprint() -> Recipe:
    """Small residual network, 12 to 25 s on two cores; later epochs use the 32 % of images with the highest loss."""
    return Recipe(
        name="sprint",
        description=f"A small residual network, nothing held out, last epoch; {CHOSEN}",
        data=DataConfig(val_fraction=0.0),
        # 24 channels reach the same accuracy in fewer epochs, but not in less time
        model=ModelConfig(name="residual", width=16, init="default"),
        augmentation=AugmentationConfig(horizontal_flip=True),  # random crops help only longer trainings
        # lr 0.07 and 0.14, batch_size 256 and 400 and higher multiples for head and batch norm were no better; without
        # label smoothing the loss is lower, but so is the accuracy
        optimizer=OptimizerConfig(
            "muon", lr=0.1, head_lr_mult=0.1, norm_bias_lr_mult=0.8, momentum=0.85, batch_size=320, label_smoothing=0.1
        ),
        # after the first epoch a third of the images have nearly all of the loss
        schedule=ScheduleConfig(name="one_cycle", epochs=5, warmup_fraction=0.2, skip_easy_fraction=0.68),
    )


def sprint_94() -> Recipe:
    """`sprint` for 94 % accuracy: a stage at full resolution, random crops by one pixel, more epochs."""
    short = sprint()
    return replace(
        short,
        name="sprint-94",
        model=replace(short.model, stem_width=16),  # 24 channels without a stem are less accurate after the same time
        augmentation=replace(short.augmentation, random_crop_padding=1),  # 2 pixels are worse in so few epochs
        schedule=replace(short.schedule, epochs=11, skip_easy_fraction=0.6),
    )


def sprint_95() -> Recipe:
    """`sprint-94` for 95 % accuracy: twice the width, more epochs."""
    shorter = sprint_94()
    return replace(
        shorter,
        name="sprint-95",
        model=replace(shorter.model, stem_width=32, width=32),  # less accurate without a stem, even in twice the epochs
        schedule=replace(shorter.schedule, epochs=34),
    )


def marathon() -> Recipe:
    """Highest accuracy without teachers: a million parameters, 400 epochs."""
    return _long_training("marathon", "A million", marathon_teacher().model, 400)


def marathon_2m() -> Recipe:
    """`marathon` with 2.2 million parameters, for a GPU: half as many channels again, a wider stem."""
    # multiples of 16 channels, which a GPU computes fastest in bf16; the width itself is not tuned
    model = replace(marathon_teacher().model, stem_width=32, width=48)
    return _long_training("marathon-2m", "2.2 million", model, 400)


def marathon_taught() -> Recipe:
    """`marathon` in fewer epochs, by distillation from two runs of `marathon-teacher`, to train first."""
    return _long_training("marathon-taught", "A million", marathon_teacher().model, 120, TEACHERS)


def marathon_300k() -> Recipe:
    """`marathon-taught` with at most 300,000 parameters: fewer channels in later stages, less random erasing."""
    model = replace(marathon_teacher().model, width_multiplier=1.25)
    return _long_training("marathon-300k", "At most 300,000", model, 120, TEACHERS, random_erasing_prob=0.25)


def marathon_100k() -> Recipe:
    """`marathon-taught` with at most 100,000 parameters: the same channels in all stages, no random erasing."""
    model = replace(marathon_teacher().model, width=24, width_multiplier=1.0)
    return _long_training("marathon-100k", "At most 100,000", model, 120, TEACHERS, random_erasing_prob=0.0)


def marathon_25k() -> Recipe:
    """At most 25,000 parameters, without teachers, mixup and random erasing; half an hour on one core."""
    # doubling the channels from stage to stage would leave too few for the first
    model = replace(sprint_94().model, stem_width=14, width=14, width_multiplier=1.0)
    return _long_training("marathon-25k", "At most 25,000", model, 200, mixup_prob=0.0, random_erasing_prob=0.0)


def marathon_teacher() -> Recipe:
    """Teacher of the larger marathons, trained with --fold 0 and with --fold 1: two blocks per stage."""
    # three times the arithmetic in the same epochs is no better; mixup with random erasing is better than either alone
    model = replace(sprint_94().model, width=32, blocks_per_stage=2)
    recipe = _long_training("marathon-teacher", "A million", model, 100)
    description = f"A million parameters, one fold held out, last epoch; {CHOSEN}"
    return replace(recipe, description=description, data=DataConfig(val_fraction=0.2))


def _long_training(
    name: str,
    size: str,
    model: ModelConfig,
    epochs: int,
    teachers: tuple[str, ...] = (),
    *,
    mixup_prob: float = 0.5,
    random_erasing_prob: float = 0.5,
) -> Recipe:
    """Return `sprint-94` with another network, more epochs, teachers, mixup and random erasing."""
    short, source = sprint_94(), "Distillation from two teachers. " if teachers else ""
    return replace(
        short,
        name=name,
        description=f"{source}{size} parameters, nothing held out, last epoch; {CHOSEN}",
        model=model,
        augmentation=replace(short.augmentation, mixup_prob=mixup_prob, random_erasing_prob=random_erasing_prob),
        # without label smoothing it is as accurate within the spread over seeds, and its probabilities are calibrated
        optimizer=replace(short.optimizer, label_smoothing=0.0),
        schedule=replace(short.schedule, epochs=epochs),
        distillation=DistillationConfig(teachers),
    )


def photo() -> Recipe:
    """Your own photos in class folders: EfficientNet-Lite1 with ImageNet weights, fine-tuned."""
    return Recipe(
        name="photo",
        description="EfficientNet-Lite1 with ImageNet weights, head first, then the last stages; averaged with the "
        f"initial weights; {CHOSEN}",
        # without batch norm, the network works for images of the size that it was trained on only
        data=DataConfig(image_size=224, channels=3, resize_mode="letterbox", val_fraction=0.2),
        model=ModelConfig(
            name="efficientnet_lite1",  # Lite2 is no more accurate on clothes, Lite0 is less
            weights="imagenet",
            init="default",
            dropout=0.2,
            drop_path_rate=0.1,
            tta_threshold=0.6,  # as accurate as with more views of all photos
            tta_crop=0.85,
            eval_blur=0.5,  # without it, 1 photo in 16 gets another class at half its resolution
            freeze_stages=3,  # training these stages takes half of the time and does not improve accuracy
            head_init="linear_probe",
            fold_batch_norm=True,
            freeze_depthwise=True,
        ),
        # strong, as a network overfits a few thousand photos
        augmentation=AugmentationConfig(
            horizontal_flip=True,
            random_downscale=0.45,
            random_resized_crop_scale=0.35,
            rotation_degrees=15,
            color_jitter=0.4,
            hue_jitter=0.1,
            random_erasing_prob=0.25,
        ),
        # more weight of the initial weights keeps more of what they know about other photos, and costs accuracy on
        # photos like those of the training
        optimizer=OptimizerConfig(
            name="adamw",
            lr=3e-4,
            weight_decay=0.01,
            batch_size=32,
            label_smoothing=0.1,
            ema_decay=0.998,
            initial_weight=0.5,
        ),
        schedule=ScheduleConfig(name="one_cycle", epochs=8, warmup_fraction=0.1),
    )


def photo_quick() -> Recipe:
    """Your own photos in class folders, in a minute: a linear head on features of EfficientNet-Lite1."""
    return Recipe(
        name="photo-quick",
        description="Linear head on features of EfficientNet-Lite1 with ImageNet weights, which are not trained; "
        f"L2 penalty by cross-validation; {CHOSEN}",
        # with 192 pixels 1 photo in 40 more gets a wrong class, with photos squashed to a square 1 in 70
        data=DataConfig(image_size=240, channels=3, resize_mode="letterbox", val_fraction=0.2, sampling="balanced"),
        model=ModelConfig(
            name="efficientnet_lite1",
            weights="imagenet",
            init="default",
            dropout=0.0,
            fold_batch_norm=True,
        ),
        augmentation=AugmentationConfig(horizontal_flip=False),
        optimizer=OptimizerConfig(name="lbfgs", lr=1.0, momentum=0.0, nesterov=False),
        schedule=ScheduleConfig(name="constant", epochs=1),
    )


NAMED: dict[str, Callable[[], Recipe]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        classic_cnn, classic_resnet18, sprint, sprint_94, sprint_95, marathon, marathon_2m, marathon_taught,
        marathon_300k, marathon_100k, marathon_25k, marathon_teacher, photo, photo_quick,
    )
}  # fmt: skip


def resolve(name_or_file: str) -> Recipe:
    """Return the recipe of that name, or the one in that `recipe.json`.

    The file may name another recipe as its `"base"`, by name or by a path relative to its own folder; it then has only
    the settings that differ.

    Raises:
        SettingError: there is no such name, or files are each other's base.
        InputError: the file cannot be read or does not hold a recipe.
    """
    if name_or_file in NAMED:
        return NAMED[name_or_file]()
    if _is_file(name_or_file):
        return _read(Path(name_or_file), ())
    raise SettingError(f"There is no recipe {name_or_file!r}. {settings.suggest(name_or_file, list(NAMED))}")


def _is_file(name: str) -> bool:
    return name.endswith(".json") or Path(name).is_file()


def _read(path: Path, derived: tuple[Path, ...]) -> Recipe:
    """Read a recipe file and its base; `derived` are the files that build on this one, the first of them first."""
    files = (*derived, path.resolve())
    if path.resolve() in derived:
        cycle = " builds on ".join(map(str, files[derived.index(path.resolve()) :]))
        raise SettingError(f"{cycle}: recipe files cannot build on each other in a circle. Remove one base.")
    content = settings.read_content(path)
    base = content.pop("base", None)
    recipe = Recipe() if base is None else _resolve_base(base, path, files)
    return settings.with_settings(recipe, settings.flatten(content))


def _resolve_base(base: object, path: Path, files: tuple[Path, ...]) -> Recipe:
    if not isinstance(base, str):
        raise SettingError(f"base is {base!r} in {path}, but it must be the name of a recipe or of a file.")
    if base in NAMED:
        return NAMED[base]()
    if _is_file(str(path.parent / base)):
        return _read(path.parent / base, files)
    raise SettingError(f"{path} builds on {base!r}, which is no recipe or file. {settings.suggest(base, list(NAMED))}")
