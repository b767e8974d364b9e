"""`zoo relight`: how runs do under other lights."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cli.shared import add_data_root, add_device, add_path, check_new
from zoo.utils.atomic import atomic_path, write_text
from zoo.utils.errors import ZooError

if TYPE_CHECKING:
    import pandas as pd

HELP = "SegF1 of runs under other lights, as table and plot"
EPILOG = (
    "table.md, rows.csv and a plot per recipe go to SOURCE/robustness. Labelled images under the "
    "training light are used, without the private sets."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.epilog = EPILOG
    add_path(parser, "source", metavar="SOURCE", help="a run, or a folder that holds several")
    add_path(parser, "--out", help="a new folder")
    parser.add_argument("--families", nargs="+", metavar="NAME", help="default: all six")
    parser.add_argument("--severities", nargs="+", type=int, metavar="N", help="default: 1 to 5")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="draws the lamps")
    parser.add_argument("--split", default="test_public", metavar="SPLIT", help="which images")
    parser.add_argument("--images", type=int, metavar="N", help="at most N of each object")
    add_data_root(parser)
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    """Measure runs, write the results and print the table."""
    from zoo.data.relight.light import FAMILIES, SEVERITIES, check_family, check_severity
    from zoo.runs.check import runs_below
    from zoo.runs.folder import ROBUSTNESS, appearing_folder

    args.families = args.families or list(FAMILIES)
    args.severities = args.severities or list(SEVERITIES)
    for family in args.families:
        check_family(family)
    for severity in args.severities:
        check_severity(severity)
    if args.images is not None and args.images < 1:
        raise ZooError(f"--images is {args.images}: use 1 or more")
    runs = runs_below(args.source)
    out = args.out or args.source / ROBUSTNESS
    check_new(out)

    import pandas as pd

    from zoo.results.aggregate import entry_names
    from zoo.results.robustness import robustness_table
    from zoo.utils.markdown import csv_text

    rows = pd.DataFrame([row for folder in runs for row in _rows(folder, args)])
    rows["recipe"] = entry_names(rows)
    text = robustness_table(rows)
    with appearing_folder(out) as folder:
        write_text(folder / "table.md", text + "\n")
        write_text(folder / "rows.csv", csv_text(rows))
        _plots(rows, folder)
    print(text)
    print(f"\nwritten to {out}")
    return 0


def _rows(folder: Path, args: argparse.Namespace) -> list[dict[str, Any]]:
    from zoo.results.robustness import labelled, light_rows, seen_families, under_lights
    from zoo.runs.check import check_run
    from zoo.runs.normal_images import datamodule_of
    from zoo.runs.rebuild import load_run, read_config

    metrics, config = check_run(folder), read_config(folder)
    if args.root is not None:
        config["data"]["init_args"]["root"] = str(args.root)
    samples = labelled(datamodule_of(config), args.split, args.images)
    detector = load_run(folder, args.device)
    scores = under_lights(detector, samples, args.families, args.severities, args.seed)
    seen = seen_families(config, detector.calibration)
    names = metrics["recipe"], metrics["object"]
    settings = metrics.get("settings_hash")
    return light_rows(scores, *names, len(samples), seen, settings)


def _plots(rows: pd.DataFrame, folder: Path) -> None:
    from zoo.results.robustness import plot

    for recipe, part in rows.groupby("recipe"):
        with atomic_path(folder / f"{str(recipe).replace('/', '-')}.png") as aside:
            plot(part, aside)
