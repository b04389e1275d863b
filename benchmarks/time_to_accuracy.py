"""The race: our recipes against the plain loop, each training a new process, in turns, in one sitting.

    python benchmarks/time_to_accuracy.py --recipe sprint=20 --recipe sprint-94=10 --loop 3 --epochs 15

It takes hours and the whole machine: run nothing beside it. A sitting that was stopped goes on where it was. Writes
results/time_to_accuracy.json and docs/time_to_accuracy.png.
"""

import argparse
import gzip
from pathlib import Path

import sitting
import timing

from modiste.data import fashion_mnist
from modiste.reporting import canvas, figures
from modiste.runs import results

HERE = Path(__file__).parent
LOOP = "plain loop"


def race(counts: dict[str, int], epochs: int, home: Path) -> dict[str, list[sitting.Record]]:
    """Race so many seeds of each contestant, taking turns: a machine that slows down slows all of them."""
    found: dict[str, list[sitting.Record]] = {name: [] for name, count in counts.items() if count}
    for seed in range(max(counts.values())):
        for name, records in found.items():
            if seed < counts[name]:
                records.append(_one(name, seed, epochs, home))
    return found


def _one(name: str, seed: int, epochs: int, home: Path) -> sitting.Record:
    if name != LOOP:
        return sitting.run(f"{name} {seed}", [sitting.RACE, name, "--seed", str(seed)], home)
    given = [str(HERE / "plain_loop.py"), str(unpacked(home)), "--epochs", str(epochs), "--seed", str(seed)]
    return sitting.run(f"{LOOP} of {epochs} epochs {seed}", given, home)


def unpacked(home: Path) -> Path:
    """The four files as torchvision lays them out: the plain loop does not pay for gzip."""
    raw = home / "FashionMNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for file in fashion_mnist.folder().iterdir():
        if file.name.endswith(".gz"):
            (raw / file.name.removesuffix(".gz")).write_bytes(gzip.decompress(file.read_bytes()))
    return home


def main() -> None:
    """Hold the sitting that the command line describes, and write its results and its chart."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--recipe", action="append", default=[], metavar="NAME=N", help="a recipe and its seeds")
    parser.add_argument("--loop", type=int, default=3, help="seeds of the plain loop")
    parser.add_argument("--epochs", type=int, default=15, help="of the plain loop; choose it on validation beforehand")
    parser.add_argument("--home", type=Path, default=Path("runs/time_to_accuracy"), help="where trainings are noted")
    parser.add_argument("--out", type=Path, default=Path("results/time_to_accuracy.json"))
    parser.add_argument("--chart", type=Path, default=Path("docs/time_to_accuracy.png"))
    given = parser.parse_args()
    for folder in (given.home, given.chart.parent):
        folder.mkdir(parents=True, exist_ok=True)
    counts = {name: int(count) for name, _, count in (text.rpartition("=") for text in given.recipe)}
    found = race(counts | {LOOP: given.loop}, given.epochs, given.home)
    rows = [sitting.summary(name, records) for name, records in found.items()]
    command = timing.command()
    runs = [record for records in found.values() for record in records]
    results.write(given.out, recipe="time_to_accuracy", command=command, runs=runs, contestants=rows)
    points = {
        name: [(record["seconds"], sitting.accuracy(record)) for record in records] for name, records in found.items()
    }
    canvas.save_png(figures.plot_accuracy_over_time(points), given.chart)
    print(given.out, given.chart)


if __name__ == "__main__":
    main()
