"""The same images through a run in torch and through its graphs: do masks and verdicts agree?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from anomalib.models import AnomalibModule

from zoo.data.synthetic import KINDS, defects, put_defect
from zoo.export.agreement import ALLOWED, Agreement, ImageResult, compare, table
from zoo.export.graph import after_resize
from zoo.postprocess.calibration import Calibration
from zoo.postprocess.finish import finish
from zoo.predict.graph import GraphPredictor
from zoo.predict.graph_files import read_metadata
from zoo.predict.metadata import ExportMetadata
from zoo.predict.predictor import Predictor
from zoo.predict.runtimes import Graph
from zoo.predict.scenes import evenly
from zoo.runs.rebuild import load_run
from zoo.utils.progress import counted

_IMAGES = 8
_CUT = "images are cut into tiles of one size, in torch too for this comparison"
_SEED = 31  # any; not that of a calibration


@dataclass(frozen=True)
class ComparedImage:
    """An image to compare by: as it is, or with a synthetic defect drawn by a seed."""

    path: Path
    defect_seed: int | None = None

    def __str__(self) -> str:
        return f"{self.path}{'' if self.defect_seed is None else ' with a synthetic defect'}"

    def pixels(self, predictor: Predictor) -> np.ndarray:
        """Read it, uint8 (H, W, 3)."""
        pixels = predictor.read(self.path)
        if self.defect_seed is None:
            return pixels
        [defect] = defects(self.defect_seed, 1, KINDS)
        return put_defect(pixels, defect)[0]


@dataclass(frozen=True)
class Comparison:
    """Graphs beside their run.

    Attributes:
        agreements: One per graph.
        complaints: One line for each difference that is larger than allowed.
        notes: What a person should know of the comparison.
    """

    agreements: Sequence[Agreement]
    complaints: Sequence[str]
    notes: Sequence[str]

    def table(self) -> Iterator[str]:
        """Yield lines for people."""
        n_images = self.agreements[0].n_images
        yield f"differences from torch, {n_images} images (map, score: of the normal range)"
        yield from table(self.agreements)
        yield from self.notes


def standard_images(normal: Sequence[Path]) -> list[ComparedImage]:
    """Return a few normal images as they are, and the same with defects: masks need some."""
    chosen = [normal[index] for index in evenly(len(normal), _IMAGES)]
    painted = [ComparedImage(path, _SEED + index) for index, path in enumerate(chosen)]
    return [ComparedImage(path) for path in chosen] + painted


def check_graphs(
    folder: Path,
    graphs: Sequence[Path],
    images: Sequence[Path | ComparedImage],
) -> Comparison:
    """Predict images by a run and by its graphs, and compare.

    Args:
        folder: The run.
        graphs: Exported graphs of it.
        images: What to predict.
    """
    tests = [
        image if isinstance(image, ComparedImage) else ComparedImage(image) for image in images
    ]
    predictor = load_run(folder, device="cpu")
    # Where images are cut, the run's limits do not hold, but those of its exact graph do.
    cut = [metadata for metadata in map(read_metadata, graphs) if metadata.is_cut]
    exact = [metadata.calibration for metadata in cut if metadata.precision == "fp32"]
    notes = [_CUT] if cut else []
    agreements: list[Agreement] = []
    complaints: list[str] = []
    known: dict[tuple[bool, str], list[ImageResult]] = {}
    for path in graphs:
        graph = GraphPredictor(path, threads=torch.get_num_threads())
        metadata = graph.metadata
        reference: Predictor = predictor
        calibration = predictor.calibration
        if metadata.is_cut:
            reference = _in_torch(predictor.model, path, metadata)
            calibration = exact[0] if exact else graph.calibration
        key = (metadata.is_cut, str(calibration))
        if key not in known:
            known[key] = _results(reference, calibration, tests, "images in torch")
        results = _results(graph, graph.calibration, tests, f"images in {path.name}")
        agreements.append(compare(path.name, metadata.precision, known[key], results))
        complaints += agreements[-1].complaints(ALLOWED[metadata.precision])
    return Comparison(agreements, complaints, notes)


def _in_torch(model: AnomalibModule, path: Path, metadata: ExportMetadata) -> GraphPredictor:
    """Return the torch counterpart of a graph of tiles: it sees the same pixels."""
    assert metadata.tiling is not None
    side = metadata.tiling["layout"]["tile"]

    @torch.no_grad()
    def run(tiles: np.ndarray) -> dict[str, np.ndarray]:
        with after_resize(model, (side, side)):
            outputs = model(torch.from_numpy(tiles))
        return {name: getattr(outputs, name).numpy() for name in ("anomaly_map", "pred_score")}

    return GraphPredictor.from_graph(Graph(run, (None, 3, side, side), metadata), path)


def _results(
    predictor: Predictor, calibration: Calibration, tests: Sequence[ComparedImage], doing: str
) -> list[ImageResult]:
    results = []
    for image in counted(tests, len(tests), doing):
        pixels = image.pixels(predictor)
        size = pixels.shape[0], pixels.shape[1]
        [scored] = predictor.score_images([predictor.at_model_size(pixels)], [size])
        done = finish(scored.score_map, size, calibration)
        # Maps at native size would fill the memory, and nobody compares them.
        done = replace(done, score_map=scored.score_map)
        results.append(ImageResult(str(image), scored.score_map, scored.score, done, calibration))
    return results
