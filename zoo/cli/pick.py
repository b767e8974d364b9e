"""`zoo pick --good DIR --budget 50ms,2GB`: the best exported model that a budget allows."""

from __future__ import annotations

import argparse
import os
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.cli.shared import add_path, compare_graphs, images_of, log
from zoo.utils.errors import ZooError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zoo.benchmark.pick.choice import Row
    from zoo.export.agreement import Agreement, Difference

HELP = "normal images and a budget: try methods, sizes and precisions, export the best that fits"
EPILOG = (
    "Accuracy is an estimate: SegF1 on synthetic defects, painted into normal images that no "
    "candidate learned from, and on the same images relit. It ranks candidates and promises "
    "nothing about real defects. Time is the median of one image, from memory to its mask, with "
    "OpenVINO; memory is the peak of a process that does nothing else. The same command repeats "
    "no fit and no export. All but the winner may be deleted afterwards."
)

_BUSY_SHARE = 0.5  # of the cores, before anything is measured
_REMEMBERED_SECONDS = 2.0  # a candidate that an earlier command tried takes less


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    from zoo.export.precision import PRECISIONS

    parser.epilog = EPILOG
    add_path(parser, "--good", required=True, help="normal images")
    parser.add_argument(
        "--budget", required=True, metavar="MAX", help="of one image, such as 50ms,2GB"
    )
    parser.add_argument(
        "--device", default="cpu", metavar="D", help="that it is for, as OpenVINO names it"
    )
    add_path(parser, "--out", default=Path("picked"))
    parser.add_argument(
        "--recipes", nargs="+", metavar="RECIPE", help="default: every recipe called embedded"
    )
    parser.add_argument(
        "--sizes",
        nargs="+",
        type=int,
        metavar="PX",
        help="of images; default: each recipe's own and three quarters of it",
    )
    parser.add_argument(
        "--precision",
        nargs="+",
        choices=PRECISIONS,
        default=["fp32", "int8"],
        metavar="P",
        help="fp32, fp16, int8; default: fp32 int8 (fp16 is a smaller file, no faster than fp32)",
    )
    parser.add_argument(
        "--max-good", type=int, default=200, metavar="N", help="use N at most; default: 200"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")


def run(args: argparse.Namespace) -> int:
    """Try, choose, export, and prove that masks agree."""
    from zoo.benchmark.pick.candidates import candidates
    from zoo.benchmark.pick.choice import Budget
    from zoo.data.known_images import check_no_test_folder
    from zoo.data.listing import without_copies
    from zoo.predict.graph_files import require

    # Typing errors and missing packages show before the seconds that the imports take.
    budget = Budget.parse(args.budget)
    if args.max_good < 1 or any(size < 1 for size in args.sizes or ()):
        raise ZooError("--max-good and --sizes must be 1 or more")
    found = candidates(args.recipes, args.sizes)
    if args.out.resolve().is_relative_to(args.good.resolve()):
        raise ZooError(f"{args.out} lies among the normal images: give --out a folder elsewhere")
    good, notices = without_copies(images_of(args.good).images)
    log(*notices)
    check_no_test_folder(good)
    packages = ("onnx", "onnxscript", "openvino", *(["nncf"] if "int8" in args.precision else []))
    for package in packages:
        require(package)

    from zoo.benchmark.pick.choice import ranked, with_front
    from zoo.benchmark.pick.search import prepare
    from zoo.utils.progress import duration

    precisions = list(dict.fromkeys(args.precision))
    device = args.device.upper()
    search = prepare(good, args.out, device, precisions, args.max_good, args.seed)
    log(
        f"{len(found)} candidates in {' and '.join(precisions)}, fitted on "
        f"{len(list(search.fit_on.iterdir()))} normal images; the estimate takes others"
    )
    if load := _busy():
        log(load)
    rows: list[Row] = []
    took: list[float] = []
    for number, candidate in enumerate(found, start=1):
        place, begin = f"[{number}/{len(found)}]", time.perf_counter()
        made = search.rows(candidate, partial(_log_at, place))
        rows += made
        for row in made:
            log(f"{place} {_row_text(row)}")
        if (seconds := time.perf_counter() - begin) > _REMEMBERED_SECONDS:
            took.append(seconds)
        if took and (others := len(found) - number):
            left = duration(others * sum(took) / len(took))
            log(f"{place} about {left} left, if the others take as long on average")
    rows = with_front(rows)
    for line in _table(rows):
        print(line)
    for best in ranked(rows, budget):
        if (agreement := _agreement(args.out, best)) is not None:
            _finish(args.out, rows, best, agreement.difference)
            return 0
        log(f"{best.candidate} in {best.precision} is passed over: it does not agree with torch")
    raise ZooError("no graph that fits the budget agrees with its run in torch: see above")


def _busy() -> str:
    """Return a warning where other work makes times longer than they are."""
    if not hasattr(os, "getloadavg"):  # Windows
        return ""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load < _BUSY_SHARE * cores:
        return ""
    return (
        f"this machine is busy (a load of {load:.1f} on {cores} cores): times come out longer than "
        "on one that does nothing else, and less fits the budget"
    )


def _agreement(out: Path, row: Row) -> Agreement | None:
    """Compare a graph with its run in torch, and print what differs; None if it is too much."""
    from zoo.runs.agreement import standard_images
    from zoo.runs.export import NormalImages

    graph = out / str(row.graph)
    folder = graph.parent.parent
    shown = standard_images(NormalImages(folder).for_limits)
    checked = compare_graphs(folder, [graph], shown)
    return None if checked.complaints else checked.agreements[0]


def _finish(out: Path, rows: Sequence[Row], best: Row, found: Difference) -> None:
    """Put the winner in place, and write all rows down."""
    from zoo.runs.folder import write_json
    from zoo.utils.atomic import copy_file

    graph, cost = out / str(best.graph), best.cost
    assert cost is not None  # it is within the budget
    for file in graph.parent.glob(f"{graph.stem}.*"):
        if file.suffix in (".xml", ".bin"):
            copy_file(file, out / f"model{file.suffix}")
    write_json(out / "pick.json", {"winner": best.to_dict(), "rows": [r.to_dict() for r in rows]})
    print(
        f"picked {best.candidate} in {best.precision}: {cost.latency_ms:.1f} ms and "
        f"{cost.memory_mb:.0f} MB; SegF1 {best.estimated_segf1:.3f} is an estimate, real "
        f"defects decide; masks differ from torch in {100 * found.mask_in_all:.2g} % of pixels, "
        f"decisions on {100 * found.verdict_in_all:.0f} % of images"
    )
    print(f"written to {out / 'model.xml'}; next: zoo predict {out / 'model.xml'} DIR")


def _table(rows: Sequence[Row]) -> Iterator[str]:
    yield "Pareto front (*) of estimated SegF1, time and memory; the estimate is from synthetic"
    yield "defects and relit normal images, not from real ones"
    width = max(len(row.candidate) for row in rows)
    yield f"  {'candidate':<{width}}  {'precision':<9} {'estimate':>8} {'ms':>8} {'MB':>7}"
    known = [(row, row.cost) for row in rows if row.cost is not None]
    for row, cost in sorted(known, key=lambda pair: -(pair[0].estimated_segf1 or -1.0)):
        value = "-" if row.estimated_segf1 is None else f"{row.estimated_segf1:.3f}"
        yield (
            f"{'*' if row.is_on_front else ' '} {row.candidate:<{width}}  {row.precision:<9} "
            f"{value:>8} {cost.latency_ms:>8.1f} {cost.memory_mb:>7.0f}"
        )
    for row in rows:
        if row.cost is None:
            yield f"  {row.candidate:<{width}}  {row.precision:<9} failed: {row.reason}"


def _row_text(row: Row) -> str:
    cost = "" if row.cost is None else f"{row.cost.latency_ms:.1f} ms, {row.cost.memory_mb:.0f} MB"
    if row.estimated_segf1 is None:
        return f"{row.candidate} in {row.precision}: {', '.join(filter(None, [cost, row.reason]))}"
    estimate = f"estimated SegF1 {row.estimated_segf1:.3f}"
    return f"{row.candidate} in {row.precision}: {estimate}, {cost}"


def _log_at(place: str, text: str) -> None:
    log(f"{place} {text}")
