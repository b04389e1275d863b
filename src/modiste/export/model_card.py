"""The model card of a run: what the model is, what it is worth, how to use it."""

from pathlib import Path
from string import Template
from typing import Any

from modiste.data.split import TrainingData
from modiste.inference.calibration import Calibration
from modiste.labels import NONE_OF_THESE
from modiste.recipes import settings
from modiste.recipes.named import NAMED
from modiste.recipes.recipe import Recipe

CARD = Template("""# $name

A classifier of clothes, trained with `modiste` by the recipe `$recipe` with seed $seed.
$about

| | |
|---|---|
| says | $labels |
| takes | uint8 images, $shape |
| parameters | $parameters |
| trained on | $train images of $source |
| epoch kept | $epoch |
| validation | $validation |
| confidence | $confidence |

Use it:

    modiste predict --model . PICTURE
    modiste evaluate .

$limits $always

`model.onnx` is what is judged and used, `model.safetensors` the same weights, `recipe.json` how they came about,
`metrics.csv` and `curves.png` what happened on the way.
""")

PRODUCTS = "It was trained on product pictures of one shop: photos of other kinds need a recipe that was made for them."
ALWAYS = "It always names one of its labels, also for what is none of them."
ABSTAINS = f"It says {NONE_OF_THESE!r} of what it takes for no garment that has a label."
PICTURES = "It was trained on the pictures named above: expect it to hold for pictures of that kind."


def text(
    name: str, recipe: Recipe, data: TrainingData, scores: dict[str, Any], calibration: Calibration, parameters: int
) -> str:
    """Return the card's text (Markdown)."""
    size, changed = recipe.data.image_size, _changed(recipe)
    return CARD.substitute(
        name=name,
        recipe=recipe.name,
        seed=recipe.seed,
        about=f"{recipe.description} {changed}".strip(),
        labels=", ".join(data.class_names),
        shape=f"[n, {size}, {size}]" if recipe.data.channels == 1 else f"[n, {size}, {size}, 3]",
        parameters=f"{parameters:,}",
        train=f"{len(data.train):,}",
        source=Path(recipe.data.source).name or "Fashion-MNIST",
        epoch=scores["epoch"],
        validation=_validation(scores),
        confidence=_sureness(calibration),
        limits=PICTURES if recipe.data.source else PRODUCTS,
        always=ABSTAINS if NONE_OF_THESE in data.class_names else ALWAYS,
    )


def _validation(scores: dict[str, Any]) -> str:
    found = scores.get("validation")
    if not found:
        return "nothing was held out; see `modiste evaluate`"
    return f"accuracy {found['accuracy']:.2%}, loss {found['loss']:.4f}, n = {found['n']:,}"


def _sureness(calibration: Calibration) -> str:
    if calibration.temperature == 1:
        return "not calibrated: too few images were held out"
    below = f"; below {calibration.threshold:.1%} it says {NONE_OF_THESE!r}" if calibration.threshold else ""
    return f"temperature {calibration.temperature:g}{below}"


def _changed(recipe: Recipe) -> str:
    """Name the settings in which the recipe differs from the named one it started from."""
    if recipe.name not in NAMED:
        return ""
    origin = settings.to_settings(NAMED[recipe.name]())
    mine = settings.to_settings(recipe)
    changed = [
        f"{key} = {value}"
        for key, value in mine.items()
        if value != origin[key] and key not in ("seed", "description", "data.source")
    ]
    return f"Changed from it: {', '.join(changed)}." if changed else ""
