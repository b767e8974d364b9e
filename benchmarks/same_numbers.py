"""Whether two versions of the zoo give the same numbers, to the last digit.

    zoo bench RECIPE... --data.root DATA --out OLD      # by one version
    zoo bench RECIPE... --data.root DATA --out NEW      # by the other
    python benchmarks/same_numbers.py OLD NEW

Compares metrics, calibrations, expected false alarms and score histograms of every run, and the
bytes of everything else that both folders hold under one name (such as a rendered data set). Of a
calibration, what both versions write is compared.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

NUMBERS = ("splits", "expected_false_alarms", "bit_depth", "object", "seed")  # of metrics.json
# What says where, when and by which code a run was made.
OTHERWISE = {"config.yaml", "cost.json", "model.ckpt", "checksums.json", "cases.json"}


def main() -> int:
    """Print what differs, and return 1 if anything does."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    args = parser.parse_args()
    differing = list(differences(args.old, args.new))
    n_runs = len(list(args.old.rglob("metrics.json")))
    print(*differing, sep="\n" if differing else "")
    print(f"{n_runs} runs: {len(differing)} files differ")
    return 1 if differing else 0


def differences(old: Path, new: Path) -> Iterator[str]:
    """Yield the files below two folders that do not hold the same numbers."""
    for path in sorted(old.rglob("*")):
        name = path.relative_to(old)
        other = new / name
        if path.is_dir() or path.name in OTHERWISE or "cases" in name.parts:
            continue
        if not other.is_file():
            yield f"{name}: missing"
        elif not _same(path, other):
            yield str(name)


def _same(one: Path, other: Path) -> bool:
    if one.suffix == ".json":
        first, second = (json.loads(path.read_text(encoding="utf-8")) for path in (one, other))
        keys = NUMBERS if one.name == "metrics.json" else first.keys() & second.keys()
        return all(first.get(key) == second.get(key) for key in keys)
    if one.suffix == ".npz":
        with np.load(one) as first, np.load(other) as second:
            return set(first) == set(second) and all(
                np.array_equal(first[key], second[key], equal_nan=first[key].dtype.kind == "f")
                for key in first
            )
    return _digest(one) == _digest(other)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
