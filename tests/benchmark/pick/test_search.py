"""The search with networks that are not fitted: what is skipped, remembered, chosen and said."""

from __future__ import annotations

import pytest

from zoo.benchmark.pick import search as search_module
from zoo.benchmark.pick.budget import Budget
from zoo.benchmark.pick.candidates import candidates
from zoo.benchmark.pick.choice import Row, ranked, with_front
from zoo.benchmark.pick.search import cached_json, prepare
from zoo.export.cost import DeployedCost
from zoo.utils.errors import ZooError


@pytest.fixture
def good(tmp_path, texture, write_image):
    return [write_image(tmp_path / f"good/{index}.png", texture(index)) for index in range(10)]


def row(name, estimate, ms, mb):
    return Row(name, "fp32", DeployedCost(ms, ms, mb, 1), estimate)


def test_pictures_are_parted_and_the_estimate_has_some_of_each_kind(good, tmp_path):
    out = tmp_path / "out"
    search = prepare(good, out, Budget(50), "CPU", ["fp32"], 200, 0)
    assert len(list(search.fit_on.iterdir())) == 8
    kinds = [each.path.parent.name for each in search.judged]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"good": 2, "relit": 4, "defect": 6}
    assert all(
        (each.mask is not None) == (each.path.parent.name == "defect") for each in search.judged
    )
    learnt = {path.resolve().name for path in search.fit_on.iterdir()}
    assert len(learnt) == 8
    times = {each.path: each.path.stat().st_mtime_ns for each in search.judged}
    again = prepare(good, out, Budget(50), "CPU", ["fp32"], 200, 0)
    assert again == search
    assert {each.path: each.path.stat().st_mtime_ns for each in again.judged} == times
    assert prepare(good, out, Budget(50), "CPU", ["fp32"], 200, 1).fit_on != search.fit_on


def test_too_few_pictures_are_one_line(good, tmp_path):
    with pytest.raises(ZooError, match="7 good pictures: zoo pick needs 8 at least"):
        prepare(good[:7], tmp_path / "out", Budget(50), "CPU", ["fp32"], 200, 0)


def test_what_cannot_fit_is_not_fitted_and_what_is_known_is_not_asked_again(
    good, tmp_path, monkeypatch
):
    asked = []

    def measure_cost(candidate, *args):
        asked.append(candidate.name)
        return {"fp32": DeployedCost(80, 90, 300, 5), "int8": DeployedCost(60, 70, 300, 5)}

    monkeypatch.setattr(search_module, "measure_cost", measure_cost)
    monkeypatch.setattr(search_module, "run", lambda *args: pytest.fail("was fitted"))
    search = prepare(good, tmp_path / "out", Budget(50), "CPU", ["fp32", "int8"], 200, 0)
    [candidate] = candidates(["quickstart"], None)
    for _ in range(2):
        rows = search.rows(candidate, lambda text: None)
        assert [row.reason for row in rows] == ["its least is beyond 50 ms: not fitted"] * 2
    assert asked == ["quickstart"]
    with pytest.raises(ZooError, match=r"closest came quickstart in int8 with 60\.0 ms and 300 MB"):
        ranked(rows, search.budget)


def test_a_candidate_that_fails_is_a_row(good, tmp_path, monkeypatch):
    def fail(*args):
        raise RuntimeError("no such thing")

    monkeypatch.setattr(search_module, "measure_cost", fail)
    search = prepare(good, tmp_path / "out", Budget(50), "CPU", ["fp32"], 200, 0)
    rows = search.rows(candidates(["quickstart"], None)[0], lambda text: None)
    assert "no such thing" in rows[0].reason
    with pytest.raises(ZooError, match=r"no candidate could be tried: quickstart: .*no such thing"):
        ranked(rows, search.budget)


def test_the_best_estimate_within_the_budget_wins_and_ties_go_to_the_fastest():
    rows = [row("slow", 0.9, 80, 100), row("a", 0.5, 40, 100), row("b", 0.5, 30, 100)]
    assert [each.candidate for each in ranked(rows, Budget(50))] == ["b", "a"]
    assert ranked(rows, Budget(None, 200))[0].candidate == "slow"
    rows.append(Row("failed", "fp32", None, reason="x"))
    assert [each.is_on_front for each in with_front(rows)] == [True, False, True, False]


def test_what_was_found_out_is_kept_by_its_key(tmp_path):
    place = tmp_path / "deep" / "x.json"
    assert cached_json(place, "a", lambda: 1, int) == 1
    assert cached_json(place, "a", lambda: 2, int) == 1
    assert cached_json(place, "b", lambda: 3, int) == 3
    place.write_text("{", encoding="utf-8")
    assert cached_json(place, "b", lambda: 4, int) == 4
