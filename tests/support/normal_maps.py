"""Normal score maps whose distribution is known, scenes made of them, and every rule."""

import numpy as np
from scipy import ndimage

from zoo.postprocess import (
    Adaptive,
    FalseAlarmBudget,
    Maximum,
    MeanStd,
    Mebin,
    Midway,
    Quantile,
    Scenes,
    SyntheticDefects,
)
from zoo.postprocess.finish import finish


def drawn_maps(draw, count=6, shape=(40, 50)):
    generator = np.random.default_rng(7)
    return [draw(generator, shape).astype(np.float32) for _ in range(count)]


def lognormal(generator, shape):
    return generator.lognormal(0, 1, shape)


def distances(generator, shape):
    return 12 + generator.gamma(3, 1, shape)


def logits(generator, shape):
    return generator.normal(-3, 2, shape)


def tiny_scores(generator, shape):
    return 1e-9 * generator.random(shape)


def clamped(generator, shape):
    return np.maximum(generator.normal(-4, 1, shape), 0)  # nearly all exactly 0


def all_zero(generator, shape):
    return np.zeros(shape)


def two_values(generator, shape):
    return np.where(generator.random(shape) < 0.3, 0.75, 0.25)


def far_away(generator, shape):
    return 100 + 0.05 * generator.random(shape)


def negative(generator, shape):
    return -50 - generator.gamma(2, 1, shape)


def constant(generator, shape):
    return np.full(shape, 0.37)


DRAWS = [lognormal, distances, logits, tiny_scores, clamped, all_zero, two_values]


ODD_DRAWS = [*DRAWS, far_away, negative, constant]


LIGHTS = 3


def smooth_maps(count=8, shape=(60, 70), seed=3):
    """Return normal maps with blobs in them, like those a method gives."""
    generator = np.random.default_rng(seed)
    return [
        (
            5
            + generator.uniform(0.5, 2) * ndimage.gaussian_filter(generator.normal(size=shape), 1.5)
        ).astype(np.float32)
        for _ in range(count)
    ]


def with_defect(score_map, score):
    """Return the map with a defect of one score painted in, and the defect's mask."""
    mask = np.zeros(score_map.shape, bool)
    mask[5:15, 8:20] = True
    return np.where(mask, np.float32(score), score_map), mask


def scenes_of(clean):
    """Return scenes in which lights shift and defects stand out."""
    relit = [each + np.float32(light) for each in clean for light in range(LIGHTS)]
    painted = [with_defect(each, each.max() + abs(each.max()) + 1) for each in clean]
    return Scenes(clean, relit, [each for each, _ in painted], [mask for _, mask in painted])


def blobs_kept(calibration, maps):
    return sum(len(finish(each, each.shape, calibration).blobs) for each in maps)


NORMALISATIONS = ["none", "median", "robust"]


RULES = [
    *(Quantile(normalisation=each) for each in NORMALISATIONS),
    *(MeanStd(normalisation=each) for each in NORMALISATIONS),
    Maximum(),
    *(
        FalseAlarmBudget(limit=limit, normalisation=each)
        for limit in ("peak", "mass", "area")
        for each in NORMALISATIONS
    ),
    *(Midway(normalisation=each) for each in NORMALISATIONS),
    Adaptive(),
    *(SyntheticDefects(normalisation=each) for each in NORMALISATIONS),
    Mebin(),
]


def rule_name(rule):
    parameters = rule.parameters()
    words = (type(rule).__name__, parameters.get("limit"), parameters.get("normalisation"))
    return "-".join(word for word in words if word)


SHAPES = [{}, {"min_area_px": 4}, {"close_px": 3, "fill_holes_px": 9}, {"erode_px": 2}]
