"""What a sealed process may read besides its view: interpreter, code, weights, system."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from zoo.benchmark.sealed.hidden import named_paths
from zoo.methods.registry import methods
from zoo.recipes.files import recipes_folder

_SYSTEM = ("/usr", "/lib", "/lib64", "/lib32", "/bin", "/etc", "/proc", "/sys", "/dev", "/opt")
_SYSTEM += ("/System", "/Library", os.environ.get("SYSTEMROOT", ""))
_WHOLE = {"site-packages", "dist-packages"}


def readable(config: dict, recipe: Path, sources: list[str], own: list[Path]) -> list[Path]:
    """Return the paths that a sealed process may read, with all that lies below.

    Args:
        config: The recipe's full configuration, whose model may name files and folders.
        recipe: The recipe's file.
        sources: Packages of the recipe's code, besides zoo and the registered methods.
        own: Folders of the process itself: its view of the data, and where it writes.
    """
    found = [*own, recipe, *map(Path, filter(None, _SYSTEM)), *_code(sources), *weight_folders()]
    found += [path for _, path in named_paths(config.get("model"), "model")]
    return sorted({Path(os.path.realpath(path)) for path in found if path.exists()})


def weight_folders() -> list[Path]:
    """Return where torch and the model hub keep the weights that they fetched."""
    home = Path.home()
    cache = Path(os.environ.get("XDG_CACHE_HOME", home / ".cache"))
    hub = Path(os.environ.get("HF_HOME", cache / "huggingface"))
    return [hub, Path(os.environ.get("TORCH_HOME", cache / "torch"))]


def _code(sources: list[str]) -> Iterator[Path]:
    """Yield the folders of interpreter and libraries, and the packages of zoo and of methods.

    Of a source folder on the path only packages are taken: data sets may lie beside them.
    """
    paths = sysconfig.get_paths()
    yield from (Path(paths[name]) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    yield from (Path(sys.base_prefix) / "lib", Path(sys.prefix) / "pyvenv.cfg")
    yield from (Path(sys.executable), recipes_folder())
    tops = {
        "zoo",
        *sources,
        *(method.target.split(".")[0].split(":")[0] for method in methods().values()),
    }
    for entry in map(Path, filter(None, sys.path)):
        if entry.name in _WHOLE or entry.is_file():  # or a zip
            yield entry
        elif entry.is_dir():
            yield from entry.glob("*.dist-info")
            for top in tops:
                yield from (entry / top, entry / f"{top}.py", entry / f"{top}.card.yaml")
