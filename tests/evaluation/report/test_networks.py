"""The tables of layers against the networks themselves."""

import pytest

from modiste.evaluation.report import networks as tables
from modiste.recipes.recipe import Data, Network
from modiste.training import networks


@pytest.mark.parametrize(
    ("options", "counts"),
    [
        (Network(name="cnn"), [row[-1] for row in tables.cnn()]),
        (Network(name="resnet18"), [row[-1] for row in tables.resnet18()]),
        (Network(name="residual", width=8), [row[-1] for row in tables.residual(8)]),
        (Network(name="residual", width=24, stem=16), [row[-1] for row in tables.residual(24, 16)]),
    ],
    ids=["cnn", "resnet18", "residual-8", "residual-24-stem"],
)
def test_the_layers_add_up(options: Network, counts: list[int]) -> None:
    """A table's parameters are those that training changes."""
    assert sum(counts) == networks.parameters(networks.build(options, 10, Data()))
