"""The hooks: images become tiles before a step, and their maps those of images after it."""

import numpy as np
import pytest
import torch
from anomalib.data import ImageBatch
from anomalib.pre_processing import PreProcessor
from torchvision.transforms.v2 import Normalize
from torchvision.tv_tensors import Image, Mask

from zoo.data.dataset import NativeBatch
from zoo.data.tiling.grid import Layout
from zoo.data.tiling.pre_processor import ScaledPreProcessor, TilingPreProcessor
from zoo.data.tiling.recipe import Tiling, tiled
from zoo.data.transforms import Scaled
from zoo.predict.torch_predictor import predict_batch
from zoo.utils.errors import ZooError

NORMALIZE = Normalize([0.5] * 3, [0.25] * 3)


def _batch(size=(40, 70), n=2, native=None, **fields):
    image = torch.rand(n, 3, *size, generator=torch.Generator().manual_seed(n))
    return NativeBatch(
        image=Image(image),
        image_path=["a"] * n,
        mask_path=[""] * n,
        native_size=[native or size] * n,
        **fields,
    )


def _plain(tensor):
    return tensor.as_subclass(torch.Tensor)


@pytest.mark.parametrize("seams", ["blend", "hard", "mean"])
@pytest.mark.parametrize("remainder", ["spread", "shift", "pad"])
def test_an_identity_method_gives_the_image_back(brightness, seams, remainder):
    tiling = Tiling(window=24, overlap=0.2, remainder=remainder, seams=seams)
    model = tiled(brightness(), tiling).eval()
    batch = _batch()
    expected = _plain(batch.image).mean(1)
    said = predict_batch(model, batch)
    assert torch.equal(_plain(said.anomaly_map), expected)
    assert torch.equal(said.pred_score, expected.amax((1, 2)))


def test_only_so_many_tiles_go_through_the_network_at_once(brightness):
    model = tiled(brightness(), Tiling(window=16, overlap=0, tiles_per_step=4)).eval()
    predict_batch(model, _batch((32, 48), n=3))
    assert model.model.seen == [(4, 3, 16, 16)] * 4 + [(2, 3, 16, 16)]


@pytest.mark.parametrize("size", [(1056, 4224), (2048, 2448)])
def test_images_of_production_lines(brightness, size):
    """Windows of 1024 px that the network sees at 512, its maps at an eighth of that."""
    tiling = Tiling(window=1024, side=512, overlap=0.125, multiple=8, seams="hard")
    model = tiled(brightness(pool=8), tiling).eval()
    scaled = model.pre_processor.resize.size_of(size)
    batch = _batch(scaled, n=1, native=size)
    expected = torch.nn.functional.avg_pool2d(_plain(batch.image).mean(1), 8)
    said = predict_batch(model, batch)
    assert said.anomaly_map.shape == (1, size[0] // 16, size[1] // 16)
    torch.testing.assert_close(_plain(said.anomaly_map), expected)


def test_hooks_of_an_engine_give_what_our_scoring_gives(brightness):
    model = tiled(brightness(), Tiling(window=24, overlap=0.2)).eval()
    ours, engines = predict_batch(model, _batch()), _batch()
    pre_processor, whole = model.pre_processor, engines.image
    pre_processor.on_test_batch_start(None, model, engines, 0)
    assert engines.image.shape == (2 * 8, 3, 24, 24)
    outputs = model.test_step(engines, 0)
    pre_processor.on_test_batch_end(None, model, outputs, engines, 0)
    assert torch.equal(engines.anomaly_map, ours.anomaly_map)
    assert torch.equal(engines.pred_score, ours.pred_score)
    assert torch.equal(engines.image, whole)


def test_maps_get_the_size_of_masks_where_anomalib_compares_them(brightness):
    model = tiled(brightness(pool=8), Tiling(window=16, overlap=0.5, multiple=8)).eval()
    batch = _batch((32, 48), gt_mask=Mask(torch.zeros(2, 32, 48, dtype=torch.bool)))
    model.pre_processor.on_test_batch_start(None, model, batch, 0)
    outputs = model.test_step(batch, 0)
    model.pre_processor.on_test_batch_end(None, model, outputs, batch, 0)
    assert outputs.anomaly_map.shape[-2:] == (32, 48)


def test_training_images_that_are_no_tiles_yet_become_tiles(brightness):
    model = tiled(brightness(), Tiling(window=32, overlap=0))
    mask = Mask(torch.ones(2, 32, 64, dtype=torch.bool))
    batch = _batch((32, 64), gt_label=torch.zeros(2, dtype=torch.int), gt_mask=mask)
    model.pre_processor.on_train_batch_start(None, model, batch, 0)
    assert batch.image.shape == (4, 3, 32, 32)
    assert batch.gt_mask.shape == (4, 32, 32)
    assert len(batch.gt_label) == len(batch.image_path) == len(batch.native_size) == 4
    before = batch.image.clone()
    model.pre_processor.on_train_batch_start(None, model, batch, 0)  # tiles stay tiles
    assert torch.equal(before, batch.image)


def test_images_that_nobody_scaled_are_scaled_once():
    pre_processor = ScaledPreProcessor(Scaled(scale=0.5), NORMALIZE)
    batch = ImageBatch(image=torch.rand(1, 3, 20, 30))
    pre_processor.on_test_batch_start(None, None, batch, 0)
    assert batch.image.shape == (1, 3, 10, 15)
    scaled = _batch((10, 15), native=(20, 30))
    pre_processor.on_test_batch_start(None, None, scaled, 0)
    assert scaled.image.shape == (2, 3, 10, 15)


def test_images_of_several_sizes_need_batches_of_one():
    batch = _batch((20, 20))
    batch.native_size = [(40, 40), (40, 60)]
    pre_processor = ScaledPreProcessor(Scaled(scale=0.25))
    with pytest.raises(ZooError, match="batch sizes to 1"):
        pre_processor.on_test_batch_start(None, None, batch, 0)


def test_a_tile_larger_than_the_image_is_one_line(brightness):
    model = tiled(brightness(), Tiling(window=64)).eval()
    with pytest.raises(ZooError, match=r"a tile of 64 px is larger than an image of 70x40 px"):
        predict_batch(model, _batch())


def test_a_checkpoint_brings_everything_back():
    saved = TilingPreProcessor(
        Scaled(shorter_side=40, multiple=8, bicubic=True),
        Layout(16, 8, "shift"),
        NORMALIZE,
        "mean",
        3,
    )
    other = TilingPreProcessor(Scaled(scale=1.0), Layout(8))
    other.load_checkpoint_config(saved.checkpoint_config())
    assert other.checkpoint_config() == saved.checkpoint_config()
    assert other.layout == saved.layout
    assert repr(other.transform) == repr(saved.transform)


def test_another_pre_processor_does_not_take_it_silently():
    """`load_from_checkpoint` without the recipe would otherwise score whole, unscaled images."""
    config = TilingPreProcessor(Scaled(scale=1.0), Layout(8)).checkpoint_config()
    with pytest.raises(ValueError, match=r"Unsupported transform class: .*TilingPreProcessor"):
        PreProcessor().load_checkpoint_config(config)


@pytest.mark.parametrize("arguments", [{}, {"scale": 1.0, "shorter_side": 3}, {"scale": -1.0}])
def test_impossible_scales_are_refused(arguments):
    with pytest.raises(ZooError, match="scale"):
        Scaled(**arguments)


@pytest.mark.parametrize(
    ("arguments", "native", "expected"),
    [
        ({"scale": 0.625, "multiple": 16}, (2048, 2448), (1280, 1536)),
        ({"shorter_side": 448, "multiple": 14}, (1270, 500), (1134, 448)),
        ({"scale": 0.01, "multiple": 4}, (30, 50), (4, 4)),
    ],
)
def test_scaled_sizes(arguments, native, expected):
    resize = Scaled(**arguments)
    assert resize.size_of(native) == expected
    assert tuple(resize(torch.empty(1, *native, device="meta")).shape[-2:]) == expected
    image = torch.zeros(3, *native, dtype=torch.uint8)
    assert tuple(resize(Image(image)).shape[-2:]) == expected
    assert np.allclose(resize(Mask(image[:1])), 0)
