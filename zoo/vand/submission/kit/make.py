"""Writes the kit: entry points, recipe, final weights, pins, manifest, report draft, ledger."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.runs.checksums import verify_all, write_checksums
from zoo.runs.folder import CONFIG, UNFINISHED, write_json
from zoo.utils.errors import ZooError
from zoo.utils.plain_yaml import dump_yaml
from zoo.vand.submission import ledger
from zoo.vand.submission.kit.manifest import ATTESTATION, CARRIED, distributions_of, manifest
from zoo.vand.submission.kit.pins import requirements
from zoo.vand.submission.kit.report import report
from zoo.vand.submission.runs import ObjectRun

WEIGHTS, UPLOADS = "weights", "uploads.csv"
_FILES = Path(__file__).parent / "files"
_ELSEWHERE = "./datasets/MVTec_AD_2"  # where people keep data is nobody's business


def make_kit(runs: Sequence[ObjectRun], folder: Path) -> Path:
    """Write a repository from one run per object.

    Args:
        runs: The runs; each must have kept its model.
        folder: Where it goes; nothing may be there.

    Raises:
        ZooError: Something is there, or a run kept no model.
    """
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise ZooError(f"{folder} is there already and nothing is overwritten: give a new folder")
    for run in runs:
        if not run.has_model:
            raise ZooError(f"run {run.folder} kept no model: repeat it without --keep none")
        verify_all(run.folder)
    folder = folder.resolve()
    aside = folder.with_name(folder.name + UNFINISHED)
    _remove(aside)
    try:
        _write(runs, aside)
        if folder.exists():
            folder.rmdir()
        aside.replace(folder)
    finally:
        _remove(aside)
    return folder


def _remove(folder: Path) -> None:
    """Remove what is in the way, a link itself and not what it leads to."""
    if folder.is_symlink():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _write(runs: Sequence[ObjectRun], folder: Path) -> None:
    shutil.copytree(_FILES, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "gitignore").rename(folder / ".gitignore")
    recipe = folder / f"{runs[0].recipe.replace('/', '-')}.yaml"
    recipe.write_text(recipe_text(runs[0]), encoding="utf-8")
    places = {}
    for run in runs:
        places[run.object_name] = Path(WEIGHTS, run.object_name, f"seed{run.seed}")
        _carry(run, folder / places[run.object_name])
    facts = manifest(runs, folder, recipe, places)
    write_json(folder / "manifest.json", facts)
    pins = requirements(distributions_of(runs))
    (folder / "requirements.txt").write_text(pins, encoding="utf-8")
    text = report(runs, facts, recipe.read_text(encoding="utf-8"))
    (folder / "report.md").write_text(text, encoding="utf-8")
    ledger.begin(folder / UPLOADS)


def recipe_text(run: ObjectRun) -> str:
    """Return a run's whole configuration as a recipe: without object, seed and places."""
    config = {key: run.config[key] for key in ("model", "data", "trainer") if key in run.config}
    init_args = dict(config["data"].get("init_args") or {})
    for key in ("root", "category"):
        init_args.pop(key, None)
    config["data"] = {**config["data"], "init_args": init_args}
    head = f"# {run.recipe}, every setting spelt out.\n"
    return head + dump_yaml(config)


def _carry(run: ObjectRun, target: Path) -> None:
    """Copy what judging with a run needs; its configuration without the data set's place."""
    target.mkdir(parents=True)
    for name in CARRIED:
        if (run.folder / name).is_file():
            shutil.copy2(run.folder / name, target / name)
    if not (target / ATTESTATION).is_file():  # which holds the hash of the configuration as it is
        (target / CONFIG).write_text(dump_yaml(_movable(run)), encoding="utf-8")
    write_checksums(target)


def _movable(run: ObjectRun) -> dict[str, Any]:
    """Return a run's configuration without the place of its data set."""
    config = {**run.config, "default_root_dir": "runs"}
    init_args = {**(config["data"].get("init_args") or {}), "root": _ELSEWHERE}
    config["data"] = {**config["data"], "init_args": init_args}
    return config
