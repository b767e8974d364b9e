"""Files that are complete or not there: written aside, then renamed.

Text is UTF-8; bytes of file names that are no UTF-8 pass as they are.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ASIDE = ".aside-"  # what files that are being written begin with: hidden, so never taken for images
_LEAST_FREE_BYTES = 1_000_000
_FULL = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a path in the same folder to write to, which takes the name when the block ends well.

    The suffix is kept, since libraries choose a format by it. A block that fails leaves the file
    that was there before, or none.

    Raises:
        OSError: The file cannot be written; the error names it. A full disk is reported as ENOSPC,
            whatever a library made of it.
    """
    path = Path(path)
    aside = path.with_name(f"{ASIDE}{os.getpid()}-{os.urandom(4).hex()}{path.suffix[:16]}")
    try:
        try:
            yield aside
            aside.replace(path)
        finally:
            with contextlib.suppress(OSError):
                aside.unlink(missing_ok=True)
    except Exception as error:
        if is_disk_full(error, path.parent):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        if isinstance(error, OSError) and str(error.filename) == str(aside):
            error.filename, error.filename2 = str(path), None
        raise


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write a file, complete or not at all."""
    with atomic_path(path) as aside:
        aside.write_bytes(data)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file, complete or not at all; line ends stay as they are."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def copy_file(source: str | Path, path: str | Path) -> None:
    """Copy the content of a file, complete or not at all."""
    with atomic_path(path) as aside:
        shutil.copyfile(source, aside)


class RecordFile:
    """A text file that grows record by record; one that does not fit leaves nothing of itself.

    Args:
        path: The file; its folder exists.
        keep: Go on after what it holds, instead of beginning anew.
    """

    def __init__(self, path: str | Path, keep: bool = False) -> None:
        self.path = Path(path)
        self._file = self.path.open("ab" if keep else "wb", buffering=0)
        self.size = self._file.tell() if keep else 0

    def append(self, record: str) -> None:
        """Write a record, its line end included.

        Raises:
            OSError: It cannot be written; the file is as it was.
        """
        left = record.encode("utf-8", "surrogateescape")
        size = self.size + len(left)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(self.size)
            error.filename = str(self.path)
            raise
        self.size = size

    def close(self) -> None:
        """Close the file; without a record it is removed."""
        self._file.close()
        if not self.size:
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> RecordFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def is_disk_full(error: Exception, folder: Path) -> bool:
    """Whether an error comes from a full disk; libraries report one as errors of their own."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _FULL
    with contextlib.suppress(OSError):
        return shutil.disk_usage(_existing(folder)).free < _LEAST_FREE_BYTES
    return False


def unwritable(error: Exception, folder: str | Path | None = None) -> str | None:
    """Return why nothing more can be written, in one line, or None if an error has another reason.

    Args:
        error: Any.
        folder: Where results go; the error's own file counts first.
    """
    named = getattr(error, "filename", None) if isinstance(error, OSError) else None
    place = Path(os.fsdecode(named)) if isinstance(named, str | bytes) else folder
    if isinstance(error, OSError) and error.errno == errno.EROFS:
        return (
            f"the disk of {place or 'the results'} is read-only: mount it anew or give another "
            "folder with --out, and repeat the command; what is finished is kept"
        )
    if not is_disk_full(error, Path(place or tempfile.gettempdir())):
        return None
    temporary = f"in {tempfile.gettempdir()}"  # where score maps wait, in files without a name
    if named is None:
        place = f"{folder} or {temporary}" if folder else f"the results or {temporary}"
    return f"no space left for {place}: free some and repeat the command; what is finished is kept"


def _existing(folder: Path) -> Path:
    return next(path for path in [folder, *folder.absolute().parents] if path.exists())
