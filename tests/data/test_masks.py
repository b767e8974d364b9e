"""Reading masks: black is good and everything else a defect, in every mode that people save."""

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from zoo.data.masks import looks_inverted, read_mask
from zoo.utils.errors import ZooError

SIZE = (20, 30)


@pytest.fixture
def truth():
    mask = np.zeros(SIZE, bool)
    mask[3:9, 5:20] = True
    return mask


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGB", "RGBA", "LA"])
def test_masks_of_every_mode_are_the_same_truth(tmp_path, truth, mode):
    path = tmp_path / "mask.png"
    Image.fromarray(np.uint8(truth) * 255).convert(mode).save(path)
    read = read_mask(path, SIZE)
    assert read.dtype == bool
    np.testing.assert_array_equal(read, truth)


def test_a_mask_of_another_size_names_both_sizes(tmp_path, truth):
    path = tmp_path / "mask.png"
    Image.fromarray(np.uint8(truth) * 255).save(path)
    with pytest.raises(ZooError, match="is 30x20, its image is 20x30"):
        read_mask(path, SIZE[::-1])


@pytest.mark.parametrize("values", [[1], [0, 1, 255], [254]])
def test_a_mask_with_other_values_lists_them(tmp_path, values):
    path = tmp_path / "mask.png"
    mask = np.zeros(SIZE, np.uint8)
    mask.flat[: len(values)] = values
    Image.fromarray(mask).save(path)
    other = [value for value in values if value not in {0, 255}]
    with pytest.raises(ZooError, match=f"holds the values \\{other}"):
        read_mask(path, SIZE)


def test_a_16_bit_mask_is_refused(tmp_path, truth):
    path = tmp_path / "mask.png"
    cv2.imwrite(str(path), truth.astype(np.uint16) * 65535)
    with pytest.raises(ZooError, match="65535"):
        read_mask(path, SIZE)


def _palette(truth, colours):
    """Return an image of places in a palette: 1 where the truth is, 0 elsewhere."""
    image = Image.fromarray(truth.astype(np.uint8), "P")
    image.putpalette([value for colour in colours for value in colour])
    return image


def _filled(truth, colour, mode):
    """Return an image that has a colour where the truth is, and 0 elsewhere."""
    return Image.fromarray(truth[..., None] * np.uint8(colour), mode)


def _with_alpha(colour, alpha):
    return Image.fromarray(np.dstack([colour, alpha]).astype(np.uint8), "RGBA")


_BLACK, _CLEAR = np.zeros((*SIZE, 3)), (0, 0, 0, 0)
ANY_VALUE = {
    "palette, black first": lambda t: _palette(t, [(0, 0, 0), (128, 0, 0)]),
    "palette, white first": lambda t: _palette(~t, [(255, 255, 255), (0, 0, 0)]),
    "palette, dark class": lambda t: _palette(t, [(0, 0, 0), (0, 0, 1)]),
    "palette, black throughout": lambda t: _palette(t, [(0, 0, 0), (0, 0, 0)]),
    "class 4 in blue": lambda t: _filled(t, (0, 0, 4), "RGB"),
    "class 1 in red": lambda t: _filled(t, (1, 0, 0), "RGB"),
    "grey 1": lambda t: Image.fromarray(t.astype(np.uint8)),
    "1 bit": lambda t: Image.fromarray(t),
    "alpha over black": lambda t: _with_alpha(_BLACK, t * 255),
    "alpha over white": lambda t: _with_alpha(_BLACK + 255, t * 90),
    "strokes on nothing": lambda t: _filled(t, (200, 10, 0, 128), "RGBA"),
    "strokes on clear white": lambda t: _with_alpha(
        _BLACK + np.where(t[..., None], 9, 255), t * 255
    ),
    "colours, alpha is full": lambda t: _with_alpha(_BLACK + t[..., None] * 3, t * 0 + 255),
    "colours, alpha is empty": lambda t: _with_alpha(_BLACK + t[..., None] * 3, t * 0),
    "grey with alpha": lambda t: Image.fromarray(np.dstack([t * 0, t * 7]).astype(np.uint8), "LA"),
    "32-bit integers": lambda t: Image.fromarray(t.astype(np.int32) * 100_000),
    "32-bit floats": lambda t: Image.fromarray(t.astype(np.float32) / 10),
}


@pytest.mark.parametrize("kind", ANY_VALUE)
def test_every_value_but_black_is_a_defect(tmp_path, truth, kind):
    path = tmp_path / "mask.tif" if "32-bit" in kind else tmp_path / "mask.png"
    ANY_VALUE[kind](truth).save(path)
    np.testing.assert_array_equal(read_mask(path, SIZE, any_value=True), truth)


def test_a_transparent_palette_entry_is_good(tmp_path, truth):
    path = tmp_path / "mask.png"
    image = _palette(truth, [(255, 255, 255), (200, 0, 0)])
    image.save(path, transparency=0)
    np.testing.assert_array_equal(read_mask(path, SIZE, any_value=True), truth)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("shape", [(), (3,)])
def test_no_16_bit_value_is_lost(tmp_path, truth, suffix, shape):
    path = tmp_path / f"mask.{suffix}"
    values = truth.reshape(*SIZE, *(1 for _ in shape)) * np.ones(shape, np.uint16) * 3
    assert cv2.imwrite(str(path), values.astype(np.uint16))
    np.testing.assert_array_equal(read_mask(path, SIZE, any_value=True), truth)


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_a_tiff_of_one_bit_is_read_by_its_colours(tmp_path, truth, photometric):
    path = tmp_path / "mask.tif"
    stored = truth if photometric == "minisblack" else ~truth
    tifffile.imwrite(path, stored, photometric=photometric)
    np.testing.assert_array_equal(read_mask(path, SIZE, any_value=True), truth)


@pytest.mark.parametrize("any_value", [False, True])
@pytest.mark.parametrize(("name", "options"), [("m.jpg", {}), ("m.tif", {"compression": "jpeg"})])
def test_a_lossy_mask_is_refused(tmp_path, truth, name, options, any_value):
    path = tmp_path / name
    Image.fromarray(np.uint8(truth) * 255).save(path, **options)
    with pytest.raises(ZooError, match="compression smears values"):
        read_mask(path, SIZE, any_value)


def test_colours_are_no_mask_where_only_black_and_white_count(tmp_path, truth):
    path = tmp_path / "mask.png"
    _filled(truth, (255, 0, 0), "RGB").save(path)
    with pytest.raises(ZooError, match="holds colours"):
        read_mask(path, SIZE)


def test_a_mask_of_several_pages_is_refused(tmp_path, truth):
    path = tmp_path / "mask.tif"
    pages = [Image.fromarray(truth), Image.fromarray(~truth)]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    with pytest.raises(ZooError, match="has 2 pages"):
        read_mask(path, SIZE, any_value=True)


def test_a_mask_that_marks_most_of_its_image_looks_inverted(truth):
    assert looks_inverted(~truth)
    assert not looks_inverted(truth)
