"""Plans, and their shards: disjoint, complete, even, and the same on every machine."""

from __future__ import annotations

import pytest
from fake_experiments import fake_experiment
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zoo.benchmark.plan import Shard, n_images, plan, plan_name
from zoo.utils.errors import ZooError


@pytest.fixture
def sized(monkeypatch):
    """Return a function that makes experiments on objects of so many images."""
    sizes = {}
    monkeypatch.setattr("zoo.data.layout.n_images", lambda root, name: sizes[name])
    monkeypatch.setattr("zoo.data.layout.fingerprint", lambda root, name: str(sizes[name]))

    def make(recipe, name, seed=0, n_images=1, out="runs"):
        sizes[name] = n_images
        return fake_experiment(recipe, name, seed, out)

    return make


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.integers(0, 500), min_size=1, max_size=9),
    recipes=st.integers(1, 4),
    seeds=st.integers(1, 3),
    count=st.integers(1, 12),
)
def test_shards_are_disjoint_complete_and_even(sized, sizes, recipes, seeds, count):
    whole = [
        sized(f"r{recipe}", f"o{index}", seed, size)
        for recipe in range(recipes)
        for index, size in enumerate(sizes)
        for seed in range(seeds)
    ]
    parts = [Shard(number, count).of(whole) for number in range(1, count + 1)]
    labels = [planned.label for planned in whole]
    parts_labels = [[planned.label for planned in part] for part in parts]
    assert sorted(label for part in parts_labels for label in part) == sorted(labels)
    assert all(part == [label for label in labels if label in part] for part in parts_labels)
    for recipe in {planned.recipe for planned in whole}:
        loads = [sum(max(1, n_images(e)) for e in part if e.recipe == recipe) for part in parts]
        assert max(loads) - min(loads) <= max(1, *sizes)  # as even as whole runs allow


def test_the_split_does_not_know_where_it_is_made(sized, tmp_path):
    sizes = {"x": 9, "y": 5, "z": 4}
    here, there = (
        [sized("a", name, n_images=size, out=out) for name, size in sizes.items()]
        for out in ("runs", tmp_path)
    )
    (tmp_path / "a" / "x" / "seed0").mkdir(parents=True)
    assert plan_name(here) == plan_name(there)
    for number in (1, 2):
        labels = [[each.label for each in Shard(number, 2).of(runs)] for runs in (here, there)]
        assert labels[0] == labels[1]
    assert [each.object_name for each in Shard(1, 2).of(here)] == ["x"]


def test_other_images_are_another_plan(sized):
    before = plan_name([sized("a", "x", n_images=3)])
    assert plan_name([sized("a", "x", n_images=4)]) != before


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "a/b", "1/0", "-1/3"])
def test_what_is_no_shard_is_one_line(text):
    with pytest.raises(ZooError, match="is no shard: write 1/4 to 4/4"):
        Shard.parse(text)


def test_a_plan_is_every_recipe_on_every_object_with_every_seed(recipe, mini, write_object):
    write_object(mini, "second")
    other = recipe.with_name("other.yaml")
    other.write_text(recipe.read_text().replace("q: 0.99", "q: 0.9"))
    made = plan([str(recipe), str(other), str(recipe)], mini, seeds=(0, 7), is_sealed=True)
    assert [planned.label for planned in made] == [
        f"{name} · {object_name} · seed {seed}"
        for name in ("quick", "other")  # a recipe that is named twice counts once
        for object_name in ("part", "second")
        for seed in (0, 7)
    ]
    last = made[-1]
    assert last.data["init_args"]["category"] == "second"
    assert last.folder.parts == ("runs", "other", "second", "seed7")
    assert last.splits == ("test_public", "test_private", "test_private_mixed")
    words = "zoo bench other --data.root $ZOO_DATA --objects second --seeds 7 --sealed"
    assert last.command == words
    quantiles = [planned.post_processor["init_args"]["rule"]["init_args"]["q"] for planned in made]
    assert quantiles == [0.99] * 4 + [0.9] * 4


def test_two_recipes_of_one_name_are_refused(recipe, mini, tmp_path):
    (tmp_path / "more").mkdir()
    twin = tmp_path / "more" / recipe.name
    twin.write_text(recipe.read_text())
    with pytest.raises(ZooError, match="two recipes are called 'quick'"):
        plan([str(recipe), str(twin)], mini)
