"""The layout on disk: what is found, in which order, and what is said when something is missing."""

import shutil

import pytest

from zoo.data import layout
from zoo.data.splits import TEST_SPLITS
from zoo.utils.errors import ZooError


def _stems(listed):
    return [sample.image_path.stem for sample in listed]


def test_objects_are_found_sorted_and_other_folders_are_not_objects(tmp_path, write_object):
    for name in ("b_part", "a_part", "C_part"):
        write_object(tmp_path, name, n_train=1)
    (tmp_path / "notes").mkdir()
    (tmp_path / "readme.txt").write_text("no object")
    assert layout.object_names(tmp_path) == ["C_part", "a_part", "b_part"]


@pytest.mark.parametrize(("made", "said"), [(False, "does not exist"), (True, "no object in")])
def test_a_root_without_objects_is_one_line(tmp_path, made, said):
    root = tmp_path / "data"
    if made:
        root.mkdir()
    with pytest.raises(ZooError, match=said) as error:
        layout.object_names(root)
    assert str(root) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("wanted", [None, [], ["all"]])
def test_all_objects_are_the_default(tmp_path, write_object, wanted):
    for name in ("one", "two"):
        write_object(tmp_path, name, n_train=1)
    assert layout.check_objects(tmp_path, wanted) == ["one", "two"]


def test_wanted_objects_keep_their_order_and_count_once(tmp_path, write_object):
    for name in ("one", "two"):
        write_object(tmp_path, name, n_train=1)
    assert layout.check_objects(tmp_path, ["two", "one", "two"]) == ["two", "one"]


def test_an_unknown_object_offers_the_nearest(mini):
    with pytest.raises(ZooError, match=r"no object 'prat'.*did you mean 'part'"):
        layout.check_objects(mini, ["part", "prat"])


def test_an_unknown_split_offers_the_nearest(mini):
    with pytest.raises(ZooError, match=r"unknown split 'test_privat'.*did you mean 'test_private'"):
        layout.samples(mini, "part", "test_privat")


@pytest.mark.parametrize("split", ["train", "validation"])
@pytest.mark.parametrize("how", ["removed", "emptied"])
def test_an_object_without_normal_images_says_which_folder(mini, split, how):
    folder = mini / "part" / split / "good"
    shutil.rmtree(folder)
    if how == "emptied":
        folder.mkdir()
        (folder / "notes.txt").write_text("no image")
    state = "does not exist" if how == "removed" else "is empty"
    with pytest.raises(ZooError, match=f"'part' has no {split} images: .*{state}") as error:
        layout.samples(mini, "part", split)
    assert str(folder) in str(error.value)


@pytest.mark.parametrize(("split", "count"), [("train", 4), ("validation", 3)])
def test_normal_splits_are_good_and_sorted(mini, split, count):
    listed = layout.samples(mini, "part", split)
    assert _stems(listed) == [f"{index:03d}_regular" for index in range(count)]
    assert all(sample.label == 0 and sample.mask_path is None for sample in listed)
    assert all(sample.has_truth for sample in listed)


def test_public_images_are_bad_with_masks_and_good_without(mini):
    listed = layout.samples(mini, "part", "test_public")
    assert [sample.label for sample in listed] == [1, 1, 0, 0]
    assert listed == sorted(listed, key=lambda sample: sample.image_path)
    for sample in listed:
        assert (sample.mask_path is not None) == bool(sample.label)
        if sample.mask_path:
            assert sample.mask_path.name == f"{sample.image_path.stem}_mask.png"


@pytest.mark.parametrize("kept", ["good", "bad"])
def test_public_may_hold_one_kind_only(mini, kept):
    dropped = {"good": "bad", "bad": "good"}[kept]
    shutil.rmtree(mini / "part/test_public" / dropped)
    labels = [sample.label for sample in layout.samples(mini, "part", "test_public")]
    assert labels == [int(kept == "bad")] * 2


def test_an_empty_public_split_is_one_line(mini):
    shutil.rmtree(mini / "part/test_public")
    with pytest.raises(ZooError, match="test_public is empty"):
        layout.samples(mini, "part", "test_public")


def test_a_bad_image_without_its_mask_names_both_files(mini):
    mask = mini / "part/test_public/ground_truth/bad/001_regular_mask.png"
    mask.unlink()
    with pytest.raises(ZooError, match="no mask for") as error:
        layout.samples(mini, "part", "test_public")
    assert str(mask) in str(error.value)
    assert str(mini / "part/test_public/bad/001_regular.png") in str(error.value)


@pytest.mark.parametrize("split", ["test_private", "test_private_mixed"])
def test_private_images_are_flat_sorted_and_have_their_truth(mini, split):
    listed = layout.samples(mini, "part", split)
    assert [stem[:3] for stem in _stems(listed)] == ["000", "001", "002", "003"]
    assert all(sample.label is None and sample.has_truth for sample in listed)
    assert all(sample.mask_path.parent.name == split for sample in listed)


@pytest.mark.parametrize(
    ("split", "image"),
    [("test_public", "bad/001_regular.png"), ("test_private_mixed", "002_mixed.png")],
)
def test_a_mask_without_its_image_is_an_error(mini, split, image):
    (mini / "part" / split / image).unlink()
    with pytest.raises(ZooError, match="1 of the masks have no image in") as error:
        layout.samples(mini, "part", split)
    assert f"{image.split('/')[-1][:-4]}_mask.png" in str(error.value)


def test_private_truth_may_be_withheld(tmp_path, write_object):
    write_object(tmp_path, "part", truth=False)
    listed = layout.samples(tmp_path, "part", "test_private")
    assert len(listed) == 4
    assert not any(sample.has_truth for sample in listed)


def test_incomplete_private_truth_is_an_error(mini):
    (mini / "part/private_ground_truth/test_private/002_regular_mask.png").unlink()
    with pytest.raises(ZooError, match=r"no mask for .*002_regular.png"):
        layout.samples(mini, "part", "test_private")
    assert len(layout.samples(mini, "part", "test_private_mixed")) == 4


def test_splits_on_disk_are_in_protocol_order(mini):
    assert layout.splits_on_disk(mini, "part") == list(TEST_SPLITS)
    shutil.rmtree(mini / "part/test_private")
    assert layout.splits_on_disk(mini, "part") == ["test_public", "test_private_mixed"]


@pytest.mark.parametrize("name", ["004.PNG", "004.jpeg", "004.bmp", "004.TIFF"])
def test_images_are_known_by_suffix_in_any_case(mini, write_image, texture, name):
    made = write_image(mini / "part/train/good" / f"004{name[3:].lower()}", texture(9))
    made.rename(made.with_name(name))
    assert len(layout.samples(mini, "part", "train")) == 5


def _edit(folder, texture, write_image):
    write_image(folder / "train/good/000_regular.png", texture(77))


def _edit_at_equal_size(folder, texture, write_image):
    path = folder / "train/good/000_regular.png"
    whole = path.read_bytes()
    path.write_bytes(whole[:-20] + bytes([whole[-20] ^ 1]) + whole[-19:])


def _edit_truth(folder, texture, write_image):
    write_image(folder / "private_ground_truth/test_private/000_regular_mask.png", texture(1) * 0)


def _add(folder, texture, write_image):
    write_image(folder / "train/good/900_regular.png", texture(77))


def _remove(folder, texture, write_image):
    (folder / "test_public/good/000_regular.png").unlink()


def _rename(folder, texture, write_image):
    path = folder / "train/good/000_regular.png"
    path.rename(path.with_name("901_regular.png"))


def _name_groups(folder, texture, write_image):
    lines = "object,split,file,group\npart,test_private,000_regular.png,plate 7\n"
    (folder.parent / "manifest.csv").write_text(lines)


def _move_to_bad(folder, texture, write_image):
    path = folder / "test_public/good/000_regular.png"
    path.rename(folder / "test_public/bad/009_regular.png")
    write_image(folder / "test_public/ground_truth/bad/009_regular_mask.png", texture(1) * 0)


@pytest.mark.parametrize(
    "change",
    [
        _edit,
        _edit_at_equal_size,
        _edit_truth,
        _add,
        _remove,
        _rename,
        _name_groups,
        _move_to_bad,
    ],
)
def test_the_fingerprint_changes_with_the_data(mini, texture, write_image, change):
    before = layout.fingerprint(mini, "part")
    change(mini / "part", texture, write_image)
    assert layout.fingerprint(mini, "part") != before


def test_what_no_split_lists_does_not_count(mini, texture, write_image):
    before = layout.fingerprint(mini, "part")
    write_image(mini / "part/stray.png", texture(1))
    write_image(mini / "part/test_public/later/000.png", texture(2))
    write_image(mini / "part/train/bad/000.png", texture(3))
    assert layout.fingerprint(mini, "part") == before


def test_groups_of_another_object_do_not_count(mini):
    shutil.copytree(mini / "part", mini / "other")
    prints = []
    for group in ("a", "b"):
        lines = [
            f"{name},test_private,000_regular.png,{g}"
            for name, g in (("part", "a"), ("other", group))
        ]
        (mini / "manifest.csv").write_text("\n".join(["object,split,file,group", *lines]))
        prints.append([layout.fingerprint(mini, name) for name in ("part", "other")])
    assert prints[0][0] == prints[1][0]
    assert prints[0][1] != prints[1][1]


def test_a_split_that_cannot_be_listed_does_not_hide_the_others(mini, texture, write_image):
    (mini / "part/test_public/ground_truth/bad/000_regular_mask.png").unlink()
    before = layout.fingerprint(mini, "part")
    _edit(mini / "part", texture, write_image)
    assert layout.fingerprint(mini, "part") != before


def test_the_fingerprint_of_a_copy_is_the_same(mini, tmp_path):
    elsewhere = tmp_path / "elsewhere" / "deeper"
    shutil.copytree(mini, elsewhere, copy_function=shutil.copyfile)
    assert layout.fingerprint(elsewhere, "part") == layout.fingerprint(mini, "part")
    assert len(layout.fingerprint(mini, "part")) == 16
