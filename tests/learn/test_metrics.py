"""Metrics against their definitions, written out longhand."""

import numpy as np
import pytest

from nonlocal_core.learn.metrics import (
    average_precision,
    average_precisions,
    class_accuracies,
    confusion,
    mean_average_precision,
    top_k,
)

SCORES = np.array([[0.7, 0.2, 0.1], [0.1, 0.5, 0.4], [0.3, 0.4, 0.3], [0.2, 0.3, 0.5]])
TARGETS = np.array([0, 2, 0, 2])


def longhand_average_precision(scores, positives):
    """sum over the distinct thresholds, from the highest, of (R_n - R_(n-1)) * P_n."""
    area, recall_before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        above = [positive for score, positive in zip(scores, positives, strict=True) if score >= threshold]
        recall = sum(above) / sum(positives)
        area += (recall - recall_before) * sum(above) / len(above)
        recall_before = recall
    return area


def test_top_k_counts_videos_whose_class_is_among_the_k_best():
    assert top_k(SCORES, TARGETS, 1) == 2 / 4  # the first and the last
    assert top_k(SCORES, TARGETS, 2) == 4 / 4  # the second is second; the third ties for second, and 0 comes before 2
    assert top_k(SCORES, np.array([2, 0, 2, 0]), 2) == 0
    assert top_k(SCORES, TARGETS, 5) == 1


def test_a_network_that_answers_the_same_everywhere_is_right_for_one_class_only():
    assert top_k(np.zeros((4, 4)), np.arange(4), 1) == 1 / 4
    assert top_k(np.zeros((4, 4)), np.arange(4), 2) == 2 / 4


def test_nothing_measured_is_not_a_number():
    assert np.isnan(top_k(np.zeros((0, 3)), np.zeros(0, int), 1))
    assert np.isnan(average_precision(np.array([0.3, 0.2]), np.array([0, 0])))
    assert np.isnan(mean_average_precision(np.zeros((2, 2)), np.zeros((2, 2))))


def test_confusion_has_the_true_class_in_its_rows():
    assert confusion(SCORES, TARGETS).tolist() == [[1, 1, 0], [0, 0, 0], [0, 1, 1]]


def test_accuracy_of_a_class_is_its_part_of_the_confusion_and_nan_without_videos():
    found = class_accuracies(SCORES, TARGETS)

    assert found[[0, 2]].tolist() == [1 / 2, 1 / 2]
    assert np.isnan(found[1])


def test_average_precision_by_hand():
    # Ranks 1 and 3 hit: the precisions there are 1/1 and 2/3.
    assert average_precision(np.array([0.9, 0.8, 0.7, 0.1]), np.array([1, 0, 1, 0])) == pytest.approx((1 + 2 / 3) / 2)


def test_equal_scores_pass_together_whatever_the_order_of_the_files():
    scores, positives = np.array([0.5, 0.5, 0.5, 0.2]), np.array([1, 0, 0, 1])

    assert average_precision(scores, positives) == pytest.approx(1 / 2 * 1 / 3 + 1 / 2 * 2 / 4)
    assert average_precision(scores[::-1], positives[::-1]) == average_precision(scores, positives)


@pytest.mark.parametrize("seed", range(20))
def test_average_precision_is_the_longhand_sum_with_and_without_ties(seed):
    random = np.random.default_rng(seed)
    positives = random.integers(0, 2, 30)
    positives[0] = 1
    for scores in (random.random(30), random.integers(0, 5, 30) / 5):
        assert average_precision(scores, positives) == pytest.approx(longhand_average_precision(scores, positives))


def test_without_ties_it_is_the_mean_precision_at_the_positives_as_charades_has_it():
    random = np.random.default_rng(0)
    scores, positives = random.random(50), random.integers(0, 2, 50)

    ranked = positives[np.argsort(-scores)]
    at_hits = [ranked[: rank + 1].mean() for rank in range(50) if ranked[rank]]

    assert average_precision(scores, positives) == pytest.approx(np.mean(at_hits))


def test_classes_that_no_video_has_are_left_out_of_the_mean():
    scores = np.array([[0.9, 0.5, 0.1], [0.1, 0.4, 0.8], [0.5, 0.3, 0.6]])
    targets = np.array([[1, 0, 0], [0, 0, 1], [0, 0, 0]], np.float32)

    assert average_precisions(scores, targets)[[0, 2]].tolist() == [1, 1]
    assert mean_average_precision(scores, targets) == 1
