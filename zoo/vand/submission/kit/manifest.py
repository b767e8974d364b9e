"""Everything about a kit's runs that others can check, as plain data: `manifest.json`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from zoo import __version__
from zoo.methods.admissibility import with_calibration
from zoo.methods.card import Card
from zoo.methods.registry import find
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
    modules = {run.config["model"]["class_path"].rpartition(".")[0] for run in runs}
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
        "code_sha256": {name: code_sha256(name) for name in sorted({"zoo", *modules})},
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


def code_sha256(module: str) -> str:
    """Return the SHA-256 over all Python files of the package that a module belongs to."""
    package = find_spec(module)
    if package is None or package.origin is None:
        raise ZooError(f"there is no module '{module}': install the package that holds it")
    origin = Path(package.origin)
    is_package = package.submodule_search_locations or origin.with_name("__init__.py").is_file()
    digest = hashlib.sha256()
    for path in sorted(origin.parent.rglob("*.py")) if is_package else [origin]:
        digest.update(f"{path.relative_to(origin.parent).as_posix()}:".encode() + path.read_bytes())
    return digest.hexdigest()


def _pretrained(run: ObjectRun) -> list[dict[str, Any]]:
    """Return the pretrained weights that a run used, with licence and hash.

    A file is known by its hash, weights of a hub by the backbone's name. Of a method that tells
    neither, all weights on its card are listed.
    """
    card = card_of(run)
    listed = [asdict(weights) for weights in (card.weights if card else ())]
    arguments = run.config["model"].get("init_args") or {}
    named = str(arguments.get("weights", ""))
    if named == "random":
        return []
    if named == "hub":
        backbone = arguments.get("backbone")
        return [weights for weights in listed if weights["name"] == backbone] or listed
    path = _embedded(named) or Path(named).expanduser()
    if not named or not path.is_file():
        return listed
    digest = file_sha256(path)
    unknown = {"name": path.name, "source": None, "licence": None, "gated": None, "sha256": digest}
    return [weights for weights in listed if weights["sha256"] == digest] or [unknown]


def _embedded(named: str) -> Path | None:
    """Return the file of weights that come in a package."""
    from zoo.methods.embedded_vit import embedded_vit_file  # imports torch
    from zoo.methods.weights import embedded_file

    files = {"embedded": embedded_file, "embedded_vit": embedded_vit_file}
    return files[named]() if named in files else None
