"""A run folder becomes a predictor: its configuration builds the model, its checkpoint fills it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from anomalib.models import AnomalibModule
from jsonargparse import ArgumentError

from zoo import __version__
from zoo.data.tiling.recipe import tiled
from zoo.methods.guided_filter import filtered
from zoo.predict.torch_predictor import TorchPredictor
from zoo.recipes.language import Section, build_section, import_methods
from zoo.recipes.numbers import check_numbers
from zoo.recipes.parse_errors import readable
from zoo.recipes.trust import check_recipe, trusting
from zoo.runs.check import check_run, read_calibration
from zoo.runs.checkpoint import fill, post_processor_of, read_checkpoint
from zoo.runs.checksums import verify
from zoo.runs.folder import CONFIG, MODEL
from zoo.utils.errors import ZooError, one_line
from zoo.utils.plain_yaml import read_yaml

# The checkpoint brings all weights: none are fetched, and a file that was used may be gone.
_NOT_NEEDED = {"weights": "random", "pre_trained": False, "evaluator": False, "visualizer": False}


def load_run(folder: str | Path, device: str | None = None, trust: bool = False) -> TorchPredictor:
    """Rebuild the model of a run, ready to predict; arguments and errors as `load`."""
    folder = Path(folder).expanduser()
    check_run(folder)
    calibration = read_calibration(folder)
    model = load_model(folder, device, trust)
    post_processor_of(model).calibration = calibration
    return TorchPredictor(model, calibration)


def load_model(folder: Path, device: str | None = None, trust: bool = False) -> AnomalibModule:
    """Return the fitted model of a run without its calibration; see `load`."""
    return rebuild(folder, check_run(folder), device, trust)


def rebuild(
    folder: Path, metrics: Mapping[str, Any], device: str | None = None, trust: bool = False
) -> AnomalibModule:
    """Return the fitted model of a folder whose `metrics` may not be written yet; see `load`."""
    config = read_config(folder, trust)
    with _rebuilding(folder, metrics), trusting(trust):
        model = build_section(AnomalibModule, "model", _lean(config["model"]))
        filtered(tiled(model, config.get("tiling")), config.get("guided_filter"))
    checkpoint = read_checkpoint(folder / MODEL, model)
    with _rebuilding(folder, metrics):
        fill(model, checkpoint)
    return _moved(model, device)


def read_config(folder: Path, trust: bool = False) -> dict[str, Any]:
    """Return the configuration of a run, checked, with all methods imported.

    Raises:
        ZooError: It is damaged, or names code that is not trusted.
    """
    config = read_yaml(folder / CONFIG)
    if not isinstance(config, dict) or not {"model", "data"} <= set(config):
        raise ZooError(f"{folder / CONFIG}: names no model and data: copy the run again")
    import_methods()
    with trusting(trust):
        check_recipe(config, folder / CONFIG)
    check_numbers(config, folder / CONFIG)
    verify(folder, CONFIG)
    return config


def reason(error: Exception) -> str:
    """Return in one line why something could not be built."""
    parsing = isinstance(error, ArgumentError | TypeError | ValueError)
    return one_line(ZooError(readable(error, None))) if parsing else one_line(error)


def _lean(section: Section) -> Section:
    """Return the model's section without what a checkpoint brings or prediction never uses."""
    init_args = section.get("init_args") or {}
    lean = init_args | {key: value for key, value in _NOT_NEEDED.items() if key in init_args}
    if init_args.get("weights") == "embedded":
        lean["weights"] = "embedded"  # always here, and a method may normalise by them
    return {"class_path": section["class_path"], "init_args": lean}


@contextmanager
def _rebuilding(folder: Path, metrics: Mapping[str, Any]) -> Iterator[None]:
    """Make one line of whatever goes wrong: since the fit the class may have changed in any way."""
    try:
        yield
    except Exception as error:
        versions = f"written by anomalib-zoo {metrics.get('zoo_version')}, this is {__version__}"
        raise ZooError(f"run {folder} cannot be rebuilt ({versions}): {reason(error)}") from error


def _moved(model: AnomalibModule, device: str | None) -> AnomalibModule:
    try:
        return model.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built for it
        why = one_line(error, 120)
        raise ZooError(f"no device '{device}' ({why}): leave it out, or take cpu") from error
