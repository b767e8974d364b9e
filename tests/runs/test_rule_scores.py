"""Histograms in units of the thresholds: background off, a grid of pixels, files that add up."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.metrics import add_splits, load_splits
from zoo.postprocess import Calibration
from zoo.runs.figures import RuleScores

TRUTH = np.zeros((8, 10), bool)
TRUTH[0, :3] = True


def scored(normalisation: str, offset: float) -> RuleScores:
    score_map = np.full((8, 10), offset, np.float32)
    score_map[0, :3] += 4
    scores = RuleScores(Calibration(2.0, normalisation=normalisation))
    scores.update(score_map, TRUTH)
    return scores


def test_what_a_rule_takes_off_is_off():
    for offset in (1.0, 64.0):
        pixels = scored("median", offset).pixels
        assert pixels.normal.levels()[0].tolist() == [0]
        assert pixels.defect.levels()[0].tolist() == [4]
        assert scored("none", offset).pixels.normal.levels()[0].tolist() == [offset]


def test_unknown_truth_counts_nothing():
    scores = RuleScores(Calibration(2.0))
    scores.update(np.ones((8, 10), np.float32), None)
    assert scores.pixels.normal.total == 0


def test_a_large_image_is_counted_on_a_grid():
    scores = RuleScores(Calibration(2.0))
    scores.update(np.ones((1000, 1000), np.float32), np.zeros((1000, 1000), bool))
    assert 60_000 < scores.pixels.normal.total <= 1 << 16


def test_splits_add_up_in_one_file(tmp_path):
    add_splits(tmp_path / "rule_histograms.npz", {"validation": scored("none", 1).pixels})
    add_splits(tmp_path / "rule_histograms.npz", {"test": scored("none", 2).pixels})
    found = load_splits(tmp_path / "rule_histograms.npz")
    assert set(found) == {"validation", "test"}
    assert found["test"].defect.total == pytest.approx(3)
