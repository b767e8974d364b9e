"""Write the archive for the server from the final weights, and check it.

    python industrial/submit.py --data.root MVTEC_AD_2 --out entry.tar.gz
    python industrial/submit.py --uploaded entry.tar.gz --by NAME    # note it in uploads.csv

A team may upload three times in a week, however many accounts it has.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from zoo.cli import main
from zoo.utils.errors import ZooError
from zoo.vand.submission import ledger

KIT = Path(__file__).resolve().parents[1]
UPLOADS = KIT / "uploads.csv"


def submit(words: list[str] | None = None) -> int:
    """Write and check an archive, or note an upload, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--data.root", dest="root", metavar="DIR")
    what.add_argument("--uploaded", type=Path, metavar="ARCHIVE")
    parser.add_argument("--out", default="entry.tar.gz", metavar="ARCHIVE")
    parser.add_argument("--runs", default=str(KIT / "weights"), metavar="DIR")
    parser.add_argument("--by", default="", metavar="NAME")
    parser.add_argument("--note", default="", metavar="TEXT")
    args = parser.parse_args(words)
    code = 0
    if args.root:
        root = ["--data.root", args.root]
        code = main(["submit", args.runs, *root, "--out", args.out])
        code = code or main(["submit", "--check", args.out, *root])
    try:
        if args.uploaded:
            ledger.record(UPLOADS, args.uploaded, args.by, args.note)
        print(ledger.status(ledger.read(UPLOADS)))
    except ZooError as error:
        print(error, file=sys.stderr)
        return 1
    return code


if __name__ == "__main__":
    sys.exit(submit())
