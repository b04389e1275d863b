"""Muon: orthogonalised steps for filters, plain SGD for the rest."""

import torch
from torch import Tensor, nn

from modiste.training import muon


def network() -> nn.Module:
    """A filter, batch norm, a linear layer."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, 2))


def test_steps_are_nearly_orthogonal() -> None:
    """Singular values from 0.1 to 10 all come to about 1, for wide and for tall matrices."""
    torch.manual_seed(0)
    for shape in ((16, 144), (144, 16)):
        u, _, v = torch.linalg.svd(torch.randn(shape), full_matrices=False)
        found = torch.linalg.svdvals(muon.orthogonal(u @ torch.diag(torch.logspace(-1, 1, 16)) @ v))
        assert 0.6 < found.min() <= found.max() < 1.3


def test_parameters_are_sorted_by_what_they_are() -> None:
    """Filters, linear layers and vectors each have their group and their share of the rate."""
    made = network()
    filters, head, rest = muon.groups(made, head=0.1, rest=0.5)
    assert [group["share"] for group in (filters, head, rest)] == [1, 0.1, 0.5]
    assert [group["orthogonal"] for group in (filters, head, rest)] == [True, False, False]
    assert filters["params"][0] is made[0].weight
    assert head["params"][0] is made[3].weight
    assert len(rest["params"]) == 4


def test_what_is_no_filter_moves_as_under_pytorchs_sgd() -> None:
    """Nesterov momentum and weight decay of vectors and linear layers agree with torch.optim.SGD."""
    ours, theirs = network()[3], network()[3]
    mine = muon.Muon(muon.groups(ours, 1, 1), momentum=0.8, weight_decay=0.1)
    reference = torch.optim.SGD(theirs.parameters(), lr=0.3, momentum=0.8, nesterov=True, weight_decay=0.1)
    for group in mine.param_groups:
        group["lr"] = 0.3
    for step in range(3):
        for made, optimizer in ((ours, mine), (theirs, reference)):
            optimizer.zero_grad()
            made(torch.full((4, 8), step + 1.0)).square().sum().backward()
            optimizer.step()
    _agree(ours.parameters(), theirs.parameters())


def test_filters_keep_their_norm_and_move_by_the_rate() -> None:
    """A filter bank of n filters has norm sqrt(n) before a step, and a step moves each direction by about lr."""
    made = network()[0]
    optimizer = muon.Muon(muon.groups(made, 1, 1), momentum=0.8, weight_decay=0.0)
    for group in optimizer.param_groups:
        group["lr"] = 0.1
    made(torch.randn(4, 3, 5, 5)).square().sum().backward()
    scaled = made.weight.detach() * 8**0.5 / made.weight.detach().norm()
    optimizer.step()
    moved = torch.linalg.svdvals((made.weight.detach() - scaled).reshape(8, -1))
    assert 0.06 < moved.min() <= moved.max() < 0.13


def _agree(ours: object, theirs: object) -> None:
    for here, there in zip(ours, theirs, strict=True):  # type: ignore[call-overload]
        assert isinstance(here, Tensor)
        torch.testing.assert_close(here, there)
