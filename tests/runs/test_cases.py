"""Which pictures of a split a person gets to see."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from zoo.post import Calibration, finish
from zoo.runs.cases import CaseCollector

SIZE = (48, 64)
CALIBRATION = Calibration(2.0, min_area_px=4)


@pytest.fixture
def judged(tmp_path, texture, write_image):
    """Return a function that makes a picture with a blob of `side` px, and its judgement."""

    def make(name: str, side: int = 0, peak: float = 1.0, size=SIZE):
        path = write_image(tmp_path / "shots" / f"{name}.png", texture(len(name), size))
        score_map = np.zeros(size, np.float32)
        score_map[-1, -1] = peak
        score_map[:side, :side] = 5
        return path, finish(score_map, size, CALIBRATION)

    return make


def shown(cases: CaseCollector, folder) -> dict[str, list[str]]:
    """Return the pictures that were written, by kind."""
    cases.save(folder, CALIBRATION)
    kinds = ("worst", "best", "false_alarm", "loudest_good")
    files = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    named = {kind: [name for name in files if name.startswith(kind)] for kind in kinds}
    return {kind: [name.split("_shots_")[1][0] for name in names] for kind, names in named.items()}


def test_false_alarms_by_size_and_the_rest_by_score(judged, tmp_path):
    cases = CaseCollector(keep=2)
    for name, side, peak in (("a", 3, 1), ("b", 9, 1), ("c", 5, 1), ("d", 0, 0.5), ("e", 0, 1.5)):
        cases.update(*judged(name, side, peak), None, 0)
    found = shown(cases, tmp_path / "cases")
    assert found == {"worst": [], "best": [], "false_alarm": ["b", "c"], "loudest_good": ["e", "d"]}


def test_bad_pictures_without_masks_are_ranked_by_what_was_marked(judged, tmp_path):
    cases = CaseCollector(keep=1)
    for name, side in (("a", 5), ("b", 0), ("c", 9)):
        cases.update(*judged(name, side), None, 1)
    found = shown(cases, tmp_path / "cases")
    assert found == {"worst": ["b"], "best": ["c"], "false_alarm": [], "loudest_good": []}


def test_bad_pictures_with_masks_are_ranked_by_them(judged, tmp_path):
    cases = CaseCollector(keep=1)
    truth = np.zeros(SIZE, bool)
    truth[:5, :5] = True
    for name, side in (("a", 5), ("b", 40), ("c", 9)):
        cases.update(*judged(name, side), truth)  # no label: the mask tells
    found = shown(cases, tmp_path / "cases")
    assert (found["best"], found["worst"]) == (["a"], ["b"])


def test_where_nothing_is_known_nothing_is_shown(judged, tmp_path):
    cases = CaseCollector()
    cases.update(*judged("a", 9), None)
    cases.save(tmp_path / "cases", CALIBRATION)
    assert not (tmp_path / "cases").exists()


def test_a_case_is_three_small_pictures_side_by_side(judged, tmp_path):
    cases = CaseCollector()
    cases.update(*judged("a", 9, size=(600, 800)), None, 0)
    cases.save(tmp_path / "cases", CALIBRATION)
    [path] = (tmp_path / "cases").glob("*.png")
    assert cv2.imread(str(path)).shape == (300, 3 * 400, 3)


def test_a_name_of_any_length_and_script_can_be_written(judged, tmp_path):
    cases = CaseCollector()
    cases.update(*judged("Schraube ä 螺丝 " * 9, 9), None, 0)
    cases.save(tmp_path / "cases", CALIBRATION)
    [path] = (tmp_path / "cases").glob("*.png")
    assert path.stat().st_size > 100
