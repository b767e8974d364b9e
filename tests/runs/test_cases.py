"""Which images of a split a person gets to see."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from zoo.postprocess import Calibration, finish
from zoo.runs.cases import CaseCollector

SIZE = (48, 64)
CALIBRATION = Calibration(2.0, min_area_px=4)


@pytest.fixture
def finished_image(tmp_path, texture, write_image):
    """Return a function that writes an image and finishes a map with a blob of `side` px."""

    def make(name: str, side: int = 0, peak: float = 1.0, size=SIZE):
        path = write_image(tmp_path / "shots" / f"{name}.png", texture(len(name), size))
        score_map = np.zeros(size, np.float32)
        score_map[-1, -1] = peak
        score_map[:side, :side] = 5
        return path, finish(score_map, size, CALIBRATION)

    return make


def shown(cases: CaseCollector, folder) -> dict[str, list[str]]:
    """Return the images that were written, by kind."""
    cases.save(folder, CALIBRATION)
    kinds = ("worst", "best", "false_alarm", "highest_normal_score")
    files = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    named = {kind: [name for name in files if name.startswith(kind)] for kind in kinds}
    return {kind: [name.split("_shots_")[1][0] for name in names] for kind, names in named.items()}


def test_false_alarms_by_size_and_the_rest_by_score(finished_image, tmp_path):
    cases = CaseCollector(keep=2)
    for name, side, peak in (("a", 3, 1), ("b", 9, 1), ("c", 5, 1), ("d", 0, 0.5), ("e", 0, 1.5)):
        cases.update(*finished_image(name, side, peak), None, 0)
    found = shown(cases, tmp_path / "cases")
    assert found == {
        "worst": [],
        "best": [],
        "false_alarm": ["b", "c"],
        "highest_normal_score": ["e", "d"],
    }


def test_anomalous_images_without_masks_are_ranked_by_what_was_marked(finished_image, tmp_path):
    cases = CaseCollector(keep=1)
    for name, side in (("a", 5), ("b", 0), ("c", 9)):
        cases.update(*finished_image(name, side), None, 1)
    found = shown(cases, tmp_path / "cases")
    assert found == {"worst": ["b"], "best": ["c"], "false_alarm": [], "highest_normal_score": []}


def test_anomalous_images_with_masks_are_ranked_by_them(finished_image, tmp_path):
    cases = CaseCollector(keep=1)
    truth = np.zeros(SIZE, bool)
    truth[:5, :5] = True
    for name, side in (("a", 5), ("b", 40), ("c", 9)):
        cases.update(*finished_image(name, side), truth)  # no label: the mask tells
    found = shown(cases, tmp_path / "cases")
    assert (found["best"], found["worst"]) == (["a"], ["b"])


def test_boxes_of_blobs_and_of_missed_defects_are_listed(finished_image, tmp_path):
    cases = CaseCollector(keep=1)
    truth = np.zeros(SIZE, bool)
    truth[:5, :9] = truth[30:33, 40:44] = truth[20, 60] = True
    path, finished = finished_image("a", 5)
    cases.update(path, finished, truth)
    cases.save(tmp_path / "cases", CALIBRATION)
    worst, best = json.loads((tmp_path / "cases" / "cases.json").read_text())
    assert (worst["kind"], worst["rank"], best["kind"]) == ("worst", 1, "best")
    assert (worst["image"], worst["width"], worst["height"]) == ("shots/a.png", 64, 48)
    assert worst["blobs"] == [{"id": 1, "box": [0, 0, 5, 5], "area_px": 25, "peak": 5.0}]
    assert worst["missed"] == [[60, 20, 1, 1], [40, 30, 4, 3]]
    assert worst["has_truth"]
    assert worst["n_blobs"] == 1
    assert (tmp_path / "cases" / worst["file"]).is_file()
    assert worst["value"] == pytest.approx(2 * 25 / (25 + 45 + 13))


def test_marks_on_a_good_image_are_wrong_without_any_mask_to_compare(finished_image, tmp_path):
    cases = CaseCollector()
    cases.update(*finished_image("a", 5), None, 0)
    cases.update(*finished_image("b", 5), None, 1)
    cases.save(tmp_path / "cases", CALIBRATION)
    listed = json.loads((tmp_path / "cases" / "cases.json").read_text())
    assert {each["kind"]: each["has_truth"] for each in listed} == {
        "worst": False,
        "best": False,
        "false_alarm": True,
    }


def test_a_speck_is_not_shrunk_away(finished_image):
    cases = CaseCollector()
    path, finished = finished_image("a", 9, size=(600, 800))
    truth = np.zeros((600, 800), bool)
    truth[301, 401] = True
    cases.update(path, finished, truth)
    assert cases.worst[0].truth.shape == (300, 400)
    assert cases.worst[0].truth.sum() == 1


def test_where_nothing_is_known_nothing_is_shown(finished_image, tmp_path):
    cases = CaseCollector()
    cases.update(*finished_image("a", 9), None)
    cases.save(tmp_path / "cases", CALIBRATION)
    assert not (tmp_path / "cases").exists()


def test_a_case_is_three_small_images_side_by_side(finished_image, tmp_path):
    cases = CaseCollector()
    cases.update(*finished_image("a", 9, size=(600, 800)), None, 0)
    cases.save(tmp_path / "cases", CALIBRATION)
    [path] = (tmp_path / "cases").glob("*.png")
    assert cv2.imread(str(path)).shape == (300, 3 * 400, 3)


def test_a_name_of_any_length_and_script_can_be_written(finished_image, tmp_path):
    cases = CaseCollector()
    cases.update(*finished_image("Schraube ä 螺丝 " * 9, 9), None, 0)
    cases.save(tmp_path / "cases", CALIBRATION)
    [path] = (tmp_path / "cases").glob("*.png")
    assert path.stat().st_size > 100
