"""What is known about one image, and the fingerprint of many."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from zoo.data.file_hashes import fingerprint
from zoo.data.sample import Sample
from zoo.utils.errors import ZooError

SIZE = (48, 64)  # height, width


@pytest.fixture
def image(tmp_path, texture, write_image):
    return write_image(tmp_path / "7.png", texture(0, SIZE))


def save(path, values: np.ndarray, **options):
    Image.fromarray(values).save(path, **options)
    return path


def test_a_normal_image_has_an_empty_mask(image):
    sample = Sample(image, None, 0)
    assert sample.has_truth
    truth = sample.truth(SIZE)
    assert truth.shape == SIZE
    assert truth.dtype == bool
    assert not truth.any()


@pytest.mark.parametrize("label", [1, None])
def test_without_a_mask_nothing_is_known_of_other_images(image, label):
    sample = Sample(image, None, label)
    assert not sample.has_truth
    assert sample.truth(SIZE) is None


def test_a_strict_mask_holds_0_and_255(image, tmp_path):
    values = np.zeros(SIZE, np.uint8)
    values[4:8, 5:9] = 255
    mask = save(tmp_path / "m.png", values)
    assert np.array_equal(Sample(image, mask, 1).truth(SIZE), values > 0)
    values[0, 0] = 1
    save(mask, values)
    with pytest.raises(ZooError, match=r"only 0 \(normal\) and 255 \(defect\) count"):
        Sample(image, mask, 1).truth(SIZE)


@pytest.mark.parametrize("kind", ["grey", "palette", "1 bit", "16 bit", "RGB"])
def test_every_value_but_0_may_mark_a_defect(image, tmp_path, kind):
    classes = np.zeros(SIZE, np.uint8)
    classes[4:8, 5:9] = 1
    classes[20:24, 5:9] = 2 if kind != "1 bit" else 1
    image = Image.fromarray(classes)
    if kind == "palette":  # the colour counts, not the number: black is good
        image = Image.frombytes("P", image.size, (2 - classes).tobytes())
        image.putpalette([255, 0, 0, 0, 0, 9, 0, 0, 0])
    elif kind == "1 bit":
        image = Image.fromarray(classes > 0)
    elif kind == "16 bit":
        image = Image.fromarray(classes.astype(np.uint16) * 300)
    elif kind == "RGB":
        image = Image.fromarray(np.repeat(classes[..., None] * 90, 3, axis=2))
    image.save(tmp_path / "m.png")
    truth = Sample(image, tmp_path / "m.png", 1, any_value=True).truth(SIZE)
    assert np.array_equal(truth, classes > 0)


def test_a_smeared_mask_is_refused(image, tmp_path):
    mask = save(tmp_path / "m.jpg", np.full(SIZE, 255, np.uint8))
    with pytest.raises(ZooError, match=r"m\.jpg is a JPEG file.*save masks as PNG"):
        Sample(image, mask, 1, any_value=True).truth(SIZE)


def test_a_mask_of_another_size_names_both_sizes(image, tmp_path):
    mask = save(tmp_path / "m.png", np.zeros(SIZE[::-1], np.uint8))
    with pytest.raises(ZooError, match="is 48x64, its image is 64x48"):
        Sample(image, mask, 1, any_value=True).truth(SIZE)


@pytest.fixture
def files(tmp_path):
    (tmp_path / "data").mkdir()
    for index in range(3):
        (tmp_path / "data" / f"{index}.bin").write_bytes(bytes([index]) * 20_000)
    return tmp_path / "data"


def listed(folder):
    return [(path.name, path) for path in folder.iterdir()]


def test_a_fingerprint_knows_neither_place_time_nor_order(files, tmp_path):
    shutil.copytree(files, tmp_path / "copy", copy_function=shutil.copyfile)
    first = fingerprint(listed(files))
    assert fingerprint(sorted(listed(tmp_path / "copy"), reverse=True)) == first
    assert len(first) == 16


def _edit(folder, at):
    path = folder / "1.bin"
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


CHANGES = {
    "begin": lambda folder: _edit(folder, 0),
    "middle": lambda folder: _edit(folder, 10_001),
    "elsewhere": lambda folder: _edit(folder, 6_000),
    "end": lambda folder: _edit(folder, -1),
    "longer": lambda folder: (folder / "1.bin").write_bytes(b"\1" * 20_001),
    "renamed": lambda folder: (folder / "1.bin").rename(folder / "9.bin"),
    "removed": lambda folder: (folder / "1.bin").unlink(),
    "added": lambda folder: (folder / "4.bin").touch(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_fingerprint_changes_with_any_file(files, change):
    before = fingerprint(listed(files))
    change(files)
    assert fingerprint(listed(files)) != before


def test_small_and_empty_files_have_a_fingerprint(tmp_path):
    (tmp_path / "empty").touch()
    (tmp_path / "small").write_bytes(b"x")
    assert fingerprint(listed(tmp_path)) != fingerprint([])
