"""`TorchPredictor`: every way to hand in an image gives one prediction; streams are lazy."""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import Normalize, Resize

from zoo.data import MVTecAD2Layout
from zoo.data.tiling.pre_processor import ScaledPreProcessor
from zoo.data.transforms import Scaled
from zoo.postprocess import Calibration
from zoo.predict import TorchPredictor
from zoo.predict.predictor import Scored
from zoo.utils.errors import ZooError, ZooWarning


@pytest.fixture(scope="module")
def predictor(fitted):
    return TorchPredictor(fitted.model, Calibration(threshold=0.5, min_area_px=1))


@pytest.fixture
def image(tmp_path, texture, write_image) -> Path:
    pixels = texture(7, (37, 53))
    pixels[10:20, 20:30] = 255
    return write_image(tmp_path / "image.png", pixels)


@pytest.fixture
def folder(tmp_path, texture, write_image) -> list[Path]:
    sizes = [(37, 53), (48, 64), (21, 90), (64, 64), (48, 64)]
    return [write_image(tmp_path / f"{i}.png", texture(i, s)) for i, s in enumerate(sizes)]


def same(one, other) -> bool:
    arrays = ("image", "mask", "anomaly_map")
    equal = all(np.array_equal(getattr(one, a), getattr(other, a)) for a in arrays)
    return equal and one.score == other.score and one.blobs == other.blobs


def test_a_prediction_has_the_size_of_the_image(predictor, image):
    found = predictor.predict(image)
    assert found.path == image
    assert found.image.shape == (37, 53, 3)
    assert found.mask.shape == found.anomaly_map.shape == (37, 53)
    assert (found.mask.dtype, found.anomaly_map.dtype) == (bool, np.float32)
    assert found.is_anomalous
    assert sum(blob.area_px for blob in found.blobs) == found.mask.sum()
    assert found.overlay().shape == (37, 53, 3)
    assert found.overlay().dtype == np.uint8


def test_a_prediction_is_plain_data_without_its_arrays(predictor, image):
    import json

    found = predictor.predict(str(image))
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert data["path"] == str(image)
    assert (data["width"], data["height"]) == (53, 37)
    assert data["flagged_fraction"] == pytest.approx(found.mask.mean())
    assert [tuple(blob["box"]) for blob in data["blobs"]] == [blob.box for blob in found.blobs]
    assert len(repr(found)) < 2000 + 300 * len(found.blobs)


def test_path_pil_and_array_are_the_same_image(predictor, image):
    opened = Image.open(image)
    pixels = np.asarray(opened)
    ways = [image, str(image), opened, pixels, pixels[..., ::-1][..., ::-1]]
    first, *others = [predictor.predict(way) for way in ways]
    assert all(same(first, other) for other in others)
    assert [other.path for other in others] == [image, None, None, None]


def test_grey_16_bit_and_transparent_images(predictor, tmp_path, texture):
    grey = texture(1)[..., 0]
    rgb = np.repeat(grey[..., None], 3, axis=2)
    rgba = np.dstack([rgb, np.full_like(grey, 9)])
    expected = predictor.predict(rgb)
    deep = grey.astype(np.uint16) * 257
    Image.fromarray(deep).save(tmp_path / "deep.png")
    Image.fromarray(rgba, "RGBA").save(tmp_path / "clear.png")
    arrays = [grey, grey[..., None], deep, rgba]
    files = [tmp_path / "deep.png", tmp_path / "clear.png"]
    images = [Image.fromarray(grey), Image.fromarray(rgba, "RGBA"), Image.open(files[0])]
    for way in [*arrays, *files, *images]:
        assert same(predictor.predict(way), expected)


def test_a_camera_may_use_its_buffer_again(predictor, texture):
    buffer = texture(3)
    found = predictor.predict(buffer)
    buffer[:] = 0
    assert found.image.any()


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((8, 8, 3), np.float32), "or uint16, this array holds float32"),
        (np.zeros((8, 8, 3), bool), "this array holds bool"),
        (np.zeros((2, 8, 8, 3), np.uint8), r"an array of shape \(2, 8, 8, 3\) is no image"),
        (np.zeros((8, 8, 2), np.uint8), "is no image"),
        (np.zeros((0, 8, 3), np.uint8), "is no image"),
        (Path("nowhere.png"), "no image at nowhere.png"),
        (Path(), "is a folder: give its images"),
    ],
)
def test_what_is_no_image_is_named(predictor, image, message):
    with pytest.raises(ZooError, match=message):
        predictor.predict(image)


@pytest.mark.parametrize("thing", [5, None, b"bytes", [5], [["nested.png"]]])
def test_other_types_are_named(predictor, thing):
    with pytest.raises(ZooError, match="an image is a path, a PIL image or an array, not of type"):
        list(predictor.predict(thing))


def test_a_batch_size_below_one_is_refused(predictor, folder):
    with pytest.raises(ZooError, match="batch_size is 0"):
        list(predictor.predict(folder, batch_size=0))


@pytest.mark.parametrize("batch_size", [1, 2, 4, 100])
def test_a_stream_gives_what_single_images_give(predictor, folder, batch_size):
    streamed = list(predictor.predict(iter(folder), batch_size=batch_size))
    assert [each.path for each in streamed] == folder
    for each, path in zip(streamed, folder, strict=True):
        alone = predictor.predict(path)
        # Larger batches round differently; distances of nearest neighbours show it most.
        np.testing.assert_allclose(each.anomaly_map, alone.anomaly_map, rtol=0.01)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_nothing_is_read_ahead_of_the_batch(predictor, folder, batch_size):
    read = []

    def images():
        for path in folder:
            read.append(path)
            yield path

    stream = predictor.predict(images(), batch_size=batch_size)
    assert not read
    for index, _ in enumerate(stream):
        assert len(read) <= batch_size * (index // batch_size + 1)
    assert read == folder


def test_a_stream_may_be_endless_and_mixed(predictor, image):
    def images():
        while True:
            yield image
            yield np.zeros((9, 9), np.uint8)
            yield Image.open(image)

    stream = predictor.predict(images())
    sizes = [next(stream).mask.shape for _ in range(7)]
    assert sizes == [(37, 53), (9, 9), (37, 53)] * 2 + [(37, 53)]


def test_a_stream_does_not_keep_its_images(predictor, texture):
    import gc
    import weakref

    kept = []
    for found in predictor.predict((texture(i) for i in range(6)), batch_size=2):
        kept.append(weakref.ref(found.image))
        del found
    gc.collect()
    assert not any(ref() is not None for ref in kept)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_one_bad_image_stops_a_stream_unless_errors_are_handled(predictor, folder, batch_size):
    folder[1].write_bytes(b"")
    with pytest.raises(ZooError, match=r"1\.png is empty"):
        list(predictor.predict(folder, batch_size))
    errors = []
    found = predictor.predict(folder, batch_size, on_error=lambda *args: errors.append(args))
    assert [each.path for each in found] == [folder[0], *folder[2:]]
    assert [path for path, _ in errors] == [folder[1]]
    assert "empty" in str(errors[0][1])


def test_scores_that_are_not_finite_are_blamed_on_their_image(predictor, folder, monkeypatch):
    real = predictor.model.test_step

    def diverges(batch, *args):
        batch = real(batch, *args)
        for index, path in enumerate(batch.image_path):
            if path == str(folder[2]):
                batch.anomaly_map[index] *= float("nan")
        return batch

    monkeypatch.setattr(predictor.model, "test_step", diverges)
    errors = []
    found = predictor.predict(folder, 4, on_error=lambda *args: errors.append(args))
    assert len(list(found)) == 4
    assert [path for path, _ in errors] == [folder[2]]
    with pytest.raises(ZooError, match=r"2\.png holds NaN"):
        predictor.predict(folder[2])


def test_methods_without_a_resize_take_several_sizes_in_one_batch(fitted, folder, monkeypatch):
    seen = []

    def echo(batch, *args):
        seen.append(tuple(batch.image.shape))
        batch.anomaly_map = batch.image.mean(1, keepdim=True)
        batch.pred_score = None
        return batch

    monkeypatch.setitem(fitted.model._modules, "pre_processor", None)
    monkeypatch.setattr(fitted.model, "test_step", echo)
    predictor = TorchPredictor(fitted.model, Calibration(threshold=0.5))
    found = list(predictor.predict([folder[1], folder[4], folder[0]], batch_size=3))
    assert seen == [(2, 3, 48, 64), (1, 3, 37, 53)]
    for each in found:
        np.testing.assert_allclose(each.anomaly_map, each.image.mean(2) / 255, atol=1e-6)
        assert each.score == pytest.approx(each.anomaly_map.max())


@pytest.fixture
def keeping_aspect(predictor):
    model = copy.deepcopy(predictor.model)
    model.pre_processor = ScaledPreProcessor(Scaled(shorter_side=64), Normalize([0.5], [0.5]))
    return TorchPredictor(model, predictor.calibration)


@pytest.mark.parametrize("size", [(8, 16400), (1, 5000), (5000, 1)])
def test_a_strip_is_one_error_and_the_stream_goes_on(
    keeping_aspect, folder, write_image, tmp_path, size
):
    strip = write_image(tmp_path / "strip.png", np.zeros(size, np.uint8))
    with pytest.raises(ZooError, match=r"strip\.png: an image of \d+x\d+ px would be resized"):
        keeping_aspect.predict(strip)
    failed = []
    found = keeping_aspect.predict(
        [folder[0], strip, folder[1]], on_error=lambda path, error: failed.append((path, error))
    )
    assert [each.path for each in found] == folder[:2]
    assert [path for path, _ in failed] == [strip]


@pytest.mark.parametrize("resize", [Resize(64), Scaled(shorter_side=64)])
def test_a_strip_of_a_fit_is_named_before_anything_is_computed(
    mini, write_image, monkeypatch, resize
):
    data = MVTecAD2Layout(mini, "part")
    data.follow(resize)
    data.check_headers(("train", "validation", "test_public"))
    write_image(mini / "part/validation/good/strip.png", np.zeros((4, 9000), np.uint8))
    monkeypatch.setattr("zoo.data.dataset.read_image", lambda *given: pytest.fail("decoded"))
    with pytest.raises(ZooError, match=r"strip\.png: an image of 9000x4 px would"):
        data.check_headers(("train", "validation"))


def test_what_fails_in_the_network_ends_no_stream(predictor, folder, monkeypatch):
    score_images = predictor.score_images

    def without_memory(images, native_sizes, paths=None):
        if folder[1] in paths:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 GB")
        return score_images(images, native_sizes, paths)

    monkeypatch.setattr(predictor, "score_images", without_memory)
    failed = []
    found = predictor.predict(
        folder, batch_size=3, on_error=lambda path, error: failed.append(path)
    )
    assert [each.path for each in found] == [folder[0], *folder[2:]]
    assert failed == [folder[1]]


def test_an_image_of_one_colour_is_warned_of(predictor):
    with pytest.warns(ZooWarning, match="an image in memory is of one colour throughout"):
        predictor.predict(np.full((20, 20, 3), (7, 200, 30), np.uint8))


def test_a_score_map_that_is_the_same_everywhere_is_warned_of(predictor, folder, monkeypatch):
    def blank(images, native_sizes, paths=None):
        return [Scored(paths[0], native_sizes[0], np.full((8, 8), 0.25, np.float32), 0.25)]

    monkeypatch.setattr(predictor, "score_images", blank)
    with pytest.warns(ZooWarning, match=r"the score map of .*0\.png is the same everywhere"):
        predictor.predict(folder[0])


class Model(SimpleNamespace):
    """A model whose step is given, which nobody fitted."""

    __hash__ = object.__hash__  # as modules have it

    def eval(self):
        return self


def predictor_of(test_step):
    model = Model(device=torch.device("cpu"), pre_processor=None, test_step=test_step)
    return TorchPredictor(model, Calibration(0.5))


def test_a_batch_is_laid_out_as_a_data_loader_lays_it_out():
    def flattening(batch, index):
        rows = batch.image.view(len(batch.image), -1)  # fails unless laid out row by row
        batch.anomaly_map = batch.image.mean(dim=1, keepdim=True)
        batch.pred_score = rows.amax(dim=1)
        return batch

    images = np.random.default_rng(0).integers(0, 256, (3, 8, 6, 3), dtype=np.uint8)
    scored = predictor_of(flattening).score_images(list(images), [(80, 60)] * 3)
    for image, each in zip(images, scored, strict=True):
        np.testing.assert_allclose(each.score_map, image.mean(axis=2) / 255, rtol=1e-5)
        assert each.score == pytest.approx(image.max() / 255)
        assert each.native_size == (80, 60)


def test_a_method_without_a_map_is_one_line():
    with pytest.raises(ZooError, match="image scores but no score map"):
        predictor_of(lambda batch, index: batch).score(np.zeros((4, 4, 3), np.uint8))
