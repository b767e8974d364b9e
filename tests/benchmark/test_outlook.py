"""The plan: what is finished, what is to do, and how long that may take by what was measured."""

from __future__ import annotations

import json

import pytest
from fake_experiments import fake_experiment

from zoo.benchmark.attempt import Attempt
from zoo.benchmark.outlook import EstimatedDuration, estimate_durations, lines, makespan


def measured(out, recipe, name, seed, total_s, threads=1) -> None:
    folder = fake_experiment(recipe, name, seed, out).folder
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text("{}")
    (folder / "cost.json").write_text(json.dumps({"total_s": total_s, "threads": threads}))


def seconds(*experiments) -> list[float | None]:
    return [row.seconds for row in estimate_durations(experiments, Attempt())]


def test_seconds_are_those_of_the_same_object_then_of_the_recipe(tmp_path):
    measured(tmp_path, "a", "x", 5, 10.0)
    measured(tmp_path, "a", "x", 6, 20.0)
    measured(tmp_path, "a", "x", 7, 70.0, threads=2)
    measured(tmp_path, "a", "y", 5, 50.0)
    found = seconds(
        fake_experiment("a", "x", out=tmp_path, threads=1),
        fake_experiment("a", "x", out=tmp_path, threads=2),
        fake_experiment("a", "x", out=tmp_path, threads=9),
        fake_experiment("a", "z", out=tmp_path, threads=1),
        fake_experiment("b", "x", out=tmp_path, threads=1),
    )
    assert found == [15.0, 70.0, pytest.approx(100 / 3), 37.5, None]


def test_a_run_whose_cost_is_unreadable_tells_nothing(tmp_path):
    measured(tmp_path, "a", "x", 5, 10.0)
    (tmp_path / "a/x/seed5/cost.json").write_text('{"total')
    assert seconds(fake_experiment(out=tmp_path)) == [None]


def test_the_last_of_several_ends_when_all_are_through():
    assert makespan([10, 10, 10, 30], 1) == 60
    assert makespan([30, 10, 10, 10], 2) == 30
    assert makespan([5], 4) == 5
    assert makespan([], 2) == 0


def told(states, jobs=1) -> list[str]:
    rows = [
        EstimatedDuration(fake_experiment(recipe, name, seed), state, time)
        for recipe, name, seed, state, time in states
    ]
    return list(lines(rows, jobs, 1))


def test_runs_of_one_kind_are_one_line():
    rows = [("a", "x", seed, "finished before", 40.0) for seed in (0, 1)]
    rows += [
        ("a", "y", 0, "to do", 40.0),
        ("a", "y", 1, "to do", 40.0),
        ("b", "y", 0, "to do", None),
    ]
    assert told(rows, jobs=2) == [
        "  a · x · seeds 0 1 · finished before",
        "  a · y · seeds 0 1 · to do, about 40 s each",
        "  b · y · seed 0 · to do, time unknown",
        "about 40 s by what past runs took, and 1 of unknown time; 2 at a time, 1 thread each",
    ]


def test_many_runs_are_told_recipe_by_recipe():
    rows = [
        (recipe, f"o{index}", 0, "to do" if index else "finished before", 30.0 + 60 * index)
        for recipe in ("a", "b")
        for index in range(30)
    ]
    first, second, last = told(rows)
    assert first == (
        "  a · 30 objects · seed 0 · 1 finished before, 29 to do, about 90 s to 30 min each"
    )
    assert second.startswith("  b · ")
    assert last.startswith("about 15.0 h by what past runs took; one after the other")


def test_nothing_to_do_and_nothing_known():
    assert told([("a", "x", 0, "finished before", 1.0)])[-1].startswith("nothing to do")
    assert told([("a", "x", 0, "to do", None)])[-1].startswith("time unknown")
