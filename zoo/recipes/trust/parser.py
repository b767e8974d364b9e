"""A parser that reads every text by our reader and imports nothing but what recipes may name.

jsonargparse reads texts and files, and imports names, through four functions: while one of our
parsers works they are ours, and else its own.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import jsonargparse
import yaml
from anomalib.data import AnomalibDataModule
from jsonargparse import ArgumentParser, set_parsing_settings
from jsonargparse import _loaders_dumpers as loading
from jsonargparse._util import get_import_path

from zoo.recipes.numbers import check_numbers
from zoo.recipes.trust.allowed import Refused, is_known, resolve
from zoo.recipes.trust.checks import check_recipe, is_trusting
from zoo.utils.errors import ZooError
from zoo.utils.plain_yaml import FLAGS, dump_yaml, parse_yaml, read_text

_ENTRANCES = ["parse_args", "parse_object", "parse_string", "parse_path", "parse_env", "validate"]
_ENTRANCES += ["get_defaults", "instantiate_classes", "dump", "save"]
# Options whose values come from elsewhere: a folder of somebody's data may be called os.system.
_NO_CLASS = {"c", "config", "root", "category", "name", "ckpt_path", "default_root_dir"}
# The names that a person typed, while one of our parsers works.
_typed: ContextVar[frozenset[str] | None] = ContextVar("typed", default=None)


class Parser(ArgumentParser):
    """jsonargparse's parser behind our switch; the parsers that it makes are of this class too.

    Attributes:
        typed: Names that a person typed and that are therefore imported, whatever they are.
    """

    typed: frozenset[str] = frozenset()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.add_instantiator(_data_as_it_lies, AnomalibDataModule)  # type: ignore[arg-type,type-abstract]

    def find(self, name: str) -> Any:
        """Return what a recipe, or the person who typed, means by a dotted name."""
        with _at_work(self.typed):
            return import_named(name)


def names_in(words: Sequence[str]) -> frozenset[str]:
    """Return the names among the values of a command line, and in the YAML of these.

    Example:
        >>> sorted(names_in(["--model", "mine.Method", "--data={class_path: mine.Data}"]))
        ['mine.Data', 'mine.Method']
    """
    found: set[str] = set()
    option = ""
    for word in words:
        option, _, value = word.partition("=") if word.startswith("-") else (option, "", word)
        if option.lstrip("-").rpartition(".")[2] in _NO_CLASS:
            continue
        try:
            found.update(_names(parse_yaml(value, "the command line")))
        except ZooError:
            continue
    return frozenset(found)


def _names(data: Any) -> Iterator[str]:
    if isinstance(data, dict | list):
        for item in data.values() if isinstance(data, dict) else data:
            yield from _names(item)
    elif isinstance(data, str) and all(part.isidentifier() for part in data.split(".")):
        yield data


def _data_as_it_lies(kind: type, *args: Any, **kwargs: Any) -> AnomalibDataModule:
    """Build a datamodule that neither fetches nor rearranges what a recipe points to."""
    made = kind(*args, **kwargs)
    typed = _typed.get() or frozenset()
    is_stock = kind.__module__.partition(".")[0] == "anomalib"
    if is_stock and not is_trusting() and not typed & {kind.__name__, get_import_path(kind)}:
        made.prepare_data = _nothing
    return made


def _nothing() -> None:
    """Stand for anomalib's `prepare_data`; a function with a name, so that it can be pickled."""


@contextmanager
def _at_work(typed: frozenset[str]) -> Iterator[None]:
    token = _typed.set(typed | (_typed.get() or frozenset()))
    try:
        yield
    finally:
        _typed.reset(token)


def _guarded(method: Callable) -> Callable:
    @functools.wraps(method)
    def guarded(self: Parser, *args: Any, **kwargs: Any) -> Any:
        with _at_work(self.typed):
            return method(self, *args, **kwargs)

    return guarded


def _switched(original: Callable, ours: Callable) -> Callable:
    @functools.wraps(original)
    def switched(*args: Any, **kwargs: Any) -> Any:
        return (original if _typed.get() is None else ours)(*args, **kwargs)

    return switched


def import_named(name: Any) -> Any:
    """Return what a recipe may name, or what a person typed.

    Raises:
        Refused: It is neither.
        AttributeError, ImportError, ValueError: There is no such name.
    """
    if not isinstance(name, str) or "." not in name:
        raise ValueError(f"Expected a dot import path string: {name}")
    typed = _typed.get() or frozenset()
    if is_trusting() or name in typed:
        return _import_anything(name)
    try:
        return resolve(name, {each.partition(".")[0] for each in typed if "." in each})
    except Refused:
        module, _, short = name.rpartition(".")
        if short in typed and is_known(name) and module in sys.modules:
            return _import_anything(name)  # typed by its short name
        raise


def _load(text: str) -> Any:
    """Return what a text of a file or of the command line says."""
    try:
        return parse_yaml(text, "the value")
    except ZooError as error:
        raise yaml.YAMLError(str(error)) from None


def _load_leaf(text: str) -> Any:
    """Return what a text says where a number or a flag is expected."""
    return FLAGS[text] if text in FLAGS else _load(text)


def _content(path: jsonargparse.Path, mode: str = "r") -> str:
    """Return the text of a file whose data recipes may hold."""
    if path.is_url or path.is_fsspec:
        raise ZooError(f"{path} is an address: fetch it yourself and name the file")
    text = _read_anything(path, mode) if str(path) == "-" else read_text(path.absolute)
    data = parse_yaml(text, path)
    check_recipe(data, path)
    check_numbers(data, path)
    return text


def _install() -> None:
    """Put the switch before jsonargparse's functions, wherever it keeps them."""
    for entrance in _ENTRANCES:
        setattr(Parser, entrance, _guarded(getattr(ArgumentParser, entrance)))
    ours = {_import_anything: import_named, loading.json_or_yaml_load: _load_leaf}
    ours |= {loading.yaml_load: _load}
    for original, own in ours.items():
        switched = _switched(original, own)
        for name, module in list(sys.modules.items()):
            is_its = name.partition(".")[0] == "jsonargparse"
            if is_its and vars(module).get(original.__name__) is original:
                setattr(module, original.__name__, switched)
    jsonargparse.set_loader("yaml", loading.yaml_load, (yaml.YAMLError,))
    jsonargparse.set_dumper("yaml", _switched(loading.dumpers["yaml"], dump_yaml))
    jsonargparse.Path.get_content = _switched(_read_anything, _content)  # type: ignore[method-assign]
    import lightning.pytorch.cli  # noqa: F401 - importing it is what switches the network on

    set_parsing_settings(config_read_mode_fsspec_enabled=False)


_import_anything = jsonargparse._util.import_object
_read_anything = jsonargparse.Path.get_content
_install()
