"""`zoo anomalib VERB`: anomalib's own verbs, with our methods known and calibrated exports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anomalib.cli import AnomalibCLI
from anomalib.deploy import CompressionType, ExportType
from anomalib.engine import Engine
from anomalib.models import AnomalibModule
from jsonargparse import ActionConfigFile, ArgumentError, ArgumentParser, Namespace

from zoo.cli.train import as_texts, resolve_recipes
from zoo.data.anomalib_internals import CustomHelpFormatter, engine_arguments
from zoo.data.tiling.recipe import Tiling, tiled
from zoo.export.graph import ONNX_OPTIONS, after_resize, metadata_of
from zoo.methods.guided_filter import GuidedFilter, filtered
from zoo.methods.post_processor import BlobPostProcessor, calibration_of
from zoo.methods.visualizer import set_scale
from zoo.predict.graph_files import write_metadata
from zoo.recipes.experiment import DEFAULT_OUT
from zoo.recipes.language import DEFAULT_SEED, dump_header, import_methods
from zoo.recipes.numbers import check_numbers
from zoo.recipes.parse_errors import readable
from zoo.recipes.trust import check_checkpoint
from zoo.recipes.trust.parser import Parser, names_in
from zoo.runs.checkpoint import restore
from zoo.utils.errors import ZooError
from zoo.utils.names import check_name
from zoo.utils.seeding import apply_seed


def run(words: Sequence[str]) -> int:
    """Run one of anomalib's verbs: fit, validate, test, predict or export.

    Raises:
        ZooError: Something in the words or in a recipe is not valid.
    """
    VerbCLI(words).run()
    return 0


class VerbCLI(AnomalibCLI):
    """Anomalib's command line for one verb, with the seed applied and short errors.

    Only the parser of the wanted verb is built: that saves seconds, and everything a person can do
    with one verb depends on that verb alone.

    Args:
        words: The command line, the verb first.

    Raises:
        ZooError: Something in the words or in a recipe is not valid.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.verb = words[0]
        self._typed = names_in(words[1:])
        import_methods()
        try:
            super().__init__(args=as_texts(resolve_recipes(words)), run=False)
        except (ArgumentError, TypeError, ValueError) as error:
            raise ZooError(readable(error, self.subcommand_parsers.get(self.verb))) from error

    def init_parser(self, **kwargs: Any) -> Parser:  # type: ignore[override]
        """Build a parser that raises instead of exiting and names both versions in its dumps."""
        kwargs.setdefault("exit_on_error", False)
        kwargs.setdefault("dump_header", dump_header())
        parser = Parser(formatter_class=CustomHelpFormatter, **kwargs)
        parser.typed = self._typed
        parser.add_argument(
            "-c", "--config", action=ActionConfigFile, help="A recipe: its name or its file."
        )
        return parser

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]
        """Return the trainer verb that is wanted, if it is one."""
        return {k: v for k, v in AnomalibCLI.subcommands().items() if k == self.verb}

    def anomalib_subcommands(self) -> dict[str, dict[str, str]]:  # type: ignore[override]
        """Return the engine verb that is wanted, if it is one."""
        return {k: v for k, v in AnomalibCLI.anomalib_subcommands().items() if k == self.verb}

    @staticmethod
    def add_arguments_to_parser(parser: ArgumentParser) -> None:
        """Write results to ./runs: ./results of a checkout holds curated tables."""
        AnomalibCLI.add_arguments_to_parser(parser)
        parser.set_defaults({"default_root_dir": DEFAULT_OUT})

    def add_predict_arguments(self, parser: ArgumentParser) -> None:
        """Let predictions go once they are written: anomalib keeps every map in memory."""
        super().add_predict_arguments(parser)
        parser.set_defaults({"return_predictions": False})

    @staticmethod
    def _add_default_arguments_to_parser(parser: ArgumentParser) -> None:
        parser.add_argument("--seed_everything", type=bool | int, default=DEFAULT_SEED)
        parser.add_argument("--tiling", type=Tiling | None, default=None)
        parser.add_argument("--guided_filter", type=GuidedFilter | None, default=None)

    @property
    def settings(self) -> Namespace:
        """The parsed configuration of the verb."""
        return self.config[self.verb]

    def run(self) -> None:
        """Carry the verb out with anomalib's engine."""
        self._run_subcommand()

    def before_instantiate_classes(self) -> None:
        """Apply the seed, which anomalib only declares."""
        check_numbers(self.settings.as_dict())
        super().before_instantiate_classes()
        self.settings["seed_everything"] = apply_seed(self.settings["seed_everything"])

    def instantiate_classes(self) -> None:
        """Build what the configuration names."""
        super().instantiate_classes()
        filtered(tiled(self.model, self.settings.get("tiling")), self.settings.get("guided_filter"))
        set_scale(self.model)
        if checkpoint := self.settings.get("ckpt_path"):
            check_checkpoint(checkpoint, self.model.checkpoint_safe_globals())

    def instantiate_engine(self) -> None:
        """Build our engine with the settings that anomalib collected."""
        super().instantiate_engine()
        self.engine = ZooEngine(**engine_arguments(self.engine))


class ZooEngine(Engine):
    """Writes below `<root>/<Model>/<Dataset>/<object>/v<N>`: a new N per fit, the last one else."""

    def export(  # type: ignore[override]
        self,
        model: AnomalibModule,
        export_type: ExportType | str,
        export_root: str | Path | None = None,
        model_file_name: str = "model",
        input_size: tuple[int, int] | None = None,
        compression_type: CompressionType | None = None,
        ckpt_path: str | Path | None = None,
        **kwargs: Any,
    ) -> Path | None:
        """Export as anomalib does, a graph with raw outputs that carries its calibration.

        A checkpoint in a run's folder is exported with the thresholds that the run has now. Models
        that were never calibrated by us are exported as anomalib does it, which one line says.

        Args:
            model: A module as a recipe builds it, or a fitted one.
            export_type: torch, onnx or openvino.
            export_root: Folder to write below; the engine's own by default.
            model_file_name: Without suffix.
            input_size: (h, w), needed where the model resizes to no fixed size.
            compression_type: Of OpenVINO's weights.
            ckpt_path: Checkpoint that fills the model.
            **kwargs: See anomalib's `Engine.export`.

        Returns:
            The file.

        Raises:
            ZooError: The model is not calibrated, or `input_size` contradicts its resize.
        """
        kwargs["onnx_kwargs"] = {**ONNX_OPTIONS, **(kwargs.get("onnx_kwargs") or {})}
        common = {
            "export_root": export_root,
            "model_file_name": model_file_name,
            "compression_type": compression_type,
            **kwargs,
        }
        calibrated = isinstance(model.post_processor, BlobPostProcessor)
        if ckpt_path is not None and restore(model, Path(ckpt_path)):
            calibrated, ckpt_path = True, None
        if not calibrated or ExportType(export_type) is ExportType.TORCH:
            if not calibrated:
                print("export: no calibration of the zoo, so the model keeps anomalib's thresholds")
            return super().export(
                model, export_type, input_size=input_size, ckpt_path=ckpt_path, **common
            )
        metadata = metadata_of(model, calibration_of(model), input_size)
        with after_resize(model, input_size) as size:
            path = super().export(model, export_type, input_size=size, **common)
        assert path is not None  # of a graph
        write_metadata(path, metadata)
        return path

    def _setup_workspace(
        self,
        model: AnomalibModule,
        *args: Any,
        datamodule: Any = None,
        dataset: Any = None,
        versioned_dir: bool = False,
        **kwargs: Any,
    ) -> None:
        data = datamodule if datamodule is not None else dataset
        names = [model.name, getattr(data, "name", None), getattr(data, "category", None)]
        for name in filter(None, names):
            check_name(name, "data")
        arguments = engine_arguments(self)
        folder = Path(arguments["default_root_dir"]).joinpath(*filter(None, names))
        numbers = [int(path.name[1:]) for path in folder.glob("v*") if path.name[1:].isdigit()]
        last = max(numbers, default=-1)
        number = last + 1 if versioned_dir else max(last, 0)
        arguments["default_root_dir"] = folder / f"v{number}"
