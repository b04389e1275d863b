"""Train a recipe once and print a record with its time and accuracy as JSON.

The clock starts before the data files are read and stops after the last prediction on the test split (or, to make
choices, on the fold that is held out). Nothing is written to disk.

    python benchmarks/timed_training.py sprint --seed 0
    python benchmarks/timed_training.py sprint --seed 0 --validation --set schedule.epochs=6
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


class NoProgress:
    """A progress callback that prints nothing."""

    def on_step(self, epoch: int, step: int, steps: int) -> None:
        """Print nothing."""

    def on_epoch(self, metrics: EpochMetrics) -> None:
        """Print nothing."""


def time_training(recipe: Recipe) -> dict[str, Any]:
    """Train and predict; return the seconds and the accuracy with and without flip TTA.

    The accuracy is that on the validation split of the recipe, or on the test split, opened once, if it has none.
    """
    if recipe.early_stopping.patience or recipe.schedule.name == "reduce_on_plateau":
        raise SystemExit(
            "Only the end of a training is evaluated here. Use a recipe without reduce_on_plateau and early stopping."
        )
    start = time.perf_counter()
    training = build_training(recipe)
    training_start = time.perf_counter()
    no_validator = Validator(training.validator.images[:0], training.validator.labels[:0])  # only the end is evaluated
    parts = training.batches, training.step, training.schedule, no_validator
    train(training.state, *parts, lambda _: None, NoProgress(), lambda: False)
    training_end = time.perf_counter()
    openings: list[str] = []
    device = training.batches.images.device
    split = training.data.validation or sources.open_test(recipe.data, lambda: openings.append("test"))
    images, labels = (torch.from_numpy(array).to(device) for array in (split.images, split.labels))
    plain = predict_logits(training.state.evaluated_model, images).softmax(1)
    flipped = plain + predict_logits(training.state.evaluated_model, images.flip(2)).softmax(1)
    accuracy, accuracy_flip_tta = (
        (probabilities.argmax(1) == labels).double().mean().item() for probabilities in (plain, flipped)
    )
    end = time.perf_counter()
    return {
        "recipe": recipe.name,
        "seed": recipe.seed,
        "seconds": end - start,
        "seconds_reading": training_start - start,
        "seconds_training": training_end - training_start,
        "seconds_predicting": end - training_end,
        "split": split.name,
        "accuracy": accuracy,
        # a network that was not trained on flipped images cannot predict them
        "accuracy_flip_tta": accuracy_flip_tta if recipe.augmentation.horizontal_flip else None,
        "images": len(labels),
        "openings": len(openings),
        "epochs": len(training.state.history),
        "parameters": networks.count_parameters(training.state.network),
        **compute.describe(device, training.step.precision),
    }


def main() -> None:
    """Time the training of the recipe on the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("recipe")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--validation", action="store_true", help="hold a fold out and evaluate on it, to make choices")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any setting of the recipe")
    args = parser.parse_args()
    changes = dict(map(settings.parse_setting, args.set)) | (HELD_OUT if args.validation else {})
    recipe = settings.with_settings(named.resolve(args.recipe), changes)
    print(json.dumps(time_training(replace(recipe, seed=args.seed)) | environment.describe()))


if __name__ == "__main__":
    main()
