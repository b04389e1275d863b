"""Train with a common PyTorch loop: torchvision's dataset, a DataLoader with two workers, transforms per image, fp32.

It trains the course report's CNN by the report's method for a fixed number of epochs. The network and its initial
weights are those of `classic-cnn`; everything else is torch and torchvision. There is no validation split to reduce the
learning rate on a plateau, so it is reduced once, after two thirds of the epochs. The clock starts before the data
files are read and stops after the last prediction on the test split. ROOT contains FashionMNIST/raw/ with the four
official files, as torchvision expects them.

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


def load_data(root: str, validation: bool, seed: int) -> tuple[Data, Data]:
    """Return the augmented training images and the test split, or a fifth of the training images with `validation`."""
    plain = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    augmented = transforms.Compose([transforms.RandomHorizontalFlip(), *plain])
    train = datasets.FashionMNIST(root, train=True, transform=augmented)
    if not validation:
        return train, datasets.FashionMNIST(root, train=False, transform=transforms.Compose(plain))
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed)).tolist()
    held_out = datasets.FashionMNIST(root, train=True, transform=transforms.Compose(plain))
    return Subset(train, order[len(order) // 5 :]), Subset(held_out, order[: len(order) // 5])


def train(loader: DataLoader[Any], epochs: int) -> torch.nn.Module:
    """Train the report's CNN by the report's method and return it."""
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
    """Train, evaluate once and print a record as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("root")
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--validation", action="store_true", help="hold a fifth out and evaluate on it, to make choices"
    )
    args = parser.parse_args()

    start = time.perf_counter()
    torch.manual_seed(args.seed)
    training, evaluation = load_data(args.root, args.validation, args.seed)
    options: dict[str, Any] = {"num_workers": 2, "persistent_workers": True}
    model = train(DataLoader(training, batch_size=256, shuffle=True, **options), args.epochs).eval()
    with torch.inference_mode():
        batches = [model(images).argmax(1) == labels for images, labels in DataLoader(evaluation, 1000, **options)]
    is_correct = torch.cat(batches)
    seconds = time.perf_counter() - start
    record = {
        "recipe": "plain loop",
        "seed": args.seed,
        "seconds": seconds,
        "split": "validation" if args.validation else "test",
        "accuracy": is_correct.double().mean().item(),
        "images": len(is_correct),
        "epochs": args.epochs,
        "parameters": networks.count_parameters(model),
        **compute.describe(torch.device("cpu"), torch.float32),
    }
    print(json.dumps(record | environment.describe()))


if __name__ == "__main__":
    main()
