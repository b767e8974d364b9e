r"""Which calibration rule comes closest to the oracle, over methods and objects?

    python benchmarks/calibration_study.py --data tiny $ZOO_DATA --runs study
    python benchmarks/calibration_study.py --data tiny $ZOO_DATA --runs study \
        --splits test_public private --out results/calibration_study.csv

Rules and their settings are chosen on `test_public`; the private splits are reported once. The
table holds one row per method, object, split and rule: SegF1, the SegF1 of the best single pixel
threshold on the raw map (labels peeked), their ratio, which is the efficiency of the calibration,
its 95 % interval over physical items, and false blobs per good image. Rows named `mean` are means
over all methods and objects; `worst` there is the smallest efficiency among those with at least
ten validation images and an oracle of .2 or more. The split `unseen_light` is `test_private` relit
by a family of lights that no calibration has seen.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
from study_judge import judge
from study_maps import UNSEEN, StudyRun, fitted, score_scenes, score_unseen
from study_means import means

from zoo.postprocess.rules import (
    Adaptive,
    FalseAlarmBudget,
    Maximum,
    MeanStd,
    Mebin,
    Midway,
    Quantile,
    SyntheticDefects,
)
from zoo.utils.process import quiet, return_memory, share_cores

RECIPES = ("padim/stock", "dfm/stock", "stfpm/stock", "patchcore/embedded")
RULES = {
    "Maximum (anomalib)": Maximum(),
    "MeanStd(3)": MeanStd(3.0),
    "Quantile(.999)": Quantile(0.999),
    "FalseAlarmBudget(.3)": FalseAlarmBudget(0.3),
    "Mebin": Mebin(),
    "SyntheticDefects": SyntheticDefects(),
    "Midway(none)": Midway(normalisation="none"),
    "Midway(median)": Midway(normalisation="median"),
    "Midway(robust)": Midway(normalisation="robust"),
    "Adaptive": Adaptive(),
}
SPLITS = {
    "test_public": ("test_public",),
    "private": ("test_private", "test_private_mixed", UNSEEN),
}


def main() -> None:
    """Fit what is missing, score what is missing, judge, and write and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument(
        "--runs", type=Path, required=True, metavar="DIR", help="kept between calls"
    )
    parser.add_argument("--recipes", nargs="+", default=RECIPES, metavar="RECIPE")
    parser.add_argument("--splits", nargs="+", choices=SPLITS, default=["test_public"])
    parser.add_argument("--out", type=Path, metavar="CSV")
    parser.add_argument(
        "--as-fitted", action="store_true", help="take the runs of --runs, whatever version fitted"
    )
    args = parser.parse_args()
    share_cores()
    return_memory()
    quiet()
    splits = [split for name in args.splits for split in SPLITS[name]]
    rows = []
    for run in fitted(args.recipes, args.data, args.runs, args.as_fitted):
        scenes = score_scenes(run)
        for split in splits:
            if split == UNSEEN:
                score_unseen(run)
            rows += _rows(run, scenes, split)
            print(_line(rows[-len(RULES) :]), flush=True)
    rows += means(rows)
    table = pd.DataFrame(rows).drop(columns="resampled")
    if args.out:
        table.to_csv(args.out, index=False, float_format="%.4f")
    shown = table[table["object"] == "mean"].dropna(axis="columns", how="all")
    print("\n" + shown.drop(columns=["recipe", "object"]).round(3).to_string(index=False))


def _rows(run: StudyRun, scenes: object, split: str) -> list[dict]:
    calibrations = {name: rule(scenes) for name, rule in RULES.items()}
    facts = {"recipe": run.recipe, "object": run.object_name, "split": split}
    judged = judge(run, split, calibrations)
    return [{**facts, "rule": name, **values} for name, values in judged.items()]


def _line(rows: list[dict]) -> str:
    """Return one line per run and split, as a sign of life."""
    first = rows[0]
    best = max(rows, key=lambda row: row["efficiency"])
    mine = next(row for row in rows if row["rule"] == "Adaptive")
    return (
        f"{first['recipe']} {first['object']} {first['split']}: "
        f"oracle {first['oracle_segf1']:.3f}, Adaptive {mine['efficiency']:.2f}, "
        f"best {best['rule']} {best['efficiency']:.2f}"
    )


if __name__ == "__main__":
    main()
