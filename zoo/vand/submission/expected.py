"""The images that a submission must hold, and the paths and sizes of their files.

    <name>/anomaly_images/<object>/<split>/<stem>.tiff               score maps, float16
    <name>/anomaly_images_thresholded/<object>/<split>/<stem>.png    masks, 0 and 255

Source: submission format of the MVTec AD 2 benchmark server. Counts and sizes of the eight objects:
arXiv 2509.17615 and the data set's files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from zoo.data import layout
from zoo.data.images import image_size
from zoo.data.splits import PRIVATE_SPLITS
from zoo.utils.errors import ZooError
from zoo.utils.names import check_name

MAPS, MASKS = "anomaly_images", "anomaly_images_thresholded"
SUFFIXES = {MAPS: ".tiff", MASKS: ".png"}
# width, height, and images in each of the two private splits
MVTEC_AD_2 = {
    "can": (2232, 1024, 321),
    "fabric": (2448, 2048, 314),
    "fruit_jelly": (2100, 1520, 255),
    "rice": (2448, 2048, 277),
    "sheet_metal": (4224, 1056, 142),
    "vial": (1400, 1900, 276),
    "wallplugs": (2448, 2048, 232),
    "walnuts": (2448, 2048, 228),
}


@dataclass(frozen=True)
class Image:
    """One private image: its object, split and file name without suffix, and (H, W) in pixels.

    Raises:
        ZooError: One of its names could lead out of the submission's folder.
    """

    object_name: str
    split: str
    stem: str
    native_size: tuple[int, int]

    def __post_init__(self) -> None:
        """Check the names, which runs and data sets of strangers give."""
        check_name(self.object_name, "object")
        check_name(self.split, "split")
        check_name(self.stem, "image")

    def place(self, tree: str) -> str:
        """Return the path of its map (`MAPS`) or mask (`MASKS`) below the submission's folder."""
        return f"{tree}/{self.object_name}/{self.split}/{self.stem}{SUFFIXES[tree]}"


@dataclass(frozen=True)
class Expected:
    """All images that a submission must hold.

    Attributes:
        data_set: Name of the data set, for messages.
        images: Its private images, sorted by object, split and name.
    """

    data_set: str
    images: tuple[Image, ...]

    @cached_property
    def objects(self) -> list[str]:
        """The names of the objects, sorted."""
        return sorted({image.object_name for image in self.images})

    @cached_property
    def n_pixels(self) -> int:
        """Pixels of all images."""
        return sum(height * width for height, width in (i.native_size for i in self.images))

    @cached_property
    def by_place(self) -> dict[str, Image]:
        """The image of every file, by the file's path below the submission's folder."""
        return {image.place(tree): image for tree in (MAPS, MASKS) for image in self.images}

    def of(self, object_name: str) -> list[Image]:
        """Return the images of one object."""
        return [image for image in self.images if image.object_name == object_name]


def official() -> Expected:
    """Return what the server expects: 4,090 images of eight objects."""
    images = [
        Image(name, split, f"{number:03d}_{light}", (height, width))
        for name, (width, height, count) in MVTEC_AD_2.items()
        for split, light in zip(PRIVATE_SPLITS, ("regular", "mixed"), strict=True)
        for number in range(count)
    ]
    return Expected("MVTec AD 2", tuple(images))


def on_disk(root: Path, objects: Iterable[str] | None = None) -> Expected:
    """Return the private images of a data set in the layout of MVTec AD 2; sizes from the files.

    Args:
        root: The data set.
        objects: Some of its objects; all by default.

    Raises:
        ZooError: An object lacks one of the two private splits, or an image cannot be read.
    """
    images = [
        Image(name, split, sample.image_path.stem, image_size(sample.image_path))
        for name in (objects or layout.object_names(root))
        for split in PRIVATE_SPLITS
        for sample in layout.samples(root, name, split)
    ]
    expected = Expected(str(root), tuple(images))
    if len(expected.by_place) < 2 * len(images):
        raise ZooError(f"two private images in {root} differ in their suffix only: rename one")
    return expected


def check_published(expected: Expected) -> bool:
    """Return whether these are the images of MVTec AD 2: a data set without its objects is another.

    Raises:
        ZooError: A copy of MVTec AD 2 lacks objects or images, holds more, or has other sizes.
    """
    published = official()
    if not set(expected.objects) & set(published.objects):
        return False
    here, there = ({image.place(MASKS): image for image in x.images} for x in (expected, published))
    resized = {place for place in here.keys() & there.keys() if here[place] != there[place]}
    for places, problem in (
        (there.keys() - here.keys(), "lacks"),
        (here.keys() - there.keys(), "holds besides"),
        (resized, "has in another size"),
    ):
        if places:
            names = [Path(place).with_suffix("").as_posix() for place in places]
            raise ZooError(
                f"{expected.data_set} {problem} {few(name.partition('/')[2] for name in names)}: "
                "the server of MVTec AD 2 takes its 4,090 private images and no others; copy the "
                "data set again"
            )
    return True


def few(names: Iterable[str], most: int = 3) -> str:
    """Return the first names in order, and how many more there are."""
    names = sorted(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
