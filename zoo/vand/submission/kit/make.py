"""Writes the kit: entry points, recipe, final weights, pins, manifest, report draft, ledger."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from zoo.methods.registry import find
from zoo.runs.checksums import verify_all, write_checksums
from zoo.runs.documents import COST, METRICS
from zoo.runs.folder import ATTESTATION, CALIBRATION, CONFIG, MODEL, UNFINISHED, write_json
from zoo.utils.errors import ZooError
from zoo.utils.plain_yaml import dump_yaml
from zoo.vand.submission.kit.manifest import manifest
from zoo.vand.submission.kit.report import report
from zoo.vand.submission.runs import ObjectRun

_FILES = Path(__file__).parent / "files"
_ELSEWHERE = "./datasets/MVTec_AD_2"  # where people keep data is nobody's business
_UPLOADS = "uploaded_utc,archive,sha256,by,note,segf1_private,segf1_private_mixed\n"
_OF_TORCH = re.compile(r"(nvidia|cuda|triton)(-|$)")  # follow from torch's pin, differ by platform


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
        if not run.keeps_model:
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


def requirements(names: Iterable[str]) -> str:
    """Return `requirements.txt`: the installed versions of distributions and all they require."""
    names = sorted(set(names))
    found = {_key(dist.name): dist for dist in _closure(names)}
    own = [found.pop(_key(name)) for name in names if _key(name) in found]
    others = [found[name] for name in sorted(found) if not _OF_TORCH.match(name)]
    return "\n".join([*(line for dist in own for line in _own(dist)), "", *map(_pin, others), ""])


def _write(runs: Sequence[ObjectRun], folder: Path) -> None:
    shutil.copytree(_FILES, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "gitignore").rename(folder / ".gitignore")
    recipe = folder / f"{runs[0].recipe.replace('/', '-')}.yaml"
    text = _recipe_text(runs[0])
    recipe.write_text(text, encoding="utf-8")
    places = {run.object_name: Path("weights", run.object_name, f"seed{run.seed}") for run in runs}
    for run in runs:
        _copy_run(run, folder / places[run.object_name])
    facts = manifest(runs, folder, recipe, places)
    write_json(folder / "manifest.json", facts)
    pins = requirements(_distributions(runs[0]))
    (folder / "requirements.txt").write_text(pins, encoding="utf-8")
    (folder / "report.md").write_text(report(runs, facts, text), encoding="utf-8")
    (folder / "uploads.csv").write_text(_UPLOADS, encoding="utf-8")


def _recipe_text(run: ObjectRun) -> str:
    """Return a run's whole configuration as a recipe: without object, seed and places."""
    config = {key: run.config[key] for key in ("model", "data", "trainer") if key in run.config}
    init_args = dict(config["data"].get("init_args") or {})
    for key in ("root", "category"):
        init_args.pop(key, None)
    config["data"] = {**config["data"], "init_args": init_args}
    return f"# {run.recipe}, every setting spelt out.\n{dump_yaml(config)}"


def _copy_run(run: ObjectRun, target: Path) -> None:
    """Copy what predicting with a run needs; its configuration without the data set's place."""
    target.mkdir(parents=True)
    for name in (CONFIG, MODEL, CALIBRATION, METRICS, COST, ATTESTATION):
        if (run.folder / name).is_file():
            shutil.copy2(run.folder / name, target / name)
    if not (target / ATTESTATION).is_file():  # which holds the hash of the configuration as it is
        (target / CONFIG).write_text(dump_yaml(_movable(run)), encoding="utf-8")
    write_checksums(target)


def _movable(run: ObjectRun) -> dict[str, Any]:
    """Return a run's configuration without the place of its data set."""
    config = {**run.config, "default_root_dir": "runs"}
    init_args = {**(config["data"].get("init_args") or {}), "root": _ELSEWHERE}
    return {**config, "data": {**config["data"], "init_args": init_args}}


def _remove(folder: Path) -> None:
    """Remove what is in the way, a link itself and not what it leads to."""
    if folder.is_symlink():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _distributions(run: ObjectRun) -> set[str]:
    """Return the distributions that a run's model comes from, anomalib-zoo among them."""
    try:
        return {"anomalib-zoo", find(run.metrics["method"]).distribution}
    except ZooError:  # a stock model of anomalib, which anomalib-zoo requires
        return {"anomalib-zoo"}


def _closure(names: Iterable[str]) -> Iterator[Distribution]:
    todo, seen = list(names), set[str]()
    while todo:
        try:
            found = distribution(todo.pop())
        except PackageNotFoundError:  # an alternative that is not used here
            continue
        if _key(found.name) in seen:
            continue
        seen.add(_key(found.name))
        yield found
        required = map(Requirement, found.requires or [])
        todo += [r.name for r in required if not r.marker or r.marker.evaluate({"extra": ""})]


def _own(found: Distribution) -> Iterator[str]:
    """Yield the pin of a package that may come from elsewhere than an index."""
    source = json.loads(found.read_text("direct_url.json") or "{}")
    commit = source.get("vcs_info", {}).get("commit_id")
    if commit:
        yield f"{found.name} @ git+{source['url']}@{commit}"
        return
    if source:
        yield f"# {found.name} was installed from a folder: put here where others find this version"
    yield _pin(found)


def _pin(found: Distribution) -> str:
    # `2.10.0+cpu` is an index's own name for 2.10.0
    return f"{found.name}=={found.version.partition('+')[0]}"


def _key(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
