"""The files of a submission in a folder, read one at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from zoo.submission.finding import Finding

Wanted = Callable[[str, int], bool]


class FolderFiles:
    """A folder that holds the trees of maps and masks.

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
            folders.sort()
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
