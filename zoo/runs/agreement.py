"""The same pictures through a run in torch and through its graphs: do masks and verdicts agree?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from anomalib.models import AnomalibModule

from zoo.data.synthetic import KINDS, defects, put_defect
from zoo.export.agreement import Agreement, ImageResult, allowed, compare, table
from zoo.export.graph import after_resize
from zoo.postprocess.calibration import Calibration
from zoo.postprocess.finish import finish
from zoo.predict.graph import GraphPredictor
from zoo.predict.graph_files import read_metadata
from zoo.predict.metadata import ExportMetadata
from zoo.predict.predictor import Predictor
from zoo.predict.runtimes import Graph
from zoo.predict.scenes import evenly
from zoo.runs.load import load_run
from zoo.utils.progress import counted

_PICTURES = 8
_SEED = 31  # any; not that of a calibration


@dataclass(frozen=True)
class Shown:
    """A picture to compare by: as it is, or with a synthetic defect drawn by a seed."""

    path: Path
    defect_seed: int | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{self.path}{'' if self.defect_seed is None else ' with a synthetic defect'}"

    def pixels(self, judge: Predictor) -> np.ndarray:
        """Read it, uint8 (H, W, 3)."""
        pixels = judge.read(self.path)
        if self.defect_seed is None:
            return pixels
        [defect] = defects(self.defect_seed, 1, KINDS)
        return put_defect(pixels, defect)[0]


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes:
        agreements: One per graph.
        complaints: One line for all that is beyond what is allowed.
        notes: What a person should know of the comparison.
    """

    agreements: Sequence[Agreement]
    complaints: Sequence[str]
    notes: Sequence[str]

    def table(self) -> Iterator[str]:
        """Yield lines for people."""
        n_pictures = self.agreements[0].n_pictures
        yield f"differences from torch, {n_pictures} pictures (map, score: of the normal range)"
        yield from table(self.agreements)
        yield from self.notes


def standard_pictures(normal: Sequence[Path]) -> list[Shown]:
    """Return a few normal pictures as they are, and the same with defects: masks need some."""
    chosen = [normal[index] for index in evenly(len(normal), _PICTURES)]
    return [Shown(path) for path in chosen] + [
        Shown(path, _SEED + index) for index, path in enumerate(chosen)
    ]


def check_graphs(
    folder: Path,
    graphs: Sequence[Path],
    pictures: Sequence[Path | Shown],
    given: Mapping[str, float],
) -> Checked:
    """Predictor pictures by a run and by its graphs.

    Args:
        folder: The run.
        graphs: Exported graphs of it.
        pictures: What to judge.
        given: Tolerances in the place of the defaults.
    """
    shown = [each if isinstance(each, Shown) else Shown(each) for each in pictures]
    detector = load_run(folder, device="cpu")
    agreements, complaints, notes = [], [], []
    known: dict[tuple[bool, str], list[ImageResult]] = {}
    # Where pictures are cut, the run's limits do not hold, but those of its exact graph do.
    exact = [
        each.calibration
        for each in map(read_metadata, graphs)
        if each.is_cut and each.precision == "fp32"
    ]
    for path in graphs:
        graph = GraphPredictor(path, threads=torch.get_num_threads())
        reference: Predictor = detector
        calibration = detector.calibration
        if graph.metadata.is_cut:
            reference = _in_torch(detector.model, path, graph.metadata)
            calibration = exact[0] if exact else graph.calibration
            notes = ["pictures are cut into tiles of one size, in torch too for this comparison"]
        key = (graph.metadata.is_cut, str(calibration))
        if key not in known:
            known[key] = _judged(reference, calibration, shown, "pictures in torch")
        found = _judged(graph, graph.calibration, shown, f"pictures in {path.name}")
        precision = graph.metadata.precision
        agreements.append(compare(path.name, precision, known[key], found))
        complaints += agreements[-1].complaints(allowed(precision, given))
    return Checked(agreements, complaints, notes)


def _in_torch(model: AnomalibModule, path: Path, metadata: ExportMetadata) -> GraphPredictor:
    """Return what a graph of tiles would be in torch: it sees the same pixels."""
    side = metadata.tiling["layout"]["tile"]

    @torch.no_grad()
    def run(tiles: np.ndarray) -> dict[str, np.ndarray]:
        with after_resize(model, (side, side)):
            found = model(torch.from_numpy(tiles))
        return {name: getattr(found, name).numpy() for name in ("anomaly_map", "pred_score")}

    return GraphPredictor.from_graph(Graph(run, (None, 3, side, side), metadata), path)


def _judged(
    judge: Predictor, calibration: Calibration, shown: Sequence[Shown], doing: str
) -> list[ImageResult]:
    found = []
    for each in counted(shown, len(shown), doing):
        pixels = each.pixels(judge)
        [scored] = judge.score_images([judge.at_model_size(pixels)], [pixels.shape[:2]])
        done = finish(scored.score_map, scored.native_size, calibration, scored.score)
        # Maps at native size would fill the memory, and nobody compares them.
        done = replace(done, score_map=scored.score_map)
        found.append(ImageResult(each.name, scored.score_map, scored.score, done, calibration))
    return found
