"""The verb `zoo thresholds`."""

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path

HELP = "print the threshold of every run below a folder"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("runs", type=Path, metavar="RUNS", help="folder of runs")


def run(args: Namespace) -> int:
    """Print one line per run and return the exit code."""
    for path in sorted(args.runs.rglob("calibration.json")):
        calibration = json.loads(path.read_text("utf-8"))
        print(f"{path.parent}: {calibration['threshold']:.5g} ({calibration['rule']})")
    return 0
