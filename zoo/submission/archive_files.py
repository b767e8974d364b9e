"""The files of a submission in an archive, streamed: nothing is unpacked to a path it names."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from zoo.errors import ZooError
from zoo.submission.finding import Finding
from zoo.submission.folder_files import Wanted
from zoo.submission.tree import MAPS, MASKS

_MAGIC = {
    b"PK\x03\x04": "a zip archive",
    b"BZh": "compressed by bzip2",
    b"\xfd7zXZ": "compressed by xz",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"7z\xbc\xaf": "a 7z archive",
}
_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 20
_KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
}


class ArchiveFiles:
    """A gzip-compressed tar whose members begin with one folder's name.

    Args:
        archive: The archive.

    Attributes:
        findings: What is wrong with the archive itself, as far as it was read.

    Raises:
        ZooError: It is no gzip file.
    """

    def __init__(self, archive: Path) -> None:
        self.archive = archive
        self.findings: list[Finding] = []
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
            ZooError: The archive is truncated or damaged.
        """
        self.findings = []
        last = "its beginning"
        try:
            with _Blocks(self.archive) as file, tarfile.open(fileobj=file, mode="r:") as tar:
                for place, member in self._members(tar):
                    read = member.isreg() and wanted(place, member.size)
                    data = tar.extractfile(member).read() if read else None
                    last = member.name
                    if data is not None and len(data) != member.size:
                        raise EOFError("unexpected end of data")
                    yield place, data
                _check_end(file, last)
        except (EOFError, OSError, zlib.error, tarfile.TarError) as error:
            raise ZooError(
                f"{self.archive} is truncated or damaged after {last} "
                f"({' '.join(str(error).split())[:80]}): pack or copy it again"
            ) from error

    def _members(self, tar: tarfile.TarFile) -> Iterator[tuple[str, tarfile.TarInfo]]:
        """Yield the members that lie where they may, by their path below the top folder."""
        seen: set[str] = set()
        tops: set[str] = set()
        for member in tar:
            name = member.name
            wrong = _wrong_path(name) or self._wrong_kind(member)
            if wrong:
                self._find(name, wrong, "path trick")
                continue
            key = name.casefold()
            if key in seen:
                self._find(name, "is there twice, or differs by case only", "path trick")
            seen.add(key)
            top, _, place = name.partition("/")
            if top in (MAPS, MASKS):
                text = "no folder around it: members must begin with <any name>/anomaly_images"
                self._find(top, text, "top folder", once=True)
                place, top = name, ""
            tops.add(top)
            if len(tops) == 2:
                text = f"several folders at the top ({', '.join(sorted(tops))}): pack one"
                self._find(str(self.archive), text, "top folder", once=True)
            if member.isdir():
                text = "entries of folders: the official archive holds files only"
                where = str(self.archive)
                self._find(where, text, "folder entry", once=True, severity="warning")
            if place:
                yield place + "/" * member.isdir(), member

    def _wrong_kind(self, member: tarfile.TarInfo) -> str | None:
        if member.isdir() or (member.isreg() and not member.issparse()):
            return None
        return f"{_KINDS.get(member.type, 'of a special kind')}: only plain files belong here"

    def _find(
        self, where: str, what: str, kind: str, once: bool = False, severity: str = "error"
    ) -> None:
        finding = Finding(where, what, kind, severity)
        if not (once and finding in self.findings):
            self.findings.append(finding)


class _Blocks(gzip.GzipFile):
    """A gzip file that remembers what was read last: to go back there is to begin anew."""

    last = b""

    def read(self, size: int | None = -1) -> bytes:
        """Return up to `size` bytes."""
        self.last = super().read(size)
        return self.last


def _check_end(file: _Blocks, last: str) -> None:
    """Raise unless the two blocks of zeros that end a tar were read or follow, and only zeros."""
    # tarfile stops without a word at a header that it cannot read.
    chunk, n_bytes = file.last, 0
    while chunk:
        n_bytes += len(chunk)
        if chunk.strip(b"\0"):
            raise EOFError(f"what follows {last} is no member")
        chunk = file.read(_CHUNK)
    if n_bytes < 2 * tarfile.BLOCKSIZE:
        raise EOFError("the end mark is missing")


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
