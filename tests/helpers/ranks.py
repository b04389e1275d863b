"""Train a recipe.json in a process of torchrun and print a hash of the weights after each epoch: RECIPE FOLDER."""

import hashlib
import os
import sys
from pathlib import Path

from helpers.progress import Silent
from modiste.recipes import settings
from modiste.recipes.recipe import Recipe
from modiste.training import checkpoint, ranks
from modiste.training.build import build_training
from modiste.training.loop import State, train
from modiste.training.ranks import Ranks


def digest(state: State) -> str:
    """A hash of the parameters."""
    sha256 = hashlib.sha256()
    for parameter in state.network.parameters():
        sha256.update(parameter.detach().contiguous().numpy().tobytes())
    return sha256.hexdigest()[:16]


def main() -> None:
    """Train; the first process saves the last checkpoint."""
    with ranks.join("cpu") as processes:
        train_and_print(settings.read(Path(sys.argv[1])), Path(sys.argv[2]), processes)


def train_and_print(recipe: Recipe, folder: Path, processes: Ranks) -> None:
    """Train to the end."""
    training = build_training(recipe, ranks=processes)

    def save(state: State) -> None:
        line = f"epoch {len(state.history)} rank {processes.rank} {digest(state)}\n"
        os.write(1, line.encode())  # in one piece
        if processes.is_first:
            checkpoint.save(state, folder)

    loop = training.batches, training.step, training.schedule, training.validator
    train(training.state, *loop, save, Silent(), lambda: False)
    processes.barrier()


if __name__ == "__main__":
    main()
