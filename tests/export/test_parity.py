"""One mask whoever computes the graph: torch, ONNX Runtime or OpenVINO."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.postprocess import Calibration
from zoo.predict.detector import TorchPredictor
from zoo.utils.errors import ZooError

SUFFIXES = [".onnx", ".xml"]


@pytest.fixture(scope="module")
def pictures(fitted):
    return [
        path
        for split in ("test_public/good", "test_public/bad", "test_private_mixed")
        for path in sorted((fitted.root / "part" / split).glob("*.png"))
    ]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("q", [0.5, 0.9, 0.99])
def test_masks_are_those_of_torch(suffix, q, exported, fitted, pictures):
    scored = list(TorchPredictor(fitted.model, Calibration(0.0)).scored(pictures))
    threshold = float(np.quantile([each.score_map for each in scored], q))
    calibration = Calibration(threshold, 5, fill_holes_px=9, close_px=2)
    detector, model = TorchPredictor(fitted.model, calibration), exported(suffix)
    model.calibration = calibration
    n_marked = 0
    for path in pictures:
        ours, theirs = model.predict(path), detector.predict(path)
        np.testing.assert_array_equal(ours.mask, theirs.mask)
        np.testing.assert_allclose(ours.score_map, theirs.score_map, rtol=1e-4, atol=1e-4)
        assert ours.score == pytest.approx(theirs.score, rel=1e-4)
        assert [b.box for b in ours.blobs] == [b.box for b in theirs.blobs]
        n_marked += np.count_nonzero(theirs.mask)
    n_pixels = len(pictures) * theirs.mask.size
    assert 0.2 * (1 - q) < n_marked / n_pixels < 2 * (1 - q)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_any_number_of_images_may_be_scored_at_once(suffix, exported, texture):
    model = exported(suffix)
    images = [texture(seed, (64, 64)) for seed in range(5)]
    together = model.score_images(images)
    for image, each in zip(images, together, strict=True):
        [alone] = model.score_images([image])
        assert alone.score_map.shape == (64, 64)
        np.testing.assert_allclose(alone.score_map, each.score_map, rtol=1e-4, atol=1e-5)
        assert alone.score == pytest.approx(each.score, rel=1e-4)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_scores_are_raw(suffix, exported, pictures):
    scores = [exported(suffix).predict(path).score for path in pictures]
    assert max(scores) > 2  # distances, far outside [0, 1]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("size", [(1, 1), (1, 90), (333, 5)])
def test_pictures_of_any_size_are_judged_at_their_own(suffix, size, exported, texture):
    found = exported(suffix).predict(texture(3, size))
    assert found.mask.shape == found.score_map.shape == size
    assert found.is_anomalous == bool(found.mask.any())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_images_that_do_not_fit_the_graph_are_refused(suffix, exported, texture):
    for image in (texture(0), texture(0, (64, 64))[..., 0], texture(0, (64, 64)) / 255):
        with pytest.raises(ZooError, match="takes uint8 images of height and width 64x64"):
            exported(suffix).score_images([image])


def test_the_verdict_may_be_left_to_the_image_score(exported, pictures):
    model = exported(".onnx")
    score = model.predict(pictures[0]).score
    for threshold, anomalous in ((score - 1, True), (score + 1, False)):
        calibration = Calibration(1e9).with_image_threshold([threshold])
        model.calibration = calibration
        assert model.predict(pictures[0]).is_anomalous is anomalous
