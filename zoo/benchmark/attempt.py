"""One attempt at a run, in whichever process: carried out unless it is finished or somebody's."""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch

from zoo.benchmark.sealed.run import run_sealed
from zoo.recipes.command import ZooCLI
from zoo.runs.execute import Say
from zoo.runs.folder import note_failure
from zoo.runs.spec import RunSpec, result_text
from zoo.runs.training.resume import ResumePoint
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


def attempt(spec: RunSpec, say: Say) -> Outcome:
    """Carry out a run unless it is finished; whatever fails becomes the outcome.

    Args:
        spec: The run.
        say: Receives what is being done.
    """
    try:
        with _threads(spec.threads):
            command = spec.parse()
            return _finished_before(spec, command) or _locked(spec, command, say)
    except RunIsBusy as error:
        return Outcome("busy", str(error))
    except Exception as error:
        if reason := unwritable(error, spec.folder):
            return Outcome("unwritable", reason, traceback.format_exc())
        return failed(spec, one_line(error), traceback.format_exc())


def failed(spec: RunSpec, reason: str, trace: str = "") -> Outcome:
    """Leave the reason of a failure where the result would be, and return the outcome."""
    facts = {"recipe": spec.recipe, "object": spec.object_name, "seed": spec.seed}
    note_failure(spec.folder, facts | {"reason": reason})
    return Outcome("failed", reason, trace)


def _locked(spec: RunSpec, command: ZooCLI, say: Say) -> Outcome:
    with locked(spec.folder):
        # Somebody may have finished it before the lock was ours.
        if before := _finished_before(spec, command):
            return before
        spec = spec.with_known_splits(command)
        begin = time.perf_counter()
        metrics = (run_sealed if spec.is_sealed else RunSpec.run)(spec, command, say)
        seconds = time.perf_counter() - begin
        return Outcome("finished", f"{result_text(spec.splits, metrics)} ({duration(seconds)})")


def _finished_before(spec: RunSpec, command: ZooCLI) -> Outcome | None:
    done = spec.finished(command)
    if done is None:
        return None
    state = ResumePoint.beside(spec.folder, spec.hash(command), spec.is_sealed)
    if state.found():  # killed between the last step and the clearing up
        state.clear()
    return Outcome("skipped", f"finished before, {result_text(spec.splits, done)}")


@contextmanager
def _threads(wanted: int | None) -> Iterator[None]:
    """Let torch compute with so many threads inside the block: they are part of a run's hash."""
    before = torch.get_num_threads()
    with contextlib.ExitStack() as after:
        if wanted is not None and wanted != before:
            torch.set_num_threads(wanted)
            after.callback(torch.set_num_threads, before)
        yield
