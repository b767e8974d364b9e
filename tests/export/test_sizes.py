"""Pictures of several sizes in tiles of one graph."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from torchvision.transforms.v2 import Compose, Normalize, Resize

from zoo.errors import ZooError
from zoo.export import ExportMetadata
from zoo.export.metadata import ImageResize
from zoo.export.model import ExportedModel
from zoo.export.runtimes import Graph
from zoo.export.sizes import in_tiles, input_sizes
from zoo.post import Calibration
from zoo.tiling.scaled import Scaled

NORMALIZE = Normalize([0.5] * 3, [0.5] * 3)
SIDE = 64
WHOLE = ExportMetadata(Calibration(0.5), ImageResize((SIDE, SIDE)))


def model_with(resize):
    return SimpleNamespace(pre_processor=SimpleNamespace(transform=Compose([resize, NORMALIZE])))


def grey(tiles):
    """A graph whose map is the picture's mean over the channels."""
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
def test_what_tiles_say_becomes_the_map_of_the_whole_picture(size):
    metadata = in_tiles(WHOLE, model_with(Resize(SIDE, antialias=True)))
    judge = ExportedModel.around(Graph(grey, (None, 3, SIDE, SIDE), metadata), "a graph")
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    [found] = judge.score_images([judge.at_model_size(picture)])
    expected = picture.astype(np.float32).mean(axis=2) / 255
    np.testing.assert_allclose(found.score_map, expected, atol=1e-6)
    assert found.score == pytest.approx(expected.max(), abs=1e-6)


def test_a_fixed_size_is_not_listed():
    assert not input_sizes(model_with(Resize((SIDE, SIDE), antialias=True)), [(90, 60)])


def test_a_bound_on_the_longer_side_leaves_no_common_scale():
    with pytest.raises(ZooError, match="at most 96 px"):
        in_tiles(WHOLE, model_with(Resize(SIDE, max_size=96, antialias=True)))
