"""The threshold that parts synthetic defects from normal pixels."""

from dataclasses import replace

import numpy as np
import pytest
from normal_maps import (
    NORMALISATIONS,
    blobs_kept,
    drawn_maps,
    lognormal,
    scenes_of,
    smooth_maps,
    with_defect,
)

from zoo.postprocess import Quantile, Scenes, SyntheticDefects
from zoo.postprocess.finish import finish
from zoo.utils.errors import ZooError


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("offset", [0.0, 100.0, -100.0])
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_the_threshold_parts_painted_defects(normalisation, offset, noise):
    generator = np.random.default_rng(0)
    clean = [
        (offset + noise * generator.normal(size=(40, 50))).astype(np.float32) for _ in range(4)
    ]
    painted = [with_defect(each, offset + 2) for each in clean]
    scenes = Scenes(
        clean, defects=[each for each, _ in painted], defect_masks=[mask for _, mask in painted]
    )
    calibration = SyntheticDefects(normalisation=normalisation)(scenes)
    for score_map, mask in painted:
        np.testing.assert_array_equal(finish(score_map, mask.shape, calibration).mask, mask)
    assert blobs_kept(calibration, clean) == 0


@pytest.mark.parametrize("lowest_q", [0.5, 0.99, 1.0])
def test_the_threshold_does_not_fall_below_a_quantile_of_normal_pixels(lowest_q):
    clean = drawn_maps(lognormal)
    scenes = scenes_of(clean)
    faint = replace(scenes, defects=[np.minimum(each, 0.01) for each in scenes.defects])
    rule = SyntheticDefects(lowest_q)
    assert rule(faint).threshold == Quantile(lowest_q)(clean).threshold
    assert rule(scenes).threshold >= Quantile(lowest_q)(clean).threshold


def test_the_threshold_has_the_best_f1_of_all():
    clean = drawn_maps(lognormal)
    generator = np.random.default_rng(1)
    defects, masks = [], []
    for each in clean:
        mask = with_defect(each, 0)[1]
        defects.append(np.where(mask, generator.lognormal(1.5, 1, mask.shape), each).astype("f4"))
        masks.append(mask)
    scenes = Scenes(clean, defects=defects, defect_masks=masks)
    threshold = SyntheticDefects(0.5)(scenes).threshold
    scores, truth = np.stack([*clean, *defects]), np.stack([*(0 * np.stack(masks)), *masks]) > 0

    def f1(level):
        marked = scores > level
        return 2 * (marked & truth).sum() / (marked.sum() + truth.sum())

    assert f1(threshold) >= max(f1(level) for level in np.geomspace(0.5, 50, 300)) - 1e-3


def test_defects_without_a_pixel_are_one_line():
    clean = smooth_maps(2)
    scenes = Scenes(clean, defects=clean, defect_masks=[np.zeros((60, 70), bool)] * 2)
    with pytest.raises(ZooError, match="masks of the synthetic defects are all empty"):
        SyntheticDefects()(scenes)
