"""`zoo verify RUN`: checks the attestation of a sealed run, and repeats the run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.cli.shared import add_data_root, add_path, with_progress

if TYPE_CHECKING:
    from zoo.benchmark.sealed.attestation import Check

HELP = "check a sealed run against its attestation, and repeat it for one object"
EPILOG = (
    "RUN is the folder of one run, or one that holds several: then the first in alphabetical order "
    "is repeated, or that of --object. Exit code 1: something differs."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.epilog = EPILOG
    add_path(parser, "run", metavar="RUN", help="see `zoo bench --sealed`")
    add_data_root(parser)
    parser.add_argument("--object", metavar="NAME", help="which one, where RUN holds several")
    parser.add_argument("--no-repeat", action="store_true", help="compare hashes only")
    parser.add_argument(
        "--tolerance",
        type=float,
        default=0.0,
        metavar="T",
        help="largest difference of a score in 0..1 that counts as the same, for another machine; "
        "default 0: to the last digit",
    )


def run(args: argparse.Namespace) -> int:
    """Print one line per comparison; 1 if one does not hold."""
    from zoo.benchmark.sealed.attestation import checks, read_attestation
    from zoo.data import layout
    from zoo.recipes.files import find_recipe
    from zoo.runs.check import check_run
    from zoo.utils.errors import ZooError

    folder = _one_run(args.run, args.object)
    metrics = check_run(folder, with_model=False)
    record = read_attestation(folder)
    root = args.root or _data_root(folder)
    if root is not None:
        layout.check_object(root, metrics["object"])
    elif not args.no_repeat:
        raise ZooError("the data set is not where the run found it: name it with --data.root DIR")
    try:
        recipe = find_recipe(record["recipe"]["name"]).path
    except ZooError:  # somebody's own file
        recipe = None
    print(f"{folder}: {metrics['recipe']}, {metrics['object']}, seed {metrics['seed']}")
    found = []
    for check in checks(folder, record, root, recipe):
        print(check)
        found.append(check)
    if root is not None and not args.no_repeat:
        for check in _repeat(folder, root, args.tolerance):
            print(check)
            found.append(check)
    failed = sum(not check.holds for check in found)
    print(f"{failed} of {len(found)} differ" if failed else f"all {len(found)} hold")
    return 1 if failed else 0


def _repeat(folder: Path, root: Path, tolerance: float) -> list[Check]:
    from zoo.benchmark.sealed.repeat import repeat

    return with_progress("repeating", lambda log: repeat(folder, root, tolerance, log), False)


def _one_run(path: Path, name: str | None) -> Path:
    """Return the run to look at: the folder itself, or one of those below it."""
    from zoo.runs.documents import read_metrics
    from zoo.runs.folder import ATTESTATION
    from zoo.utils.errors import ZooError, nearest

    if read_metrics(path) is not None or not path.is_dir():
        return path
    below = {place.parent.parent.name: place.parent for place in sorted(path.rglob(ATTESTATION))}
    if not below:
        raise ZooError(f"no sealed run in {path}: `zoo bench --sealed` makes runs that are")
    if name is not None and name not in below:
        raise ZooError(f"no sealed run of object '{name}' in {path}{nearest(name, below)}")
    return below[name or min(below)]


def _data_root(folder: Path) -> Path | None:
    from zoo.runs.folder import CONFIG
    from zoo.utils.plain_yaml import read_yaml

    root = (read_yaml(folder / CONFIG)["data"].get("init_args") or {}).get("root")
    return Path(root) if root and Path(root).is_dir() else None
