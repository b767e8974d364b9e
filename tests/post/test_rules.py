"""Calibration rules against numpy's quantile, and the calibration as a file."""

import json
from dataclasses import replace

import numpy as np
import pytest

from zoo.errors import ZooError
from zoo.post import Calibration, Quantile
from zoo.post.finish import finish


def _maps(draw, count=6, shape=(40, 50)):
    generator = np.random.default_rng(7)
    return [draw(generator, shape).astype(np.float32) for _ in range(count)]


def _lognormal(generator, shape):
    return generator.lognormal(0, 1, shape)


def _distances(generator, shape):
    return 12 + generator.gamma(3, 1, shape)


def _logits(generator, shape):
    return generator.normal(-3, 2, shape)


def _tiny(generator, shape):
    return 1e-9 * generator.random(shape)


def _clamped(generator, shape):
    return np.maximum(generator.normal(-4, 1, shape), 0)  # nearly all exactly 0


def _all_zero(generator, shape):
    return np.zeros(shape)


def _two_values(generator, shape):
    return np.where(generator.random(shape) < 0.3, 0.75, 0.25)


DRAWS = [_lognormal, _distances, _logits, _tiny, _clamped, _all_zero, _two_values]


@pytest.mark.parametrize("draw", [_lognormal, _distances, _logits, _tiny])
@pytest.mark.parametrize("q", [0.5, 0.9, 0.995, 0.999, 1.0])
def test_the_threshold_is_the_quantile(draw, q):
    maps = _maps(draw)
    exact = np.quantile(np.stack(maps), q, method="inverted_cdf")
    assert Quantile(q).__call__(maps).threshold == pytest.approx(exact, rel=3e-4)


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("q", [0.5, 0.9, 0.999, 1.0])
def test_at_most_the_rest_of_the_normal_pixels_is_marked(draw, q):
    maps = _maps(draw)
    calibration = replace(Quantile(q)(maps), min_area_px=0)
    marked = sum(finish(score_map, (40, 50), calibration).mask.sum() for score_map in maps)
    assert marked <= (1 - q) * 6 * 40 * 50 + 1e-6


def test_the_factor_scales_the_threshold():
    maps = _maps(_lognormal)
    assert Quantile(0.9, factor=1.5)(maps).threshold == 1.5 * Quantile(0.9)(maps).threshold


def test_the_order_of_images_does_not_matter():
    maps = _maps(_lognormal)
    assert Quantile()(maps) == Quantile()(maps[::-1])


def test_maps_of_several_sizes_and_a_generator_are_taken():
    maps = [np.full((2, 2), 5.0, np.float32), np.ones((10, 10), np.float32)]
    calibration = Quantile(0.9)(score_map for score_map in maps)
    assert calibration.threshold == pytest.approx(1, rel=3e-4)
    assert (calibration.n_images, calibration.n_pixels) == (2, 104)


def test_the_calibration_says_where_it_came_from():
    calibration = Quantile(0.99, 1.1, min_area_px=25)(_maps(_lognormal), split="validation")
    assert calibration.rule == "Quantile"
    assert calibration.parameters == {"q": 0.99, "factor": 1.1, "min_area_px": 25}
    assert (calibration.split, calibration.n_images, calibration.n_pixels) == (
        "validation",
        6,
        6 * 40 * 50,
    )
    for part in ("Quantile(q=0.99", "factor=1.1", "6 normal images of validation", ">= 25 px"):
        assert part in calibration.describe()


def test_no_image_is_one_line():
    with pytest.raises(ZooError, match="no normal image to calibrate on"):
        Quantile()([])


def test_a_score_that_is_not_finite_is_refused():
    with pytest.raises(ZooError, match="NaN"):
        Quantile()([np.array([[0.0, np.nan]], np.float32)])


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"q": 0.0}, r"q is 0.0.*\(0, 1\]"),
        ({"q": 1.01}, "q is 1.01"),
        ({"q": float("nan")}, "q is nan"),
        ({"factor": 0}, "factor is 0"),
        ({"factor": -1.0}, "factor is -1.0"),
        ({"factor": float("nan")}, "factor is nan"),
        ({"min_area_px": -1}, "min_area_px is -1"),
    ],
)
def test_parameters_are_checked_where_they_are_written(parameters, said):
    with pytest.raises(ZooError, match=said):
        Quantile(**parameters)


@pytest.mark.parametrize("draw", DRAWS)
def test_pictures_are_scaled_to_the_threshold(draw):
    maps = _maps(draw)
    calibration = Quantile(0.9)(maps)
    with np.errstate(all="raise", under="ignore"):
        shown = calibration.for_display(maps[0])
    assert 0 <= shown.min() <= shown.max() <= 1
    above = finish(maps[0], (40, 50), replace(calibration, min_area_px=0)).mask
    assert (shown[above] >= 0.5).all()
    assert (shown[~above] <= 0.5).all()


def test_a_calibration_survives_its_file(tmp_path):
    calibration = Quantile(0.9)(_maps(_lognormal))
    path = tmp_path / "calibration.json"
    calibration.save(path)
    assert Calibration.load(path) == calibration
    assert json.loads(path.read_text(encoding="utf-8"))["threshold"] == calibration.threshold


def test_unknown_keys_are_ignored():
    calibration = Calibration(0.5, 3)
    assert Calibration.from_dict({**calibration.to_dict(), "note": "by hand"}) == calibration


@pytest.mark.parametrize("version", [None, 0, 1, "2"])
def test_another_version_is_refused(version):
    data = {**Calibration(0.5).to_dict(), "version": version}
    if version is None:
        del data["version"]
    with pytest.raises(ZooError, match=f"calibration of format {version}.*calibrate again"):
        Calibration.from_dict(data)
