"""Who calls an image anomalous: its blobs, or on request its score, as anomalib has it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from anomalib.metrics import F1AdaptiveThreshold

from zoo.data.dataset import NativeBatch
from zoo.methods import BlobPostProcessor
from zoo.postprocess import Calibration, Quantile, finish
from zoo.postprocess.score_maps import ScoreMapSpool
from zoo.runs.calibrations import CalibrationSource, recalibrate
from zoo.runs.evaluate import SplitEvaluation
from zoo.utils.errors import ZooError

SQUARE = np.zeros((8, 8), np.float32)
SQUARE[2:5, 2:5] = 1


@pytest.mark.parametrize(
    ("score_map", "score", "anomalous"),
    [(SQUARE, 2.0, False), (SQUARE, 2.1, True), (0 * SQUARE, 2.1, True), (SQUARE, None, True)],
)
def test_an_image_threshold_decides_by_the_image_score(score_map, score, anomalous):
    calibration = Calibration(0.5).with_image_threshold([1.0, 2.0])
    finished = finish(score_map, (8, 8), calibration, score)
    assert finished.is_anomalous is anomalous
    assert bool(finished.blobs) == bool(finished.mask.any()) == bool(score_map.any())


def test_without_one_the_score_says_nothing():
    assert not finish(0 * SQUARE, (8, 8), Calibration(0.5), 1e9).is_anomalous
    assert finish(SQUARE, (8, 8), Calibration(0.5), -1e9).is_anomalous


def test_the_image_threshold_is_anomalibs_on_normal_images():
    scores = torch.rand(20, generator=torch.Generator().manual_seed(0))
    metric = F1AdaptiveThreshold(fields=["pred_score", "gt_label"])
    metric.update(SimpleNamespace(pred_score=scores, gt_label=torch.zeros(20, dtype=torch.long)))
    ours = Calibration(0.5).with_image_threshold(scores.tolist())
    assert ours.image_threshold == pytest.approx(metric.compute().item())


def test_it_travels_and_is_told():
    calibration = Calibration(0.5).with_image_threshold([3.0])
    assert Calibration.from_dict(calibration.to_dict()) == calibration
    assert "images > 3" in calibration.describe()


def test_no_score_sets_none():
    with pytest.raises(ZooError, match="no score of a normal image"):
        Calibration(0.5).with_image_threshold([])


def _batch(maps, scores, labels=None):
    return NativeBatch(
        image=torch.zeros(len(maps), 3, 8, 8),
        anomaly_map=torch.from_numpy(np.stack(maps)),
        pred_score=torch.tensor(scores),
        gt_label=None if labels is None else torch.tensor(labels),
        native_size=[(8, 8)] * len(maps),
    )


@pytest.mark.parametrize(("verdict", "labels"), [("blobs", [1, 0]), ("image_score", [0, 1])])
def test_the_post_processor_takes_the_verdict_that_a_recipe_names(verdict, labels):
    processor = BlobPostProcessor(Quantile(1.0, min_area_px=0), verdict)
    processor.on_validation_epoch_start()
    processor.on_validation_batch_end(
        None, None, _batch([0.1 * SQUARE, 0 * SQUARE], [4.0, 9.0], [0, 0])
    )
    processor.on_validation_epoch_end(SimpleNamespace(sanity_checking=False), None)
    batch = _batch([SQUARE, 0 * SQUARE], [8.0, 9.5])
    processor.post_process_batch(batch)
    assert batch.pred_label.tolist() == [bool(label) for label in labels]
    assert batch.pred_mask.flatten(1).any(1).tolist() == [True, False]


def test_another_verdict_is_refused_by_name():
    with pytest.raises(ZooError, match="did you mean 'blobs'"):
        BlobPostProcessor(label_from="blob")


def test_figures_of_images_follow_the_verdict():
    calibration = Calibration(0.5).with_image_threshold([2.0])
    evaluation = SplitEvaluation()
    for score_map, score, label in [(SQUARE, 1.0, 0), (0 * SQUARE, 3.0, 1)]:
        finished = finish(score_map, (8, 8), calibration, score)
        evaluation.update(finished, score, score_map > 5, label)
    result = evaluation.result()
    assert (result["false_alarm_rate"], result["detection_rate"]) == (0.0, 1.0)
    assert result["false_blobs_per_good_image"] == 1.0


def test_recalibration_keeps_the_verdict():
    old = Calibration(0.5).with_image_threshold([2.0])
    with ScoreMapSpool() as spool:
        for score in (5.0, 7.0):
            spool.append(SQUARE, (8, 8), score)
        source = CalibrationSource("validation")
        _, new = recalibrate(Quantile(1.0), spool, source, old)
        _, plain = recalibrate(Quantile(1.0), spool, source, Calibration(0.5))
    assert new.calibration.image_threshold == 7.0
    assert new.false_alarms is None  # blobs would tell of other verdicts
    assert plain.calibration.image_threshold is None
