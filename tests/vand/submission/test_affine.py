"""Half precision keeps the order of scores: one affine map for all images of an object."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from zoo.metrics import PixelScores
from zoo.utils.errors import ZooError
from zoo.vand.submission.sources import LARGEST, Affine

FINITE = st.floats(-(2.0**99), 2.0**99, width=32)


def test_normal_scores_come_to_lie_between_0_and_1():
    maps = [np.array([[2.0, 4.0]], np.float32), np.array([[3.0, 6.0]], np.float32)]
    affine = Affine.of_maps(iter(maps))
    assert affine == Affine(2.0, 4.0)
    encoded, n_cut = affine.encode(np.array([[2.0, 4.0, 6.0, 10.0, 0.0]], np.float32))
    assert encoded.dtype == np.float16
    assert encoded.tolist() == [[0.0, 0.5, 1.0, 2.0, -0.5]]
    assert n_cut == 0


@given(arrays(np.float32, 30, elements=FINITE), FINITE, st.floats(2.0**-66, 2.0**99, width=32))
def test_order_is_kept_and_everything_is_finite(scores, lowest, width):
    affine = Affine.of_range(lowest, lowest + width)
    with np.errstate(over="ignore"):
        encoded, n_cut = affine.encode(scores[None])
    assert np.isfinite(encoded).all()
    assert n_cut <= np.count_nonzero(np.abs(encoded) == LARGEST)
    assert (np.diff(encoded[0, np.argsort(scores, kind="stable")].astype(np.float64)) >= 0).all()


def test_scores_beyond_the_range_are_cut_and_counted():
    encoded, n_cut = Affine(0.0, 1e-6).encode(np.array([[0.0, 1.0, -1.0]], np.float32))
    assert encoded.tolist() == [[0.0, LARGEST, -LARGEST]]
    assert n_cut == 2


def au_pro(normal: np.ndarray, defect: np.ndarray) -> float:
    scores = PixelScores()
    score_map = np.concatenate([normal, defect], axis=1).astype(np.float32)
    truth = np.zeros(score_map.shape, bool)
    truth[:, normal.shape[1] :] = True
    scores.update(score_map, truth)
    return scores.au_pro(0.05)


@pytest.mark.parametrize("shift", [0.0, 1000.0, 60000.0])
def test_au_pro_survives_an_offset_that_a_plain_cast_does_not(shift):
    """The mishap of the dossier: AU-PRO 0.65 as is, 0.56 after + 1000, 0.025 after + 60000."""
    rng = np.random.default_rng(0)
    normal = rng.normal(0, 0.3, (300, 400)).astype(np.float32)
    defect = rng.normal(1, 0.3, (300, 40)).astype(np.float32)
    whole = au_pro(normal, defect)
    normal, defect = normal + np.float32(shift), defect + np.float32(shift)
    affine = Affine.of_range(float(normal.min()), float(normal.max()))
    assert au_pro(affine.encode(normal)[0], affine.encode(defect)[0]) == pytest.approx(
        whole, abs=2e-3
    )
    if shift:
        cast = au_pro(normal.astype(np.float16), defect.astype(np.float16))
        assert cast < whole - 0.05


def test_normal_maps_without_spread_are_only_shifted():
    assert Affine.of_range(3.0, 3.0) == Affine(3.0, 1.0)


@pytest.mark.parametrize(("low", "high"), [(1.0, 0.0), (0.0, float("inf")), (float("nan"), 1.0)])
def test_what_is_no_range_is_refused(low, high):
    with pytest.raises(ZooError, match="calibrate the run again"):
        Affine.of_range(low, high)
    with pytest.raises(ZooError, match="nothing to scale by"):
        Affine.of_maps([])
