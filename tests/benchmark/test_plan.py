"""Plans: every recipe on every object with every seed."""

from __future__ import annotations

import pytest

from zoo.benchmark.plan import plan
from zoo.utils.errors import ZooError


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
