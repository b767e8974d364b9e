"""An experiment: one recipe on one object with one seed, typed, frozen, and ready to be built."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MethodType
from typing import Any, Literal

from anomalib.data import AnomalibDataModule
from anomalib.models import AnomalibModule
from jsonargparse import Namespace
from lightning.pytorch.cli import LightningCLI, instantiate_class

from zoo.data.listing import object_name
from zoo.data.tiling.recipe import tiled
from zoo.methods.guided_filter import filtered
from zoo.methods.visualizer import set_scale
from zoo.recipes.files import find_recipe, run_folder
from zoo.recipes.language import (
    DEFAULT_SEED,
    Section,
    build_section,
    experiment_parser,
    import_methods,
    parse,
    readable_errors,
)
from zoo.recipes.numbers import check_numbers
from zoo.recipes.parse_errors import class_named, parameters
from zoo.recipes.trust import check_checkpoint, check_recipe
from zoo.utils.errors import ZooError
from zoo.utils.names import check_name, check_recipe_name
from zoo.utils.plain_yaml import parse_yaml, read_yaml
from zoo.utils.seeding import apply_seed

DEFAULT_OUT = Path("runs")
Keep = Literal["model", "maps", "none"]
_CLASSES = ("model", "data", "optimizer", "lr_scheduler")  # sections that name a class
# What `zoo train --print_config` prints besides a recipe, and anomalib's recipes may hold.
_OF_A_COMMAND = ("config", "default_root_dir", "keep", "logging")


@dataclass(frozen=True)
class Experiment:
    """One recipe on one object with one seed.

    Attributes:
        recipe: Name of the recipe, such as patchcore/embedded.
        object_name: Name of the object.
        seed: Of all generators.
        model: The method and its arguments.
        data: The datamodule and its arguments.
        trainer: Arguments of the lightning trainer.
        tiling: Windows of native images that the network sees one by one, if any.
        guided_filter: Filter by which score maps follow the edges of images, if any.
        optimizer: Instead of the method's own, if any.
        lr_scheduler: The same.
        ckpt_path: Checkpoint that the fit goes on from, if any.
        folder: Where the run is written.
        keep: "model" keeps the fitted model, "maps" all score maps besides, "none" neither.
        threads: Torch threads to compute with; those of the process by default.
        splits: Test splits to evaluate; by default the one that data in the layout asks for, or all
            that other data has.
        command: What a person types to repeat it.
        recipe_path: File of the recipe, if there is one.
        typed: Names of classes that a person typed, which are imported whatever they are.
    """

    recipe: str
    object_name: str
    seed: int
    model: Section
    data: Section
    folder: Path
    trainer: dict[str, Any] = field(default_factory=dict)
    tiling: dict[str, Any] | None = None
    guided_filter: dict[str, Any] | None = None
    optimizer: Section | None = None
    lr_scheduler: Section | None = None
    ckpt_path: str | None = None
    keep: Keep = "model"
    threads: int | None = None
    splits: tuple[str, ...] | None = None
    command: str = "zoo train --config config.yaml"
    recipe_path: Path | None = None
    typed: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Check the names before hours are spent: they become names of folders.

        Raises:
            ZooError: One of them is none.
        """
        check_name(self.object_name, "object")
        check_recipe_name(self.recipe)

    @property
    def label(self) -> str:
        """Names the run for people."""
        return f"{self.recipe} · {self.object_name} · seed {self.seed}"

    @property
    def post_processor(self) -> Section | None:
        """The configuration of the post-processor; None for the method's default."""
        return self.model.get("init_args", {}).get("post_processor")

    @property
    def config(self) -> dict[str, Any]:
        """Everything that the recipe's language can say, as plain data that makes it again."""
        sections = {
            "seed_everything": self.seed,
            "model": self.model,
            "data": self.data,
            "trainer": self.trainer,
            "tiling": self.tiling,
            "guided_filter": self.guided_filter,
            "optimizer": self.optimizer,
            "lr_scheduler": self.lr_scheduler,
            "ckpt_path": self.ckpt_path,
        }
        return {name: value for name, value in sections.items() if value is not None}

    def with_data(self, **arguments: Any) -> Experiment:
        """Return the experiment with other arguments of its data."""
        data = Section(
            class_path=self.data["class_path"],
            init_args={**self.data.get("init_args", {}), **arguments},
        )
        return replace(self, data=data)

    def build(self) -> tuple[AnomalibModule, dict[str, Any]]:
        """Build the model, under the seed, and the arguments of its trainer.

        Raises:
            ZooError: A class or an argument is none that can be used.
        """
        parser = experiment_parser(self.typed)
        with readable_errors(parser):
            apply_seed(self.seed)
            config = {name: part for name, part in self.config.items() if name != "data"}
            made = parser.instantiate_classes(parser.parse_object(config))
            model = made["model"]
            _set_optimizer(model, made)
        filtered(tiled(model, made.get("tiling")), made.get("guided_filter"))
        set_scale(model)
        if self.ckpt_path:
            check_checkpoint(self.ckpt_path, model.checkpoint_safe_globals())
        return model, dict(made["trainer"])

    def build_data(self) -> AnomalibDataModule:
        """Build the data, under the seed; it is not set up yet.

        Raises:
            ZooError: The class or an argument is none that can be used.
        """
        apply_seed(self.seed)
        with readable_errors(experiment_parser(self.typed)):
            datamodule = build_section(AnomalibDataModule, "data", self.data, self.typed)
        # Stock data without a seed would be split by whatever was drawn before.
        if getattr(datamodule, "seed", 0) is None:
            datamodule.seed = self.seed
        return datamodule


def load(
    recipe: str | Path,
    *,
    name: str | None = None,
    data: Section | None = None,
    object_name: str | None = None,
    seed: int | None = None,
    out: str | Path = DEFAULT_OUT,
    overrides: Mapping[str, Any] | None = None,
    typed: Iterable[str] = (),
    **options: Any,
) -> Experiment:
    """Read a recipe once and return the experiment that it makes of some data.

    Args:
        recipe: Name of a recipe, such as patchcore/embedded, or a YAML file.
        name: What to call it; its own name by default.
        data: Instead of the recipe's data, or a part of it: of `init_args` those that are given
            win, and those of the recipe stay that the class has.
        object_name: Name of the object; by default what the data calls itself.
        seed: Of all generators; by default the recipe's, or 0.
        out: Folder below which the run is written, as `<out>/<recipe>/<object>/seed<N>`.
        overrides: Settings in the place of the recipe's, such as {"model.image_size": 512}.
        typed: Names of classes that a person typed: they are imported, whatever they are.
        **options: Further fields of `Experiment`, such as `keep`, `threads`, or its `folder`.

    Raises:
        ZooError: The recipe, or something that is added to it, is not valid.
    """
    found, names = find_recipe(str(recipe)), frozenset(typed)
    config = read_yaml(found.path)
    if not isinstance(config, dict):
        raise ZooError(f"recipe {found.path} has no 'model': see recipes/quickstart.yaml")
    import_methods()
    check_recipe(config, found.path)
    for key in _OF_A_COMMAND:
        config.pop(key, None)
    check_numbers(config, found.path)
    if seed is not None:
        config["seed_everything"] = seed
    if data is not None:
        config["data"] = _merged(config.get("data"), data, names)
    for key, value in (overrides or {}).items():
        _set(config, key, value, names)
    settings = parse(config, names)
    return experiment(
        settings,
        recipe=name or found.name,
        recipe_path=found.path,
        object_name=object_name,
        out=out,
        typed=names,
        **options,
    )


def experiment(
    settings: Namespace,
    *,
    recipe: str | None = None,
    object_name: str | None = None,
    out: str | Path = DEFAULT_OUT,
    folder: str | Path | None = None,
    typed: frozenset[str] = frozenset(),
    **options: Any,
) -> Experiment:
    """Return the experiment of settings that were parsed from a recipe or a command line.

    Args:
        settings: As `parse` and `experiment_parser` return them.
        recipe: Its name; the class of the model by default.
        object_name: Name of the object; by default the data's `category` or `name`.
        out: Folder below which the run is written.
        folder: The run's own folder, instead.
        typed: Names of classes that a person typed.
        **options: Further fields of `Experiment`.

    Raises:
        ZooError: There is no data.
    """
    if settings.get("data") is None:
        raise ZooError(
            "no data given: add --data MVTecAD2Layout --data.root DIR --data.category NAME"
        )
    parser = experiment_parser(typed)
    kept = {
        key: settings[key]
        for key in (*_CLASSES, "trainer", "tiling", "guided_filter", "ckpt_path", "seed_everything")
        if key in settings
    }
    plain = parse_yaml(parser.dump(Namespace(kept), skip_none=True, skip_validation=True), "it")
    seed = _seed(plain.pop("seed_everything", DEFAULT_SEED))
    name = recipe or plain["model"]["class_path"].rpartition(".")[2]
    if object_name is None:
        object_name = _object_name(plain["data"])
    if folder is None:
        folder = run_folder(out, name, object_name, seed)
    return Experiment(
        recipe=name,
        object_name=object_name,
        seed=seed,
        folder=Path(folder),
        typed=typed,
        **plain,
        **options,
    )


def _set_optimizer(model: AnomalibModule, made: Namespace) -> None:
    """Give a model the optimizer of the recipe, as lightning's command line does."""
    if not made.get("optimizer"):
        return
    optimizer = instantiate_class(model.parameters(), made["optimizer"])
    schedule = made.get("lr_scheduler")
    scheduler = instantiate_class(optimizer, schedule) if schedule else None
    configure = partial(
        LightningCLI.configure_optimizers, optimizer=optimizer, lr_scheduler=scheduler
    )
    model.configure_optimizers = MethodType(configure, model)  # type: ignore[method-assign]


def _seed(value: bool | int | None) -> int:
    """Return a seed; true draws one."""
    return random.SystemRandom().randrange(2**32) if value is True else int(value or 0)


def _object_name(data: Section) -> str:
    """Return what data calls its object: a category, a name, or the folder of normal images."""
    arguments = data.get("init_args", {})
    if folder := arguments.get("good"):
        return object_name(Path(folder))
    name = arguments.get("category") or arguments.get("name")
    return str(name or data["class_path"].rpartition(".")[2])


def _merged(old: Any, new: Section, typed: frozenset[str]) -> Section:
    """Return a section of another class, or with other arguments; what both classes know stays."""
    old = _section(old)
    path, kept = str(new.get("class_path") or old.get("class_path")), _section(old.get("init_args"))
    if path != old.get("class_path") and (known := _arguments(path, typed)) is not None:
        kept = {key: value for key, value in kept.items() if key in known}
    return {"class_path": path, "init_args": {**kept, **new.get("init_args", {})}}


def _section(value: Any) -> dict[str, Any]:
    """Return a part of a configuration as a dict; a class may stand there by its name alone."""
    if isinstance(value, str):
        return {"class_path": value}
    if not isinstance(value, dict | None):
        raise ZooError(f"where settings belong stands {value!r}")
    return dict(value or {})


def _arguments(path: str, typed: frozenset[str]) -> list[str] | None:
    """Return the names of a class's arguments; None where the parser will refuse the class."""
    try:
        kind = class_named(path) or experiment_parser(typed).find(path)
    except (ImportError, AttributeError, ValueError):
        return None
    return parameters(kind) if isinstance(kind, type) else None


def _set(config: dict[str, Any], key: str, value: Any, typed: frozenset[str]) -> None:
    """Set a value by its dotted key; `init_args` may be left out, and a class given by its name."""
    *path, last = key.split(".")
    place, is_class = config, False
    for depth, name in enumerate([*path, last]):
        if is_class and name not in ("class_path", "init_args"):
            place["init_args"] = place = _section(place.get("init_args"))
        inner = place.get(name)
        is_class = (depth == 0 and name in _CLASSES) or (
            isinstance(inner, dict) and "class_path" in inner
        )
        if depth == len(path):
            continue
        is_class |= isinstance(inner, str)
        place[name] = place = _section(inner)
    if is_class and isinstance(value, str):
        value = _merged(place.get(last), {"class_path": value}, typed)
    place[last] = value
