"""Generated blocks are those that cards, recipes and results give; links of all pages lead on."""

from __future__ import annotations

import csv
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GENERATE = ROOT / "docs" / "generate.py"
PAGES = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "plugins").rglob("*.md")]
PAGES += [ROOT / "results" / "README.md", ROOT / "benchmarks" / "README.md"]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_no_generated_block_is_stale():
    fresh = runpy.run_path(str(GENERATE))["documents"]()
    names = {"README.md", "methods.md", "recipes.md", "exporting.md"}
    assert {path.name for path in fresh} == names
    stale = [_name(path) for path, text in fresh.items() if path.read_text("utf-8") != text]
    assert not stale, f"{', '.join(stale)}: stale, run `make docs`"


def test_a_changed_card_makes_a_page_stale(monkeypatch):
    monkeypatch.setattr("zoo.results.card_page.vand4", lambda card: "who knows")
    fresh = runpy.run_path(str(GENERATE))["documents"]()
    stale = {path for path, text in fresh.items() if path.read_text("utf-8") != text}
    assert stale == set((ROOT / "plugins" / "zoo_plugins").glob("*/README.md"))


def test_generating_imports_no_torch():
    code = f"import runpy, sys; runpy.run_path({str(GENERATE)!r})['documents']()\n"
    code += "sys.exit(int(bool({'torch', 'anomalib', 'zoo_plugins'} & set(sys.modules))))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        path, _, heading = target.partition("#")
        if target.startswith("http"):
            continue
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        if heading:
            assert heading in _headings(found), target


def _headings(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_time_that_other_searches_save_is_the_measured_one():
    with (ROOT / "results/memory_bank_speed.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["work"].startswith("search, ")]
    times = {row["work"].rpartition(", ")[2]: float(row["ours"]) for row in rows}
    saved = 1 - min(times["faiss"], times["openvino"]) / times["torch"]
    page = (ROOT / "plugins/zoo_plugins/patchcore/README.md").read_text(encoding="utf-8")
    assert f"at best {100 * saved:.0f} % less time" in page
