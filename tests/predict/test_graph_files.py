"""A graph whose file or weights are damaged, missing or another one's predicts nothing."""

from __future__ import annotations

import shutil

import pytest

from zoo.predict import GraphPredictor, read_metadata, write_metadata
from zoo.utils.errors import ZooError


@pytest.fixture
def copy(graph, tmp_path):
    """Return a function that copies the shared graph of a format, to damage it."""

    def make(suffix):
        for file in graph(suffix).parent.glob(f"{graph(suffix).stem}.*"):
            shutil.copy(file, tmp_path / file.name)
        return tmp_path / graph(suffix).name

    return make


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("suffix", "damaged", "share"),
    [(".xml", ".bin", 0.5), (".xml", ".bin", 0.999), (".onnx", ".onnx", 0.5)],
)
def test_other_weights_are_not_used(copy, suffix, damaged, share):
    path = copy(suffix)
    sound = GraphPredictor(path, threads=1)
    damaged = path.with_suffix(damaged)
    flip(damaged, int(share * damaged.stat().st_size))
    assert sound.metadata.sha256 != "0" * 64
    for read in (read_metadata, GraphPredictor):
        with pytest.raises(ZooError, match=rf"{damaged.name} is damaged.*export again") as caught:
            read(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".xml", ".onnx"])
def test_another_threshold_is_not_used(copy, suffix):
    path = copy(suffix)
    threshold = repr(read_metadata(path).calibration.threshold)
    other = threshold[:-1] + ("1" if threshold[-1] != "1" else "2")
    data = path.read_bytes()
    assert data.count(threshold.encode()) >= 1
    path.write_bytes(data.replace(threshold.encode(), other.encode()))
    for read in (read_metadata, GraphPredictor):
        with pytest.raises(ZooError, match=r"is damaged, the SHA-256 is another one"):
            read(path)


def test_weights_that_are_missing_are_named(copy):
    path = copy(".xml")
    path.with_suffix(".bin").unlink()
    for read in (read_metadata, GraphPredictor, lambda file: write_metadata(file, None)):
        with pytest.raises(ZooError, match=r"model.bin is missing, the weights of model.xml"):
            read(path)


def test_a_graph_and_its_weights_may_be_renamed_together(copy):
    path = copy(".xml")
    for suffix in (".xml", ".bin"):
        path.with_suffix(suffix).rename(path.with_name(f"other{suffix}"))
    assert GraphPredictor(path.with_name("other.xml"), threads=1).metadata.method == "ZooPatchcore"
