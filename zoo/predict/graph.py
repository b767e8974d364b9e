"""An exported graph as a predictor, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from zoo.data.resize import resize_image
from zoo.data.tiling.stitch import score_in_tiles, to_scale
from zoo.predict.graph_files import check_graph
from zoo.predict.metadata import ExportMetadata
from zoo.predict.predictor import FROM_MEMORY, Predictor, Scored
from zoo.predict.runtimes import Graph, load_graph
from zoo.utils.errors import ZooError


class GraphPredictor(Predictor):
    """An exported graph with its calibration; its masks are those of the run.

    Args:
        path: A graph, `.onnx` or `.xml`, that `zoo export` wrote.
        device: Of OpenVINO, such as CPU or GPU; ONNX Runtime uses the CPU.
        threads: How many to compute with; 0 leaves it to the runtime.

    Attributes:
        metadata: What the graph carries along, its calibration among it.

    Raises:
        ZooError: No such graph, one without calibration, or its runtime is not installed.

    Example:
        >>> predictor = GraphPredictor("model.onnx")  # doctest: +SKIP
        >>> predictor.predict("7.jpg").is_anomalous  # doctest: +SKIP
        True
    """

    def __init__(self, path: str | Path, device: str = "CPU", threads: int = 0) -> None:
        self.path = check_graph(path)
        self._use(load_graph(self.path, device, threads))

    @classmethod
    def from_graph(cls, graph: Graph, path: Path) -> GraphPredictor:
        """Return the predictor of a graph that is loaded; `path` names it in errors."""
        made = cls.__new__(cls)
        made.path = path
        made._use(graph)
        return made

    def _use(self, graph: Graph) -> None:
        self._graph = graph
        self.metadata: ExportMetadata = graph.metadata
        self.calibration = graph.metadata.calibration

    def check_process(self) -> None:
        """See `Predictor`."""
        self._graph.check_process()

    def at_model_size(self, pixels: np.ndarray) -> np.ndarray:
        """See `Predictor`."""
        return at_graph_size(pixels, self.metadata)

    def score_images(
        self,
        images: Sequence[np.ndarray],
        native_sizes: Sequence[tuple[int, int]] | None = None,
        paths: Sequence[Path] | None = None,
    ) -> list[Scored]:
        """See `Predictor`; by default the native sizes are those of the images."""
        sizes = native_sizes or [(image.shape[0], image.shape[1]) for image in images]
        tiling = self.metadata.tiling
        if tiling is not None:
            scored = [score_in_tiles(image, tiling, self._run) for image in images]
        else:
            for image in images:
                self._check_image(image)
            stacked = np.stack(images).transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
            score_maps, scores = self._run(stacked)
            scored = list(zip(score_maps, scores.tolist(), strict=True))
        names = paths or [FROM_MEMORY] * len(images)
        return [
            Scored(path, size, self._reduced(score_map, size), score)
            for path, size, (score_map, score) in zip(names, sizes, scored, strict=True)
        ]

    def _reduced(self, score_map: np.ndarray, native_size: tuple[int, int]) -> np.ndarray:
        factor = self.metadata.map_reduction
        if factor == 1:
            return score_map
        height, width = (max(1, side // factor) for side in native_size)
        return cv2.resize(score_map, (width, height), interpolation=cv2.INTER_LINEAR)

    def _run(self, stacked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return maps (n, h, w) and scores (n,) of images, float32 (n, 3, H, W) in [0, 1]."""
        self.check_process()
        size = self._graph.shape[0] or len(stacked)  # a traced graph may have a fixed batch size
        score_maps, scores = [], []
        for start in range(0, len(stacked), size):
            part = stacked[start : start + size]
            padding = np.repeat(part[-1:], size - len(part), axis=0)
            outputs = self._graph.run(np.ascontiguousarray(np.concatenate([part, padding])))
            maps = outputs["anomaly_map"].reshape(size, *outputs["anomaly_map"].shape[-2:])
            score_maps.append(maps[: len(part)])
            scores.append(outputs["pred_score"].reshape(size)[: len(part)])
        return np.concatenate(score_maps), np.concatenate(scores)

    def _check_image(self, image: np.ndarray) -> None:
        expected = self._graph.shape[2:]
        is_image = image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8
        sides = zip(image.shape, expected, strict=False)
        if not is_image or any(side not in (None, own) for own, side in sides):
            size = "x".join(str(side or "any") for side in expected)
            raise ZooError(
                f"{self.path} takes uint8 images of height and width {size} and 3 channels, this "
                f"one is {image.dtype} of shape {image.shape}: resize it first"
            )


def at_graph_size(pixels: np.ndarray, metadata: ExportMetadata) -> np.ndarray:
    """Return an image, uint8 (H, W, 3), at the size of the input, or at the scale of its tiles.

    The pixels are those that the run's network sees, see `zoo.data.resize`.

    Raises:
        ZooError: The model keeps the aspect of images, and this one would have another size.

    Example:
        >>> from zoo.postprocess import Calibration
        >>> from zoo.predict import ImageResize
        >>> metadata = ExportMetadata(Calibration(0.5), ImageResize((256, 320)))
        >>> at_graph_size(np.zeros((1024, 768, 3), np.uint8), metadata).shape
        (256, 320, 3)
    """
    if metadata.tiling is not None:
        return to_scale(pixels, metadata.tiling)
    if (resize := metadata.resize) is None:
        return pixels
    height, width = pixels.shape[:2]
    if not resize.fits((height, width)):
        (rows, columns), (own_rows, own_columns) = resize.size, resize.model_size((height, width))
        raise ZooError(
            f"an image of {width}x{height} px is {own_columns}x{own_rows} to the model, which "
            f"keeps its aspect, and this graph takes {columns}x{rows} only: export the run again "
            "with --good DIR that has images of every shape"
        )
    return resize_image(pixels, resize.size, resize.interpolation)
