"""The default: relit normal images choose what is taken off a map."""

import json
from dataclasses import replace

import numpy as np
import pytest
from normal_maps import (
    LIGHTS,
    blobs_kept,
    distances,
    drawn_maps,
    logits,
    lognormal,
    smooth_maps,
    tiny_scores,
)

from zoo.postprocess import Adaptive, Midway, Scenes
from zoo.postprocess.rules.midway import excess


def _lit(change):
    """Return scenes of smooth maps, relit by a change of the maps and a generator."""
    clean, generator = smooth_maps(), np.random.default_rng(0)
    return Scenes(clean, [change(each, generator) for each in clean for _ in range(LIGHTS)])


LIT = [
    (lambda each, _: each, "median"),
    (lambda each, _: each + np.float32(0.01), "median"),
    (lambda each, generator: each + np.float32(generator.uniform(2, 4)), "median"),
    (lambda each, generator: each * np.float32(generator.uniform(4, 9)), "robust"),
    # The spread must be what grows: a light that makes the bulk of the scores unruly.
    (lambda each, generator: each + generator.normal(0, 4, each.shape).astype("f4"), "robust"),
    # The background comes closer to the peaks, which stay: a dark one under a brighter lamp.
    (lambda each, _: np.maximum(each, np.quantile(each, 0.95)).astype("f4"), "none"),
]


@pytest.mark.parametrize(
    ("change", "chosen"), LIT, ids=["same", "nearly", "shifted", "stretched", "rough", "lifted"]
)
def test_relit_images_choose_what_is_taken_off(change, chosen):
    scenes = _lit(change)
    calibration = Adaptive()(scenes)
    assert calibration.normalisation == chosen
    expected = Midway(normalisation=chosen)(scenes)
    assert (calibration.threshold, calibration.seed_threshold, calibration.spread_floor) == (
        expected.threshold,
        expected.seed_threshold,
        expected.spread_floor,
    )
    result = calibration.findings
    assert result.keys() == {"excess_median", "n_relit"}
    assert result["n_relit"] == LIGHTS * len(scenes.clean)
    assert (0.4 <= result["excess_median"] <= 4.5) == (chosen == "median")
    json.dumps(result)


def test_adaptive_masks_hold_under_light_where_raw_ones_do_not():
    scenes = _lit(LIT[2][0])
    assert blobs_kept(Adaptive()(scenes), scenes.relit) <= 0.3 * len(scenes.relit)
    assert blobs_kept(Midway(normalisation="none")(scenes), scenes.relit) >= len(scenes.relit)


@pytest.mark.parametrize(
    ("rule", "light", "chosen"),
    [
        (Adaptive(), 3, "robust"),
        (Adaptive(much=1e9), 3, "median"),
        (Adaptive(), 5, "none"),
        (Adaptive(little=0), 5, "median"),
    ],
)
def test_the_borders_of_adaptive_are_parameters(rule, light, chosen):
    assert rule(_lit(LIT[light][0])).normalisation == chosen


@pytest.mark.parametrize("normalisation", ["none", "median"])
@pytest.mark.parametrize("draw", [lognormal, distances, logits, tiny_scores])
def test_light_that_changes_nothing_has_an_excess_of_one(normalisation, draw):
    maps = drawn_maps(draw)
    assert excess(maps, maps * LIGHTS, normalisation) == pytest.approx(1)


def test_only_images_that_were_relit_say_what_light_does():
    clean = smooth_maps()
    odd = [*clean, clean[0] * 1000]  # its own scores would hide the light
    relit = [each * np.float32(3) for each in clean for _ in range(LIGHTS)]
    scenes = Scenes(odd, relit, changed=tuple(range(len(clean))))
    assert Adaptive()(scenes).findings["excess_median"] > 2
    assert Adaptive()(replace(scenes, changed=())).findings["excess_median"] == 0


def test_without_relit_images_adaptive_is_midway():
    rule = Adaptive(0.99, 2.0, 0.5, "robust", much=3.0, min_area_px=4, close_px=5)
    assert rule.map_only() == Midway(0.99, 2.0, 0.5, "robust", min_area_px=4, close_px=5)
