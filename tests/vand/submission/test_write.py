"""From runs to a submission: masks as evaluated, maps in order, resumed, never overwritten."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as PIL

import zoo
from zoo.data import layout
from zoo.runs.checksums import write_checksums
from zoo.runs.maps import SavedMaps
from zoo.utils.errors import ZooError
from zoo.vand.submission import write as write_module
from zoo.vand.submission.check import check
from zoo.vand.submission.expected import MAPS, MASKS
from zoo.vand.submission.runs import expected_of, find_runs
from zoo.vand.submission.sources import Source
from zoo.vand.submission.write import submit


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def submitted(grid, out: str, root=None, lines=None) -> Path:
    runs = find_runs([grid.runs])
    log = lines.append if lines is not None else lambda text: None
    return submit(runs, expected_of(runs, root), root or grid.data, Path(out), log=log)


def test_masks_and_maps_are_those_of_the_predictor(grid):
    """The reference is the public predictor, its mask and its raw map."""
    folder = submitted(grid, "sub")
    predictor = zoo.load(grid.lid)
    maps, scores = [], []
    for split in ("test_private", "test_private_mixed"):
        for sample in layout.samples(grid.data, "lid", split):
            prediction = predictor.predict(sample.image_path)
            place = f"lid/{split}/{sample.image_path.stem}"
            with PIL.open(folder / MASKS / f"{place}.png") as image:
                assert np.array_equal(np.asarray(image) == 255, prediction.mask)
            maps.append(tifffile.imread(folder / MAPS / f"{place}.tiff").ravel())
            scores.append(prediction.anomaly_map.ravel())
    maps, scores = np.concatenate(maps), np.concatenate(scores)
    low, high = predictor.calibration.normal_min, predictor.calibration.normal_max
    np.testing.assert_allclose(maps, (scores - low) / (high - low), rtol=1e-3, atol=1e-4)
    ordered = maps[np.argsort(scores, kind="stable")].astype(np.float32)
    assert (np.diff(ordered) >= 0).all()  # over all images of the object


def test_kept_maps_and_model_give_the_same_submission(grid):
    kept = files(submitted(grid, "kept"))
    assert len(kept) == 2 * 2 * 2 * 4
    for run in (grid.gear, grid.lid):
        shutil.rmtree(run / "maps")
    made = files(submitted(grid, "made"))
    assert kept.keys() == made.keys()
    for place, data in kept.items():
        assert made[place] == data, place


def test_what_it_takes_is_printed_first(grid):
    lines = []
    submitted(grid, "sub", lines=lines)
    assert lines[0].endswith("2 objects: 16 images, 0.1 MB of maps and masks")
    assert "Ctrl-C keeps what is finished" in lines[1]
    lines.clear()
    submitted(grid, "sub.tar.gz", lines=lines)
    assert lines[0].endswith("masks, about 0.0 MB packed")
    assert lines[-2:] == ["packing 32 files", "written to sub.tar.gz"]


def test_folder_and_archive_have_no_error(grid):
    expected = expected_of(find_runs([grid.runs]))
    for out in ("sub", "sub.tar.gz"):
        found = check(submitted(grid, out), expected)
        assert not [each for each in found if each.severity == "error"]
    assert sorted(path.name for path in Path().iterdir()) == ["runs", "sub", "sub.tar.gz"]


def interrupt_after(monkeypatch, count: int) -> list:
    """Let Ctrl-C come after some images; return the images that were written."""
    real, written = write_module.write_pair, []

    def write_pair(folder, image, *data):
        if len(written) == count:
            raise KeyboardInterrupt
        real(folder, image, *data)
        written.append(image)

    monkeypatch.setattr(write_module, "write_pair", write_pair)
    return written


@pytest.mark.parametrize("out", ["sub", "sub.tar.gz"])
def test_an_interrupted_command_goes_on(grid, out, monkeypatch):
    whole = submitted(grid, f"whole-{out}")
    with monkeypatch.context() as patch:
        interrupt_after(patch, 11)
        with pytest.raises(KeyboardInterrupt):
            submitted(grid, out)
    assert not Path(out).exists()
    begun = Path(f"{out}.unfinished/sub/{MAPS}/lid/test_private/.aside-1-a.tiff")
    begun.write_bytes(b"half")
    lines = []
    with monkeypatch.context() as patch:
        written = interrupt_after(patch, 99)
        submitted(grid, out, lines=lines)
    assert len(written) == 5
    assert "going on: 11 images are there" in lines
    assert not Path(f"{out}.unfinished").exists()
    if out == "sub":
        assert files(Path(out)) == files(whole)


def test_packing_that_was_interrupted_goes_on(grid, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(write_module, "pack", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            submitted(grid, "sub.tar.gz")
    with monkeypatch.context() as patch:
        written = interrupt_after(patch, 0)
        submitted(grid, "sub.tar.gz")
    assert written == []


def test_a_second_run_into_the_same_place_is_refused(grid):
    before = files(submitted(grid, "sub"))
    with pytest.raises(ZooError, match="sub is there already and nothing is overwritten"):
        submitted(grid, "sub")
    assert files(Path("sub")) == before
    Path("mine.tar.gz").write_text("mine")
    with pytest.raises(ZooError, match="nothing is overwritten"):
        submitted(grid, "mine.tar.gz")
    assert Path("mine.tar.gz").read_text() == "mine"


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    write_checksums(path.parent)


def test_what_was_begun_with_other_thresholds_is_not_gone_on_with(grid, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt_after(patch, 3)
        with pytest.raises(KeyboardInterrupt):
            submitted(grid, "sub")
    path = grid.gear / "calibration.json"
    change(path, threshold=0.5)
    with pytest.raises(ZooError, match="beginning of a submission of other runs or thresholds"):
        submitted(grid, "sub")
    Path("sub.unfinished/fingerprint").write_text("{")
    with pytest.raises(ZooError, match=r"remove it, or give another --out"):
        submitted(grid, "sub")


def test_a_full_disk_is_reported_before_the_first_image(grid, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(ZooError, match=r"0.0 MB are free at .*, the submission needs 0.1 MB"):
        submitted(grid, "sub")
    assert not Path("sub.unfinished").exists()


def test_a_run_that_kept_nothing(without_maps):
    (without_maps.lid / "model.ckpt").unlink()
    with pytest.raises(ZooError, match="kept neither maps nor model"):
        submitted(without_maps, "sub")


def test_kept_maps_of_other_images_are_not_used(grid, tmp_path):
    data = shutil.copytree(grid.data, tmp_path / "moved")
    submitted(grid, "sub", root=data)  # moved, the same
    image = data / "lid/test_private/000_regular.png"
    shutil.copy(data / "lid/test_private/001_regular.png", image)
    with pytest.raises(ZooError, match=r"are not those whose maps run .* kept"):
        submitted(grid, "other", root=data)


@pytest.mark.parametrize("maps", [True, False])
def test_a_rule_that_normalises_scales_by_raw_maps_of_validation_images(grid, maps):
    """The range in such a calibration is of normalised scores, not of what is written."""
    saved = SavedMaps(grid.lid, "validation")
    raw = np.concatenate([saved.read(index).ravel() for index in range(len(saved))])
    for run in (grid.gear, grid.lid):
        path = run / "calibration.json"
        change(path, normalisation="median", normal_min=-5.0, normal_max=5.0)
        if not maps:
            shutil.rmtree(run / "maps")
    runs = find_runs([grid.runs])
    affine = Source(runs[1], grid.data).affine()
    assert affine.offset == pytest.approx(raw.min(), rel=1e-4)
    assert affine.offset + affine.scale == pytest.approx(raw.max(), rel=1e-4)


def test_scores_beyond_half_precision_are_reported(grid):
    path = grid.gear / "calibration.json"
    change(path, normal_min=0.0, normal_max=1e-9)
    lines = []
    submitted(grid, "sub", lines=lines)
    assert any("scores lie more than 65,504 normal ranges away" in line for line in lines)


def test_links_in_the_place_of_the_result_are_not_followed(grid, tmp_path):
    target = tmp_path / "target"
    Path("sub.tar.gz.unfinished.gz").symlink_to(target)
    submitted(grid, "sub.tar.gz")
    assert not target.exists()
    assert not Path("sub.tar.gz").is_symlink()
    Path("other.tar.gz").symlink_to(target)  # leads to nothing
    with pytest.raises(ZooError, match="is there already"):
        submitted(grid, "other.tar.gz")
