"""The calibration as plain data: its file, its words, its scale for display."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from normal_maps import DRAWS, NORMALISATIONS, drawn_maps, lognormal, rule_name, smooth_maps

from zoo.postprocess import Calibration, FalseAlarmBudget, MeanStd, Mebin, Midway, Quantile
from zoo.postprocess.finish import finish
from zoo.utils.errors import ZooError


def test_the_calibration_says_where_it_came_from():
    calibration = Quantile(0.99, 1.1, min_area_px=25)(drawn_maps(lognormal), split="validation")
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


@pytest.mark.parametrize("draw", DRAWS)
def test_images_are_scaled_to_the_threshold(draw):
    maps = drawn_maps(draw)
    calibration = Quantile(0.9)(maps)
    with np.errstate(all="raise", under="ignore"):
        shown = calibration.for_display(maps[0])
    assert 0 <= shown.min() <= shown.max() <= 1
    above = finish(maps[0], (40, 50), replace(calibration, min_area_px=0)).mask
    assert (shown[above] >= 0.5).all()
    assert (shown[~above] <= 0.5).all()


def test_a_calibration_survives_its_file(tmp_path):
    calibration = Quantile(0.9)(drawn_maps(lognormal))
    path = tmp_path / "calibration.json"
    calibration.save(path)
    assert Calibration.load(path) == calibration
    assert json.loads(path.read_text(encoding="utf-8"))["threshold"] == calibration.threshold


def test_unknown_keys_are_ignored():
    calibration = Calibration(0.5, 3)
    assert Calibration.from_dict({**calibration.to_dict(), "note": "by hand"}) == calibration


@pytest.mark.parametrize("version", [None, 0, 2, 4, "3", True])
def test_another_version_is_refused(version):
    data = {**Calibration(0.5).to_dict(), "version": version}
    if version is None:
        del data["version"]
    with pytest.raises(ZooError, match=f"calibration of format {version}.*calibrate again"):
        Calibration.from_dict(data)


WRONG = {
    "threshold": ["NaN", "Infinity", "-Infinity", "true", "null", '"1"', "1e300", "[1]"],
    "seed_threshold": ["NaN", "true", "0.25"],
    "min_area_px": ["-1", "1.5", "true", "1e9", "9000000000"],
    "min_mass": ["-0.5", "Infinity"],
    "normalisation": ['"foo"', "null", "1"],
    "spread_floor": ["-1", "1e300"],
    "close_px": ["-1", "1000000000"],
    "fill_holes_px": ["-1"],
    "erode_px": ["-1", "1000000000"],
    "border_px": ["-1", "1000000000", "2.0"],
    "sweep": ["{}", "[]", '{"step": 0, "shortest_run": 4}', '{"step": 4, "shortest_run": -1}'],
    "rule": ["1", "null"],
    "parameters": ["[]", "null"],
    "images": ["[1]", '"abc"'],
    "given": ["1"],
    "n_images": ["-1", "0.5"],
    "normal_min": ["2", "NaN"],
}


@pytest.mark.parametrize(("key", "value"), [(key, v) for key, vs in WRONG.items() for v in vs])
def test_a_value_that_none_can_have_is_named_with_file_and_mend(key, value, tmp_path):
    path = tmp_path / "calibration.json"
    whole = Calibration(0.5).to_dict() | {key: "HERE"}
    path.write_text(json.dumps(whole).replace('"HERE"', value))
    with pytest.raises(ZooError) as caught:
        Calibration.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}")
    assert key in message or value in message
    assert message.endswith("copy it again, or `zoo calibrate RUN --rule RULE` makes a new one")
    assert "\n" not in message


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "\ufeff{}", '{"version": 3}'])
def test_what_is_no_calibration_is_one_line(text, tmp_path):
    (tmp_path / "calibration.json").write_text(text, encoding="utf-8")
    with pytest.raises(ZooError, match=r"calibration\.json"):
        Calibration.load(tmp_path / "calibration.json")


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Quantile(), r"^threshold [\d.]+, blobs"),
        (Quantile(normalisation="median"), r"^threshold [\d.]+ above the image's median, blobs"),
        (MeanStd(normalisation="robust"), r"^threshold [\d.]+ spreads above the image's median, b"),
        (FalseAlarmBudget(), r", peak > [\d.]+, blobs"),
        (FalseAlarmBudget(limit="mass", q=0.9), r", mass >= [\d.]+, blobs"),
        (Mebin(), r"^each image's own threshold, at least [\d.]+, blobs"),
    ],
    ids=lambda value: rule_name(value) if not isinstance(value, str) else "",
)
def test_a_calibration_says_what_a_blob_must_exceed(rule, message):
    calibration = rule(smooth_maps())
    assert re.search(message, calibration.describe())


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_images_have_one_scale_for_all_images_under_a_normalisation(normalisation):
    maps = smooth_maps()
    calibration = Midway(normalisation=normalisation)(maps)
    shown = calibration.for_display(np.stack(maps))
    assert shown.shape == (8, 60, 70)
    assert 0 <= shown.min() <= shown.max() <= 1
    for each, scaled in zip(maps, shown, strict=True):
        np.testing.assert_array_equal(calibration.for_display(each), scaled)
        marked = finish(each, each.shape, replace(calibration, min_area_px=0, seed_threshold=None))
        assert (scaled[marked.mask] >= 0.4999).all()
        assert (scaled[~marked.mask] <= 0.5001).all()
