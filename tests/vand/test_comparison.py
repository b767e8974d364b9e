"""Three outcomes for a published row, and which row a recipe mimics."""

from __future__ import annotations

import pytest

from zoo.recipes.files import find_recipe
from zoo.results.published import read_server
from zoo.utils.errors import ZooError
from zoo.vand import reproduction
from zoo.vand.reproduction import (
    differences,
    outcome,
    published_au_pro,
    published_row,
    report,
)

# Published for PatchCore: SegF1 3.7 and 3.4, AU-PRO_0.05 at 256 pixels 28.8 and 26.0.
CASES = [
    ((3.7, 3.4, 28.8, 26.0), "reproduced"),
    ((5.7, 1.4, 90.0, 90.0), "reproduced"),
    ((5.8, 3.4, 28.8, 26.0), "model yes, threshold no"),
    ((30.0, 3.4, 30.8, 24.0), "model yes, threshold no"),
    ((30.0, 30.0, 30.9, 26.0), "not reproduced"),
    ((30.0, 30.0, 28.8, 20.0), "not reproduced"),
]


@pytest.fixture
def row(paper_recipe):
    return published_row(find_recipe("patchcore/mvtec_ad_2_paper"))


@pytest.mark.parametrize(("means", "expected"), CASES)
def test_both_means_within_two_points_decide(row, write_answer, means, expected):
    answer = read_server(write_answer(*means))
    assert outcome(differences(answer, row, published_au_pro(row))) == expected


def test_without_a_published_au_pro_there_is_no_middle_outcome(row, write_answer):
    answer = read_server(write_answer(30, 30, 28.8, 26.0))
    assert outcome(differences(answer, row, None)) == "not reproduced"


def test_the_report_shows_every_object_and_both_limits_of_what_is_compared(row, write_answer):
    text = report(read_server(write_answer(5, 3, 28, 27)), row, published_au_pro(row))
    assert "| SegF1 private | published | server | difference |" in text
    assert "| fabric | 11.50 | 5.00 | -6.50 |" in text
    assert "| SegF1 | private | 3.70 | 5.00 | +1.30 |" in text
    assert "| AU-PRO_0.05 | private_mixed | 26.00 | 27.00 | +1.00 |" in text
    assert "arXiv:2509.17615 Table 2" in text
    assert "SECONDARY" in text
    assert text.endswith("PatchCore: **reproduced**")


def test_the_au_pro_is_that_of_the_papers_input_size(row):
    assert published_au_pro(row).method == "PatchCore @256"
    assert published_au_pro(row, "half native").method == "PatchCore @half native"


@pytest.mark.parametrize("name", ["patchcore", "ZooPatchcore"])
def test_a_method_has_one_such_recipe(name, paper_recipe):
    assert paper_recipe.samefile(reproduction.paper_recipe(name).path)


def test_a_row_may_be_named(row):
    recipe = find_recipe("patchcore/mvtec_ad_2_paper")
    assert published_row(recipe, "rd++").method == "RD++"
    assert published_row(recipe, "efficient-ad").method == "EfficientAD"
    with pytest.raises(ZooError, match="no published row 'RDD'"):
        published_row(recipe, "RDD")


def test_a_method_without_such_a_recipe_is_one_line(paper_recipe):
    paper_recipe.unlink()
    with pytest.raises(ZooError, match="method 'patchcore' has no recipe"):
        reproduction.paper_recipe("patchcore")
    with pytest.raises(ZooError, match="no method 'pachcore'"):
        reproduction.paper_recipe("pachcore")


def test_a_recipe_of_ones_own_that_mimics_nobody_names_its_row(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("model: {class_path: my.Own}\ndata: {}\n")
    with pytest.raises(ZooError, match="no published row for mine: name it with --row"):
        published_row(reproduction.paper_recipe(str(path)))
