"""Training in tiles: every tile of every image is an item."""

import pytest
import torch

from zoo.data import MVTecAD2Layout
from zoo.data.anomalib_internals import update_augmentations
from zoo.data.dataset import TileDataset
from zoo.data.tiling.grid import Layout
from zoo.data.tiling.recipe import Tiling, tiled
from zoo.data.tiling.stitch import cut
from zoo.data.transforms import Scaled
from zoo.utils.errors import ZooError


@pytest.fixture
def images(mini):
    data = MVTecAD2Layout(mini, "part")
    data.follow(Scaled(scale=0.5))
    return data.dataset("train")


def test_tiles_are_cut_from_scaled_images(images):
    layout = Layout(16, 4)
    tiles = TileDataset(images, layout)
    grid = layout.grid((24, 32))
    assert len(tiles) == 4 * len(grid)
    expected = torch.cat([cut(images[i].image, grid) for i in range(4)])
    for index, tile in enumerate(expected):
        item = tiles[index]
        assert torch.equal(item.image, tile)
        assert item.gt_mask.shape == (16, 16)
        assert item.image_path == images[index // len(grid)].image_path


def test_images_of_several_sizes_have_as_many_tiles_as_they_need(mini, write_image, texture):
    for index, size in enumerate([(30, 90), (70, 50)]):
        write_image(mini / f"part/train/good/{index:03d}_regular.png", texture(index, size))
    tiles = TileDataset(MVTecAD2Layout(mini, "part").dataset("train"), Layout(30))
    assert len(tiles) == 1 * 3 + 3 * 2 + 2 * (2 * 3)
    assert {tuple(tiles[i].image.shape) for i in range(len(tiles))} == {(3, 30, 30)}


def test_an_image_that_is_smaller_than_a_tile_is_one_line(images):
    with pytest.raises(ZooError, match=r"a tile of 40 px is larger than an image of 32x24 px"):
        len(TileDataset(images, Layout(40)))


def test_augmentations_see_tiles(images):
    seen = []

    def augment(image, mask):
        seen.append(tuple(image.shape))
        return image, mask

    images.augmentations = augment
    _ = TileDataset(images, Layout(8))[3]
    assert seen == [(3, 8, 8)]


def test_a_datamodule_trains_in_tiles_and_tests_whole_images(mini, brightness):
    model = tiled(brightness(), Tiling(window=16, overlap=0))
    data = MVTecAD2Layout(mini, "part", train_batch_size=6)
    data.follow_model(model)
    data.setup()
    data.trainer = type("Trainer", (), {"model": model})
    update_augmentations(data)
    update_augmentations(data)  # once more, as a second fit would
    assert len(data.train_data) == 4 * 12
    assert next(iter(data.train_dataloader())).image.shape == (6, 3, 16, 16)
    assert next(iter(data.val_dataloader())).image.shape[-2:] == (48, 64)
    model.pre_processor = brightness().pre_processor
    update_augmentations(data)
    assert len(data.train_data) == 4
