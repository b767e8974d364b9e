"""Write the archive for the server from the final weights, and check it.

    python industrial/submit.py --data.root MVTEC_AD_2 --out entry.tar.gz

A team may upload three times in a week, however many accounts it has: note uploads in uploads.csv.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from zoo.cli import main

KIT = Path(__file__).resolve().parents[1]


def submit(words: list[str] | None = None) -> int:
    """Write and check an archive, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data.root", dest="root", required=True, metavar="DIR")
    parser.add_argument("--out", default="entry.tar.gz", metavar="ARCHIVE")
    parser.add_argument("--runs", default=str(KIT / "weights"), metavar="DIR")
    args = parser.parse_args(words)
    root = ["--data.root", args.root]
    code = main(["submit", args.runs, *root, "--out", args.out])
    return code or main(["submit", "--check", args.out, *root])


if __name__ == "__main__":
    sys.exit(submit())
