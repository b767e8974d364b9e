"""A sealed run: another process fits and calibrates, this one evaluates and writes the record."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from zoo import __version__
from zoo.benchmark.executors import Setup
from zoo.benchmark.sealed.attestation import FORMAT, LIMITS, STATEMENT, outputs_of
from zoo.benchmark.sealed.hidden import HiddenData
from zoo.benchmark.sealed.process import Job, main
from zoo.benchmark.sealed.view import view
from zoo.data.datamodule import NativeDataModule
from zoo.recipes.experiment import Experiment
from zoo.recipes.trust import is_trusting
from zoo.runs.check import read_calibration
from zoo.runs.checkpoint import post_processor_of
from zoo.runs.folder import ATTESTATION, write_json
from zoo.runs.rebuild import rebuild
from zoo.runs.resume import ResumePoint
from zoo.runs.run import Fitted, is_layout
from zoo.runs.training import Report
from zoo.utils.errors import ZooError
from zoo.utils.paths import file_sha256
from zoo.utils.timing import Stopwatch, versions

_SPAWN = multiprocessing.get_context("spawn")  # a new interpreter, which holds nothing of ours


def fit_sealed(
    experiment: Experiment,
    datamodule: NativeDataModule,
    folder: Path,
    point: ResumePoint,
    log: Report,
) -> Fitted:
    """Fit and calibrate in a process that is given a view of the data and no more of it.

    Takes the place of `zoo.runs.run.fit_here`; the record is written when all is evaluated.

    Raises:
        ZooError: The data is of another layout or cannot be set apart, the recipe names some of
            it, the fit failed, or it touched what is sealed.
    """
    if not is_layout(experiment):
        raise ZooError("only data in the layout of MVTec AD 2 can be sealed: it has split folders")
    root = Path(experiment.data["init_args"]["root"])
    datamodule.check_headers(experiment.splits or ())  # the process itself never sees them
    with view(root, experiment.object_name, folder.parent) as place:
        answer = _fit_in_view(experiment, root, place, folder, point, log)
    model = rebuild(folder, {"zoo_version": __version__})
    post_processor_of(model).calibration = read_calibration(folder)

    def conclude(facts: dict[str, Any], folder: Path) -> None:
        write_json(folder / ATTESTATION, attestation(folder, experiment, facts, answer))

    return Fitted(
        model,
        answer["false_alarms"],
        Stopwatch(answer["phases"]),
        answer["start_rss_mb"],
        answer["peak_rss_mb"],
        conclude,
    )


def _fit_in_view(
    experiment: Experiment, root: Path, place: Path, folder: Path, point: ResumePoint, log: Report
) -> dict[str, Any]:
    """Run the sealed process on a folder from `view`, and return its answer, see `process.main`."""
    point.folder.mkdir(exist_ok=True)
    hidden = HiddenData(root, experiment.object_name)
    hidden.check_seen()
    hidden.check_named(experiment.model, "model")
    _recipe_path(experiment)
    # Processes that read images for this one would read unnoticed: there are none.
    seen = replace(experiment.with_data(root=str(place / "data"), num_workers=0), folder=folder)
    job = Job(seen, place, hidden.places, point, torch.get_num_threads(), is_trusting())
    answer = _run_process(job, log)
    if answer["touched"]:
        raise ZooError(
            f"the sealed process tried to {answer['touched'][0]}: the method or the recipe reaches "
            "for more than train and validation, so that the run is void"
        )
    if answer["error"]:
        raise ZooError(answer["error"])
    hidden.check_read(answer["files"])
    return answer


def _run_process(job: Job, log: Report) -> dict[str, Any]:
    """Run the process to its end, pass on its messages, and return its answer."""
    pipe, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=main, args=(theirs, Setup()))
    process.start()
    theirs.close()
    try:
        pipe.send(job)
        kind, content = pipe.recv()
        while kind == "message":
            log(f"sealed {content}")
            kind, content = pipe.recv()
        return dict(content)
    except (EOFError, OSError):
        process.join()
        raise ZooError(
            f"the sealed process ended without an answer, with code {process.exitcode}: "
            "run without --sealed to see why"
        ) from None
    finally:
        process.kill()
        process.join()


def _recipe_path(experiment: Experiment) -> Path:
    if experiment.recipe_path is None:
        raise ZooError("only a run of a recipe's file can be sealed: name one")
    return Path(experiment.recipe_path)


def attestation(
    folder: Path, experiment: Experiment, facts: dict[str, Any], answer: dict[str, Any]
) -> dict[str, Any]:
    """Return the record of a run whose folder holds all that the sealed process wrote."""
    return {
        "format": FORMAT,
        "statement": STATEMENT,
        "limits": LIMITS,
        "object": facts["object"],
        "seed": facts["seed"],
        "recipe": {"name": experiment.recipe, "sha256": file_sha256(_recipe_path(experiment))},
        "config_hash": facts["config_hash"],
        "versions": versions(),
        "resumed_from": answer["resumed_from"],
        "reads": answer["reads"],
        "outputs": outputs_of(folder),
    }
