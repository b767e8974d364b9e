"""Bit depth: 10 and 12 bits in 16-bit files keep their grey levels, by one scale for all images."""

import json
import warnings
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from small_recipes import PATCHCORE

import zoo
from zoo.data import ImageFolders, MVTecAD2Layout
from zoo.data.cache import ImageCache
from zoo.data.images import find_bit_depth, read_image, to_8_bits
from zoo.postprocess import Calibration
from zoo.predict.metadata import ExportMetadata
from zoo.predict.scenes import scenes
from zoo.predict.torch_predictor import TorchPredictor
from zoo.recipes.experiment import load
from zoo.runs.run import run
from zoo.utils.errors import ZooError, ZooWarning


def wide(pixels: np.ndarray, bits: int) -> np.ndarray:
    """Return 8-bit pixels as a camera of so many bits gives them, uint16."""
    return np.rint(pixels.astype(float) / 255 * (2**bits - 1)).astype(np.uint16)


def widen(folder, bits):
    """Turn all images below a folder but masks into 16-bit files that hold fewer bits."""
    for path in folder.rglob("*.png"):
        if not path.name.endswith("_mask.png"):
            pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            pixels[0, 0] = 255
            cv2.imwrite(str(path), wide(pixels, bits))


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("is_grey", [True, False])
def test_a_data_set_has_the_depth_that_holds_its_values(tmp_path, texture, bits, suffix, is_grey):
    paths = [tmp_path / f"{index}.{suffix}" for index in range(3)]
    originals = [texture(index) for index in range(3)]
    originals[1][5, 5] = 255
    for path, pixels in zip(paths, originals, strict=True):
        pixels = pixels[..., 0] if is_grey else pixels[..., ::-1]
        assert cv2.imwrite(str(path), wide(pixels, bits))
    found = find_bit_depth(paths, ImageCache(0))
    assert found == bits
    for path, pixels in zip(paths, originals, strict=True):
        expected = np.repeat(pixels[..., :1], 3, axis=2) if is_grey else pixels
        np.testing.assert_array_equal(read_image(path, found), expected)


def test_8_bit_images_have_no_depth(tmp_path, texture, write_image):
    paths = [write_image(tmp_path / f"{index}.png", texture(index)) for index in range(2)]
    assert find_bit_depth(paths, ImageCache(0)) is None
    np.testing.assert_array_equal(read_image(paths[0], 12), texture(0))


def test_what_was_found_of_an_image_is_kept(tmp_path, monkeypatch):
    path, cache = tmp_path / "x.png", ImageCache(1, tmp_path / "cache")
    cv2.imwrite(str(path), np.full((9, 9), 900, np.uint16))
    assert find_bit_depth([path], cache) == 10
    monkeypatch.setattr("zoo.data.images.read_pixels", lambda path: pytest.fail("decoded"))
    assert find_bit_depth([path], cache) == 10


def test_arrays_from_memory_have_the_same_scale():
    values = np.array([[0, 1000, 4095, 5000]], np.uint16)
    assert to_8_bits(values, 12)[0, :, 0].tolist() == [0, 62, 255, 255]
    assert to_8_bits(values)[0, :, 0].tolist() == [0, 4, 16, 19]
    assert to_8_bits(values[..., None], 12).shape == (1, 4, 3)


@pytest.mark.parametrize("depth", [0, 7, 17, -1])
def test_a_depth_that_cannot_be_is_refused(mini, depth):
    with pytest.raises(ZooError, match=f"bit_depth is {depth}: use 8 to 16"):
        MVTecAD2Layout(mini, "part", bit_depth=depth)


def test_the_normal_images_decide_and_a_person_may_override(mini):
    assert MVTecAD2Layout(mini, "part").bit_depth is None
    widen(mini / "part", 12)
    for path in (mini / "part/test_public").rglob("*regular.png"):
        cv2.imwrite(str(path), np.full((48, 64), 65535, np.uint16))
    data = MVTecAD2Layout(mini, "part")
    assert data.bit_depth == 12
    assert data.dataset("test_public").bit_depth == 12
    with pytest.warns(ZooWarning, match="and 3 more"):
        data.warn_of_depths("test_public")
    data.warn_of_depths("validation")
    assert MVTecAD2Layout(mini, "part", bit_depth=16).bit_depth == 16
    assert ImageFolders(mini / "part/train/good", bit_depth=14).bit_depth == 14
    assert ImageFolders(mini / "part/train/good").bit_depth == 12


def test_the_depth_is_part_of_the_key_of_a_cached_image(mini, tmp_path, monkeypatch):
    from torchvision.transforms.v2 import Resize

    monkeypatch.setenv("ANOMALIB_ZOO_CACHE", str(tmp_path / "cache"))
    widen(mini / "part", 12)
    images = {}
    for depth in (None, 16):
        data = MVTecAD2Layout(mini, "part", bit_depth=depth)
        data.follow(Resize((32, 32)))
        images[depth] = data.dataset("train")[0].image
    assert images[None].max() > 10 * images[16].max()


@pytest.fixture(scope="module")
def runs(tmp_path_factory, write_object):
    """Return the same object in 8 bits and in 12 of 16 bits, and a run on each."""
    made = {}
    for bits in (8, 12):
        root = tmp_path_factory.mktemp(f"bits{bits}")
        write_object(root, "part")
        if bits == 12:
            widen(root / "part", 12)
        else:
            for path in root.rglob("*regular.png"):
                pixels = cv2.imread(str(path))
                pixels[0, 0] = 255
                cv2.imwrite(str(path), pixels)
        recipe = tmp_path_factory.mktemp("recipe") / "small.yaml"
        recipe.write_text(PATCHCORE)
        data = {"class_path": "zoo.data.MVTecAD2Layout"}
        data["init_args"] = {"root": str(root), "category": "part"}
        experiment = load(recipe, data=data, out=recipe.parent, splits=("test_public",))
        with warnings.catch_warnings():
            warnings.simplefilter("error", ZooWarning)
            out = run(experiment).folder
        metrics = json.loads((out / "metrics.json").read_text())
        made[bits] = SimpleNamespace(root=root, out=out, metrics=metrics)
    return made


def test_a_run_on_12_bits_is_the_run_on_8(runs):
    assert runs[12].metrics["bit_depth"] == 12
    assert runs[8].metrics["bit_depth"] is None
    assert runs[12].metrics["splits"] == runs[8].metrics["splits"]
    calibration = Calibration.load(runs[12].out / "calibration.json")
    assert calibration.bit_depth == 12
    assert "16-bit images read as 12 bits" in calibration.describe()
    assert calibration.threshold == Calibration.load(runs[8].out / "calibration.json").threshold


@pytest.fixture
def detector(runs):
    return zoo.load(runs[12].out)


def test_predictions_and_scenes_read_by_the_depth_of_the_run(detector, runs):
    name = "part/test_public/bad/000_regular.png"
    small = zoo.load(runs[8].out)
    found, expected = detector.predict(runs[12].root / name), small.predict(runs[8].root / name)
    np.testing.assert_array_equal(found.image, expected.image)
    np.testing.assert_array_equal(found.mask, expected.mask)
    assert found.score == expected.score
    stored = cv2.imread(str(runs[12].root / name), cv2.IMREAD_UNCHANGED)[..., ::-1]
    np.testing.assert_array_equal(detector.predict(stored).image, expected.image)
    with scenes(detector, [runs[12].root / name], (), {"relit"}) as made:
        twelve = [each.copy() for each in made.relit]
    with scenes(small, [runs[8].root / name], (), {"relit"}) as made:
        np.testing.assert_array_equal(twelve, list(made.relit))


def test_values_beyond_the_depth_are_cut_off_and_said_once(detector):
    beyond = np.full((20, 20), 9000, np.uint16)
    beyond[5:] = 100
    with pytest.warns(ZooWarning, match=r"14 bits.* as 12 bits.*--data.bit_depth 14") as said:
        found = list(detector.predict([beyond, beyond]))
    assert len(said) == 1
    assert found[0].image.max() == 255


def test_16_bits_that_are_nearly_black_for_an_8_bit_fit_are_said(detector):
    eight = TorchPredictor(detector.model, replace(detector.calibration, bit_depth=None))
    dark, full = np.full((20, 20), 4000, np.uint16), np.full((20, 20), 60000, np.uint16)
    dark[5:] = full[5:] = 100
    with pytest.warns(ZooWarning, match="holds 12 of 16 bits, and images of the fit have 8"):
        assert eight.predict(dark).image.max() == 16
    again = TorchPredictor(detector.model, eight.calibration)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ZooWarning)
        assert again.predict(full).image.max() == 233


def test_a_graph_carries_the_depth(detector):
    metadata = ExportMetadata(detector.calibration)
    assert json.loads(metadata.to_text())["calibration"]["bit_depth"] == 12
    assert ExportMetadata.from_text(metadata.to_text()).calibration.bit_depth == 12
    damaged = metadata.to_text().replace('"bit_depth": 12', '"bit_depth": 99')
    with pytest.raises(ZooError, match="bit_depth is '99'"):
        ExportMetadata.from_text(damaged)


def test_a_test_split_beyond_the_depth_is_one_line(runs, tmp_path, write_object):
    write_object(tmp_path, "part")
    widen(tmp_path / "part", 12)
    for path in sorted((tmp_path / "part/test_public/good").glob("*.png")):
        cv2.imwrite(str(path), np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) * 20)
    with pytest.warns(ZooWarning, match="1 more: each holds values of 16 bits") as said:
        MVTecAD2Layout(tmp_path, "part").warn_of_depths("test_public")
    assert len(said) == 1
