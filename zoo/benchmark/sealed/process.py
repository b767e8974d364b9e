"""The sealed process itself: fits and calibrates, and no more.

Everything that it may read is settled before torch, anomalib and the recipe's code are imported;
from then on the kernel (where it can) and an audit hook hold it to that. Only light modules of the
zoo are read before.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from zoo.benchmark.sealed import landlock
from zoo.benchmark.sealed.files import sorted_reads
from zoo.benchmark.sealed.guard import Guard
from zoo.utils.errors import ZooError, one_line
from zoo.utils.schema import read_json

ANSWER = "answer.json"  # what the process has to say at its end, in the folder of its view


def main(job_file: str) -> int:
    """Carry out a job and write the answer, also when it fails."""
    job = read_json(job_file)
    place = Path(job_file).with_name(ANSWER)
    paths = [Path(path) for path in job["readable"]]
    guard = Guard(paths, [Path(path) for path in job["hidden"]])
    answer: dict[str, Any] = {"error": None}
    kernel = landlock.restrict(paths)
    guard.watch()
    try:
        answer |= _fit(job)
    except Exception as error:
        answer["error"] = str(error) if isinstance(error, ZooError) else one_line(error)
    guard.stop()
    answer["landlock_abi"] = kernel
    answer["refused"] = list(dict.fromkeys(guard.refused))
    answer["touched"] = list(dict.fromkeys(guard.touched_hidden))
    if answer["error"] is None:
        own = [place.parent, *(Path(job[key]["folder"]) for key in ("experiment", "resume"))]
        answer["files"] = sorted(guard.reads)
        answer["reads"] = sorted_reads(guard.reads, place.parent / "data", own, job["sources"])
    place.write_text(json.dumps(answer), encoding="utf-8")
    return 1 if answer["error"] else 0


def _fit(job: dict[str, Any]) -> dict[str, Any]:
    """Fit and calibrate into the run's folder, and return what the judge's half needs."""
    from zoo.utils.process import quiet, return_memory, share_cores

    share_cores()
    return_memory()
    quiet()
    import torch

    from zoo.data.stock import adopt
    from zoo.recipes.experiment import Experiment
    from zoo.recipes.trust import trusting
    from zoo.runs.fit import fit_and_calibrate
    from zoo.runs.resume import ResumePoint
    from zoo.utils.paths import file_sha256
    from zoo.utils.timing import PeakMemory, Stopwatch

    torch.set_num_threads(job["threads"])
    fields = {**job["experiment"], "folder": Path(job["experiment"]["folder"])}
    experiment = Experiment(**fields)
    with trusting(job["trust"]):
        datamodule = adopt(experiment.build_data(), experiment.seed)
        model, trainer = experiment.build()
    watch = Stopwatch()
    resume = ResumePoint(Path(job["resume"]["folder"]), job["resume"]["key"])
    found = resume.found()
    resumed_from = file_sha256(found) if found else None
    with PeakMemory() as memory:
        false_alarms = fit_and_calibrate(
            model,
            datamodule,
            trainer,
            experiment.folder,
            watch,
            lambda text: print(f"say {text}", flush=True),
            ckpt_path=experiment.ckpt_path,
            keep="maps" if experiment.keep == "maps" else "model",
            resume=resume,
        )
    return {
        "resumed_from": resumed_from,
        "false_alarms": false_alarms,
        "phases": watch.phases,
        "peak_rss_mb": memory.peak_mb,
        "start_rss_mb": memory.start_mb,
    }
