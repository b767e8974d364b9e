"""The view of a data set that a sealed process works on, and the digests of what it read."""

from __future__ import annotations

import importlib.util
import os
import shutil
import site
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from zoo.data.layout import samples
from zoo.data.splits import FIT_SPLITS
from zoo.utils.paths import file_sha256

_PSEUDO = ("/proc", "/sys", "/dev")
_WEIGHTS = {".pth", ".pt", ".bin", ".ckpt", ".safetensors", ".npz"}


@contextmanager
def view(root: Path, object_name: str, beside: Path) -> Iterator[Path]:
    """Give a folder in `beside`, whose `data` has train and validation of an object of `root`.

    Files are linked where the file system lets us (a hard link has no way back to the folder that
    it came from, a symbolic one would), and copied elsewhere.

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


def digests_of(
    files: Iterable[str], data: Path, own: Iterable[Path], packages: Iterable[Path]
) -> dict[str, dict[str, str]]:
    """Return the SHA-256 of files that were read; Python and installed libraries are left out.

    Args:
        files: Real paths.
        data: The view of the data set.
        own: Folders of what the process wrote itself, such as its cache; they are left out.
        packages: Folders or files of the code that makes the numbers: zoo and the method's.

    Returns:
        {"data": {path below the view: digest}, "code": {path beside its package: digest},
        "weights": {path: digest}, "other": {path: digest}}.
    """
    kinds: dict[str, dict[str, str]] = {name: {} for name in ("data", "weights", "code", "other")}
    data, own = data.resolve(), [path.resolve() for path in own]
    libraries = [*_PSEUDO, *sysconfig.get_paths().values(), *site.getsitepackages()]
    left_out = [*own, *(Path(os.path.realpath(path)) for path in libraries)]
    for path in sorted({_source(Path(text)) for text in files}):
        if not path.is_file():
            continue
        package = next((home for home in packages if path.is_relative_to(home)), None)
        if path.is_relative_to(data):
            kinds["data"][path.relative_to(data).as_posix()] = file_sha256(path)
        elif package:
            kinds["code"][path.relative_to(package.parent).as_posix()] = file_sha256(path)
        elif path.suffix in _WEIGHTS and not any(path.is_relative_to(folder) for folder in own):
            kinds["weights"][str(path)] = file_sha256(path)
        elif not any(path.is_relative_to(folder) for folder in left_out):
            kinds["other"][str(path)] = file_sha256(path)
    return kinds


def _source(path: Path) -> Path:
    """Return the source of a compiled file: bytes of the latter differ from machine to machine."""
    if path.suffix != ".pyc":
        return path
    try:
        source = Path(importlib.util.source_from_cache(str(path)))
    except ValueError:
        return path
    return source if source.is_file() else path
