"""What lies before a grid: which runs are finished, and how long the others may take."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from zoo.benchmark.attempt import Attempt
from zoo.recipes.experiment import Experiment
from zoo.runs.check import damage
from zoo.runs.documents import METRICS, read_cost, read_metrics
from zoo.runs.folder import ATTESTATION
from zoo.runs.identity import identity
from zoo.runs.run import finished, open_data
from zoo.utils.errors import ZooError
from zoo.utils.progress import duration

_MOST_LINES = 20  # more are told recipe by recipe

State = Literal[
    "finished before",
    "to do",
    "to do again, other settings",
    "to do again, made by other code",
    "to do again, damaged",
]


@dataclass(frozen=True)
class EstimatedDuration:
    """A planned run, its state, and the seconds it may take (None where nothing tells)."""

    experiment: Experiment
    state: State
    seconds: float | None

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing to do."""
        return self.state == "finished before"


def estimate_durations(
    experiments: Sequence[Experiment], attempt: Attempt
) -> list[EstimatedDuration]:
    """Return the outlook of every run, from what lies where their results will."""
    past = {folder: _past(folder) for folder in set(map(_recipe_folder, experiments))}
    return [
        EstimatedDuration(
            planned, _state(planned, attempt), _seconds(planned, past[_recipe_folder(planned)])
        )
        for planned in experiments
    ]


def makespan(seconds: Sequence[float], jobs: int) -> float:
    """Return the seconds until the last of some runs is through, `jobs` of them at a time."""
    free = [0.0] * max(1, jobs)
    for each in seconds:
        heapq.heapreplace(free, free[0] + each)
    return max(free)


def lines(outlook: Sequence[EstimatedDuration], jobs: int | None, threads: int) -> Iterator[str]:
    """Yield the plan for people: runs of one kind in one line, then the time it may take.

    Args:
        outlook: Of every run.
        jobs: Runs at a time; None where a cluster decides.
        threads: Of each run.
    """
    rows = [list(row) for _, row in groupby(outlook, key=_kind)]
    if len(rows) > _MOST_LINES:
        rows = [list(row) for _, row in groupby(outlook, key=lambda each: each.experiment.recipe)]
    yield from map(_line, rows)
    todo = [each for each in outlook if not each.is_finished]
    known = [each.seconds for each in todo if each.seconds is not None]
    if not todo:
        yield "nothing to do: all runs were finished before"
        return
    at_a_time = f"{jobs} at a time" if (jobs or 1) > 1 else "one after the other"
    how = f"{at_a_time}, {threads} thread{'s' * (threads > 1)} each"
    if not known:
        yield f"time unknown: no run of these recipes was measured here; {how}"
        return
    unknown = f", and {len(todo) - len(known)} of unknown time" * (len(known) < len(todo))
    yield f"about {duration(makespan(known, jobs or 1))} by what past runs took{unknown}; {how}"


def _kind(each: EstimatedDuration) -> tuple[Any, ...]:
    return each.experiment.recipe, each.experiment.object_name, each.state, each.seconds


def _line(row: Sequence[EstimatedDuration]) -> str:
    """Return `patchcore/embedded · badge · seeds 0 1 · to do, about 40 s each`."""
    recipe = row[0].experiment.recipe
    objects = list(dict.fromkeys(each.experiment.object_name for each in row))
    seeds = list(dict.fromkeys(each.experiment.seed for each in row))
    name = objects[0] if len(objects) == 1 else f"{len(objects)} objects"
    seed = f"seed{'s' * (len(seeds) > 1)} {' '.join(map(str, seeds))}"
    states = list(dict.fromkeys(each.state for each in row))
    counts = {state: sum(each.state == state for each in row) for state in states}
    told = states if len(states) == 1 else [f"{count} {state}" for state, count in counts.items()]
    return f"  {recipe} · {name} · {seed} · {', '.join(told)}{_each(row)}"


def _each(row: Sequence[EstimatedDuration]) -> str:
    todo = [each for each in row if not each.is_finished]
    if not todo:
        return ""
    known = [each.seconds for each in todo if each.seconds is not None]
    if not known:
        return ", time unknown"
    least, most = duration(min(known)), duration(max(known))
    each = " each" if len(todo) > 1 else ""
    return f", about {least if least == most else f'{least} to {most}'}{each}"


def _state(experiment: Experiment, attempt: Attempt) -> State:
    if damage(experiment.folder):
        return "to do again, damaged"
    metrics = read_metrics(experiment.folder)
    if metrics is None:
        return "to do"
    which = identity(experiment, open_data(experiment).fingerprint())
    files = (ATTESTATION,) if attempt.is_sealed else ()
    if finished(experiment, which, files, attempt.accept_old):
        return "finished before"
    other_code = which.is_of_other_code(metrics)
    return "to do again, made by other code" if other_code else "to do again, other settings"


def _recipe_folder(experiment: Experiment) -> Path:
    return experiment.folder.parent.parent


def _past(folder: Path) -> list[tuple[str, int, float]]:
    """Return object, threads and seconds of all runs of a recipe."""
    found = []
    for path in sorted(folder.glob(f"*/*/{METRICS}")):
        try:
            cost = read_cost(path.parent)
            found.append((path.parent.parent.name, cost["threads"], cost["total_s"]))
        except (ZooError, KeyError):
            continue  # a run without its cost tells nothing
    return found


def _seconds(experiment: Experiment, past: Sequence[tuple[str, int, float]]) -> float | None:
    """Return the mean of the same object with as many threads, or of what comes nearest."""
    for same in (
        [each for each in past if each[:2] == (experiment.object_name, experiment.threads)],
        [each for each in past if each[0] == experiment.object_name],
        past,
    ):
        if same:
            return sum(seconds for _, _, seconds in same) / len(same)
    return None
