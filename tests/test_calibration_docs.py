"""The table of docs/calibration.md is that of the study's file."""

from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[1]


def test_the_page_shows_the_means_of_the_study():
    page = (ROOT / "docs" / "calibration.md").read_text(encoding="utf-8")
    table = pd.read_csv(ROOT / "results" / "calibration_study.csv")
    means = table[table["object"] == "mean"]
    assert set(means["n_pairs"]) == {len(table[table["object"] != "mean"]) / len(means)}
    for rule, rows in means.groupby("rule", sort=False):
        cells = [
            f"{row.efficiency:.2f} ({row.efficiency_low:.2f} to {row.efficiency_high:.2f})"
            for row in rows.itertuples()
        ]
        [line] = [
            line for line in page.splitlines() if line.startswith(("| ", "| **")) and rule in line
        ]
        assert " | ".join(cells) in line
