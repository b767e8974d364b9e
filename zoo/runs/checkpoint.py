"""Checkpoints into models: numbers and plain data only, and the calibration that holds now."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from anomalib.models import AnomalibModule

from zoo.data.anomalib_internals import anomalib_safe_globals
from zoo.methods.post_processor import BlobPostProcessor
from zoo.postprocess.calibration import Calibration
from zoo.runs.check import read_calibration
from zoo.runs.checksums import verify
from zoo.runs.folder import CALIBRATION
from zoo.utils.errors import ZooError, one_line

_CONFIG = "anomalib_post_processor_config"


def read_checkpoint(path: Path, model: AnomalibModule) -> dict[str, Any]:
    """Return what a checkpoint holds; code in the file is refused, not run.

    Args:
        path: The file.
        model: The module that it will fill, which says what may be in it besides numbers.

    Raises:
        ZooError: The file cannot be read, is another one than the run wrote, or holds code.
    """
    verify(path.parent, path.name)
    try:
        with anomalib_safe_globals(extra=model.checkpoint_safe_globals()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ZooError(
            f"checkpoint {path} holds more than numbers and could run code: it was not opened; "
            "get it anew from where it was made"
        ) from error
    except Exception as error:  # a damaged file may fail in any way
        why = one_line(error, 120)
        raise ZooError(f"checkpoint {path} cannot be read ({why}): copy it again") from error


def post_processor_of(model: AnomalibModule) -> BlobPostProcessor:
    """Return the shared post-processor of a model that a run fitted or filled."""
    assert isinstance(model.post_processor, BlobPostProcessor)
    return model.post_processor


def fill(model: AnomalibModule, checkpoint: dict[str, Any]) -> None:
    """Put the numbers of a checkpoint into a model, short of its calibration."""
    if not isinstance(model.post_processor, BlobPostProcessor):  # a stock model's recipe
        model.post_processor = BlobPostProcessor()
    # The calibration that holds is calibration.json's: the one in here may be older.
    checkpoint.pop(_CONFIG, None)
    # Anomalib keeps only transforms that it knows; of others it would restore none at all.
    if (checkpoint.get("anomalib_pre_processor_config") or {}).get("transform") is None:
        checkpoint.pop("anomalib_pre_processor_config", None)
    model.on_load_checkpoint(checkpoint)
    model.load_state_dict(checkpoint["state_dict"])


def restore(model: AnomalibModule, path: Path) -> bool:
    """Fill a model with a checkpoint and its calibration, whatever post-processor the model has.

    The calibration of a run's folder outranks that of the checkpoint in it, which may be older.

    Args:
        model: A module of the class that wrote the checkpoint.
        path: The file.

    Returns:
        Whether there was a calibration; without one the model is left as it was.

    Raises:
        ZooError: The file is missing, damaged, holds code, or fits another model.
    """
    if not path.is_file():
        raise ZooError(f"no checkpoint at {path}: the file does not exist")
    checkpoint = read_checkpoint(path, model)
    calibration: Calibration | None
    if (path.parent / CALIBRATION).is_file():
        calibration = read_calibration(path.parent)
    else:
        data = (checkpoint.get(_CONFIG) or {}).get("calibration")
        calibration = Calibration.from_dict(data) if data else None
    if calibration is None:
        return False
    try:
        fill(model, checkpoint)
    except (RuntimeError, KeyError, AttributeError) as error:
        raise ZooError(
            f"checkpoint {path} does not fit the model ({one_line(error, 120)}): give the recipe "
            "and the options that it was fitted with"
        ) from error
    post_processor_of(model).calibration = calibration
    return True
