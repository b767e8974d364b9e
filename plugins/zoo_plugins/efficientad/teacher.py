"""`python -m zoo_plugins.efficientad.teacher`: make a teacher at home, and write it to a file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from zoo.utils.atomic import atomic_path
from zoo.utils.errors import ZooError
from zoo.utils.progress import GridProgress
from zoo_plugins.efficientad.home_made import TeacherRecipe, home_made_teacher
from zoo_plugins.efficientad.sources import source_of


def main(words: Sequence[str] | None = None) -> int:
    """Distil, write, and return the exit code."""
    arguments = vars(_parser().parse_args(words))
    out, layers = arguments.pop("out"), tuple(arguments.pop("layers"))
    progress = GridProgress(1)
    try:
        recipe = TeacherRecipe(**arguments, layers=layers)
        name = source_of(recipe.images).name
        progress.begin(0, f"teacher from {recipe.backbone} on {name}")
        state = home_made_teacher(recipe, progress.update)
        out.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(out) as aside:
            torch.save(state, aside)
    except ZooError as error:
        progress.close()
        print(f"zoo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        progress.close()
        print("zoo: interrupted; the same command goes on", file=sys.stderr)
        return 130
    progress.end(f"home-made, {recipe.steps} steps, written to {out}")
    return 0


def _parser() -> argparse.ArgumentParser:
    default = TeacherRecipe()
    parser = argparse.ArgumentParser(prog="python -m zoo_plugins.efficientad.teacher")
    parser.description = "Distil a teacher for EfficientAD from a timm backbone; resumable, cached."
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--images", default=default.images, help="generated, or a folder")
    parser.add_argument("--model_size", default=default.model_size, choices=("small", "medium"))
    parser.add_argument("--backbone", default=default.backbone, help="a timm name")
    parser.add_argument("--weights", default=default.weights, help="embedded, hub or a file")
    parser.add_argument("--layers", nargs="+", default=default.layers, metavar="LAYER")
    for name in ("channels", "image_size", "steps", "batch_size", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(default, name), metavar="N")
    parser.add_argument("--learning_rate", type=float, default=default.learning_rate, metavar="X")
    return parser


if __name__ == "__main__":
    sys.exit(main())
