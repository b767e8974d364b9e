"""The sealed process itself: fits and calibrates on its view of the data, and no more."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.benchmark.executors import Setup
from zoo.benchmark.sealed.view import digests_of
from zoo.utils.errors import ZooError, one_line
from zoo.utils.paths import CACHE_VARIABLE

if TYPE_CHECKING:
    from zoo.recipes.experiment import Experiment
    from zoo.runs.resume import ResumePoint

_READS = {"open", "os.listdir", "os.scandir"}  # events that begin with a path


@dataclass(frozen=True)
class Job:
    """What a sealed process does, as plain data that is sent to it.

    Attributes:
        experiment: The run; its data is that of the view.
        view: Folder from `zoo.benchmark.sealed.view.view`.
        hidden: Real folders of the data set.
        point: Where the fit keeps its state, and goes on from if there is one.
        threads: Torch threads.
        trust: Whether recipes and checkpoints are used unchecked.
    """

    experiment: Experiment
    view: Path
    hidden: Sequence[Path]
    point: ResumePoint
    threads: int
    trust: bool


class Reads:
    """What Python reads in this process; reading the hidden data set is refused.

    An audit hook cannot be taken off again. Files that a library opens in C or Rust raise no event:
    they are neither noted nor refused.

    Args:
        hidden: Real folders of which nothing may be opened or listed.
        own: Folders that may be read although they lie in one of them.

    Attributes:
        files: Real paths of all files that were opened.
        touched: What was refused, such as `open /data/a.png`, in order.
    """

    def __init__(self, hidden: Sequence[Path], own: Sequence[Path]) -> None:
        self.files: set[str] = set()
        self.touched: list[str] = []
        self._hidden = tuple(_prefix(path) for path in hidden)
        self._own = tuple(_prefix(path) for path in own)
        self._watches = True
        sys.addaudithook(self._hook)

    def stop(self) -> None:
        """Look away: the fit is over, and what was read is hashed now."""
        self._watches = False
        # What was imported before the hook stood is part of the code too.
        files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
        self.files |= {os.path.realpath(path) for path in files if isinstance(path, str)}

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._watches or event not in _READS:
            return
        path = arguments[0]
        if not isinstance(path, str | bytes | os.PathLike):
            return
        real = os.path.realpath(os.fsdecode(path))  # every time: a link may lead elsewhere by now
        inside = real + os.sep
        if inside.startswith(self._hidden) and not inside.startswith(self._own):
            self.touched.append(f"{event} {real}")
            raise PermissionError(f"sealed run: {event} {real} is refused")
        if event == "open":
            self.files.add(real)


def main(pipe: Connection, setup: Setup) -> None:
    """Receive a job, carry it out, and send its answer, also when it fails."""
    setup.apply()
    job: Job = pipe.recv()  # brings torch, into a process that is set up by now
    os.environ[CACHE_VARIABLE] = str(job.view / "cache")  # others may hold test images
    own = [job.view, job.experiment.folder, job.point.folder]
    reads = Reads(job.hidden, own)
    answer: dict[str, Any] = {"error": None}
    try:
        answer |= _fit(job, lambda text: pipe.send(("message", text)))
    except Exception as error:
        answer["error"] = str(error) if isinstance(error, ZooError) else one_line(error)
    reads.stop()
    answer["touched"] = reads.touched
    if answer["error"] is None:
        modules = ("zoo", job.experiment.model["class_path"].partition(".")[0])
        packages = [_home(name) for name in modules if name in sys.modules]
        answer["files"] = sorted(reads.files)
        answer["reads"] = digests_of(reads.files, job.view / "data", own, packages)
    with contextlib.suppress(OSError):  # nobody waits for it any more
        pipe.send(("answer", answer))


def _fit(job: Job, log: Callable[[str], None]) -> dict[str, Any]:
    """Fit and calibrate into the run's folder, and return what evaluation and record need."""
    import torch

    from zoo.data.stock import adopt
    from zoo.recipes.trust import trusting
    from zoo.runs.fit import fit_and_calibrate
    from zoo.utils.paths import file_sha256
    from zoo.utils.timing import PeakMemory, Stopwatch

    torch.set_num_threads(job.threads)
    experiment, watch = job.experiment, Stopwatch()
    with trusting(job.trust):
        datamodule = adopt(experiment.build_data(), experiment.seed)
        model, trainer = experiment.build()
    found = job.point.found()
    resumed_from = file_sha256(found) if found else None
    with PeakMemory() as memory:
        false_alarms = fit_and_calibrate(
            model,
            datamodule,
            trainer,
            experiment.folder,
            watch,
            log,
            ckpt_path=experiment.ckpt_path,
            keep="maps" if experiment.keep == "maps" else "model",
            resume=job.point,
        )
    return {
        "resumed_from": resumed_from,
        "false_alarms": false_alarms,
        "phases": watch.phases,
        "peak_rss_mb": memory.peak_mb,
        "start_rss_mb": memory.start_mb,
    }


def _home(name: str) -> Path:
    """Return the folder of an imported package, or the file of a module."""
    file = Path(os.path.realpath(str(sys.modules[name].__file__)))
    return file.parent if file.name == "__init__.py" else file


def _prefix(path: Path) -> str:
    return os.path.realpath(path).rstrip(os.sep) + os.sep
