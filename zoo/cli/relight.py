"""`zoo relight PICTURE --out DIR`: pictures under other lights, to look at or to test with."""

from __future__ import annotations

import argparse
from pathlib import Path

from zoo.data.relight import FAMILIES, SEVERITIES
from zoo.errors import ZooError

HELP = "pictures under other lights, to look at or to test with"
EPILOG = (
    "Writes DIR/FAMILY_SEVERITY/PICTURE.png at the picture's own size. A light changes values and "
    "never geometry, so that masks stay valid. The same seed gives the same files, and under the "
    "same seed a higher severity is the same lamp turned up."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.epilog = EPILOG
    parser.add_argument(
        "pictures", type=_path, nargs="+", metavar="PICTURE", help="pictures, or folders of them"
    )
    parser.add_argument("--out", type=_path, required=True, metavar="DIR")
    parser.add_argument(
        "--families", nargs="+", choices=FAMILIES, default=list(FAMILIES), metavar="F"
    )
    parser.add_argument(
        "--severities",
        nargs="+",
        type=int,
        choices=SEVERITIES,
        default=[3],
        metavar="N",
        help="1 (barely visible) to 5; default 3",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default 0")


def run(args: argparse.Namespace) -> int:
    """Relight, and print how many pictures were written where."""
    from zoo.runs.sources import Sources

    sources = Sources(args.pictures, args.out)
    paths = sources.found()
    names = [sources.name(path).with_suffix(".png") for path in paths]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ZooError(f"two pictures would become {twice}: relight them one folder at a time")

    import PIL.Image

    from zoo.data.images import read_image
    from zoo.data.relight import Light, relight_image
    from zoo.runs.counted import counted

    kinds = [(family, severity) for family in args.families for severity in args.severities]
    for index, path in enumerate(counted(paths, len(paths), "relit")):
        pixels = read_image(path)
        for family, severity in kinds:
            # Each picture has its own lamp; another choice of kinds leaves it as it is.
            relit = relight_image(pixels, Light(family, severity, args.seed * 2**32 + index))
            target = args.out / f"{family}_{severity}" / names[index]
            target.parent.mkdir(parents=True, exist_ok=True)
            PIL.Image.fromarray(relit).save(target)
    print(f"{len(paths)} pictures under {len(kinds)} lights, written to {args.out}")
    return 0


def _path(text: str) -> Path:
    return Path(text).expanduser()
