"""Which families of light a run has seen already, in calibration or in training.

A family that set the threshold, or that the network was trained under, tests nothing new.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from zoo.data.relight import FAMILIES
from zoo.postprocess.calibration import Calibration
from zoo.postprocess.rules.text import rule_of
from zoo.utils.errors import ZooError

CALIBRATION, TRAINING = "calibration", "training"
# What of our families the published presets and the usual augmentations come close to.
_PRESETS = {
    "robis": ("gain",),
    "isvl": ("gain", "gradient", "spot"),
    "filter_former": ("gain", "gradient", "colour_cast"),
}
_AUGMENTATIONS = {
    "ColorJitter": ("gain", "gamma", "colour_cast"),
    "RandomPhotometricDistort": ("gain", "gamma", "colour_cast"),
}


def seen_families(config: dict[str, Any], calibration: Calibration) -> dict[str, tuple[str, ...]]:
    """Return for every family where it was seen: "calibration", "training", both or neither.

    Args:
        config: The run's full configuration. What a method does to its images inside is not in it.
        calibration: The calibration that holds.
    """
    trained = set(_trained(config))
    calibrated = set(FAMILIES) if _is_relit(calibration) else set()
    return {
        family: tuple(
            where
            for where, families in ((CALIBRATION, calibrated), (TRAINING, trained))
            if family in families
        )
        for family in FAMILIES
    }


def _is_relit(calibration: Calibration) -> bool:
    try:
        return "relit" in rule_of(calibration).needs
    except ZooError:  # set by hand, or by a rule that is no more
        return False


def _trained(value: Any) -> Iterator[str]:
    """Yield the families of every augmentation that a configuration names, at any depth."""
    if isinstance(value, list | tuple):
        for item in value:
            yield from _trained(item)
    if not isinstance(value, dict):
        return
    name = str(value.get("class_path", "")).rpartition(".")[2]
    yield from _AUGMENTATIONS.get(name, ())
    if name == "Relight":
        given = value.get("init_args") or {}
        yield from _PRESETS.get(given.get("preset"), given.get("families") or FAMILIES)
    for item in value.values():
        yield from _trained(item)
