"""Losses for labels, candidate labels and label distributions."""

import pytest
import torch
import torch.nn.functional as F

from modiste.errors import SettingError
from modiste.training import targets

LOGITS = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 0.5]])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_one_candidate_label_equals_a_label(smoothing: float) -> None:
    """Both forms give the loss of PyTorch and the same correctness."""
    labels = torch.tensor([0, 2])
    sets = F.one_hot(labels, 3).bool()
    expected = F.cross_entropy(LOGITS, labels, label_smoothing=smoothing, reduction="none")
    for form in (labels, sets):
        assert torch.allclose(targets.losses(LOGITS, form, smoothing), expected)
        assert targets.is_correct(LOGITS, form).tolist() == [True, False]


def test_the_loss_of_candidate_labels_uses_their_sum() -> None:
    """The loss is -log of the sum of their probabilities; each of them is correct."""
    sets = torch.tensor([[True, True, False], [True, False, True]])
    summed = LOGITS.softmax(1).masked_fill(~sets, 0).sum(1)
    assert torch.allclose(targets.losses(LOGITS, sets), -summed.log())
    assert targets.is_correct(LOGITS, sets).tolist() == [True, False]


def test_gradients_of_candidate_labels_are_finite() -> None:
    """Also where the probability of another label is nearly 1."""
    logits = torch.tensor([[200.0, -200.0, 0.0]], requires_grad=True)
    targets.losses(logits, torch.tensor([[False, True, True]])).sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_a_distribution_is_a_divergence(smoothing: float) -> None:
    """Cross-entropy minus the entropy of the target: 0 where the network predicts the target."""
    soft = torch.tensor([[0.7, 0.2, 0.1], [0.0, 0.5, 0.5]])
    smoothed = (1 - smoothing) * soft + smoothing / 3
    logits = LOGITS.clone().requires_grad_()
    losses = targets.losses(logits, soft, smoothing)
    entropy = -torch.xlogy(smoothed, smoothed).sum(1)
    assert torch.allclose(losses, F.cross_entropy(LOGITS, smoothed, reduction="none") - entropy, atol=1e-6)
    losses.sum().backward()
    assert torch.allclose(logits.grad, LOGITS.softmax(1) - smoothed, atol=1e-6)
    assert torch.allclose(targets.losses(smoothed[:1].log(), soft[:1], smoothing), torch.zeros(1), atol=1e-6)
    assert targets.is_correct(LOGITS, soft).tolist() == [True, True]


def test_candidate_labels_have_no_distribution() -> None:
    """Labels become one-hot rows; candidate labels are refused, since their weights are unknown."""
    assert targets.to_distributions(torch.tensor([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]
    with pytest.raises(SettingError, match=r"augmentation\.mixup_prob"):
        targets.to_distributions(torch.tensor([[True, True]]), 2)
