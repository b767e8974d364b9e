"""Anomalib's own datamodules in runs of the zoo: what calibrates, what is tested, errors."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from anomalib.data import (
    BTech,
    Folder,
    Folder3D,
    MVTecAD,
    MVTecAD2,
    MVTecLOCO,
    Tabular,
    Visa,
)
from anomalib.data.datamodules.video import Avenue
from torchvision.transforms.v2 import RandomHorizontalFlip

from zoo.cli import main
from zoo.data import MVTecAD2Layout
from zoo.data.stock import adopt
from zoo.utils.errors import ZooError

MODES = ["from_test", "same_as_test", "from_dir", "synthetic", "none", "from_train"]
# Of ten training images, four good and four bad test images; what calibrates in which mode.
FROM_TRAIN = {"same_as_test": "puts test images into validation"}
FROM_TRAIN |= dict.fromkeys(["from_dir", "none"], "has no validation images")
RECIPE = """model:
  class_path: ZooPatchcore
  init_args: {weights: random, image_size: 64, coreset_sampling_ratio: 0.1}
data:
  class_path: zoo.data.MVTecAD2Layout
  init_args: {train_batch_size: 4, eval_batch_size: 3}
"""


@pytest.fixture
def put(texture, write_image):
    """Return a function that writes numbered images, or one mask over and over."""

    def write(folder: Path, count: int, first: int, name="{:03d}.png", mask=False) -> None:
        for index in range(count):
            pixels = texture(first + index)
            if mask:
                pixels = np.zeros((48, 64), np.uint8)
                pixels[10:20, 20 + first : 40 + first] = 255
            write_image(folder / name.format(index), pixels)

    return write


@pytest.fixture
def folder(put, tmp_path):
    """Return a function that makes anomalib's `Folder` over ten good and eight test images."""
    root = tmp_path / "folders"
    put(root / "good", 10, 0)
    put(root / "good_test", 4, 100, "t{:03d}.png")
    put(root / "bad", 4, 200)
    put(root / "mask", 4, 0, mask=True)
    given = {"normal_dir": "good", "abnormal_dir": "bad", "normal_test_dir": "good_test"}
    given |= {"mask_dir": "mask", "num_workers": 0}

    def build(**options) -> Folder:
        return Folder("screws", root=root, **{**given, **options})

    return build


@pytest.fixture
def mvtec(put, tmp_path):
    """Return a function that makes `MVTecAD` over the same numbers of images."""
    bottle = tmp_path / "mvtec" / "bottle"
    put(bottle / "train/good", 10, 0)
    put(bottle / "test/good", 4, 100)
    put(bottle / "test/broken", 4, 200)
    put(bottle / "ground_truth/broken", 4, 0, "{:03d}_mask.png", mask=True)

    def build(**options) -> MVTecAD:
        return MVTecAD(bottle.parent, "bottle", num_workers=0, **options)

    return build


def _paths(data, split):
    return {sample.image_path for sample in data.listed(split)}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("layout", ["folder", "mvtec"])
def test_normal_images_that_are_in_no_other_split_calibrate(layout, mode, request, no_network):
    stock = request.getfixturevalue(layout)(val_split_mode=mode)
    data = adopt(stock, seed=3)
    train, calibrating, test = (_paths(data, split) for split in ("train", "validation", "test"))
    assert not calibrating & test
    assert not calibrating & train
    assert not train & test
    assert all(path.parent.name.startswith("good") for path in calibrating | train)
    assert {sample.label for sample in data.listed("validation")} == {0}
    owner = type(stock).__name__
    [notice] = data.notices
    if mode in FROM_TRAIN:
        assert notice == (
            f"calibration: 2 of 10 training images held out by seed 3, because {owner} "
            f"{FROM_TRAIN[mode]}"
        )
        assert (len(train), len(calibrating), len(test)) == (8, 2, 8)
        assert data.source("validation") == "train, 2 of 10 held out by seed 3"
    else:
        left = {"from_test": 2, "synthetic": 2}.get(mode)
        left = f"; left out there: {left} not labelled normal" if left else ""
        count = {"from_test": 2, "synthetic": 3, "from_train": 5}[mode]
        assert notice == f"calibration: {count} normal images of {owner}'s validation{left}"
        assert len(calibrating) == count
        assert data.source("validation") == "validation"


@pytest.mark.parametrize("mode", MODES)
def test_one_seed_gives_one_split_and_does_not_touch_the_generators(folder, mode):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    prints = [adopt(folder(val_split_mode=mode), seed).fingerprint() for seed in (0, 0, 1)]
    assert prints[0] == prints[1] != prints[2]
    assert torch.equal(before, torch.get_rng_state())


def test_the_seed_of_the_datamodule_decides_its_own_split(folder):
    data = [adopt(folder(val_split_mode="from_train", seed=7), seed) for seed in (0, 1)]
    assert data[0].fingerprint() == data[1].fingerprint()


def test_ours_is_returned_as_it_is(mini):
    data = MVTecAD2Layout(mini, "part")
    assert adopt(data) is data


def test_settings_are_taken_over(mvtec):
    flip = RandomHorizontalFlip()
    data = adopt(mvtec(train_batch_size=3, eval_batch_size=5, train_augmentations=flip))
    assert (data.train_batch_size, data.eval_batch_size, data.num_workers) == (3, 5, 0)
    assert data.dataset("train").augmentations is flip
    assert data.dataset("validation").augmentations is None
    assert (data.object_name, data.test_splits()) == ("bottle", ["test"])


def test_augmentations_of_judged_images_are_refused_aloud(mvtec):
    [_, notice] = adopt(mvtec(augmentations=RandomHorizontalFlip())).notices
    assert "validation and test are not applied" in notice


def test_masks_of_any_value_are_read_at_native_size(put, folder, write_image):
    data = folder()
    mask = np.zeros((48, 64), np.uint8)
    mask[3:5, 7:9] = 1
    write_image(Path(data.root) / "mask" / "000.png", mask)
    truths = {s.image_path.name: s.truth((48, 64)) for s in adopt(data).listed("test")}
    assert all(truth.dtype == bool for truth in truths.values())
    assert truths.get("000.png", mask).sum() == 4
    assert {name for name, truth in truths.items() if not truth.any()} == {
        name for name in truths if name.startswith("t")
    }


def test_images_without_masks_keep_their_label(folder):
    data = adopt(folder(mask_dir=None))
    bad = [sample for sample in data.listed("test") if sample.label == 1]
    assert bad
    assert not any(sample.has_truth for sample in bad)


@pytest.mark.parametrize("mode", ["none", "from_test", "same_as_test"])
def test_no_good_test_image_is_dropped(folder, mode):
    data = adopt(folder(test_split_mode="none", val_split_mode=mode))
    labels = [sample.label for sample in data.listed("test")]
    assert labels.count(0) == 4  # anomalib drops them
    assert labels.count(1) == (2 if mode == "from_test" else 4)
    assert data.source("validation").startswith("train")


def test_good_test_images_are_drawn_from_train_where_there_are_none(folder):
    data = adopt(folder(normal_test_dir=None, val_split_mode="none"), seed=0)
    assert (len(data.listed("train")), len(data.listed("validation"))) == (6, 2)
    assert [sample.label for sample in data.listed("test")].count(0) == 2


def test_without_a_test_image_there_is_no_test_split(folder):
    options = {"normal_test_dir": None, "abnormal_dir": None, "mask_dir": None}
    modes = {"test_split_mode": "none", "val_split_mode": "none"}
    data = adopt(folder(**options, **modes))
    assert data.test_splits() == []
    with pytest.raises(ZooError, match="Folder has no split 'test'"):
        data.listed("test")


@pytest.mark.usefixtures("no_network")
def test_visa_is_arranged_by_its_own_split(put, tmp_path):
    root = tmp_path / "visa"
    put(root / "capsules/Normal", 12, 0, "{:04d}.JPG")
    put(root / "capsules/Anomaly", 3, 200, "{:03d}.JPG")
    put(root / "capsules/Masks", 3, 0, mask=True)
    rows = [["object", "split", "label", "image", "mask"]]
    for index in range(12):
        split = "train" if index < 10 else "test"
        rows.append(["capsules", split, "normal", f"capsules/Normal/{index:04d}.JPG", ""])
    for index in range(3):
        image, mask = f"capsules/Anomaly/{index:03d}.JPG", f"capsules/Masks/{index:03d}.png"
        rows.append(["capsules", "test", "anomaly", image, mask])
    (root / "split_csv").mkdir()
    with (root / "split_csv/1cls.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    data = adopt(Visa(root, "capsules", num_workers=0))
    assert [len(data.listed(split)) for split in ("train", "validation", "test")] == [8, 2, 5]
    assert "because Visa puts test images into validation" in data.notices[0]
    assert all(sample.has_truth for sample in data.listed("test"))


def test_mvtec_ad_2_keeps_its_good_test_images(mini, write_object):
    write_object(mini, "can", n_train=5)
    data = adopt(MVTecAD2(mini, "can", num_workers=0))
    assert [len(data.listed(split)) for split in ("train", "validation", "test")] == [5, 3, 4]
    hidden = adopt(MVTecAD2(mini, "can", num_workers=0, test_type="private"))
    assert {sample.label for sample in hidden.listed("test")} == {None}


def test_several_masks_of_an_image_are_one_truth(put, tmp_path):
    pushpins = tmp_path / "loco" / "pushpins"
    put(pushpins / "train/good", 4, 0)
    put(pushpins / "validation/good", 2, 50)
    put(pushpins / "test/good", 1, 100)
    put(pushpins / "test/logical_anomalies", 1, 200)
    put(pushpins / "ground_truth/logical_anomalies/000", 1, 0, "000.png", mask=True)
    put(pushpins / "ground_truth/logical_anomalies/000", 1, 10, "001.png", mask=True)
    data = adopt(MVTecLOCO(pushpins.parent, "pushpins", num_workers=0))
    assert data.notices == ["calibration: 2 normal images of MVTecLOCO's validation"]
    [bad] = [sample for sample in data.listed("test") if sample.label == 1]
    truth = bad.truth((48, 64))
    assert truth[:, 20:50].sum() == truth.sum() == 10 * 30
    before = data.fingerprint()
    put(pushpins / "ground_truth/logical_anomalies/000", 1, 5, "001.png", mask=True)
    assert data.fingerprint() != before


def test_a_table_lists_images_anywhere(folder):
    root = folder().root
    names = [f"good/{index:03d}.png" for index in range(10)] + ["bad/000.png", "good_test/t000.png"]
    labels = ["normal"] * 10 + ["abnormal", "normal_test"]
    table = {"image_path": names, "label": labels}
    data = adopt(Tabular("rows", table, root, num_workers=0, val_split_mode="same_as_test"))
    assert (data.object_name, len(data.listed("test"))) == ("rows", 2)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("build", "says"),
    [
        (
            lambda at: MVTecAD(at / "x"),
            "no data of MVTecAD at .*x: the folder does not exist and n",
        ),
        (lambda at: MVTecAD(at, "bottle"), r"MVTecAD cannot list its images \(FileNotFoundError"),
        (lambda at: Visa(at, "candle"), r"Visa cannot list its images \(FileNotFoundError"),
        (lambda at: BTech(at, "01"), r"BTech cannot list its images \(FileNotFoundError"),
        (lambda at: Folder("a", "good", at), r"Folder cannot list its images \(FileNotFoundError"),
        (lambda at: Tabular("a", {"label": ["normal"]}), "must contain an 'image_path' column"),
        (lambda at: Avenue(at), "the items of Avenue are no plain image files"),
    ],
)
def test_what_cannot_be_read_is_one_line_and_nothing_is_downloaded(tmp_path, build, says):
    with pytest.raises(ZooError, match=says) as error:
        adopt(build(tmp_path))
    assert "\n" not in str(error.value)


def test_depth_data_are_refused(put, folder):
    root = folder().root
    put(root / "depth", 10, 0, "{:03d}.tiff")
    put(root / "bad_depth", 4, 0, "{:03d}.tiff")
    depth = {"normal_depth_dir": "depth", "abnormal_depth_dir": "bad_depth"}
    data = Folder3D("a", "good", root, "bad", mask_dir="mask", num_workers=0, **depth)
    with pytest.raises(ZooError, match="the items of Folder3D are no plain image files"):
        adopt(data)


def test_a_mask_that_is_not_there_is_named_before_the_fit(put, tmp_path):
    data = tmp_path / "btech" / "01"
    put(data / "train/ok", 5, 0)
    put(data / "test/ok", 2, 50)
    put(data / "test/ko", 1, 200)
    with pytest.raises(ZooError, match=r"no mask for .*ko/000\.png: .*ground_truth/ko/000\.png"):
        adopt(BTech(data.parent, "01", num_workers=0))


def test_a_single_training_image_cannot_calibrate_too(put, tmp_path):
    put(tmp_path / "good", 1, 0)
    put(tmp_path / "bad", 1, 9)
    data = Folder("a", "good", tmp_path, "bad", test_split_mode="none", val_split_mode="none")
    with pytest.raises(ZooError, match=r"no image to calibrate on: Folder has no validation"):
        adopt(data)


def test_a_table_without_labels_is_refused(folder):
    data = folder()
    data.setup()
    table = data.train_data.samples.drop(columns="label_index")
    data.train_data.samples = table
    data.setup = lambda: None
    with pytest.raises(ZooError, match="its samples need a column label_index"):
        adopt(data)


def _run(words, out, capsys):
    assert main([*words, "--default_root_dir", str(out)]) == 0
    [metrics] = out.rglob("metrics.json")
    return metrics.parent, json.loads(metrics.read_text()), capsys.readouterr().out


def test_a_recipe_runs_on_folders_by_options(folder, tmp_path, capsys):
    recipe = tmp_path / "small.yaml"
    recipe.write_text(RECIPE)
    words = ["train", "--config", str(recipe), "--data", "Folder", "--data.name", "screws"]
    words += ["--data.root", str(folder().root), "--data.normal_dir", "good"]
    words += ["--data.abnormal_dir", "bad", "--data.mask_dir", "mask", "--data.num_workers", "0"]
    words += ["--data.val_split_mode", "same_as_test"]
    run, metrics, printed = _run(words, tmp_path / "runs", capsys)
    assert run == tmp_path / "runs/small/screws/seed0"
    assert "because Folder puts test images into validation\n" in printed
    assert "2 normal images of train, 2 of 8 held out by seed 0" in printed
    assert metrics["splits"]["test"]["n_images"] == 6  # two good ones were drawn from train
    assert json.loads((run / "calibration.json").read_text())["n_pixels"] == 2 * 48 * 64
    names = {path.name for path in run.iterdir()}
    assert names >= {"model.ckpt", "calibration.json", "config.yaml", "cost.json", "cases"}
    again = ["train", "--config", str(run / "config.yaml")]
    _, repeated, _ = _run(again, tmp_path / "again", capsys)
    assert repeated["splits"] == metrics["splits"]


def test_a_recipe_runs_on_mvtec_ad_by_yaml(mvtec, tmp_path, capsys):
    recipe = tmp_path / "small.yaml"
    text = RECIPE.partition("data:")[0]
    recipe.write_text(
        f"{text}data:\n  class_path: anomalib.data.MVTecAD\n  init_args:\n"
        f"    {{root: {mvtec().root.as_posix()}, category: bottle, num_workers: 0}}\n"
    )
    run, metrics, printed = _run(["train", "--config", str(recipe)], tmp_path / "runs", capsys)
    assert run == tmp_path / "runs/small/bottle/seed0"
    assert printed.startswith("calibration: 2 of 10 training images held out by seed 0")
    assert metrics["splits"]["test"]["n_good"] == 4


def test_a_missing_root_on_the_command_line_is_one_line(tmp_path, capsys, no_network):
    recipe = tmp_path / "small.yaml"
    recipe.write_text(RECIPE)
    words = ["train", "--config", str(recipe), "--data", "MVTecAD", "--data.root", "nowhere"]
    assert main(words) == 1
    error = capsys.readouterr().err
    assert "no data of MVTecAD at nowhere: the folder does not exist" in error
    assert error.count("\n") == 1
