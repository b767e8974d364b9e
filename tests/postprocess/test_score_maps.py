"""Maps on their way to native size: against torch, and through the spool on disk."""

import numpy as np
import pytest
import torch

from zoo.postprocess.score_maps import ScoreMapSpool, to_native
from zoo.utils.errors import ZooError


def _map(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (32, 32), (64, 96)])
@pytest.mark.parametrize("native", [(1, 1), (13, 29), (64, 96), (200, 111)])
def test_to_native_is_torchs_bilinear_interpolation(shape, native):
    score_map = _map(shape)
    tensor = torch.from_numpy(score_map)[None, None]
    expected = torch.nn.functional.interpolate(
        tensor, native, mode="bilinear", align_corners=False
    )[0, 0]
    resized = to_native(score_map, native)
    assert (resized.shape, resized.dtype) == (native, np.float32)
    # OpenCV places its sampling points in float32: a few 1e-5 of a pixel on an image this wide.
    np.testing.assert_allclose(resized, expected.numpy(), atol=1e-4)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.uint8])
def test_every_type_becomes_float32(dtype):
    score_map = (np.arange(12).reshape(3, 4)).astype(dtype)
    assert to_native(score_map, (3, 4)).dtype == np.float32
    np.testing.assert_array_equal(to_native(score_map, (3, 4)), np.arange(12).reshape(3, 4))


def test_strides_do_not_matter():
    score_map = _map((20, 30))
    for view in (score_map[::2, ::3], score_map.T, score_map[::-1, ::-1]):
        np.testing.assert_array_equal(
            to_native(view, (17, 19)), to_native(np.ascontiguousarray(view), (17, 19))
        )


def test_scores_are_neither_clamped_nor_scaled():
    score_map = np.array([[-5e6, 1e-20], [3e20, 0]], np.float32)
    resized = to_native(score_map, (8, 8))
    assert resized.min() == np.float32(-5e6)
    assert resized.max() == np.float32(3e20)


@pytest.mark.parametrize("shape", [(3,), (1, 4, 4), (2, 1, 4, 4)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ZooError, match=r"shape \(h, w\)"):
        to_native(np.zeros(shape), (8, 8))


@pytest.mark.parametrize(
    ("shape", "native"), [((0, 4), (3, 3)), ((1, 1), (0, 3)), ((1, 1), (3, -1)), ((0, 0), (0, 0))]
)
def test_maps_and_images_without_a_pixel_are_refused(shape, native):
    with pytest.raises(ZooError, match="one pixel at least"):
        to_native(np.zeros(shape, np.float32), native)


def test_scores_beyond_float32_are_infinite_and_refused():
    with np.errstate(over="raise"), pytest.raises(ZooError, match="4 of 4 scores"):
        to_native(np.full((2, 2), 1e300), (2, 2))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("native", [(4, 4), (9, 9)])
def test_scores_that_are_not_finite_are_refused_and_counted(value, native):
    score_map = _map((4, 4))
    score_map[0, :3] = value
    with pytest.raises(ZooError, match="3 of 16 scores of the map are NaN or infinite"):
        to_native(score_map, native)


def test_the_spool_yields_every_map_at_native_size_as_often_as_asked():
    sizes = [((4, 6), (40, 33)), ((8, 8), (8, 8)), ((5, 3), (2, 2))]
    maps = [_map(shape, seed) for seed, (shape, _) in enumerate(sizes)]
    with ScoreMapSpool() as spool:
        for score_map, (_, native) in zip(maps, sizes, strict=True):
            spool.append(score_map, native)
        assert len(spool) == 3
        for _ in range(2):
            for read, score_map, (_, native) in zip(spool, maps, sizes, strict=True):
                np.testing.assert_array_equal(read, to_native(score_map, native))


def test_the_spool_takes_maps_while_it_is_read():
    with ScoreMapSpool() as spool:
        spool.append(_map((4, 4), 1), (4, 4))
        first = next(iter(spool))
        spool.append(_map((4, 4), 2).T, (4, 4))
        np.testing.assert_array_equal(first, _map((4, 4), 1))
        np.testing.assert_array_equal(list(spool)[1], _map((4, 4), 2).T)


def test_maps_are_yielded_ready_to_be_changed():
    with ScoreMapSpool() as spool:
        spool.append(_map((4, 4)), (4, 4))
        [score_map] = spool
        score_map += 1  # a rule may work in place
        np.testing.assert_array_equal(next(iter(spool)), _map((4, 4)))


def test_an_empty_spool_is_empty():
    with ScoreMapSpool() as spool:
        assert len(spool) == 0
        assert list(spool) == []
