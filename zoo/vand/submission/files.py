"""The files of a submission, read one at a time from a folder or an archive; nothing is unpacked.

An archive is a stranger's: what it may hold is bounded before it is read. Its headers are read
here, since `tarfile` believes whatever size a header claims.
"""

from __future__ import annotations

import gzip
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from zoo.data.listing import is_hidden
from zoo.utils.errors import ZooError
from zoo.utils.text import printable
from zoo.vand.submission.finding import Finding
from zoo.vand.submission.tree import MAPS, MASKS

Wanted = Callable[[str, int], bool]

_MAGIC = {
    b"PK\x03\x04": "a zip archive",
    b"BZh": "compressed by bzip2",
    b"\xfd7zXZ": "compressed by xz",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"7z\xbc\xaf": "a 7z archive",
}
_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 20
_MOST_NAME, _MOST_EXTENSION, _MOST_MEMBER = 1000, 1 << 20, 1 << 30  # bytes
_BLOCK = tarfile.BLOCKSIZE
_KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
}
_PLAIN = {tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE, tarfile.DIRTYPE}
_EXTENSIONS = {tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
_EXTENSIONS |= {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE}
_HOLES = "a file is packed with holes, as --sparse does"


class FolderFiles:
    """A folder that holds the trees of maps and masks; hidden files do not count.

    Args:
        folder: The folder.

    Attributes:
        findings: What is wrong with the folder itself.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.findings: list[Finding] = []

    def scan(self, wanted: Wanted) -> Iterator[tuple[str, bytes | None]]:
        """Yield every file's path below the folder, with its content where that is wanted.

        Empty folders come too, with a `/` at the end.

        Args:
            wanted: Says by path and size in bytes whether to read a file.
        """
        self.findings = []
        for here, folders, files in os.walk(self.folder):
            folders[:] = sorted(name for name in folders if not is_hidden(name))
            files = [name for name in files if not is_hidden(name)]
            below = Path(here).relative_to(self.folder)
            if not folders and not files and below.parts:
                yield f"{below.as_posix()}/", None
            for name in sorted(files + folders):
                path = Path(here, name)
                place = (below / name).as_posix()
                if path.is_symlink():
                    text = "a link: an archive would hold the link and no file; copy the file here"
                    self.findings.append(Finding(place, text, "link"))
                    yield place, None
                elif path.is_file():
                    read = wanted(place, path.stat().st_size)
                    yield place, path.read_bytes() if read else None
                elif not path.is_dir():
                    text = "no plain file: remove it"
                    self.findings.append(Finding(place, text, "no file"))


class ArchiveFiles:
    """A gzip-compressed tar whose members begin with one folder's name.

    Args:
        archive: The archive.
        most_members: It may not hold more members, of whatever kind.
        most_bytes: It may not unpack to more bytes.

    Attributes:
        findings: What is wrong with the archive itself, as far as it was read.

    Raises:
        ZooError: It is no gzip file.
    """

    def __init__(self, archive: Path, most_members: int, most_bytes: int) -> None:
        self.archive = archive
        self.most_members, self.most_bytes = most_members, most_bytes
        self.findings: list[Finding] = []
        self._tops: set[str] = set()
        with archive.open("rb") as file:
            head = file.read(512)
        if not head.startswith(_GZIP):
            raise ZooError(
                f"{archive} is no gzip file but {_kind(head)}: pack NAME.tar.gz, as `zoo submit "
                "RUN... --out NAME.tar.gz` does"
            )

    def scan(self, wanted: Wanted) -> Iterator[tuple[str, bytes | None]]:
        """Yield every file's path below the submission's folder, with its content where wanted.

        Args:
            wanted: Says by path and size in bytes whether to read a file.

        Raises:
            ZooError: The archive is truncated or damaged, or unpacks to more than it may hold.
        """
        self.findings, self._tops = [], set()
        last = "its beginning"
        try:
            with gzip.open(self.archive) as file:
                stream = _Stream(file, self.most_bytes)
                for member in self._plain(_members(stream, self.most_members)):
                    place = self._place(member)
                    read = member.isfile() and bool(place) and wanted(place, member.size)
                    data = stream.read_all(member.size) if read else None
                    last = member.name
                    if place:
                        yield place, data
                stream.check_rest_is_empty()
        except _Refusal as error:
            raise ZooError(f"{self.archive} is no submission: {error}") from None
        except (EOFError, OSError, zlib.error, tarfile.TarError) as error:
            raise ZooError(
                f"{self.archive} is truncated or damaged after {printable(last)} "
                f"({' '.join(str(error).split())[:80]}): pack or copy it again"
            ) from error

    def _plain(self, members: Iterator[tarfile.TarInfo]) -> Iterator[tarfile.TarInfo]:
        """Yield the members that lie where they may, each name once."""
        seen: set[str] = set()
        for member in members:
            wrong = _wrong_path(member.name) or _wrong_kind(member)
            if wrong:
                self._find(member.name, wrong, "path trick")
                continue
            key = member.name.casefold()
            if key in seen:
                text = "is there twice, or differs by case only"
                self._find(member.name, text, "path trick")
            seen.add(key)
            yield member

    def _place(self, member: tarfile.TarInfo) -> str:
        """Return a member's path below the top folder; empty for that folder itself."""
        top, _, place = member.name.partition("/")
        if top in (MAPS, MASKS):
            text = "no folder around it: members must begin with <any name>/anomaly_images"
            self._find(top, text, "top folder", once=True)
            top, place = "", member.name
        self._tops.add(top)
        if len(self._tops) == 2:
            text = f"several folders at the top ({', '.join(sorted(self._tops))}): pack one"
            self._find(str(self.archive), text, "top folder", once=True)
        if member.isdir():
            text = "entries of folders: the official archive holds files only"
            where = str(self.archive)
            self._find(where, text, "folder entry", once=True, severity="warning")
        return place + "/" * (member.isdir() and bool(place))

    def _find(
        self, where: str, what: str, kind: str, once: bool = False, severity: str = "error"
    ) -> None:
        finding = Finding(where, what, kind, severity)
        if not (once and finding in self.findings):
            self.findings.append(finding)


class _Refusal(Exception):
    """An archive holds what no submission does."""


class _Stream:
    """What a compressed file unpacks to, read forwards and up to a limit.

    Args:
        file: The file, as gzip unpacks it.
        most_bytes: The limit.

    Attributes:
        n_read: Bytes that were unpacked so far.
    """

    def __init__(self, file: gzip.GzipFile, most_bytes: int) -> None:
        self._file, self.most_bytes, self.n_read = file, most_bytes, 0

    def read(self, size: int) -> bytes:
        """Return the next bytes, fewer only at the end of the file."""
        data = self._file.read(size)
        self.n_read += len(data)
        if self.n_read > self.most_bytes:
            raise _Refusal(f"it unpacks to more than {self.most_bytes / 1e6:,.0f} MB")
        return data

    def read_all(self, size: int) -> bytes:
        """Return the next bytes, all of them."""
        data = self.read(size)
        if len(data) < size:
            raise EOFError("unexpected end of data")
        return data

    def skip_to(self, place: int) -> None:
        """Go on to a place further back."""
        while self.n_read < place:
            self.read_all(min(place - self.n_read, _CHUNK))

    def check_rest_is_empty(self) -> None:
        """Raise unless a second block of zeros follows, and then nothing but zeros."""
        block = self.read(_BLOCK)
        if len(block) < _BLOCK:
            raise EOFError("the end mark is missing")
        while block:
            if block.strip(b"\0"):
                raise EOFError("what follows is no member")
            block = self.read(_CHUNK)


def _members(stream: _Stream, most: int) -> Iterator[tarfile.TarInfo]:
    """Yield the headers of a tar; the content of each may be read before the next one is taken.

    Long names of GNU's and of the POSIX form are known; what sets anything for members to come is
    refused.
    """
    name: str | None = None
    size: int | None = None
    for _ in range(most):
        try:
            member = tarfile.TarInfo.frombuf(stream.read(_BLOCK), "utf-8", "surrogateescape")
        except tarfile.EOFHeaderError:
            return
        except tarfile.EmptyHeaderError:
            raise EOFError("the end mark is missing") from None
        begin = stream.n_read
        if member.type in _EXTENSIONS:
            if not 0 <= member.size <= _MOST_EXTENSION:
                raise _Refusal(f"a header of {member.size:,} bytes")
            text = stream.read_all(member.size)
            if member.type == tarfile.GNUTYPE_LONGNAME:
                name = _text(text.rstrip(b"\0"))
            elif member.type != tarfile.GNUTYPE_LONGLINK:
                path, length = _path_and_size(text, for_all=member.type == tarfile.XGLTYPE)
                name, size = path or name, size if length is None else length
        else:
            member.name = (name or member.name).rstrip("/" if member.isdir() else "")
            member.size = member.size if size is None else size
            name, size = None, None
            if len(member.name) > _MOST_NAME:
                raise _Refusal(f"a name of {len(member.name):,} letters")
            if member.type == tarfile.GNUTYPE_SPARSE:
                raise _Refusal(_HOLES)
            if not 0 <= member.size <= _MOST_MEMBER:
                raise _Refusal(f"{printable(member.name)} claims {member.size:,} bytes")
            yield member
        # Links, devices and folders have a size at times, and never content.
        has_content = member.type not in _KINDS and not member.isdir()
        stream.skip_to(begin + (-(-member.size // _BLOCK) * _BLOCK if has_content else 0))
    raise _Refusal(f"it holds more than {most:,} members")


def _path_and_size(text: bytes, for_all: bool) -> tuple[str | None, int | None]:
    """Return what a POSIX header says of its member, in records `<length> <key>=<value>`."""
    path, size, place = None, None, 0
    while place < len(text) and text[place]:  # zeros may fill the block
        digits, _, _ = text[place : place + 8].partition(b" ")
        length = int(digits) if digits.isdigit() else 0
        record = text[place : place + length]
        key, equals, value = record[len(digits) + 1 : -1].partition(b"=")
        if not (equals and record.endswith(b"\n") and len(record) == length):
            raise EOFError("a header that cannot be read")
        place += length
        if key.startswith(b"GNU.sparse"):
            raise _Refusal(_HOLES)
        if key in (b"path", b"size") and for_all:
            raise _Refusal(f"it sets the {key.decode()} of all members at once")
        if key == b"path":
            path = _text(value)
        elif key == b"size":
            if not (value.isdigit() and len(value) < 20):
                raise EOFError("a header that cannot be read")
            size = int(value)
    return path, size


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _wrong_kind(member: tarfile.TarInfo) -> str | None:
    if member.type in _PLAIN:
        return None
    return f"{_KINDS.get(member.type, 'of a special kind')}: only plain files belong here"


def _wrong_path(name: str) -> str | None:
    """Say why a member's path could lead elsewhere, or is not in its plain form."""
    if name.startswith("/") or "\\" in name or ":" in name or "\0" in name:
        return "a path of one machine: members are <name>/anomaly_images/..."
    parts = name.split("/")
    if ".." in parts:
        return "'..' in a path leads out of the folder: pack it without"
    if "." in parts or "" in parts or PurePosixPath(name).as_posix() != name:
        return "a path that is not plain: write it without '.' and '//'"
    return None


def _kind(head: bytes) -> str:
    if not head:
        return "empty"
    if head[257:262] == b"ustar":
        return "tar without compression"
    return next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), "another file")
