"""Expected false alarms: thresholds are evaluated on other images; the interval is scipy's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.stats import binomtest

from zoo.postprocess import Calibration, Quantile, Rule, Scenes
from zoo.postprocess.false_alarms import FalseAlarms, count_false_alarms, expected_false_alarms


@dataclass(frozen=True)
class Witness(Rule):
    """Remembers in its threshold which images it saw; image k is all k."""

    def derive(self, scenes, split):
        SEEN.append({int(each[0, 0]) for each in scenes.clean})
        return Calibration(threshold=1e9, split=split)


SEEN: list[set[int]] = []


def numbered(n: int) -> list[np.ndarray]:
    return [np.full((3, 4), index, np.float32) for index in range(n)]


def noise(n: int, seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.random((20, 30), dtype=np.float32) for _ in range(n)]


@pytest.mark.parametrize(
    ("alarms", "n"), [(0, 1), (1, 1), (0, 6), (6, 6), (1, 30), (3, 100), (50, 100), (999, 1000)]
)
def test_the_interval_is_wilsons(alarms, n):
    wilson = binomtest(alarms, n).proportion_ci(0.95, method="wilson")
    low, high = FalseAlarms(n, alarms, alarms, held_out=True).interval
    assert low == pytest.approx(1000 * wilson.low, abs=1e-3)
    assert high == pytest.approx(1000 * wilson.high, abs=1e-3)


@pytest.mark.parametrize("n", [2, 3, 5, 6, 13, 25])
def test_no_image_is_evaluated_by_thresholds_that_it_set(n, monkeypatch):
    from zoo.postprocess import false_alarms

    SEEN.clear()
    evaluated, real = [], false_alarms.finish

    def finish(score_map, *rest):
        number = int(score_map[0, 0])
        assert number not in SEEN[-1]
        evaluated.append(number)
        return real(score_map, *rest)

    monkeypatch.setattr(false_alarms, "finish", finish)
    counts = expected_false_alarms(Witness(), numbered(n))
    assert sorted(evaluated) == list(range(n))
    assert len(SEEN) == min(5, n)
    assert all(len(seen) >= n - -(-n // 5) for seen in SEEN)
    assert counts == FalseAlarms(n, 0, 0, held_out=True)


def test_folds_are_no_runs_of_neighbours():
    SEEN.clear()
    expected_false_alarms(Witness(), numbered(10))
    assert SEEN[0] == set(range(10)) - {0, 5}


@pytest.mark.parametrize("n", [2, 12, 13, 56, 60])
def test_a_rule_finds_relit_images_whatever_fold_is_left_out(n):
    # Twelve of 56, evenly spread, are every fifth image.
    changed = np.unique(np.linspace(0, n - 1, min(n, 12)).round().astype(int)).tolist()
    relit = [np.full((3, 4), index, np.float32) for index in changed for _ in range(2)]
    seen = []

    @dataclass(frozen=True)
    class Relit(Rule):
        needs = frozenset({"relit"})

        def derive(self, scenes, split):
            seen.append({int(each[0, 0]) for each in scenes.relit})
            assert seen[-1] <= {int(each[0, 0]) for each in scenes.clean}
            return Calibration(threshold=1e9)

    scenes = Scenes(numbered(n), relit=relit, changed=tuple(changed))
    assert expected_false_alarms(Relit(), scenes).n_images == n
    assert min(len(each) for each in seen) >= len(changed) // 2


def test_one_image_cannot_tell():
    assert expected_false_alarms(Quantile(), noise(1)) is None


def test_an_odd_image_is_an_alarm_although_it_would_have_raised_the_threshold():
    maps = noise(9)
    maps[4] = maps[4] + 5
    rule = Quantile(q=1.0, min_area_px=1)
    assert count_false_alarms(rule(maps), maps, held_out=False).n_alarms == 0
    expected = expected_false_alarms(rule, maps)
    assert expected.n_alarms >= 1
    assert expected.held_out


def test_images_and_blobs_are_counted():
    clean, defective = np.zeros((10, 10), np.float32), np.zeros((10, 10), np.float32)
    defective[1:3, 1:3] = defective[6:9, 6:9] = 1
    calibration = Calibration(threshold=0.5, min_area_px=2)
    counts = count_false_alarms(calibration, [clean, defective, clean, defective], held_out=True)
    assert counts == FalseAlarms(4, 2, 4, held_out=True)
    assert counts.per_1000 == 500


def test_scenes_are_evaluated_as_they_are_not_relit():
    clean, relit = noise(6), [each + 9 for each in noise(12)]
    scenes = Scenes(clean, relit=relit)
    rule = Quantile(q=1.0)
    assert expected_false_alarms(rule, scenes) == expected_false_alarms(rule, clean)


def test_the_expectation_meets_the_truth():
    rule = Quantile(q=0.995, min_area_px=1)
    expected = expected_false_alarms(rule, noise(30))
    truth = count_false_alarms(rule(noise(30)), noise(200, seed=1), held_out=True)
    low, high = expected.interval
    assert low <= truth.per_1000 <= high


def test_the_record_travels_as_plain_data_and_says_what_it_means():
    counts = FalseAlarms(30, 3, 5, held_out=True)
    data = counts.to_dict()
    assert data["per_1000"] == 100
    assert data["low_1000"] < 100 < data["high_1000"]
    assert FalseAlarms.from_dict(data) == counts
    assert counts.describe() == (
        "false alarms to expect: 100 (35 to 256) of 1,000 normal images, "
        "from 30 evaluated by thresholds of other images"
    )
    assert "thresholds of the same images" in FalseAlarms(30, 0, 0, held_out=False).describe()
