"""Archives as the official script makes them: gzip, one folder, files only, the same every time."""

from __future__ import annotations

import gzip
import shutil
import tarfile

import numpy as np
import pytest
import tifffile
from PIL import Image as PIL

from zoo.utils.errors import ZooError
from zoo.vand.submission.expected import MAPS, MASKS
from zoo.vand.submission.write import is_written, pack


def test_members_are_files_below_one_folder(submission, archive):
    with gzip.open(archive) as file, tarfile.open(fileobj=file) as tar:
        members = tar.getmembers()
        inside = {each.name: tar.extractfile(each).read() for each in members}
    assert [each.name for each in members] == sorted(
        f"sub/{place}" for place in submission.expected.by_place
    )
    assert all(each.isfile() and each.mode == 0o644 for each in members)
    for place in submission.expected.by_place:
        assert inside[f"sub/{place}"] == (submission.folder / place).read_bytes()


def test_the_same_files_give_the_same_bytes(submission, archive, tmp_path):
    submission.map.touch()
    again = pack(submission.folder, tmp_path / "again.tgz", "sub")
    assert again.read_bytes() == archive.read_bytes()


def test_a_map_is_plain_float16_and_a_mask_plain_8_bits(submission, map_and_mask):
    score_map, mask = map_and_mask(1, submission.image.native_size)
    with tifffile.TiffFile(submission.map) as file:
        [page] = file.pages
        assert (page.dtype, page.compression, page.bitspersample) == (np.float16, 1, 16)
        assert np.array_equal(page.asarray(), score_map)
        assert {tag.name for tag in page.tags}.isdisjoint({"Software", "DateTime"})
    with PIL.open(submission.mask) as image:
        assert image.mode == "L"
        assert np.array_equal(np.asarray(image), mask * np.uint8(255))


@pytest.mark.parametrize(("tree", "what"), [(MASKS, "masks"), (MAPS, "maps")])
def test_nothing_is_packed_without_masks_or_maps(submission, tmp_path, tree, what):
    shutil.rmtree(submission.folder / tree)
    with pytest.raises(ZooError, match=f"no {what} in .*: without {what} the server scores 0"):
        pack(submission.folder, tmp_path / "x.tar.gz", "x")
    assert not (tmp_path / "x.tar.gz").exists()


def test_a_map_without_its_mask_is_not_packed(submission, tmp_path):
    submission.mask.unlink()
    with pytest.raises(ZooError, match="has a map and no mask; 1 files are alone"):
        pack(submission.folder, tmp_path / "x.tar.gz", "x")


def test_nothing_is_overwritten_and_nothing_half_is_left(
    submission, archive, tmp_path, monkeypatch
):
    before = archive.read_bytes()
    with pytest.raises(ZooError, match="is there already and nothing is overwritten"):
        pack(submission.folder, archive, "sub")
    assert archive.read_bytes() == before

    def interrupted(tar, member, file):
        raise KeyboardInterrupt

    monkeypatch.setattr(tarfile.TarFile, "addfile", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pack(submission.folder, tmp_path / "x.tar.gz", "x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sub", "sub.tar.gz"]


@pytest.mark.parametrize("name", ["x.tar", "x.zip", "x.gz", "x.tar.bz2", ".tar.gz"])
def test_other_archives_are_refused(submission, tmp_path, name):
    with pytest.raises(ZooError, match=r"NAME\.tar\.gz|needs a name"):
        pack(submission.folder, tmp_path / name, "x")


def test_what_was_only_begun_does_not_count(submission):
    submission.mask.rename(submission.mask.with_name(".aside-1-a.png"))
    assert not is_written(submission.folder, submission.image)
