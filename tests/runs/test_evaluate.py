"""What a split's figures are where masks, labels or both are missing, and the reasons given."""

from __future__ import annotations

import json

import numpy as np
import pytest

from zoo.postprocess import Calibration, finish
from zoo.runs import figures as module
from zoo.runs.documents import is_scored
from zoo.runs.figures import SplitEvaluation

SIZE = (20, 30)
PIXEL = {"segf1", "precision", "recall", "oracle_segf1", "segf1_all_positive", "pixel_auroc"}
PIXEL |= {"au_pro_005", "au_pro_030", "segf1_low", "segf1_high"}
LABEL = {"image_auroc", "false_blobs_per_good_image", "false_alarm_rate", "detection_rate"}
LABEL |= {"image_f1_max", "image_auroc_low", "image_auroc_high"}


def image(marked: bool = False, defect: bool = False):
    """Return (finished, truth) of an image with or without a blob and a defect."""
    random = np.random.default_rng(int(marked) + 2 * int(defect))
    score_map = random.random(SIZE, np.float32)
    truth = np.zeros(SIZE, bool)
    if marked:
        score_map[2:8, 2:8] += 5
    if defect:
        truth[2:8, 2:9] = True
    return finish(score_map, SIZE, Calibration(2.0, min_area_px=4)), truth


def evaluated(*images: tuple) -> dict:
    """Evaluate (marked, truth or None, label or None)."""
    evaluation = SplitEvaluation()
    for marked, truth, label in images:
        finished, _ = image(marked)
        evaluation.update(finished, float(finished.score_map.max()), truth, label)
    result = evaluation.result()
    json.dumps(result, allow_nan=False)
    missing = {key for key, value in result.items() if value is None}
    assert set(result["reasons"]) == missing  # a reason for every gap, and no other
    return result


GOOD, DEFECT = image()[1], image(defect=True)[1]


def test_with_masks_everything_is_known():
    result = evaluated((True, DEFECT, 1), (False, GOOD, 0), (True, GOOD, 0), (False, DEFECT, 1))
    assert result["reasons"] == {}
    assert result["detection_rate"] == 0.5
    assert result["false_alarm_rate"] == 0.5
    assert result["false_blobs_per_good_image"] == 0.5
    assert (result["n_images"], result["n_good"]) == (4, 2)
    true, false, missed = 36, 36, 6 + 42
    assert result["segf1"] == pytest.approx(2 * true / (2 * true + false + missed))


def test_labels_without_masks_tell_about_images():
    result = evaluated((True, None, 1), (False, None, 1), (True, None, 1), (False, GOOD, 0))
    assert {key for key, value in result.items() if value is None} == PIXEL
    assert set(result["reasons"].values()) == {module.NO_MASKS}
    assert result["detection_rate"] == pytest.approx(2 / 3)
    assert result["false_alarm_rate"] == 0
    assert result["image_auroc"] == pytest.approx((1 + 0.5 + 1) / 3)  # a tie counts one half
    assert result["flagged_fraction"] == pytest.approx(2 * 36 / (4 * 600))


def test_one_mask_that_is_missing_takes_the_pixel_figures():
    result = evaluated((True, DEFECT, 1), (True, None, 1), (False, GOOD, 0))
    assert all(result[key] is None for key in PIXEL)
    assert all(result[key] is not None for key in LABEL)


def test_withheld_truth_leaves_counts_only():
    result = evaluated((True, None, None), (False, None, None))
    assert all(result[key] is None for key in PIXEL | LABEL | {"n_good"})
    assert set(result["reasons"].values()) == {module.NO_TRUTH}
    assert result["n_images"] == 2
    assert result["flagged_fraction"] == pytest.approx(36 / 1200)


def test_some_withheld_truth_is_all_withheld():
    result = evaluated((True, DEFECT, None), (False, GOOD, None), (False, None, None))
    assert all(result[key] is None for key in PIXEL | LABEL)


def test_a_mask_gives_the_label_where_none_is_given():
    result = evaluated((True, DEFECT, None), (True, GOOD, None), (False, GOOD, None))
    assert result["n_good"] == 2
    assert result["detection_rate"] == 1
    assert result["false_alarm_rate"] == 0.5


def test_a_given_label_outranks_an_empty_mask():
    result = evaluated((True, GOOD, 1), (False, GOOD, 0))
    assert result["n_good"] == 1
    assert result["detection_rate"] == 1
    assert result["reasons"]["pixel_auroc"] == module.NO_DEFECT


def test_anomalous_images_alone_have_no_false_alarms_to_count():
    result = evaluated((True, DEFECT, 1), (False, DEFECT, 1))
    reasons = result["reasons"]
    assert (
        reasons["false_alarm_rate"] == reasons["false_blobs_per_good_image"] == module.NO_NORMAL_ONE
    )
    assert reasons["image_auroc"] == module.ONE_CLASS
    assert result["detection_rate"] == 0.5


def test_normal_images_alone_have_nothing_to_find():
    result = evaluated((True, GOOD, 0), (False, GOOD, 0))
    assert result["reasons"]["detection_rate"] == module.NO_ANOMALOUS
    assert result["reasons"]["image_auroc"] == module.ONE_CLASS
    assert result["false_alarm_rate"] == 0.5
    assert result["flagged_fraction"] == pytest.approx(36 / 1200)


def test_a_good_set_without_a_false_alarm_has_no_segf1():
    result = evaluated((False, GOOD, 0), (False, GOOD, 0))
    reasons = result["reasons"]
    assert [reasons[key] for key in ("segf1", "segf1_low", "segf1_high")] == [module.NO_PIXEL] * 3
    assert reasons["precision"] == module.NO_PIXEL
    assert reasons["recall"] == reasons["oracle_segf1"] == reasons["au_pro_005"] == module.NO_DEFECT
    assert reasons["image_f1_max"] == module.NO_ANOMALOUS
    assert result["false_alarm_rate"] == 0
    assert is_scored(result)


def test_a_good_set_with_a_false_alarm_has_a_segf1_of_zero():
    result = evaluated((True, GOOD, 0), (False, GOOD, 0))
    assert (result["segf1"], result["precision"]) == (0.0, 0.0)
    assert result["reasons"]["recall"] == module.NO_DEFECT


def test_defects_everywhere_leave_nothing_to_tell_them_from():
    result = evaluated((True, np.ones(SIZE, bool), 1))
    assert result["reasons"]["pixel_auroc"] == result["reasons"]["au_pro_005"] == module.NO_NORMAL


def test_what_is_not_known_is_not_scored():
    assert not is_scored(evaluated((False, None, None)))
    assert not is_scored(evaluated((True, None, 1), (False, GOOD, 0)))


def test_an_empty_split_is_all_reasons():
    result = evaluated()
    assert result["n_images"] == result["n_good"] == 0
    assert result["flagged_fraction"] is None


def bounds(groups):
    """Return the bounds of SegF1 and image AUROC of images that show these items."""
    evaluation = SplitEvaluation()
    for index, group in enumerate(groups):
        finished, truth = image(marked=index % 3 > 0, defect=index % 2 > 0)
        evaluation.update(finished, float(index % 3), truth, None, group)
    result = evaluation.result()
    for name in ("segf1", "image_auroc"):
        assert result[f"{name}_low"] <= result[name] <= result[f"{name}_high"]
    return [result["segf1_high"] - result["segf1_low"], result["image_auroc_low"]]


def test_photographs_of_few_items_are_less_certain():
    alone = bounds([None] * 24)
    items = bounds([f"item {index // 8}" for index in range(24)])
    assert alone == bounds([f"item {index}" for index in range(24)])
    assert alone != items
