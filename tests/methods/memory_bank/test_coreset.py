"""Greedy k-centre selection against the plain procedures of the references."""

import pytest
import torch

from zoo.methods.memory_bank import coreset
from zoo.methods.memory_bank.coreset import coverage_radius, greedy_coreset, random_start
from zoo.utils.errors import ZooError


def _features(n=900, width=12, seed=0):
    """Clusters of unequal density, as features of images have."""
    generator = torch.Generator().manual_seed(seed)
    centres = 4 * torch.randn(15, width, generator=generator)
    which = torch.randint(15, (n,), generator=generator)
    return centres[which] + torch.rand(15, 1, generator=generator)[which] * torch.randn(
        n, width, generator=generator
    )


def _amazons(features, n_picks, start):
    """The reference's sampler: mean distance to the start, which is not kept."""
    features = features.double()
    anchors = torch.cdist(features, features[start]).mean(dim=1)
    picks = []
    for _ in range(n_picks):
        picks.append(int(anchors.argmax()))
        anchors = torch.minimum(anchors, torch.cdist(features, features[picks[-1:]])[:, 0])
    return picks


def _anomalibs(features, n_picks, start):
    """Anomalib's sampler: one start, which is kept."""
    features = features.double()
    picks, anchors = [start], torch.full((len(features),), torch.inf)
    for _ in range(n_picks - 1):
        anchors = torch.minimum(anchors, (features - features[picks[-1]]).norm(dim=1))
        picks.append(int(anchors.argmax()))
    return picks


@pytest.fixture(params=[8, 50, 4096])
def pool(request, monkeypatch):
    """Pools that end often, seldom and never."""
    monkeypatch.setattr(coreset, "POOL", request.param)


@pytest.mark.usefixtures("pool")
def test_the_picks_are_those_of_the_reference():
    features, start = _features(), [3, 141, 592, 653, 5, 89, 79, 323, 846, 264]
    found = greedy_coreset(features, 120, start)
    assert found.tolist() == _amazons(features, 120, start)


@pytest.mark.usefixtures("pool")
def test_the_picks_are_anomalibs_when_the_start_is_kept():
    features = _features(seed=1)
    found = greedy_coreset(features, 100, [17], keep_start=True)
    assert found.tolist() == _anomalibs(features, 100, 17)


def test_the_radius_covers_every_point():
    features = _features(seed=2)
    picks = greedy_coreset(features, 40, [0])
    reached = torch.cdist(features, features[picks]).min(dim=1).values.max()
    assert coverage_radius(features, picks) == pytest.approx(float(reached), rel=1e-5)


def test_half_precision_is_good_enough():
    features = _features().half()
    found = greedy_coreset(features, 60, [0])
    assert found.tolist() == _amazons(features.float(), 60, [0])


def test_more_picks_than_points_are_all_points_once():
    found = greedy_coreset(_features(30), 50, [4])
    assert found.tolist() == list(range(30))


def test_identical_points_are_picked_once():
    features = _features(20).repeat(30, 1)
    found = greedy_coreset(features, 100, [0], keep_start=True)
    assert sorted(index % 20 for index in found.tolist()) == list(range(20))


@pytest.mark.usefixtures("pool")
@pytest.mark.parametrize("keep_start", [False, True])
@pytest.mark.parametrize("far", [500.0, 5000.0, 1e6])
def test_one_point_far_out_ends_nothing(far, keep_start):
    features = _features(900, seed=3)
    features[7] *= far / features[7].norm()
    wanted = _anomalibs(features, 200, 17) if keep_start else _amazons(features, 200, [17])
    assert greedy_coreset(features, 200, [17], keep_start).tolist() == wanted


@pytest.mark.usefixtures("pool")
def test_copies_of_a_point_far_out_are_picked_once_and_the_others_still_are():
    features = _features(20)
    features[3] *= 5000
    found = greedy_coreset(features.repeat(30, 1), 100, [0], keep_start=True)
    assert sorted(index % 20 for index in found.tolist()) == list(range(20))


def test_one_point_is_its_own_coreset():
    for keep_start in (False, True):
        found = greedy_coreset(torch.ones(1, 4), 3, [0], keep_start)
        assert found.tolist() == [0]


def test_all_points_equal_still_leave_a_bank():
    assert len(greedy_coreset(torch.ones(50, 4), 3, [0])) == 1


def test_progress_is_told(monkeypatch):
    monkeypatch.setattr(coreset, "POOL", 10)
    said = []
    greedy_coreset(_features(), 50, [0], progress=lambda *numbers: said.append(numbers))
    assert said[-1] == (50, 50)
    assert len(said) > 3


def test_a_start_is_drawn_without_repetition():
    drawn = random_start(20, 10, torch.Generator().manual_seed(1))
    assert len(set(drawn.tolist())) == 10
    assert torch.equal(drawn, random_start(20, 10, torch.Generator().manual_seed(1)))
    assert len(random_start(3, 10)) == 3


@pytest.mark.parametrize(
    ("features", "n_picks", "start", "says"),
    [
        (torch.ones(0, 2), 1, [0], "needs features"),
        (torch.ones(3, 2), 1, [], "needs features"),
        (torch.ones(3, 2), 0, [0], "a coreset of 0"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(features, n_picks, start, says):
    with pytest.raises(ZooError, match=says):
        greedy_coreset(features, n_picks, start)
