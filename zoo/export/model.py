"""An exported graph as a detector: pictures in, masks at their own size out, without torch.

The mask is made by `zoo.post.finish`, with the calibration that the graph carries, as in runs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL.Image

from zoo.data.images import as_rgb, read_image
from zoo.errors import ZooError
from zoo.export.files import checked
from zoo.export.metadata import ExportMetadata, ImageResize
from zoo.export.runtimes import load_graph
from zoo.post.finish import finish
from zoo.prediction import Prediction
from zoo.tiling.exported import score_in_tiles

Picture = str | os.PathLike | PIL.Image.Image | np.ndarray


class ExportedModel:
    """An exported graph with its calibration.

    Args:
        path: A graph, `.onnx` or `.xml`, that `zoo export` wrote.
        device: Of OpenVINO, such as CPU or GPU; ONNX Runtime uses the CPU.
        threads: How many to compute with; 0 leaves it to the runtime.

    Attributes:
        metadata: What the graph carries along; replace its calibration to try another one.

    Raises:
        ZooError: No such graph, one without calibration, or its runtime is not installed.

    Example:
        >>> model = ExportedModel("model.onnx")  # doctest: +SKIP
        >>> model.predict("7.jpg").is_anomalous  # doctest: +SKIP
        True
    """

    def __init__(self, path: str | Path, device: str = "CPU", threads: int = 0) -> None:
        self.path = checked(path)
        self._graph = load_graph(self.path, device, threads)
        self.metadata: ExportMetadata = self._graph.metadata

    def predict(self, picture: Picture) -> Prediction:
        """Judge one picture.

        Args:
            picture: A path, a PIL image or an array, uint8 (H, W, 3) RGB or (H, W) grey.

        Raises:
            ZooError: The file is no image, or the array no picture.
        """
        path = Path(picture).expanduser() if isinstance(picture, str | os.PathLike) else None
        pixels = np.array(as_rgb(picture)) if path is None else read_image(path)
        if self.metadata.tiling is None:
            [(score_map, score)] = self.score([resized(pixels, self.metadata.resize)])
        else:
            score_map, score = score_in_tiles(pixels, self.metadata.tiling, self._run)
        done = finish(score_map, pixels.shape[:2], self.metadata.calibration, score)
        return Prediction.of(path, pixels, done, score)

    def score(self, images: Sequence[np.ndarray]) -> list[tuple[np.ndarray, float]]:
        """Return raw score map, float32 (h, w), and score of each image.

        Args:
            images: uint8 (h, w, 3) RGB each, all at the graph's size.

        Raises:
            ZooError: Images of another size or type than the graph takes.
        """
        for image in images:
            self._check(image)
        stacked = np.stack(images).transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
        score_maps, scores = self._run(stacked)
        return list(zip(score_maps, scores.tolist(), strict=True))

    def _run(self, stacked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return maps (n, h, w) and scores (n,) of images, float32 (n, 3, H, W) in [0, 1]."""
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


def resized(pixels: np.ndarray, resize: ImageResize | None) -> np.ndarray:
    """Return a picture, uint8 (H, W, 3), at the size of the graph's input.

    Pillow resizes what torchvision resizes in runs; they differ by at most one grey level.

    Args:
        pixels: The picture.
        resize: The graph's own; None leaves the picture as it is.
    """
    if resize is None or pixels.shape[:2] == resize.size:
        return pixels
    mode = PIL.Image.Resampling[resize.interpolation.upper()]
    return np.asarray(PIL.Image.fromarray(pixels).resize(resize.size[::-1], mode))
