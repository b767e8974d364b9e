"""The plan: what is finished, what is to do, and how long that may take by what was measured."""

from __future__ import annotations

import json

from fake_experiments import fake_experiment

from zoo.benchmark.attempt import Attempt
from zoo.benchmark.outlook import EstimatedDuration, estimate_durations, lines


def measured(out, recipe, name, seed, total_s) -> None:
    folder = fake_experiment(recipe, name, seed, out).folder
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text("{}")
    (folder / "cost.json").write_text(json.dumps({"total_s": total_s}))


def seconds(*experiments) -> list[float | None]:
    return [row.seconds for row in estimate_durations(experiments, Attempt())]


def test_seconds_are_those_of_the_same_object_then_of_the_recipe(tmp_path):
    measured(tmp_path, "a", "x", 5, 10.0)
    measured(tmp_path, "a", "x", 6, 20.0)
    measured(tmp_path, "a", "y", 5, 60.0)
    found = seconds(*(fake_experiment(*name, out=tmp_path) for name in ("ax", "az", "bx")))
    assert found == [15.0, 30.0, None]


def test_a_run_whose_cost_is_unreadable_tells_nothing(tmp_path):
    measured(tmp_path, "a", "x", 5, 10.0)
    (tmp_path / "a/x/seed5/cost.json").write_text('{"total')
    assert seconds(fake_experiment(out=tmp_path)) == [None]


def printed(states, jobs=1) -> list[str]:
    rows = [
        EstimatedDuration(fake_experiment(recipe, name, seed), state, time)
        for recipe, name, seed, state, time in states
    ]
    return list(lines(rows, jobs, 1))


def test_a_recipe_is_one_line():
    rows = [("a", "x", seed, "finished before", 40.0) for seed in (0, 1)]
    rows += [
        ("a", "y", 0, "to do", 40.0),
        ("a", "y", 1, "to do", 40.0),
        ("b", "y", 0, "to do", None),
    ]
    assert printed(rows, jobs=2) == [
        "  a · x, y · seeds 0 1 · 2 finished before, 2 to do, about 40 s each",
        "  b · y · seed 0 · to do",
        "about 40 s by what past runs took, and 1 of unknown time; 2 at a time, 1 thread each",
    ]


def test_many_objects_are_counted():
    rows = [("a", f"o{index}", 0, "to do", 30.0) for index in range(30)]
    first, last = printed(rows)
    assert first == "  a · 30 objects · seed 0 · 30 to do, about 30 s each"
    assert last.startswith("about 15 min by what past runs took; one after the other")


def test_nothing_to_do_and_nothing_known():
    assert printed([("a", "x", 0, "finished before", 1.0)])[-1].startswith("nothing to do")
    assert printed([("a", "x", 0, "to do", None)])[-1].startswith("time unknown")
