"""One mask whoever computes the graph: torch, ONNX Runtime or OpenVINO."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zoo.detector import Detector
from zoo.export import ExportedModel, export_model
from zoo.post import Calibration

pytest.importorskip("onnxscript", reason="the extra `export` is not installed")
RUNTIMES = {".onnx": "onnxruntime", ".xml": "openvino"}
FORMATS = [
    pytest.param(suffix, marks=pytest.mark.skipif(False, reason=""), id=name)
    for suffix, name in RUNTIMES.items()
]


@pytest.fixture(scope="module")
def exported(fitted, tmp_path_factory):
    """Return a function that gives the fitted PatchCore as a graph, exported once per format."""
    made = {}

    def get(suffix: str) -> ExportedModel:
        pytest.importorskip(RUNTIMES[suffix])
        if suffix not in made:
            path = tmp_path_factory.mktemp("graph") / f"model{suffix}"
            made[suffix] = ExportedModel(export_model(fitted.model, path), threads=1)
        return made[suffix]

    return get


@pytest.fixture(scope="module")
def pictures(fitted):
    return [
        path
        for split in ("test_public/good", "test_public/bad", "test_private_mixed")
        for path in sorted((fitted.root / "part" / split).glob("*.png"))
    ]


@pytest.mark.parametrize("suffix", RUNTIMES)
@pytest.mark.parametrize("q", [0.5, 0.9, 0.99])
def test_masks_are_those_of_torch(suffix, q, exported, fitted, pictures):
    scored = list(Detector(fitted.model, Calibration(0.0)).scored(pictures))
    threshold = float(np.quantile([each.score_map for each in scored], q))
    calibration = Calibration(threshold, 5, fill_holes_px=9, close_px=2)
    detector, model = Detector(fitted.model, calibration), exported(suffix)
    model.metadata = replace(model.metadata, calibration=calibration)
    n_marked = 0
    for path in pictures:
        ours, theirs = model.predict(path), detector.predict(path)
        np.testing.assert_array_equal(ours.mask, theirs.mask)
        np.testing.assert_allclose(ours.score_map, theirs.score_map, rtol=1e-4, atol=1e-4)
        assert ours.score == pytest.approx(theirs.score, rel=1e-4)
        assert [b.box for b in ours.blobs] == [b.box for b in theirs.blobs]
        n_marked += np.count_nonzero(theirs.mask)
    n_pixels = len(pictures) * theirs.mask.size
    assert 0.2 * (1 - q) < n_marked / n_pixels < 2 * (1 - q)
