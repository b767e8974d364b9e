"""Robustness without a private set: SegF1 of a fitted run on labelled images under other lights.

A light changes values and never geometry (`zoo.data.relight`), so that masks stay valid. These are
computed lights, easier than a lamp that moves: a drop here is a warning, no drop is no proof.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zoo.data.datamodule import NativeDataModule
from zoo.data.relight import FAMILIES, Light, relight_image
from zoo.data.sample import Sample
from zoo.methods.method import hooks_of
from zoo.metrics import PixelCounts
from zoo.postprocess.calibration import Calibration
from zoo.postprocess.finish import finish
from zoo.postprocess.rules.text import rule_of
from zoo.predict.scenes import evenly
from zoo.predict.torch_predictor import TorchPredictor
from zoo.results.leaderboard import drop
from zoo.results.style import COLOURS, RC
from zoo.utils.errors import ZooError
from zoo.utils.markdown import grid, percent
from zoo.utils.progress import counted
from zoo.utils.text import markdown_cell

CLEAN = "clean"
CALIBRATION, TRAINING = "calibration", "training"
LightScores = dict[tuple[str, int], float | None]  # SegF1 by family and severity
_TRAINING_LIGHT = "_regular"  # how MVTec AD 2 names images under the light of train
_MAX_PIXELS = 2_000_000  # of one batch of relit images
# What of our families a published preset and the usual augmentations come close to.
_PRESETS = {"superadd": ("gain",)}
_AUGMENTATIONS = {
    "ColorJitter": ("gain", "gamma", "colour_cast"),
    "RandomPhotometricDistort": ("gain", "gamma", "colour_cast"),
}
_NOTE = (
    "SegF1 and, in brackets, the relative drop from the images as they are; mean over objects.\n"
    "Computed lights, easier than a lamp that moves. [c] and [t]: the run saw this family in "
    "calibration or in training, so that it tests nothing new."
)
_PANELS = 3  # beside each other in a plot
_SEEN_COLOUR = "#f3efe2"


def under_lights(
    predictor: TorchPredictor,
    samples: Sequence[Sample],
    families: Sequence[str],
    severities: Sequence[int],
    seed: int,
) -> LightScores:
    """Return SegF1 by (family, severity), with ("clean", 0) for the images as they are.

    None stands where no pixel is marked and none is defective.

    Args:
        predictor: A fitted model; its thresholds stay what they are.
        samples: Labelled images.
        families: Families of light.
        severities: Severities; under one seed a higher one is the same lamp turned up.
        seed: Draws one lamp per image and family.

    Raises:
        ZooError: The model scores an image with the help of others.
    """
    if hooks_of(predictor.model).transductive:
        raise ZooError("a transductive model scores whole splits: it takes no single images")
    counts = {(CLEAN, 0): PixelCounts()}
    counts |= {(family, severity): PixelCounts() for family in families for severity in severities}
    for index, sample in enumerate(counted(samples, len(samples), "images under all lights")):
        pixels = predictor.read(sample.image_path)
        size = pixels.shape[:2]
        truth = sample.truth(size)
        assert truth is not None
        small = predictor.at_model_size(pixels)
        for key, score_map in _scored(predictor, small, size, list(counts), seed + index):
            counts[key].update(finish(score_map, size, predictor.calibration).mask, truth)
    return {key: count.segf1 for key, count in counts.items()}


def _scored(
    predictor: TorchPredictor,
    small: np.ndarray,
    native_size: tuple[int, int],
    keys: list[tuple[str, int]],
    seed: int,
) -> Iterator[tuple[tuple[str, int], np.ndarray]]:
    """Yield the score map of one image under each light, as many at a time as fit into memory."""
    size = max(1, _MAX_PIXELS // (small.shape[0] * small.shape[1]))
    for begin in range(0, len(keys), size):
        part = keys[begin : begin + size]
        lit = [
            small if family == CLEAN else relight_image(small, Light(family, severity, seed))
            for family, severity in part
        ]
        scored = predictor.score_images(lit, [native_size] * len(lit))
        for key, image in zip(part, scored, strict=True):
            yield key, image.score_map


def labelled(datamodule: NativeDataModule, split: str, limit: int | None) -> list[Sample]:
    """Return the images of a split that are under the training light, evenly thinned to `limit`.

    Raises:
        ZooError: There is no such split, it is empty, or its truth is not known here.
    """
    samples = datamodule.listed(split)
    if not all(sample.has_truth for sample in samples):
        raise ZooError(f"'{split}' of '{datamodule.object_name}' has no ground truth here")
    regular = [s for s in samples if s.image_path.stem.endswith(_TRAINING_LIGHT)]
    samples = regular or samples
    return [samples[index] for index in evenly(len(samples), limit or len(samples))]


def light_rows(
    scores: LightScores,
    recipe: str,
    object_name: str,
    n_images: int,
    seen: dict[str, tuple[str, ...]],
    settings_hash: str | None = None,
) -> list[dict[str, Any]]:
    """Return scores of one run as rows, with the relative drop from the images as they are.

    `severity` is 1 to 5, and 0 for the family `clean`; `drop` is None where clean is 0 or None;
    `seen` is "", "calibration", "training" or both; the hash tells other settings apart.
    """
    clean = scores[CLEAN, 0]
    return [
        {
            "recipe": recipe,
            "object": object_name,
            "family": family,
            "severity": severity,
            "segf1": segf1,
            "drop": drop(clean, segf1),
            "n_images": n_images,
            "seen": " and ".join(seen.get(family, ())),
            "settings_hash": settings_hash,
        }
        for (family, severity), segf1 in scores.items()
    ]


def seen_families(config: dict[str, Any], calibration: Calibration) -> dict[str, tuple[str, ...]]:
    """Return for every family where it was seen: "calibration", "training", both or neither.

    A family that set the threshold, or that the network was trained under, tests nothing new.

    Args:
        config: The run's full configuration. What a method does to its images inside is not in it.
        calibration: The calibration that holds.
    """
    trained = set(_trained(config))
    calibrated = set(FAMILIES) if _is_relit(calibration) else set()
    places = ((CALIBRATION, calibrated), (TRAINING, trained))
    return {
        family: tuple(place for place, families in places if family in families)
        for family in FAMILIES
    }


def _is_relit(calibration: Calibration) -> bool:
    try:
        return "relit" in rule_of(calibration).needs
    except ZooError:  # set by hand
        return False


def _trained(value: Any) -> Iterator[str]:
    """Yield the families of every augmentation that a configuration names, at any depth."""
    if isinstance(value, dict):
        name = str(value.get("class_path", "")).rpartition(".")[2]
        yield from _AUGMENTATIONS.get(name, ())
        if name == "Relight":
            given = value.get("init_args") or {}
            yield from _PRESETS.get(str(given.get("preset"))) or given.get("families") or FAMILIES
    if isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _trained(item)


def robustness_table(rows: pd.DataFrame) -> str:
    """Return a markdown table per recipe, with a row per family and a column per severity.

    Args:
        rows: As `light_rows` gives them. The drop is that of the means, as in the challenges.
    """
    return "\n\n".join([_NOTE, *(_recipe_table(str(n), g) for n, g in rows.groupby("recipe"))])


def label(family: str, seen: str) -> str:
    """Return a family with the marks of where it was seen.

    Example:
        >>> label("gain", "calibration and training"), label("spot", "")
        ('gain [c, t]', 'spot')
    """
    marks = [place[0] for place in (CALIBRATION, TRAINING) if place in seen]
    return f"{family} [{', '.join(marks)}]" if marks else family


def _recipe_table(recipe: str, rows: pd.DataFrame) -> str:
    of_objects = rows.groupby(["family", "severity", "object"], sort=False)["segf1"].mean()
    means = of_objects.groupby(["family", "severity"], sort=False).mean()  # seeds come first
    clean = means[CLEAN, 0]
    lit = rows[rows["severity"] > 0]
    severities = sorted(lit["severity"].unique())
    lines = [["as they are", percent(clean), *[""] * (len(severities) - 1)]]
    for family, part in lit.groupby("family", sort=False):
        cells = [_cell(means[family, severity], clean) for severity in severities]
        lines.append([label(str(family), " ".join(part["seen"].fillna(""))), *cells])
    names = markdown_cell(", ".join(sorted(rows["object"].unique())))
    table = grid(["severity", *map(str, severities)], lines)
    return f"**{markdown_cell(recipe)}** ({names})\n\n{table}"


def _cell(segf1: float, clean: float) -> str:
    loss = drop(clean, segf1)
    return percent(segf1) + ("" if loss is None else f" ({percent(loss)})")


@mpl.rc_context(RC | {"font.size": 9})
def plot(rows: pd.DataFrame, path: Path) -> None:
    """Write a PNG: SegF1 over severity, one panel per family, objects thin and their mean in bold.

    Args:
        rows: Of one recipe, as `light_rows` gives them.
        path: Where to write.
    """
    families = list(dict.fromkeys(rows.loc[rows["severity"] > 0, "family"]))
    n_rows = -(-len(families) // _PANELS)
    figure = Figure(figsize=(3.2 * _PANELS, 2.4 * n_rows + 0.7), layout="constrained")
    panels = figure.subplots(n_rows, _PANELS, sharex=True, sharey=True, squeeze=False).ravel()
    for family, axes in zip(families, panels, strict=False):
        _panel(axes, rows, family)
    for axes in panels[len(families) :]:
        axes.set_visible(False)
    recipe, n_images = rows["recipe"].iloc[0], rows.groupby("object")["n_images"].first().sum()
    figure.suptitle(f"{recipe}: SegF1 under other lights, {n_images} images")
    figure.supxlabel("severity (0: as they are)")
    figure.supylabel("SegF1, %")
    top = 100 * rows["segf1"].fillna(0.0).max()
    panels[0].set_ylim(0, min(100, 10 * math.ceil(max(top, 5) / 9)))  # shared by all
    figure.savefig(path, dpi=130)


def _panel(axes: Axes, rows: pd.DataFrame, family: str) -> None:
    part = rows[(rows["family"] == family) | (rows["severity"] == 0)]
    scores = 100 * part.pivot_table(index="severity", columns="object", values="segf1")
    if len(scores.columns) > 1:
        axes.plot(scores.index, scores.to_numpy(), color=COLOURS[0], alpha=0.4, linewidth=1)
    axes.plot(scores.mean(axis=1), color=COLOURS[0], linewidth=2, marker="o", markersize=4)
    seen = " ".join(rows.loc[rows["family"] == family, "seen"].fillna(""))
    axes.set_title(label(family, seen), fontsize=9)
    if seen.strip():
        axes.set_facecolor(_SEEN_COLOUR)
    axes.set_xticks(list(scores.index))
