"""Score maps from any model, whatever it does with the memory layout of a batch."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from zoo.predict.scoring import score_pixels
from zoo.utils.errors import ZooError


def flattening(batch, index):
    """Score as models do that view what they are given as rows."""
    rows = batch.image.view(len(batch.image), -1)  # fails unless the batch is laid out row by row
    batch.anomaly_map = batch.image.mean(dim=1, keepdim=True)
    batch.pred_score = rows.amax(dim=1)
    return batch


class Model(SimpleNamespace):
    __hash__ = object.__hash__  # as modules have it


def model(test_step):
    return Model(device=torch.device("cpu"), pre_processor=None, test_step=test_step)


def test_variants_of_one_image_are_scored_as_a_data_loader_would_lay_them_out():
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 6, 3), dtype=np.uint8)
    scored = score_pixels(model(flattening), list(images), [(80, 60)] * 3)
    for image, each in zip(images, scored, strict=True):
        np.testing.assert_allclose(each.score_map, image.mean(axis=2) / 255, rtol=1e-5)
        assert each.score == pytest.approx(image.max() / 255)
        assert each.native_size == (80, 60)


def test_a_method_without_a_map_is_one_line():
    with pytest.raises(ZooError, match="image scores but no score map"):
        score_pixels(model(lambda batch, index: batch), [np.zeros((4, 4, 3), np.uint8)], [(4, 4)])


def test_scores_that_are_not_finite_are_one_line():
    def nan(batch, index):
        batch.anomaly_map = torch.full((1, 1, 4, 4), torch.nan)
        return batch

    with pytest.raises(ZooError, match="holds NaN or infinite scores"):
        score_pixels(model(nan), [np.zeros((4, 4, 3), np.uint8)], [(4, 4)])
