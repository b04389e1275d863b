"""What most people write: torchvision's data set, a DataLoader of two workers, transforms an image at a time, fp32.

It trains the course report's CNN by the report's method for a fixed number of epochs. The network and its first weights
are those of `classic-cnn`; all else is torch and torchvision, so that it measures the way and not our code. Nothing is
held out to see a plateau on: the rate falls once, after two thirds of the epochs. The clock starts before the data
files are read and stops after the last prediction on the test split. ROOT holds FashionMNIST/raw/ with the four
official files, as torchvision lays them out.

    python benchmarks/plain_loop.py ROOT --epochs 15 --seed 0
    python benchmarks/plain_loop.py ROOT --epochs 15 --seed 0 --validation
"""

import argparse
import json
import time
from typing import Any

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset, Subset
from torchvision import datasets, transforms

from modiste.models import networks, weights
from modiste.recipes.named import classic_cnn
from modiste.runs import environment
from modiste.training import compute

MEAN, STD = (0.2860,), (0.3530,)

Data = Dataset[Any]


def data(root: str, validation: bool, seed: int) -> tuple[Data, Data]:
    """What to train on, augmented, and what to judge on: the test split, or a fifth of the train images for choices."""
    plain = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    augmented = transforms.Compose([transforms.RandomHorizontalFlip(), *plain])
    train = datasets.FashionMNIST(root, train=True, transform=augmented)
    if not validation:
        return train, datasets.FashionMNIST(root, train=False, transform=transforms.Compose(plain))
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed)).tolist()
    held_out = datasets.FashionMNIST(root, train=True, transform=transforms.Compose(plain))
    return Subset(train, order[len(order) // 5 :]), Subset(held_out, order[: len(order) // 5])


def train(loader: DataLoader[Any], epochs: int) -> torch.nn.Module:
    """Return the report's CNN, trained by the report's method."""
    model = networks.cnn(num_classes=10, channels=1, image_size=28, options=classic_cnn().model)
    weights.initialize_xavier(model, skip=set())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [epochs * 2 // 3])
    for _ in range(epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
        schedule.step()
    return model


def main() -> None:
    """Train, judge once, print a record as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("root")
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--validation", action="store_true", help="hold a fifth out and judge on it: for choices")
    given = parser.parse_args()

    started = time.perf_counter()
    torch.manual_seed(given.seed)
    learned, judged = data(given.root, given.validation, given.seed)
    options: dict[str, Any] = {"num_workers": 2, "persistent_workers": True}
    model = train(DataLoader(learned, batch_size=256, shuffle=True, **options), given.epochs).eval()
    with torch.inference_mode():
        answers = [model(images).argmax(1) == labels for images, labels in DataLoader(judged, 1000, **options)]
    right = torch.cat(answers)
    seconds = time.perf_counter() - started
    record = {
        "recipe": "plain loop",
        "seed": given.seed,
        "seconds": seconds,
        "split": "validation" if given.validation else "test",
        "accuracy": right.double().mean().item(),
        "images": len(right),
        "epochs": given.epochs,
        "parameters": networks.count_parameters(model),
        **compute.describe(torch.device("cpu"), torch.float32),
    }
    print(json.dumps(record | environment.describe()))


if __name__ == "__main__":
    main()
