"""`zoo predict RUN IMAGE_OR_FOLDER`: masks, overlays, one JSON line per image, a CSV."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from zoo.cli.shared import add_path
from zoo.utils.errors import ZooError

HELP = "predict images with a run or an exported graph: JSON lines, masks, overlays"
EPILOG = (
    "Standard output holds the JSON lines and nothing else; OUT/predictions.jsonl holds them too. "
    "OUT/blobs.csv has a row per blob: area, box, centroid, peak, mean and sum of its scores. "
    "Masks are 0 and 255 at the image's own size. Exit code 1: something was not predicted, such "
    "as a damaged image, a video or a named pipe; each has a line with the reason."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.epilog = EPILOG
    add_path(
        parser,
        "predictor",
        metavar="RUN",
        help="folder of a run, see `zoo fit`; or a graph of `zoo export`, which needs no torch",
    )
    add_path(parser, "images", nargs="+", metavar="IMAGE", help="images, or folders of them")
    add_path(parser, "--out", default=Path("predictions"))
    parser.add_argument(
        "--watch", action="store_true", help="go on with new and overwritten images until Ctrl-C"
    )
    parser.add_argument(
        "--interval", type=float, default=1.0, metavar="S", help="of --watch, in seconds; default 1"
    )
    parser.add_argument(
        "--device", metavar="D", help="such as cpu or cuda:1; of a graph as OpenVINO names it"
    )
    parser.add_argument(
        "--batch-size", type=int, default=1, metavar="N", help="more suits graphics cards"
    )
    parser.add_argument("--no-overlays", action="store_true", help="masks and lines only")


def run(args: argparse.Namespace) -> int:
    """Predict images; 1 if one could not be predicted."""
    from zoo.predict.sources import BLOBS, LINES, Sources

    # Typing errors show before the seconds that the imports take.
    if not args.interval > 0 or args.batch_size < 1:
        raise ZooError("--interval must be greater than 0 and --batch-size at least 1")
    _check(args.predictor)
    sources = Sources(args.images, args.out)
    found = sources.images(may_be_empty=args.watch)

    from zoo.predict.writer import PredictionWriter, log
    from zoo.runs.api import load
    from zoo.utils.atomic import RecordFile
    from zoo.utils.progress import counted

    log(*sources.notices)
    predictor = load(args.predictor, args.device)
    args.out.mkdir(parents=True, exist_ok=True)
    # Watching writes a log, which goes on; otherwise the lines are those of this command.
    with (
        RecordFile(args.out / LINES, keep=args.watch) as lines,
        RecordFile(args.out / BLOBS, keep=args.watch) as table,
    ):
        writer = PredictionWriter(predictor, sources, args.out, lines, table, not args.no_overlays)
        try:
            if args.watch:
                log(f"watching; Ctrl-C ends it ({predictor.calibration.describe()})")
                for paths in sources.new_images(args.interval):
                    writer.report_unreadable(sources.unreadable)
                    writer.run(paths, args.batch_size)
            writer.report_unreadable(sources.unreadable)
            quiet = sys.stdout.isatty()  # the lines themselves tell how far it is
            writer.run(found if quiet else counted(found, len(found), "predicted"), args.batch_size)
        finally:
            log(writer.summary())
    return 1 if writer.n_failed else 0


def _check(path: Path) -> None:
    from zoo.predict.graph_files import check_graph
    from zoo.runs.api import is_graph
    from zoo.runs.check import check_run, read_calibration

    if is_graph(path):
        check_graph(path)
        return
    check_run(path)
    read_calibration(path)
