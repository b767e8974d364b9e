"""What the server rejects in files, and what it lets pass although it is wrong."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as PIL

from zoo.vand.submission.check import check, has_errors
from zoo.vand.submission.expected import MAPS, MASKS


@pytest.fixture
def finding(submission):
    """Return a function that checks the submission and returns its only finding."""

    def only():
        [found] = check(submission.folder, submission.expected)
        assert found.where in (submission.image.place(MAPS), submission.image.place(MASKS))
        return found

    return only


@pytest.fixture
def score_map(submission, map_and_mask) -> np.ndarray:
    return map_and_mask(1, submission.image.native_size)[0]


@pytest.fixture
def mask(submission, map_and_mask) -> np.ndarray:
    return map_and_mask(1, submission.image.native_size)[1].astype(np.uint8)


def test_bytes_of_the_other_byte_order_and_lossless_compression_pass(
    submission, score_map, write_tiff
):
    for options in ({"byteorder": ">"}, {"compression": "zlib"}, {"rowsperstrip": 3}):
        write_tiff(submission.map, score_map, **options)
        assert check(submission.folder, submission.expected) == []


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "uint16"])
def test_other_numbers_than_float16(submission, score_map, write_tiff, finding, dtype):
    write_tiff(submission.map, (score_map * 100).astype(dtype))
    assert finding().what == f"{dtype}: a map is float16"


@pytest.mark.parametrize("shape", [(1, 24, 40), (24, 40, 1)])
def test_maps_with_an_axis_too_many(submission, score_map, write_tiff, finding, shape):
    write_tiff(submission.map, score_map.reshape(shape))
    found = finding()
    assert found.kind == "not one channel"
    assert "x".join(map(str, shape)) in found.what


def test_several_pages_or_channels(submission, score_map, write_tiff, finding):
    write_tiff(submission.map, np.stack([score_map] * 2), metadata=None)
    assert finding().kind == "not one channel"
    write_tiff(submission.map, np.stack([score_map] * 3, -1), photometric="rgb")
    assert finding().kind == "not one channel"


@pytest.mark.parametrize("crop", [np.s_[:-1], np.s_[:, :-1], np.s_[::2, ::2]])
def test_a_map_of_another_size(submission, score_map, write_tiff, finding, crop):
    write_tiff(submission.map, score_map[crop])
    assert finding().what.endswith("its image is 40x24")


def test_a_map_that_is_turned(submission, score_map, write_tiff, finding):
    write_tiff(submission.map, np.ascontiguousarray(score_map.T))
    assert finding().what == "24x40, its image is 40x24"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.inf, "1 pixels are infinite and 0 NaN"),
        (-np.inf, "1 pixels are infinite and 0 NaN"),
        (np.nan, "0 pixels are infinite and 1 NaN"),
    ],
)
def test_scores_that_are_not_finite(submission, score_map, write_tiff, finding, value, message):
    score_map[3, 3] = value
    write_tiff(submission.map, score_map)
    assert message in finding().what


def test_a_constant_map(submission, score_map, write_tiff, finding):
    write_tiff(submission.map, np.full_like(score_map, 0.5))
    assert finding().what.startswith("every pixel is 0.5")


def test_tags_that_readers_understand_differently(submission, score_map, write_tiff, finding):
    write_tiff(submission.map, score_map, photometric="miniswhite")
    assert finding().kind == "photometric"
    write_tiff(submission.map, score_map, extratags=[(274, 3, 1, 3, True)])
    assert finding().kind == "orientation"


@pytest.mark.parametrize("keep", [0, 5, 100, -10])
def test_a_truncated_map(submission, finding, keep):
    submission.map.write_bytes(submission.map.read_bytes()[:keep])
    assert finding().kind == "damaged map"


def test_something_else_as_a_map(submission, finding, mask, write_png):
    write_png(submission.map, mask)
    assert finding().kind == "damaged map"


def test_a_header_that_claims_a_huge_map_is_not_believed(submission, finding):
    """Width and height of 2**31 pixels would be asked from memory."""
    data = bytearray(submission.map.read_bytes())
    at = int.from_bytes(data[4:8], "little") + 2
    for _ in range(20):
        tag = int.from_bytes(data[at : at + 2], "little")
        if tag in (256, 257):  # width, height
            data[at + 8 : at + 12] = (2**30).to_bytes(4, "little")
            data[at + 2 : at + 4] = (4).to_bytes(2, "little")
        at += 12
    submission.map.write_bytes(data)
    assert finding().kind == "wrong size"


def test_a_file_that_is_far_too_large_is_not_read(submission, finding):
    with submission.map.open("r+b") as file:
        file.truncate(50_000_000)
    assert finding().kind == "too large"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda m: PIL.fromarray(m * 255).convert("RGB"), "RGB: a mask has one channel"),
        (lambda m: PIL.fromarray(m * 255).convert("RGBA"), "RGBA: a mask has one channel"),
        (lambda m: PIL.fromarray(m * 255).convert("LA"), "grey with alpha"),
        (lambda m: PIL.fromarray(m * 255).convert("P"), "a palette: a mask has one channel"),
        (lambda m: PIL.fromarray(m.astype(np.uint16) * 255), "16 bits: a mask has 8"),
        (lambda m: PIL.fromarray(m.astype(np.uint16) * 65535), "16 bits: a mask has 8"),
        (lambda m: PIL.fromarray(m * 255).convert("1"), "1 bits: a mask has 8"),
        (lambda m: PIL.fromarray(m), "values 1: only 0 (normal) and 255 (anomalous)"),
        (lambda m: PIL.fromarray(m * 128 + 7), "values 7, 135: only 0"),
        (lambda m: PIL.fromarray(m[:-1] * 255), "40x23, its image is 40x24"),
        (lambda m: PIL.fromarray(m[::2, ::2] * 255), "20x12, its image is 40x24"),
    ],
)
def test_masks_that_are_none(submission, mask, write_png, finding, make, message):
    write_png(submission.mask, make(mask))
    assert message in finding().what


def test_palette_whose_indices_are_0_and_255(submission, mask, write_png, finding):
    image = PIL.fromarray(mask * 255)
    image.putpalette(list(range(256)) * 3)
    write_png(submission.mask, image)
    assert finding().what.startswith("a palette")


def test_16_bits_that_hold_0_and_255_are_found_without_a_positive_too(
    submission, mask, write_png, finding
):
    write_png(submission.mask, PIL.fromarray((mask * 0).astype(np.uint16)))
    assert finding().kind == "not 8 bits"
    write_png(submission.mask, PIL.fromarray(mask * 0).convert("1"))
    assert finding().kind == "not 8 bits"


@pytest.mark.parametrize("form", ["JPEG", "BMP", "TIFF"])
def test_another_format_under_the_name_of_a_png(submission, mask, finding, form):
    buffer = io.BytesIO()
    PIL.fromarray(mask * 255).save(buffer, form)
    submission.mask.write_bytes(buffer.getvalue())
    assert finding().kind == "no PNG"


@pytest.mark.parametrize("keep", [0, 4, 20, 40, -20])
def test_a_truncated_mask(submission, finding, keep):
    submission.mask.write_bytes(submission.mask.read_bytes()[:keep])
    assert finding().kind in {"damaged mask", "no PNG"}


def test_a_mask_below_the_rest_is_a_warning(submission, mask, write_png, finding):
    write_png(submission.mask, (1 - mask) * 255)
    found = finding()
    assert found.severity == "warning"
    assert "inside the mask" in found.what
    assert not has_errors([found])


def test_a_mask_of_the_whole_image_is_a_warning(submission, mask, write_png, finding):
    write_png(submission.mask, np.full_like(mask, 255))
    assert finding().what == "all of the image is marked"


def test_the_same_map_twice_is_a_warning(submission):
    twin = submission.map.with_name("002_regular.tiff")
    twin.write_bytes(submission.map.read_bytes())
    found = check(submission.folder, submission.expected)
    assert [each.kind for each in found] == ["same map"]
    assert not has_errors(found)


def each_image(submission, name: str):
    for image in submission.expected.of(name):
        yield submission.folder / image.place(MAPS), submission.folder / image.place(MASKS)


def errors(submission) -> list:
    found = check(submission.folder, submission.expected)
    return [each for each in found if each.severity == "error"]


def test_maps_whose_larger_scores_are_normal(submission, write_tiff):
    import tifffile

    for path, _ in each_image(submission, "lid"):
        write_tiff(path, -tifffile.imread(path))
    [found] = errors(submission)
    assert found.where == "lid"
    assert "6 of 6 masks mark the lower scores" in found.what


def test_masks_whose_255_is_normal(submission, write_png):
    for _, path in each_image(submission, "gear"):
        write_png(path, 255 - np.asarray(PIL.open(path)))
    [found] = errors(submission)
    assert found.where == "gear"


def test_masks_of_other_images(submission, write_tiff, write_png):
    """Every image shows its anomaly elsewhere; the masks are those of the neighbours."""
    height, width = 24, 40
    corners = [np.s_[2 + 5 * (n % 4) : 6 + 5 * (n % 4), 4:9] for n in range(8)]
    for number, (map_path, mask_path) in enumerate(each_image(submission, "gear")):
        score_map = np.random.default_rng(number).random((height, width)).astype(np.float16)
        score_map[corners[number]] = 3 + number
        score_map[corners[number - 1]] = -1
        mask = np.zeros((height, width), np.uint8)
        mask[corners[number - 1]] = 255
        write_tiff(map_path, score_map)
        write_png(mask_path, mask)
    assert [each.kind for each in errors(submission)] == ["polarity"]


def test_an_object_without_any_mark_is_a_warning(submission, write_png):
    for _, path in each_image(submission, "gear"):
        write_png(path, np.zeros((24, 40), np.uint8))
    [found] = check(submission.folder, submission.expected)
    assert found.severity == "warning"
    assert "no pixel is marked in any of 8 images" in found.what
