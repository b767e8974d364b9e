"""What every calibration rule keeps, whatever the scores."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from normal_maps import ODD_DRAWS, RULES, blobs_kept, drawn_maps, rule_name, scenes_of, smooth_maps

from zoo.postprocess import (
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
from zoo.utils.errors import ZooError

every_rule = pytest.mark.parametrize("rule", RULES, ids=rule_name)


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
    message = str(refusal.value)
    assert message.startswith(f"{kind.__name__}: {name} is {value}, ")
    assert "\n" not in message


@every_rule
def test_every_rule_gives_finite_numbers_on_odd_scores(rule):
    for draw, count in product(ODD_DRAWS, [1, 6]):
        clean = drawn_maps(draw, count)
        with np.errstate(all="raise", under="ignore"):
            calibration = rule(scenes_of(clean))
            blobs_kept(calibration, clean)
        numbers = [calibration.threshold, calibration.min_mass, calibration.spread_floor]
        numbers += [calibration.normal_min, calibration.normal_max]
        numbers.append(calibration.seed_threshold or 0.0)
        assert np.isfinite(numbers).all(), draw.__name__
        assert all(type(number) is float for number in numbers), draw.__name__
        assert calibration.n_images == count


@every_rule
def test_every_calibration_survives_its_file_and_says_its_rule_in_one_line(rule, tmp_path):
    rule = replace(rule, min_area_px=7, close_px=3)
    calibration = rule(scenes_of(smooth_maps()), split="validation")
    calibration.save(tmp_path / "calibration.json")
    again = Calibration.load(tmp_path / "calibration.json")
    assert again == calibration
    assert type(rule)(**again.parameters) == rule
    message = calibration.describe()
    assert "\n" not in message
    assert "nan" not in message.lower()
    for part in (
        f"{calibration.threshold:.6g}",
        f"({type(rule).__name__}(",
        f"blobs >= {calibration.min_area_px} px",
        "close_px=3",
        "8 normal images of validation",
        f"{8 * 60 * 70} px",
    ):
        assert part in message


@every_rule
def test_every_rule_hands_its_shape_on(rule):
    shape = {"close_px": 1, "fill_holes_px": 2, "erode_px": 3, "border_px": 4}
    calibration = replace(rule, **shape)(scenes_of(smooth_maps()))
    assert {name: getattr(calibration, name) for name in shape} == shape


@every_rule
def test_every_rule_reads_maps_anew_and_gives_the_same_again(rule):
    scenes = scenes_of(smooth_maps())
    assert rule(scenes) == rule(scenes)


@every_rule
def test_no_rule_takes_no_image(rule):
    with pytest.raises(ZooError, match="no normal image to calibrate on"):
        rule(Scenes(()))


@pytest.mark.parametrize(
    ("rule", "kind"), [(Adaptive(), "relit"), (SyntheticDefects(), "defects")], ids=["a", "s"]
)
def test_a_rule_says_which_maps_it_misses(rule, kind):
    with pytest.raises(ZooError, match=f"the rule {type(rule).__name__} reads {kind} score maps"):
        rule(smooth_maps())


@every_rule
def test_what_map_only_gives_needs_no_scenes(rule):
    other = rule.map_only()
    assert (other is rule) == (not rule.needs)
    other(smooth_maps())
