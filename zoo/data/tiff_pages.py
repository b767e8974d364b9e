"""How many pages a TIFF has, read off its directories alone: nothing of it is decoded."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

_MAX_ENTRIES = 1_000_000  # of all directories together
_SUBFILE_TYPE, _DESCRIPTION = 254, 270
_REDUCED, _TRANSPARENCY = 1, 4  # bits of the subfile type: a smaller copy, a mask of another page


def is_tiff(head: bytes) -> bool:
    """Whether a file that begins with these bytes is a TIFF or a BigTIFF."""
    return head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def count_pages(file: BinaryIO) -> int:
    """Return the number of pages; thumbnails and smaller copies of a page do not count.

    Args:
        file: A TIFF, open for reading; its position is moved.

    Raises:
        ValueError: The directories form a circle, or the file ends in one of them.
    """
    (_, description), *others = _directories(file)
    pages = 1 + sum(not kind & (_REDUCED | _TRANSPARENCY) for kind, _ in others)
    # ImageJ writes a stack of more than 4 GB with one directory.
    return pages if pages > 1 else _images_of_imagej(description)


def _directories(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield the subfile type and the beginning of the description of every directory."""
    head = _read(file, 0, 16)
    order = "<" if head[:2] == b"II" else ">"
    is_big = 43 in head[2:4]  # 8 bytes for counts and places, where TIFF has 2 and 4
    count, entry, place = (order + part for part in (("Q", "HHQ8s", "Q") if is_big else _SMALL))
    [offset] = struct.unpack_from(place, head, 8 if is_big else 4)
    seen, total = {0}, 0
    while True:
        if offset in seen:
            raise ValueError("its directories form a circle" if offset else "it has no directory")
        seen.add(offset)
        [n_entries] = struct.unpack(count, _read(file, offset, struct.calcsize(count)))
        total += n_entries
        if total > _MAX_ENTRIES:
            raise ValueError("its directories are too large")
        start = offset + struct.calcsize(count)
        entries = _read(file, start, n_entries * struct.calcsize(entry))
        kind, description = 0, b""
        for tag, _, length, value in struct.iter_unpack(entry, entries):
            if tag == _SUBFILE_TYPE:
                [kind] = struct.unpack_from(order + "I", value)
            elif tag == _DESCRIPTION and length > len(value):
                description = _read(file, *struct.unpack(place, value), min(length, 200))
        yield kind, description
        [offset] = struct.unpack(place, _read(file, start + len(entries), struct.calcsize(place)))
        if not offset:
            return


_SMALL = ("H", "HHI4s", "I")


def _images_of_imagej(description: bytes) -> int:
    lines = description.split(b"\n")
    if not lines[0].startswith(b"ImageJ="):
        return 1
    said = next((line[7:] for line in lines if line.startswith(b"images=")), b"1")
    return max(int(said), 1) if said.isdigit() else 1


def _read(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    data = file.read(size)
    if len(data) < size:
        raise ValueError("it ends in a directory")
    return data
