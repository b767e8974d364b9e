"""The images that lie on the disk, before hours are spent on them: objects, counts and sizes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zoo.data.layout import samples, splits_on_disk
from zoo.data.splits import FIT_SPLITS
from zoo.vand.submission.expected import check_published, on_disk


@dataclass(frozen=True)
class ObjectImages:
    """How many images an object has in each split, and the pixels of both private splits."""

    name: str
    counts: dict[str, int]
    private_px: int


def survey(root: Path) -> tuple[list[ObjectImages], bool]:
    """Return what every object has, and whether the data set is the benchmark's.

    Raises:
        ZooError: A split is missing, or a copy of the benchmark has not the images that the server
            takes: all of them, under their names and at their sizes.
    """
    expected = on_disk(root)
    is_benchmark = check_published(expected)
    objects = []
    for name in expected.objects:
        splits = (*FIT_SPLITS, *splits_on_disk(root, name))
        counts = {split: len(samples(root, name, split)) for split in splits}
        sizes = [image.native_size for image in expected.of(name)]
        objects.append(ObjectImages(name, counts, sum(height * width for height, width in sizes)))
    return objects, is_benchmark
