"""What lies before a grid: which runs are finished, and how long the others may take."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from zoo.runs.damage import damage
from zoo.runs.documents import METRICS, read_cost, read_metrics
from zoo.runs.spec import RunSpec
from zoo.utils.errors import ZooError
from zoo.utils.progress import duration

_MOST_LINES = 20  # more are told recipe by recipe

State = Literal["finished before", "to do", "to do again, other settings", "to do again, damaged"]


@dataclass(frozen=True)
class EstimatedDuration:
    """A planned run, its state, and the seconds it may take (None where nothing tells)."""

    spec: RunSpec
    state: State
    seconds: float | None

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing to do."""
        return self.state == "finished before"


def estimate_durations(specs: Sequence[RunSpec]) -> list[EstimatedDuration]:
    """Return the outlook of every run, from what lies where their results will."""
    past = {folder: _past(folder) for folder in {_recipe_folder(spec) for spec in specs}}
    return [
        EstimatedDuration(spec, _state(spec), _seconds(spec, past[_recipe_folder(spec)]))
        for spec in specs
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
        rows = [list(row) for _, row in groupby(outlook, key=lambda each: each.spec.recipe)]
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
    return each.spec.recipe, each.spec.object_name, each.state, each.seconds


def _line(row: Sequence[EstimatedDuration]) -> str:
    """Return `patchcore/embedded · badge · seeds 0 1 · to do, about 40 s each`."""
    recipe = row[0].spec.recipe
    objects = list(dict.fromkeys(each.spec.object_name for each in row))
    seeds = list(dict.fromkeys(each.spec.seed for each in row))
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


def _state(spec: RunSpec) -> State:
    if damage(spec.folder):
        return "to do again, damaged"
    if read_metrics(spec.folder) is None:
        return "to do"  # without the time that parsing takes
    is_finished = spec.finished(spec.parse()) is not None
    return "finished before" if is_finished else "to do again, other settings"


def _recipe_folder(spec: RunSpec) -> Path:
    return spec.folder.parent.parent


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


def _seconds(spec: RunSpec, past: Sequence[tuple[str, int, float]]) -> float | None:
    """Return the mean of the same object with as many threads, or of what comes nearest."""
    for same in (
        [each for each in past if each[:2] == (spec.object_name, spec.threads)],
        [each for each in past if each[0] == spec.object_name],
        past,
    ):
        if same:
            return sum(seconds for _, _, seconds in same) / len(same)
    return None
