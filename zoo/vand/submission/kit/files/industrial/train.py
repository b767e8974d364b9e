"""Fit and calibrate one model per object on normal images, with one recipe.

    python industrial/train.py --data.root MVTEC_AD_2

Reads train/good and validation/good. The models go to `runs/`; the final ones in `weights/` stay.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from zoo.cli import main
from zoo.utils.errors import ZooError
from zoo.utils.schema import Count, Flag, Name, read_json, validated

KIT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Facts:
    """What of `manifest.json` a repetition needs."""

    recipe_file: Name
    seed: Count
    sealed: Flag


def train(words: list[str] | None = None) -> int:
    """Run the recipe on every object and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data.root", dest="root", required=True, metavar="DIR")
    parser.add_argument("--out", default=str(KIT / "runs"), metavar="DIR")
    args = parser.parse_args(words)
    manifest = KIT / "manifest.json"
    try:
        facts = validated(Facts, read_json(manifest), manifest)
    except ZooError as error:
        print(error, file=sys.stderr)
        return 1
    command = ["bench", str(KIT / facts.recipe_file), "--data.root", args.root]
    command += ["--seeds", str(facts.seed), "--out", args.out]
    # `--sealed` shuts out all other splits while fitting; then test_public is evaluated.
    command += ["--sealed"] if facts.sealed else []
    return main([*command, "--splits", "test_public"])


if __name__ == "__main__":
    sys.exit(train())
