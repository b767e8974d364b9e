"""The search: how images are parted, what fails, and which candidate is chosen."""

from __future__ import annotations

import pytest

from zoo.benchmark.pick.candidates import candidates
from zoo.benchmark.pick.choice import Budget, Row, ranked, with_front
from zoo.benchmark.pick.search import prepare
from zoo.export.cost import DeployedCost
from zoo.utils.errors import ZooError


@pytest.fixture
def good(tmp_path, texture, write_image):
    return [write_image(tmp_path / f"good/{index}.png", texture(index)) for index in range(10)]


def row(name, estimate, ms, mb):
    return Row(name, "fp32", DeployedCost(ms, ms, mb, 1), estimate)


def test_images_are_parted_and_the_estimate_has_some_of_each_kind(good, tmp_path):
    out = tmp_path / "out"
    search = prepare(good, out, "CPU", ["fp32"], 200, 0)
    assert len(list(search.fit_on.iterdir())) == 8
    kinds = [each.path.parent.name for each in search.images]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"good": 2, "relit": 4, "defect": 6}
    assert all(
        (each.mask is not None) == (each.path.parent.name == "defect") for each in search.images
    )
    learnt = {path.resolve().name for path in search.fit_on.iterdir()}
    assert len(learnt) == 8
    times = {each.path: each.path.stat().st_mtime_ns for each in search.images}
    again = prepare(good, out, "CPU", ["fp32"], 200, 0)
    assert again == search
    assert {each.path: each.path.stat().st_mtime_ns for each in again.images} == times
    assert prepare(good, out, "CPU", ["fp32"], 200, 1).fit_on != search.fit_on


def test_too_few_images_are_one_line(good, tmp_path):
    with pytest.raises(ZooError, match="7 normal images: zoo pick needs 8 at least"):
        prepare(good[:7], tmp_path / "out", "CPU", ["fp32"], 200, 0)


def test_a_candidate_that_fails_is_a_row(good, tmp_path, monkeypatch):
    def fail(*args, **options):
        raise RuntimeError("no such thing")

    monkeypatch.setattr("zoo.benchmark.attempt.make_run", fail)
    search = prepare(good, tmp_path / "out", "CPU", ["fp32", "int8"], 200, 0)
    rows = search.rows(candidates(["quickstart"], None)[0], lambda text: None)
    assert [row.precision for row in rows] == ["fp32", "int8"]
    assert "no such thing" in rows[0].reason
    with pytest.raises(ZooError, match=r"no candidate could be tried: quickstart: .*no such thing"):
        ranked(rows, Budget(50))


def test_what_comes_closest_is_named_where_nothing_fits():
    rows = [row("slow", 0.9, 80, 100), row("small", 0.5, 60, 300)]
    with pytest.raises(ZooError, match=r"closest came small in fp32 with 60\.0 ms and 300 MB"):
        ranked(rows, Budget(50))


def test_the_best_estimate_within_the_budget_wins_and_ties_go_to_the_fastest():
    rows = [row("slow", 0.9, 80, 100), row("a", 0.5, 40, 100), row("b", 0.5, 30, 100)]
    assert [each.candidate for each in ranked(rows, Budget(50))] == ["b", "a"]
    assert ranked(rows, Budget(None, 200))[0].candidate == "slow"
    rows.append(Row("failed", "fp32", None, reason="x"))
    assert [each.is_on_front for each in with_front(rows)] == [True, False, True, False]
