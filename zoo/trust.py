"""Trust: what a recipe may name and a checkpoint may hold, checked before either is used.

Building what a recipe names is running it. The parser imports every dotted path, at `class_path`
and wherever a class, a function or a type is expected, and reads the files that a recipe names. So
recipes may name what zoo, the registered methods and the packages of `PACKAGES` define, and of
these only what models, data and training are made of: `torch.hub.load` is torch's, and runs what a
stranger wrote. Names are judged first and nothing is imported for it; then the trusted ones are
resolved, since `torch.os.system` is not torch's.

What a person types is the person's own and not checked, except for files. This is a lock on the
door, not a sandbox; `--trust` opens it for those who have looked.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from zoo.errors import ZooError, one_line
from zoo.registry import GROUP

PACKAGES = ("zoo", "anomalib", "lightning", "torch", "torchvision", "kornia", "timm")
# Where these packages keep what only computes.
_COMPUTING = ("torch.nn", "torch._C", "torch.functional", "torch.utils.data._utils.collate")
_COMPUTING += ("torchvision.ops", "torchvision.transforms", "timm.layers", "kornia.color")
_COMPUTING += ("kornia.enhance", "kornia.filters", "kornia.geometry", "kornia.morphology")
# Keys whose plain text is short for a class_path.
_SHORT_FORMS = {"model", "data", "optimizer", "lr_scheduler"}
# Endings of file names.
_FILES = {"bmp", "ckpt", "csv", "jpeg", "jpg", "json", "npy", "npz", "onnx", "png", "pt", "pth"}
_FILES |= {"safetensors", "tif", "tiff", "txt", "yaml", "yml"}
_MEND = "look at it, then add --trust"

_trusting: ContextVar[bool] = ContextVar("trusting", default=False)


@contextmanager
def trusting(yes: bool = True) -> Iterator[None]:
    """Check no recipe and no checkpoint inside the block, as `--trust` does; False changes nothing.

    Example:
        >>> with trusting():
        ...     is_trusting()
        True
    """
    token = _trusting.set(yes or _trusting.get())
    try:
        yield
    finally:
        _trusting.reset(token)


def is_trusting() -> bool:
    """Whether recipes and checkpoints are used without a check."""
    return _trusting.get()


def check_trusted(source: str | Path | Mapping[str, Any]) -> None:
    """Raise when a recipe, or a file that it names, names what recipes may not.

    Args:
        source: The recipe's path, or the recipe as plain data.

    Raises:
        ZooError: The first such name, with its place.
    """
    if is_trusting():
        return
    scan = _Scan()
    if isinstance(source, str | Path):
        scan.file(Path(source), (Path.cwd(),))
    else:
        scan.value(source, "", "recipe", (Path.cwd(),))
    _judge(scan.names)
    _read_local_files_only()


def check_words(words: Sequence[str]) -> None:
    """Check every file that a command line names; its other words are its author's own.

    Raises:
        ZooError: As `check_trusted`.
    """
    if is_trusting():
        return
    if os.environ.get("JSONARGPARSE_DEFAULT_ENV", "").lower() == "true":
        words = [*words, *os.environ.values()]  # the parser then takes options from there too
    scan, here = _Scan(), (Path.cwd(),)
    for word in words:
        # As in `--data x.yaml`, `--data=x.yaml` and `-cx.yaml`.
        for text in (word, word.partition("=")[2], word[2:] if word.startswith("-") else ""):
            for path in _files(text, here):
                scan.file(path, here)
    _judge(scan.names)
    _read_local_files_only()


def check_checkpoint(path: str | Path, allowed: Sequence[Any] = ()) -> None:
    """Raise when loading a checkpoint could run code that it holds or names.

    Lightning reads with torch's default, which TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1 turns unsafe, and
    `load_from_checkpoint` builds whatever plain text beside an `_instantiator` says.

    Args:
        path: The file; one that is missing is left to its reader.
        allowed: Types that may be in it besides anomalib's, as `checkpoint_safe_globals` has them.

    Raises:
        ZooError: The file holds more than weights and plain values, or names an instantiator.
    """
    if is_trusting() or not Path(path).is_file():
        return
    import torch
    from anomalib.utils.serialization import anomalib_safe_globals

    try:
        with anomalib_safe_globals(extra=allowed):
            # Mapped, so that what is not looked at is not read.
            held = torch.load(
                path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
            )
    except Exception as error:  # a foreign file may fail in any way
        named = re.search(r"GLOBAL (\S+)", str(error))
        reason = f"it calls for {named[1]}" if named else one_line(error, 40)
        raise ZooError(
            f"checkpoint {path} holds more than weights and plain values ({reason}); "
            "no code of it was run: use another file"
        ) from error
    parts = held.values() if isinstance(held, Mapping) else ()
    for part in parts:
        if isinstance(part, Mapping) and "_instantiator" in part:
            raise ZooError(
                f"checkpoint {path} says how to build its model ({part['_instantiator']!r}), "
                f"which can run anything: {_MEND}"
            )


@dataclass(frozen=True)
class _Name:
    """A dotted name in a recipe, with the folders its module may lie in."""

    name: str
    key: str
    source: str
    folders: tuple[Path, ...]

    @property
    def top(self) -> str:
        return self.name.partition(".")[0]

    @property
    def is_class_path(self) -> bool:
        """Whether the parser takes it for a class, whatever it is."""
        short = self.key in _SHORT_FORMS or self.key.partition(".")[2] in _SHORT_FORMS
        return self.key.rpartition(".")[2] == "class_path" or (short and not self.is_file_name)

    @property
    def is_file_name(self) -> bool:
        return self.name.rpartition(".")[2].lower() in _FILES

    def refuse(self, why: str) -> ZooError:
        return ZooError(f"{self.source}: {self.key!r} names '{self.name}'{why}: {_MEND}")


class _Scan:
    """Collects the dotted names of recipes, of files they name, and of YAML inside their texts."""

    def __init__(self) -> None:
        self.names: list[_Name] = []
        self._read: set[tuple[Path, tuple[Path, ...]]] = set()
        # Kept by reference: YAML may hold itself, and ids are only unique among the living.
        self._walked: dict[int, Any] = {}

    def file(self, path: Path, folders: tuple[Path, ...]) -> None:
        """Collect from a file; one that the parser cannot read either is left to it."""
        path = path.absolute()
        folders = tuple(dict.fromkeys((*folders, path.parent)))
        if (path, folders) in self._read:
            return
        self._read.add((path, folders))
        try:
            with path.open() as lines:  # in the encoding of the parser; binary files end early
                text = "".join(lines)
        except (OSError, UnicodeDecodeError):
            return
        source = f"recipe {_shown(path)}"
        self._yaml(text, "", source, folders)
        for number, line in enumerate(text.splitlines(), start=1):
            self._name(line, f"line {number}", source, folders)  # lists may be plain lines

    def value(self, value: Any, key: str, source: str, folders: tuple[Path, ...]) -> None:
        """Collect from plain data."""
        if isinstance(value, str):
            self._text(value, key, source, folders)
        elif isinstance(value, Mapping | list | tuple | set) and id(value) not in self._walked:
            self._walked[id(value)] = value
            if isinstance(value, Mapping):
                inner = [(f"{key}.{name}" if key else str(name), value[name]) for name in value]
            else:
                inner = [(f"{key}[{index}]", item) for index, item in enumerate(value)]
            for name, item in inner:
                self.value(item, name, source, folders)

    def _text(self, text: str, key: str, source: str, folders: tuple[Path, ...]) -> None:
        self._name(text, key, source, folders)
        for path in _files(text, folders):
            self.file(path, folders)
        if not re.fullmatch(r"[\w./\\-]*", text):
            self._yaml(text, key, source, folders)

    def _name(self, text: str, key: str, source: str, folders: tuple[Path, ...]) -> None:
        name = text.strip()
        if "." in name and all(part.isidentifier() for part in name.split(".")):
            self.names.append(_Name(name, key, source, folders))

    def _yaml(self, text: str, key: str, source: str, folders: tuple[Path, ...]) -> None:
        """Collect from YAML as the parser reads it; text that is none is not read as such."""
        from jsonargparse._loaders_dumpers import yaml_load
        from yaml import YAMLError

        try:
            data = yaml_load(text)
        except (YAMLError, ValueError):
            return
        if not isinstance(data, str):
            self.value(data, key, source, folders)


def _judge(names: Sequence[_Name]) -> None:
    """Raise for the first name that is not trusted; nothing is imported before all are known."""
    trusted = []
    for name in names:
        if name.top in PACKAGES or name.is_class_path or _is_code(name):
            if not _is_trusted(name.top):
                raise name.refuse(
                    f" of package '{name.top}', which is neither registered nor one of "
                    f"{', '.join(PACKAGES)}"
                )
            trusted.append(name)
    for name in trusted:
        if problem := _problem(name):
            raise name.refuse(problem)


def _is_trusted(package: str) -> bool:
    return package in PACKAGES or package in _registered(tuple(sys.path))


@cache  # reading all entry points takes some 20 ms
def _registered(path: tuple[str, ...]) -> set[str]:
    """Return the packages of the registered methods; their names are read, nothing is imported."""
    return {re.split(r"[.:\s]", entry.value.strip())[0] for entry in entry_points(group=GROUP)}


def _is_code(name: _Name) -> bool:
    """Whether importing the name would run a file; it is looked up without being imported."""
    top, *rest = name.name.split(".")
    # Relative entries mean the folder that the parser stands in: that of the file it reads.
    entries = [entry for entry in sys.path if not Path(entry).is_absolute()]
    beside = [str(folder / entry) for entry in entries for folder in name.folders]
    try:
        specs = [importlib.util.find_spec(top), PathFinder.find_spec(top, beside)]
    except (ImportError, ValueError):  # such as __main__
        return True
    if name.is_file_name:  # `test.png`: Python has a package of that name, and nothing else has
        specs = [spec for spec in specs if not _is_pythons_own(spec)]
    return any(_runs(spec, rest) for spec in specs)


def _runs(spec: ModuleSpec | None, rest: Sequence[str]) -> bool:
    """Whether a package or something below it has code; a mere folder of that name has none."""
    for part in rest:
        if _is_namespace(spec):
            spec = PathFinder.find_spec(part, list(spec.submodule_search_locations))
    return spec is not None and not _is_namespace(spec)


def _is_pythons_own(spec: ModuleSpec | None) -> bool:
    folder = Path(os.__file__).parent
    return bool(spec and spec.origin) and (
        not spec.has_location or Path(spec.origin).parent in (folder, folder / spec.name)
    )


def _is_namespace(spec: ModuleSpec | None) -> bool:
    return spec is not None and spec.origin is None and bool(spec.submodule_search_locations)


def _problem(name: _Name) -> str:
    """Return what speaks against a name of a trusted package once it is resolved, or nothing."""
    from jsonargparse._util import import_object

    try:
        found = import_object(name.name)
    except (Exception, SystemExit):  # the parser meets the same and says it better
        return ""
    is_module = isinstance(found, ModuleType)
    if not is_module and not callable(found):
        return ""
    module = found.__name__ if is_module else str(getattr(found, "__module__", None))
    top = module.partition(".")[0]
    if not _is_trusted(top):
        return f", which really belongs to '{module}'"
    # A registered method may use whatever its author wrote.
    if is_module or top not in PACKAGES or _is_part(found, module, name.is_class_path):
        return ""
    return ", which is no part of a model, its data or its training"


def _is_part(found: Callable, module: str, is_class_path: bool) -> bool:
    computes = module == "torch" or module.startswith(_COMPUTING)
    if isinstance(found, type):
        return computes or issubclass(found, _parts())
    # At class_path a function would be called with arguments of the recipe's choice.
    return computes and not is_class_path


@cache
def _parts() -> tuple[type, ...]:
    """Return what recipes are made of; command lines, processes and loaders of code are not."""
    from enum import Enum

    from anomalib.loggers.base import ImageLoggerBase
    from lightning.fabric.loggers import Logger
    from lightning.fabric.plugins import ClusterEnvironment
    from lightning.pytorch import Callback, LightningDataModule
    from lightning.pytorch.accelerators import Accelerator
    from lightning.pytorch.plugins import CheckpointIO, LayerSync, Precision
    from lightning.pytorch.profilers import Profiler
    from lightning.pytorch.strategies import Strategy
    from torch import Tensor, nn
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler
    from torch.utils.data import DataLoader, Dataset, Sampler

    from zoo.post.rules import Rule

    learning = (nn.Module, Tensor, Optimizer, LRScheduler, Dataset, DataLoader, Sampler, Rule)
    training = (Callback, LightningDataModule, Logger, ImageLoggerBase, Profiler, Strategy)
    plugins = (Accelerator, Precision, CheckpointIO, LayerSync, ClusterEnvironment)
    return (*learning, *training, *plugins, Enum)


def _read_local_files_only() -> None:
    """Let the parser read no configurations from the network: those cannot be looked at first."""
    import lightning.pytorch.cli  # noqa: F401 - importing it is what switches the network on

    try:
        from jsonargparse import set_parsing_settings

        set_parsing_settings(config_read_mode_fsspec_enabled=False)
    except (ImportError, TypeError):  # an older jsonargparse
        from jsonargparse import set_config_read_mode

        set_config_read_mode(fsspec_enabled=False)


def _files(text: str, folders: Sequence[Path]) -> Iterator[Path]:
    """Yield the files that the parser could mean by a text."""
    text = re.sub(r"^file:///?", "" if os.name == "nt" else "/", text)
    for folder in folders if text else ():
        try:
            path = folder / Path(text).expanduser()
            if path.is_file():
                yield path
        except (OSError, ValueError, RuntimeError):  # a text that cannot be a path
            continue


def _shown(path: Path) -> Path:
    """Return a path as people would type it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
