"""An exported PatchCore takes any number of images and says what the model in torch says."""

import numpy as np
import pytest
import torch
from zoo_plugins.patchcore import ZooPatchcore

from zoo.methods.memory_bank import neighbours
from zoo.predict.openvino_core import openvino_core

pytest.importorskip("onnxscript")
openvino = pytest.importorskip("openvino")

# Left alone, OpenVINO computes in bfloat16 where the processor can.
EXACT = {"INFERENCE_PRECISION_HINT": "f32"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"layers": ["blocks.2", "blocks.4"]},
        {"layers": ["blocks.2"], "weight_neighbors": 4, "unit_length": True},
        {"layers": ["blocks.2"], "num_neighbors": 3, "patch_size": 5},
        {"layers": ["blocks.2", "blocks.4"], "embedding_dim": 50, "squared": True},
    ],
    ids=["default", "re-weighted", "neighbours", "reference"],
)
def test_any_number_of_images(fill, random_images, tmp_path, monkeypatch, options):
    monkeypatch.setattr(neighbours, "STATIC_BLOCK", 100)  # several blocks
    options = {"image_size": 64, "bank_size": 150, "pretrain_dim": 64, **options}
    model = fill(ZooPatchcore(**options))
    path = model.to_openvino(tmp_path, input_size=(64, 64))
    compiled = openvino_core().compile_model(path, "CPU", EXACT)
    for count in (1, 2, 5):
        images = random_images(count, count)[:, :, :64]
        with torch.no_grad():
            expected = model(images)
        found = compiled([images.numpy()])
        for name in ("pred_score", "anomaly_map"):
            values = getattr(expected, name).numpy()
            assert found[name].shape == values.shape
            np.testing.assert_allclose(found[name], values, atol=1e-4 * values.max())


@pytest.mark.slow
def test_an_ensemble_is_traced_with_its_scales(fill, random_images):
    members = [{"backbone": "resnet10t", "layers": ["layer2"]}] * 2
    model = fill(ZooPatchcore(weights="random", members=members, image_size=64, bank_size=40))
    model.model.measure_scales([model.pre_processor.transform(random_images(3))])
    images = random_images(4)[:, :, :64]
    batch = {0: torch.export.Dim("batch")}
    graph = torch.export.export(model.model, (images,), dynamic_shapes=(batch,), strict=False)
    with torch.no_grad():
        found, expected = graph.module()(images), model.model(images)
    torch.testing.assert_close(found.anomaly_map, expected.anomaly_map, rtol=1e-4, atol=1e-4)
