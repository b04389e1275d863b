"""What most people write: torchvision's data set, a DataLoader of two workers, transforms an image at a time, fp32.

It trains the course report's CNN by the report's method for a fixed number of epochs. The network and its first weights
are those of `classic-cnn`; all else is torch and torchvision, so that it measures the way and not our code. Nothing is
held out to see a plateau on: the rate falls once, after two thirds of the epochs. The clock starts before the data
files are read and stops after the last prediction on the test split. ROOT holds FashionMNIST/raw/ with the four
official files, as torchvision lays them out.

    python benchmarks/plain_loop.py ROOT --epochs 15 --seed 0
"""

import argparse
import json
import time
from typing import Any

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from modiste.recipes.named import classic_cnn
from modiste.training import networks, weights

MEAN, STD = (0.2860,), (0.3530,)


def loaders(root: str) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """The train and the test loader."""
    plain = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    train = datasets.FashionMNIST(root, True, transforms.Compose([transforms.RandomHorizontalFlip(), *plain]))
    test = datasets.FashionMNIST(root, False, transforms.Compose(plain))
    options: dict[str, Any] = {"num_workers": 2, "persistent_workers": True}
    return DataLoader(train, batch_size=256, shuffle=True, **options), DataLoader(test, batch_size=1000, **options)


def main() -> None:
    """Train, judge once, print a record as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("root")
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()

    started = time.perf_counter()
    torch.manual_seed(given.seed)
    train, test = loaders(given.root)
    model = networks.cnn(labels=10, channels=1, size=28, options=classic_cnn().network)
    weights.xavier(model, skip=set())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [given.epochs * 2 // 3])
    for _ in range(given.epochs):
        model.train()
        for images, labels in train:
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
        schedule.step()
    model.eval()
    with torch.inference_mode():
        right = torch.cat([model(images).argmax(1) == labels for images, labels in test])
    seconds = time.perf_counter() - started
    record = {
        "recipe": "plain loop",
        "seed": given.seed,
        "epochs": given.epochs,
        "seconds": seconds,
        "test_images": len(right),
    }
    print(json.dumps(record | {"test_accuracy": right.double().mean().item()}))


if __name__ == "__main__":
    main()
