"""A stranger's network, named on the command line as `helpers.network:tiny`."""

from torch import nn

from modiste.recipes.recipe import Network


def tiny(labels: int, channels: int, size: int, options: Network) -> nn.Module:
    """Build a network of about 2,000 parameters with batch norm and dropout, so that each kind of state is in it."""
    return nn.Sequential(
        nn.Conv2d(channels, 4, 3, stride=3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(options.dropout),
        nn.Linear(4 * (size // 3) ** 2, labels),
    )
