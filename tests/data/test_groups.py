"""Physical items: from the manifest as people save it, otherwise from scene numbers in names."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from zoo.data import layout
from zoo.data.sample import scene_of
from zoo.utils.errors import ZooError

HEAD = "object,split,file,group"


def items(root, split="test_private"):
    return [sample.item for sample in layout.samples(root, "part", split)]


def write(root, *lines, head=HEAD):
    (root / "manifest.csv").write_text("\n".join([head, *lines]), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "scene"),
    [
        ("good/000_regular.png", "good/000"),
        ("bad/000_shift_4.png", "bad/000"),
        ("test_private/012_mixed.png", "test_private/012"),
        ("bad/7_underexposed.tiff", "bad/7"),
        ("bad/000.png", None),
        ("bad/000_1.png", None),
        ("bad/crack_overexposed.png", None),
        ("bad/000_shift.png", None),
    ],
)
def test_scene_and_light_in_a_name(name, scene):
    assert scene_of(Path(name)) == scene


def test_without_a_manifest_photographs_of_one_scene_belong_together(mini):
    bad = mini / "part" / "test_public" / "bad"
    masks = bad.parent / "ground_truth" / "bad"
    for light in ("overexposed", "shift_1"):
        shutil.copy(bad / "000_regular.png", bad / f"000_{light}.png")
        shutil.copy(masks / "000_regular_mask.png", masks / f"000_{light}_mask.png")
    found = items(mini, "test_public")
    assert found.count("bad/000") == 3
    assert found.count("good/000") == 1


def test_a_manifest_names_the_physical_items(mini):
    write(mini, "part,test_private,000_regular.png,bolt 7", "other,test_private,001_regular.png,n")
    assert items(mini) == ["bolt 7", *(f"00{n}_regular.png" for n in (1, 2, 3))]
    assert all(item.startswith(("good/", "bad/")) for item in items(mini, "test_public"))


@pytest.mark.parametrize("delimiter", [";", "\t"])
@pytest.mark.parametrize("file", [r"good\000_regular.png", "./good/000_regular.png"])
def test_a_manifest_that_excel_saved_is_read(mini, delimiter, file):
    lines = ["Object,Split,FILE,Group", f"part,test_public,{file},x"]
    text = "\r\n".join(lines).replace(",", delimiter)
    (mini / "manifest.csv").write_bytes(text.encode("utf-8-sig"))
    assert items(mini, "test_public").count("x") == 1


@pytest.mark.parametrize(
    "place", ["test_public/bad,000_regular.png", r"test_public\bad,000_regular.png"]
)
def test_the_folder_inside_a_split_may_stand_beside_its_name(mini, place):
    write(mini, f"part,{place},x")
    assert items(mini, "test_public").count("x") == 1


def test_letters_may_be_composed_or_not(mini):
    folder = mini / "part" / "test_private"
    (folder / "000_regular.png").rename(folder / "tu\u0308r.png")
    truth = mini / "part" / "private_ground_truth" / "test_private"
    (truth / "000_regular_mask.png").rename(truth / "tu\u0308r_mask.png")
    write(mini, "part,test_private,t\u00fcr.png,door")
    assert "door" in items(mini)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["part,test_private,000.png,x"], "names no file of .*test_private, but '000.png'"),
        (["part,private,000_regular.png,x"], "unknown split 'private'"),
        (["Part,test_private,000_regular.png,x"], "does not name 'part', but 'Part'"),
        (["screw,test_private,000_regular.png,x"], "does not name 'part', but 'screw'"),
        ([], "does not name 'part', but 'nothing'"),
        ([f"part,test_private,000_regular.png,{n}" for n in "xy"], "two groups"),
    ],
)
def test_a_manifest_without_effect_is_refused(mini, lines, said):
    write(mini, *lines)
    with pytest.raises(ZooError, match=f"manifest.csv.*{said}") as error:
        items(mini)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "name,item", "object,split,file"])
def test_a_manifest_of_something_else_is_refused(mini, text):
    (mini / "manifest.csv").write_text(text, encoding="utf-8")
    with pytest.raises(
        ZooError, match=r"manifest.csv lacks the column .*: repair it, or move it away"
    ):
        items(mini)
