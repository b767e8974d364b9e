"""The files of a submission, read one at a time from a folder or an archive; nothing is unpacked.

An archive is a stranger's: what it may hold is bounded before it is read.
"""

from __future__ import annotations

import gzip
import os
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from zoo.data.listing import is_hidden
from zoo.utils.errors import ZooError, one_line
from zoo.utils.text import printable
from zoo.vand.submission.expected import MAPS, MASKS

IsRead = Callable[[str, int], bool]

_CHUNK = 1 << 20
_MAX_NAME, _MAX_HEADERS, _MAX_MEMBER = 1000, 1 << 16, 1 << 30  # bytes


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or looks wrong.

    Attributes:
        where: Path below the submission's folder, or the archive.
        what: What is wrong there, and how to mend it.
        kind: The same for all findings that have one cause; groups them.
        severity: An "error" makes the submission unfit; a "warning" may be meant so.
    """

    where: str
    what: str
    kind: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        """Return the finding as one line."""
        return printable(f"{self.severity}: {self.where}: {self.what}")


class FolderFiles:
    """A folder that holds the trees of maps and masks; hidden files do not count.

    Attributes:
        findings: What is wrong with the folder itself.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.findings: list[Finding] = []

    def scan(self, is_read: IsRead) -> Iterator[tuple[str, bytes | None]]:
        """Yield every file's path below the folder, with its content where that is wanted.

        Empty folders come too, with a `/` at the end.

        Args:
            is_read: Decides by path and size in bytes whether to read a file.
        """
        self.findings = []
        for here, folders, files in os.walk(self.folder):
            folders[:] = sorted(name for name in folders if not is_hidden(name))
            names = sorted([*(name for name in files if not is_hidden(name)), *folders])
            below = Path(here).relative_to(self.folder)
            if not names and below.parts:
                yield f"{below.as_posix()}/", None
            for name in names:
                path, place = Path(here, name), (below / name).as_posix()
                if path.is_symlink():
                    text = "a link: an archive would hold the link and no file; copy the file here"
                    self.findings.append(Finding(place, text, "link"))
                    yield place, None
                elif path.is_file():
                    yield place, path.read_bytes() if is_read(place, path.stat().st_size) else None
                elif not path.is_dir():
                    self.findings.append(Finding(place, "no plain file: remove it", "no file"))


class ArchiveFiles:
    """A gzip-compressed tar whose members begin with one folder's name.

    Args:
        archive: The archive.
        max_members: Most members, of whatever kind.
        max_bytes: Most bytes that it may unpack to.

    Attributes:
        findings: What is wrong with the archive itself, as far as it was read.

    Raises:
        ZooError: It is no gzip file.
    """

    def __init__(self, archive: Path, max_members: int, max_bytes: int) -> None:
        self.archive, self.max_members, self.max_bytes = archive, max_members, max_bytes
        self.findings: list[Finding] = []
        self._tops: set[str] = set()
        with archive.open("rb") as file:
            is_gzip = file.read(2) == b"\x1f\x8b"
        if not is_gzip:
            raise ZooError(
                f"{archive} is no gzip file: pack NAME.tar.gz, as `zoo submit RUN... --out "
                "NAME.tar.gz` does"
            )

    def scan(self, is_read: IsRead) -> Iterator[tuple[str, bytes | None]]:
        """Yield every file's path below the submission's folder, as `FolderFiles.scan` does.

        Raises:
            ZooError: The archive is truncated or damaged, or unpacks to more than it may hold.
        """
        self.findings, self._tops = [], set()
        last = "its beginning"
        try:
            with gzip.open(self.archive) as file:
                stream = _Stream(file, self.max_bytes)
                for member in self._plain(_members(stream, self.max_members)):
                    place = self._place(member)
                    wanted = member.isfile() and place and is_read(place, member.size)
                    data = stream.take(member.size) if wanted else None
                    last = member.name
                    if place:
                        yield place, data
        except _Refused as error:
            raise ZooError(f"{self.archive} is no submission: {error}") from None
        except Exception as error:  # a damaged archive may fail in any way
            raise ZooError(
                f"{self.archive} is truncated or damaged after {printable(last)} "
                f"({one_line(error, 80)}): pack or copy it again"
            ) from error

    def _plain(self, members: Iterator[tarfile.TarInfo]) -> Iterator[tarfile.TarInfo]:
        """Yield the members that lie where they may; a name that is there twice is found."""
        seen: set[str] = set()
        for member in members:
            if problem := _problem_of(member):
                self._find(member.name, problem, "path trick")
                continue
            key = member.name.casefold()
            if key in seen:
                self._find(member.name, "is there twice, or differs by case only", "path trick")
            seen.add(key)
            yield member

    def _place(self, member: tarfile.TarInfo) -> str:
        """Return a member's path below the top folder; empty for that folder itself."""
        top, _, place = member.name.partition("/")
        if top in (MAPS, MASKS):
            text = "no folder around it: members must begin with <any name>/anomaly_images"
            self._find(top, text, "top folder")
            top, place = "", member.name
        self._tops.add(top)
        if len(self._tops) == 2:
            text = f"several folders at the top ({', '.join(sorted(self._tops))}): pack one"
            self._find(str(self.archive), text, "top folder")
        if member.isdir():
            text = "entries of folders: the official archive holds files only"
            self._find(str(self.archive), text, "folder entry", "warning")
        return place + "/" * (member.isdir() and bool(place))

    def _find(
        self, where: str, what: str, kind: str, severity: Literal["error", "warning"] = "error"
    ) -> None:
        finding = Finding(where, what, kind, severity)
        if kind == "path trick" or finding not in self.findings:
            self.findings.append(finding)


class _Refused(Exception):
    """An archive holds what no submission does."""


class _Stream:
    """A compressed file, read forwards: up to a limit in all, and to one between two contents."""

    def __init__(self, file: gzip.GzipFile, max_bytes: int) -> None:
        self._file, self._max_bytes, self._place = file, max_bytes, 0
        self._headers_begin = 0
        self.last_block = b""

    def tell(self) -> int:
        """Return how many bytes were read."""
        return self._place

    def read(self, size: int) -> bytes:
        """Return the next bytes of headers, fewer only at the end of the file."""
        if not 0 <= size <= self._headers_begin + _MAX_HEADERS - self._place:
            raise _Refused(f"headers of more than {_MAX_HEADERS:,} bytes")
        self.last_block = self._next(size)
        return self.last_block

    def seek(self, place: int) -> None:
        """Go on to a place further back, behind the content of a member."""
        while self._place < place:
            self.take(min(place - self._place, _CHUNK))
        self._headers_begin = self._place

    def take(self, size: int) -> bytes:
        """Return the next bytes of content, all of them."""
        data = self._next(size)
        if len(data) < size:
            raise EOFError("unexpected end of data")
        return data

    def check_end(self) -> None:
        """Raise unless two blocks of zeros end the archive, and nothing but zeros follows."""
        if self.last_block != bytes(tarfile.BLOCKSIZE):
            raise EOFError("what follows is no member")
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
    n_members = 0
    while member := tar.next():
        n_members += 1
        if n_members > most:
            raise _Refused(f"it holds more than {most:,} members")
        if len(member.name) > _MAX_NAME:
            raise _Refused(f"a name of {len(member.name):,} letters")
        if member.issparse():
            raise _Refused("a file is packed with holes, as --sparse does")
        if not 0 <= member.size <= _MAX_MEMBER:
            raise _Refused(f"{printable(member.name)} claims {member.size:,} bytes")
        for key in tar.pax_headers.keys() & {"path", "size"}:
            raise _Refused(f"it sets the {key} of all members at once")
        yield member
        stream.seek(tar.offset)
        tar.members.clear()  # they would be kept, and there may be many
        tar.pax_headers.clear()
    stream.check_end()


def _problem_of(member: tarfile.TarInfo) -> str | None:
    """Return why a member could lead elsewhere, or is no file in plain form."""
    name, parts = member.name, member.name.split("/")
    if name.startswith("/") or "\\" in name or ":" in name or "\0" in name:
        return "a path of one machine: members are <name>/anomaly_images/..."
    if ".." in parts:
        return "'..' in a path leads out of the folder: pack it without"
    if "." in parts or "" in parts or PurePosixPath(name).as_posix() != name:
        return "a path that is not plain: write it without '.' and '//'"
    if member.type in tarfile.REGULAR_TYPES or member.isdir():
        return None
    return "a link, a pipe or a device: only plain files belong here"
