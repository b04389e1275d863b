"""A stranger's network, named on the command line as `helpers.network:tiny`."""

from torch import nn

from modiste.recipes.recipe import Network


def tiny(labels: int, channels: int, size: int, options: Network) -> nn.Module:
    """Build a network of about 3,500 parameters that has each kind of state.

    Batch norm, dropout, and a convolution of several channels, whose weights have more than one layout in memory.
    """
    return nn.Sequential(
        nn.Conv2d(channels, 4, 3, stride=3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(options.dropout),
        nn.Linear(4 * (size // 3) ** 2, labels),
    )
