"""What a recipe may name: classes of the modules listed here, and parts of registered methods.

The lists hold nothing that runs code, takes functions by name, writes files where a recipe wants,
or fetches anything.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection
from dataclasses import dataclass, is_dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import resolve_name
from typing import Any

from zoo.methods.registry import GROUP

REPAIR = "look at it, then add --trust"


class Refused(ValueError):
    """A name that a recipe may not use; the text says which and why, in one line."""


@dataclass(frozen=True)
class _Public:
    """The classes of a module that derive from `base`, or of these the ones `named`."""

    base: str
    named: str = ""
    without: str = ""


_MODULE = "torch.nn.Module"
_PUBLIC = {
    "anomalib.callbacks": _Public("lightning.pytorch.Callback", named="TimerCallback"),
    "anomalib.data": _Public("anomalib.data.AnomalibDataModule"),
    "anomalib.data.transforms": _Public(_MODULE),
    "anomalib.metrics": _Public(_MODULE),
    "anomalib.models": _Public(
        "anomalib.models.AnomalibModule",
        # These fetch images or networks into folders, call a server, or run code of a hub.
        without="AiVad AnomalyVFM CFM Draem Dsr EfficientAd Fuvas Glass VlmAd WinClip",
    ),
    "anomalib.post_processing": _Public(_MODULE),
    "anomalib.pre_processing": _Public(_MODULE),
    "anomalib.visualization": _Public("lightning.pytorch.Callback"),
    "kornia.augmentation": _Public(_MODULE),
    "lightning.pytorch.callbacks": _Public(
        "lightning.pytorch.Callback",
        named="DeviceStatsMonitor EarlyStopping EMAWeightAveraging GradientAccumulationScheduler "
        "LearningRateMonitor ModelSummary RichModelSummary RichProgressBar Timer TQDMProgressBar",
    ),
    "torch": _Public("torch.dtype"),
    "torch.nn": _Public(
        _MODULE,
        without="DataParallel Transformer TransformerDecoderLayer TransformerEncoderLayer "
        "TripletMarginWithDistanceLoss",
    ),
    "torch.optim": _Public("torch.optim.Optimizer"),
    "torch.optim.lr_scheduler": _Public(
        "torch.optim.lr_scheduler.LRScheduler", without="CyclicLR LambdaLR MultiplicativeLR"
    ),
    "torchvision.transforms.v2": _Public(_MODULE, without="Lambda"),
    "zoo.data.tiling.recipe": _Public("builtins.object", named="Tiling"),
    "zoo.methods.guided_filter": _Public("builtins.object", named="GuidedFilter"),
}
# Modules of the zoo that hold parts of recipes.
_OURS = {
    "zoo.data",
    "zoo.data.transforms",
    "zoo.data.relight",
    "zoo.data.resize",
    "zoo.data.tiling.pre_processor",
    "zoo.methods",
    "zoo.methods.evaluator",
    "zoo.methods.visualizer",
    "zoo.postprocess",
    "zoo.postprocess.rules",
}
# What recipes are made of, where the zoo or a method defines it.
_PARTS: tuple[str, ...] = ("anomalib.data.AnomalibDataModule", "anomalib.visualization.Visualizer")
_PARTS += ("anomalib.metrics.Evaluator", "anomalib.post_processing.PostProcessor")
_PARTS += ("anomalib.pre_processing.PreProcessor", "torchvision.transforms.v2.Transform")
_PARTS += ("zoo.postprocess.rules.Rule",)
_METHODS_PARTS: tuple[str, ...] = (_MODULE, "lightning.pytorch.Callback", "torch.optim.Optimizer")
_METHODS_PARTS += ("torch.optim.lr_scheduler.LRScheduler", "torch.utils.data.Dataset")


def resolve(name: str, packages: Collection[str] = ()) -> Any:
    """Return what a name in a recipe stands for.

    Args:
        name: A dotted name.
        packages: Whose parts may be named besides those of registered methods.

    Raises:
        Refused: It is none that a recipe may use.
        AttributeError: Its package is known and has no such name.
    """
    module_name, _, attribute = name.rpartition(".")
    own = {*registered(), *packages}
    top = module_name.partition(".")[0]
    if top not in packages and not is_known(name):
        raise Refused(
            f"'{name}' of package '{top}', which is neither registered nor one of "
            f"{', '.join(sorted(_TOPS))}: {REPAIR}"
        )
    is_listed = module_name in _PUBLIC or module_name in _OURS
    module = import_module(module_name) if is_listed else sys.modules.get(module_name)
    if top == "zoo" or top in own:
        found = getattr(module, attribute, None)
    else:  # a module of others may import whatever it is asked for
        found = vars(module).get(attribute) if module else None
    if found is None:
        raise AttributeError(f"there is no '{name}'")
    if id(found) not in _listed() and not _is_part(found, own):
        raise Refused(f"'{name}', which is none of the parts that a recipe may name: {REPAIR}")
    return found


def is_known(name: str) -> bool:
    """Whether a name begins with a package that recipes may use at all."""
    top = name.partition(".")[0]
    return top in _TOPS or top in registered()


def registered() -> frozenset[str]:
    """Return the packages of registered methods and rules, by name; nothing is imported."""
    return _registered(tuple(sys.path))


@cache  # reading all entry points takes some 20 ms
def _registered(path: tuple[str, ...]) -> frozenset[str]:
    from zoo.postprocess.rules.text import RULES  # imports numpy

    entries = [*entry_points(group=GROUP), *entry_points(group=RULES)]
    return frozenset(re.split(r"[.:\s]", entry.value.strip())[0] for entry in entries)


@cache
def _listed() -> dict[int, Any]:
    """Return the classes of the list, and the types of numbers that torch has, by identity."""
    found = {}
    for module, public in _PUBLIC.items():
        base, named = resolve_name(public.base), public.named.split()
        for name, value in vars(import_module(module)).items():
            is_class = isinstance(value, type) and issubclass(value, base)
            fits = isinstance(value, base) if module == "torch" else is_class
            if fits and name not in public.without.split() and (not named or name in named):
                found[id(value)] = value
    return found


def _is_part(found: Any, own: Collection[str]) -> bool:
    """Whether it is a part of a method, defined in one of these packages, or of the zoo."""
    if not isinstance(found, type):
        return False
    top = found.__module__.partition(".")[0]
    if top == "zoo":
        return issubclass(found, _bases(_PARTS))
    is_known = issubclass(found, _bases(_PARTS + _METHODS_PARTS)) or is_dataclass(found)
    return top in own and is_known


@cache
def _bases(names: tuple[str, ...]) -> tuple[type, ...]:
    return tuple(map(resolve_name, names))


_TOPS = {"zoo", *(module.partition(".")[0] for module in _PUBLIC)}
