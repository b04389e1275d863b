"""Train a recipe.json in a process of torchrun and print a hash of the weights after each epoch: RECIPE FOLDER."""

import hashlib
import os
import sys
from pathlib import Path

from helpers.progress import Silent
from modiste.recipes import settings
from modiste.training import checkpoint, ranks
from modiste.training.build import build_training
from modiste.training.loop import State, train


def digest(state: State) -> str:
    """A hash of the parameters."""
    sha256 = hashlib.sha256()
    for parameter in state.network.parameters():
        sha256.update(parameter.detach().contiguous().numpy().tobytes())
    return sha256.hexdigest()[:16]


def main() -> None:
    """Train; the first process saves the last checkpoint."""
    recipe, folder = settings.read(Path(sys.argv[1])), Path(sys.argv[2])
    with ranks.join("cpu") as processes:
        training = build_training(recipe, ranks=processes)

        def save(state: State) -> None:
            line = f"epoch {len(state.history)} rank {processes.rank} {digest(state)}\n"
            os.write(1, line.encode())  # in one piece
            if processes.is_first:
                checkpoint.save(state, folder)

        loop = training.batches, training.step, training.schedule, training.validator
        train(training.state, *loop, save, Silent(), lambda: False)


if __name__ == "__main__":
    main()
