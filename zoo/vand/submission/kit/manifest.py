"""Everything about a kit's runs that others can check, as plain data: `manifest.json`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from zoo import __version__
from zoo.methods.admissibility import with_calibration
from zoo.methods.card import Card
from zoo.methods.registry import find
from zoo.runs.code import code_facts
from zoo.runs.folder import ATTESTATION
from zoo.utils.errors import ZooError
from zoo.utils.paths import file_sha256
from zoo.vand.submission.runs import ObjectRun


def card_of(run: ObjectRun) -> Card | None:
    """Return the card of a run's method; a stock anomalib model has none."""
    try:
        return find(run.metrics["method"]).card
    except ZooError:
        return None


def admissible(run: ObjectRun) -> str:
    """Return whether VAND 4.0 admits a run as it is calibrated now: "yes", or "no: " and why."""
    # Without a note nobody has looked at what its recipe does.
    noted = run.metrics.get("vand4_admissible") or "no: the run does not state it"
    return with_calibration(noted, run.calibration.given)


def is_sealed(runs: Sequence[ObjectRun]) -> bool:
    """Whether every run has an attestation."""
    return all((run.folder / ATTESTATION).is_file() for run in runs)


def manifest(
    runs: Sequence[ObjectRun], kit: Path, recipe: Path, places: dict[str, Path]
) -> dict[str, Any]:
    """Return the manifest.

    Args:
        runs: One run per object.
        kit: The kit's folder, which holds recipe and runs already.
        recipe: The recipe's file in the kit.
        places: Folder of each object's run, below the kit.
    """
    first = runs[0]
    return {
        "track": "industrial",
        "recipe": first.recipe,
        "recipe_file": recipe.name,
        "recipe_sha256": file_sha256(recipe),
        "method": first.metrics["method"],
        "seed": first.seed,
        "sealed": is_sealed(runs),
        "vand4_admissible": {run.object_name: admissible(run) for run in runs},
        "zoo_version": __version__,
        "code": code_facts(first.config),
        "pretrained_weights": _pretrained(first),
        "runs": {
            run.object_name: {
                "folder": places[run.object_name].as_posix(),
                "command": run.metrics.get("command"),
                "config_hash": run.metrics["config_hash"],
                "data_fingerprint": run.metrics.get("data_fingerprint"),
                "sha256": {
                    path.name: file_sha256(path)
                    for path in sorted((kit / places[run.object_name]).iterdir())
                },
            }
            for run in runs
        },
    }


def _pretrained(run: ObjectRun) -> list[dict[str, Any]]:
    """Return the pretrained weights on the method's card; the recipe names those that it loads."""
    card, arguments = card_of(run), run.config["model"].get("init_args") or {}
    if card is None or arguments.get("weights") == "random":
        return []
    return [asdict(weights) for weights in card.weights]
