"""Tables: means over objects, drops, rows in CSV and JSON, and a README that is not stale."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from run_folders import write_run

from zoo.cli import main
from zoo.results.aggregate import entries
from zoo.results.rows import read_rows
from zoo.results.table import render, table
from zoo.utils.errors import ZooError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def runs(tmp_path):
    for name, private, mixed in (("a", 0.5, 0.4), ("b", 0.3, 0.2)):
        write_run(tmp_path / "runs", name, 0, private, mixed)
    return tmp_path / "runs"


def test_means_over_objects_and_the_relative_drop(runs):
    [row] = entries(read_rows([runs]))
    assert row.means == pytest.approx((0.4, 0.3))
    assert row.mean("test_public") is None
    assert (
        "| m/quick | m | yes | 2 | 1 | - | 40.0 % | 30.0 % | 25.0 % | - | 3 | 20 | 1000 |"
        in render(read_rows([runs]))
    )


def test_seeds_are_averaged_with_their_spread(runs):
    for name, private in (("a", 0.7), ("b", 0.5)):
        write_run(runs, name, 1, private, 0.3)
    assert "50.0 % ± 14.1" in render(read_rows([runs]))


def test_a_withheld_truth_is_the_servers_and_never_a_mean_of_some(runs):
    write_run(runs, "c", 0, None, 0.1)
    assert "| 3 | 1 | - | 2 of 3 | 23.3 % | - | - |" in render(read_rows([runs]))
    [row] = entries(read_rows([runs]))
    assert row.mean("test_private") is None


def test_unfinished_folders_are_not_rows(runs):
    source = runs / "m-quick" / "a" / "seed0"
    (runs / "m-quick" / "a" / "seed9.unfinished").mkdir()
    for name in ("metrics.json", "cost.json"):
        text = (source / name).read_text()
        (runs / "m-quick" / "a" / "seed9.unfinished" / name).write_text(text)
    assert set(read_rows([runs])["seed"]) == {0}


def test_csv_is_read_back_as_the_same_table(runs, tmp_path, capsys):
    assert main(["table", str(runs), "--format", "csv"]) == 0
    text = capsys.readouterr().out
    assert len(pd.read_csv(io.StringIO(text))) == 4
    (tmp_path / "rows.csv").write_text(text)
    assert render(read_rows([tmp_path / "rows.csv"])) == render(read_rows([runs]))


def test_rows_that_excel_saved_are_read(runs, tmp_path):
    text = render(read_rows([runs]), "csv").replace(",", ";").replace(".", ",")
    (tmp_path / "rows.csv").write_text(text, encoding="utf-8-sig")
    assert render(read_rows([tmp_path / "rows.csv"])) == render(read_rows([runs]))


def test_json_has_null_for_what_is_missing(runs, capsys):
    assert main(["table", str(runs), "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 4
    assert rows[0]["precision"] is None


def test_published_rows_are_those_of_the_challenge_paper(runs):
    text = render(read_rows([runs]))
    assert "| PatchCore | [2, 7] | 3.7 % | 3.4 % | 8.1 % | 13 |" in text
    assert "| ISVL | [2, 3] | 53.8 % | 51.4 % | 4.4 % | 2 |" in text
    assert "[2] arXiv:2509.17615 Table 2" in text
    assert "not comparable" in text


def test_recipes_of_one_data_set_are_ranked_best_first_and_others_stand_apart(runs):
    for name, private, mixed in (("a", 0.6, 0.5), ("b", 0.4, 0.3)):
        write_run(runs, name, 0, private, mixed, recipe="m/better")
    write_run(runs, "c", 0, 0.9, 0.9, recipe="m/elsewhere")
    text = render(read_rows([runs]), means_only=True)
    better, quick, elsewhere = (text.index(f"| m/{n} |") for n in ("better", "quick", "elsewhere"))
    assert better < quick < elsewhere
    assert "| 50.0 % | 40.0 % | 20.0 % | 1 |" in text
    assert "| 40.0 % | 30.0 % | 25.0 % | 2 |" in text
    assert "| 90.0 % | 90.0 % | 0.0 % | - |" in text
    assert text.count("SegF1 at native resolution") == 2


def test_the_same_objects_with_other_images_are_another_data_set(runs):
    write_run(runs, "a", 0, 0.6, 0.5, recipe="m/other", data_fingerprint="ffff")
    write_run(runs, "b", 0, 0.6, 0.5, recipe="m/other")
    assert render(read_rows([runs]), means_only=True).count("SegF1 at native resolution") == 2


def test_every_object_has_a_column_and_no_split_shares_one(runs):
    text = render(read_rows([runs]))
    assert "| SegF1 private | a | b | mean |" in text
    assert "| **m/quick** | 50.0 % | 30.0 % | 40.0 % |" in text
    assert "| SegF1 private_mixed | a | b | mean |" in text
    assert "SegF1 public" not in text
    assert "| SegF1 private | a" not in render(read_rows([runs]), means_only=True)


def test_oracle_and_both_limits_have_columns_of_their_own(runs):
    for name in ("a", "b"):
        values = {"oracle_segf1": 0.8, "au_pro_005": 0.5, "au_pro_030": 0.7}
        write_run(runs, name, 0, 0.5, 0.4, recipe="m/more", **values)
    rows = read_rows([runs])
    text = render(rows[rows["recipe"] == "m/more"])
    head = "| recipe | oracle SegF1 private | oracle SegF1 private_mixed | AU-PRO_0.05 private |"
    assert f"{head} AU-PRO_0.05 private_mixed | AU-PRO_0.30 private |" in text
    assert "| m/more | 80.0 % | 80.0 % | 50.0 % | 50.0 % | 70.0 % | 70.0 % |" in text


def test_who_is_beaten_in_segf1_and_cost_is_off_the_front(runs):
    for name in ("a", "b"):
        write_run(runs, name, 0, 0.6, 0.4, recipe="m/large", cost=(50, 2000))
        write_run(runs, name, 0, 0.3, 0.4, recipe="m/lost", cost=(30, 900))
    text = render(read_rows([runs]), means_only=True)
    assert "Pareto: no other row has more SegF1 private for less ms, or for less MB." in text
    for row in (
        "| 3 | 20 | 1000 | ms, MB |",
        "| 3 | 50 | 2000 | ms, MB |",
        "| 3 | 30 | 900 | MB |",
    ):
        assert row in text
    records = json.loads(render(read_rows([runs]), "json", ranked=True))
    fronts = {
        row["recipe"] or row["method"]: (row["pareto_latency"], row["pareto_memory"])
        for row in records
    }
    assert fronts["m/lost"] == (False, True)
    assert fronts["PatchCore"] == (None, None)
    [large] = [row for row in records if row["recipe"] == "m/large"]
    assert (large["seconds"], large["latency_ms"], large["peak_memory_mb"]) == (3, 50, 2000)
    assert "pareto_latency,pareto_memory" in render(read_rows([runs]), "csv", ranked=True)


def test_a_frame_has_one_row_per_recipe_with_numbers_and_units(runs):
    write_run(runs, "a", 0, 0.6, 0.5, recipe="m/better", cost=(50, 2000), image_auroc=0.9)
    write_run(runs, "b", 0, 0.4, 0.3, recipe="m/better", cost=(70, 1500), image_auroc=0.7)
    frame = table(runs)
    assert list(frame["recipe"]) == ["m/better", "m/quick"]
    assert list(frame["rank"]) == [1, 2]
    better = frame.iloc[0]
    assert better["segf1_private"] == pytest.approx(0.5)
    assert better["image_auroc_private"] == pytest.approx(0.8)
    assert better["segf1_drop"] == pytest.approx(0.2)
    assert (better["latency_ms"], better["peak_memory_mb"], better["seconds"]) == (60, 2000, 3)
    assert (better["n_objects"], better["n_seeds"]) == (2, 1)
    assert frame["segf1_public"].isna().all()
    assert all(frame[name].dtype == "float64" for name in ("segf1_public", "au_pro_005_private"))
    assert list(table([runs / "m-better"])["recipe"]) == ["m/better"]
    assert table([SimpleNamespace(folder=runs / "m-quick")])["recipe"].item() == "m/quick"
    theirs = table(runs, published=True).set_index("method").loc["PatchCore"]
    assert theirs["segf1_private"] == pytest.approx(0.037)
    assert "arXiv" in theirs["source"]


def test_a_frame_shows_own_images_too(own):
    frame = table(own)
    assert frame["recipe"].item() == "m/quick"
    assert frame["image_auroc_test"].item() == pytest.approx(0.988)
    assert frame["r_final"].isna().all()


def test_neither_the_package_nor_the_table_imports_torch(runs):
    code = "import sys, zoo; assert not {'pandas', 'torch'} & set(sys.modules); "
    code += f"zoo.table({str(runs)!r}); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_single_row_beats_nobody(runs):
    assert "| 3 | 20 | 1000 | - |" in render(read_rows([runs]), means_only=True)


def test_without_private_truth_public_is_set_against_cost(runs, tmp_path):
    for recipe, segf1 in (("m/one", 0.9), ("m/two", 0.8)):
        write_run(tmp_path / "public", "a", 0, None, None, recipe=recipe)
        path = tmp_path / "public" / recipe.replace("/", "-") / "a" / "seed0" / "metrics.json"
        metrics = json.loads(path.read_text())
        metrics["splits"]["test_public"] = {"segf1": segf1, "n_images": 4}
        path.write_text(json.dumps(metrics))
    text = render(read_rows([tmp_path / "public"]), means_only=True)
    assert "more SegF1 public for less ms" in text
    assert "| 90.0 % | server | server | - | - | 3 | 20 | 1000 | ms, MB |" in text
    assert "| 80.0 % | server | server | - | - | 3 | 20 | 1000 | - |" in text


def test_milliseconds_of_two_machines_are_not_compared(runs):
    for name in ("a", "b"):
        write_run(runs, name, 0, 0.6, 0.4, recipe="m/large", cost=(5, 2000), processor="b")
    text = render(read_rows([runs]), means_only=True)
    assert "ms of several machines do not compare: cpu a 2; cpu b 2." in text
    assert "| 3 | 5 | 2000 | MB |" in text


def test_tables_by_object_show_cost(runs):
    text = render(read_rows([runs]))
    assert "| SegF1 private | a | b | mean | ms | peak MB |" in text
    assert "| **m/quick** | 50.0 % | 30.0 % | 40.0 % | 20 | 1000 |" in text


def test_who_is_not_admitted_is_told_with_the_reason(runs):
    write_run(runs, "b", 0, 0.5, 0.4, vand4_admissible="no: no card message it")
    text = render(read_rows([runs]), means_only=True)
    assert "| m/quick | m | no | 2 |" in text
    assert "Not admitted by VAND 4, because\n\n- m/quick: no card message it" in text


def test_rows_of_the_demo_say_that_they_compare_nothing(runs):
    assert "under-trained" not in render(read_rows([runs]), means_only=True)
    write_run(runs, "a", 0, 0.5, 0.4, recipe="m/demo")
    assert "under-trained on purpose" in render(read_rows([runs]), means_only=True)


def test_an_older_file_without_the_newer_columns_is_read(runs, tmp_path):
    newer = ["vand4_admissible", "scored_by", "data_fingerprint"]
    read_rows([runs]).drop(columns=newer).to_csv(tmp_path / "old.csv", index=False)
    rows = read_rows([tmp_path / "old.csv"])
    assert set(rows["scored_by"]) == {"here"}
    assert "| m/quick | m | - | 2 |" in render(rows)


def test_what_a_card_assumes_stands_under_a_recipe_that_mimics_a_paper(runs, monkeypatch):
    card = SimpleNamespace(assumed=("The crop is not stated; none is taken.",))
    monkeypatch.setattr("zoo.results.markdown.methods", lambda: {"m": SimpleNamespace(card=card)})
    assert "crop" not in render(read_rows([runs]))
    write_run(runs, "a", 0, 0.5, 0.4, recipe="m/mvtec_ad_2_paper")
    assert "- m: The crop is not stated; none is taken." in render(read_rows([runs]))


@pytest.fixture
def own(tmp_path):
    """Return a folder with two runs on somebody's own images: with anomalous ones, and without."""
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
    text = render(read_rows([own, runs]))
    assert text.startswith(render(read_rows([runs])))
    assert text.endswith(render(read_rows([own])))
    (tmp_path / "rows.csv").write_text(render(read_rows([own, runs]), "csv"))
    assert render(read_rows([tmp_path / "rows.csv"])) == text


def test_a_single_run_folder_is_a_source_and_foreign_files_are_none(own):
    assert len(read_rows([own / "a"])) == 1
    (own / "other").mkdir()
    (own / "other" / "metrics.json").write_text('{"accuracy": 1}')
    (own / "torn").mkdir()
    (own / "torn" / "metrics.json").write_text('{"recipe": ')
    assert len(read_rows([own])) == 2
    with pytest.raises(ZooError, match="no finished run"):
        read_rows([own / "other"])


FACTS = {"object": "../../../../X", "seed": -1, "recipe": "a//b", "method": 7, "splits": []}
FIGURES = {"segf1": 1.5, "n_images": True, "image_auroc": "0.5", "n_good": -3, "reasons": {"a": 1}}


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        *(("metrics.json", {key: value}, f"{key} is") for key, value in FACTS.items() if value),
        ("metrics.json", {"splits": []}, "splits should be fields"),
        ("metrics.json", {"splits": {"../x": {}}}, "splits.../x"),
        *(
            ("metrics.json", {"splits": {"test_private": {key: value}}}, f"test_private.{key}")
            for key, value in FIGURES.items()
        ),
        ("cost.json", {"total_s": True}, "total_s is 'True'"),
        ("cost.json", {"latency": {"p50_ms": -1}}, "latency.p50_ms is '-1'"),
        ("cost.json", {"versions": {"torch": 2}}, "versions.torch is '2'"),
    ],
)
def test_a_damaged_run_is_named_and_left_out(runs, name, change, message, capsys):
    path = runs / "m-quick" / "a" / "seed0" / name
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    for words in (["table", str(runs)], ["report", str(runs), "--out", str(runs / "r.html")]):
        assert main(words) == 1
        printed = capsys.readouterr()
        assert printed.err.startswith(f"zoo: left out: {path}: ")
        assert message in printed.err
        assert printed.err.count("\n") == 1
    assert set(read_rows([runs], lambda error: None)["object"]) == {"b"}
    with pytest.raises(ZooError, match=r"copy the run again"):
        read_rows([runs])


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e999", "", '{"a": 1, "a": 2}', "[" * 9999])
def test_what_is_no_json_is_named_and_left_out(runs, text, capsys):
    path = runs / "m-quick" / "a" / "seed0" / "cost.json"
    (path.parent / "config.yaml").write_text("# anomalib-zoo==0.1.0\n")
    path.write_text(f'{{"total_s": {text}}}' if text else "")
    assert main(["table", str(runs)]) == 1
    assert capsys.readouterr().err.startswith(f"zoo: left out: {path}")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("m/quick", "../x", "line 2.recipe"),
        (",a,0,", ",..,0,", "line 2.object"),
        (",0.5,", ",inf,", "line 2.segf1"),
        (",0.5,", ",True,", "line 2.segf1"),
        (",0.5,", ",50,", "line 2.segf1"),
        ("seed", "seat", "lacks the column seed"),
    ],
)
def test_rows_of_a_csv_are_checked(runs, tmp_path, old, new, message, capsys):
    text = render(read_rows([runs]), "csv")
    (tmp_path / "rows.csv").write_text(text.replace(old, new, 1))
    assert main(["table", str(tmp_path / "rows.csv"), str(runs)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"zoo: left out: {tmp_path / 'rows.csv'}")
    assert message in error
    assert error.count("\n") == 1


def test_a_csv_keeps_names_that_look_like_numbers(tmp_path):
    for name in ("01", "no", "1e3", "NA"):
        write_run(tmp_path / "runs", name, 0, 0.5, 0.4)
    (tmp_path / "rows.csv").write_text(render(read_rows([tmp_path / "runs"]), "csv"))
    assert set(read_rows([tmp_path / "rows.csv"])["object"]) == {"01", "no", "1e3", "NA"}
