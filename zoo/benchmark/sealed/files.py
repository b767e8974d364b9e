"""The files of a sealed process: its view of the data, what else it may read, what it did read."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import sys
import sysconfig
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from zoo.benchmark.sealed.hidden import named_paths
from zoo.data.layout import samples
from zoo.data.splits import FIT_SPLITS
from zoo.methods.registry import methods
from zoo.recipes.files import recipes_folder
from zoo.utils.paths import file_sha256

_SYSTEM = ("/usr", "/lib", "/lib64", "/lib32", "/bin", "/etc", "/proc", "/sys", "/dev", "/opt")
_MORE_SYSTEM = ("/System", "/Library", os.environ.get("SYSTEMROOT", ""))
_SITE = ("site-packages", "dist-packages")
_PSEUDO = (("proc",), ("sys",), ("dev",))
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


def readable(
    config: dict[str, Any], recipe: Path, sources: Sequence[str], own: Sequence[Path]
) -> list[Path]:
    """Return the paths that a sealed process may read, with all that lies below.

    Args:
        config: The recipe's full configuration, whose model may name files and folders.
        recipe: The recipe's file.
        sources: Packages of the recipe's code, besides zoo and the registered methods.
        own: Folders of the process itself: its view of the data, and where it writes.
    """
    system = [Path(path) for path in (*_SYSTEM, *_MORE_SYSTEM) if path]
    named = [path for _, path in named_paths(config.get("model"), "model")]
    paths = [*own, recipe, *system, *_code(sources), *weight_folders(), *named]
    return sorted({Path(os.path.realpath(path)) for path in paths if path.exists()})


def weight_folders() -> list[Path]:
    """Return where torch and the model hub keep the weights that they fetched."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    hub = Path(os.environ.get("HF_HOME", cache / "huggingface"))
    return [hub, Path(os.environ.get("TORCH_HOME", cache / "torch"))]


def sorted_reads(
    reads: Iterable[str], data: Path, own: Sequence[Path], sources: Iterable[str]
) -> dict[str, Any]:
    """Return what was read, with the SHA-256 of every file.

    Args:
        reads: Paths.
        data: The view of the data set.
        own: Folders of what the process wrote itself, such as its cache; they are left out.
        sources: Imported packages whose files are listed one by one: zoo and the method's.

    Returns:
        `data` and `code` {name: digest}, `weights` {path: digest}, `libraries` {package: number of
        files and one digest over all}, `other` {path: digest}.
    """
    kinds: dict[str, Any] = {name: {} for name in ("data", "weights", "code", "other")}
    libraries: dict[str, dict[str, str]] = defaultdict(dict)
    data, own = data.resolve(), [path.resolve() for path in own]
    homes = {name: _home(name) for name in sources}
    for path in sorted({_source(Path(text)) for text in reads}):
        digest = _digest(path)
        if digest is None:  # a device, a pseudo file, or one that was looked for in vain
            continue
        code = next((name for name, home in homes.items() if path.is_relative_to(home)), None)
        if path.is_relative_to(data):
            kinds["data"][path.relative_to(data).as_posix()] = digest
        elif any(path.is_relative_to(folder) for folder in own):
            continue
        elif path.suffix in _WEIGHTS:
            kinds["weights"][str(path)] = digest
        elif code:
            kinds["code"][path.relative_to(homes[code].parent).as_posix()] = digest
        elif package := _library(path):
            libraries[package][str(path).rpartition(package)[2]] = digest
        else:
            kinds["other"][str(path)] = digest
    return kinds | {"libraries": {name: _together(files) for name, files in libraries.items()}}


def _code(sources: Sequence[str]) -> Iterator[Path]:
    """Yield the folders of interpreter and libraries, and the packages of zoo and of methods.

    Of a source folder on the path only packages are taken: data sets may lie beside them.
    """
    paths = sysconfig.get_paths()
    yield from (Path(paths[name]) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    yield from (Path(sys.base_prefix) / "lib", Path(sys.prefix) / "pyvenv.cfg")
    yield from (Path(sys.executable), recipes_folder())
    tops = {method.target.split(".")[0].split(":")[0] for method in methods().values()}
    for entry in map(Path, filter(None, sys.path)):
        if entry.name in _SITE or entry.is_file():  # or a zip
            yield entry
        elif entry.is_dir():
            yield from entry.glob("*.dist-info")
            for top in {"zoo", *sources, *tops}:
                yield from (entry / top, entry / f"{top}.py", entry / f"{top}.card.yaml")


def _home(name: str) -> Path:
    """Return the folder of an imported package, or the file of a module."""
    file = Path(os.path.realpath(str(sys.modules[name].__file__)))
    return file.parent if file.name == "__init__.py" else file


def _together(files: dict[str, str]) -> dict[str, Any]:
    text = "".join(f"{name} {digest}\n" for name, digest in sorted(files.items()))
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    return {"files": len(files), "sha256": digest}


def _source(path: Path) -> Path:
    """Return the source of a compiled file: bytes of the latter differ from machine to machine."""
    if path.suffix != ".pyc":
        return path
    try:
        source = Path(importlib.util.source_from_cache(str(path)))
    except ValueError:
        return path
    return source if source.is_file() else path


def _digest(path: Path) -> str | None:
    """Return the SHA-256 of a file; of the kernel's pseudo files there is none that lasts."""
    try:
        return None if path.parts[1:2] in _PSEUDO or not path.is_file() else file_sha256(path)
    except OSError:
        return None


def _library(path: Path) -> str | None:
    """Return the library that a file belongs to: a folder of site-packages, or `python`."""
    for name in _SITE:
        if name in path.parts:
            return path.parts[path.parts.index(name) + 1].removesuffix(".py")
    homes = (sysconfig.get_paths()["stdlib"], str(Path(sys.base_prefix) / "lib"))
    return "python" if any(path.is_relative_to(os.path.realpath(home)) for home in homes) else None
