"""`zoo calibrate RUN`: new thresholds for a run, from normal images; the old ones are kept."""

from __future__ import annotations

import argparse
from pathlib import Path

from zoo.cli.shared import add_device, add_path, add_run, log
from zoo.utils.errors import ZooError

HELP = "new thresholds for a run, from normal images, in seconds"
EPILOG = (
    "After a change of lamp, lens or part: take 30 normal images that the run did not learn from, "
    "and zoo calibrate RUN --good DIR. Without --good the run's own calibration images are used. "
    "The model stays as it is; predictions follow the new thresholds at once."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.epilog = EPILOG
    add_run(parser)
    add_path(parser, "--good", help="normal images to calibrate on")
    parser.add_argument(
        "--rule",
        metavar="RULE",
        help="such as 'Quantile(q=0.9999, min_area_px=20)'; default: the same rule as before",
    )
    parser.add_argument("--undo", action="store_true", help="put the last older calibration back")
    parser.add_argument(
        "--evaluate",
        action="store_true",
        help="make metrics.json and cases anew too, from the maps of a run with --keep maps",
    )
    parser.add_argument("--dry-run", action="store_true", help="print, and write nothing")
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    """Calibrate anew or undo it, and print the old and the new thresholds."""
    from zoo.runs.check import check_run

    check_run(args.run, with_model=False)
    if not args.undo:
        return _calibrate(args)
    if args.good or args.rule:
        raise ZooError("--undo puts an older calibration back: it takes no --good and no --rule")
    return _undo(args.run, args.dry_run)


def _calibrate(args: argparse.Namespace) -> int:
    from zoo.runs.calibrations import recalibrated, set_calibration

    before, after = recalibrated(args.run, args.rule, args.good, args.device, log)
    for line in before.lines("old") if before else ["old: this version cannot read it"]:
        print(line)
    for line in after.lines("new"):
        print(line)
    if args.dry_run:
        print("nothing was written")
    elif before and after.calibration == before.calibration:
        print("both are the same: nothing was written")
    else:
        kept = set_calibration(args.run, after.calibration)
        print(f"the new one holds; the old one is {kept}, --undo puts it back")
        if not args.evaluate:
            print(
                "metrics.json and cases tell of the calibration that they were made with, as ever"
            )
        if after.calibration.given:
            print("VAND 4.0 admits thresholds from train and validation only: not this run, now")
    if args.evaluate and not args.dry_run:
        from zoo.runs.documents import result_text
        from zoo.runs.evaluate import reevaluate

        print(result_text(reevaluate(args.run)))
    return 0


def _undo(folder: Path, dry_run: bool) -> int:
    from zoo.runs.calibrations import last_calibration, read_old, undo_calibration
    from zoo.runs.check import read_calibration

    old, older = (
        read_old(folder),
        read_calibration(folder, last_calibration(folder).relative_to(folder)),
    )
    print(f"old: {old.describe() if old else 'cannot be read'}")
    print(f"new: {older.describe()}")
    if dry_run:
        print("nothing was written")
    else:
        undo_calibration(folder)
        print("the new one, which is the last older one, holds again; the old one is gone")
    return 0
