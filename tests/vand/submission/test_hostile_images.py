"""Maps and masks that hold more than their pixels: surplus data, further pages, bombs."""

from __future__ import annotations

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL.PngImagePlugin import PngInfo

from zoo.vand.submission.check_files import check_file

MB = 1 << 20
SIZE = (24, 40)
MAP, MASK = "anomaly_images/map.tiff", "anomaly_images_thresholded/mask.png"


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*parts: bytes, raw: bytes = bytes(24 * 41)) -> bytes:
    """Return a mask with parts between its header and its pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 24, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(raw))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(parts) + pixels + chunk(b"IEND", b"")


def only(found: list) -> tuple[str, str]:
    [finding] = found
    assert finding.severity == "error"
    return finding.kind, finding.what


BOMB = zlib.compress(bytes(64 * MB))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (png() + b"x", "surplus"),
        (png() + bytes(500_000), "surplus"),
        (png(chunk(b"tEXt", b"Comment\0" + b"x" * 100_000)), "surplus"),
        (png(chunk(b"zTXt", b"Comment\0\0" + BOMB)), "damaged mask"),
        (png(chunk(b"iTXt", b"Comment\0\1\0\0\0" + BOMB)), "damaged mask"),
        (png(raw=bytes(24 * 41 - 1)), "damaged mask"),
        (png()[:60], "surplus"),
        (png().replace(b"IDAT", b"IDAt"), "damaged mask"),
        (b"\x89PNG\r\n\x1a\n" + png()[33:], "no PNG"),
        (b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 2**32 - 1) + b"IHDR", "no PNG"),
    ],
)
def test_masks_with_more_or_less_than_their_pixels(data, kind):
    tracemalloc.start()
    mask, found = check_file(MASK, data, SIZE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert mask is None
    assert peak < 4 * MB
    assert only(found)[0] == kind


def test_pixels_are_unpacked_up_to_their_size():
    data = png(raw=bytes(64 * MB))
    tracemalloc.start()
    mask, _ = check_file(MASK, data, SIZE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert mask is None or mask.shape == SIZE
    assert peak < 4 * MB


def test_plain_metadata_is_no_fault(tmp_path, write_png):
    mask = np.zeros(SIZE, np.uint8)
    mask[3:9, 4:11] = 255
    info = PngInfo()
    info.add_text("Software", "somebody's")
    write_png(tmp_path / "a.png", mask, pnginfo=info, dpi=(300, 300))
    read, found = check_file(MASK, (tmp_path / "a.png").read_bytes(), SIZE)
    assert found == []
    assert np.array_equal(read, mask > 0)


@pytest.fixture
def tiff(tmp_path, map_and_mask, write_tiff):
    """Return a function that writes a sound map with tifffile's options and returns its bytes."""

    def make(**options: object) -> bytearray:
        options = {"metadata": None, "software": False, **options}
        write_tiff(tmp_path / "map.tiff", map_and_mask(1, SIZE)[0], **options)
        return bytearray((tmp_path / "map.tiff").read_bytes())

    return make


def next_page(data: bytes) -> int:
    """Return where a TIFF says where its next page is; the first page's directory is its only."""
    place = struct.unpack_from("<I", data, 4)[0]
    return place + 2 + 12 * struct.unpack_from("<H", data, place)[0]


def problem(data: bytes) -> tuple[str, str]:
    score_map, found = check_file(MAP, bytes(data), SIZE)
    assert score_map is None
    return only(found)


@pytest.mark.parametrize(
    "options",
    [{}, {"compression": "zlib"}, {"rowsperstrip": 3}, {"bigtiff": True}, {"tile": (16, 16)}],
)
def test_sound_maps_of_every_build_pass(tiff, map_and_mask, options):
    score_map, found = check_file(MAP, bytes(tiff(**options)), SIZE)
    assert found == []
    assert np.array_equal(score_map, map_and_mask(1, SIZE)[0])


def test_a_second_page(tiff):
    data = tiff()
    struct.pack_into("<I", data, next_page(data), len(data))
    second = data[8 : next_page(data)] + bytes(4)
    assert problem(data + second)[0] == "not one channel"


def test_a_map_with_a_megabyte_besides(tiff):
    for data in (tiff() + bytes(MB), tiff(extratags=[(65000, 1, 100_000, bytes(100_000), True)])):
        kind, what = problem(data)
        assert kind == "surplus"
        assert "bytes besides the pixels" in what


def replace_strip(data: bytearray, strip: bytes) -> bytes:
    """Put another strip behind a map of one strip, and let its directory point there."""
    place = struct.unpack_from("<I", data, 4)[0] + 2
    for entry in range(place, next_page(data), 12):
        tag = struct.unpack_from("<H", data, entry)[0]
        if tag == 273:
            struct.pack_into("<HII", data, entry + 2, 4, 1, len(data))
        if tag == 279:
            struct.pack_into("<HII", data, entry + 2, 4, 1, len(strip))
    return bytes(data) + strip


def test_a_strip_that_unpacks_to_gigabytes(tiff):
    bombs = {
        "a strip unpacks to more than 1920 bytes": BOMB,
        "cannot be read": zlib.compress(bytes(1000)),
    }
    for says, bomb in bombs.items():
        data = replace_strip(tiff(compression="zlib"), bomb)
        tracemalloc.start()
        _, what = problem(data)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert says in what
        assert peak < 4 * MB


def test_compressions_that_cannot_be_bounded(tiff):
    data = tiff()
    place = struct.unpack_from("<I", data, 4)[0] + 2
    for entry in range(place, next_page(data), 12):
        if struct.unpack_from("<H", data, entry)[0] == 259:
            struct.pack_into("<H", data, entry + 8, 5)
    assert problem(data) == ("compression", "compressed by LZW: leave maps uncompressed")
