"""Run folders of figures that were made up, images and histograms included, without torch."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from zoo.metrics import PixelScores, add_splits, save_splits
from zoo.postprocess import Calibration, finish
from zoo.runs.cases import CaseCollector
from zoo.runs.figures import RuleScores

SIZE = (48, 64)
CALIBRATION = Calibration(2.0, min_area_px=4, seed_threshold=2.5, rule="Quantile", n_images=3)
SPLITS = ("test_public", "test_private", "test_private_mixed")


def metrics_of(recipe: str, object_name: str, seed: int, segf1: float) -> dict:
    values = {"segf1": segf1, "oracle_segf1": 0.9, "au_pro_005": 0.3, "au_pro_030": 0.7}
    values |= {"n_images": 4, "n_good": 2, "reasons": {"image_auroc": "needs both"}}
    splits = {split: values | {"segf1": segf1 - 0.1 * rank} for rank, split in enumerate(SPLITS)}
    facts = {"recipe": recipe, "method": "m", "object": object_name, "seed": seed, "splits": splits}
    return facts | {"vand4_admissible": "yes", "data_fingerprint": "0", "config_hash": "0"}


def cost_of(ms: float, mb: float) -> dict:
    latency = {"p50_ms": ms, "p95_ms": ms, "passes": 20}
    cost = {"phases": {"fit": {"wall_s": 2.0}}, "total_s": 3.0, "latency": latency}
    cost |= {"memory": {"peak_rss_mb": mb}, "device": "cpu", "processor": "p", "threads": 1}
    return cost


@pytest.fixture(scope="session")
def write_report_run(texture, write_image):
    """Return a function that writes the folder of one run."""

    def write(root: Path, recipe: str, name: str, seed: int, segf1: float, cost=(20.0, 1000.0)):
        folder = root / recipe.replace("/", "-") / name / f"seed{seed}"
        folder.mkdir(parents=True)
        (folder / "metrics.json").write_text(json.dumps(metrics_of(recipe, name, seed, segf1)))
        (folder / "cost.json").write_text(json.dumps(cost_of(*cost)))
        CALIBRATION.save(folder / "calibration.json")
        raw = {}
        for split in SPLITS:
            cases, rule_scores, pixels = CaseCollector(), RuleScores(CALIBRATION), PixelScores()
            for index, side in enumerate((0, 9, 14)):
                path = write_image(root / "data" / f"{split}_{index}.png", texture(index, SIZE))
                score_map = np.random.default_rng(index).random(SIZE, np.float32)
                score_map[4 : 4 + side, 4 : 4 + side] = 3
                truth = np.zeros(SIZE, bool)
                truth[4:13, 4 : 4 + side] = True
                truth[40:43, 50:53] = index == 2
                finished = finish(score_map, SIZE, CALIBRATION)
                cases.update(path, finished, truth)
                rule_scores.update(score_map, truth)
                pixels.update(score_map, truth)
            cases.save(folder / "cases" / split, CALIBRATION)
            add_splits(folder / "rule_histograms.npz", {split: rule_scores.pixels})
            raw[split] = pixels
        save_splits(folder / "histograms.npz", raw)
        return folder

    return write


@pytest.fixture(scope="session")
def _runs(tmp_path_factory, write_report_run):
    root = tmp_path_factory.mktemp("report") / "runs"
    for name, segf1 in (("cup", 0.6), ("plate", 0.4)):
        for seed in (0, 1):
            write_report_run(root, "m/quick", name, seed, segf1 + 0.02 * seed)
        write_report_run(root, "m/large", name, 0, segf1 + 0.2, cost=(300.0, 2000.0))
    return root


@pytest.fixture
def runs(tmp_path, _runs):
    """Return a folder with two recipes on two objects, one of them with two seeds."""
    return Path(shutil.copytree(_runs, tmp_path / "runs"))
