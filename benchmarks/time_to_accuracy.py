"""Compare time and accuracy of recipes and a common PyTorch loop, each training in a new process, in turns.

    python benchmarks/time_to_accuracy.py --recipe sprint=20 --recipe sprint-94=10 --loop 3 --epochs 15

It takes hours and needs an idle machine. When the command is repeated, finished trainings are not run again. It
writes results/time_to_accuracy.json, from which `make docs` draws docs/time_to_accuracy.png.
"""

import argparse
import gzip
from pathlib import Path

import timing
from sequential_runs import TIMED_TRAINING, Record, run, summarize

from modiste.data import fashion_mnist
from modiste.runs import results

PLAIN_LOOP = str(Path(__file__).with_name("plain_loop.py"))
LOOP = "plain loop"


def train_in_turns(counts: dict[str, int], epochs: int, home: Path) -> dict[str, list[Record]]:
    """Train this many seeds of each method; they take turns so that a change of the machine's speed affects all."""
    records: dict[str, list[Record]] = {name: [] for name, count in counts.items() if count}
    for seed in range(max(counts.values())):
        for name, each in records.items():
            if seed < counts[name]:
                each.append(_train(name, seed, epochs, home))
    return records


def _train(name: str, seed: int, epochs: int, home: Path) -> Record:
    if name != LOOP:
        return run(f"{name} {seed}", [TIMED_TRAINING, name, "--seed", str(seed)], home)
    command = [PLAIN_LOOP, str(unpack_data(home)), "--epochs", str(epochs), "--seed", str(seed)]
    return run(f"{LOOP} of {epochs} epochs {seed}", command, home)


def unpack_data(home: Path) -> Path:
    """Decompress the four files to where torchvision expects them, so that the plain loop does not spend time on it."""
    raw = home / "FashionMNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for file in fashion_mnist.folder().iterdir():
        if file.name.endswith(".gz"):
            (raw / file.name.removesuffix(".gz")).write_bytes(gzip.decompress(file.read_bytes()))
    return home


def main() -> None:
    """Run all trainings, and write the results file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--recipe", action="append", default=[], metavar="NAME=N", help="a recipe and its seeds")
    parser.add_argument("--loop", type=int, default=3, help="seeds of the plain loop")
    parser.add_argument("--epochs", type=int, default=15, help="of the plain loop; chosen on validation beforehand")
    parser.add_argument("--home", type=Path, default=Path("runs/time_to_accuracy"), help="folder of the records")
    parser.add_argument("--out", type=Path, default=Path("results/time_to_accuracy.json"))
    args = parser.parse_args()
    args.home.mkdir(parents=True, exist_ok=True)
    counts = {name: int(count) for name, _, count in (text.rpartition("=") for text in args.recipe)}
    records = train_in_turns(counts | {LOOP: args.loop}, args.epochs, args.home)
    rows = [summarize(name, each) for name, each in records.items()]
    command = timing.current_command()
    runs = [record for each in records.values() for record in each]
    results.write(args.out, recipe="time_to_accuracy", command=command, runs=runs, methods=rows)
    print(args.out)


if __name__ == "__main__":
    main()
