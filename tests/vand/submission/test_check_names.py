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
def test_a_missing_tree_is_one_finding(submission, printed, tree):
    shutil.rmtree(submission.folder / tree)
    [line] = printed()
    assert line.startswith(f"error: {tree}: missing: a submission needs")


@pytest.mark.parametrize("tree", [MAPS, MASKS])
@pytest.mark.parametrize("place", ["gear", "lid/test_private", "lid/test_private_mixed"])
def test_a_missing_object_or_split_is_one_finding(submission, printed, tree, place):
    shutil.rmtree(submission.folder / tree / place)
    [line] = printed()
    kind = "split" if "/" in place else "object"
    assert line == f"error: {tree}/{place}: missing: the test's data has this {kind}"


@pytest.mark.parametrize("tree", [MAPS, MASKS])
def test_one_missing_file(submission, printed, tree):
    path = submission.folder / submission.image.place(tree)
    path.unlink()
    [line] = printed()
    assert line == f"error: {path.parent.relative_to(submission.folder).as_posix()}: 3 files, " + (
        f"4 expected; missing {path.name}"
    )


def test_a_foreign_object_is_one_finding(submission, printed):
    for tree in (MAPS, MASKS):
        shutil.copytree(submission.folder / tree / "gear", submission.folder / tree / "spoon")
    lines = printed()
    assert len(lines) == 2
    assert all("spoon: no object of the test's data (gear, lid); --data.root" in x for x in lines)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("notes.txt", "error: notes.txt: only anomaly_images and"),
        ("extra/a/b.txt", "error: extra: only anomaly_images and"),
        (f"{MAPS}/list.csv", "no file belongs here"),
        (f"{MAPS}/gear/list.csv", f"{MAPS}/gear/list.csv: only test_private and"),
        (f"{MAPS}/gear/test_public/000_regular.tiff", "gear/test_public: only test_private and"),
        (f"{MASKS}/gear/test_private/more/000_regular.png", "no folder belongs here"),
        (f"{MAPS}/gear/test_private/004_regular.tiff", "from 000_regular.tiff to 003_regular.tiff"),
        (f"{MAPS}/gear/test_private/0001_regular.tiff", "from 000_regular.tiff"),
        (f"{MAPS}/gear/test_private/000_mixed.tiff", "from 000_regular.tiff"),
        (f"{MAPS}/gear/test_private_mixed/000_regular.tiff", "from 000_mixed.tiff"),
        (f"{MAPS}/gear/test_private/000_regular.tif", "from 000_regular.tiff"),
        (f"{MAPS}/gear/test_private/000_regular.TIFF", "from 000_regular.tiff"),
        (f"{MASKS}/gear/test_private/000_regular.PNG", "from 000_regular.png"),
        (f"{MASKS}/gear/test_private/000_regular", "from 000_regular.png"),
    ],
)
def test_anything_superfluous_is_found(submission, printed, place, message):
    path = submission.folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    [line] = printed()
    assert message in line


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


def test_numbers_from_001_are_said_for_each_folder(submission, printed):
    folder = submission.folder / MAPS / "gear" / "test_private"
    for number in reversed(range(4)):
        (folder / f"{number:03d}_regular.tiff").rename(folder / f"{number + 1:03d}_regular.tiff")
    lines = printed()
    assert "4 files, 4 expected; missing 000_regular.tiff" in lines[0]
    assert "004_regular.tiff: no image has this name" in lines[1]


def test_a_link_is_no_file(submission):
    path = submission.map
    real = path.rename(submission.folder.parent / "map.tiff")
    path.symlink_to(real)
    [finding] = check(submission.folder, submission.expected)
    assert "a link: an archive would hold the link" in finding.what
    assert has_errors([finding])
