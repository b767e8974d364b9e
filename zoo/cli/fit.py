"""`zoo fit RECIPE --good DIR`: a folder of normal images becomes a detector."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cli.shared import add_path, with_progress
from zoo.utils.errors import ZooError

if TYPE_CHECKING:
    from zoo.cli.dispatch import Parser
    from zoo.runs.documents import Figures, Metrics

HELP = "your own images: learn from a folder of normal ones, calibrate, test on anomalous ones"
EPILOG = (
    "Options of the recipe go on to it, such as --model.image_size 512 or --trainer.max_epochs 5. "
    "The folder that is written is a run: `zoo predict`, `zoo calibrate` and zoo.load take it."
)
_MANY = 100  # false alarms of 1,000 that nobody will bear


def add_arguments(parser: Parser) -> None:
    """Declare the options of the verb."""
    parser.usage = "zoo fit RECIPE --good DIR [--bad DIR [--masks DIR]] [--out DIR] ..."
    parser.epilog = EPILOG
    parser.passes = ("--model.", "--data.", "--trainer.")
    recipes = "name or YAML file, see `zoo list --recipes`"
    parser.add_argument("recipe", metavar="RECIPE", help=recipes)
    add_path(parser, "--good", required=True, help="normal images, any names")
    add_path(
        parser,
        "--bad",
        help="anomalous ones, only to measure with; 15 %% of the normal ones are then held out to "
        "test beside them, and not learnt from",
    )
    add_path(parser, "--masks", help="masks of the anomalous ones: 7.png marks 7.jpg")
    add_path(parser, "--out", default=Path("detector"), help="default: detector")
    parser.add_argument(
        "--max-good", type=int, default=500, metavar="N", help="use N at most; default: 500"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="decides who is drawn; default: 0"
    )
    parser.add_argument(
        "--keep", choices=("model", "maps"), default="model", help="maps: all score maps besides"
    )


def run(args: argparse.Namespace) -> int:
    """Fit, and print what came out and how to use it."""
    from zoo.recipes.files import find_recipe
    from zoo.runs.api import fit

    # What would fail after minutes of fitting fails at once, before the seconds of the imports.
    recipe = find_recipe(args.recipe)
    settings = overrides(args.passed)
    made = with_progress(
        f"{recipe.name} · {args.good.resolve().name} · seed {args.seed}",
        lambda report: fit(
            recipe.path,
            normal=args.good,
            anomalous=args.bad,
            masks=args.masks,
            out=args.out,
            max_normal=args.max_good,
            seed=args.seed,
            keep=args.keep,
            overrides=settings,
            typed=typed_names(args.passed),
            command=_command(args),
            report=report,
            log=print,
        ),
    )
    for line in summary(made.metrics, made.folder):
        print(line)
    return 0


def typed_names(words: list[str]) -> frozenset[str]:
    """Return the names of classes among some words."""
    if not words:
        return frozenset()
    from zoo.recipes.trust.parser import names_in

    return names_in(words)


def overrides(words: list[str]) -> dict[str, Any]:
    """Return `--model.image_size 512` as {"model.image_size": "512"}; structures are read as YAML.

    Raises:
        ZooError: An option has no value.
    """
    from zoo.utils.plain_yaml import parse_yaml

    found: dict[str, Any] = {}
    left = iter(words)
    for word in left:
        option, joined, value = word.partition("=")
        value = value if joined else next(left, "")
        if not value:
            raise ZooError(f"{option} has no value")
        is_structure = value[0] in "[{"
        found[option.removeprefix("--")] = parse_yaml(value, option) if is_structure else value
    return found


def summary(metrics: Metrics, folder: Path) -> list[str]:
    """Return what a person wants to know about a run on images of their own."""
    from zoo.postprocess.false_alarms import FalseAlarms

    run = shlex.quote(str(folder))
    lines = [_figures(values) for values in metrics["splits"].values()]
    lines = lines or ["no anomalous images were given: nothing tells how many defects it will find"]
    expected = metrics["expected_false_alarms"]
    if expected is None:
        lines.append("one image for the threshold cannot tell how many false alarms to expect")
    else:
        lines.append(FalseAlarms.from_dict(dict(expected)).describe())
        if expected["per_1000"] > _MANY:
            lines.append(
                f"that is many: zoo calibrate {run} --rule 'Quantile(q=1.0, factor=1.1)' marks "
                "less; more normal images help too"
            )
    return [
        *lines,
        f"look at {folder / 'cases'}: each image, what the detector sees in it, what it marks",
        f"written to {folder}; next: zoo predict {run} IMAGE_OR_FOLDER",
    ]


def _figures(values: Figures) -> str:
    n_normal = values["n_good"] or 0
    n_anomalous = (values["n_images"] or 0) - n_normal
    found = (values["detection_rate"] or 0) * n_anomalous
    alarms = (values["false_alarm_rate"] or 0) * n_normal
    text = (
        f"found {found:.0f} of {n_anomalous} anomalous images, false alarms on {alarms:.0f} of "
        f"{n_normal} normal ones"
    )
    known = {"image AUROC": values["image_auroc"], "SegF1": values["segf1"]}
    scores = ", ".join(f"{name} {value:.3f}" for name, value in known.items() if value is not None)
    return f"{text} ({scores})" if scores else text


def _command(args: argparse.Namespace) -> str:
    """Return the command that repeats the run."""
    words = ["zoo", "fit", args.recipe]
    for key in ("good", "bad", "masks", "max_good", "seed"):
        value = getattr(args, key)
        words += [] if value is None else [f"--{key.replace('_', '-')}", str(value)]
    return shlex.join([*words, *args.passed])
