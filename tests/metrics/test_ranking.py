"""Image AUROC and the functions on counts against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve, roc_auc_score

from zoo.metrics import image_auroc, image_f1_max
from zoo.metrics.ranking import au_pro_from_counts, auroc_from_counts, best_f1
from zoo.utils.errors import ZooError


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("levels", [1, 2, 7, 100_000])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_image_auroc_agrees_with_scikit_learn(seed, levels, share):
    generator = np.random.default_rng(seed)
    labels = generator.random(200) < share
    scores = generator.integers(-levels, levels, 200) + labels * levels // 2
    expected = roc_auc_score(labels, scores)
    assert image_auroc(scores, labels) == pytest.approx(expected, abs=1e-12)
    assert image_auroc(scores.astype(np.float32), labels.astype(int)) == pytest.approx(expected)
    assert image_auroc(-scores, labels) == pytest.approx(1 - expected, abs=1e-12)


def test_image_auroc_keeps_what_float32_would_merge():
    assert image_auroc([1.0, 1.0 + 1e-12], [0, 1]) == 1.0


@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1, 1], []])
def test_image_auroc_needs_both_kinds(labels):
    assert image_auroc(np.arange(len(labels)), labels) is None


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ([0.1, 0.2], "2 image scores for 3 labels"),
        ([0.1, np.nan, np.inf], "2 NaN or infinite values among 3"),
    ],
)
def test_image_auroc_refuses_what_it_cannot_rank(scores, words):
    with pytest.raises(ZooError, match=words):
        image_auroc(scores, [0, 1, 1])


def test_ties_count_one_half():
    normal, defect = np.array([3, 1]), np.array([0, 2])
    assert auroc_from_counts(normal, defect) == (3 * 2 + 2 / 2) / 8


def test_counts_of_a_whole_split_do_not_overflow():
    normal = np.array([1.5e9, 0.0, 1.0])
    assert auroc_from_counts(normal, np.array([0.0, 2e8, 0.0])) == pytest.approx(1 - 1 / 1.5e9)


def test_rounding_lifts_nothing_above_one():
    normal = np.array([848883442.0, 0, 0, 0])
    defect = np.array([0, 27734705.0, 81585355.0, 67087654.0])
    assert auroc_from_counts(normal, defect) == 1.0


def test_of_equal_thresholds_the_highest_wins():
    # Levels 1 and 2 both give F1 2/3: from level 1 on 2 hits 2 misses, at level 2 1 hit 0 misses.
    assert best_f1(np.array([9, 2, 0]), np.array([0, 1, 1])) == (pytest.approx(2 / 3), 2)


def test_au_pro_is_cut_in_the_middle_of_a_step():
    # Curve (0, 0) (0, 0.5) (0.1, 0.9) (1, 1); at 0.05 the overlap is 0.7.
    normal, region = np.array([90, 10, 0]), np.array([0.2, 0.8, 1.0])
    assert au_pro_from_counts(normal, region, 2, 0.05) == pytest.approx((0.5 + 0.7) / 2)
    # With a point exactly on the limit nothing is interpolated.
    assert au_pro_from_counts(normal, region, 2, 0.1) == pytest.approx((0.5 + 0.9) / 2)
    whole = 0.1 * 0.7 + 0.9 * 0.95
    assert au_pro_from_counts(normal, region, 2, 1.0) == pytest.approx(whole)


def test_a_jump_at_the_limit_counts_from_there_on_only():
    # FPR reaches the limit 0.05, then the overlap jumps to 1 without a further false positive.
    normal, region = np.array([95, 0, 5]), np.array([0.0, 1.0, 0.0])
    assert au_pro_from_counts(normal, region, 1, 0.05) == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_image_f1_max_agrees_with_scikit_learn(seed):
    random = np.random.default_rng(seed)
    scores, labels = random.integers(0, 9, 60) / 8, random.random(60) < 0.4
    precision, recall, _ = precision_recall_curve(labels, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    assert image_f1_max(scores, labels) == pytest.approx(f1.max(), abs=1e-12)


def test_image_f1_max_needs_an_anomalous_image():
    assert image_f1_max([0.1, 0.2], [0, 0]) is None
