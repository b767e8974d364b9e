"""One attempt at a run, in whichever process: made unless it is finished or somebody's."""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch

from zoo.recipes.experiment import Experiment
from zoo.runs.documents import result_text
from zoo.runs.folder import ATTESTATION, note_failure
from zoo.runs.identity import Identity, identity
from zoo.runs.run import (
    Fit,
    finished,
    fit_here,
    make_run,
    open_data,
    resume_point,
    with_known_splits,
)
from zoo.utils.atomic import unwritable
from zoo.utils.errors import one_line
from zoo.utils.lock import RunIsBusy, locked
from zoo.utils.progress import duration


@dataclass(frozen=True)
class Outcome:
    """How an attempt went, as plain data that can be sent to another process.

    Attributes:
        state: "finished" now, "skipped" since it was finished before, "busy" where another process
            computes it, "failed", or "unwritable" where no other run would fare better.
        text: The result or the reason, in one line.
        trace: The traceback of a failure.
    """

    state: Literal["finished", "skipped", "busy", "failed", "unwritable"]
    text: str
    trace: str = ""


@dataclass(frozen=True)
class Attempt:
    """What a grid does with each of its experiments; plain data, so that it can be sent.

    Attributes:
        is_sealed: Whether fit and calibration see train and validation only.
        accept_old: Whether a finished run counts that other code made.
    """

    is_sealed: bool = False
    accept_old: bool = False

    def __call__(self, experiment: Experiment, log: Callable[[str], None]) -> Outcome:
        """Run an experiment unless it is finished; whatever fails becomes the outcome.

        Args:
            experiment: What to run.
            log: Receives what is being done.
        """
        try:
            with _threads(experiment.threads):
                return self._run(experiment, log)
        except RunIsBusy as error:
            return Outcome("busy", str(error))
        except Exception as error:
            if reason := unwritable(error, experiment.folder):
                return Outcome("unwritable", reason, traceback.format_exc())
            return failed(experiment, one_line(error), traceback.format_exc())

    def _run(self, experiment: Experiment, log: Callable[[str], None]) -> Outcome:
        data = open_data(experiment)
        which = identity(experiment, data.fingerprint())
        if done := self._done_before(experiment, which):
            return done
        with locked(experiment.folder):
            # Somebody may have finished it before the lock was ours.
            if done := self._done_before(experiment, which):
                return done
            wanted, begin = with_known_splits(experiment, which), time.perf_counter()
            made = make_run(wanted, data, which, fit=self.fit, report=log)
        text = result_text(made.metrics, wanted.splits)
        return Outcome("finished", f"{text} ({duration(time.perf_counter() - begin)})")

    def _done_before(self, experiment: Experiment, which: Identity) -> Outcome | None:
        files = (ATTESTATION,) if self.is_sealed else ()
        metrics = finished(experiment, which, files, self.accept_old)
        if metrics is None:
            return None
        # A process that was killed between the last step and the clearing up left it.
        resume_point(experiment, which, self.fit).clear_own()
        return Outcome("skipped", f"finished before, {result_text(metrics, experiment.splits)}")

    @property
    def fit(self) -> Fit:
        """What fits and calibrates."""
        if not self.is_sealed:
            return fit_here
        from zoo.benchmark.sealed.run import fit_sealed

        return fit_sealed


def failed(experiment: Experiment, reason: str, trace: str = "") -> Outcome:
    """Leave the reason of a failure where the result would be, and return the outcome."""
    facts = {
        "recipe": experiment.recipe,
        "object": experiment.object_name,
        "seed": experiment.seed,
        "reason": reason,
    }
    note_failure(experiment.folder, facts)
    return Outcome("failed", reason, trace)


@contextmanager
def _threads(wanted: int | None) -> Iterator[None]:
    """Let torch compute with so many threads inside the block: they are part of a run's hash."""
    before = torch.get_num_threads()
    with contextlib.ExitStack() as after:
        if wanted is not None and wanted != before:
            torch.set_num_threads(wanted)
            after.callback(torch.set_num_threads, before)
        yield
