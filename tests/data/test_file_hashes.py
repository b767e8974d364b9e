"""Files are read once, for as long as they stay as they are, and never trusted wrongly."""

from __future__ import annotations

import hashlib
import os
import time

import pytest

from zoo.data import file_hashes
from zoo.data.file_hashes import file_digests, folder_digest
from zoo.utils.errors import ZooError

LONG_AGO_NS = 10**18


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def read(monkeypatch):
    """Return the files that were really read."""
    done, real = [], file_hashes.file_sha256
    monkeypatch.setattr(file_hashes, "file_sha256", lambda path: (done.append(path), real(path))[1])
    return done


@pytest.fixture
def settled_files(monkeypatch):
    """Let files count as written some time ago, although their time of change is now."""
    now_ns = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now_ns() + 10**10)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "data" / "1.bin"
    path.parent.mkdir()
    path.write_bytes(b"a" * 100)
    return path


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_file_is_read_once(file, store, read, settled_files):
    for _ in range(3):
        assert file_digests([file], store) == {file: sha(b"a" * 100)}
    assert read == [file]


def _rewrite(path):
    path.write_bytes(b"b" * 100)


def _rewrite_with_old_time(path):
    times = path.stat()
    path.write_bytes(b"b" * 100)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def _replace_with_old_time(path):
    other = path.with_name("other")
    other.write_bytes(b"b" * 100)
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)


@pytest.mark.parametrize("change", [_rewrite, _rewrite_with_old_time, _replace_with_old_time])
def test_a_file_of_the_same_size_and_time_is_read_again(file, store, settled_files, change):
    os.utime(file, ns=(LONG_AGO_NS, LONG_AGO_NS))
    file_digests([file], store)
    change(file)
    assert file_digests([file], store) == {file: sha(b"b" * 100)}


def test_what_was_written_just_now_is_not_trusted(file, store, read):
    file_digests([file], store)
    os.utime(file, ns=(LONG_AGO_NS, LONG_AGO_NS))  # an old time, but changed just now
    file_digests([file], store)
    assert read == [file, file]
    assert not store.exists()


@pytest.mark.parametrize("damage", ["", "[]", '{"1.bin": 5}', '{"1.bin": [1]}', "\0\xff"])
def test_a_damaged_record_is_made_again(file, store, settled_files, damage):
    file_digests([file], store)
    [record] = store.iterdir()
    record.write_text(damage, encoding="latin-1")
    assert file_digests([file], store) == {file: sha(b"a" * 100)}


def test_a_folder_that_cannot_be_written_costs_no_run(file, tmp_path, settled_files):
    (tmp_path / "taken").touch()
    assert file_digests([file], tmp_path / "taken" / "store") == {file: sha(b"a" * 100)}


def test_a_file_that_is_gone_is_named(file, store):
    file.unlink()
    with pytest.raises(ZooError, match=r"1\.bin cannot be read \(no such file or directory\)"):
        file_digests([file], store)


def test_a_folder_changes_with_a_file_and_its_place(file):
    before = folder_digest(file.parent)
    (file.parent / "a").mkdir()
    file.rename(file.parent / "a" / "1.bin")
    moved = folder_digest(file.parent)
    (file.parent / "a" / "1.bin").write_bytes(b"b")
    assert len({before, moved, folder_digest(file.parent)}) == 3
