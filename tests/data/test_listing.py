"""Hidden files never count; pipes, sockets and links that lead nowhere are named, not opened."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import numpy as np
import pytest

from zoo.data import ImageFolders, layout
from zoo.data.datamodule import MVTecAD2Layout
from zoo.data.listing import files_below, files_in, find_images, is_hidden, match_masks, why_no_file
from zoo.utils.errors import ZooError

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without named pipes")

ODD = {
    "circle.png": "a link that leads in a circle",
    "gone.png": "a link that leads nowhere",
    "pipe.png": "a named pipe",
    "talk.png": "a socket",
}


def add_odd(folder: Path, monkeypatch) -> list[str]:
    """Put what is no file among images, and return its names."""
    os.mkfifo(folder / "pipe.png")
    (folder / "gone.png").symlink_to(folder / "nothing.png")
    (folder / "circle.png").symlink_to("circle.png")
    with monkeypatch.context() as patch:
        patch.chdir(folder)  # names of sockets are short
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("talk.png")
    return sorted(ODD)


def add_hidden(folder: Path) -> None:
    """Put beside each file what a Mac and Windows leave there."""
    for path in list(folder.iterdir()):
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7")
    for name in (".DS_Store", ".hidden.png", "Thumbs.db"):
        (folder / name).write_bytes(b"x")
    (folder / ".trash").mkdir()
    (folder / ".trash" / "7.png").write_bytes(b"x")


def test_what_cannot_be_opened_is_told_from_files(tmp_path, monkeypatch):
    add_odd(tmp_path, monkeypatch)
    (tmp_path / "a.png").touch()
    (tmp_path / "link.png").symlink_to("a.png")
    (tmp_path / "folder.png").mkdir()
    found = files_in(tmp_path)
    assert [path.name for path in found.files] == ["a.png", "link.png"]
    assert {path.name: reason for path, reason in found.odd.items()} == {
        **ODD,
        "folder.png": "a folder",
    }
    found = files_below(tmp_path)
    assert [path.name for path in found.files] == ["a.png", "link.png"]
    assert {path.name: reason for path, reason in found.odd.items()} == {
        **ODD,
        "folder.png": "an empty folder",
    }
    assert why_no_file(tmp_path / "a.png") is None
    assert why_no_file(Path(os.devnull)) == "a device"


def test_a_folder_with_the_name_of_an_image_is_looked_into(tmp_path):
    (tmp_path / "x.png").mkdir()
    (tmp_path / "x.png" / "1.png").touch()
    assert files_below(tmp_path).files == [tmp_path / "x.png" / "1.png"]
    assert not files_below(tmp_path).odd


def test_a_link_to_a_folder_that_is_gone_is_named(tmp_path):
    (tmp_path / "monday").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "1.png").touch()
    assert find_images(tmp_path).notices() == ["left out monday: a link that leads nowhere"]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_may_not_be_read_is_named(tmp_path):
    (tmp_path / "1.png").touch()
    (tmp_path / "closed").mkdir(mode=0)
    [notice] = find_images(tmp_path).notices()
    assert notice == "left out closed: a folder that cannot be read (permission denied)"


@pytest.mark.parametrize("name", [".DS_Store", "._7.png", "Thumbs.db", "desktop.ini", "__MACOSX"])
def test_hidden_files_are_known_by_their_names(name):
    assert is_hidden(name)
    assert not is_hidden("7.png")


def test_names_that_are_no_text_are_listed(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n.png"))
    path.touch()
    assert files_below(tmp_path).files == files_in(tmp_path).files == [path]


def test_a_data_set_is_the_same_with_hidden_files_and_odd_ones(mini, monkeypatch):
    expected = {split: layout.samples(mini, "part", split) for split in SPLITS}
    before = layout.fingerprint(mini, "part")
    assert layout.notices(mini, "part") == []
    add_odd(mini / "part" / "train" / "good", monkeypatch)
    folders = [Path(here) for here, _, _ in os.walk(mini / "part")]
    for folder in folders:
        add_hidden(folder)
    assert {split: layout.samples(mini, "part", split) for split in SPLITS} == expected
    assert layout.fingerprint(mini, "part") == before
    said = [f"left out {name}: {reason}" for name, reason in ODD.items()]
    assert sorted(MVTecAD2Layout(mini, "part").notices) == said


SPLITS = ("train", "validation", "test_public", "test_private", "test_private_mixed")


def test_a_mask_that_cannot_be_opened_is_named(mini):
    mask = mini / "part/test_public/ground_truth/bad/000_regular_mask.png"
    mask.unlink()
    os.mkfifo(mask)
    with pytest.raises(ZooError, match=r"000_regular_mask\.png is a named pipe; add it or remove"):
        layout.samples(mini, "part", "test_public")


def test_own_images_and_their_masks_are_told_from_odd_ones(
    tmp_path, texture, write_image, monkeypatch
):
    good, bad, masks = (tmp_path / name for name in ("good", "bad", "masks"))
    for index in range(6):
        write_image(good / f"{index}.png", texture(index))
    mask = np.zeros((48, 64), np.uint8)
    mask[10:20, 10:20] = 255
    write_image(bad / "7.png", texture(9))
    write_image(masks / "7.png", mask)
    for folder in (good, bad, masks):
        add_odd(folder, monkeypatch)
        add_hidden(folder)
    data = ImageFolders(good, bad, masks)
    assert sum(len(data.listed(split)) for split in ("train", "validation", "test")) == 7
    assert match_masks([bad / "7.png"], bad, masks) == {bad / "7.png": masks / "7.png"}
    for name, reason in ODD.items():
        assert data.notices.count(f"left out {name}: {reason}") == 3  # once for each folder


def test_a_stock_datamodule_finds_no_hidden_files(tmp_path, texture, write_image, monkeypatch):
    from anomalib.data import MVTecAD

    from zoo.data.stock import adopt

    root = tmp_path / "mvtec"
    for split in ("train", "test"):
        for index in range(4):
            write_image(root / "part" / split / "good" / f"{index:03d}.png", texture(index))
    mask = np.zeros((48, 64), np.uint8)
    mask[10:20, 10:20] = 255
    for index in range(2):
        write_image(root / "part/test/cut" / f"{index:03d}.png", texture(20 + index))
        write_image(root / "part/ground_truth/cut" / f"{index:03d}_mask.png", mask)

    def listed():
        data = adopt(MVTecAD(root, category="part"))
        return {split: data.listed(split) for split in ("train", "validation", "test")}

    expected = listed()
    (root / "part" / "train" / "good" / "._000.png").write_bytes(b"\0\5\x16\7")
    (root / "part" / "test" / "cut" / "._000.png").write_bytes(b"\0\5\x16\7")  # and no such mask
    assert listed() == expected
    os.mkfifo(root / "part" / "train" / "good" / "pipe.png")
    data = adopt(MVTecAD(root, category="part"))
    assert "left out pipe.png: a named pipe" in data.notices
    assert all(path.image_path.name != "pipe.png" for path in data.listed("train"))
