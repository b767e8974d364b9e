"""A view of one object that holds train and validation only, in a folder of its own.

Files are linked where the file system lets us (a hard link has no way back to the folder that it
came from, a symbolic one would), and copied elsewhere.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from zoo.data.layout import samples
from zoo.data.splits import FIT_SPLITS


@contextmanager
def view(root: Path, object_name: str, beside: Path) -> Iterator[Path]:
    """Give a data set with the train and validation images of one object until the block ends.

    Args:
        root: The data set.
        object_name: The object.
        beside: Folder in which the view is made.

    Raises:
        ZooError: One of the two is missing or empty.
    """
    with TemporaryDirectory(prefix="sealed-", dir=beside) as folder:
        data = Path(folder) / "data"
        for split in FIT_SPLITS:
            for sample in samples(root, object_name, split):
                link(sample.image_path, data / sample.image_path.relative_to(root))
        yield Path(folder)


def link(source: Path, place: Path) -> None:
    """Make a file appear at another place, without a copy where that is possible."""
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), place)
    except OSError:  # another disk, or a system that links no files of others
        shutil.copyfile(source, place)
