"""`zoo.load`: a fitted run, or a graph that was exported from one, as a predictor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zoo.utils.paths import expand_home

if TYPE_CHECKING:
    from zoo.predict.predictor import Predictor


def is_graph(path: Path) -> bool:
    """Whether a path names an exported graph, and no folder."""
    return path.suffix in (".onnx", ".xml") and not path.is_dir()


def load(path: str | Path, device: str | None = None, trust: bool = False) -> Predictor:
    """Return a predictor of a run or of a graph; a graph needs no torch, and imports none.

    Args:
        path: Folder of a finished run, or an `.onnx` or `.xml` (OpenVINO) file of `zoo export`.
        device: Where to run: "cpu" or "cuda:1" for a run, by default a graphics card if there is
            one; "cpu", "gpu" or "auto" for OpenVINO, "cpu" by default.
        trust: Import whatever package the run's configuration names.

    Raises:
        ZooError: No run, one without a model or of another version, or one that names strange code;
            or no graph of ours.

    Example:
        >>> predictor = zoo.load("runs/patchcore-embedded/part/seed0")  # doctest: +SKIP
        >>> predictor.predict("photo.png").is_anomalous  # doctest: +SKIP
        False
    """
    place = expand_home(path)
    if is_graph(place):
        from zoo.predict.graph import GraphPredictor

        return GraphPredictor(place, (device or "cpu").upper())

    from zoo.runs.rebuild import load_run

    return load_run(place, device, trust)
