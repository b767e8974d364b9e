"""Drops and ranks against the challenge paper's own table."""

from __future__ import annotations

from itertools import product

import pytest
from scipy.stats import rankdata

from zoo.results.aggregate import Scores
from zoo.results.leaderboard import drop, places, r_final
from zoo.results.published import published

# arXiv 2509.17615, table 2: private, private_mixed, |Delta_rel| and R_final as printed.
ENTRANTS = {
    "ISVL": (53.81, 51.43, 4.42, 1),
    "RoBiS": (51.00, 46.52, 8.78, 2),
    "ASEG": (50.43, 44.49, 11.78, 3),
    "SuperAD": (47.75, 43.19, 9.55, 4),
    "Filter-Former": (44.43, 39.68, 10.69, 5),
}
BASELINES = {
    "PatchCore": (3.7, 3.4, 8.11),
    "RD": (18.1, 16.7, 7.73),
    "RD++": (19.2, 16.7, 13.02),
    "EfficientAD": (15.4, 8.0, 48.05),
    "MSFlow": (21.8, 9.0, 58.72),
    "SimpleNet": (17.7, 8.7, 50.85),
    "DSR": (10.9, 9.5, 12.84),
}


@pytest.mark.parametrize("name", [*ENTRANTS, *BASELINES])
def test_means_and_drops_are_those_of_the_paper(name):
    private, mixed, printed, *_ = (ENTRANTS | BASELINES)[name]
    [entry] = [each for each in published("SegF1") if each.name == name]
    assert 100 * entry.mean("test_private") == pytest.approx(private)
    assert 100 * entry.mean("test_private_mixed") == pytest.approx(mixed)
    assert 100 * drop(private, mixed) == pytest.approx(printed, abs=0.0051)


def test_the_entrants_have_the_ranks_of_the_paper():
    means = [row[:2] for row in ENTRANTS.values()]
    assert r_final(means) == [row[3] for row in ENTRANTS.values()]
    assert places(means) == [1, 2, 3, 4, 5]


def test_ranks_are_those_of_scipy():
    means = list(product((0.1, 0.2, 0.3), (0.05, 0.15, 0.25)))
    private, mixed = zip(*means, strict=True)
    ranks = [rankdata([-value for value in column], "min") for column in (private, mixed)]
    assert r_final(means) == pytest.approx((ranks[0] + ranks[1]) / 2)


def test_of_equal_r_final_the_smaller_gap_in_points_wins():
    # First and second, second and first; the gap is 10 points against 1.
    assert places([(0.50, 0.40), (0.45, 0.44)]) == [2, 1]
    # Relative to the private mean the first would win, in points the second does.
    assert places([(0.90, 0.80), (0.81, 0.89)]) == [2, 1]


def test_who_lacks_a_mean_has_no_rank_and_takes_nobodys():
    means = [(0.5, None), (0.4, 0.3), (None, None), (0.3, 0.2)]
    assert r_final(means) == [None, 1, None, 2]
    assert places(means) == [None, 1, None, 2]


def test_equal_means_share_their_place():
    assert places([(0.5, 0.4), (0.5, 0.4), (0.1, 0.1)]) == [1, 1, 3]


@pytest.mark.parametrize("means", [(None, 0.1), (0.1, None), (0.0, 0.1), (float("nan"), 0.1)])
def test_a_drop_from_nothing_is_not_known(means):
    assert drop(*means) is None


def test_a_gain_under_mixed_light_is_negative():
    assert drop(0.4, 0.5) == pytest.approx(-0.25)


def test_a_published_mean_is_taken_before_one_over_objects():
    assert Scores({"a": 0.2, "b": 0.4}).mean == pytest.approx(0.3)
    assert Scores({"a": 0.2}, stated=0.25).mean == 0.25
    assert Scores().mean is None
