"""Opening image files: which formats, pipes and links, bombs, pages; strangers made these files."""

import contextlib
import os
import socket
import stat
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from zoo.data.images import image_size, read_image, read_pixels
from zoo.utils.errors import ZooError

SIZE = (20, 30)
_POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
_XPM = b'/* XPM */\nstatic char * x[] = {\n"1 1 1 1",\n"a c #ff0000",\n"a"};\n'


@pytest.fixture
def pixels(texture):
    return texture(3, SIZE)


def _chunk(kind, data):
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def png(values, bits=8, colour=0, before=b"", after=b"", surplus=b""):
    """Return a PNG of rows of bytes, with chunks before its pixels, and data after them."""
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    header = struct.pack(">IIBBBBB", values.shape[1], len(values), bits, colour, 0, 0, 0)
    parts = _chunk(b"IHDR", header), before, _chunk(b"IDAT", zlib.compress(rows + surplus))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + _chunk(b"IEND", b"") + after


@pytest.mark.parametrize("content", [_POSTSCRIPT, _XPM, b"GIF89a" + bytes(40)])
@pytest.mark.parametrize("read", [read_image, image_size])
def test_only_listed_formats_reach_a_decoder(tmp_path, monkeypatch, content, read):
    ran = tmp_path / "ran"
    for name in ("gs", "gswin32c", "gswin64c"):
        fake = tmp_path / name
        fake.write_text(f"#!/bin/sh\ntouch {ran}\n")
        fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(ZooError, match="no image format of PNG, JPEG, BMP, TIFF"):
        read(path)
    assert not ran.exists()


def test_the_content_decides_what_a_file_is(tmp_path, pixels):
    path = tmp_path / "x.jpg"
    Image.fromarray(pixels).save(path, format="PNG")
    np.testing.assert_array_equal(read_image(path), pixels)


@pytest.fixture(params=["pipe", "socket", "device", "folder", "dangling", "circular"])
def odd_place(request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    path = tmp_path / "x.png"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "socket":
        with socket.socket(socket.AF_UNIX) as each:
            each.bind("x.png")
    elif request.param == "device":
        path.symlink_to("/dev/zero")
    elif request.param == "folder":
        path.mkdir()
    else:
        path.symlink_to("nowhere.png" if request.param == "dangling" else "x.png")
    said = {"dangling": "the link leads nowhere", "circular": "cannot be read"}
    said |= {"folder": "is a folder"}
    return path, said.get(request.param, "no regular file")


@pytest.mark.parametrize("read", [read_image, image_size])
def test_what_is_no_regular_file_is_named_and_never_waited_for(odd_place, read):
    path, said = odd_place
    with pytest.raises(ZooError, match=said) as error:
        read(path)
    assert str(path) in str(error.value)


def test_a_pipe_that_takes_the_place_of_a_file_does_not_block(tmp_path, monkeypatch):
    path = tmp_path / "x.png"
    os.mkfifo(path)
    monkeypatch.setattr(stat, "S_ISREG", lambda mode: True)
    with pytest.raises(ZooError, match="is empty"):
        read_image(path)


def test_a_link_to_an_image_is_read(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "x.png")
    (tmp_path / "link.png").symlink_to("x.png")
    np.testing.assert_array_equal(read_image(tmp_path / "link.png"), pixels)


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iCCP", b"ruBb"])
def test_what_precedes_the_pixels_is_bounded(tmp_path, kind):
    path = tmp_path / "x.png"
    surplus = _chunk(kind, b"name\0\0" + zlib.compress(bytes(100)) + bytes(17 << 20))
    path.write_bytes(png(np.zeros(SIZE, np.uint8), before=surplus))
    with pytest.raises(ZooError, match="cannot be read"):
        read_image(path)


def test_a_file_that_is_far_larger_than_its_pixels_is_named(tmp_path):
    path = tmp_path / "x.png"
    path.write_bytes(png(np.zeros(SIZE, np.uint8)))
    with path.open("ab") as file:
        file.truncate(1 << 30)  # costs no space on the disk
    for read in (read_image, image_size):
        with pytest.raises(ZooError, match="holds 1024 MB for 30x20 pixels"):
            read(path)


def test_an_image_in_a_small_file_may_inflate_to_no_more_than_its_pixels(tmp_path):
    path = tmp_path / "x.png"
    path.write_bytes(png(np.full(SIZE, 7, np.uint8), surplus=bytes(50 << 20)))
    assert (read_image(path) == 7).all()


def _tiff(directories, order="<"):
    """Return a TIFF; directories are pairs of the subfile type and the index of the next one."""
    entry = struct.Struct(order + "HHII")
    n_tags, pixels = 9, 8 + len(directories) * (2 + 9 * 12 + 4)
    places = [8 + index * (2 + n_tags * 12 + 4) for index in range(len(directories))]
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    parts = [head]

    def short(value):
        return value if order == "<" else value << 16

    for kind, following in directories:
        tags = [(254, 4, kind), (256, 4, 4), (257, 4, 4), (258, 3, short(8)), (259, 3, short(1))]
        tags += [(262, 3, short(1)), (273, 4, pixels), (277, 3, short(1)), (279, 4, 16)]
        entries = b"".join(entry.pack(tag, code, 1, value) for tag, code, value in tags)
        place = 0 if following is None else places[following]
        parts.append(struct.pack(order + "H", n_tags) + entries + struct.pack(order + "I", place))
    return b"".join(parts) + bytes(range(16))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("directories", [[(0, 0)], [(0, 1), (0, 0)], [(0, 1), (0, 2), (0, 1)]])
def test_directories_that_form_a_circle_end(tmp_path, directories, order):
    path = tmp_path / "x.tif"
    path.write_bytes(_tiff(directories, order))
    with contextlib.suppress(ZooError):
        assert image_size(path) == (4, 4)


@pytest.mark.parametrize("bigtiff", [False, True])
def test_several_pages_are_refused_with_their_number(tmp_path, bigtiff):
    path = tmp_path / "x.tif"
    tifffile.imwrite(
        path, np.zeros((3, *SIZE), np.uint8), photometric="minisblack", bigtiff=bigtiff
    )
    for read in (read_image, image_size):
        with pytest.raises(ZooError, match="has 3 pages: save each as a file of its own"):
            read(path)
    tifffile.imwrite(path, np.full(SIZE, 9, np.uint8), bigtiff=bigtiff)
    assert (read_image(path) == 9).all()


def test_an_animation_is_refused_with_its_number_of_frames(tmp_path, pixels):
    path = tmp_path / "x.png"
    frames = [Image.fromarray(pixels + np.uint8(shift)) for shift in range(4)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    with pytest.raises(ZooError, match="has 4 pages"):
        read_image(path)


def test_the_preview_of_a_phone_s_photograph_is_no_page(tmp_path, pixels):
    path = tmp_path / "x.jpg"
    frames = [Image.fromarray(pixels), Image.fromarray(pixels[::2, ::2])]
    frames[0].save(path, format="MPO", save_all=True, append_images=frames[1:])
    assert read_image(path).shape[:2] == SIZE


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_keeps_the_pixels_as_they_are_stored(tmp_path, pixels, orientation):
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, pixels, extratags=[(274, "H", 1, orientation, True)])
    assert image_size(path) == SIZE
    np.testing.assert_array_equal(read_image(path), pixels)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_colours_keep_all_their_bits(tmp_path, suffix, planar):
    wide = np.random.default_rng(0).integers(0, 65536, (*SIZE, 3), np.uint16)
    path = tmp_path / f"x.{suffix}"
    if suffix == "png":
        path.write_bytes(png(wide.astype(">u2"), 16, 2))
    else:
        data = wide if planar == "contig" else np.moveaxis(wide, -1, 0)
        tifffile.imwrite(path, data, photometric="rgb", planarconfig=planar)
    np.testing.assert_array_equal(read_pixels(path), wide)


@pytest.mark.parametrize("colour", [2, 4, 6])
def test_a_truncated_16_bit_file_is_named(tmp_path, colour):
    channels = {2: 3, 4: 2, 6: 4}[colour]
    wide = np.random.default_rng(0).integers(0, 65536, (*SIZE, channels), np.uint16).astype(">u2")
    path = tmp_path / "x.png"
    whole = png(wide, 16, colour)
    path.write_bytes(whole)
    assert read_image(path).shape == (*SIZE, 3)
    path.write_bytes(whole[: len(whole) * 3 // 4])
    with pytest.raises(ZooError, match="cannot be read"):
        read_image(path)
