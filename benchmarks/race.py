"""One training of a recipe against the clock, in a process of its own: prints a record as JSON.

The clock starts before the data files are read and stops after the last prediction on the test split. Nothing is
written to disk.

    python benchmarks/race.py sprint --seed 0
"""

import argparse
import json
import time
from dataclasses import replace
from typing import Any

import torch

from modiste.data import sources
from modiste.recipes import named
from modiste.recipes.recipe import Recipe
from modiste.runs import environment
from modiste.runs.metrics import Row
from modiste.training import networks
from modiste.training.judge import predict
from modiste.training.loop import train
from modiste.training.run import prepare


class Silent:
    """Watches without a word."""

    def step(self, epoch: int, step: int, steps: int) -> None:
        """Say nothing."""

    def epoch(self, row: Row) -> None:
        """Say nothing."""


def race(recipe: Recipe) -> dict[str, Any]:
    """Train, predict the test split, and say how long it took and how good it is, with mirrored views and without."""
    started = time.perf_counter()
    made = prepare(recipe)
    prepared = time.perf_counter()
    train(made.state, made.batches, made.step, made.schedule, made.judge, lambda _: None, Silent(), lambda: False)
    trained = time.perf_counter()
    openings: list[str] = []
    test = sources.open_test(recipe.data, lambda: openings.append("test"))
    images, labels = (torch.from_numpy(array).to(made.batches.images.device) for array in (test.images, test.labels))
    plain = predict(made.state.network, images).softmax(1)
    both = plain + predict(made.state.network, images.flip(2)).softmax(1)
    one, two = ((views.argmax(1) == labels).double().mean().item() for views in (plain, both))
    ended = time.perf_counter()
    return {
        "recipe": recipe.name,
        "seed": recipe.seed,
        "seconds": ended - started,
        "seconds_reading": prepared - started,
        "seconds_training": trained - prepared,
        "seconds_predicting": ended - trained,
        "test_accuracy": one,
        "test_accuracy_mirrored": two,
        "test_images": len(labels),
        "test_openings": len(openings),
        "epochs": len(made.state.history),
        "parameters": networks.parameters(made.state.network),
    }


def main() -> None:
    """Race the recipe that the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("recipe")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    recipe = replace(named.resolve(given.recipe), seed=given.seed)
    print(json.dumps(race(recipe) | environment.describe()))


if __name__ == "__main__":
    main()
