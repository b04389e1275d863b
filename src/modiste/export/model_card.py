"""The model card of a run: what the model is, how good it is, how to use it."""

import html
import re
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

from modiste.data.split import TrainingData
from modiste.inference.calibration import Calibration
from modiste.inference.prediction import printable
from modiste.labels import NONE_OF_THESE
from modiste.recipes import settings
from modiste.recipes.config import ModelConfig
from modiste.recipes.named import NAMED
from modiste.recipes.recipe import Recipe

CARD = Template("""# $name

An image classifier trained with `modiste` by the recipe `$recipe` with seed $seed.
$description

| | |
|---|---|
| classes | $class_names |
| input | uint8 images, $shape |
| test-time augmentation | $tta |
| parameters | $parameters |
| training data | $train images of $source |
| epoch | $epoch |
| validation | $validation |
| calibration | $calibration |

Use it:

    modiste predict --model . PHOTO
$evaluate
$limits $abstention

`model.onnx` is the model that is evaluated and used, `model.safetensors` has the same weights, `recipe.json` describes
the training, `metrics.csv` and `curves.png` show its epochs, `layers.json` lists the layers of the network.
""")

FASHION_MNIST_LIMITS = "It was trained on product photos of one shop. For other photos, train with the recipe `photo`."
OWN_DATA_LIMITS = "Expect these figures only for photos like those of the training data."
ALWAYS_PREDICTS = "It always predicts one of its classes, even for a photo that shows none of them."
ABSTAINS = f"It predicts {NONE_OF_THESE!r} for a photo that shows none of its classes."


def render(
    name: str,
    recipe: Recipe,
    data: TrainingData,
    scores: dict[str, Any],
    calibration: Calibration,
    parameters: int,
    continued_from: Mapping[str, Any] | None = None,
) -> str:
    """Return the card of a run in Markdown; `scores` has `epoch`, and `validation` where images were held out.

    `continued_from` has name and epochs of the run that it continues, if it does.
    """
    description = _escape(recipe.description, markdown=False)
    size, resize_mode = recipe.data.image_size, recipe.data.resize_mode
    return CARD.substitute(
        name=_escape(name),
        recipe=_code(recipe.name),
        seed=recipe.seed,
        description=" ".join(
            filter(
                None,
                [description, _changed_settings(recipe), _continuation(continued_from)],
            )
        ),
        class_names=", ".join(map(_escape, data.class_names)),
        shape=f"[n, {size}, {size}" + ("]" if recipe.data.channels == 1 else f", 3]; resize mode {resize_mode}"),
        tta=_tta(recipe.model),
        parameters=f"{parameters:,}",
        train=f"{len(data.train):,}",
        source=_escape(Path(recipe.data.source).name) or "Fashion-MNIST",
        epoch=scores["epoch"],
        validation=_validation(recipe, scores),
        calibration=_calibration(calibration),
        evaluate=_evaluate_command(recipe, scores),
        limits=OWN_DATA_LIMITS if recipe.data.source else FASHION_MNIST_LIMITS,
        abstention=ABSTAINS if NONE_OF_THESE in data.class_names else ALWAYS_PREDICTS,
    )


def _escape(text: str, markdown: bool = True) -> str:
    """Return a text of a folder or recipe as Markdown in one line, without HTML, links or cells of its own."""
    line = html.escape(" ".join(printable(text).split()), quote=False)
    return re.sub(r"([\\`*_\[\]|#!~])", r"\\\1", line) if markdown else line


def _code(text: str) -> str:
    """Return a text as it may stand between backticks."""
    return " ".join(printable(text).split()).replace("`", "'")


def _continuation(continued_from: Mapping[str, Any] | None) -> str:
    if not continued_from:
        return ""
    epochs = continued_from["epochs"]
    return f"It continues the run `{_code(continued_from['run'])}`, from which its first {epochs} epochs are."


def _tta(options: ModelConfig) -> str:
    views = ["mirror image in `model.onnx`"] if options.flip_tta else []
    if options.tta_threshold:
        crop = f" and center crop ({options.tta_crop:.0%} of each side)" if options.tta_crop < 1 else ""
        below = f"where the highest probability is below {options.tta_threshold:.0%}"
        views.append(f"mirror image{crop} {below}: by `modiste`, not in `model.onnx`")
    return "; ".join(views) or "none"


def _evaluate_command(recipe: Recipe, scores: dict[str, Any]) -> str:
    """Return the line that evaluates the run: on test for Fashion-MNIST, otherwise on held-out images."""
    if not recipe.data.source:
        return "    modiste evaluate .\n"
    return "    modiste evaluate . --split validation\n" if scores.get("validation") else ""


def _validation(recipe: Recipe, scores: dict[str, Any]) -> str:
    validation = scores.get("validation")
    if not validation:
        return "none, as no images were held out; see `modiste evaluate`"
    chosen = "; the epoch was chosen on these images" if recipe.early_stopping.patience else ""
    return f"accuracy {validation['accuracy']:.2%}, loss {validation['loss']:.4f}, n = {validation['n']:,}{chosen}"


def _calibration(calibration: Calibration) -> str:
    if calibration.temperature == 1:
        return "none, as too few images were held out"
    threshold = calibration.threshold
    abstention = f"; {NONE_OF_THESE!r} where the confidence is below {threshold:.1%}" if threshold else ""
    return f"temperature {calibration.temperature:g}{abstention}"


def _changed_settings(recipe: Recipe) -> str:
    """Name the settings that differ from those of the named recipe."""
    if recipe.name not in NAMED:
        return ""
    defaults = settings.to_settings(NAMED[recipe.name]())
    changes = [
        f"{key} = {value}"
        for key, value in settings.to_settings(recipe).items()
        if value != defaults[key] and key not in ("seed", "description", "data.source", "data.corrections")
    ]
    return f"Changed settings: {', '.join(changes)}." if changes else ""
