"""Fit and calibrate one model per object on normal images, with one recipe.

    python industrial/train.py --data.root MVTEC_AD_2

Reads train/good and validation/good. The models go to `runs/`; the final ones in `weights/` stay.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from zoo.cli import main

KIT = Path(__file__).resolve().parents[1]


def train(words: list[str] | None = None) -> int:
    """Run the recipe on every object and return the exit code."""
    facts = json.loads((KIT / "manifest.json").read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data.root", dest="root", required=True, metavar="DIR")
    parser.add_argument("--out", default=str(KIT / "runs"), metavar="DIR")
    args = parser.parse_args(words)
    command = ["bench", str(KIT / facts["recipe_file"]), "--data.root", args.root]
    command += ["--seeds", str(facts["seed"]), "--out", args.out]
    # `--sealed` shuts out all other splits while fitting; then test_public is judged.
    command += ["--sealed"] if facts["sealed"] else []
    return main([*command, "--splits", "test_public"])


if __name__ == "__main__":
    sys.exit(train())
