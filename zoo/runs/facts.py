"""What stands first in `metrics.json`: which run this is, by which code, and who admits it."""

from __future__ import annotations

from typing import Any

from anomalib.models import AnomalibModule

from zoo import __version__
from zoo.methods import admissibility
from zoo.methods.method import hooks_of
from zoo.methods.registry import Method, methods
from zoo.recipes.experiment import Experiment
from zoo.runs.code import zoo_commit
from zoo.runs.identity import Identity


def facts_of(experiment: Experiment, which: Identity, model: AnomalibModule) -> dict[str, Any]:
    """Return what stands first in `metrics.json`: which run this is, and who admits it."""
    return {
        "recipe": experiment.recipe,
        "method": method_name(type(model)),
        "object": experiment.object_name,
        "seed": experiment.seed,
        "data_fingerprint": which.data_fingerprint,
        "config_hash": which.config_hash,
        "settings_hash": which.settings_hash,
        "code_hash": which.code_hash,
        "vand4_admissible": admissible(experiment, model),
        "command": experiment.command,
        "zoo_version": __version__,
        "zoo_commit": zoo_commit(),
    }


def method_name(model_class: type) -> str:
    """Return the registered name of a class, or the class name of a stock anomalib model."""
    method = _method(model_class)
    return method.name if method else model_class.__name__


def admissible(experiment: Experiment, model: AnomalibModule) -> str:
    """Return whether VAND 4.0 admits what an experiment does with its model."""
    method, hooks = _method(type(model)), hooks_of(model)
    return admissibility.admissible(
        method.card if method else None,
        dict(experiment.model),
        hooks.transductive,
        experiment.ckpt_path,
        hooks.outside_images,
        data=dict(experiment.data),
        trainer=experiment.trainer,
    )


def _method(model_class: type) -> Method | None:
    found = (method for method in methods().values() if method.class_name == model_class.__name__)
    return next(found, None)
