"""Reverse Distillation: teachers of any shape, what is cached, and what is refused."""

import pytest
import torch
from zoo_plugins._distillation.torch_model import signed_maps
from zoo_plugins.rd import ZooReverseDistillation

from zoo.data import MVTecAD2Layout
from zoo.predict.openvino_core import openvino_core
from zoo.runs.training import RunEngine, training_callbacks
from zoo.utils.errors import ZooError
from zoo.utils.seeding import apply_seed

SMALL = {"image_size": 64, "decoder_depths": (1, 1, 1)}


def fit(root, folder, say=lambda text: None, batch_size=3, steps=3, **arguments):
    apply_seed(0)
    model = ZooReverseDistillation(**{**SMALL, "visualizer": False, **arguments})
    model.post_processor = None
    data = MVTecAD2Layout(root, "part", train_batch_size=batch_size, cache_mb=0, seed=0)
    settings = {"max_steps": steps, "max_epochs": 100, "accelerator": "cpu"}
    settings["check_val_every_n_epoch"] = 1000
    engine = RunEngine(settings, folder, training_callbacks(say))
    engine.fit(model, datamodule=data)
    return model.eval()


@pytest.mark.parametrize(
    ("backbone", "layers"),
    [
        ("resnet10t", ("layer1", "layer2", "layer3")),
        ("convnext_atto", ("stages.1", "stages.3")),  # no ResNet, and a stride left out
        ("mobilenetv3_small_050", ("blocks.1",)),
    ],
)
def test_the_student_follows_the_teachers_shapes(backbone, layers):
    depths = [1] * len(layers)
    model = ZooReverseDistillation(backbone, "random", layers, 128, depths).model.eval()
    features = model.teacher(torch.rand(2, 3, 128, 128))
    shapes = [layer.shape for layer in model.student(features)]
    assert shapes == [layer.shape for layer in features]
    prediction = model(torch.rand(2, 3, 128, 128))
    assert prediction.anomaly_map.shape == (2, 1, 128, 128)
    assert torch.equal(prediction.pred_score, prediction.anomaly_map.amax(dim=(1, 2, 3)))


@pytest.mark.parametrize(
    ("backbone", "layers", "signed"),
    [
        ("resnet10t", ("layer1", "layer2"), [False, False]),
        ("efficientnet_lite0", ("blocks.1", "blocks.2"), [True, True]),
    ],
)
def test_the_student_is_negative_where_its_teacher_is(backbone, layers, signed):
    model = ZooReverseDistillation(backbone, "random", layers, 128, [2, 1]).model.eval()
    assert signed_maps(model.teacher) == signed
    rebuilt = model.student(model.teacher(torch.rand(2, 3, 128, 128)))
    assert [bool((layer < 0).any()) for layer in rebuilt] == signed


def test_the_teacher_is_never_trained(mini, tmp_path):
    before = {
        k: v.clone() for k, v in ZooReverseDistillation(**SMALL).model.teacher.state_dict().items()
    }
    model = fit(mini, tmp_path)
    assert all(torch.equal(v, before[k]) for k, v in model.model.teacher.state_dict().items())
    assert not model.model.train().teacher.training
    trained = {
        id(p) for group in model.configure_optimizers().param_groups for p in group["params"]
    }
    assert not trained & {id(p) for p in model.model.teacher.parameters()}


def test_cached_features_are_said_and_give_the_same_losses(mini, tmp_path):
    said = {budget_mb: [] for budget_mb in (100.0, 0.0)}
    for budget_mb, lines in said.items():
        fit(mini, tmp_path / str(budget_mb), lines.append, feature_cache_mb=budget_mb)
    assert "features of the frozen network 4/4" in said[100.0]
    steps = [[line for line in lines if "loss" in line] for lines in said.values()]
    assert steps[0][0] == steps[1][0]  # such as: fit: epoch 1, batch 1/3, loss 2.71
    assert len(steps[0]) == len(steps[1]) == 3


def test_a_batch_of_one_is_enough_for_batch_norm(mini, tmp_path):
    model = fit(mini, tmp_path, batch_size=1)
    assert model.model(torch.rand(1, 3, 64, 64)).anomaly_map.isfinite().all()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"image_size": 32}, "image_size 32x32 does not suit.* multiples of 32 pixels, and 64"),
        ({"image_size": (96, 100)}, "image_size 96x100 does not suit"),
        ({"layers": ("blocks.2", "layer3")}, "has no layer layer3; it has blocks.0"),
        ({"decoder_depths": (1, 2)}, r"decoder_depths \[1, 2\] do not fit the layers blocks.1"),
        ({"weights": "/nowhere.pth"}, "no weights at '/nowhere.pth'"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(arguments, says):
    with pytest.raises(ZooError, match=says) as error:
        ZooReverseDistillation(**{**SMALL, **arguments})
    assert "\n" not in str(error.value)


def test_a_teacher_file_of_another_architecture_names_its_keys(tmp_path):
    path = tmp_path / "other.pth"
    torch.save({"layer1.weight": torch.ones(3)}, path)
    with pytest.raises(ZooError, match=r"do not fit backbone.*layer1\.weight|conv_stem"):
        ZooReverseDistillation(**SMALL, weights=str(path))


@pytest.mark.slow
def test_openvino_gives_the_same_map():
    openvino = pytest.importorskip("openvino")
    model = ZooReverseDistillation(**SMALL).model.eval()
    images = torch.rand(1, 3, 64, 64)

    class Map(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, images):
            return self.model(images).anomaly_map

    converted = openvino.convert_model(Map(), example_input=images)
    compiled = openvino_core().compile_model(converted, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    with torch.no_grad():
        expected = model(images).anomaly_map
    found = torch.from_numpy(compiled(images.numpy())[0])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
