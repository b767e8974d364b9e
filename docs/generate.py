"""Write the generated blocks of README.md, docs/ and the methods' pages; `make docs` calls it.

A block stands between two marker lines. The text comes from cards, recipes and results, so that a
document cannot say anything else than they do; a test fails where one is stale.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from zoo.methods.registry import Method, methods
from zoo.recipes.files import recipes_for
from zoo.results import catalogue
from zoo.results.card_page import MEASURED, card_page
from zoo.results.rows import read_rows
from zoo.results.table import render
from zoo.utils.markdown import grid, with_block

ROOT = Path(__file__).resolve().parents[1]
README, DOCS = ROOT / "README.md", ROOT / "docs"
INDEX, RECIPES, EXPORTING = DOCS / "methods.md", DOCS / "recipes.md", DOCS / "exporting.md"
EXPORTS_HEAD = (
    *("recipe", "precision", "map", "score", "masks", "verdicts"),
    *("times torch: ONNX Runtime", "OpenVINO", "SegF1 in torch", "SegF1"),
)
OURS = "anomalib-zoo"  # whatever else may be installed where this runs


def documents() -> dict[Path, str]:
    """Return the whole text of every document with its blocks made anew."""
    ours = [each for each in methods().values() if each.distribution == OURS]
    measured = read_rows([ROOT / "results" / MEASURED])
    ideas = [catalogue.idea_row(each, lambda method: _page(method, README)) for each in ours]
    index = [
        catalogue.index_row(each, recipes_for(each.class_name), lambda method: _page(method, INDEX))
        for each in ours
    ]
    recipes = map(catalogue.recipe_row, catalogue.recipe_facts(ours))
    blocks = {
        README: {
            "zoo table": render(measured, means_only=True),
            "zoo methods": _grid(catalogue.IDEAS_HEAD, ideas),
        },
        INDEX: {"zoo methods": _grid(catalogue.INDEX_HEAD, index)},
        RECIPES: {"zoo recipes": _grid(catalogue.RECIPES_HEAD, recipes)},
        EXPORTING: {"zoo exports": grid(EXPORTS_HEAD, list(_export_rows()), 2)},
    }
    for each in ours:
        blocks[_readme(each)] = {"zoo card": card_page(each, recipes_for(each.class_name))}
    return {path: _filled(path, texts) for path, texts in blocks.items()}


def _export_rows() -> Iterable[Sequence[str]]:
    """Yield a row per recipe and precision: of both runtimes the larger difference."""
    table = pd.read_csv(ROOT / "results" / "export.csv").sort_values("recipe", kind="stable")
    for (recipe, precision), both in table.groupby(["recipe", "precision"], sort=False):
        of = both.set_index("runtime")
        n = of["n_compared"].iloc[0]
        segf1 = [f"{value:.3f}" for value in of["segf1"].dropna()]
        yield (
            recipe,
            f"{precision}, in tiles" if of["is_cut"].any() else precision,
            *(f"{of[f'{each}_difference'].max():.1g}" for each in ("map", "score")),
            f"{100 * of['mask_in_all_difference'].max():.2g} %",
            f"{n * of['verdict_in_all_difference'].max():.0f}/{n}",
            *(f"{of['speed_up'][each]:.1f}" for each in ("onnx", "openvino")),
            f"{of['torch_segf1'].iloc[0]:.3f}" if segf1 else "",
            ", ".join(dict.fromkeys(segf1)),
        )


def _readme(method: Method) -> Path:
    """Return the page of a bundled method: the README of its folder."""
    return ROOT / "plugins" / method.target.partition(":")[0].replace(".", "/") / "README.md"


def _page(method: Method, document: Path) -> str:
    """Return the address of a method's page as a document writes it."""
    return Path(os.path.relpath(_readme(method), document.parent)).as_posix()


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return grid(head, list(rows), len(head))


def _filled(path: Path, texts: dict[str, str]) -> str:
    document = path.read_text(encoding="utf-8")
    for block, text in texts.items():
        document = with_block(document, block, text, path.relative_to(ROOT).as_posix())
    return document


if __name__ == "__main__":
    for path, text in documents().items():
        if path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT).as_posix()}")
