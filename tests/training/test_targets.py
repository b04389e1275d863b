"""One label an image, or one of several."""

import pytest
import torch
import torch.nn.functional as F

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
        assert targets.right(LOGITS, form).tolist() == [True, False]


def test_the_loss_of_several_labels_is_on_their_sum() -> None:
    """And any of them is right."""
    sets = torch.tensor([[True, True, False], [True, False, True]])
    summed = LOGITS.softmax(1).masked_fill(~sets, 0).sum(1)
    assert torch.allclose(targets.losses(LOGITS, sets), -summed.log())
    assert targets.right(LOGITS, sets).tolist() == [True, False]


def test_a_label_that_is_not_allowed_sends_no_gradient_of_nan() -> None:
    """However sure the network is of another one."""
    logits = torch.tensor([[200.0, -200.0, 0.0]], requires_grad=True)
    targets.losses(logits, torch.tensor([[False, True, True]])).sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
