"""The pages: every command is understood, tables are those of results/, examples hold."""

from __future__ import annotations

import re
from importlib import import_module

import pandas as pd
import pytest
from doc_pages import DOCS, ROOT, blocks, commands
from small_recipes import PATCHCORE

from zoo.cli import main
from zoo.cli.dispatch import ANOMALIB_VERBS, ZOO_VERBS, Parser
from zoo.export.agreement import ALLOWED
from zoo.recipes.files import Recipe, recipe_names

# What each page is about; a page whose blocks are no longer found would pass unread.
TOPICS = {
    "docs/cluster.md": {"--dry-run", "--jobs", "--devices", "table", "ray"},
    "docs/compare.md": {"bench", "verify", "table", "report", "reproduce", "relight", "efficiency"},
    "docs/exporting.md": {"export", "--check", "predict", "pick"},
    "docs/mvtec-ad-2.md": {"bench", "submit", "--check", "table", "--kit"},
    "docs/recipes.md": {"list", "show", "train", "fit", "bench"},
}


def page_text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_every_command_is_understood():
    for page, topics in TOPICS.items():
        found = commands(page)
        assert topics <= {word for words in found for word in words}, page
        for program, verb, *words in found:
            if program == "python" or verb in ANOMALIB_VERBS:
                continue  # tests/test_docs_commands.py runs these
            assert (program, verb in ZOO_VERBS) == ("zoo", True)
            module = import_module(f"zoo.cli.{verb}")
            parser = Parser(prog=f"zoo {verb}", allow_abbrev=False)
            module.add_arguments(parser)
            parser.parse_args(words[: words.index(">")] if ">" in words else words)


def test_the_table_of_calibration_is_that_of_the_study():
    table = pd.read_csv(ROOT / "results" / "calibration_study.csv")
    means = table[table["object"] == "mean"]
    assert set(means["n_pairs"]) == {len(table[table["object"] != "mean"]) / len(means)}
    for rule, rows in means.groupby("rule", sort=False):
        cells = [
            f"{row.efficiency:.2f} ({row.efficiency_low:.2f} to {row.efficiency_high:.2f})"
            for row in rows.itertuples()
        ]
        lines = page_text("calibration.md").splitlines()
        [line] = [line for line in lines if line.startswith(("| ", "| **")) and rule in line]
        assert " | ".join(cells) in line


def test_the_table_of_many_runs_is_what_was_measured():
    measured = pd.read_csv(ROOT / "results" / "grid_scaling.csv").set_index("measure")
    rows = re.findall(r"^\| (.+?) \| ([\d.]+) \| ([\d.]+) \|$", page_text("cluster.md"), re.M)
    assert len(rows) == 4
    for name, (_, *seconds) in zip(measured.index[[0, 2, 3, 4]], rows, strict=True):
        expected = measured.loc[name, ["cpu", "wall"]].tolist()
        assert [float(text) for text in seconds] == pytest.approx(expected, abs=0.06), name


def test_the_page_on_export_has_ten_lines_and_the_allowed_differences():
    lines = blocks("docs/exporting.md", "python")[0].splitlines()
    assert len([line for line in lines if line]) == 10
    for precision, limits in ALLOWED.items():
        cells = (
            precision,
            *(f"{getattr(limits, key):g}" for key in ("map", "score", "mask", "verdict")),
        )
        assert f"| {' | '.join(cells)} |" in page_text("exporting.md")


def test_the_lines_of_python_print_what_the_page_on_comparing_shows(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    found = re.search(r"```python\n(.*?)```\n```\n(.*?)```", page_text("compare.md"), re.S)
    exec(found[1], {})
    assert capsys.readouterr().out == found[2]


def test_every_kind_of_recipe_is_explained():
    explained = set(re.findall(r"^\| `(\w+)` \| ", page_text("recipes.md"), re.M))
    assert {name.rpartition("/")[2] for name in recipe_names()} <= explained


def test_the_anatomy_is_a_recipe(tmp_path, monkeypatch, capsys, mini):
    monkeypatch.chdir(tmp_path)
    [anatomy] = blocks("docs/recipes.md", "yaml")
    path = tmp_path / "mine.yaml"
    path.write_text(anatomy, encoding="utf-8")
    assert Recipe("mine", path).description.startswith("PatchCore with my settings")
    assert Recipe("mine", path).needs == "the model hub once, and a graphics card"
    assert main(["bench", "mine.yaml", "--data.root", str(mini), "--dry-run"]) == 0
    assert "mine · part · seed 0 · to do" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("tiling: {window: 48}\nnote: part", "names the object 'part'"),
        ("trainer: {callbacks: [{class_path: os.system}]}", "--trust"),
    ],
)
def test_what_a_recipe_may_not_do(tmp_path, capsys, mini, line, said):
    path = tmp_path / "mine.yaml"
    path.write_text(f"{PATCHCORE}{line}\n", encoding="utf-8")
    assert main(["bench", str(path), "--data.root", str(mini), "--out", str(tmp_path)]) == 1
    assert said in "".join(capsys.readouterr())
