"""What is tried: recipes and sizes, and their names."""

import pytest

from zoo.benchmark.pick.candidates import candidates
from zoo.utils.errors import ZooError


def test_every_offline_recipe_at_its_own_size_and_a_smaller_one():
    found = candidates(None, None)
    assert {each.recipe.name for each in found} >= {"patchcore/embedded", "superad/embedded"}
    assert all(each.recipe.name.endswith("/embedded") for each in found)
    sizes = [each.size for each in found if each.recipe.name == "patchcore/embedded"]
    assert sizes == [288, 224]
    assert len({each.slug for each in found}) == len(found)


def test_the_size_is_set_by_the_argument_that_the_recipe_has():
    [patchcore, superad] = candidates(["patchcore/embedded", "superad/embedded"], [96])
    assert patchcore.overrides == {"model.image_size": 96}
    assert superad.overrides == {"model.shorter_side": 96}
    assert superad.name == "superad/embedded at 96"


def test_a_recipe_that_is_not_there_is_one_line():
    with pytest.raises(ZooError, match="there is no recipe 'patchcor/embedded'"):
        candidates(["patchcor/embedded"], None)


def test_a_recipe_without_a_size_is_tried_as_it_is():
    [found] = candidates(["quickstart"], [64])
    assert (found.size, found.name) == (None, "quickstart")
