"""The datamodule: what anomalib's own does wrong with this layout, and that ours does it right."""

import pickle
import shutil

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from torchvision.transforms.v2 import Compose, Normalize, RandomHorizontalFlip, Resize
from torchvision.transforms.v2.functional import resize

from zoo.data.images import read_image
from zoo.data.masks import read_mask


def _items(dataset):
    return [dataset[index] for index in range(len(dataset))]


@pytest.mark.parametrize(
    ("split", "count"),
    [
        ("train", 4),
        ("validation", 3),
        ("test_public", 4),
        ("test_private", 4),
        ("test_private_mixed", 4),
    ],
)
def test_every_image_of_every_split_loads_in_sorted_order(data, split, count):
    dataset = data().dataset(split)
    items = _items(dataset)
    assert len(dataset) == len(items) == count
    paths = [item.image_path for item in items]
    assert paths == sorted(paths) == list(dataset.samples.image_path)
    for item in items:
        assert item.image.shape == (3, 32, 40)
        assert item.image.dtype == torch.float32
        assert 0 <= item.image.min() < item.image.max() <= 1
        assert item.native_size == (48, 64)


def test_good_test_images_stay_in_the_test_set(data):
    [batch] = data().test_dataloader()
    assert batch.gt_label.tolist() == [True, True, False, False]
    assert [bool(path) for path in batch.mask_path] == [True, True, False, False]
    assert batch.gt_mask.flatten(1).any(1).tolist() == [True, True, False, False]


@pytest.mark.parametrize("split", ["test_private", "test_private_mixed"])
def test_labels_of_private_images_follow_from_their_truth(data, split):
    [batch] = data(test_split=split).test_dataloader()
    assert batch.gt_label.tolist() == [False, False, True, True]


def test_private_images_without_truth_have_neither_label_nor_mask(data, mini):
    shutil.rmtree(mini / "part/private_ground_truth")
    [batch] = data(test_split="test_private").predict_dataloader()
    assert batch.gt_label is None
    assert batch.gt_mask is None
    assert batch.batch_size == 4


def test_our_own_loader_reads_no_truth(data, mini):
    for path in (mini / "part/private_ground_truth/test_private").iterdir():
        path.write_bytes(b"not to be read")
    [batch] = data().dataloader("test_private")
    assert batch.gt_mask is None
    assert len(batch.mask_path) == 4


def test_masks_at_model_size_cover_the_same_place(data):
    item = data().dataset("test_public")[0]
    native = read_mask(item.mask_path, item.native_size)
    expected = cv2.resize(np.uint8(native), (40, 32), interpolation=cv2.INTER_NEAREST)
    assert item.gt_mask.dtype == torch.bool
    np.testing.assert_array_equal(item.gt_mask.numpy(), expected)


def test_images_of_several_sizes_keep_their_native_size(data, mini, write_image, texture):
    sizes = [(30, 90), (70, 50), (48, 64), (20, 20)]
    for index, size in enumerate(sizes):
        write_image(mini / f"part/train/good/{index:03d}_regular.png", texture(index, size))
    [batch] = DataLoader(data().train_data, 4, collate_fn=data().train_data.collate_fn)
    assert batch.native_size == sizes
    assert batch.image.shape == (4, 3, 32, 40)
    for index, size in enumerate(sizes):
        alone = torch.from_numpy(texture(index, size).copy()).permute(2, 0, 1)
        expected = resize(alone, [32, 40], antialias=True).float() / 255
        torch.testing.assert_close(batch.image[index], expected, rtol=0, atol=0)


def test_grey_images_become_three_equal_channels(data, mini):
    path = mini / "part/train/good/000_regular.png"
    cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
    image = data().train_data[0].image
    assert image.shape == (3, 32, 40)
    assert torch.equal(image[0], image[1])
    assert torch.equal(image[0], image[2])


def test_the_resize_is_torchvisions_on_uint8(data):
    item = data().train_data[1]
    native = torch.from_numpy(read_image(item.image_path).copy()).permute(2, 0, 1)
    expected = Resize((32, 40), antialias=True)(native)
    assert torch.equal((item.image * 255).round().to(torch.uint8), expected)


def test_cached_and_uncached_items_are_identical(data, monkeypatch):
    plain = _items(data(cache_mb=0).train_data)
    first = _items(data().train_data)
    monkeypatch.setattr("zoo.data.dataset.read_image", None)  # decoded no more
    second = _items(data().train_data)
    for one, two, three in zip(plain, first, second, strict=True):
        assert torch.equal(one.image, two.image)
        assert torch.equal(one.image, three.image)


def test_a_resize_behind_another_transform_is_left_to_the_pre_processor(data):
    padded = Compose([Normalize([0.5] * 3, [0.5] * 3), Resize((32, 32))])
    assert data(transform=padded).train_data[0].image.shape == (3, 48, 64)


def test_following_another_model_forgets_the_first(data):
    datamodule = data()
    datamodule.follow(Resize((16, 16)))
    assert datamodule.dataset("train")[0].image.shape == (3, 16, 16)
    datamodule.follow(None)
    assert datamodule.dataset("train")[0].image.shape == (3, 48, 64)


def test_augmentations_meet_image_and_mask_together_and_training_only(data):
    flip = RandomHorizontalFlip(p=1.0)
    plain, flipped = data(), data(train_augmentations=flip)
    one, two = plain.train_data[0], flipped.train_data[0]
    assert torch.equal(two.image, one.image.flip(-1))
    assert torch.equal(flipped.val_data[0].image, plain.val_data[0].image)
    bad = plain.dataset("test_public")
    before = bad[0]
    bad.augmentations = flip
    assert torch.equal(bad[0].image, before.image.flip(-1))
    assert before.gt_mask.any()
    assert torch.equal(bad[0].gt_mask, before.gt_mask.flip(-1))
    assert bad[2].gt_mask.shape == (32, 40)


@pytest.mark.parametrize("context", [None, pytest.param("spawn", marks=pytest.mark.slow)])
def test_worker_processes_give_the_same_batches(data, context):
    # The first is the platform's own way; spawning imports everything again in each process.
    def batches(workers):
        dataset = data().dataset("test_public")
        return list(
            DataLoader(
                dataset,
                2,
                num_workers=workers,
                collate_fn=dataset.collate_fn,
                multiprocessing_context=context if workers else None,
            )
        )

    for here, there in zip(batches(0), batches(2), strict=True):
        assert torch.equal(here.image, there.image)
        assert torch.equal(here.gt_mask, there.gt_mask)
        assert here.image_path == there.image_path
        assert here.native_size == there.native_size


def test_a_dataset_travels_to_spawned_processes(data):
    dataset = data(train_augmentations=RandomHorizontalFlip(p=1.0)).train_data
    travelled, collate = pickle.loads(pickle.dumps((dataset, dataset.collate_fn)))
    there, here = collate(_items(travelled)), dataset.collate_fn(_items(dataset))
    assert torch.equal(there.image, here.image)
    assert there.native_size == here.native_size


def test_the_dataset_survives_subsampling(data):
    chosen = data().dataset("test_public").subsample([3, 1])
    assert len(chosen) == 2
    names = [item.image_path for item in _items(chosen)]
    assert sorted(names) == sorted(chosen.samples.image_path)


def test_a_batch_splits_into_items_with_their_sizes(data):
    [batch] = data().test_dataloader()
    assert [item.native_size for item in batch.items] == [(48, 64)] * 4
    assert np.array_equal(batch.items[2].image, batch.image[2])
