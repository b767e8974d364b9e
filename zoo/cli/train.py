"""`zoo train`: one run from anomalib's options, written like those of `zoo bench`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Literal

from zoo.cli.shared import with_progress
from zoo.utils.errors import ZooError

if TYPE_CHECKING:
    from jsonargparse import Namespace

HELP = "anomalib's train: fit, calibrate and evaluate one method on one object, into a run folder"
# Arguments of data that are texts, whatever they look like.
_TEXTS = {"bad", "category", "good", "masks", "name", "root"}


def run(words: Sequence[str]) -> int:
    """Train as the words say, and log what came out.

    Raises:
        ZooError: Something in the words or in a recipe is not valid.
    """
    from zoo.postprocess.false_alarms import FalseAlarms
    from zoo.recipes.experiment import experiment
    from zoo.recipes.files import find_recipe
    from zoo.runs.documents import result_text
    from zoo.runs.run import run as run_experiment

    settings, typed = parse(words)
    configs = settings.get("config") or []
    recipe = find_recipe(str(configs[0])) if configs else None
    planned = experiment(
        settings,
        recipe=recipe.name if recipe else None,
        recipe_path=recipe.path if recipe else None,
        out=settings["default_root_dir"],
        keep=settings["keep"],
        typed=typed,
    )
    made = with_progress(
        planned.label, lambda report: run_experiment(planned, report=report, log=print)
    )
    metrics = made.metrics
    print(result_text(metrics))
    print(made.calibration.describe())
    if metrics["expected_false_alarms"]:
        print(FalseAlarms.from_dict(dict(metrics["expected_false_alarms"])).describe())
    print(f"written to {made.folder}")
    return 0


def parse(words: Sequence[str]) -> tuple[Namespace, frozenset[str]]:
    """Return the settings of a command line, and the names of classes that were typed in it.

    Raises:
        ZooError: Something in the words or in a recipe is not valid.
    """
    from jsonargparse import ActionConfigFile

    from zoo.data.anomalib_internals import CustomHelpFormatter
    from zoo.recipes.experiment import DEFAULT_OUT
    from zoo.recipes.language import add_settings, import_methods, readable_errors
    from zoo.recipes.numbers import check_numbers
    from zoo.recipes.trust.parser import Parser, names_in

    import_methods()
    parser = Parser(prog="zoo train", exit_on_error=False, formatter_class=CustomHelpFormatter)
    parser.typed = names_in(words)
    parser.add_argument(
        "-c", "--config", action=ActionConfigFile, help="A recipe: its name or its file."
    )
    parser.add_argument(
        "--default_root_dir",
        type=Path,
        default=DEFAULT_OUT,
        help="The run is written to <here>/<recipe>/<object>/seed<N>.",
    )
    parser.add_argument(
        "--keep",
        type=Literal["model", "maps", "none"],
        default="model",
        help="What the run's folder keeps: the model, all score maps besides, or neither.",
    )
    add_settings(parser)
    with readable_errors(parser):
        settings = parser.parse_args(as_texts(resolve_recipes(words)))
    check_numbers(settings.as_dict())
    return settings, parser.typed


def resolve_recipes(words: Sequence[str]) -> list[str]:
    """Let `--config` take the name of a recipe, such as patchcore/embedded, besides a file."""
    from zoo.recipes.files import find_recipe

    resolved = list(words)
    for index, word in enumerate(words[:-1]):
        if word in {"-c", "--config"}:
            resolved[index + 1] = str(find_recipe(words[index + 1]).path)
    for index, word in enumerate(resolved):
        if word.startswith("--config="):
            resolved[index] = f"--config={find_recipe(word.partition('=')[2]).path}"
    return resolved


def as_texts(words: Sequence[str]) -> list[str]:
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
    from zoo.utils.plain_yaml import parse_yaml

    try:
        return isinstance(parse_yaml(text, "it"), dict | list | NoneType)
    except ZooError:
        return False  # jsonargparse takes it as text, too
