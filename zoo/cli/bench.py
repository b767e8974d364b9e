"""`zoo bench`: recipes x objects x seeds, resumable, into run folders."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

HELP = "run recipes on all objects of a data set: fit, calibrate, judge every split"
EPILOG = (
    "Numbers depend on the threads of a run, not on where it is carried out: keep --threads the "
    "same and results are the same, and what is finished stays finished. docs/cluster.md tells "
    "more about several GPUs and machines."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.epilog = EPILOG
    parser.add_argument("recipes", nargs="+", metavar="RECIPE", help="name or YAML file")
    parser.add_argument(
        "--data.root", dest="root", type=Path, required=True, metavar="DIR", help="the data set"
    )
    parser.add_argument("--objects", nargs="+", default=["all"], metavar="NAME", help="or all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], metavar="N")
    parser.add_argument("--splits", nargs="+", metavar="SPLIT", help="default: all on disk")
    parser.add_argument(
        "--keep",
        choices=("model", "maps", "none"),
        default="model",
        help="of each run: the model, all score maps besides, or neither",
    )
    parser.add_argument(
        "--sealed",
        action="store_true",
        help="fit and calibrate in a process that can read train and validation only, and write "
        "attestation.json; `zoo verify RUN` checks it",
    )
    parser.add_argument(
        "--no-object",
        dest="no_objects",
        action="append",
        default=[],
        metavar="NAME",
        help="an object's name that means something else where a recipe has it",
    )
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR")
    parser.add_argument("--dry-run", action="store_true", help="say runs and time, and stop")
    group = parser.add_argument_group("many runs")
    group.add_argument(
        "--jobs", type=_positive, metavar="N", help="runs at a time, each in a process of its own"
    )
    group.add_argument(
        "--threads",
        type=_positive,
        metavar="N",
        help="of each run; default: all there are, divided among the jobs",
    )
    group.add_argument(
        "--devices", type=_listed, default=[], metavar="0,1", help="GPUs, one run at a time on each"
    )
    group.add_argument(
        "--shard", metavar="I/N", help="the I-th of N parts of the plan, for one of N machines"
    )
    group.add_argument(
        "--executor", choices=("local", "ray"), default="local", help="this machine, or a cluster"
    )
    group.add_argument("--address", help="of the Ray cluster, such as auto")


def run(args: argparse.Namespace) -> int:
    """Run the grid and print its table; 1 unless every run of the plan is there."""
    from zoo.data import layout
    from zoo.recipes.files import find_recipe
    from zoo.runs.folder import check_writable

    # Typing errors show before the seconds that the imports take.
    layout.check_objects(args.root, args.objects)
    for name in args.recipes:
        find_recipe(name)
    if not args.dry_run:
        check_writable(args.out)
    return bench(
        args.recipes,
        args.root,
        args.objects,
        args.seeds,
        args.splits,
        args.out,
        args.debug,
        args.keep,
        args.sealed,
        jobs=args.jobs,
        threads=args.threads,
        devices=args.devices,
        shard=args.shard,
        executor=args.executor,
        address=args.address,
        dry_run=args.dry_run,
        no_objects=args.no_objects,
    )


def bench(
    recipes: list[str],
    root: Path,
    objects: list[str] | None,
    seeds: list[int],
    splits: list[str] | None,
    out: Path,
    debug: bool = False,
    keep: str = "model",
    is_sealed: bool = False,
    *,
    jobs: int | None = None,
    threads: int | None = None,
    devices: Sequence[str] = (),
    shard: str | None = None,
    executor: str = "local",
    address: str | None = None,
    dry_run: bool = False,
    no_objects: Sequence[str] = (),
) -> int:
    """Say the plan, run it, print the table of its folder, and return the exit code."""
    from zoo.benchmark.executors.choose import choose
    from zoo.benchmark.grid import plan, run_grid
    from zoo.benchmark.outlook import estimate_durations, lines
    from zoo.benchmark.shard import Shard, plan_name
    from zoo.cli.table import naming_left_out
    from zoo.data.layout import notices
    from zoo.results.rows import read_rows
    from zoo.results.table import render
    from zoo.utils.progress import GridProgress

    part = Shard.parse(shard) if shard else None
    if executor == "ray":  # its processes work in folders of their own
        root, out = Path(root).resolve(), Path(out).resolve()
    chosen = choose(executor, jobs, threads, devices, address, debug)
    specs = plan(
        recipes, root, objects, seeds, splits, out, keep, is_sealed, chosen.threads, no_objects
    )
    name = plan_name(specs)
    whole = len(specs)
    if part:
        specs = part.of(specs)
    outlook = estimate_durations(specs)
    todo = [each for each in outlook if not each.is_finished]
    said = f"shard {part} of plan {name}: {len(specs)} of {whole}" if part else f"{whole}"
    for object_name in dict.fromkeys(spec.object_name for spec in specs):
        for notice in notices(root, object_name):
            print(f"{object_name}: {notice}", file=sys.stderr)
    print(f"{said} runs into {out}, {len(todo)} to do")
    print(*lines(outlook, chosen.jobs, chosen.threads), sep="\n")
    if dry_run:
        print("nothing was run")
        return 0
    if todo:
        print("Ctrl-C keeps what is finished, the same command goes on")
    expected = [each.seconds for each in todo]
    progress = GridProgress(len(todo), None, debug, chosen.jobs or 1, expected)
    result = run_grid([each.spec for each in todo], progress, chosen)
    if result.finished or result.skipped or len(todo) < len(outlook):
        with naming_left_out() as damaged:
            print(f"\n{render(read_rows([out], damaged.append), means_only=True)}")
    for label, reason in result.failed:
        print(f"failed: {label}: {reason}")
    for label, reason in result.busy:
        print(f"left out: {label}: {reason}")
    return 1 if result.failed or result.busy else 0


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number from 1")
    return int(text)


def _listed(text: str) -> list[str]:
    return [part for part in text.split(",") if part]
