"""Names of strangers steer no terminal, are no formula, and break no table."""

from __future__ import annotations

import csv
import io
import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.cli import main
from zoo.results.rows import read_rows
from zoo.results.table import render
from zoo.utils.errors import ZooError, one_line
from zoo.utils.markdown import Table, csv_text
from zoo.utils.text import csv_cell, from_csv_cell, markdown_cell, printable

EVIL = "=cmd|' /C calc'!A0 <img src=x onerror=alert(1)> [a](javascript:b) `c` \x1b[2J"


@given(st.text())
def test_a_line_stays_a_line_and_holds_no_command(text):
    shown = printable(text)
    assert not any(letter in shown for letter in "\n\r\t\x1b\x07\x9b\x7f\u2028\u202e")
    assert printable(shown) == shown
    assert str(ZooError(text)).count("\n") == one_line(ValueError(text)).count("\n") == 0


def test_names_of_any_language_stay_as_they_are():
    for name in ("Schräubchen", "部品", "جزء", "\udcff.png", "a - b"):
        assert printable(name) == name


@given(st.text())
def test_no_cell_of_a_csv_is_a_formula(text):
    cell = csv_cell(text)
    assert not cell.startswith(("=", "@"))
    assert not cell.startswith(("+", "-")) or float(cell) is not None
    assert from_csv_cell(cell) == printable(text) or text.startswith("'")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=2))
def test_a_table_keeps_its_cells(names):
    *_, line = Table("", ["a", "b"], [names]).markdown().split("\n")
    assert line.startswith("| ")
    inner = line[2:-2].replace("\\\\", "").replace("\\|", "")
    assert inner.count("|") == 1
    assert "<" not in line
    assert "](" not in line


def test_bold_of_ours_stays():
    assert markdown_cell("**a/b**") == "**a/b**"
    assert markdown_cell("a*b") == "a\\*b"


def test_a_frame_becomes_csv_without_formulas():
    frame = pd.DataFrame({"name": [EVIL, "-part", "-0.5"], "value": [-1.5, 2.0, float("nan")]})
    rows = list(csv.reader(io.StringIO(csv_text(frame))))
    assert rows[1][0].startswith("'=cmd")
    assert rows[2][0] == "'-part"
    assert [row[1] for row in rows[1:]] == ["-1.5", "2", ""]


@pytest.fixture
def runs(tmp_path):
    """Return a folder of one run whose names are those of a stranger."""
    figures = {"segf1": 0.5, "n_images": 4, "n_good": 2}
    name = EVIL.replace("/", "").replace("\x1b[2J", "").strip()
    facts = {"recipe": name, "object": name, "seed": 0, "method": EVIL}
    facts |= {"vand4_admissible": f"no: {EVIL}", "command": EVIL}
    splits = {"test_private": figures, "test_private_mixed": figures}
    folder = tmp_path / "runs/a/seed0"
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps({**facts, "splits": splits}))
    cost = {"device": EVIL, "processor": EVIL, "threads": 1, "versions": {"torch": EVIL}}
    (folder / "cost.json").write_text(json.dumps(cost))
    return tmp_path / "runs"


def test_every_form_of_a_table_is_safe(runs, capsys):
    for form in ("md", "csv", "json"):
        assert main(["table", str(runs), "--format", form]) == 0
        printed = capsys.readouterr().out
        assert "\x1b" not in printed
        if form == "md":
            assert "<img" not in printed
            assert "](javascript" not in printed
        if form == "csv":
            for row in csv.reader(io.StringIO(printed)):
                assert not any(cell.startswith(("=", "@")) for cell in row)
    (runs.parent / "rows.csv").write_text(render(read_rows([runs]), "csv"))
    again = read_rows([runs.parent / "rows.csv"])
    assert list(again["object"]) == list(read_rows([runs])["object"])


def test_errors_steer_no_terminal(tmp_path, capsys):
    path = tmp_path / "a\x1b[2Jb"
    for words in (["table", str(path)], ["show", "x\x1b[2J"], ["\x1b[2J"]):
        assert main(words) == 1
        error = capsys.readouterr().err
        assert "\x1b" not in error
        assert "\\x1b[2J" in error
        assert error.count("\n") == 1
