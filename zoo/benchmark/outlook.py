"""What lies before a grid: which runs are finished, and how long the others may take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.benchmark.attempt import Attempt
from zoo.recipes.experiment import Experiment
from zoo.runs.check import damage
from zoo.runs.documents import METRICS, read_cost, read_metrics
from zoo.runs.folder import ATTESTATION
from zoo.runs.identity import identity
from zoo.runs.run import finished, open_data
from zoo.utils.errors import ZooError
from zoo.utils.progress import duration

FINISHED = "finished before"
_MOST_NAMES = 4  # of objects in a line


@dataclass(frozen=True)
class EstimatedDuration:
    """A planned run, its state, and the seconds it may take (None where no past run tells)."""

    experiment: Experiment
    state: str
    seconds: float | None

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing to do."""
        return self.state == FINISHED


def estimate_durations(
    experiments: Sequence[Experiment], attempt: Attempt
) -> list[EstimatedDuration]:
    """Return the outlook of every run, from what lies where their results will."""
    past: dict[Path, list[tuple[str, float]]] = {}
    outlook = []
    for planned in experiments:
        folder = planned.folder.parent.parent
        if folder not in past:
            past[folder] = list(_past(folder))
        # The same object, or all of them.
        alike = [seconds for name, seconds in past[folder] if name == planned.object_name]
        known = alike or [seconds for _, seconds in past[folder]]
        seconds = sum(known) / len(known) if known else None
        outlook.append(EstimatedDuration(planned, _state(planned, attempt), seconds))
    return outlook


def lines(outlook: Sequence[EstimatedDuration], jobs: int | None, threads: int) -> Iterator[str]:
    """Yield the plan for people: one line per recipe, then the time that all may take.

    Args:
        outlook: Of every run.
        jobs: Runs at a time; None where a cluster decides.
        threads: Of each run.
    """
    for recipe in dict.fromkeys(planned.experiment.recipe for planned in outlook):
        yield _line(recipe, [planned for planned in outlook if planned.experiment.recipe == recipe])
    todo = [planned for planned in outlook if not planned.is_finished]
    known = [planned.seconds for planned in todo if planned.seconds is not None]
    if not todo:
        yield "nothing to do: all runs were finished before"
        return
    at_a_time = f"{jobs} at a time" if (jobs or 1) > 1 else "one after the other"
    how = f"{at_a_time}, {threads} thread{'s' * (threads > 1)} each"
    if not known:
        yield f"time unknown: no run of these recipes was measured here; {how}"
        return
    unknown = f", and {len(todo) - len(known)} of unknown time" * (len(known) < len(todo))
    seconds = max(sum(known) / (jobs or 1), *known)
    yield f"about {duration(seconds)} by what past runs took{unknown}; {how}"


def _line(recipe: str, row: Sequence[EstimatedDuration]) -> str:
    """Return `patchcore/embedded · badge, disc · seeds 0 1 · 4 to do, about 40 s each`."""
    objects = list(dict.fromkeys(planned.experiment.object_name for planned in row))
    seeds = list(dict.fromkeys(planned.experiment.seed for planned in row))
    names = ", ".join(objects) if len(objects) <= _MOST_NAMES else f"{len(objects)} objects"
    states = Counter(planned.state for planned in row)
    counts = ", ".join(f"{count} {state}" for state, count in states.items())
    counts = counts if len(row) > 1 else row[0].state
    known = [p.seconds for p in row if not p.is_finished and p.seconds is not None]
    mean = f", about {duration(sum(known) / len(known))} each" if known else ""
    seed = f"seed{'s' * (len(seeds) > 1)} {' '.join(map(str, seeds))}"
    return f"  {recipe} · {names} · {seed} · {counts}{mean}"


def _state(experiment: Experiment, attempt: Attempt) -> str:
    if damage(experiment.folder):
        return "to do again, damaged"
    metrics = read_metrics(experiment.folder)
    if metrics is None:
        return "to do"
    which = identity(experiment, open_data(experiment).fingerprint())
    files = (ATTESTATION,) if attempt.is_sealed else ()
    if finished(experiment, which, files, attempt.accept_old):
        return FINISHED
    other_code = which.is_of_other_code(metrics)
    return "to do again, made by other code" if other_code else "to do again, other settings"


def _past(folder: Path) -> Iterator[tuple[str, float]]:
    """Yield object and seconds of all runs of a recipe."""
    for path in sorted(folder.glob(f"*/*/{METRICS}")):
        try:
            yield path.parent.parent.name, read_cost(path.parent)["total_s"]
        except (ZooError, KeyError):
            continue  # a run without its cost tells nothing
