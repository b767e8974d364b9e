"""``zoo tiny DIR``: render a small data set in the layout of MVTec AD 2."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "render a small data set in the layout of MVTec AD 2 (no download)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("directory", metavar="DIR", type=Path, help="new or empty folder to write")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random (default 0)")


def run(args: argparse.Namespace) -> int:
    """Write the set and say where it is, how many images it has, its size and the time."""
    import time

    from zoo.data.tiny import write_tiny

    start = time.perf_counter()
    root = write_tiny(args.directory, seed=args.seed, progress=print)
    seconds = time.perf_counter() - start
    files = [path for path in root.rglob("*") if path.is_file()]
    masks = sum(path.name.endswith("_mask.png") for path in files)
    images = sum(path.suffix == ".png" for path in files) - masks
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    print(f"{root}: {images} images, {masks} masks, {megabytes:.1f} MB, {seconds:.1f} s")
    return 0
