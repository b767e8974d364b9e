"""`zoo submit RUN... --out OUT`: what the MVTec AD 2 server takes, written, checked, handed on."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.cli.shared import add_data_root, add_device, add_path
from zoo.utils.errors import ZooError

if TYPE_CHECKING:
    from zoo.vand.submission.expected import Expected
    from zoo.vand.submission.runs import ObjectRun

HELP = "write, pack and check a submission to the MVTec AD 2 server, or a kit for VAND"
EPILOG = (
    "RUN: the run folders of all objects, or folders above them, such as runs/patchcore-embedded. "
    "--out DIR writes a folder, --out NAME.tar.gz packs it too; given the folder of a finished "
    "submission instead of runs, it is checked and packed. --check without --data.root expects "
    "MVTec AD 2. Exit code 1: the submission has errors."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.epilog = EPILOG
    add_path(parser, "runs", nargs="*", metavar="RUN", help="runs, see below")
    what = parser.add_mutually_exclusive_group(required=True)
    add_path(what, "--out", metavar="OUT", help="a new folder, or NAME.tar.gz")
    add_path(what, "--check", metavar="PATH", help="check a folder or an archive")
    add_path(what, "--kit", help="make a repository for VAND 4.0")
    add_data_root(parser)
    parser.add_argument("--seed", type=int, metavar="N", help="which runs, if there are several")
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    """Write, check or hand on a submission; 1 if the one that was checked has errors."""
    if args.check:
        if args.runs:
            raise ZooError("--check looks at one folder or archive: it takes no runs")
        return _check(args.check, args.root)
    if not args.runs:
        raise ZooError("no runs: give the run folders of all objects, see `zoo submit --help`")
    if args.out and _is_submission(args.runs):
        return _pack(args.runs[0], args.out, args.root)
    if args.kit:
        found, root = _found(args.runs, args.root, args.seed)
        return _kit(found, args.kit, root)
    return hand_in(args.runs, args.out, args.root, args.seed, args.device)


def hand_in(
    paths: list[Path],
    out: Path,
    given_root: Path | None = None,
    seed: int | None = None,
    device: str | None = None,
) -> int:
    """Write the submission of some runs as a folder or an archive, and return the exit code."""
    from zoo.vand.submission.expected import check_published
    from zoo.vand.submission.runs import expected_of
    from zoo.vand.submission.write import check_free, submit

    found, root = _found(paths, given_root, seed)
    check_free(out)
    expected = expected_of(found, given_root)
    check_published(expected)
    submit(found, expected, root, out, device)
    _print_admissible(found)
    option = f" --data.root {root}" if root else ""
    print(f"check it: zoo submit --check {out}{option}")
    return 0


def _found(
    paths: list[Path], given_root: Path | None, seed: int | None
) -> tuple[list[ObjectRun], Path | None]:
    """Return the runs below some folders, and the data set if it is there."""
    from zoo.vand.submission.runs import find_runs

    found = find_runs(paths, seed)
    root = given_root or next((run.root for run in found if run.root), None)
    return found, root if root and root.is_dir() else None


def _kit(runs: list[ObjectRun], folder: Path, root: Path | None) -> int:
    from zoo.vand.submission.kit.make import make_kit
    from zoo.vand.submission.kit.manifest import is_sealed
    from zoo.vand.submission.runs import check_calibrations

    if root is not None:
        check_calibrations(runs, root)
    make_kit(runs, folder)
    print(f"written to {folder}: README.md tells how to run it, report.md is a draft")
    _print_admissible(runs)
    if not is_sealed(runs):
        print("no attestation: not every run was sealed")
    return 0


def _print_admissible(runs: list[ObjectRun]) -> None:
    from zoo.vand.submission.kit.manifest import admissible

    for answer in sorted({admissible(run) for run in runs}):
        print(f"admissible to VAND 4.0: {answer}")


def _check(path: Path, root: Path | None) -> int:
    from zoo.vand.submission.check import check, has_errors, lines

    expected = _expected(root)
    findings = check(path, expected)
    for line in lines(findings):
        print(line)
    if has_errors(findings):
        print(f"{path} has errors: do not upload it")
        return 1
    n = len(expected.images)
    more = ", look at the warnings" if findings else ""
    print(f"{path} has no error: {n} maps and {n} masks of {len(expected.objects)} objects{more}")
    return 0


def _pack(folder: Path, out: Path, root: Path | None) -> int:
    """Pack a folder that was written before, once it has no error."""
    from zoo.vand.submission.write import (
        check_free,
        check_pairs,
        is_archive,
        pack,
        submission_name,
    )

    check_free(out)
    if not is_archive(out):
        raise ZooError(f"{folder} is a submission already: --out NAME.tar.gz packs it")
    check_pairs(folder)
    if _check(folder, root):
        return 1
    pack(folder, out, submission_name(out))
    print(f"written to {out}")
    return 0


def _expected(root: Path | None) -> Expected:
    from zoo.vand.submission.expected import official, on_disk

    return on_disk(root) if root else official()


def _is_submission(given: list[Path]) -> bool:
    from zoo.vand.submission.expected import MAPS, MASKS

    return len(given) == 1 and any((given[0] / tree).is_dir() for tree in (MAPS, MASKS))
