"""A sealed run: another process fits and calibrates, this one judges and writes the record."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from zoo import __version__
from zoo.benchmark.sealed.attestation import FORMAT, LIMITS, STATEMENT, outputs_of
from zoo.benchmark.sealed.files import readable, view, weight_folders
from zoo.benchmark.sealed.hidden import HiddenData
from zoo.benchmark.sealed.process import ANSWER
from zoo.data.datamodule import NativeDataModule
from zoo.recipes.experiment import Experiment
from zoo.recipes.trust import is_trusting
from zoo.runs.check import read_calibration
from zoo.runs.check_data import check_headers
from zoo.runs.checkpoint import post_processor_of
from zoo.runs.fit import Say
from zoo.runs.folder import ATTESTATION, write_json
from zoo.runs.rebuild import rebuild
from zoo.runs.resume import ResumePoint
from zoo.runs.run import Fitted, is_layout
from zoo.utils.errors import ZooError
from zoo.utils.paths import CACHE_VARIABLE, file_sha256
from zoo.utils.schema import read_json
from zoo.utils.timing import Stopwatch, versions

_JOB = "job.json"
# Not `-m`, which would look for code in the working folder, where recipes look for their files.
_START = (
    "import sys; sys.path[:] = filter(None, sys.path); "
    "from zoo.benchmark.sealed.process import main; sys.exit(main(sys.argv[1]))"
)


def fit_sealed(
    experiment: Experiment,
    datamodule: NativeDataModule,
    folder: Path,
    point: ResumePoint,
    say: Say,
) -> Fitted:
    """Fit and calibrate in a process that can read a view of the data and no more of it.

    Takes the place of `zoo.runs.run.fit_here`; the record is written when all is evaluated.

    Raises:
        ZooError: The data is of another layout or cannot be set apart, the recipe names some of
            it, the fit failed, or it touched what is sealed.
    """
    if not is_layout(experiment):
        raise ZooError("only data in the layout of MVTec AD 2 can be sealed: it has split folders")
    root = Path(experiment.data["init_args"]["root"])
    check_headers(datamodule, experiment.splits or ())  # the process itself never sees them
    with view(root, experiment.object_name, folder.parent) as place:
        answer = _fit_in_view(experiment, root, place, folder, point, say)
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
    experiment: Experiment, root: Path, place: Path, folder: Path, point: ResumePoint, say: Say
) -> dict[str, Any]:
    """Run the sealed process, and return its answer.

    Args:
        experiment: The run.
        root: The data set that is hidden.
        place: Folder from `view`.
        folder: The run's folder; model and calibration are written into it.
        point: Where the fit keeps its state, and goes on from if there is one.
        say: Receives what is being done.

    Returns:
        `resumed_from`, `false_alarms`, `phases`, `start_rss_mb`, `peak_rss_mb`, `reads`, `refused`,
        `touched`, `landlock_abi`.
    """
    point.folder.mkdir(exist_ok=True)
    own = [place, folder, point.folder]
    hidden = HiddenData(root, experiment.object_name)
    hidden.check_seen()
    hidden.check_named(experiment.model, "model")
    recipe = _recipe_path(experiment)
    sources = ["zoo", experiment.model["class_path"].partition(".")[0]]
    paths = readable(experiment.config, recipe, sources, own)
    hidden.check_apart(set(paths) - {path.resolve() for path in (*own, recipe)})
    # Processes that read images for this one would read unnoticed: there are none.
    seen = experiment.with_data(root=str(place / "data"), num_workers=0)
    sections = {key: part for key, part in seen.config.items() if key != "seed_everything"}
    job = {
        "experiment": {
            **sections,
            "recipe": seen.recipe,
            "object_name": seen.object_name,
            "seed": seen.seed,
            "folder": str(folder),
            "keep": seen.keep,
        },
        "readable": [str(path) for path in paths],
        "hidden": [str(path) for path in hidden.places],
        "sources": sources,
        "resume": {"folder": str(point.folder), "key": point.key},
        "threads": torch.get_num_threads(),
        "trust": is_trusting(),
    }
    (place / _JOB).write_text(json.dumps(job), encoding="utf-8")
    answer = _carry_out(place, say)
    if answer["touched"]:
        raise ZooError(
            f"the sealed process tried to {answer['touched'][0]}: the method or the recipe reaches "
            "for more than train and validation, so that the run is void"
        )
    if answer["error"]:
        refused = f" (refused: {', '.join(answer['refused'][:3])})" if answer["refused"] else ""
        raise ZooError(f"{answer['error']}{refused}")
    hidden.check_read(answer["files"])
    return answer


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
        "guards": {"landlock_abi": answer["landlock_abi"], "audit_hook": True},
        "refused": answer["refused"],
        "touched": answer["touched"],
        "reads": answer["reads"],
        "outputs": outputs_of(folder),
    }


def _carry_out(view: Path, say: Say) -> dict[str, Any]:
    """Run the process to its end, pass on what it says, and return its answer."""
    command = [sys.executable, "-c", _START, str(view / _JOB)]
    with (view / "stderr.txt").open("w+", encoding="utf-8") as errors:
        process = subprocess.Popen(
            command,
            env=_environment(view),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            for line in process.stdout or ():
                if line.startswith("say "):
                    say(f"sealed {line[4:].strip()}")
            process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        errors.seek(0)
        told = errors.read().strip().splitlines()
    try:
        return read_json(view / ANSWER)
    except ZooError:
        last = told[-1] if told else f"exit code {process.returncode}"
        raise ZooError(f"the sealed process ended without an answer: {last}") from None


def _environment(view: Path) -> dict[str, str]:
    """Return an environment that keeps libraries away from the person's own folders."""
    hub, torch_home = weight_folders()
    home = view / "home"
    home.mkdir()
    import_path = os.pathsep.join(path for path in sys.path if path)
    return os.environ | {
        "HOME": str(home),
        "TMPDIR": str(home),
        "XDG_CACHE_HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "MPLCONFIGDIR": str(home),
        "HF_HOME": str(hub),
        "TORCH_HOME": str(torch_home),
        "HF_HUB_OFFLINE": "1",
        CACHE_VARIABLE: str(view / "cache"),
        "PYTHONPATH": import_path,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
