"""Score maps kept on disk come back as they were, at native size, and never half."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.errors import ZooError
from zoo.post.resize import to_native
from zoo.runs.maps import MapWriter, SavedMaps
from zoo.scoring import Scored


@pytest.fixture
def scored(tmp_path) -> list[Scored]:
    random = np.random.default_rng(0)
    maps = [random.normal(size=shape).astype(np.float32) for shape in ((8, 8), (8, 8), (4, 6))]
    sizes = [(48, 64), (64, 48), (4, 6)]
    return [
        Scored(tmp_path / f"{index}.png", size, score_map, 0.5 * index)
        for index, (size, score_map) in enumerate(zip(sizes, maps, strict=True))
    ]


@pytest.fixture
def run(tmp_path, scored):
    writer = MapWriter(tmp_path / "run", "test")
    for each in scored:
        writer.append(each)
    writer.close()
    return tmp_path / "run"


def test_maps_come_back_to_the_last_digit(run, scored):
    saved = SavedMaps(run, "test")
    assert len(saved) == 3
    for index, each in enumerate(scored):
        assert np.array_equal(saved.read(index), each.score_map)
        entry = saved.entries[index]
        assert entry["image"] == each.path.name
        assert entry["score"] == each.score


def test_they_are_read_at_native_size_as_often_as_wanted(run, scored):
    saved = SavedMaps(run, "test")
    for _ in range(2):
        for native, each in zip(saved, scored, strict=True):
            assert native.shape == each.native_size
            assert np.array_equal(native, to_native(each.score_map, each.native_size))


def test_other_number_types_are_written_as_32_bits(tmp_path):
    writer = MapWriter(tmp_path, "test")
    writer.append(Scored(tmp_path / "a.png", (4, 4), np.ones((2, 2), np.float64), 1.0))
    writer.close()
    assert SavedMaps(tmp_path, "test").read(0).dtype == np.float32


def test_a_split_that_was_not_closed_is_no_split(tmp_path, scored):
    MapWriter(tmp_path, "test").append(scored[0])
    with pytest.raises(ZooError, match="kept no score maps of 'test': repeat it with --keep maps"):
        SavedMaps(tmp_path, "test")


def test_another_split_was_not_kept(run):
    with pytest.raises(ZooError, match="kept no score maps of 'validation'"):
        SavedMaps(run, "validation")


def test_code_in_a_map_is_not_run(run):
    np.save(run / "maps/test/000000.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        SavedMaps(run, "test").read(0)
