"""`zoo.load`: a run folder predicts what the run itself did, or says in one line why it cannot."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

import zoo
from zoo.cli import main
from zoo.postprocess import Calibration, finish, to_native
from zoo.runs.checksums import write_checksums
from zoo.runs.maps import SavedMaps
from zoo.utils.errors import ZooError

RULE = {"class_path": "zoo.postprocess.Quantile", "init_args": {"q": 0.99, "min_area_px": 4}}
DATA = {
    "class_path": "zoo.data.MVTecAD2Layout",
    "init_args": {"train_batch_size": 4, "eval_batch_size": 1},
}
# Embedded weights: of random ones nobody could tell whether they were read again.
PATCHCORE = {
    "class_path": "ZooPatchcore",
    "init_args": {
        "image_size": 64,
        "coreset_sampling_ratio": 0.1,
        "post_processor": {
            "class_path": "zoo.methods.BlobPostProcessor",
            "init_args": {"rule": RULE},
        },
    },
}
OTHER = {"weights": "random", "layers": ["layer1"]}
RESIZE = {"class_path": "torchvision.transforms.v2.Resize", "init_args": {"size": [64, 64]}}
# Anomalib's checkpoints do not carry this one.
BLUR = {
    "class_path": "torchvision.transforms.v2.GaussianBlur",
    "init_args": {"kernel_size": 3, "sigma": [1.0, 1.0]},
}
COMPOSE = {
    "class_path": "torchvision.transforms.v2.Compose",
    "init_args": {"transforms": [RESIZE, BLUR]},
}
STOCK_PADIM = {
    "class_path": "anomalib.models.Padim",
    "init_args": {
        "backbone": "resnet18",
        "layers": ["layer1"],
        "pre_trained": False,
        "n_features": 8,
        "pre_processor": {
            "class_path": "anomalib.pre_processing.PreProcessor",
            "init_args": {"transform": COMPOSE},
        },
        "post_processor": {
            "class_path": "zoo.methods.BlobPostProcessor",
            "init_args": {"rule": RULE},
        },
    },
}


def make_run(folder: Path, model: dict, write_object, keep: str = "maps") -> Path:
    """Fit a small model on a small object and return the folder of its run."""
    write_object(folder / "data", "part")
    recipe = folder / "quick.yaml"
    recipe.write_text(yaml.safe_dump({"model": model, "data": DATA}))
    words = ["bench", str(recipe), "--data.root", str(folder / "data"), "--out", str(folder / "r")]
    assert main([*words, "--splits", "test_public", "--keep", keep]) == 0
    return folder / "r" / "quick" / "part" / "seed0"


@pytest.fixture(scope="module", params=["PATCHCORE", "STOCK_PADIM"])
def run(request, tmp_path_factory, write_object):
    model = globals()[request.param]
    return make_run(tmp_path_factory.mktemp(request.param), model, write_object)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, write_object):
    return make_run(tmp_path_factory.mktemp("whole"), PATCHCORE, write_object, "model")


@pytest.fixture
def copy(whole, tmp_path):
    """Return a run to damage."""
    return Path(shutil.copytree(whole, tmp_path / "run"))


def images(run: Path, split: str) -> list[Path]:
    root = yaml.safe_load((run / "config.yaml").read_text())["data"]["init_args"]["root"]
    found = Path(root, "part", split).rglob("*.png")
    return sorted(path for path in found if "ground_truth" not in path.parts)


def edit(path: Path, change) -> None:
    data = yaml.safe_load(path.read_text())
    change(data)
    text = json.dumps(data) if path.suffix == ".json" else yaml.safe_dump(data)
    path.write_text(text)
    write_checksums(path.parent)


def test_a_loaded_run_gives_the_maps_and_masks_that_the_run_gave(run, no_network):
    detector = zoo.load(run, device="cpu")
    calibration = Calibration.load(run / "calibration.json")
    assert detector.calibration == calibration
    for split in ("validation", "test_public"):
        saved, paths = SavedMaps(run, split), images(run, split)
        assert len(paths) == len(saved) > 2
        for index, path in enumerate(paths):
            score_map, score = detector.score(path)
            assert np.array_equal(score_map, saved.read(index)), path
            assert score == saved.entries[index]["score"]
            finished = finish(saved.read(index), (48, 64), calibration)
            prediction = detector.predict(path)
            assert np.array_equal(prediction.mask, finished.mask)
            assert np.array_equal(prediction.anomaly_map, to_native(saved.read(index), (48, 64)))
            assert prediction.blobs == finished.blobs
    assert any(each.is_anomalous for each in detector.predict(images(run, "test_public")))


def test_predictions_follow_the_calibration_file(copy):
    before = zoo.load(copy)
    edit(copy / "calibration.json", lambda data: data.update(threshold=1e9))
    after = zoo.load(copy)
    paths = images(copy, "test_public")
    assert any(each.is_anomalous for each in before.predict(paths))
    assert not any(each.is_anomalous for each in after.predict(paths))
    assert after.model.post_processor.calibration.threshold == 1e9


def test_weights_that_are_no_longer_there_are_not_missed(copy):
    edit(copy / "config.yaml", lambda d: d["model"]["init_args"].update(weights="/gone/w.pth"))
    assert zoo.load(copy).score(np.zeros((48, 64, 3), np.uint8))[0].shape == (64, 64)


def remove(name):
    return lambda run: (run / name).unlink()


def with_config(change):
    return lambda run: edit(run / "config.yaml", change)


def with_metrics(**changes):
    return lambda run: edit(run / "metrics.json", lambda data: data.update(changes))


def cut(name, size):
    return lambda run: (run / name).write_bytes((run / name).read_bytes()[:size])


def flip(name):
    """Flip one bit in the middle of a file."""

    def change(run):
        data = bytearray((run / name).read_bytes())
        data[len(data) // 2] ^= 1
        (run / name).write_bytes(data)

    return change


def nudge(name, key):
    """Change a number by hand, in its range."""

    def change(run):
        data = json.loads((run / name).read_text())
        (run / name).write_text(json.dumps({**data, key: data[key] + 1}))

    return change


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (shutil.rmtree, "no such folder at"),
        (remove("metrics.json"), "no finished run at"),
        (remove("config.yaml"), "no finished run at"),
        (remove("model.ckpt"), "kept no model: repeat it without --keep none"),
        (remove("calibration.json"), "calibration.json cannot be read"),
        (cut("calibration.json", 20), "calibration.json is no valid JSON"),
        (cut("config.yaml", 0), "names no model and data"),
        (cut("model.ckpt", 5000), "model.ckpt is not the file that the run wrote"),
        (cut("model.ckpt", 0), "model.ckpt is not the file that the run wrote"),
        (flip("model.ckpt"), "model.ckpt is not the file that the run wrote"),
        (flip("histograms.npz"), "histograms.npz is not the file that the run wrote"),
        (nudge("calibration.json", "threshold"), "calibration.json is not the file that the run"),
        (nudge("metrics.json", "seed"), "metrics.json is not the file that the run wrote"),
        (lambda run: (run / "config.yaml").open("a").write("#"), "config.yaml is not the file"),
        (remove("checksums.json"), "has no checksums.json"),
        (cut("checksums.json", 9), "checksums.json is no valid JSON"),
        (
            with_metrics(format=99, zoo_version="9.9.9"),
            "was written by anomalib-zoo 9.9.9 in format 99, this is",
        ),
        (
            with_config(lambda d: d["model"].update(class_path="zoo_plugins.patchcore.Renamed")),
            f"{zoo.__version__}): there is no 'zoo_plugins.patchcore.Renamed': it was renamed",
        ),
        (
            with_config(lambda d: d["model"].update(class_path="zoo.data.MVTecAD2Layout")),
            "'zoo.data.MVTecAD2Layout' is no AnomalibModule",
        ),
        (
            with_config(lambda d: d["model"]["init_args"].update(gone_option=1)),
            "ZooPatchcore has no option 'gone_option'",
        ),
        (
            with_config(lambda d: d["model"]["init_args"].update(backbone="resnet18", **OTHER)),
            "cannot be rebuilt",
        ),
        (
            with_config(lambda d: d["model"].update(class_path="stranger.Model")),
            "names 'stranger.Model' of package 'stranger'",
        ),
    ],
)
def test_what_cannot_be_loaded_is_one_line(copy, damage, says):
    damage(copy)
    with pytest.raises(ZooError) as caught:
        zoo.load(copy)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_of_runs_offers_one(whole):
    with pytest.raises(ZooError, match=f"did you mean {whole}"):
        zoo.load(whole.parents[1])


def test_an_unknown_device_is_one_line(whole):
    for device in ("cuda:99", "abacus"):
        with pytest.raises(ZooError, match=f"no device '{device}'"):
            zoo.load(whole, device=device)


class Stranger:
    """Leaves a mark wherever it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("force", [False, True])
def test_a_strangers_checkpoint_runs_no_code(copy, tmp_path, monkeypatch, force):
    mark = tmp_path / "mark"
    state = torch.load(copy / "model.ckpt", weights_only=False)
    torch.save({**state, "extra": Stranger(mark)}, copy / "model.ckpt")
    write_checksums(copy)
    if force:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(ZooError, match="holds more than numbers and could run code"):
        zoo.load(copy, trust=True)
    (copy / "model.ckpt").write_bytes(pickle.dumps(Stranger(mark)))
    write_checksums(copy)
    with pytest.raises(ZooError):
        zoo.load(copy)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Stranger(mark)))
    assert mark.exists()


def test_a_strangers_configuration_imports_nothing_without_trust(copy, tmp_path, monkeypatch):
    mark = tmp_path / "imported"
    (tmp_path / "stranger.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(tmp_path)
    edit(copy / "config.yaml", lambda data: data["model"].update(class_path="stranger.Model"))
    with pytest.raises(ZooError, match="stranger"):
        zoo.load(copy)
    assert not mark.exists()
    with pytest.raises(ZooError, match="cannot be rebuilt"):
        zoo.load(copy, trust=True)
    assert mark.exists()


def test_a_loaded_run_writes_nothing(whole, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(path.name for path in whole.rglob("*"))
    zoo.load(str(whole)).predict(Image.new("L", (30, 20)))
    assert sorted(path.name for path in whole.rglob("*")) == before
    assert not list(tmp_path.iterdir())
