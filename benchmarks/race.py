"""One training of a recipe against the clock, in a process of its own: prints a record as JSON.

The clock starts before the data files are read and stops after the last prediction on the test split (or, for choices,
on the fold that is held out). Nothing is written to disk.

    python benchmarks/race.py sprint --seed 0
    python benchmarks/race.py sprint --seed 0 --validation --set schedule.epochs=6
"""

import argparse
import json
import time
from dataclasses import replace
from typing import Any

import torch

from modiste.data import sources
from modiste.models import networks
from modiste.recipes import named, settings
from modiste.recipes.recipe import Recipe
from modiste.runs import environment
from modiste.runs.metrics_file import EpochMetrics
from modiste.training import compute
from modiste.training.build import build_training
from modiste.training.loop import train
from modiste.training.validator import Validator, predict_logits

HELD_OUT = {"data.val_fraction": 0.2}


class Silent:
    """Watches without a word."""

    def on_step(self, epoch: int, step: int, steps: int) -> None:
        """Say nothing."""

    def on_epoch(self, metrics: EpochMetrics) -> None:
        """Say nothing."""


def race(recipe: Recipe) -> dict[str, Any]:
    """Train, predict, and say how long it took and how good it is, with flip_tta views and without.

    Judged on what the recipe holds out; on the test split, which is opened once, when it holds nothing out.
    """
    if recipe.early_stopping.patience or recipe.schedule.name == "reduce_on_plateau":
        raise SystemExit("A race judges only the end. Take a recipe without a plateau and without patience.")
    started = time.perf_counter()
    made = build_training(recipe)
    prepared = time.perf_counter()
    nothing = Validator(made.validator.images[:0], made.validator.labels[:0])  # only the end is judged
    train(made.state, made.batches, made.step, made.schedule, nothing, lambda _: None, Silent(), lambda: False)
    trained = time.perf_counter()
    openings: list[str] = []
    device = made.batches.images.device
    judged = made.data.validation or sources.open_test(recipe.data, lambda: openings.append("test"))
    images, labels = (torch.from_numpy(array).to(device) for array in (judged.images, judged.labels))
    plain = predict_logits(made.state.evaluated_model, images).softmax(1)
    both = plain + predict_logits(made.state.evaluated_model, images.flip(2)).softmax(1)
    one, two = ((views.argmax(1) == labels).double().mean().item() for views in (plain, both))
    ended = time.perf_counter()
    return {
        "recipe": recipe.name,
        "seed": recipe.seed,
        "seconds": ended - started,
        "seconds_reading": prepared - started,
        "seconds_training": trained - prepared,
        "seconds_predicting": ended - trained,
        "split": judged.name,
        "accuracy": one,
        "accuracy_flip_tta": two if recipe.augmentation.horizontal_flip else None,  # else it knows no mirror images
        "images": len(labels),
        "openings": len(openings),
        "epochs": len(made.state.history),
        "parameters": networks.count_parameters(made.state.network),
        **compute.describe(device, made.step.precision),
    }


def main() -> None:
    """Race the recipe that the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("recipe")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--validation", action="store_true", help="hold a fold out and judge on it: for choices")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any setting of the recipe")
    given = parser.parse_args()
    changes = dict(map(settings.parse_setting, given.set)) | (HELD_OUT if given.validation else {})
    recipe = settings.with_settings(named.resolve(given.recipe), changes)
    print(json.dumps(race(replace(recipe, seed=given.seed)) | environment.describe()))


if __name__ == "__main__":
    main()
