"""`zoo export RUN`: the run's model as ONNX and OpenVINO, with its calibration inside."""

from __future__ import annotations

import argparse

from zoo.cli.shared import add_data_root, add_path, add_run, compare_graphs, images_of, log
from zoo.utils.errors import ZooError

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
    add_run(parser)
    parser.add_argument(
        "--format", nargs="+", choices=list(SUFFIXES), default=["onnx"], help="default onnx"
    )
    parser.add_argument(
        "--precision", nargs="+", choices=PRECISIONS, default=["fp32"], help="default fp32"
    )
    add_path(parser, "--out", help="where to write; default RUN/exported")
    parser.add_argument(
        "--input-size",
        type=int,
        nargs=2,
        metavar=("H", "W"),
        help="of models that keep the aspect of images: the size that yours have then, others "
        "are refused; default: that of the run's own, which go through the graph in tiles where "
        "they have several",
    )
    add_data_root(parser)
    add_path(parser, "--good", help="normal images for int8 instead of the run's own")
    parser.add_argument(
        "--check",
        action="store_true",
        help="predict the same images by the run in torch and by the graphs (those that are there "
        "are taken as they are); exit code 1 if they differ by more than is allowed",
    )
    add_path(
        parser,
        "--images",
        help="images for --check; default: some of the run's validation images, and the same "
        "with synthetic defects",
    )


def run(args: argparse.Namespace) -> int:
    """Export, print what was written, and compare if that is wanted."""
    from zoo.predict.graph_files import require
    from zoo.runs.check import check_run, read_calibration

    # Typing errors and missing packages show before the seconds that the imports take.
    if args.images and not args.check:
        raise ZooError("--images belongs to --check: add it, or leave it out")
    check_run(args.run)
    read_calibration(args.run)
    for package in _packages(args):
        require(package)
    good, images = (folder and images_of(folder).images for folder in (args.good, args.images))

    from zoo.runs.export import NormalImages, export_run, graph_paths
    from zoo.runs.folder import own_folder

    suffixes = [SUFFIXES[each] for each in dict.fromkeys(args.format)]
    precisions = list(dict.fromkeys(args.precision))
    out = args.out or own_folder(args.run, "exported")
    paths = graph_paths(out, suffixes, precisions)
    normal = NormalImages(args.run, args.root, good)
    size = tuple(args.input_size) if args.input_size else None
    for path in export_run(args.run, paths, normal, size, args.check, log):
        print(path)
    if not args.check:
        return 0

    from zoo.runs.agreement import standard_images

    shown = images or standard_images(normal.for_limits)
    return 1 if compare_graphs(args.run, paths, shown).complaints else 0


def _packages(args: argparse.Namespace) -> list[str]:
    packages = ["onnx", "onnxscript"]
    packages += ["openvino"] if "openvino" in args.format else []
    packages += ["nncf"] if "int8" in args.precision else []
    is_run = args.check or "int8" in args.precision  # its limits are set on its own maps
    return packages + (["onnxruntime"] if "onnx" in args.format and is_run else [])
