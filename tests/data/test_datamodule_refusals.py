"""What the datamodule refuses, in one line each, instead of going wrong quietly."""

import shutil

import pytest
from torchvision.transforms.v2 import CenterCrop, Compose, Normalize, Resize

from zoo.data.datamodule import MVTecAD2Layout
from zoo.utils.errors import ZooError


@pytest.mark.parametrize("transform", [None, Resize(32), Normalize([0.5] * 3, [0.5] * 3)])
def test_several_sizes_in_a_batch_are_refused_not_stretched(
    data, mini, write_image, texture, transform
):
    write_image(mini / "part/train/good/000_regular.png", texture(0, (90, 64)))
    datamodule = data(transform=transform)
    with pytest.raises(ZooError, match=r"several sizes \(.*\) in one batch.*batch sizes to 1"):
        next(iter(datamodule.train_dataloader()))
    alone = data(transform=transform, train_batch_size=1)
    assert len(list(alone.train_dataloader())) == 4


def test_a_crop_is_refused(data):
    with pytest.raises(ZooError, match="crops images to their centre"):
        data(transform=Compose([Resize((32, 40)), CenterCrop(24)]))


@pytest.mark.slow  # torch waits five seconds for a worker that failed
def test_an_error_in_a_worker_process_is_still_one_line(data, mini):
    broken = mini / "part/validation/good/001_regular.png"
    datamodule = data(num_workers=1)
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(ZooError) as error:
        list(datamodule.val_dataloader())
    assert str(error.value).startswith(f"image {broken} cannot be read")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("category", "said"), [("prat", "did you mean 'part'"), ("", "part")])
def test_an_unknown_object_is_one_line(data, category, said):
    with pytest.raises(ZooError, match=f"no object '{category}'.*{said}"):
        data(category)


def test_all_is_no_object(mini, write_object):
    write_object(mini, "second", n_train=1)
    with pytest.raises(ZooError, match=r"no object 'all'.*choose from part, second"):
        MVTecAD2Layout(mini, "all").setup()


def test_an_unknown_test_split_is_one_line(mini):
    with pytest.raises(ZooError, match="did you mean 'test_private'"):
        MVTecAD2Layout(mini, "part", test_split="test_privte")


def test_a_missing_test_split_stops_testing_not_fitting(data, mini):
    shutil.rmtree(mini / "part/test_private")
    datamodule = data(test_split="test_private")
    assert len(datamodule.train_dataloader()) == 1
    with pytest.raises(ZooError, match="no test_private images"):
        datamodule.test_dataloader()


def test_a_split_without_truth_is_for_prediction_only(data, mini):
    shutil.rmtree(mini / "part/private_ground_truth")
    datamodule = data(test_split="test_private")
    assert len(datamodule.predict_dataloader()) == 1
    with pytest.raises(ZooError, match="no ground truth here: use `zoo predict`"):
        datamodule.test_dataloader()


def test_a_split_without_truth_can_be_predicted_not_tested(data, mini):
    shutil.rmtree(mini / "part/private_ground_truth")
    datamodule = data(test_split="test_private")
    with pytest.raises(ZooError, match="'test_private' of 'part' has no ground truth here"):
        datamodule.test_dataloader()
    assert len(datamodule.predict_dataloader()) == 1
