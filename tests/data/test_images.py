"""Reading images: every pixel format that cameras write, and every way a file breaks."""

import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from zoo.data.images import image_size, read_image
from zoo.utils.errors import ZooError

SIZE = (20, 30)


@pytest.fixture
def pixels(texture):
    return texture(3, SIZE)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
def test_rgb_comes_back_as_it_was_written(tmp_path, pixels, suffix):
    path = tmp_path / f"image.{suffix}"
    Image.fromarray(pixels).save(path)
    read = read_image(path)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, pixels)


@pytest.mark.parametrize("mode", ["L", "LA", "1", "RGBA", "P"])
def test_every_8_bit_mode_becomes_three_channels(tmp_path, pixels, mode):
    path = tmp_path / "image.png"
    source = Image.fromarray(pixels).convert(mode)
    if mode in {"RGBA", "LA"}:
        source.putalpha(7)  # nearly transparent: colours must not fade
    source.save(path)
    read = read_image(path)
    assert (read.shape, read.dtype) == ((*SIZE, 3), np.uint8)
    np.testing.assert_array_equal(read, np.asarray(source.convert("RGB")))
    if mode in {"L", "LA"}:
        np.testing.assert_array_equal(
            read[..., 0], np.asarray(Image.fromarray(pixels).convert("L"))
        )


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_grey_is_scaled_linearly_over_the_whole_range(tmp_path, suffix):
    every = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    path = tmp_path / f"image.{suffix}"
    assert cv2.imwrite(str(path), every)
    read = read_image(path)
    assert read[0, 0].tolist() == [0, 0, 0]
    assert read[-1, -1].tolist() == [255, 255, 255]
    expected = np.rint(every / 65535 * 255).astype(np.uint8)
    np.testing.assert_array_equal(read, np.repeat(expected[..., None], 3, axis=2))


def test_a_dark_16_bit_image_is_not_stretched(tmp_path):
    path = tmp_path / "image.png"
    cv2.imwrite(str(path), np.full(SIZE, 514, np.uint16))
    assert np.unique(read_image(path)).tolist() == [2]


def test_16_bit_colour_is_scaled_from_all_its_bits(tmp_path):
    wide = np.random.default_rng(0).integers(0, 65536, (*SIZE, 3), np.uint16)
    wide[0, 0], wide[0, 1] = 0, 65535
    path = tmp_path / "image.png"
    cv2.imwrite(str(path), wide[..., ::-1])
    read = read_image(path)
    assert read[0, 0].tolist() == [0, 0, 0]
    assert read[0, 1].tolist() == [255, 255, 255]
    np.testing.assert_array_equal(read, np.rint(wide / 257.0))


def test_jpg_is_read_as_rgb(tmp_path, pixels):
    path = tmp_path / "image.jpg"
    red = np.zeros((*SIZE, 3), np.uint8)
    red[..., 0] = 200
    Image.fromarray(red).save(path, quality=95)
    np.testing.assert_allclose(read_image(path).mean((0, 1)), [200, 0, 0], atol=3)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_the_size_is_that_of_the_pixels_whatever_the_camera_noted(
    tmp_path, pixels, orientation, suffix
):
    path = tmp_path / f"image.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, exif=exif)
    assert image_size(path) == SIZE
    assert read_image(path).shape[:2] == SIZE


def _zero_bytes(path, whole):
    path.write_bytes(b"")


def _half(path, whole):
    path.write_bytes(whole[: len(whole) // 2])


def _text(path, whole):
    path.write_text("an image, they said")


def _absent(path, whole):
    path.unlink()


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif"])
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_zero_bytes, "is empty"),
        (_half, "cannot be read"),
        (_text, "no image format"),
        (_absent, "does not exist"),
    ],
)
def test_a_broken_file_is_one_line_that_names_it(tmp_path, pixels, suffix, damage, said):
    path = tmp_path / f"image.{suffix}"
    Image.fromarray(pixels).save(path)
    damage(path, path.read_bytes())
    with pytest.raises(ZooError, match=said) as error:
        read_image(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    if damage is not _half:  # the header of a half file is whole
        with pytest.raises(ZooError, match=said):
            image_size(path)


def test_a_header_that_claims_all_memory_is_one_line(tmp_path, pixels):
    path = tmp_path / "image.bmp"
    Image.fromarray(pixels).save(path)
    whole = bytearray(path.read_bytes())
    whole[18:26] = struct.pack("<ii", 2**20, 2**20)  # width, height
    path.write_bytes(bytes(whole))
    with pytest.raises(ZooError, match="claims 1048576x1048576 pixels"):
        read_image(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp"])
def test_a_damaged_header_raises_our_error_or_none(tmp_path, pixels, suffix):
    path = tmp_path / f"image.{suffix}"
    Image.fromarray(pixels).save(path)
    whole = path.read_bytes()
    failed = 0
    for offset in range(8, min(len(whole), 64)):
        path.write_bytes(whole[:offset] + bytes([whole[offset] ^ 0x55]) + whole[offset + 1 :])
        for read in (read_image, image_size):
            try:
                read(path)
            except ZooError:
                failed += 1
    assert failed


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_numbers_without_a_known_range_are_refused(tmp_path, dtype):
    path = tmp_path / "image.tif"
    Image.fromarray(np.full(SIZE, 100_000, dtype)).save(path)
    with pytest.raises(ZooError, match="8 or 16 bits"):
        read_image(path)
