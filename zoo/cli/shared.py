"""What several verbs share: options, lines on standard error, progress, images of a folder."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from zoo.utils.errors import ZooError
from zoo.utils.paths import expand_home

if TYPE_CHECKING:
    from zoo.data.listing import FolderImages
    from zoo.runs.agreement import ComparedImage, Comparison

T = TypeVar("T")


def add_path(parser: Any, *names: str, metavar: str = "DIR", **options: Any) -> None:
    """Declare an argument that is a path."""
    parser.add_argument(*names, type=expand_home, metavar=metavar, **options)


def add_run(parser: argparse.ArgumentParser) -> None:
    """Declare the run that a verb is about."""
    add_path(parser, "run", metavar="RUN", help="folder of a run, see `zoo fit`")


def add_data_root(parser: Any, help: str = "the data set, if it has moved") -> None:
    """Declare `--data.root`, which arrives as `root`."""
    add_path(parser, "--data.root", dest="root", help=help)


def add_device(parser: Any) -> None:
    """Declare where a model runs."""
    parser.add_argument("--device", metavar="D", help="such as cpu or cuda:1")


def log(*lines: str) -> None:
    """Print lines for people to standard error; standard output is for results."""
    for line in lines:
        print(line, file=sys.stderr, flush=True)


def with_progress(
    label: str, work: Callable[[Callable[[str], None]], T], one_line: bool = True
) -> T:
    """Do some work with a display of its progress.

    Args:
        label: What the work is called.
        work: Is given where to report what is being done.
        one_line: Whether a line stays, which tells the time or that the work failed.
    """
    from zoo.utils.progress import GridProgress, duration

    progress = GridProgress(1)
    progress.begin(0, label)
    begin = time.perf_counter()
    try:
        made = work(progress.update)
    except Exception:
        if one_line:
            progress.end("failed")  # the error has a line of its own, also on a terminal
        raise
    finally:
        progress.close()
    if one_line:
        progress.end(f"done in {duration(time.perf_counter() - begin)}")
    return made


def images_of(folder: Path) -> FolderImages:
    """Return the images of a folder, and log what is left out there."""
    from zoo.data.listing import find_images

    found = find_images(folder)
    log(*found.notices())
    return found


def compare_graphs(
    folder: Path, graphs: Sequence[Path], images: Sequence[Path | ComparedImage]
) -> Comparison:
    """Compare graphs with their run in torch, and print what differs, and what too much."""
    from zoo.runs.agreement import check_graphs

    found = check_graphs(folder, graphs, images)
    for line in found.table():
        print(line)
    log(*(f"zoo: {line}" for line in found.complaints))
    return found


def check_new(path: Path) -> None:
    """Raise where something stands already, be it a link that leads nowhere."""
    if path.exists() or path.is_symlink():
        raise ZooError(f"{path} exists: move it, or name another one with --out")
