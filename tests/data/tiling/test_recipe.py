"""The `tiling` section: every way to a score map, one geometry; any method, stock or registered."""

import copy
import json

import numpy as np
import pytest
import torch
import yaml
from anomalib.data import Folder
from torchvision.transforms.v2 import CenterCrop, Compose, Normalize, Resize

from zoo.data import MVTecAD2Layout
from zoo.data.images import read_image
from zoo.data.tiling.pre_processor import ScaledPreProcessor
from zoo.data.tiling.recipe import Tiling, tiled
from zoo.data.tiling.stitch import score_in_tiles, to_scale
from zoo.data.transforms import Scaled
from zoo.export import export_model
from zoo.methods.method import score_split, whole_image
from zoo.postprocess import Calibration
from zoo.predict import GraphPredictor
from zoo.predict.torch_predictor import TorchPredictor
from zoo.recipes.experiment import load
from zoo.runs.run import fit_here, run
from zoo.utils.errors import ZooError

STOCK = {
    "class_path": "anomalib.models.Padim",
    "init_args": {
        "backbone": "efficientnet_lite0_embedded",
        "layers": ["blocks.1"],
        "n_features": 8,
        "pre_processor": {
            "class_path": "anomalib.pre_processing.PreProcessor",
            "init_args": {
                "transform": {
                    "class_path": "torchvision.transforms.v2.Resize",
                    "init_args": {"size": [32, 32]},
                }
            },
        },
    },
}
OURS = {
    "class_path": "ZooPatchcore",
    "init_args": {"weights": "random", "image_size": 32, "coreset_sampling_ratio": 0.1},
}
ENSEMBLE = copy.deepcopy(OURS)  # whose members are brought to one scale by validation images
ENSEMBLE["init_args"]["members"] = [
    {"backbone": "tf_efficientnet_lite0", "layers": ["blocks.2"]},
    {"backbone": "tf_efficientnet_lite0", "layers": ["blocks.1"]},
]


def _train(folder, root, model, tiling):
    recipe = {
        "model": model,
        "tiling": tiling,
        "data": {"class_path": "zoo.data.MVTecAD2Layout", "init_args": {"eval_batch_size": 2}},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    planned = load(
        folder / "recipe.yaml",
        data={"init_args": {"root": str(root), "category": "part"}},
        out=folder / "runs",
    )
    models = []

    def fit(*args):
        fitted = fit_here(*args)
        models.append(fitted.model)
        return fitted

    return run(planned, fit=fit), models[0]


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(OURS, id="registered"),
        pytest.param(ENSEMBLE, id="ensemble", marks=pytest.mark.slow),
        pytest.param(STOCK, id="stock", marks=pytest.mark.slow),
    ],
)
def test_a_run_in_tiles_is_loaded_in_tiles(mini, tmp_path, model):
    tiling = {"window": 24, "overlap": 0.25, "seams": "hard"}
    made, fitted = _train(tmp_path, mini, copy.deepcopy(model), tiling)
    assert fitted.pre_processor.layout.tile == 32
    assert made.metrics["splits"]["test_public"]["segf1"] is not None
    detector = made.load()
    assert detector.model.pre_processor.tiling == fitted.pre_processor.tiling
    data = MVTecAD2Layout(mini, "part")
    data.follow_model(fitted)
    scored = list(score_split(fitted, data, "test_public"))
    for one, other in zip(scored, detector.scored([s.path for s in scored]), strict=True):
        assert one.score_map.shape == (64, 85)  # 48 x 64 px, 24 of which the network sees as 32
        np.testing.assert_allclose(one.score_map, other.score_map, rtol=1e-4, atol=1e-5)
    prediction = detector.predict(scored[0].path)
    assert prediction.mask.shape == prediction.anomaly_map.shape == (48, 64)


@pytest.mark.parametrize("as_array", [True, False])
def test_a_detector_gives_the_image_back_where_the_method_does(mini, brightness, as_array):
    model = tiled(brightness(), Tiling(window=20, overlap=0.3))
    path = mini / "part/test_public/bad/000_regular.png"
    pixels = read_image(path)
    result = TorchPredictor(model, Calibration(threshold=9.0)).predict(pixels if as_array else path)
    expected = torch.from_numpy(pixels).float().div(255).permute(2, 0, 1).mean(0)
    assert np.array_equal(result.anomaly_map, expected.numpy())


def test_the_stock_engine_trains_tests_and_predicts_in_tiles(mini, brightness, engine):
    folder = mini / "part"
    data = Folder(
        name="part",
        root=folder,
        normal_dir="train/good",
        abnormal_dir="test_public/bad",
        normal_test_dir="test_public/good",
        mask_dir="test_public/ground_truth/bad",
        train_batch_size=2,
        eval_batch_size=2,
        num_workers=0,
    )
    model, runner = tiled(brightness(pool=4), Tiling(24, 16, 0.25, multiple=4)), engine()
    runner.fit(model, datamodule=data)
    assert set(model.trained) == {(2 * 12, 3, 16, 16)}
    [metrics] = runner.test(model, datamodule=data, verbose=False)
    assert all(np.isfinite(value) for value in metrics.values())
    for batch in runner.predict(model, datamodule=data):
        assert batch.anomaly_map.shape[-2:] == (32, 44)
        assert batch.image.shape[-2:] == (32, 44)
        assert len(batch.pred_score) == len(batch.image_path)


def test_the_side_is_that_of_the_methods_own_resize():
    method = whole_image(64, "tf_efficientnet_lite0", "embedded")
    pre_processor = Tiling(window=256, overlap=0.1).pre_processor(method)
    assert pre_processor.layout.tile == 64
    assert pre_processor.layout.overlap == 64 - int(64 * 0.9)
    assert pre_processor.resize.size_of((1056, 4224)) == (264, 1056)
    assert isinstance(pre_processor.then, Normalize)


def test_a_method_that_scales_to_patches_gets_tiles_of_whole_patches():
    method = ScaledPreProcessor(Scaled(shorter_side=448, multiple=14))
    pre_processor = Tiling(window=448, overlap=0.1).pre_processor(method)
    assert pre_processor.resize.multiple == pre_processor.layout.multiple == 14
    assert pre_processor.layout.overlap == 56
    with pytest.raises(ZooError, match=r"tiles of 450 px.*multiples of 14"):
        Tiling(window=450).pre_processor(method)


def test_windows_of_robis_at_the_networks_scale():
    tiling = Tiling(window=1024, side=518, overlap=0.1, remainder="pad", seams="mean")
    pre_processor = tiling.pre_processor(None)
    size = pre_processor.resize.size_of((2048, 2448))
    assert len(pre_processor.layout.grid(size)) == 9


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (Resize((32, 48)), r"\[32, 48\], which is no square: .*tiling\.side"),
        (Compose([Resize((40, 40)), CenterCrop(32)]), "crops images to their centre"),
    ],
)
def test_methods_that_show_the_network_something_else_are_refused(brightness, transform, message):
    model = brightness()
    model.pre_processor.transform = transform
    with pytest.raises(ZooError, match=message):
        tiled(model, Tiling(window=64))


@pytest.mark.parametrize("numbers", [{"window": 0}, {"window": 9, "overlap": 1.0}])
def test_numbers_out_of_range_are_refused(brightness, numbers):
    with pytest.raises(ZooError, match="tiling: window"):
        tiled(brightness(), Tiling(**numbers))


def test_an_exported_graph_takes_single_tiles_and_metadata_makes_the_map(
    mini, tmp_path, brightness
):
    ort = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    model = tiled(brightness(pool=2, side=32), Tiling(window=24, overlap=0.25)).eval()
    graph = ort.InferenceSession(model.to_onnx(tmp_path, input_size=(32, 32), opset_version=18))
    assert graph.get_inputs()[0].shape[2:] == [32, 32]
    names = [output.name for output in graph.get_outputs()]

    def infer(tiles):
        found = dict(zip(names, graph.run(None, {"input": tiles}), strict=True))
        return found["anomaly_map"], found["pred_score"]

    image = mini / "part/test_public/bad/000_regular.png"
    tiling = json.loads(json.dumps(model.pre_processor.tiling))  # as metadata carries it
    score_map, score = score_in_tiles(to_scale(read_image(image), tiling), tiling, infer, 4)
    expected, expected_score = TorchPredictor(model, Calibration(threshold=1.0)).score(image)
    assert score_map.shape == expected.shape
    np.testing.assert_allclose(score_map, expected, rtol=0, atol=1e-6)
    assert score == pytest.approx(expected_score, abs=1e-6)


@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_an_exported_model_cuts_images_itself(mini, tmp_path, brightness, suffix):
    for package in ("onnxruntime", "onnxscript", "openvino"):
        pytest.importorskip(package)
    model = tiled(brightness(pool=2, side=32), Tiling(window=24, overlap=0.25)).eval()
    calibration = Calibration(threshold=0.5)
    path = export_model(model, tmp_path / f"model{suffix}", calibration)
    image = mini / "part/test_public/bad/000_regular.png"
    found = GraphPredictor(path).predict(image)
    expected = TorchPredictor(model, calibration).predict(image)
    np.testing.assert_allclose(found.anomaly_map, expected.anomaly_map, rtol=0, atol=1e-6)
    assert found.score == pytest.approx(expected.score, abs=1e-6)
    border = np.abs(expected.anomaly_map - 0.5) < 2 / 255
    assert np.array_equal(found.mask | border, expected.mask | border)
