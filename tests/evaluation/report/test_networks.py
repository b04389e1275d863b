"""The tables of layers against the networks themselves."""

import pytest

from modiste.evaluation.report import networks as tables
from modiste.recipes.named import NAMED
from modiste.recipes.recipe import Data, Network
from modiste.training import networks

RESIDUAL = {name: make().network for name, make in NAMED.items() if make().network.name == "residual"}
"""Those of the named recipes: with a stem and without, with more blocks, with channels that grow less."""


@pytest.mark.parametrize(
    ("options", "counts"),
    [
        (Network(name="cnn"), [row[-1] for row in tables.cnn()]),
        (Network(name="resnet18"), [row[-1] for row in tables.resnet18()]),
        *((options, [row[-1] for row in tables.residual(options)]) for options in RESIDUAL.values()),
    ],
    ids=["cnn", "resnet18", *RESIDUAL],
)
def test_the_layers_add_up(options: Network, counts: list[int]) -> None:
    """A table's parameters are those that training changes."""
    assert sum(counts) == networks.parameters(networks.build(options, 10, Data()))
