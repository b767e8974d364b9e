"""Metrics made anew from kept maps: equal for the same thresholds, others for other ones."""

from __future__ import annotations

import json
import shutil

import pytest
from small_recipes import PATCHCORE

from zoo import Run
from zoo.cli import main
from zoo.utils.errors import ZooError


@pytest.fixture(scope="module")
def made(tmp_path_factory, write_object):
    root = tmp_path_factory.mktemp("reevaluate")
    write_object(root / "data", "part")
    (root / "quick.yaml").write_text(PATCHCORE, encoding="utf-8")
    words = ["--data.root", str(root / "data"), "--out", str(root / "runs"), "--keep", "maps"]
    assert main(["bench", str(root / "quick.yaml"), *words]) == 0
    return root / "runs" / "quick" / "part" / "seed0"


@pytest.fixture
def run(made, tmp_path):
    """Return a copy of the run that a test may change."""
    return Run(shutil.copytree(made, tmp_path / "seed0"))


def test_the_same_thresholds_give_the_same_metrics(run):
    before = run.metrics
    cases = {path.name for path in (run.folder / "cases" / "test_public").iterdir()}
    assert run.evaluate() == before == run.metrics
    assert {path.name for path in (run.folder / "cases" / "test_public").iterdir()} == cases


def test_other_thresholds_give_other_masks_and_the_same_ranking(run):
    before = run.metrics["splits"]["test_public"]
    words = ["calibrate", str(run.folder), "--rule", "Maximum(factor=100.0)", "--evaluate"]
    assert main(words) == 0
    after = run.metrics["splits"]["test_public"]
    assert after["flagged_fraction"] == 0 != before["flagged_fraction"]
    assert after["image_auroc"] == before["image_auroc"]
    assert after["au_pro_005"] == before["au_pro_005"]


def test_without_maps_it_is_one_line(run):
    shutil.rmtree(run.folder / "maps")
    with pytest.raises(ZooError, match="--keep maps"):
        run.evaluate()
    assert json.loads((run.folder / "metrics.json").read_text())["splits"]
