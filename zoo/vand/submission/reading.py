"""The files of a submission, read one at a time from a folder or an archive; nothing is unpacked.

An archive is a stranger's: what it may hold is bounded before it is read.
"""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zoo.data.listing import is_hidden
from zoo.utils.errors import ZooError, one_line
from zoo.utils.text import printable
from zoo.vand.submission.expected import MAPS, MASKS, few

IsRead = Callable[[str, int], bool]

_CHUNK = 1 << 20
_MAX_NAME, _MAX_HEADERS, _MAX_MEMBER = 1000, 1 << 16, 1 << 30  # bytes


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or looks wrong.

    Attributes:
        where: Path below the submission's folder, or the archive.
        what: What is wrong there, and how to repair it.
        kind: The same for all findings that have one cause; groups them.
        severity: An "error" is rejected or scored wrongly; a "warning" may be intended.
    """

    where: str
    what: str
    kind: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        """Return the finding as one line."""
        return printable(f"{self.severity}: {self.where}: {self.what}")


def scan_folder(
    folder: Path, is_read: IsRead, found: list[Finding]
) -> Iterator[tuple[str, bytes | None]]:
    """Yield every file's path below a submission's folder, with its content where that is wanted.

    Hidden files do not count. Empty folders come too, with a `/` at the end.

    Args:
        folder: Holds the trees of maps and masks.
        is_read: Decides by path and size in bytes whether to read a file.
        found: Receives what is wrong with the folder itself.
    """
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        names = sorted([*(name for name in files if not is_hidden(name)), *folders])
        below = Path(here).relative_to(folder)
        if not names and below.parts:
            yield f"{below.as_posix()}/", None
        for name in names:
            path, place = Path(here, name), (below / name).as_posix()
            if path.is_symlink():
                text = "a link: an archive would hold the link and no file; copy the file here"
                found.append(Finding(place, text, "link"))
                yield place, None
            elif path.is_file():
                yield place, path.read_bytes() if is_read(place, path.stat().st_size) else None
            elif not path.is_dir():
                found.append(Finding(place, "no plain file: remove it", "no file"))


def scan_archive(
    archive: Path, max_members: int, max_bytes: int, is_read: IsRead, found: list[Finding]
) -> Iterator[tuple[str, bytes | None]]:
    """Yield every file's path below the one folder of an archive, as `scan_folder` does.

    Args:
        archive: A gzip-compressed tar.
        max_members: Most members, of whatever kind.
        max_bytes: Most bytes that it may unpack to.
        is_read: Decides by path and size in bytes whether to read a file.
        found: Receives what is wrong with the archive itself.

    Raises:
        ZooError: It is no gzip file, is truncated or damaged, or unpacks to more than it may hold.
    """
    with archive.open("rb") as raw:
        if raw.read(2) != b"\x1f\x8b":
            raise ZooError(
                f"{archive} is no gzip file: pack NAME.tar.gz, as `zoo submit RUN... --out "
                "NAME.tar.gz` does"
            )
    last, names, tops = "its beginning", set[str](), set[str]()
    try:
        with gzip.open(archive) as file:
            stream = _Stream(file, max_bytes)
            for member in _members(stream, max_members):
                last = member.name
                if problem := _problem_of(member, names):
                    found.append(Finding(member.name, problem, "path"))
                    continue
                names.add(member.name.casefold())
                top, _, place = member.name.partition("/")
                tops.add(top)
                if top in (MAPS, MASKS):
                    place = member.name
                if member.isdir() or not place:
                    text = "not below a folder of its own, or a folder: pack <name>/... files only"
                    found.append(Finding(member.name, text, "folder entry", "warning"))
                    place += "/" * bool(place)
                if place:
                    is_wanted = member.isfile() and is_read(place, member.size)
                    yield place, stream.take(member.size) if is_wanted else None
    except _Refused as error:
        raise ZooError(f"{archive} is no submission: {error}") from None
    except Exception as error:  # a damaged archive may fail in any way
        raise ZooError(
            f"{archive} is truncated or damaged after {printable(last)} "
            f"({one_line(error, 80)}): pack or copy it again"
        ) from error
    if len(tops) > 1 or tops & {MAPS, MASKS}:
        text = f"at the top is {few(tops)}: members must begin with <one name>/{MAPS}/..."
        found.append(Finding(str(archive), text, "top folder"))


class _Refused(Exception):
    """An archive holds what no submission does."""


class _Stream(io.RawIOBase):
    """A compressed file, read forwards: up to a limit in all, and to one between two contents."""

    def __init__(self, file: gzip.GzipFile, max_bytes: int) -> None:
        self._file, self._max_bytes, self._place = file, max_bytes, 0
        self._headers_begin = 0

    def tell(self) -> int:
        """Return how many bytes were read."""
        return self._place

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes of headers, fewer only at the end of the file."""
        if not 0 <= size <= self._headers_begin + _MAX_HEADERS - self._place:
            raise _Refused(f"headers of more than {_MAX_HEADERS:,} bytes")
        return self._next(size)

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        """Go on to a place further back, behind the content of a member."""
        while self._place < place:
            self.take(min(place - self._place, _CHUNK))
        self._headers_begin = self._place
        return self._place

    def take(self, size: int) -> bytes:
        """Return the next bytes of content, all of them."""
        data = self._next(size)
        if len(data) < size:
            raise EOFError("unexpected end of data")
        return data

    def check_end(self) -> None:
        """Raise unless a second block of zeros follows, and then nothing but zeros."""
        block = self.take(tarfile.BLOCKSIZE)
        while block:
            if block.strip(b"\0"):
                raise EOFError("what follows is no member")
            block = self._next(_CHUNK)

    def _next(self, size: int) -> bytes:
        data = self._file.read(size)
        self._place += len(data)
        if self._place > self._max_bytes:
            raise _Refused(f"it unpacks to more than {self._max_bytes / 1e6:,.0f} MB")
        return data


def _members(stream: _Stream, most: int) -> Iterator[tarfile.TarInfo]:
    """Yield the members of a tar; the content of each may be taken before the next one is asked."""
    tar = tarfile.TarFile(fileobj=stream, encoding="utf-8", errors="surrogateescape")
    member = tar.next()  # which reads nothing: the first header is read already
    n_members = 0
    while member is not None:
        n_members += 1
        if n_members > most:
            raise _Refused(f"it holds more than {most:,} members")
        if len(member.name) > _MAX_NAME:
            raise _Refused(f"a name of {len(member.name):,} letters")
        if member.issparse():
            raise _Refused("a file is packed with holes, as --sparse does")
        if not 0 <= member.size <= _MAX_MEMBER:
            raise _Refused(f"{printable(member.name)} claims {member.size:,} bytes")
        for key in tar.pax_headers.keys() - {"comment"}:
            raise _Refused(f"it sets the {printable(key)} of all members at once")
        yield member
        stream.seek(tar.offset)
        try:
            member = tarfile.TarInfo.fromtarfile(tar)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # missing in typeshed
            member = None
    stream.check_end()


def _problem_of(member: tarfile.TarInfo, names: set[str]) -> str | None:
    """Return why a member could lead elsewhere, is no plain file, or is there already."""
    name, parts = member.name, member.name.split("/")
    if {"", ".", ".."} & set(parts) or any(letter in name for letter in "\\:\0"):
        return "no plain path: members are <name>/anomaly_images/..., without '..', '.' and '//'"
    if member.type not in tarfile.REGULAR_TYPES and not member.isdir():
        return "a link, a pipe or a device: only plain files belong here"
    return "is there twice, or differs by case only" if name.casefold() in names else None
