"""The named recipes: plain functions, one each. Add a recipe here rather than a flag elsewhere."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from modiste.errors import SettingError
from modiste.recipes import settings
from modiste.recipes.recipe import Augmentation, Data, Distillation, Network, Optimizer, Recipe, Schedule, Stopping

ABOUT = "The course report's method; patience, dropout rate and plateau patience are ours, chosen on validation."


def classic_cnn() -> Recipe:
    """The course report's two-layer CNN, 16.8 M parameters."""
    return Recipe(
        name="classic-cnn",
        about=ABOUT,
        data=Data(validation=0.2),
        network=Network(name="cnn", initialisation="xavier", dropout=0.5),
        augmentation=Augmentation(flip=True, crop=0, erasing=0.0),
        optimizer=Optimizer(name="sgd", lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.0, batch=256),
        schedule=Schedule(name="plateau", epochs=40, factor=0.1, patience=3),
        stopping=Stopping(monitor="validation/accuracy", patience=6),
    )


def classic_resnet18() -> Recipe:
    """The course report's ResNet-18, from scratch; `--set network.weights=imagenet` starts from ImageNet's."""
    cnn = classic_cnn()
    return replace(
        cnn,
        name="classic-resnet18",
        about=f"{ABOUT} So is the weight decay, which the report has at 0: without it validation stays at 92.2 %.",
        network=Network(name="resnet18"),
        # rate times decay sets the pace of a network with batch norm: this is the usual 0.0005 at a rate of 0.1
        optimizer=replace(cnn.optimizer, weight_decay=0.005),
        # at the first rate the accuracy goes up and down for longer than the CNN's patience
        stopping=replace(cnn.stopping, patience=10),
    )


def sprint() -> Recipe:
    """A small residual network, trained on what it finds hardest: 12 to 25 seconds on two cores."""
    return Recipe(
        name="sprint",
        about="A small residual network, nothing held out, last epoch; all numbers are ours.",
        data=Data(validation=0.0),
        # 24 channels reach as much in fewer epochs, but not in less time
        network=Network(name="residual", width=16, initialisation="default"),
        augmentation=Augmentation(flip=True),  # shifts help only a longer training
        # rates of 0.07 and 0.14 and batches of 256 and 400 were no better, nor was a higher rate for the head or for
        # batch norm; without smoothing the loss is lower, but so is the accuracy
        optimizer=Optimizer(name="muon", lr=0.1, lr_head=0.1, lr_rest=0.8, momentum=0.85, batch=320, smoothing=0.1),
        # a third of the images have nearly all that is left to learn after the first epoch
        schedule=Schedule(name="triangle", epochs=5, warmup=0.2, drop=0.68),
    )


def sprint_94() -> Recipe:
    """`sprint` to 94 %: a stem that sees the full size, shifts of a pixel, more epochs."""
    short = sprint()
    return replace(
        short,
        name="sprint-94",
        network=replace(short.network, stem=16),  # 24 channels without a stem come to less in the same time
        augmentation=replace(short.augmentation, crop=1),  # 2 pixels are too much for so few epochs
        schedule=replace(short.schedule, epochs=11, drop=0.6),
    )


def sprint_95() -> Recipe:
    """`sprint-94` to 95 %: twice as wide, more epochs."""
    shorter = sprint_94()
    return replace(
        shorter,
        name="sprint-95",
        network=replace(shorter.network, stem=32, width=32),  # without the stem, twice the epochs did not come as far
        schedule=replace(shorter.schedule, epochs=34),
    )


def marathon() -> Recipe:
    """For accuracy, whatever the time: a million parameters, by labels alone."""
    return _marathon("marathon", "A million", marathon_teacher().network, mixing=0.5, erasing=0.5, epochs=400)


def marathon_taught() -> Recipe:
    """`marathon` in fewer epochs, taught by two `marathon-teacher`, which come first."""
    network = marathon().network
    return _taught(_marathon("marathon-taught", "A million", network, mixing=0.5, erasing=0.5, epochs=120))


def marathon_300k() -> Recipe:
    """`marathon-taught` within 300,000 parameters: channels grow less, fewer images are erased."""
    network = replace(marathon().network, growth=1.25)
    return _taught(_marathon("marathon-300k", "At most 300,000", network, mixing=0.5, erasing=0.25, epochs=120))


def marathon_100k() -> Recipe:
    """`marathon-taught` within 100,000 parameters: as many channels at every size, nothing erased."""
    network = replace(marathon().network, width=24, growth=1.0)
    return _taught(_marathon("marathon-100k", "At most 100,000", network, mixing=0.5, erasing=0.0, epochs=120))


def marathon_25k() -> Recipe:
    """Within 25,000 parameters, by labels alone: one block a stage, nothing mixed or erased; half an hour on a core."""
    # as many channels at every size: twice as many at each next would leave too few at the first
    network = replace(sprint_94().network, stem=14, width=14, growth=1.0)
    return _marathon("marathon-25k", "At most 25,000", network, mixing=0.0, erasing=0.0, epochs=200)


def marathon_teacher() -> Recipe:
    """What the larger marathons learn from, trained with --fold 0 and 1: `sprint-94` with two blocks a stage."""
    # three times the arithmetic in the same epochs is no better; mixing and erasing are better together than either
    network = replace(sprint_94().network, width=32, blocks=2)
    whole = _marathon("marathon-teacher", "A million", network, mixing=0.5, erasing=0.5, epochs=100)
    about = "A million parameters, one fold held out, last epoch; all numbers are ours."
    return replace(whole, about=about, data=Data(validation=0.2))


def _marathon(name: str, size: str, network: Network, *, mixing: float, erasing: float, epochs: int) -> Recipe:
    """`sprint-94` for long, with another network and other changes of its images."""
    short = sprint_94()
    return replace(
        short,
        name=name,
        about=f"{size} parameters, nothing held out, last epoch; all numbers are ours.",
        network=network,
        augmentation=replace(short.augmentation, mixing=mixing, erasing=erasing),
        # without smoothing it is as accurate within what trainings differ by, and its probabilities are true
        optimizer=replace(short.optimizer, smoothing=0.0),
        schedule=replace(short.schedule, epochs=epochs),
    )


def _taught(alone: Recipe) -> Recipe:
    """The same, taught by what `modiste train marathon-teacher` leaves as `teachers/fold-0` and `teachers/fold-1`."""
    return replace(
        alone,
        about=f"Taught by others. {alone.about}",
        distillation=Distillation(("runs/teachers/fold-0", "runs/teachers/fold-1")),
    )


def photo() -> Recipe:
    """Photos of clothes in class folders of one's own: a network that knows ImageNet, trained on."""
    return Recipe(
        name="photo",
        about="EfficientNet-Lite1 from ImageNet's weights, all but its first stages trained on; all numbers are ours.",
        data=Data(size=224, channels=3, validation=0.2),
        network=Network(
            name="efficientnet_lite1",  # Lite2 knows no more of clothes, Lite0 less
            weights="imagenet",
            initialisation="default",
            dropout=0.2,
            drop_path=0.2,
            softened=0.5,  # without, one photo in 16 is called otherwise at half its size
            mirrored=True,  # without, one photo in twelve is called otherwise in the mirror
            frozen=3,  # half of the time would go into these stages, and they are as good as they were
        ),
        # much of it, as a few thousand photos are soon known by heart; but what is cut out shall have its sleeves
        augmentation=Augmentation(
            flip=True, coarse=0.45, zoom=0.5, turn=20, size=192, colour=0.4, hue=0.1, erasing=0.25
        ),
        optimizer=Optimizer(
            name="sgd", lr=0.02, momentum=0.9, weight_decay=1e-4, batch=32, smoothing=0.1, average=0.99
        ),
        schedule=Schedule(name="triangle", epochs=10, warmup=0.2),
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
