"""Anomalib's engine without symbolic links, which need rights on Windows, and with honest exports.

Anomalib exports a checkpoint through the model's default post-processor: a calibration would be
lost, and the graph would threshold and clamp by itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anomalib.deploy import CompressionType, ExportType
from anomalib.engine import Engine
from anomalib.models import AnomalibModule

from zoo.export.graph import ONNX_OPTIONS, after_resize, calibration_of, metadata_of
from zoo.methods.post_processor import BlobPostProcessor
from zoo.predict.graph_files import write_metadata
from zoo.runs.checkpoint import restore
from zoo.utils.names import check_name


class ZooEngine(Engine):
    """Writes below `<root>/<Model>/<Dataset>/<object>/v<N>`: a new N per fit, the last one else."""

    def export(
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
        folder = Path(self._cache.args["default_root_dir"]).joinpath(*filter(None, names))
        numbers = [int(path.name[1:]) for path in folder.glob("v*") if path.name[1:].isdigit()]
        last = max(numbers, default=-1)
        number = last + 1 if versioned_dir else max(last, 0)
        self._cache.args["default_root_dir"] = folder / f"v{number}"
