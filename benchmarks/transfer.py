"""Transfer from ImageNet to Fashion-MNIST: EfficientNet-Lite1 with and without pretrained weights, by number of labels.

    python benchmarks/transfer.py --seeds 3

The images are enlarged to 56 pixels, and the gray channel is repeated three times. A tenth of the training images is
held out for the curves; nothing is chosen on it. Each training has 5 epochs and is evaluated on the test split after
the last one. With fewer labels, the first images of each class are used: all seeds have the same. When the command is
repeated, finished trainings are not run again. It writes results/transfer-LABELS.json, as `modiste ablate` does.
"""

import argparse
from pathlib import Path

import timing

from modiste.experiments import ablation
from modiste.experiments.resources import Resources
from modiste.experiments.tricks import Row
from modiste.recipes import settings
from modiste.recipes.config import (
    AugmentationConfig,
    ComputeConfig,
    DataConfig,
    ModelConfig,
    OptimizerConfig,
    ScheduleConfig,
)
from modiste.recipes.recipe import Recipe

LABELS = (600, 1800, 6000, 0)
"""Numbers of labels, 1, 3 and 10 % of Fashion-MNIST; 0: all 54,000 that are not held out."""

RANDOM_WEIGHTS = Row("random weights", {"model.weights": ""})


def pretrained_recipe() -> Recipe:
    """Return the recipe with ImageNet weights; its learning rate is a usual one for either kind of weights."""
    return Recipe(
        name="transfer",
        description="EfficientNet-Lite1 with ImageNet weights on Fashion-MNIST at 56 pixels; nothing is chosen.",
        data=DataConfig(val_fraction=0.1),
        model=ModelConfig(name="efficientnet_lite1", weights="imagenet", init="default", dropout=0.2, upscale=2),
        augmentation=AugmentationConfig(horizontal_flip=True),
        optimizer=OptimizerConfig(name="adamw", lr=1e-3, weight_decay=0.01, batch_size=64),
        schedule=ScheduleConfig(name="one_cycle", epochs=5, warmup_fraction=0.2),
        compute=ComputeConfig(precision="fp32"),  # faster on a CPU: depthwise convolutions are slow in bf16
    )


def compare(labels: int, args: argparse.Namespace) -> None:
    """Train with both kinds of weights on so many labels, and write the results file."""
    changes = dict(map(settings.parse_setting, args.set)) | {"data.max_train_images": labels}
    recipe = settings.with_settings(pretrained_recipe(), changes)
    title = f"transfer-{labels or 'all'}"
    plan = ablation.plan(recipe, [RANDOM_WEIGHTS], args.seeds, "test", args.home / title, Resources(args.jobs))
    path = args.out / f"{title}.json"
    ablation.write(path, title, timing.current_command(), plan, ablation.run(plan, print))
    print(path)


def main() -> None:
    """Run all trainings and write the results files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--labels", type=int, nargs="+", default=LABELS, help="numbers of labeled images; 0: all")
    parser.add_argument("--jobs", type=int, default=1, help="number of trainings in parallel")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any setting of the recipe")
    parser.add_argument("--home", type=Path, default=Path("runs/transfer"), help="folder of the runs")
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder of the results files")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for labels in args.labels:
        compare(labels, args)


if __name__ == "__main__":
    main()
