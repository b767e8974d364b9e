"""`zoo efficiency`: rows of CSV, and operations counted as by hand."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from zoo.cli import main
from zoo.results.efficiency import operations

RECIPE = """
model:
  class_path: ZooPatchcore
  init_args: {weights: random, image_size: 32, bank_size: 50}
data:
  class_path: zoo.data.MVTecAD2Layout
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory, write_object):
    root = tmp_path_factory.mktemp("efficiency")
    write_object(root / "data", "part")
    (root / "quick.yaml").write_text(RECIPE, encoding="utf-8")
    words = ("--data.root", str(root / "data"), "--out", str(root / "runs"))
    assert main(["bench", str(root / "quick.yaml"), *words, "--splits", "test_public"]) == 0
    return root / "runs" / "quick" / "part" / "seed0"


@pytest.mark.parametrize(
    "sizes",
    # One size is measured in this process, several each in a new one.
    [[(64, 48)], pytest.param([(64, 48), (128, 96)], marks=pytest.mark.slow)],
)
def test_a_row_per_run_and_size(run, sizes, capsys):
    words = ["--sizes", *(f"{height}x{width}" for height, width in sizes)]
    words += ["--passes", "3", "--seconds", "0.2"]
    assert main(["efficiency", str(run.parents[2]), *words]) == 0
    printed = capsys.readouterr()
    assert "at 64x48" in printed.err
    rows = pd.read_csv(io.StringIO(printed.out))
    assert list(zip(rows["height"], rows["width"], strict=True)) == sizes
    assert set(rows["input_height"]) == set(rows["input_width"]) == {32}
    assert set(rows["object"]) == {"part"}
    assert (rows["passes"] >= 3).all()
    assert (rows["seconds"] >= 0.19).all()
    assert (rows["p95_ms"] >= rows["p50_ms"]).all()
    assert (rows["gflops"] > 0).all()
    assert set(rows["device"]) == {"cpu"}
    assert rows["peak_device_mb"].isna().all()


def test_the_defaults_are_the_sizes_and_the_care_of_the_issue(run, monkeypatch, capsys):
    asked = []

    def measured(words, alone):
        _, size, passes, seconds, _ = words
        assert alone
        asked.append((size, passes, seconds))
        return {"size": size}

    monkeypatch.setattr("zoo.cli.efficiency.measured", measured)
    assert main(["efficiency", str(run)]) == 0
    assert asked == [(size, 20, 30.0) for size in ((256, 256), (512, 512), (1024, 1224))]


def test_nothing_is_overwritten(run, tmp_path, capsys):
    out = tmp_path / "rows.csv"
    words = ["efficiency", str(run), "--sizes", "32x32", "--passes", "1", "--seconds", "0"]
    assert main([*words, "--out", str(out)]) == 0
    assert main([*words, "--out", str(out)]) == 1
    assert "rows.csv exists: move it" in capsys.readouterr().err
    assert len(pd.read_csv(out)) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sizes", "64"], "'64' is no size, write it as 512x512"),
        (["--passes", "0"], "--passes must be 1 or more"),
    ],
)
def test_typing_errors_are_one_line(run, capsys, words, message):
    assert main(["efficiency", str(run), *words]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_no_run_is_one_line(tmp_path, capsys):
    assert main(["efficiency", str(tmp_path)]) == 1
    assert "no finished run" in capsys.readouterr().err


def test_operations_are_products_and_sums_of_every_layer():
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Flatten(), nn.Linear(8 * 16 * 16, 5))

    def score(image):
        with torch.inference_mode():
            return network(torch.from_numpy(image).float().permute(2, 0, 1)[None])

    detector = SimpleNamespace(score=score, model=network)
    counted = operations(detector, np.zeros((16, 16, 3), np.uint8))
    convolution = 2 * 16 * 16 * 8 * 3 * 3 * 3
    linear = 2 * 8 * 16 * 16 * 5
    assert counted == convolution + linear


def test_operations_are_counted_where_a_module_is_handed_a_parameter():
    class Queries(nn.Module):
        def __init__(self):
            super().__init__()
            self.queries, self.layer = nn.Parameter(torch.ones(2, 3)), nn.Linear(3, 5)

        @torch.inference_mode()
        def score(self, image):
            return self.layer(self.queries)

    network = Queries()
    detector = SimpleNamespace(score=network.score, model=network)
    assert operations(detector, np.zeros((4, 4, 3), np.uint8)) == 2 * 2 * 3 * 5
