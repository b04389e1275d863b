"""Folds for cross-validation, and balanced sampling weights."""

import numpy as np
import pytest

from modiste.data.folds import balanced_weights, stratified_fold, stratified_folds
from modiste.data.split import Split
from modiste.errors import InputError
from modiste.labels import NONE_OF_THESE

LABELS = np.repeat([0, 1], [40, 20])


NAMES = ("a", "b")


def split_of(labels: list[int], folders: list[int] | None, candidates: list[list[bool]] | None = None) -> Split:
    """A split without pixels."""
    return Split(
        "train",
        np.empty((len(labels), 0, 0), np.uint8),
        np.array(labels),
        None if candidates is None else np.array(candidates),
        folders=None if folders is None else np.array(folders),
    )


def test_every_class_has_the_same_weight() -> None:
    """Three images of one class and one of the other, without folders."""
    assert balanced_weights(split_of([0, 0, 0, 1], None), NAMES) == pytest.approx([2 / 3] * 3 + [2])


def test_none_of_these_has_three_times_the_weight_of_a_class() -> None:
    """It is many classes in one; its photos share what it has."""
    weights = balanced_weights(split_of([0, 1, 2, 2], None), (*NAMES, NONE_OF_THESE))
    assert weights == pytest.approx([0.8, 0.8, 1.2, 1.2])


def test_folders_of_a_class_weigh_by_the_root_of_their_size() -> None:
    """Four photos of one folder and one of another, one class: 2 to 1; the other class has one folder."""
    weights = balanced_weights(split_of([0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 1, 2]), NAMES)
    assert weights[:4].sum() == pytest.approx(2 * weights[4])
    assert weights[:5].sum() == pytest.approx(weights[5])
    assert weights.mean() == pytest.approx(1)


def test_uncertain_images_are_a_class_of_their_own() -> None:
    """A shoe of unknown kind does not take the weight of a sandal."""
    candidates = [[True, False], [False, True], [True, True], [True, True]]
    assert balanced_weights(split_of([0, 1, 0, 0], None, candidates), NAMES) == pytest.approx(
        [4 / 3, 4 / 3, 2 / 3, 2 / 3]
    )


def test_folds_have_the_same_share_of_each_class_and_cut_no_group() -> None:
    """Each image is held out once, and a group as one."""
    groups = np.arange(60) // 2
    cuts = stratified_folds(LABELS, 5, seed=0, groups=groups)
    assert sorted(np.concatenate([held_out for _, held_out in cuts])) == list(range(60))
    for train, held_out in cuts:
        assert not set(groups[train]) & set(groups[held_out])
        assert np.bincount(LABELS[held_out]).tolist() == [8, 4]


def test_a_class_with_few_images_or_groups_has_fewer_folds() -> None:
    """Of three images or groups each fold has one; one cannot be cut."""
    assert len(stratified_folds(LABELS[:43], 5, seed=0)) == 3
    assert len(stratified_folds(LABELS, 5, seed=0, groups=np.minimum(np.arange(60), 42))) == 3
    assert stratified_folds(LABELS[:41], 5, seed=0) == []
    assert stratified_folds(LABELS, 5, seed=0, groups=LABELS) == []


def test_a_fold_cuts_no_group() -> None:
    """Of two images each; a class of too few groups is an error."""
    groups = np.arange(60) // 2
    train, held_out = stratified_fold(LABELS, 5, 1, seed=0, groups=groups)
    assert not set(groups[train]) & set(groups[held_out])
    assert len(train) + len(held_out) == 60
    with pytest.raises(InputError, match="at least 5 groups of images, one for each fold, but one has only 2"):
        stratified_fold(LABELS, 5, 0, seed=0, groups=np.arange(60) // 10)
