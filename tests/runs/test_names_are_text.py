"""Objects may be called `01`, `no` or `1e3`: names are text from the first to the last file."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest
from run_folders import write_run

from zoo.cli import main
from zoo.results.rows import read_rows
from zoo.utils.plain_yaml import read_yaml

NAMES = ["01", "1e3", "no"]


def test_names_stay_text_from_the_first_to_the_last_file(
    recipe, write_object, tmp_path, cheap_runs, capsysbinary
):
    root, out = tmp_path / "data", tmp_path / "runs"
    write_object(root, NAMES[0])
    for name in NAMES[1:]:
        shutil.copytree(root / NAMES[0], root / name)
    words = ["bench", str(recipe), "--data.root", str(root), "--out", str(out)]
    assert main([*words, "--splits", "test_public", "--objects", *NAMES]) == 0
    for name in NAMES:
        run = out / "quick" / name / "seed0"
        assert json.loads((run / "metrics.json").read_text())["object"] == name
        assert read_yaml(run / "config.yaml")["data"]["init_args"]["category"] == name
    assert list(read_rows([out])["object"]) == NAMES

    capsysbinary.readouterr()
    assert main(["table", str(out), "--format", "csv"]) == 0
    table = tmp_path / "table.csv"
    table.write_bytes(capsysbinary.readouterr().out)
    assert list(read_rows([table])["object"]) == NAMES
    figures = write_run(tmp_path / "figures", "01", 0, 0.5, 0.4)
    words_of_report = ["report", str(figures), str(table), "--out", str(tmp_path / "r.html")]
    assert main(words_of_report) == 0
    assert b">01<" in (tmp_path / "r.html").read_bytes()

    # The same command finds them finished, and a recorded configuration replays.
    assert main([*words, "--splits", "test_public", "--objects", *NAMES]) == 0
    assert b"3 runs into" in capsysbinary.readouterr().out
    again = ["train", "--config", str(out / "quick" / "1e3" / "seed0" / "config.yaml")]
    assert main([*again, "--default_root_dir", str(tmp_path / "again")]) == 0
    [metrics] = (tmp_path / "again").rglob("metrics.json")
    assert json.loads(metrics.read_text())["object"] == "1e3"


@pytest.mark.parametrize("name", NAMES)
def test_a_csv_file_is_read_as_it_was_written(name, tmp_path):
    row = {"recipe": "r", "method": "m", "object": name, "split": "test_public", "seed": 0}
    path = tmp_path / "rows.csv"
    text = pd.DataFrame([{**row, "segf1": 0.5}], dtype=object).to_csv(index=False)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert list(read_rows([path])["object"]) == [name]
