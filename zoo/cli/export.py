"""`zoo export RUN`: the run's model as ONNX and OpenVINO, with its calibration inside."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "a run as ONNX or OpenVINO that carries its calibration"
EPILOG = (
    "The graph takes images at the model's size, float32 RGB in [0, 1], and gives raw map and "
    "score; zoo.export.ExportedModel resizes pictures for it and makes the run's masks from its "
    "maps, without torch. With an option first, such as --model, this is anomalib's export."
)
SUFFIXES = {"onnx": [".onnx"], "openvino": [".xml"], "both": [".onnx", ".xml"]}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.epilog = EPILOG
    parser.add_argument("run", type=_path, metavar="RUN", help="folder of a run, see `zoo fit`")
    parser.add_argument("--format", choices=list(SUFFIXES), default="onnx", help="default onnx")
    parser.add_argument(
        "--out", type=_path, metavar="DIR", help="where to write; default RUN/exported"
    )
    parser.add_argument(
        "--input-size",
        type=int,
        nargs=2,
        metavar=("H", "W"),
        help="of models that resize to no fixed size",
    )


def run(args: argparse.Namespace) -> int:
    """Export, and print what was written."""
    from zoo.export.files import runtime
    from zoo.runs.check import check_run, read_calibration

    # Typing errors and missing packages show before the seconds that the imports take.
    check_run(args.run)
    calibration = read_calibration(args.run)
    suffixes = SUFFIXES[args.format]
    for package in ("onnx", "onnxscript", *(["openvino"] if ".xml" in suffixes else [])):
        runtime(package)

    from zoo.export.graph import export_model
    from zoo.runs.load import load

    model = load(args.run, device="cpu").model
    out = args.out or args.run / "exported"
    for suffix in suffixes:
        print(export_model(model, out / f"model{suffix}", calibration, args.input_size))
    return 0


def _path(text: str) -> Path:
    return Path(text).expanduser()
