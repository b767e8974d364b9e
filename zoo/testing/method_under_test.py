"""A method under test, with the fits and images that several checks share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from anomalib.data import Folder
from anomalib.models import AnomalibModule

from zoo.data import MVTecAD2Layout
from zoo.data.dataset import NativeBatch, NativeItem
from zoo.data.sample import Sample
from zoo.methods import registry
from zoo.predict.predictor import Scored
from zoo.predict.torch_predictor import score_batch
from zoo.recipes.experiment import Experiment
from zoo.recipes.experiment import experiment as experiment_of
from zoo.recipes.language import parse
from zoo.runs.run import Fitted, fit_here, run
from zoo.runs.training import RunEngine
from zoo.testing.data import N_TRAIN, folder_settings, layout_settings, write_part
from zoo.testing.isolation import no_network
from zoo.utils.seeding import apply_seed

SEED = 0
SPLIT = "test_public"
# Quick, and enough for most: four steps an epoch. The model's own trainer_arguments
# come on top, so both limits are given.
_TRAINED = {"max_epochs": 5, "max_steps": 20}
_NOT_TRAINED = {"max_epochs": 1}


class MethodUnderTest:
    """A method under test.

    Args:
        method: Entry name, class name, or the class.
        arguments: Of its constructor: plain values, as a recipe has them.
        trainer: Settings of the trainer, on top of defaults that keep it quick and on the CPU.
        data: Settings of the data, such as train_batch_size.
        folder: Where to write; exists and is empty.
        n_train: Number of normal images to learn from.

    Raises:
        ZooError: There is no method of that name.
    """

    def __init__(
        self,
        method: str | type,
        arguments: dict[str, Any] | None,
        trainer: dict[str, Any] | None,
        data: dict[str, Any] | None,
        folder: Path,
        n_train: int = N_TRAIN,
    ) -> None:
        self.registered = _entry_of(method) if isinstance(method, type) else registry.find(method)
        self._class = method if isinstance(method, type) else None
        self.arguments = dict(arguments or {})
        card = self.registered.card if self.registered else None
        length = _TRAINED if card and card.learns == "epochs" else _NOT_TRAINED
        self.trainer = {"accelerator": "cpu", "devices": 1, **length, **(trainer or {})}
        self.data = {"train_batch_size": 2, "eval_batch_size": 4, **(data or {})}
        self.folder = Path(folder)
        write_part(self.folder, n_train)

    @property
    def name(self) -> str:
        """The entry name, or the class name of a class without one."""
        return self.registered.name if self.registered else self.method_class.__name__

    @cached_property
    def method_class(self) -> Any:
        """What was registered or given; a class, if all is well.

        Raises:
            ZooError: It cannot be imported.
        """
        if self._class is not None:
            return self._class
        with no_network(self.folder):
            assert self.registered is not None  # of a name that was found
            return registry.load(self.registered.name)

    @property
    def class_path(self) -> str:
        """The dotted path that a recipe names."""
        if self.registered:
            return self.registered.target.partition("[")[0].replace(":", ".").strip()
        return f"{self.method_class.__module__}.{self.method_class.__qualname__}"

    def build(self, **components: Any) -> AnomalibModule:
        """Return a new model, built under the seed."""
        apply_seed(SEED)
        return self.method_class(**{**self.arguments, **components})

    @cached_property
    def built(self) -> AnomalibModule:
        """A model to look at, not to change."""
        return self.build()

    def experiment(self, folder: str) -> Experiment:
        """Return the experiment of this method, whose run is written into a folder of that name."""
        typed = frozenset({self.class_path})  # the author vouches for the class
        config = {
            "model": {"class_path": self.class_path, "init_args": self.arguments},
            "data": {
                "class_path": "zoo.data.MVTecAD2Layout",
                "init_args": {**layout_settings(self.folder), **self.data},
            },
            "trainer": self.trainer,
            "seed_everything": SEED,
        }
        return experiment_of(parse(config, typed), typed=typed, folder=self.folder / folder)

    @cached_property
    def fitted(self) -> AnomalibModule:
        """A model fitted as runs fit it, ready to score."""
        experiment = self.experiment("fit")
        datamodule = experiment.build_data()  # first, as in runs: each begins at the seed
        model, trainer = experiment.build()
        post_processor, model.post_processor = model.post_processor, None
        engine = RunEngine(trainer, self.folder / "fit")
        engine.fit(model=model, datamodule=datamodule)
        model.post_processor = post_processor
        return model.eval()

    @cached_property
    def run(self) -> tuple[Path, AnomalibModule]:
        """The folder of a run, and its model as it was left in memory."""
        models = []

        def fit(*arguments: Any) -> Fitted:
            fitted = fit_here(*arguments)
            models.append(fitted.model)
            return fitted

        made = run(self.experiment("run"), fit=fit)
        assert made is not None  # nothing was there before
        return made.folder, models[0].eval()

    @property
    def layout_data(self) -> MVTecAD2Layout:
        """The data as runs read it."""
        return MVTecAD2Layout(**layout_settings(self.folder), **self.data)

    @property
    def stock_data(self) -> Folder:
        """The same images through anomalib's own datamodule."""
        return Folder(**folder_settings(self.folder), **self.data)

    @cached_property
    def samples(self) -> list[Sample]:
        """The test images, defective ones first."""
        return self.layout_data.listed(SPLIT)

    def items(self, model: AnomalibModule) -> list[NativeItem]:
        """Return the test images as a model wants them, in the order of `samples`."""
        data = self.layout_data
        data.follow_model(model)
        dataset = data.dataset(SPLIT)
        dataset.with_truth = False
        return [dataset[index] for index in range(len(dataset))]

    @cached_property
    def alone(self) -> list[Scored]:
        """The fitted model's scores of every test image, one image at a time."""
        return [score(self.fitted, [item])[0] for item in self.items(self.fitted)]

    def stock_words(self, folder: Path) -> list[str]:
        """Return the words of `anomalib train` for this method."""
        words = ["train", *_options("model", self.arguments, self.class_path)]
        words += _options("data", {**folder_settings(self.folder), **self.data}, "Folder")
        silent = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        words += _options("trainer", {**silent, **self.trainer})
        return [*words, "--default_root_dir", str(folder)]


def score(model: AnomalibModule, items: Sequence[NativeItem]) -> list[Scored]:
    """Score images as one batch."""
    return score_batch(model, NativeBatch.collate(list(items)))


def _options(key: str, values: dict[str, Any], class_path: str | None = None) -> list[str]:
    """Return command-line options such as `--data Folder --data.root DIR`."""
    words = [f"--{key}={class_path}"] if class_path else []
    for name, value in values.items():
        text = value if isinstance(value, str) else json.dumps(value)
        words.append(f"--{key}.{name}={text}")
    return words


def _entry_of(method_class: type) -> registry.Method | None:
    """Return the entry point that leads to a class, if there is one."""
    for method in registry.methods().values():
        same_name = method.class_name == method_class.__name__
        if same_name and registry.load(method.name) is method_class:
            return method
    return None
