"""Tables: means over objects, drops, rows in CSV and JSON, and a README that is not stale."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest

from zoo.cli import main
from zoo.cli.table import BEGIN, END, with_block
from zoo.errors import ZooError
from zoo.table import published_table, render, rows_of, summary

ROOT = Path(__file__).parents[1]


def write_run(folder: Path, object_name: str, seed: int, private: float | None, mixed: float):
    folder = folder / "m-quick" / object_name / f"seed{seed}"
    folder.mkdir(parents=True)
    splits = {
        "test_private": {"segf1": private, "n_images": 4},
        "test_private_mixed": {"segf1": mixed, "n_images": 4},
    }
    facts = {"recipe": "m/quick", "method": "m", "object": object_name, "seed": seed}
    (folder / "metrics.json").write_text(json.dumps({**facts, "command": "c", "splits": splits}))
    cost = {
        "phases": {"fit": {"wall_s": 2.0}},
        "total_s": 3.0,
        "latency": {"p50_ms": 20.0},
        "memory": {"peak_rss_mb": 1000.0},
        "threads": 2,
        "versions": {"torch": "2"},
    }
    (folder / "cost.json").write_text(json.dumps(cost))


@pytest.fixture
def runs(tmp_path):
    for name, private, mixed in (("a", 0.5, 0.4), ("b", 0.3, 0.2)):
        write_run(tmp_path / "runs", name, 0, private, mixed)
    return tmp_path / "runs"


def test_means_over_objects_and_the_relative_drop(runs):
    [row] = summary(rows_of([runs])).to_dict("records")
    assert row["test_private"] == pytest.approx(0.4)
    assert row["test_private_mixed"] == pytest.approx(0.3)
    assert row["drop"] == pytest.approx(0.25)
    assert row["test_public"] is None
    assert "| m/quick | m | 2 | 1 | - | 40.0 % | 30.0 % | 25.0 % | 3 | 20 | 1000 |" in render(
        rows_of([runs])
    )


def test_seeds_are_averaged_with_their_spread(runs):
    for name, private in (("a", 0.7), ("b", 0.5)):
        write_run(runs, name, 1, private, 0.3)
    assert "50.0 % ± 10.0" in render(rows_of([runs]))


def test_a_withheld_truth_is_a_dash_and_never_a_mean_of_some(runs):
    write_run(runs, "c", 0, None, 0.1)
    [row] = summary(rows_of([runs])).to_dict("records")
    assert pd.isna(row["test_private"])
    assert pd.isna(row["drop"])


def test_unfinished_folders_are_not_rows(runs):
    source = runs / "m-quick" / "a" / "seed0"
    (runs / "m-quick" / "a" / "seed9.unfinished").mkdir()
    for name in ("metrics.json", "cost.json"):
        text = (source / name).read_text()
        (runs / "m-quick" / "a" / "seed9.unfinished" / name).write_text(text)
    assert set(rows_of([runs])["seed"]) == {0}


def test_csv_is_read_back_as_the_same_table(runs, tmp_path, capsys):
    assert main(["table", str(runs), "--format", "csv"]) == 0
    text = capsys.readouterr().out
    assert len(pd.read_csv(io.StringIO(text))) == 4
    (tmp_path / "rows.csv").write_text(text)
    assert render(rows_of([tmp_path / "rows.csv"])) == render(rows_of([runs]))


def test_json_has_null_for_what_is_missing(runs, capsys):
    assert main(["table", str(runs), "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 4
    assert rows[0]["precision"] is None


def test_published_rows_are_those_of_the_challenge_paper():
    table = published_table()
    assert "| PatchCore | 3.7 % | 3.4 % | 8.1 % |" in table
    assert "| ISVL | 53.8 % | 51.4 % | 4.4 % |" in table
    assert "not comparable" in table


def test_a_block_goes_between_its_markers():
    document = f"head\n{BEGIN}\nold\n{END}\ntail"
    assert with_block(document, "new", "x") == f"head\n{BEGIN}\nnew\n{END}\ntail"
    with pytest.raises(ZooError, match="has no lines"):
        with_block("no markers", "new", "x")


def test_the_readme_shows_the_committed_results():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = render(rows_of([ROOT / "results" / "real_photographs.csv"]))
    assert with_block(text, table, "README.md") == text, "run `make readme`"


@pytest.fixture
def own(tmp_path):
    """Return a folder with two runs on somebody's own pictures: with bad ones, and without."""
    with_bad = {"n_images": 24, "n_good": 4, "detection_rate": 0.95, "false_alarm_rate": 0.25}
    with_bad |= {"image_auroc": 0.988, "segf1": None}
    for name, splits in (("a", {"test": with_bad}), ("b", {})):
        (tmp_path / "own" / name).mkdir(parents=True)
        metrics = {"recipe": "m/quick", "method": "m", "object": "screws", "seed": 0}
        metrics |= {"splits": splits, "expected_false_alarms": {"per_1000": 41.7}, "command": "c"}
        (tmp_path / "own" / name / "metrics.json").write_text(json.dumps(metrics))
    return tmp_path / "own"


def test_runs_on_own_pictures_have_a_table_of_their_own(own, capsys):
    assert main(["table", str(own)]) == 0
    printed = capsys.readouterr().out
    counts = "| m/quick | screws | 0 | test | 4 | 20 | 95.0 % | 25.0 % | 42 | 98.8 % | - | - | - |"
    assert counts in printed
    assert "| m/quick | screws | 0 | - | - | - | - | - | 42 | - | - | - | - |" in printed
    assert "VAND" not in printed


def test_both_kinds_of_runs_stand_below_each_other(own, runs, tmp_path):
    text = render(rows_of([own, runs]))
    assert text.startswith(render(rows_of([runs])))
    assert text.endswith(render(rows_of([own])))
    (tmp_path / "rows.csv").write_text(render(rows_of([own, runs]), "csv"))
    assert render(rows_of([tmp_path / "rows.csv"])) == text


def test_a_single_run_folder_is_a_source_and_foreign_files_are_none(own):
    assert len(rows_of([own / "a"])) == 1
    (own / "other").mkdir()
    (own / "other" / "metrics.json").write_text('{"accuracy": 1}')
    (own / "torn").mkdir()
    (own / "torn" / "metrics.json").write_text('{"recipe": ')
    assert len(rows_of([own])) == 2
    with pytest.raises(ZooError, match="no finished run"):
        rows_of([own / "other"])
