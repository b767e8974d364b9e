"""`zoo export RUN`: the run's model as ONNX and OpenVINO, with its calibration inside."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from zoo.utils.errors import ZooError
from zoo.utils.paths import expand_home

HELP = "a run as ONNX or OpenVINO that carries its calibration; --check compares them with it"
EPILOG = (
    "The graph takes images at the model's size, float32 RGB in [0, 1], and gives raw map and "
    "score; `zoo predict FILE IMAGE` and zoo.predict.GraphPredictor make the run's masks from "
    "it, without torch. fp16 keeps weights in half the space; int8 computes in 8 bits, in ranges "
    "that training images show, and has its limits set anew on validation images."
)
SUFFIXES = {"onnx": ".onnx", "openvino": ".xml"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    from zoo.export.agreement import ALLOWED, describe
    from zoo.export.precision import PRECISIONS

    parser.epilog = f"{EPILOG} What --check allows: {describe(ALLOWED)}."
    parser.add_argument(
        "run", type=expand_home, metavar="RUN", help="folder of a run, see `zoo fit`"
    )
    parser.add_argument(
        "--format", nargs="+", choices=list(SUFFIXES), default=["onnx"], help="default onnx"
    )
    parser.add_argument(
        "--precision", nargs="+", choices=PRECISIONS, default=["fp32"], help="default fp32"
    )
    parser.add_argument(
        "--out", type=expand_home, metavar="DIR", help="where to write; default RUN/exported"
    )
    parser.add_argument(
        "--input-size",
        type=int,
        nargs=2,
        metavar=("H", "W"),
        help="of models that keep the aspect of pictures: the size that yours have then, others "
        "are refused; default: that of the run's own, which go through the graph in tiles where "
        "they have several",
    )
    parser.add_argument(
        "--data.root",
        dest="root",
        type=expand_home,
        metavar="DIR",
        help="where the run's data is now",
    )
    parser.add_argument(
        "--good",
        type=expand_home,
        metavar="DIR",
        help="good pictures for int8 instead of the run's own",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="judge the same pictures by the run in torch and by the graphs (those that are there "
        "are taken as they are); exit code 1 if they differ by more than is allowed",
    )
    parser.add_argument(
        "--images",
        type=expand_home,
        metavar="DIR",
        help="pictures for --check; default: some of the run's validation images, and the same "
        "with synthetic defects",
    )
    parser.add_argument(
        "--tolerance",
        nargs="+",
        metavar="KEY=X",
        help="for --check, in the place of a default: map, score, mask, verdict, such as mask=0.01",
    )


def run(args: argparse.Namespace) -> int:
    """Export, print what was written, and compare if that is wanted."""
    from zoo.export.agreement import parse_tolerance
    from zoo.predict.graph_files import require
    from zoo.runs.check import check_run, read_calibration

    # Typing errors and missing packages show before the seconds that the imports take.
    if (args.images or args.tolerance) and not args.check:
        raise ZooError("--images and --tolerance belong to --check: add it, or leave them out")
    given = parse_tolerance(args.tolerance or [])
    check_run(args.run)
    read_calibration(args.run)
    for package in _packages(args):
        require(package)
    good, images = _pictures(args.good), _pictures(args.images)

    from zoo.runs.export import NormalImages, export_run, graph_paths
    from zoo.runs.folder import own_folder

    suffixes = [SUFFIXES[each] for each in dict.fromkeys(args.format)]
    precisions = list(dict.fromkeys(args.precision))
    out = args.out or own_folder(args.run, "exported")
    paths = graph_paths(out, suffixes, precisions)
    pictures = NormalImages(args.run, args.root, good)
    size = tuple(args.input_size) if args.input_size else None
    for path in export_run(args.run, paths, pictures, size, args.check, _say):
        print(path)
    if not args.check:
        return 0

    from zoo.runs.agreement import check_graphs, standard_images

    shown = images or standard_images(pictures.for_limits)
    found = check_graphs(args.run, paths, shown, given)
    for line in found.table():
        print(line)
    for line in found.complaints:
        print(f"zoo: {line}", file=sys.stderr)
    return 1 if found.complaints else 0


def _packages(args: argparse.Namespace) -> list[str]:
    packages = ["onnx", "onnxscript"]
    packages += ["openvino"] if "openvino" in args.format else []
    packages += ["nncf"] if "int8" in args.precision else []
    judged = args.check or "int8" in args.precision  # its limits are set on its own maps
    return packages + (["onnxruntime"] if "onnx" in args.format and judged else [])


def _pictures(folder: Path | None) -> list[Path] | None:
    from zoo.data.listing import find_images

    if folder is None:
        return None
    found = find_images(folder)
    for line in found.notices():
        print(line, file=sys.stderr)
    return found.images


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
