"""Transfer from ImageNet to Fashion-MNIST: EfficientNet-Lite1 with and without pretrained weights, by number of labels.

    python benchmarks/transfer.py --seeds 3

The images are enlarged to 56 pixels, and the gray channel is repeated three times. Each training has 5 epochs and is
evaluated on the test split after the last one. With fewer labels, the first images of each class are used: all seeds
have the same. When the command is repeated, finished trainings are not run again. It writes results/transfer.json.
"""

import argparse
from pathlib import Path
from typing import Any

import timing

from modiste.experiments import ablation
from modiste.experiments.resources import Resources
from modiste.experiments.tricks import Row
from modiste.recipes import settings
from modiste.recipes.config import AugmentationConfig, DataConfig, ModelConfig, OptimizerConfig, ScheduleConfig
from modiste.recipes.recipe import Recipe
from modiste.runs import results

SIZES = (600, 1800, 6000, 60_000)
"""Numbers of labels: 1, 3, 10 % and all of Fashion-MNIST."""

RANDOM_WEIGHTS = Row("random weights", {"model.weights": ""})


def pretrained_recipe() -> Recipe:
    """Return the recipe with ImageNet weights; its learning rate is a usual one for either kind of weights."""
    return Recipe(
        name="transfer",
        description="EfficientNet-Lite1 with ImageNet weights on Fashion-MNIST at 56 pixels; nothing is chosen.",
        data=DataConfig(val_fraction=0.0),
        model=ModelConfig(name="efficientnet_lite1", weights="imagenet", init="default", dropout=0.2, upscale=2),
        augmentation=AugmentationConfig(horizontal_flip=True),
        optimizer=OptimizerConfig(name="adamw", lr=1e-3, weight_decay=0.01, batch_size=64),
        schedule=ScheduleConfig(name="one_cycle", epochs=5, warmup_fraction=0.2),
    )


def compare(images: int, args: argparse.Namespace) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Train with both kinds of weights on so many labels; return their comparison and a record of each training."""
    changes = dict(map(settings.parse_setting, args.set)) | {"data.max_train_images": images}
    recipe = settings.with_settings(pretrained_recipe(), changes)
    plan = ablation.plan(recipe, [RANDOM_WEIGHTS], args.seeds, "test", args.home / str(images), Resources(args.jobs))
    rows, runs = ablation.compare_rows(plan, ablation.run(plan, print))
    runs = [{**run, "recipe": f"{images} labels, {run['recipe']}"} for run in runs]
    return {"labels": images, "base": settings.to_settings(recipe), "rows": rows}, runs


def main() -> None:
    """Run all trainings and write the results file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--labels", type=int, nargs="+", default=SIZES, help="numbers of labeled training images")
    parser.add_argument("--jobs", type=int, default=1, help="number of trainings in parallel")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any setting of the recipe")
    parser.add_argument("--home", type=Path, default=Path("runs/transfer"), help="folder of the runs")
    parser.add_argument("--out", type=Path, default=Path("results/transfer.json"))
    args = parser.parse_args()
    sizes, runs = zip(*(compare(images, args) for images in args.labels), strict=True)
    records = [run for each in runs for run in each]
    results.write(
        args.out, recipe="transfer", command=timing.current_command(), runs=records, split="test", sizes=sizes
    )
    print(args.out)


if __name__ == "__main__":
    main()
