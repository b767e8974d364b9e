"""One fitted model as a graph of each format, exported once."""

from __future__ import annotations

import pytest

from zoo.export import export_model
from zoo.predict import GraphPredictor

RUNTIMES = {".onnx": "onnxruntime", ".xml": "openvino"}


@pytest.fixture(scope="session")
def graph(fitted, tmp_path_factory):
    """Return a function that gives the path of the fitted PatchCore's graph by its suffix."""
    made = {}

    def get(suffix: str):
        for package in ("onnx", "onnxscript", RUNTIMES[suffix]):
            pytest.importorskip(package, reason="the extra `export` is not installed")
        if suffix not in made:
            folder = tmp_path_factory.mktemp("graph")
            made[suffix] = export_model(fitted.model, folder / f"model{suffix}")
        return made[suffix]

    return get


@pytest.fixture(scope="session")
def exported(graph):
    """Return a function that gives the loaded graph by its suffix."""
    made = {}

    def get(suffix: str) -> GraphPredictor:
        if suffix not in made:
            made[suffix] = GraphPredictor(graph(suffix), threads=1)
        return made[suffix]

    return get
