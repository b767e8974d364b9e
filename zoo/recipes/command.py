"""Anomalib's command line, with the zoo's methods known, the seed applied, and short errors."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import NoneType
from typing import Any, Literal

from anomalib import __version__ as anomalib_version
from anomalib.cli import AnomalibCLI
from anomalib.cli.utils import CustomHelpFormatter
from jsonargparse import ActionConfigFile, ArgumentError, ArgumentParser, Namespace

# Imported so that recipes and options may name their classes without a path.
import zoo.data.datamodule
import zoo.data.folders
import zoo.methods.post_processor
import zoo.methods.weights  # noqa: F401 - and this registers the embedded backbone with timm
from zoo import __version__
from zoo.data.tiling.recipe import Tiling, tiled
from zoo.methods.registry import load_all
from zoo.methods.visualizer import set_scale
from zoo.recipes.files import find_recipe
from zoo.recipes.numbers import check_numbers
from zoo.recipes.parse_errors import readable
from zoo.recipes.trust import check_checkpoint
from zoo.recipes.trust.parser import Parser, names_in
from zoo.utils.errors import ZooError
from zoo.utils.plain_yaml import parse_yaml
from zoo.utils.seeding import apply_seed

DEFAULT_SEED = 0
DEFAULT_ROOT = Path("runs")

# Arguments of data that are texts, whatever they look like.
_TEXTS = {"bad", "category", "good", "masks", "name", "root"}

_reported: set[str] = set()  # methods that could not be imported are named once


class ZooCLI(AnomalibCLI):
    """Anomalib's command line for one verb.

    Only the parser of the wanted verb is built: that saves seconds, and everything a person can do
    with one verb depends on that verb alone.

    Args:
        args: The words of the command line, the verb first.
        typed: Those of them that a person typed: what they name is imported, whatever it is.
        parse_only: Stop after parsing; `instantiate` goes on from there, and `run` ends it.

    Raises:
        ZooError: Something in the words or in a recipe is not valid.
    """

    def __init__(
        self, args: Sequence[str], parse_only: bool = False, typed: Sequence[str] = ()
    ) -> None:
        self.verb = args[0]
        self._waiting = parse_only
        self._typed = names_in(typed)
        words = _as_texts(_resolve_recipes(args))
        import_methods()
        try:
            super().__init__(args=words, run=False)
        except (ArgumentError, TypeError, ValueError) as error:
            raise ZooError(readable(error, self.subcommand_parsers.get(self.verb))) from error

    def init_parser(self, **kwargs: Any) -> Parser:
        """Build a parser that raises instead of exiting and names both versions in its dumps."""
        kwargs.setdefault("exit_on_error", False)
        versions = [f"anomalib-zoo=={__version__}", f"anomalib=={anomalib_version}"]
        kwargs.setdefault("dump_header", versions)
        parser = Parser(formatter_class=CustomHelpFormatter, **kwargs)
        parser.typed = self._typed
        parser.add_argument(
            "-c", "--config", action=ActionConfigFile, help="A recipe: its name or its file."
        )
        return parser

    def subcommands(self) -> dict[str, set[str]]:
        """Return the trainer verb that is wanted, if it is one."""
        return {k: v for k, v in AnomalibCLI.subcommands().items() if k == self.verb}

    def anomalib_subcommands(self) -> dict[str, dict[str, str]]:
        """Return the engine verb that is wanted, if it is one."""
        return {k: v for k, v in AnomalibCLI.anomalib_subcommands().items() if k == self.verb}

    @staticmethod
    def add_arguments_to_parser(parser: ArgumentParser) -> None:
        """Write results to ./runs: ./results of a checkout holds curated tables."""
        AnomalibCLI.add_arguments_to_parser(parser)
        parser.set_defaults({"default_root_dir": DEFAULT_ROOT})

    def add_train_arguments(self, parser: ArgumentParser) -> None:
        """Let a person say what stays of a run."""
        super().add_train_arguments(parser)
        parser.add_argument(
            "--keep",
            type=Literal["model", "maps", "none"],
            default="model",
            help="What the run's folder keeps: the model, all score maps besides, or neither.",
        )

    def add_predict_arguments(self, parser: ArgumentParser) -> None:
        """Let predictions go once they are written: anomalib keeps every map in memory."""
        super().add_predict_arguments(parser)
        parser.set_defaults({"return_predictions": False})

    @staticmethod
    def _add_default_arguments_to_parser(parser: ArgumentParser) -> None:
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

    @property
    def settings(self) -> Namespace:
        """The parsed configuration of the verb."""
        return self.config[self.verb]

    @property
    def settings_yaml(self) -> str:
        """The full configuration as YAML that `zoo train --config` replays, wherever it writes."""
        parser = self.subcommand_parsers[self.verb]
        settings = self.settings.clone()
        for key in ("config", "default_root_dir"):
            settings.pop(key, None)
        return parser.dump(settings, skip_none=True)

    @property
    def trainer_settings(self) -> dict[str, Any]:
        """Arguments of the lightning trainer, as the engine got them."""
        return dict(self.engine._cache.args)

    def instantiate(self) -> None:
        """Build model, data and engine of a command that was only parsed, once."""
        if not self._waiting:
            return
        self._waiting = False
        try:
            self.before_instantiate_classes()
            self.instantiate_classes()
        except (TypeError, ValueError) as error:
            raise ZooError(readable(error, None)) from error

    def run(self) -> None:
        """Carry the verb out with anomalib's engine."""
        self._run_subcommand()

    def instantiate_classes(self) -> None:
        """Build what the configuration names, unless the command is only parsed."""
        if not self._waiting:
            super().instantiate_classes()
            tiled(self.model, self.settings.get("tiling"))
            set_scale(self.model)
            # Stock data without a seed would be split by whatever the model drew before it.
            if getattr(self.datamodule, "seed", 0) is None:
                self.datamodule.seed = self.settings["seed_everything"]
            if checkpoint := self.settings.get("ckpt_path"):
                check_checkpoint(checkpoint, self.model.checkpoint_safe_globals())

    def before_instantiate_classes(self) -> None:
        """Apply the seed (anomalib only declares it) and keep the value that was applied."""
        check_numbers(self.settings.as_dict())  # those that were typed; files were checked before
        super().before_instantiate_classes()
        self.settings["seed_everything"] = apply_seed(self.settings["seed_everything"])


def _resolve_recipes(words: Sequence[str]) -> list[str]:
    """Let `--config` take the name of a recipe, such as patchcore/embedded, besides a file."""
    resolved = list(words)
    for index, word in enumerate(words[:-1]):
        if word in {"-c", "--config"}:
            resolved[index + 1] = str(find_recipe(words[index + 1]).path)
        elif word.startswith("--config="):
            resolved[index] = f"--config={find_recipe(word.partition('=')[2]).path}"
    return resolved


def _as_texts(words: Sequence[str]) -> list[str]:
    """Let names and folders of data be text, also where YAML reads more into it: `a: b`."""
    left = iter(words)
    made = []
    for word in left:
        option, joined, value = word.partition("=")
        key = option.removeprefix("--data.").removeprefix("init_args.")
        if not option.startswith("--data.") or key not in _TEXTS:
            made.append(word)
            continue
        value = value if joined else next(left, "")
        if _is_structure(value):
            made.append(f"--data={json.dumps({'init_args': {key: value}})}")
        else:
            made += [option, value]
    return made


def _is_structure(text: str) -> bool:
    try:
        return isinstance(parse_yaml(text, "it"), dict | list | NoneType)
    except ZooError:
        return False  # jsonargparse takes it as text, too


def import_methods() -> None:
    """Import all registered methods, so that short class names resolve; name those that fail."""
    _, failed = load_all()
    for name, reason in failed:
        if name not in _reported:
            _reported.add(name)
            print(f"zoo: method '{name}' is left out: {reason}", file=sys.stderr)
