"""Archives: the same checks, and members that try to lead elsewhere, cuts, and other formats."""

from __future__ import annotations

import bz2
import gzip
import tarfile

import pytest

from zoo.utils.errors import ZooError
from zoo.vand.submission.check import check, has_errors
from zoo.vand.submission.write import pack


def member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info


def renamed(change):
    def apply(info):
        info.name = change(info.name)
        return info

    return apply


def test_a_sound_archive_passes(submission, archive):
    assert check(archive, submission.expected) == []


def test_files_in_an_archive_are_checked_like_those_of_a_folder(submission, tmp_path, write_tiff):
    import numpy as np

    write_tiff(submission.map, np.full((24, 40), np.inf, np.float16))
    submission.mask.write_bytes(b"no image")
    (submission.folder / "notes.txt").touch()
    packed = pack(submission.folder, tmp_path / "wrong.tar.gz", "wrong")
    kinds = {each.kind for each in check(packed, submission.expected)}
    assert kinds == {"not finite", "no PNG", "superfluous"}
    in_folder = check(submission.folder, submission.expected)
    assert set(in_folder) == set(check(packed, submission.expected))


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "sub/../../x", "..", "C:/x", "sub\\x", "./sub/x", "sub//x"],
)
def test_paths_that_lead_elsewhere(submission, repack, name):
    [found] = check(repack(add=[member(name)]), submission.expected)
    assert "no plain path" in found.what
    assert has_errors([found])


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, b"Z"],
)
def test_members_that_are_no_files(submission, repack, kind):
    info = member("sub/evil", kind)
    info.linkname = "/etc/passwd"
    [found] = check(repack(add=[info]), submission.expected)
    assert (found.where, found.kind, found.severity) == ("sub/evil", "path", "error")


def test_names_cannot_steer_the_terminal(submission, repack):
    [found] = check(repack(add=[member("sub/\x1b[2Jevil\n")]), submission.expected)
    assert "\\x1b[2Jevil\\n: does not belong here" in str(found)


def test_a_link_in_a_maps_place_leaves_it_missing(submission, archive, repack):
    place = submission.image.place("anomaly_images")

    def change(info):
        if info.name.endswith(place):
            info.type, info.linkname, info.size = tarfile.SYMTYPE, "/etc/passwd", 0
        return info

    kinds = [each.kind for each in check(repack(change), submission.expected)]
    assert kinds == ["path", "missing"]


def test_a_member_that_is_there_twice(submission, repack):
    place = f"sub/{submission.image.place('anomaly_images')}"
    found = check(repack(add=[member(place)]), submission.expected)
    assert "is there twice" in found[0].what
    [other] = check(repack(add=[member(place.replace("gear", "GEAR"))]), submission.expected)[:1]
    assert "differs by case only" in other.what


def test_no_folder_around_the_trees(submission, repack):
    found = check(repack(renamed(lambda name: name.removeprefix("sub/"))), submission.expected)
    assert {each.kind for each in found} == {"top folder"}
    assert "members must begin with <one name>/anomaly_images" in found[0].what


def test_two_folders_at_the_top(submission, repack):
    found = check(repack(add=[member("more/notes.txt")]), submission.expected)
    assert "at the top is more, sub" in str(found)


def test_entries_of_folders_are_a_warning(submission, tmp_path):
    target = tmp_path / "plain.tar.gz"
    with tarfile.open(target, "w:gz") as tar:
        tar.add(submission.folder, "sub")  # as `tar czf` does
    found = check(target, submission.expected)
    assert {(each.kind, each.severity) for each in found} == {("folder entry", "warning")}


@pytest.mark.parametrize("keep", [0.99, 0.5, 0.01])
def test_a_truncated_archive(submission, archive, keep):
    data = archive.read_bytes()
    archive.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(ZooError, match=r"is truncated or damaged after .*: pack or copy it again"):
        check(archive, submission.expected)


def test_a_tar_that_was_cut_before_it_was_compressed(submission, archive):
    data = gzip.decompress(archive.read_bytes())
    whole = len(data.rstrip(b"\0")) // 512 * 512
    for cut in (whole // 2, whole // 2 // 512 * 512):
        archive.write_bytes(gzip.compress(data[:cut]))
        with pytest.raises(ZooError, match="is truncated or damaged"):
            check(archive, submission.expected)


def test_a_flipped_bit(submission, archive):
    data = bytearray(archive.read_bytes())
    data[len(data) // 2] ^= 1
    archive.write_bytes(data)
    with pytest.raises(ZooError, match="is truncated or damaged"):
        check(archive, submission.expected)


def test_something_hidden_behind_the_end(submission, archive):
    data = gzip.decompress(archive.read_bytes())
    archive.write_bytes(gzip.compress(data + data))
    with pytest.raises(ZooError, match="is truncated or damaged"):
        check(archive, submission.expected)


def test_a_header_that_cannot_be_read_does_not_end_the_archive_unseen(submission, archive):
    data = bytearray(gzip.decompress(archive.read_bytes()))
    with tarfile.open(archive) as tar:
        offset = tar.getmembers()[3].offset
    data[offset : offset + 100] = b"\xff" * 100
    archive.write_bytes(gzip.compress(bytes(data)))
    with pytest.raises(ZooError, match="is truncated or damaged"):
        check(archive, submission.expected)


def test_other_formats_are_refused(submission, archive, tmp_path):
    tar = gzip.decompress(archive.read_bytes())
    for data in (tar, bz2.compress(tar), b"PK\x03\x04", b"", b"hello"):
        (tmp_path / "other.tar.gz").write_bytes(data)
        with pytest.raises(ZooError, match="is no gzip file"):
            check(tmp_path / "other.tar.gz", submission.expected)


def test_gzip_that_holds_no_tar(submission, tmp_path):
    path = tmp_path / "x.tar.gz"
    path.write_bytes(gzip.compress(b"hello" * 1000))
    with pytest.raises(ZooError, match="is truncated or damaged after its beginning"):
        check(path, submission.expected)


def test_an_empty_tar_lacks_everything(submission, tmp_path):
    path = tmp_path / "x.tar.gz"
    path.write_bytes(gzip.compress(b"\0" * 10240))
    assert [each.kind for each in check(path, submission.expected)] == ["missing"] * 2
