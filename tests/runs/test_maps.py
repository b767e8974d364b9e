"""Score maps kept on disk come back as they were, at native size, and never half."""

from __future__ import annotations

import json

import numpy as np
import pytest

from zoo.postprocess.score_maps import to_native
from zoo.predict.predictor import Scored
from zoo.runs.maps import MapWriter, SavedMaps
from zoo.utils.errors import ZooError
from zoo.utils.paths import file_sha256


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
    reindex(run, sha256=file_sha256(run / "maps/test/000000.npy"))
    with pytest.raises(ZooError, match=r"000000.npy holds no score map .*allow_pickle"):
        SavedMaps(run, "test").read(0)


def reindex(run, **changes) -> None:
    path = run / "maps/test/index.json"
    first, *others = json.loads(path.read_text())
    path.write_text(json.dumps([first | changes, *others]))


def test_a_flipped_byte_is_named(run):
    path = run / "maps/test/000001.npy"
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    SavedMaps(run, "test").read(0)
    with pytest.raises(ZooError, match=r"000001.npy is damaged, its SHA-256 is another one"):
        SavedMaps(run, "test").read(1)
    path.unlink()
    with pytest.raises(ZooError, match=r"000001.npy cannot be read"):
        SavedMaps(run, "test").read(1)


@pytest.mark.parametrize("shape", [(8,), (1 << 40, 8), (2, 2, 2)])
def test_another_array_is_no_map(run, shape):
    head = {"descr": "<f4", "fortran_order": False, "shape": shape}
    with (run / "maps/test/000000.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, head)
        file.write(bytes(32))
    reindex(run, sha256=file_sha256(run / "maps/test/000000.npy"))
    with pytest.raises(ZooError, match=r"000000.npy holds"):
        SavedMaps(run, "test").read(0)


@pytest.mark.parametrize(
    "change",
    [
        {"file": "../../../secret.npy"},
        {"file": "/etc/passwd"},
        {"native_size": [0, 5]},
        {"native_size": [4, 10**9]},
        {"native_size": [4]},
        {"score": "high"},
        {"sha256": "0"},
        {"image": 3},
    ],
)
def test_a_list_that_cannot_be_is_named(run, change):
    reindex(run, **change)
    with pytest.raises(ZooError, match=rf"index.json: 0\.{next(iter(change))}.*copy the run again"):
        SavedMaps(run, "test")
