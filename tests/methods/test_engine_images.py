"""Which images calibrate while anomalib's engine runs: stock data, bare loaders, the verbs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from anomalib import LearningType
from anomalib.callbacks import ModelCheckpoint
from anomalib.data import Folder, MVTec3D, MVTecAD
from anomalib.data.datasets.base import AnomalibVideoDataset
from anomalib.models import Stfpm
from lightning.pytorch import Callback
from torchvision.transforms.v2 import CenterCrop, Compose, Resize
from zoo_plugins.patchcore import ZooPatchcore

from zoo.cli import main
from zoo.data import MVTecAD2Layout
from zoo.data.anomalib_internals import samples, tables_of_objects
from zoo.methods import BlobPostProcessor
from zoo.methods.engine_images import EngineImages
from zoo.postprocess import Quantile
from zoo.utils.errors import ZooError

HELD_OUT = {"same_as_test", "from_dir", "none"}  # modes whose validation has nothing honest


@pytest.fixture
def mvtec(tmp_path, texture, write_image):
    """Return a function that makes anomalib's `MVTecAD` over a few small images."""
    mask = np.zeros((48, 64), np.uint8)
    mask[10:20, 20:40] = 255
    splits = {"train/good": (10, 0), "test/good": (4, 100), "test/broken": (4, 200)}
    for split, (count, first) in splits.items():
        for index in range(count):
            write_image(tmp_path / "bottle" / split / f"{index:03d}.png", texture(first + index))
    for index in range(4):
        write_image(tmp_path / f"bottle/ground_truth/broken/{index:03d}_mask.png", mask)

    def build(**options):
        return MVTecAD(tmp_path, "bottle", 4, 4, **{"num_workers": 0, "seed": 0, **options})

    return build


@pytest.fixture
def folder(mvtec):
    """Return a function that makes anomalib's `Folder` over the same images."""

    def build(**options):
        names = {"normal_test_dir": "test/good", "mask_dir": "ground_truth/broken"}
        options = {"num_workers": 0, "seed": 0, **names, **options}
        return Folder("x", "train/good", mvtec().root / "bottle", "test/broken", **options)

    return build


@pytest.fixture
def depth(tmp_path, texture, write_image):
    """Return a function that makes anomalib's `MVTec3D` over a few small images with depths."""
    tifffile = pytest.importorskip("tifffile")
    mask = np.zeros((48, 64), np.uint8)
    mask[10:20, 20:40] = 255
    splits = {"train/good": (10, 0), "test/good": (4, 100), "test/broken": (4, 200)}
    for split, (count, first) in splits.items():
        for index in range(count):
            folder, name = tmp_path / "bagel" / split, f"{index:03d}"
            write_image(folder / f"rgb/{name}.png", texture(first + index))
            write_image(folder / f"gt/{name}.png", mask * (split == "test/broken"))
            (folder / "xyz").mkdir(exist_ok=True)
            tifffile.imwrite(folder / f"xyz/{name}.tiff", np.ones((48, 64, 3), np.float32))

    def build(**options):
        return MVTec3D(tmp_path, "bagel", 4, 4, **{"num_workers": 0, "seed": 0, **options})

    with tables_of_objects():  # anomalib's items of depths want a text where there is no mask
        yield build


class Watched(ZooPatchcore):
    """A small model that notes which images it learns from."""

    def __init__(self):
        super().__init__(
            weights="random",
            image_size=64,
            coreset_sampling_ratio=0.1,
            post_processor=BlobPostProcessor(Quantile()),
            visualizer=False,
        )
        self.learnt = set()

    def training_step(self, batch, *args, **kwargs):
        self.learnt |= {Path(path) for path in batch.image_path}
        return super().training_step(batch, *args, **kwargs)


class Watcher(Callback):
    """Notes which images validation shows to whoever listens."""

    def __init__(self):
        self.seen = []

    def on_validation_batch_end(self, trainer, pl_module, outputs, *args, **kwargs):
        self.seen += [Path(path) for path in outputs.image_path]


@pytest.fixture
def calibrating(monkeypatch):
    """Return the list of the images whose maps calibrate."""
    paths = []
    admits, scores = EngineImages.admits, EngineImages.scores

    def noted_admits(self, batch):
        admitted = admits(self, batch)
        paths.extend(Path(p) for p, yes in zip(batch.image_path, admitted, strict=True) if yes)
        return admitted

    def noted_scores(self, model):
        for scored in scores(self, model):
            paths.append(scored.path)
            yield scored

    monkeypatch.setattr(EngineImages, "admits", noted_admits)
    monkeypatch.setattr(EngineImages, "scores", noted_scores)
    return paths


def _with(runner, *callbacks, **settings):
    runner._cache.args["callbacks"] += callbacks
    runner._cache.args.update(settings)
    return runner


def _saved(path):
    config = torch.load(path, weights_only=False)["anomalib_post_processor_config"]
    return config["calibration"]


@pytest.mark.parametrize(
    ("layout", "mode", "n_learnt", "n_calibrating"),
    [
        ("mvtec", "from_test", 10, 2),
        ("mvtec", "same_as_test", 8, 2),
        ("mvtec", "from_dir", 8, 2),
        ("mvtec", "synthetic", 5, 3),
        ("mvtec", "none", 8, 2),
        ("mvtec", "from_train", 5, 5),
        ("folder", "from_test", 10, 2),
        ("folder", "same_as_test", 8, 2),
        ("folder", "none", 8, 2),
        ("depth", "from_test", 10, 2),
        ("depth", "same_as_test", 8, 2),
    ],
)
def test_images_that_are_in_no_other_split_calibrate(
    layout, mode, n_learnt, n_calibrating, request, engine, calibrating, capsys
):
    data = request.getfixturevalue(layout)(val_split_mode=mode)
    owner, model, watcher = type(data).__name__, Watched(), Watcher()
    runner = _with(engine(), watcher)
    runner.fit(model, datamodule=data)
    tested = {Path(path) for path in data.test_data.samples.image_path}
    assert len(calibrating) == n_calibrating
    assert len(model.learnt) == n_learnt
    assert not set(calibrating) & (tested | model.learnt)
    assert all("good" in path.parts for path in calibrating)

    calibration = model.post_processor.calibration
    assert calibration.n_images == n_calibrating
    assert calibration.n_pixels == n_calibrating * 48 * 64
    assert _saved(runner.best_model_path) == calibration.to_dict()
    printed = capsys.readouterr().out
    assert printed.count("calibration: ") == 1
    if mode in HELD_OUT:
        said = f"calibration: 2 of 10 training images held out by seed 0, because {owner} "
        assert said in printed
        assert calibration.split == "train, 2 of 10 held out by seed 0"
        assert len(data.train_data) == 10  # given back
    else:
        assert f"calibration: {n_calibrating} normal images of {owner}'s validation" in printed
    shown = {"from_test": 4, "same_as_test": 8, "synthetic": 5, "from_train": 5}
    assert len(watcher.seen) == shown.get(mode, 2)  # what anomalib shows to others is untouched
    [metrics] = runner.test(model, datamodule=data, verbose=False)
    assert "segf1_model_size" in metrics


def test_what_is_held_out_keeps_its_depths(depth, engine):
    seen = []

    class Deep(Watched):
        def test_step(self, batch, *args, **kwargs):
            seen.append(tuple(batch.depth_map.shape[-2:]))
            return super().test_step(batch, *args, **kwargs)

    _with(engine(), limit_val_batches=0).fit(Deep(), datamodule=depth())
    assert seen == [(48, 64)]


def test_clips_of_videos_are_refused_by_name():
    class Clips(AnomalibVideoDataset):
        def __init__(self):
            pass

        def __len__(self):
            return 3

    with pytest.raises(ZooError, match=r"Clips lists clips of videos.*post_processor"):
        samples(Clips())


def test_a_second_fit_holds_out_the_same_images(mvtec, engine, calibrating):
    data = mvtec()
    for _ in range(2):
        model = Watched()
        engine().fit(model, datamodule=data)
        assert len(model.learnt) == 8
    assert calibrating[:2] == calibrating[2:]
    engine().fit(Watched(), datamodule=mvtec(seed=1))
    assert calibrating[:2] != calibrating[4:]


def test_a_link_to_an_image_that_is_held_out_is_held_out_too(mvtec, engine, calibrating):
    data = mvtec()
    train = data.root / "bottle/train/good"
    for path in list(train.iterdir()):
        (train / f"link_{path.name}").symlink_to(path)
    model = Watched()
    engine().fit(model, datamodule=data)
    assert not {path.resolve() for path in calibrating} & {path.resolve() for path in model.learnt}
    assert model.learnt


def test_a_model_that_crops_is_refused_before_data_are_touched(mvtec, engine):
    data, model = mvtec(), Watched()
    model.pre_processor.transform = Compose([Resize((64, 64)), CenterCrop(32)])
    with pytest.raises(ZooError, match="crops images"):
        engine().fit(model, datamodule=data)
    assert len(data.train_data) == 10


def test_a_fit_that_breaks_gives_the_images_back(mvtec, engine):
    class Broken(Watched):
        def training_step(self, batch, *args, **kwargs):
            raise RuntimeError("broken")

    data = mvtec()
    with pytest.raises(RuntimeError, match="broken"):
        engine().fit(Broken(), datamodule=data)
    assert len(data.train_data) == 10


def test_without_validation_the_checkpoint_is_calibrated_all_the_same(mvtec, engine, calibrating):
    model = Watched()
    runner = _with(engine(), limit_val_batches=0)
    runner.fit(model, datamodule=mvtec())
    assert _saved(runner.best_model_path) == model.post_processor.calibration.to_dict()
    assert len(calibrating) == 2  # once, not again at the end of the fit


def test_weights_alone_without_validation_are_saved_before_the_calibration(mvtec, engine, tmp_path):
    model = Watched()
    keeper = ModelCheckpoint(tmp_path / "kept", save_weights_only=True)
    runner = _with(engine(), keeper, limit_val_batches=0)
    runner.fit(model, datamodule=mvtec())
    assert _saved(keeper.best_model_path) is None
    assert model.post_processor.calibration.n_images == 2


def test_each_epoch_calibrates_the_weights_of_its_checkpoint(mvtec, engine, tmp_path):
    model = Stfpm(
        backbone="efficientnet_lite0_embedded",
        layers=["blocks.1"],
        pre_processor=Stfpm.configure_pre_processor((64, 64)),
        post_processor=BlobPostProcessor(),
        visualizer=False,
    )
    keeper = ModelCheckpoint(tmp_path / "kept", save_top_k=-1)
    _with(engine(), keeper, max_epochs=2).fit(model, datamodule=mvtec())
    first, last = sorted((tmp_path / "kept").glob("*.ckpt"))
    assert _saved(last) == model.post_processor.calibration.to_dict() != _saved(first)


def test_scoring_leaves_every_module_in_its_mode(mvtec, engine):
    modes = []

    class Modes(Callback):
        def on_train_batch_start(self, trainer, pl_module, *args):
            modes.append([module.training for module in pl_module.modules()])

        on_train_end = on_train_batch_start

    _with(engine(), Modes(), limit_val_batches=0).fit(Watched(), datamodule=mvtec())
    assert modes[0] == modes[-1]


def test_validating_a_fitted_model_keeps_its_calibration(mvtec, engine, capsys):
    data, model = mvtec(), Watched()
    runner = engine()
    runner.fit(model, datamodule=data)
    before = model.post_processor.calibration
    capsys.readouterr()
    runner.validate(model, datamodule=data, verbose=False)
    assert model.post_processor.calibration is before
    printed = capsys.readouterr().out
    assert "not derived anew, because MVTecAD puts test images into validation" in printed


def test_a_model_that_learns_without_a_fit_holds_images_out(mvtec, engine, calibrating):
    class Taught(Watched):
        learning_type = LearningType.ZERO_SHOT

    data, model = mvtec(), Watched()
    engine().fit(model, datamodule=data)
    del calibrating[:]
    taught = Taught()
    taught.load_state_dict(model.state_dict())
    engine().fit(taught, datamodule=data)
    assert len(calibrating) == taught.post_processor.calibration.n_images == 2


def test_of_bare_loaders_the_labels_decide(mvtec, engine, calibrating, capsys):
    data, model = mvtec(), Watched()
    data.setup()
    runner = engine()
    loaders = data.train_dataloader(), data.val_dataloader()
    runner.fit(model, *loaders)
    assert len(calibrating) == 4
    assert {path.parent.name for path in calibrating} == {"good"}
    assert "calibration: " not in capsys.readouterr().out


def test_our_own_layout_needs_no_line(fitted, engine, calibrating, capsys):
    engine().fit(Watched(), datamodule=MVTecAD2Layout(fitted.root, "part"))
    assert {path.parents[1].name for path in calibrating} == {"validation"}
    assert "calibration: " not in capsys.readouterr().out


def test_nothing_to_spare_stops_the_fit_at_once(mvtec, engine, tmp_path):
    for path in (tmp_path / "bottle/train/good").iterdir():
        if path.name != "000.png":
            path.unlink()
    with pytest.raises(ZooError, match="no image to calibrate on: MVTecAD puts test images"):
        engine().fit(Watched(), datamodule=mvtec())


def test_the_verbs_of_the_command_line_calibrate_alike(mvtec, tmp_path, capsys):
    words = ["--model", "ZooPatchcore", "--model.weights", "random", "--model.image_size", "64"]
    words += ["--data", "MVTecAD", "--data.root", str(mvtec().root), "--data.num_workers", "0"]
    words += ["--default_root_dir", str(tmp_path / "out")]
    assert main(["anomalib", "fit", *words]) == 0
    assert "calibration: 2 of 10 training images held out by seed 0" in capsys.readouterr().out
    [checkpoint] = (tmp_path / "out").rglob("*.ckpt")
    assert _saved(checkpoint)["split"] == "train, 2 of 10 held out by seed 0"
    assert main(["test", *words, "--ckpt_path", str(checkpoint)]) == 0
