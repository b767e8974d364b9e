"""`zoo reproduce METHOD`: a published row made again, from the data set to the server's answer."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.cli.shared import add_data_root, add_path
from zoo.utils.atomic import copy_file
from zoo.utils.errors import ZooError

if TYPE_CHECKING:
    from zoo.recipes.files import Recipe
    from zoo.results.aggregate import Entry

HELP = "make a published row again: all objects, the archive, and the server's answer"
EPILOG = (
    "Without METHOD: which published rows have a recipe here, and how far each is. With "
    "--data.root the recipe METHOD/mvtec_ad_2_paper runs on all objects and the archive is packed. "
    "Upload it, write the server's answer into a CSV with the columns "
    "split,object,SegF1,AucPro_0.05,ClassF1, and give it with --server."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.epilog = EPILOG
    parser.add_argument("method", nargs="?", metavar="METHOD", help="a method, or a recipe file")
    add_data_root(parser, help="the data set, to run")
    add_path(parser, "--out", default=Path("runs"))
    add_path(parser, "--archive", metavar="FILE", help="default: <out>/<recipe>.tar.gz")
    add_path(parser, "--server", metavar="FILE", help="the server's answer, as CSV")
    parser.add_argument("--row", metavar="NAME", help="the published row, if the name differs")
    parser.add_argument("--dry-run", action="store_true", help="print images and GB, and stop")


def run(args: argparse.Namespace) -> int:
    """Run, pack or compare; 1 if a run failed, 0 whatever the outcome."""
    from zoo.vand.reproduction import paper_recipe, published_row

    if args.method is None:
        if args.root or args.server:
            raise ZooError("name the METHOD to reproduce; without one `zoo reproduce` lists them")
        return _list(args.out)
    recipe = paper_recipe(args.method)
    row = published_row(recipe, args.row)
    if args.server:
        return _compare(recipe, row, args.server, args.out)
    if args.root is None:
        print(_status(recipe, row, args.out))
        return 0
    return _make(recipe, row, args)


def _make(recipe: Recipe, row: Entry, args: argparse.Namespace) -> int:
    """Run the recipe on all objects and pack the archive."""
    from zoo.vand.reproduction import survey

    archive = args.archive or args.out / f"{recipe.slug}.tar.gz"
    if archive.exists():
        raise ZooError(f"{archive} exists: move it, or name another one with --archive")
    needs, is_benchmark = survey(args.root)
    print(needs)
    if not is_benchmark:
        print(f"{args.root} is not the benchmark: nothing here compares with {row.method}")
    if args.dry_run:
        print("nothing was run; zoo bench tells how long it may take, by what past runs took")
        return 0

    from zoo.cli.bench import bench_and_tabulate
    from zoo.cli.submit import hand_in

    options = {"data_root": args.root, "out": args.out, "debug": args.debug}
    if code := bench_and_tabulate(recipes=[str(recipe.path)], **options):
        return code
    if code := hand_in([args.out / recipe.slug], archive, args.root):
        return code
    print(f"upload {archive}, then: zoo reproduce {args.method} --out {args.out} --server FILE")
    return 0


def _compare(recipe: Recipe, row: Entry, server: Path, out: Path) -> int:
    """Print the differences and the outcome, and keep the answer beside the runs."""
    from zoo.results.published import SERVER_FILE, read_server
    from zoo.vand.reproduction import published_au_pro, report

    answer = read_server(server)
    print(report(answer, row, published_au_pro(row)))
    runs = out / recipe.slug
    kept = runs / SERVER_FILE
    if not runs.is_dir() or kept.resolve() == server.resolve():
        return 0
    if kept.exists() and kept.read_bytes() != server.read_bytes():
        raise ZooError(f"{kept} holds another answer of the server: move it, then repeat")
    copy_file(server, kept)
    print(f"kept as {kept}: `zoo table {out}` shows it beside the published rows")
    return 0


def _list(out: Path) -> int:
    """Print every published row, and how far its reproduction is."""
    from zoo.recipes.files import find_recipe
    from zoo.results.published import published
    from zoo.vand.reproduction import paper_recipes, published_row

    recipes = {}
    for name in paper_recipes():
        try:
            recipes[published_row(find_recipe(name)).method] = find_recipe(name)
        except ZooError as error:
            print(f"{name}: {error}")
    for row in published("SegF1"):
        recipe = recipes.get(row.method)
        print(_status(recipe, row, out) if recipe else f"{row.method}: no recipe here")
    return 0


def _status(recipe: Recipe, row: Entry, out: Path) -> str:
    from zoo.results.published import SERVER_FILE, read_server
    from zoo.utils.markdown import percent
    from zoo.vand.reproduction import (
        NOT_YET_RUN,
        differences,
        outcome,
        published_au_pro,
    )

    kept = out / recipe.slug / SERVER_FILE
    state = NOT_YET_RUN
    if kept.is_file():
        state = outcome(differences(read_server(kept), row, published_au_pro(row)))
    means = " / ".join(percent(row.mean(split)) for split in row.published)
    return f"{row.method}: published {means}, recipe {recipe.name}: {state}"
