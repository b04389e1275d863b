"""The tables of layers against the networks themselves."""

import pytest

from modiste.models import networks
from modiste.recipes.named import NAMED
from modiste.recipes.recipe import DataConfig, ModelConfig
from modiste.reporting.html_report import networks as tables

RESIDUAL = {name: make().model for name, make in NAMED.items() if make().model.name == "residual"}
"""Those of the named recipes: with a stem and without, with more blocks, with channels that grow less."""


@pytest.mark.parametrize(
    ("options", "counts"),
    [
        (ModelConfig(name="cnn"), [row[-1] for row in tables.cnn()]),
        (ModelConfig(name="resnet18"), [row[-1] for row in tables.resnet18()]),
        *((options, [row[-1] for row in tables.residual(options)]) for options in RESIDUAL.values()),
    ],
    ids=["cnn", "resnet18", *RESIDUAL],
)
def test_the_layers_add_up(options: ModelConfig, counts: list[int]) -> None:
    """A table's parameters are those that training changes."""
    assert sum(counts) == networks.count_parameters(networks.build(options, 10, DataConfig()))
