"""A recipe's language: the sections and options that a parser knows, and how one is built."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, TypedDict

from anomalib import __version__ as anomalib_version
from anomalib.data import AnomalibDataModule
from anomalib.models import AnomalibModule
from jsonargparse import ArgumentError, Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.cli import LRSchedulerTypeTuple
from torch.optim import Optimizer

# Imported so that recipes and options may name their classes without a path.
import zoo.data.datamodule
import zoo.data.folders
import zoo.methods.post_processor
import zoo.methods.weights  # noqa: F401 - and this registers the embedded backbone with timm
from zoo import __version__
from zoo.data.tiling.recipe import Tiling
from zoo.methods.guided_filter import GuidedFilter
from zoo.methods.registry import load_all
from zoo.recipes.numbers import check_numbers
from zoo.recipes.parse_errors import readable
from zoo.recipes.trust.allowed import Refused
from zoo.recipes.trust.parser import Parser
from zoo.utils.errors import ZooError

DEFAULT_SEED = 0
_reported: set[str] = set()  # methods that could not be imported are named once


class Section(TypedDict, total=False):
    """A class and its arguments, as plain data."""

    class_path: str
    init_args: dict[str, Any]


def parse(config: Mapping[str, Any], typed: frozenset[str] = frozenset()) -> Namespace:
    """Return plain data as settings that are checked and complete; nothing is built.

    Raises:
        ZooError: A key or a value is not valid.
    """
    parser = experiment_parser(typed)
    with readable_errors(parser):
        settings = parser.parse_object(dict(config))
    check_numbers(settings.as_dict())
    return settings


def experiment_parser(typed: frozenset[str] = frozenset()) -> Parser:
    """Return the parser of a recipe's language: model, data, trainer, tiling, seed, optimizer."""
    import_methods()
    return _parser(typed)


@cache
def _parser(typed: frozenset[str]) -> Parser:
    parser = Parser(exit_on_error=False, dump_header=dump_header())
    parser.typed = typed
    add_settings(parser)
    return parser


def dump_header() -> list[str]:
    """Return the first lines of every configuration that is written."""
    return [f"anomalib-zoo=={__version__}", f"anomalib=={anomalib_version}"]


def add_settings(parser: Parser) -> None:
    """Declare the sections of a recipe, as anomalib's `train` has them, and our own."""
    parser.add_argument(
        "--seed_everything",
        type=bool | int,
        default=DEFAULT_SEED,
        help="Seed of all generators; true draws one. The applied value is written down.",
    )
    parser.add_argument(
        "--tiling",
        type=Tiling | None,
        default=None,
        help="Windows of native images that the network sees one by one, such as window: 1024.",
    )
    parser.add_argument(
        "--guided_filter",
        type=GuidedFilter | None,
        default=None,
        help="Let score maps follow the edges of images, such as radius: 0.04.",
    )
    by_itself: dict[str, Any] = {"instantiate": False, "fail_untyped": False}
    parser.add_class_arguments(Trainer, "trainer", sub_configs=True, **by_itself)
    parser.add_subclass_arguments((Optimizer,), "optimizer", skip={"params"}, **by_itself)
    parser.add_subclass_arguments(
        LRSchedulerTypeTuple, "lr_scheduler", skip={"optimizer"}, **by_itself
    )
    parser.add_subclass_arguments(AnomalibModule, "model", fail_untyped=False, required=True)
    parser.add_subclass_arguments(AnomalibDataModule, "data")
    parser.add_argument("--ckpt_path", type=str | None, default=None, help="Go on from this one.")


def build_section(
    base: type, key: str, section: Section, typed: frozenset[str] = frozenset()
) -> Any:
    """Return what one section of a configuration describes.

    Args:
        base: The class that it must be derived from.
        key: Name of the section.
        section: Its class and arguments.
        typed: Names of classes that a person typed.

    Raises:
        ZooError: The class is not there, or is something else.
    """
    path = str(section.get("class_path"))
    parser = Parser(exit_on_error=False)
    parser.typed = typed
    try:
        found = parser.find(path)
    except Refused as error:
        raise ZooError(f"it names {error}") from None
    except (ImportError, AttributeError, ValueError):
        raise ZooError(f"there is no '{path}': it was renamed, or its package is missing") from None
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ZooError(f"'{path}' is no {base.__name__}")
    parser.add_subclass_arguments(base, key, fail_untyped=False)
    return parser.instantiate_classes(parser.parse_object({key: section}))[key]


@contextmanager
def readable_errors(parser: Parser) -> Iterator[None]:
    """Turn whatever a parser raises into one line."""
    try:
        yield
    except (ArgumentError, TypeError, ValueError) as error:
        raise ZooError(readable(error, parser)) from error


def import_methods() -> None:
    """Import all registered methods, so that short class names resolve; name those that fail."""
    _, failed = load_all()
    for name, reason in failed:
        if name not in _reported:
            _reported.add(name)
            print(f"zoo: method '{name}' is left out: {reason}", file=sys.stderr)
