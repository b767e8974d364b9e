"""Every name, count and folder that the server rejects is found and printed in a line."""

from __future__ import annotations

import shutil

import pytest

from zoo.vand.submission.check import check, has_errors
from zoo.vand.submission.expected import MAPS, MASKS


@pytest.fixture
def printed(submission):
    """Return a function that checks the submission and returns its findings as text."""
    return lambda: [str(each) for each in check(submission.folder, submission.expected)]


def test_a_sound_submission_passes(submission):
    assert check(submission.folder, submission.expected) == []


@pytest.mark.parametrize("tree", [MAPS, MASKS])
@pytest.mark.parametrize(
    ("place", "count"), [("", 16), ("/gear", 8), ("/lid/test_private", 4), ("/lid", 8)]
)
def test_a_missing_folder_is_one_finding(submission, printed, tree, place, count):
    shutil.rmtree(submission.folder / f"{tree}{place}")
    [line] = printed()
    assert line.startswith(f"error: {tree}{place}: {count} files are missing: 000_")


@pytest.mark.parametrize("tree", [MAPS, MASKS])
def test_one_missing_file(submission, printed, tree):
    path = submission.folder / submission.image.place(tree)
    path.unlink()
    folder = path.parent.relative_to(submission.folder).as_posix()
    assert printed() == [f"error: {folder}: 1 files are missing: {path.name}"]


def test_a_foreign_object_is_one_finding(submission, printed):
    for tree in (MAPS, MASKS):
        shutil.copytree(submission.folder / tree / "gear", submission.folder / tree / "spoon")
    lines = printed()
    assert len(lines) == 2
    assert all("spoon: does not belong here, where the test's data has" in line for line in lines)
    assert f"{MAPS}/gear, {MAPS}/lid" in lines[0]


@pytest.mark.parametrize(
    ("place", "where"),
    [
        ("notes.txt", "notes.txt"),
        ("extra/a/b.txt", "extra"),
        (f"{MAPS}/list.csv", f"{MAPS}/list.csv"),
        (f"{MAPS}/gear/list.csv", f"{MAPS}/gear/list.csv"),
        (f"{MAPS}/gear/test_public/000_regular.tiff", f"{MAPS}/gear/test_public"),
        (f"{MASKS}/gear/test_private/more/0.png", f"{MASKS}/gear/test_private/more"),
        *(
            (f"{MAPS}/gear/{name}", f"{MAPS}/gear/{name}")
            for name in (
                "test_private/004_regular.tiff",
                "test_private/0001_regular.tiff",
                "test_private/000_mixed.tiff",
                "test_private_mixed/000_regular.tiff",
                "test_private/000_regular.tif",
                "test_private/000_regular.TIFF",
                "test_private/000_regular",
            )
        ),
    ],
)
def test_anything_superfluous_is_found(submission, printed, place, where):
    path = submission.folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    [line] = printed()
    assert line.startswith(f"error: {where}: does not belong here, where the test's data has")


@pytest.mark.parametrize(
    "place",
    [
        ".DS_Store",
        f"{MAPS}/gear/test_private/Thumbs.db",
        f"{MAPS}/gear/test_private/._000_regular.tiff",
    ],
)
def test_what_the_system_left_behind_in_a_folder_is_not_packed_and_not_found(
    submission, printed, place
):
    (submission.folder / place).touch()
    assert not printed()


def test_an_empty_folder_is_superfluous_too(submission, printed):
    (submission.folder / MAPS / "spoon").mkdir()
    (submission.folder / "empty").mkdir()
    assert len(printed()) == 2


def test_numbers_from_001_are_found_in_each_folder(submission, printed):
    folder = submission.folder / MAPS / "gear" / "test_private"
    for number in reversed(range(4)):
        (folder / f"{number:03d}_regular.tiff").rename(folder / f"{number + 1:03d}_regular.tiff")
    lines = printed()
    assert "1 files are missing: 000_regular.tiff" in lines[0]
    assert "004_regular.tiff: does not belong here" in lines[1]


def test_a_link_is_no_file(submission):
    path = submission.map
    real = path.rename(submission.folder.parent / "map.tiff")
    path.symlink_to(real)
    [finding] = check(submission.folder, submission.expected)
    assert "a link: an archive would hold the link" in finding.what
    assert has_errors([finding])
