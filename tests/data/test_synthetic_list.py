"""Lists of defects: plain data, stratified, the same tomorrow."""

import json
from collections import Counter
from itertools import product

import pytest

from zoo.data.synthetic import KINDS, SIZES, STRENGTHS, Defect, defects
from zoo.data.synthetic.defect import AREAS, CONTRASTS
from zoo.utils.errors import ZooError


def test_every_word_has_a_range_that_follows_upon_the_one_before():
    for ranges in [CONTRASTS, *AREAS.values()]:
        small, medium, large = ranges.values()
        assert 0 < small[0] < small[1] == medium[0] < medium[1] == large[0] < large[1]
    assert tuple(AREAS) == KINDS
    assert (tuple(AREAS["perlin"]), tuple(CONTRASTS)) == (SIZES, STRENGTHS)


def test_a_defect_is_plain_data():
    defect = Defect("scratch", "large", "faint", 5)
    assert Defect(**json.loads(json.dumps(defect.to_dict()))) == defect
    assert {defect: 1}[Defect("scratch", "large", "faint", 5)] == 1


@pytest.mark.parametrize("seed", range(5))
def test_36_defects_are_every_combination_once(seed):
    listed = defects(seed, 72)
    for part in (listed[:36], listed[36:]):
        cells = [(defect.kind, defect.size, defect.strength) for defect in part]
        assert sorted(cells) == sorted(product(KINDS, SIZES, STRENGTHS))
    assert len({defect.seed for defect in listed}) == 72


@pytest.mark.parametrize("seed", range(5))
def test_a_dozen_holds_every_kind_size_and_strength_alike(seed):
    listed = defects(seed, 12)
    for count, field in ((3, "kind"), (4, "size"), (4, "strength")):
        assert set(Counter(getattr(defect, field) for defect in listed).values()) == {count}


def test_a_longer_list_begins_with_the_shorter_one():
    assert defects(3, 50)[:17] == defects(3, 17) != defects(4, 17)
    assert defects(3, 0) == defects(3, 0, []) == []


def test_leaving_a_kind_out_leaves_the_others_alone():
    kept = [kind for kind in KINDS if kind != "perlin"]
    assert defects(0, 27, kept) == [one for one in defects(0, 36) if one.kind != "perlin"]


def test_a_list_is_tomorrow_what_it_is_today():
    assert defects(0, 2) == [
        Defect("cut_paste", "small", "strong", 2605930952),
        Defect("perlin", "small", "faint", 1895837328),
    ]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: Defect("scrach", "small", "faint", 0), "'scrach'; did you mean 'scratch'?"),
        (lambda: Defect("perlin", "tiny", "faint", 0), "unknown size of defects 'tiny'; choose"),
        (lambda: Defect("perlin", "small", 3, 0), "unknown strength of defects 3"),
        (lambda: Defect("perlin", "small", "faint", -1), "seed of a defect is -1"),
        (lambda: Defect("perlin", "small", "faint", 0.5), "seed of a defect is 0.5"),
        (lambda: defects(0, 4, ["cutpaste"]), "did you mean 'cut_paste'?"),
        (lambda: defects(0, 4, []), "no kinds to draw defects from: name some of cut_paste"),
    ],
)
def test_errors_say_what_to_do(call, text):
    with pytest.raises(ZooError) as error:
        call()
    assert text in str(error.value)
