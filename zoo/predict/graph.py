"""An exported graph as a detector: pictures in, masks at their own size out, without torch.

The mask is made by `zoo.postprocess.finish`, with the calibration that the graph carries, as in
runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from zoo.data.resize import resize_picture
from zoo.data.tiling.exported import score_in_tiles, to_scale
from zoo.predict.graph_files import checked
from zoo.predict.metadata import ExportMetadata
from zoo.predict.prediction import Scored
from zoo.predict.predictor import FROM_MEMORY, Predictor, check_finite
from zoo.predict.runtimes import Graph, load_graph
from zoo.utils.errors import ZooError


class GraphPredictor(Predictor):
    """An exported graph with its calibration; it judges pictures and streams as a run does.

    Args:
        path: A graph, `.onnx` or `.xml`, that `zoo export` wrote.
        device: Of OpenVINO, such as CPU or GPU; ONNX Runtime uses the CPU.
        threads: How many to compute with; 0 leaves it to the runtime.

    Attributes:
        metadata: What the graph carries along.
        calibration: That of the metadata; give another one to try it.

    Raises:
        ZooError: No such graph, one without calibration, or its runtime is not installed.

    Example:
        >>> model = GraphPredictor("model.onnx")  # doctest: +SKIP
        >>> model.predict("7.jpg").is_anomalous  # doctest: +SKIP
        True
    """

    def __init__(self, path: str | Path, device: str = "CPU", threads: int = 0) -> None:
        self.path = checked(path)
        self._use(load_graph(self.path, device, threads))

    @classmethod
    def around(cls, graph: Graph, path: Path) -> GraphPredictor:
        """Return the detector of a graph that is loaded; `path` is what errors call it."""
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
        """See `Predictor`; without native sizes the images are the pictures themselves."""
        if self.metadata.tiling is not None:
            found = [score_in_tiles(each, self.metadata.tiling, self._run) for each in images]
        else:
            for image in images:
                self._check(image)
            stacked = np.stack(images).transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
            score_maps, scores = self._run(stacked)
            found = list(zip(score_maps, scores.tolist(), strict=True))
        sizes = native_sizes or [image.shape[:2] for image in images]
        names = paths or [FROM_MEMORY] * len(images)
        return [self._scored_as(*each) for each in zip(names, sizes, found, strict=True)]

    def _scored_as(
        self, path: Path, native_size: tuple[int, int], found: tuple[np.ndarray, float]
    ) -> Scored:
        score_map, score = found
        check_finite(path, score_map, score)
        if (factor := self.metadata.map_reduction) > 1:
            height, width = (max(1, side // factor) for side in native_size)
            score_map = cv2.resize(score_map, (width, height), interpolation=cv2.INTER_LINEAR)
        return Scored(path, native_size, score_map, score)

    def _run(self, stacked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return maps (n, h, w) and scores (n,) of images, float32 (n, 3, H, W) in [0, 1]."""
        self.check_process()
        size = self._graph.shape[0] or len(stacked)  # a traced graph may be frozen at one number
        score_maps, scores = [], []
        for start in range(0, len(stacked), size):
            part = stacked[start : start + size]
            room = np.repeat(part[-1:], size - len(part), axis=0)
            outputs = self._graph.run(np.ascontiguousarray(np.concatenate([part, room])))
            found = outputs["anomaly_map"].reshape(size, *outputs["anomaly_map"].shape[-2:])
            score_maps.append(found[: len(part)])
            scores.append(outputs["pred_score"].reshape(size)[: len(part)])
        return np.concatenate(score_maps), np.concatenate(scores)

    def _check(self, image: np.ndarray) -> None:
        wanted = self._graph.shape[2:]
        fits = image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8
        sides = zip(image.shape, wanted, strict=False)
        if not fits or any(need not in (None, have) for have, need in sides):
            size = "x".join(str(side or "any") for side in wanted)
            raise ZooError(
                f"{self.path} takes uint8 images of height and width {size} and 3 channels, this "
                f"one is {image.dtype} of shape {image.shape}: resize it first"
            )


def at_graph_size(pixels: np.ndarray, metadata: ExportMetadata) -> np.ndarray:
    """Return a picture, uint8 (H, W, 3), at the size of the input, or at which tiles are cut.

    The pixels are those that the run's network sees, see `zoo.data.resize`.

    Raises:
        ZooError: The run keeps the aspect of pictures, and this one would have another size.
    """
    if metadata.tiling is not None:
        return to_scale(pixels, metadata.tiling)
    if (resize := metadata.resize) is None:
        return pixels
    if not resize.fits(pixels.shape[:2]):
        (height, width), (rows, columns) = pixels.shape[:2], resize.size
        own_rows, own_columns = resize.aspect.size_of((height, width))
        raise ZooError(
            f"a picture of {width}x{height} px is {own_columns}x{own_rows} to the model, which "
            f"keeps its aspect, and this graph takes {columns}x{rows} only: export the run again "
            "with --good DIR that has pictures of every shape"
        )
    return resize_picture(pixels, resize.size, resize.interpolation)
