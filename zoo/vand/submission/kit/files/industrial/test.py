"""Evaluate the final weights on test_public: SegF1 of their own masks, per object and mean.

    python industrial/test.py --data.root MVTEC_AD_2

A last look: test_public has decided nothing, and must not. `--runs runs` takes what train.py made.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from zoo.utils.errors import ZooError
from zoo.utils.process import quiet, return_memory, share_cores

KIT = Path(__file__).resolve().parents[1]


def evaluate(words: list[str] | None = None) -> int:
    """Evaluate one run per object and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data.root", dest="root", type=Path, required=True, metavar="DIR")
    parser.add_argument("--runs", type=Path, default=KIT / "weights", metavar="DIR")
    parser.add_argument("--device", metavar="D")
    args = parser.parse_args(words)
    share_cores()
    return_memory()
    quiet()
    from zoo.vand.submission.runs import evaluate_public, find_runs

    try:
        evaluate_public(find_runs([args.runs]), args.root, args.device)
    except ZooError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(evaluate())
