"""The loss of the labels: class weights, and losses of the user's own."""

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor

from helpers.factories import focal
from modiste.errors import SettingError
from modiste.recipes import settings
from modiste.recipes.config import LossConfig
from modiste.recipes.recipe import Recipe
from modiste.training import targets
from modiste.training.losses import LabelLoss, class_weights, create_loss

LABELS = torch.tensor([0] * 6 + [1] * 3 + [2])
LOGITS = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))


def test_balanced_weights_equal_those_of_scikit_learn() -> None:
    """Each class has the same sum of weights."""
    expected = compute_class_weight("balanced", classes=np.arange(3), y=LABELS.numpy())
    assert class_weights(LossConfig(class_weights="balanced"), LABELS, 3).tolist() == pytest.approx(expected)


def test_weights_have_a_mean_of_1_over_the_images() -> None:
    """So that the learning rate needs no change; a class without images has a weight that is not used."""
    weights = class_weights(LossConfig(class_weights=(1.0, 2.0, 3.0, 9.0)), LABELS, 4)
    assert weights[LABELS].mean() == pytest.approx(1)
    assert weights[1] == pytest.approx(2 * weights[0].item())
    assert class_weights(LossConfig(class_weights="balanced"), LABELS, 4).isfinite().all()


@pytest.mark.parametrize("form", ["classes", "candidates", "distributions"])
def test_losses_are_weighted_by_class(form: str) -> None:
    """In each form of the targets; the weights of candidate labels are averaged."""
    one_hot = torch.nn.functional.one_hot(LABELS, 3)
    labels: Tensor = {"classes": LABELS, "candidates": one_hot.bool(), "distributions": one_hot.float()}[form]
    weights = class_weights(LossConfig(class_weights="balanced"), labels, 3)
    loss = LabelLoss(class_weights=weights)
    torch.testing.assert_close(loss(LOGITS, labels), weights[LABELS] * targets.losses(LOGITS, labels))
    both = torch.tensor([[True, True, False]])
    ratio = loss(LOGITS[:1], both) / targets.losses(LOGITS[:1], both)
    torch.testing.assert_close(ratio, weights[:2].mean()[None])


def test_without_settings_the_loss_is_cross_entropy() -> None:
    """Bit-identical, with the label smoothing of the optimizer section."""
    recipe = settings.with_settings(Recipe(), {"optimizer.label_smoothing": 0.2})
    assert torch.equal(create_loss(recipe, LABELS, 3)(LOGITS, LABELS), targets.losses(LOGITS, LABELS, 0.2))


def test_a_loss_of_the_users_own_gets_its_options() -> None:
    """And class weights, which are multiplied with it."""
    changes = {"loss.name": "helpers.factories:focal", "loss.options.gamma": 1.5, "loss.class_weights": "balanced"}
    loss = create_loss(settings.with_settings(Recipe(), changes), LABELS, 3)
    assert loss.class_weights is not None
    torch.testing.assert_close(loss(LOGITS, LABELS), loss.class_weights[LABELS] * focal(1.5)(LOGITS, LABELS))


def test_a_loss_of_torch_needs_no_code() -> None:
    """With the losses of the images instead of their mean."""
    changes = {"loss.name": "torch.nn:MultiMarginLoss", "loss.options.reduction": "none"}
    assert create_loss(settings.with_settings(Recipe(), changes), LABELS, 3)(LOGITS, LABELS).shape == (10,)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss.class_weights": [1, 2]}, "has 2 numbers, but there are 3 classes"),
        ({"loss.name": "torch.nn:MultiMarginLoss"}, r"returns \(\) for two images"),
        ({"loss.name": "helpers.factories:returns_text"}, "returns str for two images"),
        (
            {"loss.name": "helpers.factories:fails"},
            r"ValueError: of no use.*factories\.py, line \d+\). A loss's factory",
        ),
        ({"loss.name": "helpers.factories:fails_when_called"}, r"factories\.py, line \d+"),
        ({"loss.name": "helpers.factories:WithParameters"}, "has parameters of its own"),
        ({"loss.name": "helpers.factories:focal", "loss.options.alpha": 1}, "unexpected keyword argument 'alpha'"),
    ],
)
def test_a_loss_that_cannot_be_used_is_a_setting_error(changes: dict[str, object], message: str) -> None:
    """Before anything is trained."""
    with pytest.raises(SettingError, match=message):
        create_loss(settings.with_settings(Recipe(), changes), LABELS, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss.class_weights": "even"}, "balanced, a list with a number above 0"),
        ({"loss.class_weights": [1, 0]}, "balanced, a list with a number above 0"),
        ({"loss.class_weights": "balanced", "data.sampling": "balanced"}, "one of both is enough"),
        ({"loss.name": "a:b", "optimizer.label_smoothing": 0.1}, "0 with a loss of your own"),
        ({"loss.options.gamma": 1}, "empty, as loss.name=cross_entropy takes none"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes: dict[str, object], message: str) -> None:
    """The rule is in the message."""
    with pytest.raises(SettingError, match=message):
        settings.with_settings(Recipe(), changes)
