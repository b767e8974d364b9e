"""One aggregate: tables, rankings, fronts and the report say the same mean of the same runs."""

from __future__ import annotations

import io
import json
import re

import pandas as pd
import pytest
from run_folders import write_run

from zoo.results.aggregate import entries
from zoo.results.markdown import method_table
from zoo.results.published import object_names
from zoo.results.report.page import page
from zoo.results.robustness import robustness_table
from zoo.results.rows import read_rows
from zoo.results.table import render, table


def ranked(rows):
    return json.loads(render(rows, "json", ranked=True))


def ours(rows):
    return {row["recipe"]: row for row in ranked(rows) if row["recipe"]}


@pytest.fixture
def uneven(tmp_path):
    """Return runs with three seeds of one object and one of another."""
    for seed in range(3):
        write_run(tmp_path, "a", seed, 0.6, 0.6)
    write_run(tmp_path, "b", 0, 0.2, 0.2)
    return tmp_path


def test_seeds_are_averaged_before_objects_everywhere(uneven):
    write_run(uneven, "a", 0, 0.45, 0.45, recipe="m/other")
    write_run(uneven, "b", 0, 0.45, 0.45, recipe="m/other")
    rows = read_rows([uneven])
    [quick] = [each for each in entries(rows) if each.name == "m/quick"]
    assert quick.means == pytest.approx((0.4, 0.4))
    text = render(rows)
    assert "| m/quick | m | yes | 2 | 1-3 | - | 40.0 % | 40.0 % | 0.0 % | 2 |" in text
    assert "| **m/quick** | 60.0 % | 20.0 % | 40.0 % |" in text
    assert ours(rows)["m/quick"]["segf1_private"] == pytest.approx(0.4)
    assert ours(rows)["m/quick"]["rank"] == 2
    assert table(uneven).set_index("recipe")["segf1_private"]["m/quick"] == pytest.approx(0.4)
    ranked_csv = pd.read_csv(io.StringIO(render(rows, "csv", ranked=True)))
    assert ranked_csv.set_index("recipe")["segf1_private"]["m/quick"] == pytest.approx(0.4)
    html = page([uneven], "t", 0)
    assert "m/quick: SegF1 40.0 %" in html
    assert "53.3" not in text + html


def test_means_beside_the_ranking_are_the_same_kind(tmp_path):
    for seed in range(3):
        write_run(tmp_path, "a", seed, 0.6, 0.6, oracle_segf1=0.6, cost=(40.0, 1000.0))
    write_run(tmp_path, "b", 0, 0.2, 0.2, oracle_segf1=0.2, cost=(20.0, 1000.0))
    assert "| m/quick | 40.0 % | 40.0 % | 30 | 1000 |" in render(read_rows([tmp_path]))


def test_a_spread_is_over_seeds_that_all_objects_have(uneven):
    assert "±" not in render(read_rows([uneven]))
    for seed in (1, 2):
        write_run(uneven, "b", seed, 0.2 + 0.2 * seed, 0.2)  # means .4, .5, .6
    rows = read_rows([uneven])
    assert "50.0 % ± 10.0 |" in render(rows)
    assert "| 40.0 % ± 0.0 |" in render(rows)
    assert "| b | 3 | - | 40.0 % ± 20.0 |" in method_table(rows)


def test_one_seed_that_the_server_scored_has_no_spread(tmp_path):
    for seed in range(2):
        for name in object_names():
            write_run(tmp_path, name, seed, None, None)
    lines = [
        f"{split},{name},20,40,50"
        for split in ("private", "private_mixed")
        for name in object_names()
    ]
    head = "split,object,SegF1,AucPro_0.05,ClassF1"
    (tmp_path / "m-quick" / "server.csv").write_text("\n".join([head, *lines]))
    text = render(read_rows([tmp_path]))
    assert "| 8 | 2 | - | 20.0 % | 20.0 % |" in text
    assert "±" not in text
    assert "| **m/quick** | this zoo, server | 20.0 % | 20.0 % |" in text


@pytest.mark.parametrize("n_run", [2, 8])
def test_objects_that_the_server_scored_in_part_stand_apart_with_their_count(tmp_path, n_run):
    for name in object_names()[:n_run]:
        write_run(tmp_path, name, 0, None, None)
    rows = read_rows([tmp_path])
    scored = rows["object"].isin(object_names()[:2])
    rows.loc[scored, ["segf1", "au_pro_005"]] = 0.9
    rows.loc[scored, "scored_by"] = "server"
    text = render(rows)
    assert "**m/quick** | this zoo" not in text
    assert "scored by the server in part: m/quick (2 of 8 objects)." in text
    assert ("2 of 8 |" in text) == (n_run == 8)
    assert len([row for row in ranked(rows) if row["recipe"] == "m/quick"]) == 1


def test_an_object_without_a_split_leaves_its_mean_open_and_the_row_apart(tmp_path):
    for recipe in ("m/quick", "m/whole"):
        write_run(tmp_path, "a", 0, 0.9, 0.9, recipe=recipe, public=0.5)
    write_run(tmp_path, "b", 0, 0.1, 0.1, recipe="m/whole", public=0.5)
    private = ("test_private", "test_private_mixed")
    write_run(tmp_path, "b", 0, None, None, public=0.5, without=private)
    rows = read_rows([tmp_path])
    found = ours(rows)
    assert found["m/quick"]["segf1_private"] is None
    assert found["m/quick"]["r_final"] is None
    assert found["m/quick"]["splits"] == "a: public, private, private_mixed; b: public"
    assert found["m/whole"]["splits"] == "public, private, private_mixed"
    text = render(rows)
    assert text.count("SegF1 at native resolution") == 2
    assert "| 50.0 % | 1 of 2 | 1 of 2 | - | - |" in text
    assert "(a, b; a: public, private, private_mixed; b: public)" in text


def test_rows_of_other_splits_do_not_rank_with_each_other(tmp_path):
    write_run(tmp_path, "a", 0, 0.5, 0.5)
    write_run(tmp_path, "a", 0, 0.6, 0.6, recipe="m/public", public=0.5)
    assert {row["rank"] for row in ours(read_rows([tmp_path])).values()} == {1}


def test_other_settings_are_another_row_with_a_name(tmp_path):
    for name, code, segf1 in (
        ("a", "aaaaaaaa", 0.2),
        ("b", "aaaaaaaa", 0.4),
        ("c", "bbbbbbbb", 0.9),
    ):
        write_run(tmp_path, name, 0, segf1, segf1, settings_hash=code)
    rows = read_rows([tmp_path])
    text = render(rows)
    assert "| m/quick [aaaaaa] | m | yes | 2 | 1 | - | 30.0 % |" in text
    assert "| m/quick [bbbbbb] | m | yes | 1 | 1 | - | 90.0 % |" in text
    assert "with other settings stand apart:\n\n- m/quick [bbbbbb]: c seed 0, by `c`" in text
    assert "50.0 %" not in text
    assert {"m/quick [aaaaaa]", "m/quick [bbbbbb]"} == set(ours(rows))
    assert "m/quick [bbbbbb]: SegF1 90.0 %" in page([tmp_path], "t", 0)
    (tmp_path / "rows.csv").write_text(render(rows, "csv"))
    assert render(read_rows([tmp_path / "rows.csv"])) == text


def test_seeds_with_other_settings_are_not_averaged(tmp_path):
    for seed, code in enumerate(("aaaaaaaa", "bbbbbbbb")):
        write_run(tmp_path, "a", seed, 0.2 + 0.6 * seed, 0.2, settings_hash=code)
    rows = read_rows([tmp_path])
    assert sorted(row["segf1_private"] for row in ours(rows).values()) == pytest.approx([0.2, 0.8])
    assert {row["rank"] for row in ours(rows).values()} == {1, 2}  # of one table


def test_an_object_without_a_value_is_left_out_and_said(tmp_path):
    write_run(tmp_path, "a", 0, 0.6, 0.4)
    nothing = {"segf1": "no pixel is marked, and none is to be"}
    write_run(tmp_path, "b", 0, None, None, reasons=nothing)
    for name in "ab":
        write_run(tmp_path, name, 0, 0.5, 0.5, recipe="m/other")
    rows = read_rows([tmp_path])
    text = render(rows)
    assert "| m/quick | m | yes | 2 | 1 | - | 60.0 % | 40.0 % |" in text
    printed = "because no pixel is marked and none is to be: b (private), b (private_mixed)."
    assert printed in text
    assert {row["rank"] for row in ours(rows).values()} == {1}  # means of other objects
    assert printed in page([tmp_path], "t", 0)
    (tmp_path / "rows.csv").write_text(render(rows, "csv"))
    assert render(read_rows([tmp_path / "rows.csv"])) == text


def test_a_truth_that_is_withheld_is_no_value_either_but_unknown(tmp_path):
    write_run(tmp_path, "a", 0, 0.6, 0.6)
    write_run(tmp_path, "b", 0, None, None, reasons={"segf1": "no ground truth on this machine"})
    assert ours(read_rows([tmp_path]))["m/quick"]["segf1_private"] is None


def test_one_run_that_is_read_twice_counts_once(tmp_path):
    write_run(tmp_path, "a", 0, 0.6, 0.6)
    write_run(tmp_path, "a", 1, 0.2, 0.2)
    rows = read_rows([tmp_path])
    twice = pd.concat([rows, rows[rows["seed"] == 0]], ignore_index=True)
    assert entries(twice)[0].means == pytest.approx((0.4, 0.4))
    assert re.search(r"40.0 % ± 28.3", render(twice))


def test_light_is_averaged_the_same_way():
    clean = {"recipe": "m/quick", "family": "clean", "severity": 0, "seen": ""}
    rows = [clean | {"object": "a", "segf1": 0.6}] * 3 + [clean | {"object": "b", "segf1": 0.2}]
    lit = [row | {"family": "gain", "severity": 1, "segf1": row["segf1"] / 2} for row in rows]
    text = robustness_table(pd.DataFrame(rows + lit))
    assert "| as they are | 40.0 % |" in text
    assert "| gain | 20.0 % (50.0 %) |" in text


def test_light_on_good_images_alone_has_no_figure():
    rows = [{"recipe": "m", "object": "a", "seen": "", "segf1": None}] * 2
    rows = [
        row | {"family": family, "severity": severity}
        for row, (family, severity) in zip(rows, (("clean", 0), ("gain", 1)), strict=True)
    ]
    assert "| gain | - |" in robustness_table(pd.DataFrame(rows))
