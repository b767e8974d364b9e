"""Images of raw maps: scaled for the eye, the batch itself untouched, stock models included."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from anomalib.data import ImageBatch
from anomalib.visualization import ImageVisualizer

from zoo.methods import BlobPostProcessor
from zoo.methods.visualizer import RawVisualizer, set_scale
from zoo.postprocess import Calibration


@pytest.fixture
def drawn(monkeypatch):
    """Return the batches that anomalib's visualizer is asked to draw."""
    seen = []
    for name in ("on_test_batch_end", "on_predict_batch_end"):
        monkeypatch.setattr(
            ImageVisualizer, name, lambda self, t, m, o, batch, *a, **k: seen.append(batch)
        )
    return seen


def model(calibration: Calibration | None) -> SimpleNamespace:
    processor = BlobPostProcessor()
    processor.calibration = calibration
    return SimpleNamespace(post_processor=processor, visualizer=ImageVisualizer())


def batch() -> ImageBatch:
    maps = torch.tensor([10.0, 20.0, 30.0, 500.0]).reshape(1, 2, 2)
    return ImageBatch(image=torch.zeros(1, 3, 2, 2), anomaly_map=maps)


@pytest.mark.parametrize("hook", ["on_test_batch_end", "on_predict_batch_end"])
def test_the_threshold_lies_at_half_scale_and_nothing_wraps_around(hook, drawn):
    given = batch()
    getattr(RawVisualizer(), hook)(None, model(Calibration(20.0, normal_min=10.0)), None, given, 0)
    [shown] = drawn
    assert shown.anomaly_map.flatten().tolist() == pytest.approx([0.0, 0.5, 1.0, 1.0])
    assert given.anomaly_map.max() == 500


def test_without_a_calibration_maps_are_drawn_as_they_are(drawn):
    given = batch()
    RawVisualizer().on_test_batch_end(None, model(None), None, given, 0)
    assert drawn[0] is given


def test_each_image_is_scaled_by_its_own_background():
    calibration = Calibration(2.0, normalisation="median", normal_min=0.0)
    maps = np.zeros((2, 1, 9, 9), np.float32)
    maps[1] += 100
    maps[:, :, 0, 0] += 2
    shown = calibration.for_display(maps)
    np.testing.assert_allclose(shown[0], shown[1])
    assert shown[0, 0, 0, 0] == 0.5


def test_a_stock_model_with_raw_scores_gets_our_images():
    stock = model(Calibration(1.0))
    stock.visualizer.field_size = (64, 64)
    set_scale(stock)
    assert type(stock.visualizer) is RawVisualizer
    assert stock.visualizer.field_size == (64, 64)


@pytest.mark.parametrize("visualizer", [None, "own"])
def test_other_visualizers_stay(visualizer):
    class Own(ImageVisualizer):
        pass

    own = Own() if visualizer else None
    stock = SimpleNamespace(post_processor=BlobPostProcessor(), visualizer=own)
    set_scale(stock)
    assert stock.visualizer is own
    plain = SimpleNamespace(post_processor=None, visualizer=ImageVisualizer())
    set_scale(plain)
    assert type(plain.visualizer) is ImageVisualizer
