"""One mask whoever computes the graph: torch, ONNX Runtime or OpenVINO."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from zoo.postprocess import Calibration
from zoo.predict import ExportMetadata, ImageResize, TorchPredictor, at_graph_size
from zoo.utils.errors import ZooError

SUFFIXES = [".onnx", ".xml"]


@pytest.fixture(scope="module")
def images(fitted):
    return [
        path
        for split in ("test_public/good", "test_public/bad", "test_private_mixed")
        for path in sorted((fitted.root / "part" / split).glob("*.png"))
    ]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("q", [0.5, 0.9, 0.99])
def test_masks_are_those_of_torch(suffix, q, exported, fitted, images):
    scored = list(TorchPredictor(fitted.model, Calibration(0.0)).scored(images))
    threshold = float(np.quantile([each.score_map for each in scored], q))
    calibration = Calibration(threshold, 5, fill_holes_px=9, close_px=2)
    predictor, model = TorchPredictor(fitted.model, calibration), exported(suffix)
    model.calibration = calibration
    n_marked = 0
    for path in images:
        ours, theirs = model.predict(path), predictor.predict(path)
        np.testing.assert_array_equal(ours.mask, theirs.mask)
        np.testing.assert_allclose(ours.anomaly_map, theirs.anomaly_map, rtol=1e-4, atol=1e-4)
        assert ours.score == pytest.approx(theirs.score, rel=1e-4)
        assert [b.box for b in ours.blobs] == [b.box for b in theirs.blobs]
        n_marked += np.count_nonzero(theirs.mask)
    n_pixels = len(images) * theirs.mask.size
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
def test_scores_are_raw(suffix, exported, images):
    scores = [exported(suffix).predict(path).score for path in images]
    assert max(scores) > 2  # distances, far outside [0, 1]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("size", [(1, 1), (1, 90), (333, 5)])
def test_images_of_any_size_are_predicted_at_their_own(suffix, size, exported, texture):
    found = exported(suffix).predict(texture(3, size))
    assert found.mask.shape == found.anomaly_map.shape == size
    assert found.is_anomalous == bool(found.mask.any())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_images_that_do_not_fit_the_graph_are_refused(suffix, exported, texture):
    for image in (texture(0), texture(0, (64, 64))[..., 0], texture(0, (64, 64)) / 255):
        with pytest.raises(ZooError, match="takes uint8 images of height and width 64x64"):
            exported(suffix).score_images([image])


def test_an_exported_model_needs_no_torch(graph):
    code = (
        f"import sys, zoo; import numpy as np; m = zoo.load({str(graph('.onnx'))!r}, device='cpu');"
        "m.predict(np.zeros((30, 40, 3), np.uint8)); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_an_image_gets_to_the_graphs_size(texture):
    pixels, plain = texture(1, (300, 200)), ExportMetadata(Calibration(1.0))
    assert at_graph_size(pixels, plain) is pixels
    small = at_graph_size(pixels, replace(plain, resize=ImageResize((64, 96))))
    assert (small.shape, small.dtype) == ((64, 96, 3), np.uint8)
