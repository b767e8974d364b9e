"""A sealed run: another process fits and calibrates, this one judges and writes the record."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from anomalib.data import AnomalibDataModule
from anomalib.models import AnomalibModule

from zoo import __version__
from zoo.benchmark.sealed.attestation import FORMAT, LIMITS, STATEMENT, outputs_of
from zoo.benchmark.sealed.hidden import HiddenData
from zoo.benchmark.sealed.process import ANSWER
from zoo.benchmark.sealed.readable import readable, weight_folders
from zoo.benchmark.sealed.view import view
from zoo.data.datamodule import MVTecAD2Layout
from zoo.data.stock import adopt
from zoo.recipes.trust import is_trusting
from zoo.runs.check import read_calibration
from zoo.runs.execute import Say, judge, write_results
from zoo.runs.folder import ATTESTATION, CONFIG, MODEL, atomic_folder, write_json
from zoo.runs.load import build, rebuild
from zoo.runs.training.resume import ResumePoint
from zoo.utils.errors import ZooError
from zoo.utils.hashes import file_sha256
from zoo.utils.paths import CACHE_VARIABLE
from zoo.utils.schema import read_json
from zoo.utils.timing import PeakMemory, Stopwatch, versions

if TYPE_CHECKING:
    from zoo.recipes.command import ZooCLI
    from zoo.runs.spec import RunSpec

_JOB = "job.json"
# Not `-m`, which would look for code in the working folder, where recipes look for their files.
_START = (
    "import sys; sys.path[:] = filter(None, sys.path); "
    "from zoo.benchmark.sealed.process import main; sys.exit(main(sys.argv[1]))"
)


def run_sealed(spec: RunSpec, command: ZooCLI, say: Say) -> dict[str, Any]:
    """Carry a run out like `RunSpec.run`, sealed; returns what was written to `metrics.json`.

    Raises:
        ZooError: The data is of another layout, or see `fit_sealed`.
    """
    config = command.settings.as_dict()
    if config["data"]["class_path"].rpartition(".")[2] != MVTecAD2Layout.__name__:
        raise ZooError("only data in the layout of MVTec AD 2 can be sealed: it has split folders")
    root = Path(config["data"]["init_args"]["root"])
    recipe = Path(str(config["config"][0]))
    resume = ResumePoint.beside(spec.folder, spec.hash(command), is_sealed=True)
    with atomic_folder(spec.folder) as folder, view(root, spec.object_name, folder.parent) as place:
        (folder / CONFIG).write_text(command.settings_yaml, encoding="utf-8")
        sources = ["zoo", config["model"]["class_path"].partition(".")[0]]
        answer = fit_sealed(
            spec.words,
            config,
            recipe,
            root,
            spec.object_name,
            place,
            folder,
            sources,
            resume,
            say,
        )
        model = rebuild(folder, {"zoo_version": __version__})
        model.post_processor.calibration = read_calibration(folder)
        facts = spec.facts(command, model)
        metrics = _judge(spec, config, model, folder, facts, answer, say)
        if config["keep"] == "none":
            (folder / MODEL).unlink()
        record = attestation(folder, spec.recipe, recipe, facts, answer)
        write_json(folder / ATTESTATION, record)
    resume.clear()
    return metrics


def _judge(
    spec: RunSpec,
    config: dict[str, Any],
    model: AnomalibModule,
    folder: Path,
    facts: dict[str, Any],
    answer: dict[str, Any],
    say: Say,
) -> dict[str, Any]:
    """Evaluate the test splits in this process, which sees them."""
    datamodule = adopt(build(AnomalibDataModule, "data", config["data"]), spec.seed)
    watch = Stopwatch(answer["phases"])
    with PeakMemory() as memory:
        judged = judge(model, datamodule, spec.splits, folder, watch, say, config["keep"])
    memory.start_mb = min(memory.start_mb, answer["start_rss_mb"])
    memory.peak_mb = max(memory.peak_mb, answer["peak_rss_mb"])
    false_alarms = answer["false_alarms"]
    return write_results(model, folder, facts, false_alarms, judged, watch, memory)


def fit_sealed(
    words: tuple[str, ...],
    config: dict[str, Any],
    recipe: Path,
    root: Path,
    object_name: str,
    place: Path,
    folder: Path,
    sources: list[str],
    resume: ResumePoint,
    say: Say,
) -> dict[str, Any]:
    """Fit and calibrate in a process that can read a view of the data and no more of it.

    Args:
        words: Command line of `zoo train` for the run.
        config: The same, parsed.
        recipe: The recipe's file.
        root: The data set that is hidden.
        object_name: The object whose train and validation images are seen.
        place: Folder from `zoo.benchmark.sealed.view`.
        folder: The run's folder; model and calibration are written into it.
        sources: Packages whose files the record lists one by one.
        resume: Where the fit keeps its state, and goes on from if there is one.
        say: Receives what is being done.

    Returns:
        The process's answer: `resumed_from`, `false_alarms`, `phases`, `peak_rss_mb`, `reads`,
        `refused`, `touched`, `landlock_abi`.

    Raises:
        ZooError: The data set cannot be set apart, the recipe names some of it, the fit failed, or
            it touched what is sealed.
    """
    resume.folder.mkdir(exist_ok=True)
    own = [place, folder, resume.folder]
    hidden = HiddenData(root, object_name)
    hidden.check_seen()
    hidden.check_named(config["model"], "model")
    paths = readable(config, recipe, sources, own)
    hidden.check_apart(set(paths) - {each.resolve() for each in (*own, recipe)})
    job = {
        # Processes that read images for this one would read unnoticed: there are none.
        "words": [*words, "--data.root", str(place / "data"), "--data.num_workers", "0"],
        "readable": [str(path) for path in paths],
        "hidden": [str(path) for path in hidden.places],
        "data": str(place / "data"),
        "folder": str(folder),
        "sources": sources,
        "resume": {"folder": str(resume.folder), "key": resume.key},
        "seed": config["seed_everything"],
        "keep": config["keep"],
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


def attestation(
    folder: Path, recipe_name: str, recipe: Path, facts: dict[str, Any], answer: dict[str, Any]
) -> dict[str, Any]:
    """Return the record of a run whose folder holds all that the sealed process wrote."""
    return {
        "format": FORMAT,
        "statement": STATEMENT,
        "limits": LIMITS,
        "object": facts["object"],
        "seed": facts["seed"],
        "recipe": {"name": recipe_name, "sha256": file_sha256(recipe)},
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
            for line in process.stdout:
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
