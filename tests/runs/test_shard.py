"""Shards are disjoint, complete, even, and the same on every machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zoo.benchmark.shard import Shard, plan_name
from zoo.runs.spec import RunSpec

from zoo.utils.errors import ZooError


def spec(recipe: str, name: str, seed: int = 0, n_images: int = 1, out: str = "runs") -> RunSpec:
    folder = Path(out) / recipe / name / f"seed{seed}"
    return RunSpec(recipe, (), "", name, seed, (), "f", folder, n_images=n_images)


@given(
    sizes=st.lists(st.integers(0, 500), min_size=1, max_size=9),
    recipes=st.integers(1, 4),
    seeds=st.integers(1, 3),
    count=st.integers(1, 12),
)
def test_shards_are_disjoint_complete_and_even(sizes, recipes, seeds, count):
    plan = [
        spec(f"r{recipe}", f"o{index}", seed, size)
        for recipe in range(recipes)
        for index, size in enumerate(sizes)
        for seed in range(seeds)
    ]
    parts = [Shard(number, count).of(plan) for number in range(1, count + 1)]
    assert sorted(each.label for part in parts for each in part) == sorted(
        each.label for each in plan
    )
    assert all(part == [each for each in plan if each in part] for part in parts)
    for recipe in {each.recipe for each in plan}:
        loads = [sum(max(1, e.n_images) for e in part if e.recipe == recipe) for part in parts]
        assert max(loads) - min(loads) <= max(1, *sizes)  # as even as whole runs allow


def test_the_split_does_not_know_where_it_is_made(tmp_path):
    here = [spec("a", name, n_images=size) for name, size in (("x", 9), ("y", 5), ("z", 4))]
    there = [
        spec("a", each.object_name, n_images=each.n_images, out=str(tmp_path)) for each in here
    ]
    (tmp_path / "a" / "x" / "seed0").mkdir(parents=True)
    assert plan_name(here) == plan_name(there)
    for number in (1, 2):
        labels = [[each.label for each in Shard(number, 2).of(plan)] for plan in (here, there)]
        assert labels[0] == labels[1]
    assert [each.object_name for each in Shard(1, 2).of(here)] == ["x"]


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "a/b", "1/0", "-1/3"])
def test_what_is_no_shard_is_one_line(text):
    with pytest.raises(ZooError, match="is no shard: write 1/4 to 4/4"):
        Shard.parse(text)
