"""Images of several sizes in tiles of one graph."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from anomalib.pre_processing import PreProcessor
from torchvision.transforms.v2 import Compose, Normalize, Resize

from zoo.data.transforms import Scaled, size_at
from zoo.export.graph import in_tiles, input_sizes, metadata_of
from zoo.postprocess import Calibration
from zoo.predict import ExportMetadata
from zoo.predict.graph import GraphPredictor
from zoo.predict.metadata import ImageResize
from zoo.predict.runtimes import Graph
from zoo.runs.export import accepted
from zoo.utils.errors import ZooError

NORMALIZE = Normalize([0.5] * 3, [0.5] * 3)
SIDE = 64
WHOLE = ExportMetadata(Calibration(0.5), ImageResize((SIDE, SIDE)))


def model_with(resize):
    return SimpleNamespace(pre_processor=PreProcessor(Compose([resize, NORMALIZE])))


def grey(tiles):
    """A graph whose map is the image's mean over the channels."""
    maps = tiles.mean(axis=1, keepdims=True)
    return {"anomaly_map": maps, "pred_score": maps.max(axis=(1, 2, 3))}


@pytest.mark.parametrize(
    ("resize", "side", "unit", "overlap"),
    [
        (Resize(SIDE, antialias=True), 64, 1, 16),
        (Scaled(shorter_side=SIDE, multiple=14), 70, 14, 14),
    ],
)
def test_tiles_are_as_large_as_the_shorter_side(resize, side, unit, overlap):
    model = model_with(resize)
    assert min(map(min, input_sizes(model, [(90, 60), (60, 60), (60, 150)]))) == side
    found = in_tiles(ExportMetadata(Calibration(0.5), ImageResize((side, side))), model)
    assert (found.resize, found.is_cut) == (None, True)
    layout = found.tiling["layout"]
    assert (layout["tile"], layout["overlap"], layout["multiple"]) == (side, overlap, unit)


@pytest.mark.parametrize("size", [(SIDE, SIDE), (SIDE, 3 * SIDE + 5), (2 * SIDE, SIDE)])
def test_what_tiles_say_becomes_the_map_of_the_whole_image(size):
    metadata = in_tiles(WHOLE, model_with(Resize(SIDE, antialias=True)))
    predictor = GraphPredictor.from_graph(Graph(grey, (None, 3, SIDE, SIDE), metadata), "a graph")
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    [found] = predictor.score_images([predictor.at_model_size(image)])
    expected = image.astype(np.float32).mean(axis=2) / 255
    np.testing.assert_allclose(found.score_map, expected, atol=1e-6)
    assert found.score == pytest.approx(expected.max(), abs=1e-6)


@pytest.mark.parametrize(
    "resize",
    [
        Resize(SIDE, antialias=True),
        Resize(SIDE, max_size=97, antialias=True),
        Scaled(shorter_side=SIDE, multiple=14),
        Scaled(0.37, multiple=4),
    ],
)
def test_a_graph_knows_the_size_that_the_model_gives_an_image(resize):
    aspect = metadata_of(model_with(resize), Calibration(0.5), (SIDE, SIDE)).resize.aspect
    for size in [(480, 640), (640, 480), (333, 517), (64, 64), (1, 9), (2000, 31), (97, 96)]:
        assert aspect.size_of(size) == size_at(size, resize)


@pytest.mark.parametrize(
    "resize", [Resize(48, antialias=True), Scaled(shorter_side=48, multiple=8)]
)
def test_an_image_of_another_shape_is_refused_by_name(resize, tmp_path, texture, write_image):
    metadata = metadata_of(model_with(resize), Calibration(0.5), (48, 64))
    metadata = ExportMetadata.from_text(metadata.to_text())
    predictor = GraphPredictor.from_graph(Graph(grey, (None, 3, 48, 64), metadata), "a graph")
    sizes = {"same": (96, 128), "upright": (128, 96), "square": (96, 96), "larger": (480, 640)}
    paths = [write_image(tmp_path / f"{name}.png", texture(0, sizes[name])) for name in sizes]
    errors = []
    found = predictor.predict(paths, on_error=lambda path, error: errors.append(str(error)))
    assert [each.path.stem for each in found] == ["same", "larger"]
    assert [error.partition(":")[0] for error in errors] == [str(paths[1]), str(paths[2])]
    assert "an image of 96x128 px is 48x64 to the model" in errors[0]
    assert "this graph takes 64x48 only: export the run again with --good DIR" in errors[0]
    with pytest.raises(ZooError, match=r"upright\.png: an image of 96x128 px"):
        predictor.predict(paths[1])


def test_a_resize_to_one_size_takes_every_shape(texture):
    resize = Resize((48, 64), antialias=True)
    metadata = metadata_of(model_with(resize), Calibration(0.5))
    predictor = GraphPredictor.from_graph(Graph(grey, (None, 3, 48, 64), metadata), "a graph")
    assert predictor.predict(texture(0, (128, 96))).mask.shape == (128, 96)


def test_ranges_are_those_of_images_that_fit(tmp_path, texture, write_image):
    metadata = metadata_of(model_with(Resize(48, antialias=True)), Calibration(0.5), (48, 64))
    sizes = [(96, 128), (128, 96), (48, 64)]
    paths = [write_image(tmp_path / f"{i}.png", texture(i, each)) for i, each in enumerate(sizes)]
    assert accepted(paths, metadata) == [paths[0], paths[2]]
    with pytest.raises(ZooError, match="no image of the run is 64x48 px to the model"):
        accepted(paths[1:2], metadata)


def test_a_fixed_size_is_not_listed():
    assert not input_sizes(model_with(Resize((SIDE, SIDE), antialias=True)), [(90, 60)])


def test_a_bound_on_the_longer_side_leaves_no_common_scale():
    with pytest.raises(ZooError, match="at most 96 px"):
        in_tiles(WHOLE, model_with(Resize(SIDE, max_size=96, antialias=True)))
