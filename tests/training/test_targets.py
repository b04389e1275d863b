"""One label an image, one of several, or a distribution."""

import pytest
import torch
import torch.nn.functional as F

from modiste.errors import SettingError
from modiste.training import targets

LOGITS = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 0.5]])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_set_of_one_label_is_that_label(smoothing: float) -> None:
    """Both forms give the same loss, that of PyTorch, and the same judgement."""
    labels = torch.tensor([0, 2])
    sets = F.one_hot(labels, 3).bool()
    expected = F.cross_entropy(LOGITS, labels, label_smoothing=smoothing, reduction="none")
    for form in (labels, sets):
        assert torch.allclose(targets.losses(LOGITS, form, smoothing), expected)
        assert targets.is_correct(LOGITS, form).tolist() == [True, False]


def test_the_loss_of_several_labels_is_on_their_sum() -> None:
    """And any of them is right."""
    sets = torch.tensor([[True, True, False], [True, False, True]])
    summed = LOGITS.softmax(1).masked_fill(~sets, 0).sum(1)
    assert torch.allclose(targets.losses(LOGITS, sets), -summed.log())
    assert targets.is_correct(LOGITS, sets).tolist() == [True, False]


def test_other_labels_than_candidates_give_no_nan_gradient() -> None:
    """However sure the network is of another one."""
    logits = torch.tensor([[200.0, -200.0, 0.0]], requires_grad=True)
    targets.losses(logits, torch.tensor([[False, True, True]])).sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_distribution_is_learned_as_it_is(smoothing: float) -> None:
    """Cross-entropy less the entropy of the target: 0 where the network says the very same."""
    soft = torch.tensor([[0.7, 0.2, 0.1], [0.0, 0.5, 0.5]])
    wanted = (1 - smoothing) * soft + smoothing / 3
    logits = LOGITS.clone().requires_grad_()
    found = targets.losses(logits, soft, smoothing)
    entropy = -torch.xlogy(wanted, wanted).sum(1)
    assert torch.allclose(found, F.cross_entropy(LOGITS, wanted, reduction="none") - entropy, atol=1e-6)
    found.sum().backward()
    assert torch.allclose(logits.grad, LOGITS.softmax(1) - wanted, atol=1e-6)
    assert torch.allclose(targets.losses(wanted[:1].log(), soft[:1], smoothing), torch.zeros(1), atol=1e-6)
    assert targets.is_correct(LOGITS, soft).tolist() == [True, True]


def test_labels_become_distributions_but_several_do_not() -> None:
    """One label is all of it; where an image may have several, there is no saying how much is whose."""
    assert targets.to_distributions(torch.tensor([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]
    with pytest.raises(SettingError, match=r"augmentation\.mixup_prob"):
        targets.to_distributions(torch.tensor([[True, True]]), 2)
