"""Which files below a folder count: hidden ones never, and what holds no data to read is named."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zoo.utils.text import printable

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}
_SYSTEMS_OWN = {"thumbs.db", "desktop.ini", "__macosx"}  # hidden without a dot
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
    stat.S_IFDIR: "a folder",
}


@dataclass(frozen=True)
class Listing:
    """What lies in a folder, in a fixed order.

    Attributes:
        files: Files and links to files.
        odd: What has a place there and cannot be opened as a file, each with what it is.
    """

    files: list[Path] = field(default_factory=list)
    odd: dict[Path, str] = field(default_factory=dict)

    def add(self, path: Path) -> None:
        """Take a path up, where it belongs."""
        if reason := why_no_file(path):
            self.odd[path] = reason
        else:
            self.files.append(path)


def is_hidden(name: str) -> bool:
    """Whether a file is none of a person's: `.DS_Store`, `._7.png`, `Thumbs.db` and the like."""
    return name.startswith(".") or name.lower() in _SYSTEMS_OWN


def why_no_file(path: Path) -> str | None:
    """Return what stands in the place of a file, such as "a named pipe", or None for a file.

    Nothing is opened: to open a named pipe is to wait for whoever writes into it.
    """
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - links are followed, and errors keep a number
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "a link that leads in a circle"
        if path.is_symlink():
            return "a link that leads nowhere"
        return (error.strerror or str(error)).lower()
    return None if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "no file")


def files_in(folder: Path, suffixes: Iterable[str] = IMAGE_SUFFIXES) -> Listing:
    """List the files with certain suffixes in a folder itself; none if there is no folder."""
    listing = Listing()
    if folder.is_dir():
        for name in sorted(os.listdir(folder)):  # noqa: PTH208 - names, to sort them as text
            path = folder / name
            if not is_hidden(name) and path.suffix.lower() in suffixes:
                listing.add(path)
    return listing


def files_below(
    folder: Path, suffixes: Iterable[str] = IMAGE_SUFFIXES, without: Iterable[Path | str] = ()
) -> Listing:
    """List the files with certain suffixes below a folder, sub-folders and links included.

    Args:
        folder: Where to look; a link that leads back, or to a folder seen before, ends there.
        suffixes: In lower case.
        without: Folders below it whose files do not count.
    """
    listing, suffixes = Listing(), set(suffixes)

    def unreadable(error: OSError) -> None:
        reason = (error.strerror or str(error)).lower()
        listing.odd[Path(error.filename)] = f"a folder that cannot be read ({reason})"

    seen = {_real(Path(path).expanduser()) for path in without} - {_real(folder)}
    for here, folders, names in os.walk(folder, followlinks=True, onerror=unreadable):
        real = _real(Path(here))
        if real in seen:  # one that does not count, or a link that leads back
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        if not folders and not names and Path(here).suffix.lower() in suffixes:
            listing.odd[Path(here)] = "an empty folder"
        for name in sorted(name for name in names if not is_hidden(name)):
            path = Path(here, name)
            if path.suffix.lower() in suffixes:
                listing.add(path)
            # What leads nowhere may have led to a folder of images.
            elif not path.suffix and path.is_symlink() and (reason := why_no_file(path)):
                listing.odd[path] = reason
    return listing


def notices(kinds: dict[str, Sequence[Path]]) -> list[str]:
    """Return one line for each reason why files are left out."""
    return [f"left out {few(paths)}: {reason}" for reason, paths in kinds.items() if paths]


def by_reason(reasons: dict[Path, str]) -> dict[str, list[Path]]:
    """Return the paths of each reason."""
    found: dict[str, list[Path]] = {}
    for path, reason in reasons.items():
        found.setdefault(reason, []).append(path)
    return found


def few(paths: Sequence[Path], most: int = 3) -> str:
    """Return the names of a few files and how many more there are."""
    names = ", ".join(printable(path.name) for path in paths[:most])
    return f"{names} and {len(paths) - most} more" if len(paths) > most else names


def _real(path: Path) -> str:
    return os.path.realpath(path)
