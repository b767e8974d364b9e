"""Files are complete or not there, also on a full disk and whatever their names are."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from zoo.utils.atomic import RecordFile, atomic_path, unwritable, write_bytes, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_takes_the_place_of_the_one_before(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "one\n")
    write_text(path, "two · ö \udcff\n")
    assert path.read_bytes() == "two · ö ".encode() + b"\xff\n"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("before", [None, b"before"])
def test_a_full_disk_leaves_the_file_that_was_there_or_none(tmp_path, monkeypatch, before):
    path = tmp_path / "overlay.jpg"
    if before is not None:
        path.write_bytes(before)

    def torn(self, data):
        with self.open("wb"):  # the name is there, the bytes are not
            full()

    monkeypatch.setattr(Path, "write_bytes", torn)
    with pytest.raises(OSError, match="No space left") as error:
        write_bytes(path, b"new")
    assert error.value.filename == str(path)
    assert "no space left for" in unwritable(error.value)
    assert str(path) in unwritable(error.value)
    assert names(tmp_path) == ([] if before is None else ["overlay.jpg"])
    assert before is None or path.read_bytes() == before


def test_what_a_library_makes_of_a_full_disk_is_told_as_one(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=10))
    with pytest.raises(OSError, match="No space left") as error, atomic_path(tmp_path / "a.ckpt"):
        raise RuntimeError("PytorchStreamWriter failed writing file data/0")
    assert error.value.errno == errno.ENOSPC
    assert not names(tmp_path)


def test_another_error_stays_what_it_is(tmp_path):
    def fails():
        with atomic_path(tmp_path / "a.txt") as aside:
            aside.write_text("half")
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        fails()
    with pytest.raises(FileNotFoundError) as error:
        write_text(tmp_path / "missing" / "a.txt", "")
    assert error.value.filename == str(tmp_path / "missing" / "a.txt")
    assert not names(tmp_path)
    assert unwritable(ValueError("mine"), tmp_path) is None
    assert unwritable(error.value) is None


def test_the_longest_name_and_a_chosen_format_are_kept(tmp_path):
    path = tmp_path / f"{'n' * 251}.npy"
    with atomic_path(path) as aside:
        np.save(aside, np.arange(3))
    with atomic_path(tmp_path / "a.pt") as aside:
        torch.save({"x": 1}, aside)
    assert np.load(path).tolist() == [0, 1, 2]
    assert names(tmp_path) == ["a.pt", path.name]


def test_a_read_only_disk_is_one_line():
    error = OSError(errno.EROFS, "Read-only file system", "/mnt/x/model.ckpt")
    assert unwritable(error).startswith("the disk of /mnt/x/model.ckpt is read-only: mount it")


class Disk:
    """A file on a disk with room for so many bytes."""

    def __init__(self, file, room):
        self.file, self.room = file, room

    def write(self, data):
        if not self.room:
            full()
        taken = min(self.room, len(data))
        self.room -= taken
        return self.file.write(data[:taken])

    def __getattr__(self, name):
        return getattr(self.file, name)


def test_a_record_that_does_not_fit_leaves_nothing_of_itself(tmp_path):
    path = tmp_path / "lines.jsonl"
    with RecordFile(path) as file:
        file._file = Disk(file._file, 10)
        file.append("first\n")
        with pytest.raises(OSError, match="No space left") as error:
            file.append("second\n")
    assert error.value.filename == str(path)
    assert path.read_text() == "first\n"
    with RecordFile(path, keep=True) as file:
        file.append("\udcff\n")
    assert path.read_bytes() == b"first\n\xff\n"


def test_a_record_file_without_a_record_is_not_there(tmp_path):
    with RecordFile(tmp_path / "a.csv") as file:
        assert file.size == 0
    assert not names(tmp_path)
