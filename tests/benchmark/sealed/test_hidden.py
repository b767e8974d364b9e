"""What of a data set is hidden from a sealed run: by place, through links, and copies of it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from zoo.benchmark.sealed.hidden import HiddenData
from zoo.utils.errors import ZooError


@pytest.fixture
def hidden(mini, write_object):
    """Return a function that hides the data set of two objects from a run of the first."""
    write_object(mini, "other", size=(40, 56))
    return lambda root=mini: HiddenData(root, "part")


def named(hidden: HiddenData, path: object) -> str:
    with pytest.raises(ZooError) as error:
        hidden.check_named({"init_args": {"members": [{"penalty_images": str(path)}]}}, "model")
    assert str(error.value).startswith("model.init_args.members[0].penalty_images names ")
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    "inside",
    [
        "part/test_public",
        "part/test_public/bad/000_regular.png",
        "part/test_private",
        "part/private_ground_truth",
        "part/train/good",  # seen in the view, and only there
        "other/train/good",
        "part",
        ".",
        "..",
        "part/train/../test_public/good",
    ],
)
def test_a_recipe_names_nothing_of_the_data_set(hidden, mini, monkeypatch, inside):
    assert "and the data set is" in named(hidden(), mini / inside)
    monkeypatch.chdir(mini.parent)
    monkeypatch.setenv("MY_IMAGES", str(mini))
    assert "and the data set is" in named(hidden(), f"data/{inside}")
    assert "and the data set is" in named(hidden(), f"$MY_IMAGES/{inside}")


def test_links_lead_nowhere_hidden(hidden, mini, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(mini / "part" / "test_public")
    assert "and the data set is" in named(hidden(), link)
    root = tmp_path / "root"
    root.symlink_to(mini)  # and the data set may be given through one
    assert "and the data set is" in named(hidden(root), mini / "part" / "test_public")
    if Path("/proc/self/root").exists():
        way = Path("/proc/self/root") / (mini / "part/test_private").relative_to("/")
        assert "and the data set is" in named(hidden(), way)


@pytest.mark.parametrize("which", ["part", "part/test_public", "part/test_public/bad"])
def test_folders_that_lie_elsewhere_are_of_the_data_set(hidden, mini, tmp_path, which):
    elsewhere = tmp_path / "elsewhere"
    shutil.move(mini / which, elsewhere)
    (mini / which).symlink_to(elsewhere)
    assert "and the data set is" in named(hidden(), elsewhere)


@pytest.mark.parametrize("copy", [shutil.copy, os.link, lambda a, b: b.symlink_to(a)])
@pytest.mark.parametrize(
    "image", ["part/test_public/bad/000_regular.png", "other/test_private/003_regular.png"]
)
def test_copies_of_hidden_images(hidden, mini, tmp_path, copy, image):
    (tmp_path / "textures" / "deep").mkdir(parents=True)
    (tmp_path / "textures" / "mine.png").write_bytes(b"mine")
    hidden().check_named({"images": str(tmp_path / "textures")}, "model")
    copy(mini / image, tmp_path / "textures" / "deep" / "7.dat")
    assert "7.dat is a copy of" in named(hidden(), tmp_path / "textures")
    named(hidden(), tmp_path / "textures" / "deep" / "7.dat")
    with pytest.raises(ZooError, match=r"the sealed process read .*7\.dat, a copy of"):
        hidden().check_read([str(tmp_path / "textures" / "deep" / "7.dat")])


def test_copies_of_what_may_be_seen_are_no_secret(hidden, mini, tmp_path):
    shutil.copytree(mini / "part" / "train" / "good", tmp_path / "textures")
    hidden().check_named({"images": str(tmp_path / "textures")}, "model")
    hidden().check_read([str(path) for path in (tmp_path / "textures").iterdir()])


def test_a_folder_that_holds_itself_ends(hidden, tmp_path):
    (tmp_path / "textures").mkdir()
    (tmp_path / "textures" / "again").symlink_to(tmp_path / "textures")
    hidden().check_named({"images": str(tmp_path / "textures")}, "model")


def test_test_images_among_those_to_learn_from(hidden, mini):
    hidden().check_seen()
    learnt = mini / "part" / "train" / "good" / "009_regular.png"
    shutil.copy(mini / "part" / "test_private_mixed" / "002_mixed.png", learnt)
    with pytest.raises(ZooError, match=r"009_regular\.png is the same file as .*, a test image"):
        hidden().check_seen()
    learnt.unlink()
    learnt.symlink_to(mini / "part" / "test_public" / "good" / "000_regular.png")
    with pytest.raises(ZooError, match="is the same file as"):
        hidden().check_seen()
