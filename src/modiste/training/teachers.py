"""Teachers: trained runs that say what each training image is, instead of its label.

Distillation (Hinton et al. 2015): how probable a teacher holds each label says more of an image than its label alone,
and of a wrong label it says that it is wrong. A teacher sees the very image that the learner sees, as it was changed
and mixed (Beyer et al. 2022). Each step asks one of them: over many steps that is all of them, at the price of one.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from modiste.data.split import TrainingData
from modiste.errors import InputError
from modiste.evaluation import facts
from modiste.inference import model as inference
from modiste.recipes.recipe import Recipe
from modiste.runs import folder, metrics
from modiste.runs.folder import Run
from modiste.training import targets, weights
from modiste.training.prepared import Prepared
from modiste.training.randomness import number


@dataclass(frozen=True, slots=True)
class Teachers:
    """Who is asked, and how soft the answers are.

    Args:
        networks: uint8 images -> logits, in evaluation mode.
        temperature: what the logits of teacher and learner are divided by.
        seed: with epoch and step it decides who is asked.
    """

    networks: tuple[Prepared, ...]
    temperature: float
    seed: int

    @torch.no_grad()
    def answer(self, images: Tensor, epoch: int, step: int) -> Tensor:
        """Return the logits [b, labels] that one of them has for the images of a step."""
        asked = number(self.seed, "teacher", epoch, step) % len(self.networks)
        return self.networks[asked](images)  # type: ignore[no-any-return]

    def losses(self, logits: Tensor, answer: Tensor) -> Tensor:
        """How far a learner's logits are from an answer, [b]: the divergence of the softened probabilities.

        It is multiplied by the square of the temperature, so that gradients are as large at any.
        """
        softened = torch.softmax(answer.float() / self.temperature, 1)
        return self.temperature**2 * targets.losses(logits / self.temperature, softened)


def teachers(recipe: Recipe, data: TrainingData, device: torch.device) -> Teachers:
    """Make the teachers of a recipe that has some.

    Raises:
        InputError: there are none, or one has no weights, takes other images or knows other labels.
    """
    options = recipe.distillation
    networks = tuple(_network(run, recipe, data).to(device) for run in runs(recipe, data))
    return Teachers(networks, options.temperature, recipe.seed)


def runs(recipe: Recipe, data: TrainingData) -> list[Run]:
    """Who is asked: the finished runs of the recipe's folder, in the order of their names.

    Where images are held out, only those that held out the same: others know them, and could give them away.

    Raises:
        InputError: there are none.
    """
    home = Path(recipe.distillation.teachers)
    finished = [Run(path) for path in sorted(home.iterdir()) if Run(path).card.is_file()] if home.is_dir() else []
    if not finished:
        raise InputError(
            f"There are no finished runs in {home} to learn from. Train some there, as with `modiste bench "
            "marathon-teacher --folds --keep`, name a folder of runs with --set distillation.teachers=FOLDER, or "
            "learn from the labels alone with --set distillation.teachers="
        )
    if not len(data.validation):
        return finished
    fold = data.validation.sha256()
    fitting = [run for run in finished if facts.read(run).sha256.get("validation") == fold]
    if not fitting:
        raise InputError(
            f"The runs in {home} all know images that are held out here. Train one with the same data, fold and seed "
            "there, or hold nothing out with --set data.validation=0."
        )
    return fitting


def described(recipe: Recipe, data: TrainingData) -> list[dict[str, Any]]:
    """What a run's environment.json says of each teacher: its file, and what it cost."""
    return [
        {
            "run": run.name,
            "recipe": run.recipe().name,
            "seed": run.recipe().seed,
            "sha256": hashlib.sha256(run.weights.read_bytes()).hexdigest(),
            "parameters": facts.read(run).parameters,
            "seconds": round(sum(row.seconds for row in metrics.read(run.metrics)), 1),
        }
        for run in runs(recipe, data)
    ]


def _network(run: Run, recipe: Recipe, data: TrainingData) -> Prepared:
    folder.require_model(run)
    known, wanted = inference.load(run.model), recipe.data
    if (known.labels, known.size, known.channels) != (data.label_names, wanted.size, wanted.channels):
        raise InputError(
            f"{run.path} knows other labels or takes other images: {', '.join(known.labels)}, {known.size} pixels. "
            "Choose another folder with --set distillation.teachers=FOLDER."
        )
    options = run.recipe().network
    return weights.trained(run, options, len(data.label_names)).to(memory_format=torch.channels_last).eval()
