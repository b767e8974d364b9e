"""Which dotted names a recipe may use: parts of models, data and training of trusted packages."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from zoo.errors import ZooError
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
MEND = "look at it, then add --trust"


@dataclass(frozen=True)
class Name:
    """A dotted name in a recipe, with the folders its module may lie in."""

    name: str
    key: str
    source: str
    folders: tuple[Path, ...]

    @property
    def top(self) -> str:
        """The package that it begins with."""
        return self.name.partition(".")[0]

    @property
    def is_class_path(self) -> bool:
        """Whether the parser takes it for a class, whatever it is."""
        short = self.key in _SHORT_FORMS or self.key.partition(".")[2] in _SHORT_FORMS
        return self.key.rpartition(".")[2] == "class_path" or (short and not self.is_file_name)

    @property
    def is_file_name(self) -> bool:
        """Whether it could as well be the name of a file."""
        return self.name.rpartition(".")[2].lower() in _FILES

    def refuse(self, why: str) -> ZooError:
        """Return the error that says where it stands and what to do."""
        return ZooError(f"{self.source}: {self.key!r} names '{self.name}'{why}: {MEND}")


def judge(names: Sequence[Name]) -> None:
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


def _is_code(name: Name) -> bool:
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


def _problem(name: Name) -> str:
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
