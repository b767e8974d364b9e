"""The files that a sealed process read, hashed and put in order: data, weights, code, the rest."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from zoo.utils.paths import file_sha256

_WEIGHTS = {".pth", ".pt", ".bin", ".ckpt", ".safetensors", ".npz"}
_SITE = ("site-packages", "dist-packages")
_PSEUDO = (("proc",), ("sys",), ("dev",))


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
    found: dict[str, Any] = {name: {} for name in ("data", "weights", "code", "other")}
    libraries: dict[str, dict[str, str]] = {}
    data, own = data.resolve(), [path.resolve() for path in own]
    homes = {name: _home(name) for name in sources}
    for path in sorted({_source(Path(text)) for text in reads}):
        digest = _digest(path)
        if digest is None:  # a device, a pseudo file, or one that was looked for in vain
            continue
        code = next((name for name, home in homes.items() if path.is_relative_to(home)), None)
        if path.is_relative_to(data):
            found["data"][path.relative_to(data).as_posix()] = digest
        elif any(path.is_relative_to(each) for each in own):
            continue
        elif path.suffix in _WEIGHTS:
            found["weights"][str(path)] = digest
        elif code:
            found["code"][path.relative_to(homes[code].parent).as_posix()] = digest
        elif package := _library(path):
            libraries.setdefault(package, {})[str(path).rpartition(package)[2]] = digest
        else:
            found["other"][str(path)] = digest
    return found | {"libraries": {name: _together(files) for name, files in libraries.items()}}


def _home(name: str) -> Path:
    """Return the folder of an imported package, or the file of a module."""
    file = Path(os.path.realpath(sys.modules[name].__file__))
    return file.parent if file.name == "__init__.py" else file


def _together(files: dict[str, str]) -> dict[str, Any]:
    text = "".join(f"{name} {digest}\n" for name, digest in sorted(files.items()))
    return {
        "files": len(files),
        "sha256": hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest(),
    }


def _source(path: Path) -> Path:
    """Return the source of a compiled file: bytes of the latter differ from machine to machine."""
    if path.suffix == ".pyc":
        try:
            source = Path(importlib.util.source_from_cache(str(path)))
        except ValueError:
            return path
        return source if source.is_file() else path
    return path


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
    paths = (Path(sysconfig.get_paths()["stdlib"]), Path(sys.base_prefix) / "lib")
    return "python" if any(path.is_relative_to(os.path.realpath(each)) for each in paths) else None
