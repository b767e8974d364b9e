"""Maps and masks that hold more than their pixels: surplus data, pages in circles, bombs."""

from __future__ import annotations

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL.PngImagePlugin import PngInfo

from zoo.vand.submission.check import check
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
    ("data", "says"),
    [
        (png() + b"x", "1 bytes behind its end"),
        (png() + bytes(500_000), "500000 bytes behind its end"),
        (png()[:-12] + chunk(b"IEND", b"x" * 9), "9 bytes behind its end"),
        (png(raw=bytes(64 * MB)), "it unpacks to more than its 984 bytes"),
        (png(raw=bytes(24 * 41 + 1)), "it unpacks to more than its 984 bytes"),
        (png(chunk(b"IDAT", zlib.compress(bytes(24 * 41)))), "it unpacks to more than its 984"),
        (png(chunk(b"zTXt", b"Comment\0\0" + BOMB)), "a part 'zTXt' besides the pixels"),
        (png(chunk(b"iTXt", b"Comment\0\1\0\0\0" + BOMB)), "a part 'iTXt' besides the pixels"),
        (png(chunk(b"iCCP", b"profile\0\0" + BOMB)), "a part 'iCCP' besides the pixels"),
        (png(chunk(b"eXIf", b"MM")), "a part 'eXIf' besides the pixels"),
        (png(chunk(b"tRNS", b"\0\xff")), "a part 'tRNS' besides the pixels"),
        (png(chunk(b"acTL", bytes(8))), "a part 'acTL' besides the pixels"),
        (png(chunk(b"IHDR", bytes(13))), "a part 'IHDR' besides the pixels"),
        (png(chunk(b"\x1b[2J", b"")), "besides the pixels"),
        (png(chunk(b"tEXt", b"Comment\0" + b"x" * 100_000)), "100008 bytes besides the pixels"),
    ],
)
def test_masks_with_more_than_their_pixels(data, says):
    tracemalloc.start()
    mask, found = check_file(MASK, data, SIZE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert mask is None
    assert peak < MB
    kind, what = only(found)
    assert kind == "surplus"
    assert says in what


@pytest.mark.parametrize(
    "data",
    [
        png(raw=bytes(24 * 41 - 1)),
        png()[:60],
        png().replace(b"IDAT", b"IDAt"),
        b"\x89PNG\r\n\x1a\n" + png()[33:],
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 2**32 - 1) + b"IHDR",
    ],
)
def test_damaged_masks_are_called_damaged(data):
    assert only(check_file(MASK, data, SIZE)[1])[0] == "damaged mask"


def test_plain_metadata_and_interlacing_are_no_fault(tmp_path, write_png):
    mask = np.zeros(SIZE, np.uint8)
    mask[3:9, 4:11] = 255
    info = PngInfo()
    info.add_text("Software", "somebody's")
    write_png(tmp_path / "a.png", mask, pnginfo=info, dpi=(300, 300))
    read, found = check_file(MASK, (tmp_path / "a.png").read_bytes(), SIZE)
    assert found == []
    assert np.array_equal(read, mask > 0)
    interlaced = interlaced_png(mask)
    read, found = check_file(MASK, interlaced, SIZE)
    assert found == []
    assert np.array_equal(read, mask > 0)


def interlaced_png(pixels: np.ndarray) -> bytes:
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)]
    passes.append((1, 0, 2, 1))
    raw = b"".join(
        b"\0" + row.tobytes()
        for top, left, down, right in passes
        for row in pixels[top::down, left::right]
    )
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *pixels.shape[::-1], 8, 0, 0, 0, 1))
    body = chunk(b"IDAT", zlib.compress(raw))
    return b"\x89PNG\r\n\x1a\n" + header + body + chunk(b"IEND", b"")


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


def test_a_second_page_and_pages_that_form_a_circle(tiff):
    first, second = tiff(), tiff()
    struct.pack_into("<I", first, next_page(first), struct.unpack_from("<I", first, 4)[0])
    struct.pack_into("<I", second, next_page(second), len(second))
    for data in (first, second + bytes(6)):
        assert problem(data) == ("not one channel", "several pages: a map has one")


def test_a_page_within_a_page(tiff):
    data = tiff(extratags=[(65000, 4, 1, 8, True)])
    for tag in (330, 34665):  # tifffile itself writes neither
        inner = data.replace(struct.pack("<H", 65000), struct.pack("<H", tag))
        assert problem(inner)[0] == "surplus"


def test_a_map_with_a_megabyte_besides(tiff):
    kind, what = problem(tiff() + bytes(MB))
    assert kind == "surplus"
    assert "bytes besides the pixels" in what
    assert problem(tiff(extratags=[(65000, 1, 100_000, bytes(100_000), True)]))[0] == "surplus"


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
        "it unpacks to more than its 1920 bytes": BOMB,
        "its pixels are cut off": zlib.compress(bytes(1000)),
    }
    for says, bomb in bombs.items():
        data = replace_strip(tiff(compression="zlib"), bomb)
        tracemalloc.start()
        _, what = problem(data)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert says in what
        assert peak < 4 * MB


def test_a_strip_of_more_than_its_pixels(tiff):
    kind, what = problem(replace_strip(tiff(), bytes(50_000)))
    assert kind == "surplus"
    assert "a strip of 50000 bytes, 1920 are its pixels" in what


def test_compressions_that_cannot_be_bounded(tiff, submission):
    data = tiff()
    place = struct.unpack_from("<I", data, 4)[0] + 2
    for entry in range(place, next_page(data), 12):
        if struct.unpack_from("<H", data, entry)[0] == 259:
            struct.pack_into("<H", data, entry + 8, 5)
    assert problem(data) == ("compression", "compressed by LZW: leave maps uncompressed")


def test_an_archive_with_such_files_is_unfit(submission, tiff):
    data = tiff()
    struct.pack_into("<I", data, next_page(data), struct.unpack_from("<I", data, 4)[0])
    submission.map.write_bytes(data)
    submission.mask.write_bytes(png(raw=bytes(32 * MB)))
    assert {each.kind for each in check(submission.folder, submission.expected)} == {
        "not one channel",
        "surplus",
    }
