"""Calibration rules on maps whose distribution is known, and the calibration as a file."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from zoo.errors import ZooError
from zoo.post import (
    Adaptive,
    Calibration,
    FalseAlarmBudget,
    Maximum,
    MeanStd,
    Mebin,
    Midway,
    Quantile,
    Scenes,
    SyntheticDefects,
)
from zoo.post.background import level_and_spread
from zoo.post.finish import finish
from zoo.post.rules.adaptive import excess
from zoo.post.rules.budget import smallest_limit


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


def _far_away(generator, shape):
    return 100 + 0.05 * generator.random(shape)


def _negative(generator, shape):
    return -50 - generator.gamma(2, 1, shape)


def _constant(generator, shape):
    return np.full(shape, 0.37)


DRAWS = [_lognormal, _distances, _logits, _tiny, _clamped, _all_zero, _two_values]
ODD_DRAWS = [*DRAWS, _far_away, _negative, _constant]

LIGHTS = 3


def _smooth(count=8, shape=(60, 70), seed=3):
    """Return normal maps with blobs in them, like those a method gives."""
    generator = np.random.default_rng(seed)
    return [
        (
            5
            + generator.uniform(0.5, 2) * ndimage.gaussian_filter(generator.normal(size=shape), 1.5)
        ).astype(np.float32)
        for _ in range(count)
    ]


def _with_defect(score_map, score):
    """Return the map with a defect of one score painted in, and the defect's mask."""
    mask = np.zeros(score_map.shape, bool)
    mask[5:15, 8:20] = True
    return np.where(mask, np.float32(score), score_map), mask


def _scenes(clean):
    """Return scenes in which lights shift and defects stand out."""
    relit = [each + np.float32(light) for each in clean for light in range(LIGHTS)]
    painted = [_with_defect(each, each.max() + abs(each.max()) + 1) for each in clean]
    return Scenes(clean, relit, [each for each, _ in painted], [mask for _, mask in painted])


def _kept(calibration, maps):
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


def _name(rule):
    parameters = rule.parameters()
    words = (type(rule).__name__, parameters.get("limit"), parameters.get("normalisation"))
    return "-".join(word for word in words if word)


every_rule = pytest.mark.parametrize("rule", RULES, ids=_name)


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
    assert list(calibration.parameters)[:3] == ["q", "factor", "normalisation"]  # its own first
    assert calibration.parameters == {
        "q": 0.99,
        "factor": 1.1,
        "normalisation": "none",
        "min_area_px": 25,
        "close_px": 0,
        "fill_holes_px": 0,
        "erode_px": 0,
        "border_px": 0,
    }
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


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        *((Quantile, {name: -1}) for name in ("close_px", "fill_holes_px", "erode_px")),
        (Maximum, {"border_px": -1}),
        (Quantile, {"min_area_px": float("nan")}),
        (MeanStd, {"close_px": 2.5}),
        *(
            (kind, {"normalisation": "mean"})
            for kind in (Quantile, MeanStd, FalseAlarmBudget, Midway, Adaptive, SyntheticDefects)
        ),
        (MeanStd, {"k": float("nan")}),
        (MeanStd, {"k": float("inf")}),
        (Maximum, {"factor": 0.0}),
        (Maximum, {"factor": float("inf")}),
        (FalseAlarmBudget, {"per_image": -0.1}),
        (FalseAlarmBudget, {"per_image": float("nan")}),
        (FalseAlarmBudget, {"q": 0.0}),
        (FalseAlarmBudget, {"limit": "size"}),
        (Midway, {"q": 1.5}),
        (Midway, {"k": float("inf")}),
        (Midway, {"per_image": float("inf")}),
        (Adaptive, {"q": 0}),
        (Adaptive, {"much": -1.0}),
        (Adaptive, {"much": float("nan")}),
        (Adaptive, {"little": -0.1}),
        (Adaptive, {"little": 5.0}),
        (SyntheticDefects, {"lowest_q": 1.1}),
        (SyntheticDefects, {"lowest_q": float("nan")}),
        (Mebin, {"q": -0.1}),
        (Mebin, {"step": 0}),
        (Mebin, {"step": 128}),
        (Mebin, {"shortest_run": 0}),
        (Mebin, {"erode_px": -6}),
    ],
)
def test_every_rule_refuses_in_one_line_that_names_rule_parameter_and_value(kind, parameters):
    [(name, value)] = parameters.items()
    with pytest.raises(ZooError) as refusal:
        kind(**parameters)
    said = str(refusal.value)
    assert said.startswith(f"{kind.__name__}: {name} is {value}, ")
    assert "\n" not in said


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


@pytest.mark.parametrize("version", [None, 0, 4, "2"])
def test_another_version_is_refused(version):
    data = {**Calibration(0.5).to_dict(), "version": version}
    if version is None:
        del data["version"]
    with pytest.raises(ZooError, match=f"calibration of format {version}.*calibrate again"):
        Calibration.from_dict(data)


@every_rule
@pytest.mark.parametrize("draw", ODD_DRAWS)
@pytest.mark.parametrize("count", [1, 6])
def test_every_rule_gives_finite_numbers_on_odd_scores(rule, draw, count):
    clean = _maps(draw, count)
    with np.errstate(all="raise", under="ignore"):
        calibration = rule(_scenes(clean))
        _kept(calibration, clean)
    numbers = [calibration.threshold, calibration.min_mass, calibration.spread_floor]
    numbers += [calibration.normal_min, calibration.normal_max, calibration.seed_threshold or 0.0]
    assert np.isfinite(numbers).all()
    assert all(type(number) is float for number in numbers)
    assert calibration.n_images == count


@every_rule
def test_every_calibration_survives_its_file_and_says_its_rule_in_one_line(rule, tmp_path):
    rule = replace(rule, min_area_px=7, close_px=3)
    calibration = rule(_scenes(_smooth()), split="validation")
    calibration.save(tmp_path / "calibration.json")
    again = Calibration.load(tmp_path / "calibration.json")
    assert again == calibration
    assert type(rule)(**again.parameters) == rule
    said = calibration.describe()
    assert "\n" not in said
    assert "nan" not in said.lower()
    for part in (
        f"{calibration.threshold:.6g}",
        f"({type(rule).__name__}(",
        f"blobs >= {calibration.min_area_px} px",
        "close_px=3",
        "8 normal images of validation",
        f"{8 * 60 * 70} px",
    ):
        assert part in said


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (Quantile(), r"^threshold [\d.]+, blobs"),
        (Quantile(normalisation="median"), r"^threshold [\d.]+ above the image's median, blobs"),
        (MeanStd(normalisation="robust"), r"^threshold [\d.]+ spreads above the image's median, b"),
        (FalseAlarmBudget(), r", peak > [\d.]+, blobs"),
        (FalseAlarmBudget(limit="mass", q=0.9), r", mass >= [\d.]+, blobs"),
        (Mebin(), r"^each image's own threshold, at least [\d.]+, blobs"),
    ],
    ids=lambda value: _name(value) if not isinstance(value, str) else "",
)
def test_a_calibration_says_what_a_blob_must_exceed(rule, said):
    calibration = rule(_smooth())
    assert re.search(said, calibration.describe())


@every_rule
def test_every_rule_hands_its_shape_on(rule):
    shape = {"close_px": 1, "fill_holes_px": 2, "erode_px": 3, "border_px": 4}
    calibration = replace(rule, **shape)(_scenes(_smooth()))
    assert {name: getattr(calibration, name) for name in shape} == shape


@every_rule
def test_every_rule_reads_maps_anew_and_gives_the_same_again(rule):
    scenes = _scenes(_smooth())
    assert rule(scenes) == rule(scenes)


@every_rule
def test_no_rule_takes_no_image(rule):
    with pytest.raises(ZooError, match="no normal image to calibrate on"):
        rule(Scenes(()))


@pytest.mark.parametrize("draw", [_lognormal, _distances, _logits, _tiny, _far_away, _negative])
@pytest.mark.parametrize("k", [-1.0, 0.0, 3.0])
def test_mean_and_deviations_are_numpys(draw, k):
    maps = _maps(draw)
    pixels = np.stack(maps).astype(np.float64)
    exact = pixels.mean() + k * pixels.std()
    assert MeanStd(k)(maps).threshold == pytest.approx(exact, rel=1e-6, abs=1e-12)


def test_mean_and_deviation_hold_behind_a_large_offset():
    pixels = np.random.default_rng(0).integers(0, 9, (4, 50, 60)) / 1024 + 10_000
    maps = list(pixels.astype(np.float32))
    threshold = MeanStd(3)(maps).threshold
    exact = np.stack(maps).astype(np.float64)
    assert threshold - exact.mean() == pytest.approx(3 * exact.std(), rel=1e-6)


@pytest.mark.parametrize("draw", ODD_DRAWS)
def test_under_the_maximum_nothing_normal_is_marked(draw):
    maps = _maps(draw)
    calibration = Maximum(min_area_px=0)(maps)
    assert calibration.threshold == pytest.approx(np.max(maps), rel=3e-4)
    assert _kept(calibration, maps) == 0


@pytest.mark.parametrize("q", [0.9, 0.999, 1.0])
@pytest.mark.parametrize("normalisation", ["median", "robust"])
def test_quantiles_are_of_the_normalised_maps(q, normalisation):
    maps = [each + 10 * index for index, each in enumerate(_smooth())]
    scores = []
    for each in maps:
        level, spread = level_and_spread(each)
        scores.append((each - level) / (spread if normalisation == "robust" else 1))
    exact = np.quantile(np.stack(scores), q, method="inverted_cdf")
    calibration = Quantile(q, normalisation=normalisation, min_area_px=0)(maps)
    assert calibration.threshold == pytest.approx(exact, rel=3e-4)
    marked = sum(finish(each, each.shape, calibration).mask.sum() for each in maps)
    assert marked <= (1 - q) * np.size(scores) + 1e-6


def test_the_floor_of_robust_is_the_largest_spread_of_normal_images():
    maps = _smooth()
    calibration = Midway(normalisation="robust")(maps)
    spreads = [level_and_spread(each)[1] for each in maps]
    assert calibration.spread_floor == max(spreads) > min(spreads) > 0


@pytest.mark.parametrize(
    ("values", "allowed", "limit"),
    [
        ([5.0, 1.0, 3.0], 0, 5.0),
        ([5.0, 1.0, 3.0], 1.9, 3.0),
        ([5.0, 5.0, 3.0], 1, 5.0),
        ([5.0, 1.0, 3.0], 3, -np.inf),
        ([], 0, -np.inf),
        (np.arange(100.0), 0.29 * 100, 70.0),
    ],
)
def test_a_limit_lets_so_many_through(values, allowed, limit):
    assert smallest_limit(np.array(values), allowed) == limit


SHAPES = [{}, {"min_area_px": 4}, {"close_px": 3, "fill_holes_px": 9}, {"erode_px": 2}]


@pytest.mark.parametrize("limit", ["peak", "mass", "area"])
@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("per_image", [0.0, 0.05, 0.5, 3.0])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "-".join(shape) or "plain")
def test_the_budget_holds_on_the_calibration_images(limit, normalisation, per_image, shape):
    rule = FalseAlarmBudget(per_image, 0.95, limit, normalisation, **{"min_area_px": 0, **shape})
    for seed in range(3):
        maps = _smooth(seed=seed)
        calibration = rule(maps)
        kept = _kept(calibration, maps)
        assert kept <= per_image * len(maps)
        if limit != "area":  # areas are often equal, peaks and masses hardly ever
            assert kept == int(per_image * len(maps))


@pytest.mark.parametrize("limit", ["peak", "mass", "area"])
@pytest.mark.parametrize("draw", [_lognormal, _logits, _negative, _clamped, _tiny])
def test_a_budget_that_all_normal_blobs_meet_limits_nothing(limit, draw):
    maps = _maps(draw)
    generous = FalseAlarmBudget(1e6, 0.95, limit, min_area_px=3)(maps)
    assert _kept(generous, maps) == _kept(Quantile(0.95, min_area_px=3)(maps), maps)


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("per_image", [0.0, 0.3, 2.0])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "-".join(shape) or "plain")
def test_midway_lies_between_its_levels_and_keeps_its_budget(normalisation, per_image, shape):
    shape = {"min_area_px": 0, **shape}
    maps = _smooth()
    q, k = 0.99, 1.5
    calibration = Midway(q, k, per_image, normalisation, **shape)(maps)
    floor = calibration.spread_floor
    scores = np.stack([_normalised(each, normalisation, floor) for each in maps])
    levels = np.quantile(scores, q), scores.mean() + k * scores.std()
    assert calibration.threshold == pytest.approx(np.mean(levels), rel=3e-4)
    assert calibration.seed_threshold >= calibration.threshold
    assert _kept(calibration, maps) <= per_image * len(maps)


def _normalised(score_map, normalisation, floor):
    level, spread = level_and_spread(score_map)
    divisor = {"none": 1, "median": 1, "robust": max(spread, floor)}[normalisation]
    return (score_map.astype(np.float64) - (0 if normalisation == "none" else level)) / divisor


def test_a_generous_budget_keeps_blobs_of_negative_scores():
    maps = _maps(_negative)
    calibration = Midway(0.95, 1.5, 1e6, "none", min_area_px=0)(maps)
    assert calibration.seed_threshold == calibration.threshold < 0
    assert _kept(calibration, maps) > 0


def _lit(change):
    """Return scenes of smooth maps, relit by a change of the maps and a generator."""
    clean, generator = _smooth(), np.random.default_rng(0)
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
    found = calibration.findings
    assert found.keys() == {"excess_median", "n_relit"}
    assert found["n_relit"] == LIGHTS * len(scenes.clean)
    assert (0.4 <= found["excess_median"] <= 4.5) == (chosen == "median")
    json.dumps(found)


def test_adaptive_masks_hold_under_light_where_raw_ones_do_not():
    scenes = _lit(LIT[2][0])
    assert _kept(Adaptive()(scenes), scenes.relit) <= 0.3 * len(scenes.relit)
    assert _kept(Midway(normalisation="none")(scenes), scenes.relit) >= len(scenes.relit)


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
@pytest.mark.parametrize("draw", [_lognormal, _distances, _logits, _tiny])
def test_light_that_changes_nothing_has_an_excess_of_one(normalisation, draw):
    maps = _maps(draw)
    assert excess(maps, maps * LIGHTS, normalisation) == pytest.approx(1)


def test_only_images_that_were_relit_say_what_light_does():
    clean = _smooth()
    odd = [*clean, clean[0] * 1000]  # its own scores would hide the light
    relit = [each * np.float32(3) for each in clean for _ in range(LIGHTS)]
    scenes = Scenes(odd, relit, changed=tuple(range(len(clean))))
    assert Adaptive()(scenes).findings["excess_median"] > 2
    assert Adaptive()(replace(scenes, changed=())).findings["excess_median"] == 0


@pytest.mark.parametrize(
    ("rule", "kind"), [(Adaptive(), "relit"), (SyntheticDefects(), "defects")], ids=["a", "s"]
)
def test_a_rule_says_which_maps_it_misses(rule, kind):
    with pytest.raises(ZooError, match=f"the rule {type(rule).__name__} reads {kind} score maps"):
        rule(_smooth())


def test_without_relit_images_adaptive_is_midway():
    rule = Adaptive(0.99, 2.0, 0.5, "robust", much=3.0, min_area_px=4, close_px=5)
    assert rule.map_only() == Midway(0.99, 2.0, 0.5, "robust", min_area_px=4, close_px=5)


def test_without_defects_synthetic_defects_are_midway():
    rule = SyntheticDefects(normalisation="robust", min_area_px=4, border_px=5)
    assert rule.map_only() == Midway(normalisation="robust", min_area_px=4, border_px=5)


@every_rule
def test_what_map_only_gives_needs_no_scenes(rule):
    other = rule.map_only()
    assert (other is rule) == (not rule.needs)
    other(_smooth())


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("offset", [0.0, 100.0, -100.0])
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_the_threshold_parts_painted_defects(normalisation, offset, noise):
    generator = np.random.default_rng(0)
    clean = [
        (offset + noise * generator.normal(size=(40, 50))).astype(np.float32) for _ in range(4)
    ]
    painted = [_with_defect(each, offset + 2) for each in clean]
    scenes = Scenes(
        clean, defects=[each for each, _ in painted], defect_masks=[mask for _, mask in painted]
    )
    calibration = SyntheticDefects(normalisation=normalisation)(scenes)
    for score_map, mask in painted:
        np.testing.assert_array_equal(finish(score_map, mask.shape, calibration).mask, mask)
    assert _kept(calibration, clean) == 0


@pytest.mark.parametrize("lowest_q", [0.5, 0.99, 1.0])
def test_the_threshold_does_not_fall_below_a_quantile_of_normal_pixels(lowest_q):
    clean = _maps(_lognormal)
    scenes = _scenes(clean)
    faint = replace(scenes, defects=[np.minimum(each, 0.01) for each in scenes.defects])
    rule = SyntheticDefects(lowest_q)
    assert rule(faint).threshold == Quantile(lowest_q)(clean).threshold
    assert rule(scenes).threshold >= Quantile(lowest_q)(clean).threshold


def test_the_threshold_has_the_best_f1_of_all():
    clean = _maps(_lognormal)
    generator = np.random.default_rng(1)
    defects, masks = [], []
    for each in clean:
        mask = _with_defect(each, 0)[1]
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
    clean = _smooth(2)
    scenes = Scenes(clean, defects=clean, defect_masks=[np.zeros((60, 70), bool)] * 2)
    with pytest.raises(ZooError, match="masks of the synthetic defects are all empty"):
        SyntheticDefects()(scenes)


@pytest.mark.parametrize("q", [0.0, 0.5, 1.0])
def test_the_floor_of_mebin_is_a_quantile_of_normal_peaks(q):
    maps = _smooth()
    peaks = [each.max() for each in maps]
    calibration = Mebin(q, step=5, shortest_run=3)(maps)
    assert calibration.threshold == np.quantile(peaks, q, method="inverted_cdf")
    assert calibration.sweep == {"step": 5, "shortest_run": 3}
    assert calibration.erode_px == 6


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_pictures_have_one_scale_for_all_images_under_a_normalisation(normalisation):
    maps = _smooth()
    calibration = Midway(normalisation=normalisation)(maps)
    shown = calibration.for_display(np.stack(maps))
    assert shown.shape == (8, 60, 70)
    assert 0 <= shown.min() <= shown.max() <= 1
    for each, picture in zip(maps, shown, strict=True):
        np.testing.assert_array_equal(calibration.for_display(each), picture)
        marked = finish(each, each.shape, replace(calibration, min_area_px=0, seed_threshold=None))
        assert (picture[marked.mask] >= 0.4999).all()
        assert (picture[~marked.mask] <= 0.5001).all()
