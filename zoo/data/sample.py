"""One image of a split with what is known about it; a list of them is a split.

Photographs of one physical item are no independent evidence of anything. `manifest.csv` in the data
set's folder may name the item, in the columns `object, split, file, group`; the folder inside a
split may stand in either: `test_public, bad/007.png` or `test_public/bad, 007.png`. Otherwise names
of MVTec AD 2 do: `007_overexposed.png` is scene 007 of its folder under one of several lights. Any
other photograph is an item of its own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from posixpath import normpath

import numpy as np

from zoo.data.file_hashes import file_digests, json_digest
from zoo.data.masks import read_mask
from zoo.utils.csv_file import read_csv
from zoo.utils.errors import ZooError, nearest

MANIFEST = "manifest.csv"
COLUMNS = ("object", "split", "file", "group")
_REPAIR = "repair it, or move it away and file names tell which photographs belong together"
_SCENE = re.compile(r"(\d+)_(?:regular|overexposed|underexposed|shift_\d+|mixed)")


@dataclass(frozen=True)
class Sample:
    """One image of a split.

    Attributes:
        image_path: The image.
        mask_path: Its ground truth, or None: a normal image, or truth withheld or never drawn.
        label: 0 normal, 1 anomalous, None when only a mask, if there is one, can tell.
        any_value: Every value of the mask but 0 marks a defect; otherwise only 255 may.
        group: The physical item, where a manifest names it.
    """

    image_path: Path
    mask_path: Path | None = None
    label: int | None = None
    any_value: bool = False
    group: str | None = None

    @property
    def item(self) -> str | None:
        """The physical item, None for one of its own; as a manifest or its name has it."""
        return self.group or scene_of(self.image_path)

    @property
    def has_truth(self) -> bool:
        """Whether the right mask of this image is known."""
        return self.label == 0 or self.mask_path is not None

    @property
    def files(self) -> tuple[Path, ...]:
        """The image, and its ground truth where there is one."""
        return (self.image_path, self.mask_path) if self.mask_path else (self.image_path,)

    def truth(self, native_size: tuple[int, int]) -> np.ndarray | None:
        """Return the right mask, bool (H, W), all False for a normal image; None if unknown.

        Raises:
            ZooError: The mask cannot be read, has another size or holds values it must not.
        """
        if self.mask_path is not None:
            return read_mask(self.mask_path, native_size, self.any_value)
        return np.zeros(native_size, bool) if self.label == 0 else None


def split_fingerprint(samples: Sequence[Sample], root: Path | None = None) -> str:
    """Return 16 hex digits that change with anything that is known about a split's images.

    The order counts, and the places of files below `root`; without one their names alone do.

    Raises:
        ZooError: A file cannot be read.
    """
    digests = file_digests(path for sample in samples for path in sample.files)

    def place(path: Path) -> str:
        return path.relative_to(root).as_posix() if root else path.name

    return json_digest(
        [
            [[(place(path), digests[path]) for path in sample.files], sample.label, sample.group]
            for sample in samples
        ]
    )


def scene_of(path: Path) -> str | None:
    """Return the scene of a file that is named after scene and light, None for other names.

    Scenes are numbered anew in every folder.

    Example:
        >>> scene_of(Path("bad/007_shift_2.png")), scene_of(Path("bad/crack_7.png"))
        ('bad/007', None)
    """
    match = _SCENE.fullmatch(path.stem)
    return f"{path.parent.name}/{match[1]}" if match else None


def manifest_groups(
    root: Path, object_name: str, split: str, files: Iterable[str], splits: Iterable[str]
) -> dict[str, str]:
    """Return the item of each file of a split as `manifest.csv` has it; empty if it has none.

    Files of the split that it leaves out, or whose cell is empty, are items of their own.

    Args:
        root: Folder of the data set.
        object_name: The object.
        split: The split.
        files: Paths of all its files below its folder, with slashes.
        splits: Names of all splits that there may be.

    Raises:
        ZooError: The manifest cannot be read, names an unknown split or none of the objects, names
            no file of the split that it has rows of, or gives a file two groups.
    """
    path = Path(root) / MANIFEST
    if not path.is_file():
        return {}
    rows = read_csv(path, COLUMNS, repair=_REPAIR)
    _check_names(path, rows, object_name, set(splits))
    mine = [row for row in rows if row["object"] == object_name and _split(row) == split]
    if not mine:
        return {}
    known = {_plain(f"{split}/{file}"): file for file in files}
    groups: dict[str, str] = {}
    for row in mine:
        file = known.get(_plain(f"{row['split']}/{row['file']}"))
        if file and groups.setdefault(file, row["group"] or file) != (row["group"] or file):
            raise ZooError(f"{path} gives {row['file']} of '{object_name}' two groups: {_REPAIR}")
    if not groups:
        folder = Path(root) / object_name / split
        raise ZooError(
            f"{path} names no file of {folder}, but '{mine[0]['file']}': write paths below that "
            "folder, or move the manifest away"
        )
    return {file: groups.get(file, file) for file in known.values()}


def _check_names(
    path: Path, rows: list[dict[str, str]], object_name: str, splits: set[str]
) -> None:
    """Raise where a misspelt name would leave rows without effect."""
    for row in rows:
        if _split(row) not in splits:
            near = nearest(row["split"], splits)
            raise ZooError(f"{path}: unknown split '{row['split']}'{near}: {_REPAIR}")
    named = {row["object"] for row in rows}
    elsewhere = named - {entry.name for entry in path.parent.iterdir()}
    spelt = {name for name in elsewhere if name.casefold() == object_name.casefold()}
    if object_name not in named and (spelt or elsewhere == named):
        [other, *_] = [*sorted(spelt or elsewhere), "nothing"]
        raise ZooError(f"{path} does not name '{object_name}', but '{other}': {_REPAIR}")


def _split(row: dict[str, str]) -> str:
    return _plain(row["split"]).partition("/")[0]


def _plain(file: str) -> str:
    """Return a path as every system writes it, with slashes and composed letters."""
    return normpath(unicodedata.normalize("NFC", file.replace("\\", "/")))
