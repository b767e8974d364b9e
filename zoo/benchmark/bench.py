"""Many runs: every recipe on every object with every seed, resumable, here or in many places."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from zoo.benchmark.attempt import Attempt
from zoo.benchmark.executors import Executor, choose
from zoo.benchmark.outlook import estimate_durations, lines
from zoo.benchmark.plan import plan
from zoo.data import layout
from zoo.recipes.experiment import Experiment, Keep
from zoo.runs.run import Run
from zoo.utils.errors import ZooError
from zoo.utils.progress import GridProgress


class Runs(list[Run]):
    """The runs of a grid that are there now.

    Attributes:
        n_finished: How many of them ran now.
        failed: Label and reason of runs that failed.
        busy: Label and holder of runs that another process is at.
    """

    def __init__(self) -> None:
        super().__init__()
        self.n_finished = 0
        self.failed: list[tuple[str, str]] = []
        self.busy: list[tuple[str, str]] = []


def bench(
    recipes: Sequence[str],
    data_root: str | Path,
    *,
    objects: Sequence[str] | None = None,
    seeds: Sequence[int] = (0,),
    splits: Sequence[str] | None = None,
    out: str | Path = "runs",
    keep: Keep = "model",
    sealed: bool = False,
    accept_old: bool = False,
    no_objects: Sequence[str] = (),
    jobs: int | None = None,
    threads: int | None = None,
    devices: Sequence[str] = (),
    executor: str = "local",
    address: str | None = None,
    dry_run: bool = False,
    debug: bool = False,
    log: Callable[[str], None] = print,
) -> Runs:
    """Run recipes on all objects of a data set: fit, calibrate, evaluate every split.

    Runs that are finished are not repeated; one that fails does not stop the others. Ctrl-C keeps
    what is finished, and the same call goes on later.

    Args:
        recipes: Names or files of the recipes.
        data_root: The data set, in the layout of MVTec AD 2.
        objects: Names; all by default.
        seeds: One run for each.
        splits: Test splits to evaluate; all on disk by default.
        out: Where run folders appear, as `<out>/<recipe>/<object>/seed<N>`.
        keep: Of each run "model", "maps" (all score maps besides) or "none".
        sealed: Fit and calibrate in a process that is given train and validation only; as with
            `jobs`, a script must call this below `if __name__ == "__main__"`.
        accept_old: Runs count as finished that other code made with the same settings.
        no_objects: Names of objects that mean something else where a recipe has them.
        jobs: Runs at a time, each in a process of its own; one, one per device, or what the
            cluster takes by default.
        threads: Of each run; by default all there are, divided among the jobs.
        devices: CUDA devices, one run at a time on each.
        executor: "local" for this machine, or "ray" for a cluster.
        address: Of the Ray cluster.
        dry_run: Log runs and time, and stop.
        debug: Whether libraries may print what they like, and tracebacks are shown.
        log: Receives the plan, line by line.

    Returns:
        The runs that are there now, in the order of the plan.

    Raises:
        ZooError: A recipe, an object or a split is not there, or nothing can be written.
    """
    root, out = Path(data_root), Path(out)
    if executor == "ray":  # its processes work in folders of their own
        root, out = root.resolve(), out.resolve()
    attempt = Attempt(sealed, accept_old)
    chosen = choose(attempt, executor, jobs, threads, devices, address, debug)
    experiments = plan(
        recipes, root, objects, seeds, splits, out, keep, sealed, chosen.threads, no_objects
    )
    for object_name in dict.fromkeys(planned.object_name for planned in experiments):
        for notice in layout.notices(root, object_name):
            print(f"{object_name}: {notice}", file=sys.stderr)
    outlook = estimate_durations(experiments, attempt)
    todo = [planned for planned in outlook if not planned.is_finished]
    log(f"{len(experiments)} runs into {out}, {len(todo)} to do")
    for line in lines(outlook, chosen.jobs, chosen.threads):
        log(line)
    runs = Runs()
    if dry_run:
        log("nothing was run")
    elif todo:
        log("Ctrl-C keeps what is finished, the same command goes on")
        expected = [planned.seconds for planned in todo]
        progress = GridProgress(len(todo), None, debug, chosen.jobs or 1, expected)
        run_all([planned.experiment for planned in todo], progress, chosen, runs)
    missing = {label for label, _ in [*runs.failed, *runs.busy]}
    if dry_run:
        missing |= {planned.experiment.label for planned in todo}
    runs += [Run(planned.folder) for planned in experiments if planned.label not in missing]
    return runs


def run_all(
    experiments: Sequence[Experiment], progress: GridProgress, executor: Executor, runs: Runs
) -> None:
    """Run experiments, and note how they went.

    A run that another process is at is left to it, and looked at once more in the end. Ctrl-C and
    a disk that takes nothing more end the grid.

    Args:
        experiments: What to run.
        progress: Shows how they go.
        executor: Carries them out.
        runs: Gets what failed, and what is busy.

    Raises:
        ZooError: The results cannot be written.
    """
    numbered = dict(enumerate(experiments))
    try:
        busy = _round(numbered, progress, executor, runs) if numbered else {}
        if busy and len(busy) < len(numbered):
            again = {index: numbered[index] for index in busy}
            busy = _round(again, progress, executor, runs)
    finally:
        progress.close()
    runs.busy += [(numbered[index].label, reason) for index, reason in busy.items()]


def _round(
    numbered: Mapping[int, Experiment], progress: GridProgress, executor: Executor, runs: Runs
) -> dict[int, str]:
    """Attempt every run once, and return which ones are somebody else's, and whose."""
    busy = {}
    with contextlib.closing(executor(numbered, progress)) as outcomes:
        for index, outcome in outcomes:
            if progress.debug and outcome.trace:
                print(outcome.trace, file=sys.stderr)
            if outcome.state == "unwritable":
                raise ZooError(outcome.text)
            if outcome.state == "busy":
                busy[index] = outcome.text
            elif outcome.state == "failed":
                runs.failed.append((numbered[index].label, outcome.text))
            runs.n_finished += outcome.state == "finished"
            text = f"FAILED: {outcome.text}" if outcome.state == "failed" else outcome.text
            progress.end(text, outcome.state == "finished", index)
    return busy
