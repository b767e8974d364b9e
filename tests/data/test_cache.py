"""The image cache: what is found again, what is made anew, and that it stays within its budget."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from zoo.data.cache import ImageCache, cache_folder, warn_once
from zoo.utils import process
from zoo.utils.paths import CACHE_VARIABLE


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "image.png"
    path.write_bytes(b"pixels of some kind")
    return path


@pytest.fixture
def cache(tmp_path):
    return ImageCache(10, tmp_path / "cache")


def _array(seed=0, side=16):
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


def _never():
    pytest.fail("the entry is there: it must not be made again")


def _bytes_in(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _entries(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_hit_returns_the_same_array_without_making_it(cache, image):
    array = _array()
    np.testing.assert_array_equal(cache.get(image, "a", lambda: array), array)
    again = cache.get(image, "a", _never)
    np.testing.assert_array_equal(again, array)
    assert again.dtype == np.uint8


def test_another_cache_object_on_the_folder_finds_it(cache, image):
    array = cache.get(image, "a", _array)
    np.testing.assert_array_equal(ImageCache(10, cache.folder).get(image, "a", _never), array)


def _touch(path):
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000))


def _overwrite_with_old_time(path):
    stat = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def _replace_with_old_time(path):
    stat, other = path.stat(), path.with_name("other")
    other.write_bytes(path.read_bytes()[::-1])
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.replace(path)


def _grow(path):
    stat = path.stat()
    path.write_bytes(path.read_bytes() + b"!")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.parametrize("alter", [_touch, _grow, _overwrite_with_old_time, _replace_with_old_time])
def test_an_altered_image_is_made_again(cache, image, alter):
    cache.get(image, "a", lambda: _array(1))
    alter(image)
    np.testing.assert_array_equal(cache.get(image, "a", lambda: _array(2)), _array(2))


def test_another_resize_and_another_image_are_other_entries(cache, image, tmp_path):
    other = tmp_path / "other.png"
    other.write_bytes(image.read_bytes())
    made = {
        (image, "256"): _array(1),
        (image, "512"): _array(2),
        (other, "256"): _array(3),
    }
    for (path, recipe), array in made.items():
        cache.get(path, recipe, lambda array=array: array)
    for (path, recipe), array in made.items():
        np.testing.assert_array_equal(cache.get(path, recipe, _never), array)


@pytest.mark.parametrize("left", [0, 20, 200])
def test_a_torn_entry_is_made_again_and_mended(cache, image, left):
    cache.get(image, "a", lambda: _array(1))
    [entry] = _entries(cache.folder)
    entry.write_bytes(entry.read_bytes()[:left])
    np.testing.assert_array_equal(cache.get(image, "a", lambda: _array(1)), _array(1))
    np.testing.assert_array_equal(cache.get(image, "a", _never), _array(1))


def _saved(array):
    def damage(content):
        file = io.BytesIO()
        np.save(file, array)
        return file.getvalue()

    return damage


DAMAGES = {
    "a flipped pixel": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "another shape": lambda content: content[:40] + content[44:48] + content[40:44] + content[48:],
    "a flipped key": lambda content: content[:9] + bytes([content[9] ^ 1]) + content[10:],
    "one byte more": lambda content: content + b"x",
    "of another program": lambda content: b"x" * len(content),
    "floats": _saved(np.zeros((16, 16, 3), np.float32)),
    "pixels of an older version": _saved(np.zeros((16, 16, 3), np.uint8)),
    "code": _saved(np.array([{"a": 1}], dtype=object)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_entry_is_made_again_and_mended(cache, image, damage):
    array = np.random.default_rng(0).integers(0, 256, (8, 32, 3), np.uint8)
    cache.get(image, "a", lambda: array)
    [entry] = _entries(cache.folder)
    entry.write_bytes(damage(entry.read_bytes()))
    found = cache.get(image, "a", lambda: array)
    np.testing.assert_array_equal(found, array)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(cache.get(image, "a", _never), array)


def test_swapped_entries_are_made_again(cache, image):
    first = cache.get(image, "first", lambda: _array(1))
    [entry] = _entries(cache.folder)
    cache.get(image, "second", lambda: _array(2))
    [other] = set(_entries(cache.folder)) - {entry}
    content = entry.read_bytes()
    entry.write_bytes(other.read_bytes())
    other.write_bytes(content)
    np.testing.assert_array_equal(cache.get(image, "first", lambda: first), first)
    np.testing.assert_array_equal(cache.get(image, "second", lambda: _array(2)), _array(2))


def test_the_budget_is_kept_and_the_oldest_go_first(tmp_path, image):
    cache = ImageCache(0.01, tmp_path / "cache")  # 10 kB: twelve entries of 768 bytes and a head
    for number in range(30):
        before = set(_entries(cache.folder))
        cache.get(image, str(number), lambda number=number: _array(number))
        for entry in set(_entries(cache.folder)) - before:
            os.utime(entry, (1000 + number, 1000 + number))
        assert _bytes_in(cache.folder) <= cache.budget_bytes
    remade = []
    for number in range(30):
        probe = ImageCache(1000, cache.folder)
        probe.get(image, str(number), lambda n=number: remade.append(n) or _array(n))
    assert remade == list(range(len(remade)))
    assert 15 <= len(remade) < 30  # some were kept, and those were the newest


def test_what_an_earlier_process_left_counts_too(tmp_path, image):
    first = ImageCache(0.01, tmp_path / "cache")
    for number in range(8):
        first.get(image, str(number), _array)
    second = ImageCache(0.005, tmp_path / "cache")
    second.get(image, "new", _array)
    assert _bytes_in(second.folder) <= second.budget_bytes
    second.get(image, "new", _never)


def test_an_image_larger_than_the_budget_is_passed_through(tmp_path, image):
    cache = ImageCache(0.0005, tmp_path / "cache")
    np.testing.assert_array_equal(cache.get(image, "a", lambda: _array(1)), _array(1))
    assert _entries(tmp_path / "cache") == []


def test_budget_0_writes_nothing(tmp_path, image):
    cache = ImageCache(0, tmp_path / "cache")
    assert cache.get(image, "a", lambda: _array(1)) is not None
    np.testing.assert_array_equal(cache.get(image, "a", lambda: _array(2)), _array(2))
    assert not (tmp_path / "cache").exists()


def test_a_folder_that_cannot_be_written_costs_no_run(tmp_path, image):
    blocked = tmp_path / "file"
    blocked.write_text("a file where a folder should be")  # even root cannot write below it
    cache = ImageCache(10, blocked / "cache")
    np.testing.assert_array_equal(cache.get(image, "a", lambda: _array(1)), _array(1))


def test_a_full_disk_leaves_no_torn_entry(cache, image, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("zoo.data.cache.atomic_path", full)
        np.testing.assert_array_equal(cache.get(image, "a", lambda: _array(1)), _array(1))
    assert _entries(cache.folder) == []


def test_a_failure_to_make_is_passed_on_and_nothing_is_kept(cache, image):
    def broken():
        raise ValueError("truncated")

    with pytest.raises(ValueError, match="truncated"):
        cache.get(image, "a", broken)
    assert _entries(cache.folder) == []


FILL = """
import sys
from pathlib import Path
import numpy as np
from zoo.data.cache import ImageCache
cache = ImageCache(10, Path(sys.argv[1]))
for _ in range(5):
    for number in range(20):
        array = np.full((16, 16, 3), number, np.uint8)
        assert (cache.get(Path(sys.argv[2]), str(number), lambda: array) == array).all()
"""


def test_two_processes_may_fill_the_same_entries(tmp_path, image):
    command = [sys.executable, "-c", FILL, str(tmp_path / "cache"), str(image)]
    workers = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
    for worker in workers:
        _, said = worker.communicate(timeout=120)
        assert worker.returncode == 0, said.decode()
    assert len(_entries(tmp_path / "cache")) == 20


@pytest.fixture
def homeless(monkeypatch):
    """Stand for a user without a home and without a name."""

    def nobody(*args):
        raise KeyError("getpwuid(): uid not found: 54321")

    for name in ("getpwuid", "getpwnam"):
        monkeypatch.setattr(f"pwd.{name}", nobody)
    for name in ("HOME", "USER", "LOGNAME", CACHE_VARIABLE, "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    warn_once.cache_clear()


@pytest.mark.usefixtures("homeless")
def test_a_user_without_a_home_works_without_a_cache(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "1.png"
    path.touch()
    assert cache_folder() is None
    for _ in range(2):
        made = ImageCache().get(path, "recipe", lambda: np.zeros((2, 3, 3), np.uint8))
        assert made.shape == (2, 3, 3)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("no image cache (there is no folder for it): every image is read")
    assert [each.name for each in tmp_path.iterdir()] == ["1.png"]  # no folder called ~


@pytest.mark.usefixtures("homeless")
def test_a_cache_that_is_off_needs_no_folder(capsys):
    assert ImageCache(0).folder is None
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("homeless")
def test_a_command_gives_libraries_a_home_of_its_own(monkeypatch):
    at_exit = []
    monkeypatch.setattr(process.atexit, "register", lambda *call: at_exit.append(call))
    process.give_home()
    home = Path.home()
    assert home.is_dir()
    assert cache_folder() is None
    for function, *arguments in at_exit:
        function(*arguments)
    assert not home.exists()


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path, capsys):
    warn_once.cache_clear()
    (tmp_path / "file").touch()
    path = tmp_path / "1.png"
    path.touch()
    cache = ImageCache(folder=tmp_path / "file" / "images")
    for _ in range(3):
        assert cache.get(path, "recipe", lambda: np.ones((2, 3, 3), np.uint8)).all()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "file/images: not a directory): every image is read and resized anew" in said
