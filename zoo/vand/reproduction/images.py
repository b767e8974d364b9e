"""What lies on the disk, before hours are spent on it: objects, names, counts and sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.data.images import image_size
from zoo.data.layout import object_names, samples, splits_on_disk
from zoo.data.splits import FIT_SPLITS, PRIVATE_SPLITS
from zoo.results.published import object_names as benchmark_objects
from zoo.utils.errors import ZooError

_LIGHTS = {"test_private": "regular", "test_private_mixed": "mixed"}


@dataclass(frozen=True)
class ObjectImages:
    """How many images an object has, and how large they are.

    Attributes:
        name: The object.
        counts: {split: images}.
        private_px: Pixels of both private splits together.
    """

    name: str
    counts: dict[str, int]
    private_px: int


def is_benchmark(root: Path) -> bool:
    """Whether the data set has objects of the benchmark.

    Raises:
        ZooError: It has some and not all of them, or others besides.
    """
    found, wanted = set(object_names(root)), set(benchmark_objects())
    if not found & wanted:
        return False
    if foreign := sorted(found - wanted):
        raise ZooError(f"{root} holds the foreign object '{foreign[0]}': move it elsewhere")
    if lacking := sorted(wanted - found):
        raise ZooError(f"{root} lacks {', '.join(lacking)}: the benchmark has eight objects")
    return True


def survey(root: Path, strict: bool) -> list[ObjectImages]:
    """Return what every object has.

    Args:
        root: The data set.
        strict: Whether an object's images must be of one size, as those of the benchmark are.

    Raises:
        ZooError: A split is missing, private images have other names than the server wants, the
            private splits differ in number, or images are of unequal sizes.
    """
    return [_object(root, name, strict) for name in object_names(root)]


def _object(root: Path, name: str, strict: bool) -> ObjectImages:
    missing = [each for each in PRIVATE_SPLITS if each not in splits_on_disk(root, name)]
    if missing:
        raise ZooError(f"object '{name}' in {root} has no {missing[0]}: an archive needs both")
    listed = {
        split: [sample.image_path for sample in samples(root, name, split)]
        for split in (*FIT_SPLITS, *splits_on_disk(root, name))
    }
    for split in PRIVATE_SPLITS:
        _check_names(listed[split], split)
    counts = {split: len(paths) for split, paths in listed.items()}
    if len({counts[split] for split in PRIVATE_SPLITS}) > 1:
        said = " and ".join(f"{counts[split]} of {split}" for split in PRIVATE_SPLITS)
        raise ZooError(f"object '{name}' has {said}: both show the same scenes, copy it again")
    sizes = {path: image_size(path) for split in PRIVATE_SPLITS for path in listed[split]}
    first = next(iter(sizes.values()))
    odd = [path for path, size in sizes.items() if size != first]
    if odd and strict:
        raise ZooError(f"{odd[0]} is {sizes[odd[0]]}, others are {first}: copy '{name}' again")
    return ObjectImages(name, counts, sum(height * width for height, width in sizes.values()))


def _check_names(paths: Sequence[Path], split: str) -> None:
    """Raise unless images are called 000_<light>, 001_<light> and so on."""
    for number, path in enumerate(paths):
        wanted = f"{number:03d}_{_LIGHTS[split]}"
        if path.stem != wanted:
            why = "numbers begin with 000" if number == 0 else "names must be without gaps"
            raise ZooError(f"{path} should be called {wanted}: {why}, as the server wants them")
