"""INP-Former as a method: any shape, schedule per step, features computed once, short errors."""

import numpy as np
import pytest
import timm
import torch
from lightning.pytorch import Callback
from safetensors.torch import save_file
from torchvision.transforms.v2 import ColorJitter
from zoo_plugins.inpformer import ZooInpFormer
from zoo_plugins.inpformer.lightning_model import learning_rate_factor
from zoo_plugins.inpformer.torch_model import coherence_loss

from zoo.data import MVTecAD2Layout
from zoo.data.tiling.recipe import tiled
from zoo.recipes.experiment import load
from zoo.runs import resume
from zoo.runs.training import RunEngine
from zoo.utils.errors import ZooError
from zoo.utils.seeding import apply_seed

TINY = "vit_tiny_patch16_224"
SMALL = {"image_size": 32, "token_width": 32, "visualizer": False}
TRANSFORMER = {"backbone": TINY, "weights": "random", "layers": [0, 1], "image_size": 48}


def small(**options):
    apply_seed(0)
    return ZooInpFormer(**{**SMALL, **options})


class Watch(Callback):
    """Keeps learning rate and loss of every step."""

    def __init__(self):
        self.rates, self.losses = [], []

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        self.losses.append(float(outputs["loss"].detach()))

    def on_before_optimizer_step(self, trainer, module, optimizer):
        self.rates.append(optimizer.param_groups[0]["lr"])


def fit(model, data, folder, callbacks=(), ckpt_path=None, **settings):
    watch = Watch()
    settings = {"accelerator": "cpu", "devices": 1, "limit_val_batches": 0, **settings}
    post_processor, model.post_processor = model.post_processor, None
    data.follow_model(model)
    engine = RunEngine(settings, folder, [watch, *callbacks])
    engine.fit(model, datamodule=data, ckpt_path=ckpt_path)
    model.post_processor = post_processor
    return watch


def data_of(mini, **options):
    options = {"train_batch_size": 2, "cache_mb": 0, "seed": 0, **options}
    return MVTecAD2Layout(mini, "part", **options)


# The map


@pytest.mark.parametrize("size", [(70, 45), (32, 48)])
@pytest.mark.parametrize("backbone", [{}, TRANSFORMER])
def test_an_image_of_any_shape_gets_a_map_of_its_shape(size, backbone):
    model = small(**backbone).eval()
    with torch.no_grad():
        done = model.model(torch.rand(2, 3, *size))
    assert done.anomaly_map.shape == (2, 1, *size)
    assert done.anomaly_map.dtype == torch.float32
    assert done.pred_score.shape == (2,)


def test_padding_continues_the_border_and_leaves_whole_patches_alone():
    model = small().model.eval()
    pixels = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    pixels[..., 60:] = pixels[..., 59:60]
    with torch.no_grad():
        whole, part = model(pixels).anomaly_map, model(pixels[..., :60]).anomaly_map
    # All but what the blur takes from beyond the last column.
    torch.testing.assert_close(part[..., :58], whole[..., :58], rtol=0, atol=1e-6)


def test_the_score_is_the_mean_of_the_top_percent():
    model = small(output_size=(40, 50)).model.eval()
    with torch.no_grad():
        done = model(torch.rand(1, 3, 64, 64))
    assert done.anomaly_map.shape == (1, 1, 40, 50)
    top = np.sort(done.anomaly_map.numpy().ravel())[-20:]
    assert float(done.pred_score) == pytest.approx(top.mean(), abs=1e-6)


def test_zero_padding_darkens_a_frame_of_two_pixels_only():
    pixels = torch.rand(1, 3, 64, 64)  # noise: the network's map is smooth all the same
    maps = []
    for padding in ("zeros", "reflect"):
        with torch.no_grad():
            maps.append(small(blur_padding=padding).model.eval()(pixels).anomaly_map)
    zeros, reflected = maps
    torch.testing.assert_close(zeros[..., 2:-2, 2:-2], reflected[..., 2:-2, 2:-2])
    assert (zeros[..., 0, 1:-1] < 0.75 * reflected[..., 0, 1:-1]).all()


def test_coherence_is_the_distance_to_the_nearest_prototype():
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(2, 9, 16, generator=generator)
    prototypes = torch.randn(2, 3, 16, generator=generator)
    nearest = [
        min(1 - torch.nn.functional.cosine_similarity(token, other, dim=0) for other in others)
        for image, others in zip(tokens, prototypes, strict=True)
        for token in image
    ]
    assert float(coherence_loss(tokens, prototypes)) == pytest.approx(float(sum(nearest)) / 18)


def test_keep_aspect_takes_the_shorter_side_to_whole_patches():
    model = small(keep_aspect=True, image_size=64)
    assert model.pre_processor.resize.size_of((500, 1250)) == (64, 160)


def test_in_tiles_the_map_covers_the_whole_image(mini):
    model = tiled(small(), {"window": 32, "overlap": 0.1, "multiple": 1}).eval()
    batch = next(iter(_following(data_of(mini), model).dataloader("test_public")))
    done = model.pre_processor.predict(batch, lambda tiles: model.test_step(tiles, 0))
    assert done.anomaly_map.shape[-2:] == (48, 64)
    assert done.pred_score.shape == (len(batch.image_path),)


def _following(data, model):
    data.follow_model(model)
    return data


@pytest.mark.slow
@pytest.mark.parametrize("backbone", [{}, TRANSFORMER])
def test_an_exported_graph_gives_the_map_for_any_number_of_images(tmp_path, backbone):
    ort = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    model = small(**backbone).eval()
    side = backbone.get("image_size", 32)
    path = model.to_onnx(tmp_path, input_size=(side, side), opset_version=18)
    graph = ort.InferenceSession(path)
    names = [output.name for output in graph.get_outputs()]
    for count in (1, 3):
        images = torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(count))
        found = dict(zip(names, graph.run(None, {"input": images.numpy()}), strict=True))
        with torch.no_grad():
            expected = model(images)
        np.testing.assert_allclose(found["anomaly_map"], expected.anomaly_map, atol=1e-4)
        np.testing.assert_allclose(found["pred_score"], expected.pred_score, atol=1e-4)


# Training


def test_the_curve_of_the_reference():
    """Independent: numpy's linspace and cosine over 200 epochs of 27 batches."""
    factor = learning_rate_factor(5400)
    steps = np.arange(5300)
    curve = [np.linspace(0, 1e-3, 100), 1e-4 + 0.45e-3 * (1 + np.cos(np.pi * steps / 5300))]
    found = [1e-3 * factor(step) for step in range(5400)]
    np.testing.assert_allclose(found, np.concatenate(curve), rtol=0, atol=1e-12)
    assert [found[step] for step in (0, 1, 99, 100)] == pytest.approx(
        [0, 1.0101e-5, 1e-3, 1e-3], 1e-4
    )
    assert found[5399] == pytest.approx(1e-4, rel=1e-5)


@pytest.mark.parametrize("total", [1, 2, 7, 150])
def test_a_short_training_warms_up_for_half_of_it(total):
    rates = [learning_rate_factor(total)(step) for step in range(total + 5)]
    assert all(0 <= rate <= 1 for rate in rates)
    assert max(rates) == 1
    assert rates[-1] == pytest.approx(0.1)


@pytest.mark.parametrize("limits", [{"max_epochs": 4}, {"max_epochs": 9, "max_steps": 8}])
def test_the_learning_rate_moves_with_every_step(mini, tmp_path, limits):
    watch = fit(small(warmup_steps=3), data_of(mini), tmp_path, **limits)
    factor = learning_rate_factor(8, 3)
    assert watch.rates == pytest.approx([1e-3 * factor(step) for step in range(8)])


def test_a_training_without_an_end_is_refused(mini, tmp_path):
    with pytest.raises(ZooError, match="give the trainer max_steps or max_epochs"):
        fit(small(), data_of(mini), tmp_path, max_epochs=-1)


def test_features_computed_once_change_nothing(mini, tmp_path):
    losses = []
    for budget in (0, 100):
        model = small(feature_cache_mb=budget, warmup_steps=1)
        losses.append(fit(model, data_of(mini), tmp_path, max_epochs=3).losses)
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
    assert losses[0][-1] < losses[0][0]


@pytest.mark.parametrize(
    ("tiling", "augmentation"), [(None, ColorJitter(0.2)), ({"window": 32}, None)]
)
def test_augmented_and_tiled_images_are_encoded_in_every_step(
    mini, tmp_path, monkeypatch, tiling, augmentation
):
    model, seen = tiled(small(), tiling), []
    encode = model.model.encode
    monkeypatch.setattr(model.model, "encode", lambda images: seen.append(1) or encode(images))
    data = data_of(mini, train_augmentations=augmentation)
    watch = fit(model, data, tmp_path, max_steps=3)
    assert len(seen) == len(watch.losses) == 3


def test_fewer_images_than_a_batch_are_one_smaller_batch(mini, tmp_path):
    watch = fit(small(), data_of(mini, train_batch_size=16), tmp_path, max_epochs=2)
    assert len(watch.losses) == 2


def test_an_interrupted_training_goes_on_to_the_same_weights(mini, tmp_path, monkeypatch):
    monkeypatch.setattr(resume, "SAVING_SHARE", 1e9)
    options = {"max_epochs": 3}
    whole = small(warmup_steps=2)
    watch = fit(whole, data_of(mini), tmp_path, **options)
    point = resume.ResumePoint(tmp_path / "state", "key")
    step = ZooInpFormer.training_step

    def failing(self, batch, *args):
        if self.global_step == 3:
            raise KeyError("killed")
        return step(self, batch, *args)

    with monkeypatch.context() as patch:
        patch.setattr(ZooInpFormer, "training_step", failing)
        keep = resume.KeepState(point, block_seconds=0.0)
        with pytest.raises(KeyError, match="killed"):
            fit(small(warmup_steps=2), data_of(mini), tmp_path, [keep], **options)
    resumed = small(warmup_steps=2)
    keep = resume.KeepState(point, block_seconds=0.0)
    rest = fit(resumed, data_of(mini), tmp_path, [keep], str(point.found()), **options)
    assert rest.rates == watch.rates[3:]
    for name, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value), name


def test_half_precision_keeps_the_loss_and_its_weights_in_float32():
    model = small().model
    targets = model.encode(torch.rand(2, 3, 32, 32))
    whole = model.training_loss(targets)
    with torch.autocast("cpu", torch.bfloat16):
        rebuilt = model.rebuild(targets)
        half = model.training_loss(targets)
    assert {each.dtype for each in rebuilt.maps} == {torch.float32}
    assert float(half) == pytest.approx(float(whole), abs=0.02)
    assert ZooInpFormer.mixed_precision


# What people get wrong


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backbone": "resnet18x"}, "no backbone 'resnet18x'; did you mean"),
        ({"layers": ["blocks.9"]}, r"no layer blocks\.9; it has blocks\.0"),
        ({"layers": ["blocks.1", "blocks.2", "blocks.4"]}, "3 layers do not fall into 2 groups"),
        ({"n_groups": 0}, "do not fall into 0 groups"),
        ({"n_prototypes": 0}, "0 prototypes"),
        ({"decoder_depth": 3}, "3 decoder blocks in 2 groups"),
        ({"blur_padding": "zero"}, "blur_padding 'zero'; did you mean 'zeros'"),
        ({"token_width": 100}, "token_width 100: it must be a multiple of 32"),
        ({"token_stride": 12}, "token_stride 12 is no multiple or part of"),
        ({"keep_aspect": True, "image_size": (32, 64)}, "give one number, the shorter side"),
        ({"weights": "$NOWHERE/absent.pth"}, r"'\$NOWHERE/absent.pth': the file does not exist"),
        (
            {"backbone": TINY, "weights": "random", "layers": [3, 12]},
            "numbers of blocks, here 0 to 11",
        ),
        ({"backbone": TINY, "weights": "random", "layers": ["blocks.1"]}, "numbers of blocks"),
    ],
)
def test_an_option_that_does_not_fit_is_one_line(options, message):
    with pytest.raises(ZooError, match=message) as error:
        small(**options)
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def tiny_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_file(timm.create_model(TINY).state_dict(), path)
    return path


@pytest.mark.parametrize(
    ("backbone", "message"),
    [
        ("vit_small_patch16_224", "do not fit backbone"),
        ("vit_small_patch14_dinov2", "patches have 16x16 pixels instead of 14x14"),
    ],
)
def test_weights_of_another_width_or_patch_are_refused(tiny_file, backbone, message):
    with pytest.raises(ZooError, match=message) as error:
        small(backbone=backbone, weights=str(tiny_file))
    assert "\n" not in str(error.value)


def test_weights_may_stand_where_the_environment_says(tiny_file, monkeypatch):
    monkeypatch.setenv("WEIGHTS_FOLDER", str(tiny_file.parent))
    model = small(backbone=TINY, weights="${WEIGHTS_FOLDER}/tiny.safetensors", layers=[0, 1])
    assert model.model.encoder.width == 192


def test_a_window_larger_than_an_image_is_one_line(mini):
    model = tiled(small(), {"window": 512}).eval()
    batch = next(iter(_following(data_of(mini), model).dataloader("test_public")))
    with pytest.raises(ZooError, match=r"larger than an image .* use a smaller window"):
        model.pre_processor.predict(batch, lambda tiles: model.test_step(tiles, 0))


@pytest.mark.parametrize("name", ["embedded", "paper", "highres", "vits14"])
def test_recipes_parse(name, mini):
    data = {"init_args": {"root": str(mini), "category": "part"}}
    trainer = load(f"inpformer/{name}", data=data).trainer
    assert trainer.get("max_steps", 0) > 0 or trainer.get("max_epochs")
