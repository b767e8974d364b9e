"""Whether a network can fit the budget at all, found out before it is trained.

A rehearsal fits a recipe for one step on a few pictures: the network, its size and its graph are
those of the real fit, its scores are worth nothing. A memory bank of few pictures is smaller than
the real one, so what is measured is the least that a candidate costs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from zoo.benchmark.pick.candidates import Candidate
from zoo.data.images import image_size
from zoo.data.splits import VALIDATION
from zoo.data.stock import adopt
from zoo.export.cost import DeployedCost, deployed_cost
from zoo.export.graph import input_sizes, metadata_of, traced
from zoo.export.precision import FILE_NAMES, Precision, convert
from zoo.methods.post_processor import BlobPostProcessor
from zoo.postprocess.rules import Maximum
from zoo.predict.graph_files import write_metadata
from zoo.recipes.experiment import load
from zoo.runs.checkpoint import calibration_of
from zoo.runs.export import GraphInputs, accepted
from zoo.runs.fit import fit_and_calibrate
from zoo.utils.timing import Stopwatch

PICTURES = 8


def measure_cost(
    candidate: Candidate, good: Path, precisions: Sequence[Precision], device: str, folder: Path
) -> dict[Precision, DeployedCost]:
    """Return the least that each precision costs.

    Args:
        candidate: A recipe at a size.
        good: Folder of good pictures.
        precisions: What is tried.
        device: As OpenVINO names it.
        folder: Where temporary files may lie.
    """
    experiment = load(
        candidate.recipe.path,
        data={
            "class_path": "zoo.data.ImageFolders",
            "init_args": {"good": str(good.absolute()), "max_good": PICTURES},
        },
        overrides=candidate.pilot_overrides,
    )
    datamodule = adopt(experiment.build_data(), 0)
    model, trainer = experiment.build()
    model.post_processor = BlobPostProcessor(Maximum())  # reads no relit pictures
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".rehearsal-") as name:
        aside = Path(name)
        fit_and_calibrate(model, datamodule, trainer, aside, Stopwatch(), keep="none")
        model = model.to("cpu").eval()
        paths = [sample.image_path for sample in datamodule.listed(VALIDATION)]
        native_size = image_size(paths[0])
        size = next(iter(input_sizes(model, [native_size])), None)
        metadata = metadata_of(model, calibration_of(model), size)
        source = traced(model, aside / "traced", size)
        costs: dict[Precision, DeployedCost] = {}
        for precision in precisions:
            path = aside / f"{FILE_NAMES[precision]}.xml"
            convert(source, path, precision, GraphInputs(accepted(paths, metadata), metadata))
            write_metadata(path, metadata)
            costs[precision] = deployed_cost(path, native_size, device)
        return costs
