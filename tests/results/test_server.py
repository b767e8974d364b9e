"""The server's answer: read back, and put into the table; whatever is wrong with it is one line."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from zoo.cli import main
from zoo.results.published import object_names, read_server
from zoo.utils.errors import ZooError

HEAD = "split,object,SegF1,AucPro_0.05,ClassF1"


def answer(path, private=20.0, mixed=10.0, change=lambda lines: lines):
    lines = [
        f"{split},{name},{value},{2 * value},50"
        for split, value in (("private", private), ("private_mixed", mixed))
        for name in object_names()
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([HEAD, *change(lines)]) + "\n", encoding="utf-8")
    return path


def test_percentages_become_fractions_and_fractions_stay(tmp_path):
    for private, mixed in ((20.0, 10.0), (0.2, 0.1)):
        frame = read_server(answer(tmp_path / "s.csv", private, mixed).with_name("s.csv"))
        means = frame.groupby("split")["SegF1"].mean()
        if private == 20.0:
            assert dict(means) == pytest.approx({"test_private": 0.2, "test_private_mixed": 0.1})
            assert frame["AucPro_0.05"].max() == pytest.approx(0.4)


def test_full_names_of_splits_and_a_row_of_means_are_taken(tmp_path):
    def change(lines):
        return [f"test_{line}" for line in lines] + ["private,mean,99,99,99"]

    frame = read_server(answer(tmp_path / "s.csv", change=change))
    assert len(frame) == 16
    assert frame["SegF1"].max() == pytest.approx(0.2)


def test_an_answer_that_excel_saved_is_read(tmp_path):
    path = answer(tmp_path / "s.csv", private=20.5)
    expected = read_server(path)
    text = path.read_text().replace(",", ";").replace(".5", ",5").replace("SegF1", "SEGF1")
    path.write_bytes(text.replace("AucPro_0,5", "AucPro_0.5").encode("utf-8-sig"))
    pd.testing.assert_frame_equal(read_server(path), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[1:], "lacks can of test_private: a mean needs every object"),
        (lambda lines: lines[:8], "lacks can of test_private_mixed, fabric of test_private_mixed"),
        (lambda lines: [*lines, "private,bottle,1,1,1"], "foreign object 'bottle'"),
        (lambda lines: [*lines, lines[0]], "has can of test_private twice"),
        (lambda lines: [*lines[:-1], "public,walnuts,1,1,1"], "unknown split 'public'"),
        (lambda lines: [*lines[:-1], "private_mixed,walnuts,many,1,1"], "SegF1 holds no number"),
        (lambda lines: [f"{line.rpartition(',')[0]},True" for line in lines], "ClassF1 holds no"),
        (lambda lines: [*lines[:-1], "private_mixed,walnuts,inf,1,1"], "0..1 or in 0..100"),
        (lambda lines: [*lines[:-1], "private_mixed,walnuts,,1,1"], "a value is missing"),
        (lambda lines: [*lines[:-1], "private_mixed,walnuts,101,1,1"], "0..1 or in 0..100"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path, change, message):
    path = answer(tmp_path / "s.csv", change=change)
    with pytest.raises(ZooError, match="server file") as error:
        read_server(path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_other_columns_and_no_file_are_one_line(tmp_path):
    with pytest.raises(ZooError, match="cannot be read"):
        read_server(tmp_path / "none.csv")
    (tmp_path / "s.csv").write_text("split,object,F1\nprivate,can,1\n")
    with pytest.raises(ZooError, match=r"lacks the column SegF1, AucPro_0.05, ClassF1"):
        read_server(tmp_path / "s.csv")


@pytest.fixture
def runs(tmp_path):
    """Return finished runs of one recipe on the eight objects, whose private truth is withheld."""
    for name in object_names():
        folder = tmp_path / "runs" / "m-paper" / name / "seed0"
        folder.mkdir(parents=True)
        splits = {
            "test_public": {"segf1": 0.9, "n_images": 4},
            "test_private": {"segf1": None, "n_images": 4},
            "test_private_mixed": {"segf1": None, "n_images": 4},
        }
        facts = {"recipe": "m/paper", "method": "m", "object": name, "seed": 0}
        (folder / "metrics.json").write_text(json.dumps({**facts, "splits": splits}))
    return tmp_path / "runs"


def table(capsys, *words):
    assert main(["table", *map(str, words)]) == 0
    return capsys.readouterr().out


def test_until_the_server_answers_its_columns_say_so(runs, capsys):
    text = table(capsys, runs)
    assert "| m/paper | m | - | 8 | 1 | 90.0 % | server | server | - | - |" in text
    assert "mean over objects (MVTec AD 2: can, fabric," in text
    assert "**m/paper** | this zoo" not in text
    assert "| SegF1 private | can |" in text  # what is published of the same objects


def test_an_answer_beside_the_objects_is_ranked_with_the_published_rows(runs, capsys):
    answer(runs / "m-paper" / "server.csv")
    text = table(capsys, runs)
    assert "| **m/paper** | this zoo, server | 20.0 % | 10.0 % | 50.0 % | 8.5 |" in text
    assert "| **m/paper** | this zoo, server | 40.0 % | 20.0 % |" in text  # AU-PRO_0.05
    assert "not comparable" not in text
    boards = json.loads(table(capsys, runs, "--format", "json", "--ranked"))
    [mine] = [row for row in boards if row["recipe"] == "m/paper" and row["r_final"] != 1]
    assert mine["data_set"] == "MVTec AD 2"
    assert mine["segf1_private"] == pytest.approx(0.2)
    assert mine["segf1_public"] is None  # never beside the server's
    assert "SuperADD report" in table(capsys, runs, "--format", "csv", "--ranked")


def test_truth_that_lies_beside_the_splits_is_not_the_servers(runs, capsys):
    for path in runs.rglob("metrics.json"):
        path.write_text(path.read_text().replace("null", "0.99"))
    text = table(capsys, runs)
    assert "this zoo, server" not in text
    assert "not comparable" in text
    assert "MVTec AD 2: can" not in text


def test_an_answer_beside_two_recipes_is_nobodys(runs, capsys):
    answer(runs / "server.csv")
    other = runs / "m-other" / "can" / "seed0"
    other.mkdir(parents=True)
    text = (runs / "m-paper" / "can" / "seed0" / "metrics.json").read_text()
    (other / "metrics.json").write_text(text.replace("m/paper", "m/other"))
    assert main(["table", str(runs)]) == 1
    assert "beside the runs of 2 recipes" in capsys.readouterr().err


def test_ranks_are_for_csv_and_json(runs, capsys):
    assert main(["table", str(runs), "--ranked"]) == 1
    assert "--ranked is for --format csv and json" in capsys.readouterr().err
