"""Scenes: whatever is chosen, maps and masks of the same images stay together."""

from typing import ClassVar

import numpy as np
import pytest

from zoo.postprocess import Adaptive, Calibration
from zoo.postprocess.false_alarms import expected_false_alarms
from zoo.postprocess.score_maps import Scenes, Subset

LIGHTS, DEFECTS = 3, 2


def _number(*digits):
    return np.full((1, 2), float("".join(map(str, digits))), np.float32)


def _scenes(n_images, changed, relit=True, defects=True):
    """Return scenes whose maps say which image they show: image, light or defect."""
    chosen = changed or tuple(range(n_images))
    return Scenes(
        [_number(image, 0) for image in range(n_images)],
        [_number(image, light) for image in chosen for light in range(LIGHTS)] if relit else (),
        [_number(image, each) for image in chosen for each in range(DEFECTS)] if defects else (),
        [np.full((1, 2), image % 2 == 1) for image in chosen for _ in range(DEFECTS)]
        if defects
        else (),
        changed,
    )


def _images(maps):
    return [int(each[0, 0]) // 10 for each in maps]


@pytest.mark.parametrize("changed", [(), (0, 1, 2, 3, 4, 5), (1, 4), (5,), (0, 3, 5)])
@pytest.mark.parametrize("chosen", ["111111", "010101", "011011", "000001", "110111"])
def test_a_subset_keeps_the_maps_of_the_same_images_together(changed, chosen):
    yes = [digit == "1" for digit in chosen]
    part = _scenes(6, changed).subset(yes)
    stay = [image for image in range(6) if yes[image]]
    stay_changed = [image for image in changed or range(6) if yes[image]]
    assert _images(part.clean) == stay
    assert _images(part.relit) == [image for image in stay_changed for _ in range(LIGHTS)]
    assert _images(part.defects) == [image for image in stay_changed for _ in range(DEFECTS)]
    assert [bool(mask[0, 0]) for mask in part.defect_masks] == [
        image % 2 == 1 for image in stay_changed for _ in range(DEFECTS)
    ]
    assert [stay[index] for index in part.changed] == stay_changed
    if stay_changed:
        assert _images(part.clean_of_changed) == stay_changed
    for maps in (part.clean, part.relit, part.defects):
        assert len(maps) == len(list(maps))


@pytest.mark.parametrize(("relit", "defects"), [(True, False), (False, True), (False, False)])
def test_kinds_that_nobody_made_stay_empty(relit, defects):
    part = _scenes(4, (0, 2), relit, defects).subset([True, False, True, True])
    assert len(part.relit) == len(list(part.relit)) == (2 * LIGHTS if relit else 0)
    assert len(part.defects) == len(part.defect_masks) == (2 * DEFECTS if defects else 0)


def test_a_subset_of_a_subset_is_one():
    part = _scenes(6, (1, 2, 5)).subset([False, True, True, True, False, True])
    last = part.subset([True, False, True, True])
    assert _images(last.clean) == [1, 3, 5]
    assert _images(last.relit) == [1, 1, 1, 5, 5, 5]
    assert last.changed == (0, 2)


def test_an_array_of_booleans_chooses_too():
    part = _scenes(5, ()).subset(np.arange(5) % 2 == 0)
    assert _images(part.clean) == [0, 2, 4]
    assert part.changed == (0, 1, 2)


def test_maps_are_read_anew_at_every_pass():
    part = Subset([_number(0), _number(1), _number(2)], [True, False, True])
    assert [_images(part), _images(part)] == [[0, 0], [0, 0]]
    assert [float(each[0, 0]) for each in part] == [0, 2]


def test_without_a_choice_all_images_were_changed():
    scenes = _scenes(3, ())
    assert scenes.clean_of_changed is scenes.clean
    assert _images(_scenes(3, (0, 2)).clean_of_changed) == [0, 2]


def test_mere_maps_are_clean_scenes():
    scenes = Scenes.of(_number(index) for index in range(3))
    assert len(scenes.clean) == 3
    assert (len(scenes.relit), len(scenes.defects), len(scenes.defect_masks)) == (0, 0, 0)
    assert Scenes.of(scenes) is scenes


def test_a_store_of_maps_is_not_read_into_memory():
    store = Subset([_number(0)], [True])
    assert Scenes.of(store).clean is store


class _Witness(Adaptive):
    """Remembers which images it learned from, and which of them relit."""

    seen: ClassVar[list[tuple[set[int], list[int]]]] = []

    def derive(self, scenes, split):
        self.seen.append((set(_images(scenes.clean)), _images(scenes.relit)))
        return Calibration(threshold=1e9)


@pytest.mark.parametrize("changed", [(), (0, 5, 10, 15), (3, 8), tuple(range(1, 17, 3))])
def test_in_cross_fitting_light_is_learned_from_the_same_images_as_thresholds(changed):
    _Witness.seen.clear()
    counts = expected_false_alarms(_Witness(), _scenes(17, changed))
    assert (counts.n_images, counts.n_alarms) == (17, 0)
    for clean, relit in _Witness.seen:
        assert relit == [
            each for each in sorted(clean) if each in (changed or clean) for _ in "abc"
        ]
        assert relit
    left_out = [set(range(17)) - clean for clean, _ in _Witness.seen]
    assert sorted(image for fold in left_out for image in fold) == list(range(17))
