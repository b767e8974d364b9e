"""EfficientAD without a network: teachers, penalty images, schedule, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from zoo_plugins.efficientad import ZooEfficientAd, home_made, teacher
from zoo_plugins.efficientad.home_made import (
    PatchEmbedding,
    TeacherRecipe,
    home_made_teacher,
    share_of_rate,
)
from zoo_plugins.efficientad.lightning_model import jittered
from zoo_plugins.efficientad.networks import patch_network
from zoo_plugins.efficientad.sources import GeneratedTextures, penalty_image, source_of, texture

from zoo.data import MVTecAD2Layout
from zoo.runs.training import RunEngine
from zoo.utils.errors import ZooError
from zoo.utils.seeding import apply_seed

TINY = TeacherRecipe(channels=8, image_size=64, steps=3, batch_size=2)


def reference_names(state):
    """Rename tensors as the reference's Sequential has them."""
    return {f"{index}.x": value for index, value in enumerate(state.values())}


@pytest.mark.parametrize("rename", [dict, reference_names])
def test_a_teacher_comes_from_a_file_whatever_its_tensors_are_called(tmp_path, rename):
    published = patch_network("small", 16)
    torch.save(rename(published.state_dict()), tmp_path / "teacher.pth")
    model = ZooEfficientAd(weights=str(tmp_path / "teacher.pth"), teacher_channels=16)
    for ours, expected in zip(
        model.model.teacher.parameters(), published.parameters(), strict=True
    ):
        assert torch.equal(ours, expected)
        assert not ours.requires_grad


@pytest.mark.parametrize(
    ("size", "channels", "says"),
    [
        ("small", 12, r"conv4.weight is \(12, 256, 4, 4\), .* must be \(16, 256, 4, 4\)"),
        ("medium", 16, "it has 12 tensors .conv1.weight, .* and not 8"),
    ],
)
def test_a_teacher_of_another_architecture_names_its_keys(tmp_path, size, channels, says):
    path = tmp_path / "teacher.pth"
    torch.save(patch_network(size, channels).state_dict(), path)
    with pytest.raises(ZooError, match=says):
        ZooEfficientAd(weights=str(path), teacher_channels=16)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"image_size": 128}, "image_size 128x128 does not suit .* 256 at least"),
        ({"image_size": (256, 300)}, "multiples of 64"),
        ({"weights": "/nowhere.pth"}, "no teacher at '/nowhere.pth'.*home_made"),
        ({"model_size": "smal"}, "did you mean 'small'"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(arguments, says):
    with pytest.raises(ZooError, match=says) as error:
        ZooEfficientAd(**{"weights": "random", **arguments})
    assert "\n" not in str(error.value)


def test_an_empty_penalty_folder_is_named(tmp_path):
    with pytest.raises(ZooError, match=str(tmp_path)):
        source_of(tmp_path)


def test_penalty_images_are_drawn_from_a_folder_or_generated(tmp_path, write_image):
    for index in range(3):
        write_image(tmp_path / f"{index}.png", np.full((40, 50, 3), 60 * index + 60, np.uint8))
    folder = source_of(tmp_path)
    assert "3 images" in folder.name
    torch.manual_seed(0)
    drawn = [penalty_image(folder, (64, 96)) for _ in range(20)]
    assert {tuple(image.shape) for image in drawn} == {(3, 64, 96)}
    assert len({round(float(image.mean()), 3) for image in drawn}) == 3
    generated = source_of("generated")
    assert isinstance(generated, GeneratedTextures)
    image = penalty_image(generated, (64, 64))
    assert 0 <= image.min() < image.max() <= 1


@pytest.mark.parametrize(
    ("arguments", "read"),
    [
        ({}, ""),
        ({"penalty_images": "none", "weights": "random"}, ""),
        ({"penalty_images": "/data/imagenette", "teacher_images": "/data/any"}, "imagenette, any"),
        ({"weights": "random", "teacher_images": "/data/any"}, ""),  # no teacher is made
    ],
)
def test_images_from_outside_are_told(arguments, read):
    assert ZooEfficientAd(teacher_channels=16, **arguments).outside_images == read


def test_textures_depend_on_seed_and_index_alone():
    one = texture(0, 1, 64)
    assert one.shape == (64, 64, 3)
    assert np.array_equal(one, texture(0, 1, 64))
    assert not np.array_equal(one, texture(0, 2, 64))
    assert not np.array_equal(one, texture(1, 1, 64))


def test_a_home_made_teacher_is_seeded_kept_and_resumed(tmp_path, monkeypatch):
    said = []
    whole = home_made_teacher(TINY, said.append, folder=tmp_path / "one")
    assert "step 3/3, loss" in said[-1]
    said.clear()
    again = home_made_teacher(TINY, said.append, folder=tmp_path / "one")
    assert not said  # kept
    monkeypatch.setattr(home_made, "_BLOCK_SECONDS", 0.0)

    def interrupt(text):
        if "step 3/3" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        home_made_teacher(TINY, interrupt, folder=tmp_path / "two")
    resumed = home_made_teacher(TINY, said.append, folder=tmp_path / "two")
    assert len(said) == 1
    for name, tensor in whole.items():
        assert torch.equal(tensor, again[name])
        assert torch.equal(tensor, resumed[name])
    assert [path.suffix for path in (tmp_path / "two").iterdir()] == [".pth"]


@pytest.mark.slow
def test_a_teacher_is_made_again_where_it_would_be_another(tmp_path, monkeypatch):
    def makes():
        said = []
        home_made_teacher(replace(TINY, steps=1), said.append, folder=tmp_path)
        return bool(said)

    assert [makes(), makes()] == [True, False]
    changes = {
        "threads": (torch, "get_num_threads", lambda: 97),
        "code": (home_made, "class_code", lambda found: ["other"]),
        "libraries": (home_made, "libraries", lambda: {"torch": "other"}),
    }
    for change in changes.values():
        with monkeypatch.context() as patch:
            patch.setattr(*change)
            assert [makes(), makes()] == [True, False]
    assert not makes()


def test_a_layer_whose_size_is_not_the_teachers_is_named(tmp_path):
    recipe = TeacherRecipe(layers=("blocks.4", "blocks.6"))
    with pytest.raises(ZooError, match=r"blocks\.4 .* has stride 16: .* must have stride 4 or 8"):
        home_made_teacher(recipe, folder=tmp_path)


@pytest.mark.parametrize("first", ["blocks.1", "blocks.2"])
def test_the_backbones_cells_become_the_teachers(first):
    embed = PatchEmbedding(TeacherRecipe(layers=(first, "blocks.4"), channels=8))
    assert embed.enlargement == {"blocks.1": 1, "blocks.2": 2}[first]
    side = 64 * embed.enlargement
    assert embed(torch.rand(1, 3, side, side)).shape == (1, 8, 16, 16)


@pytest.mark.slow
def test_a_teacher_learns(tmp_path):
    said = []
    recipe = TeacherRecipe(channels=8, image_size=64, steps=20)
    home_made_teacher(recipe, said.append, folder=tmp_path)
    losses = [float(text.split("loss ")[1].split(",")[0]) for text in said]
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])


def test_muon_rises_and_falls():
    shares = [share_of_rate(step, 10) for step in range(10)]
    assert shares[0] == pytest.approx(0.2)
    assert max(shares) == pytest.approx(0.6)
    assert shares[-1] == pytest.approx(0.1)
    assert share_of_rate(12, 10) == 0


def test_the_command_writes_a_teacher_that_the_method_takes(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ANOMALIB_ZOO_CACHE", str(tmp_path / "images"))
    out = tmp_path / "teacher.pth"
    words = ["--channels", "8", "--image_size", "64", "--steps", "1", "--batch_size", "1", "--out"]
    assert teacher.main([*words, str(out)]) == 0
    assert "home-made, 1 steps" in capsys.readouterr().out
    ZooEfficientAd(weights=str(out), teacher_channels=8)
    assert teacher.main([*words, str(out), "--images", str(tmp_path / "nowhere")]) == 1
    assert str(tmp_path / "nowhere") in capsys.readouterr().err


def test_one_of_three_properties_changes():
    torch.manual_seed(0)
    images = torch.rand(30, 3, 8, 8) * 0.6 + 0.1
    copies = jittered(images)
    ratio = copies.mean(dim=(1, 2, 3)) / images.mean(dim=(1, 2, 3))
    assert 0.79 <= ratio.min() < ratio.max() <= 1.21
    assert not torch.equal(copies, jittered(images))


def fit(root, **arguments):
    apply_seed(0)
    model = ZooEfficientAd(weights="random", teacher_channels=8, visualizer=False, **arguments)
    model.post_processor = None
    data = MVTecAD2Layout(root, "part", train_batch_size=1, cache_mb=0, seed=0)
    settings = {"max_steps": 3, "max_epochs": 9, "check_val_every_n_epoch": 1000}
    engine = RunEngine({**settings, "accelerator": "cpu"}, root)
    engine.fit(model, datamodule=data)
    return model, data, engine.trainer


@pytest.fixture(scope="module")
def fitted(tmp_path_factory, write_object):
    root = tmp_path_factory.mktemp("efficientad")
    write_object(root, "part")
    return fit(root)


@pytest.mark.slow
def test_the_teachers_channels_are_standardised(fitted):
    model, data, _ = fitted
    images = [data.train_data[index].image for index in range(4)]
    with torch.no_grad():
        described = model.model.standardised(model.model.describe(torch.stack(images)))
    torch.testing.assert_close(described.mean(dim=(0, 2, 3)), torch.zeros(8), rtol=0, atol=1e-3)
    std = described.std(dim=(0, 2, 3), correction=0)
    torch.testing.assert_close(std, torch.ones(8), rtol=0, atol=1e-3)


def test_maps_are_scaled_by_the_quantiles_of_normal_images(fitted):
    model, data, _ = fitted
    with torch.no_grad():
        model.eval()
        raw = torch.cat([model.model.raw_maps(batch.image) for batch in data.val_dataloader()])
    expected = np.quantile(raw.transpose(0, 1).reshape(2, -1).numpy(), (0.9, 0.995), axis=1).T
    np.testing.assert_allclose(model.model.quantiles.numpy(), expected, rtol=1e-4)


def test_the_learning_rate_drops_once_at_the_end(fitted):
    _, _, trainer = fitted
    [scheduler] = [config.scheduler for config in trainer.lr_scheduler_configs]
    assert scheduler.step_size == 2  # 95 % of three steps
    assert scheduler.get_last_lr() == pytest.approx([1e-5])


@pytest.mark.slow
def test_muon_trains_where_it_is_asked_for(tmp_path, write_object):
    write_object(tmp_path, "part")
    arguments = {"optimizer": "muon", "learning_rate": 0.02, "same_contrast": True}
    model, _, trainer = fit(tmp_path, **arguments)
    assert type(trainer.optimizers[0]).__name__ == "Muon"
    [scheduler] = [config.scheduler for config in trainer.lr_scheduler_configs]
    assert scheduler.get_last_lr() == [0.0]
    assert model.model.quantiles.isfinite().all()
    seen = model.pre_processor.transform(0.3 * torch.rand(1, 3, 32, 32))
    assert seen.mean().item() == pytest.approx(0.45, abs=1e-5)


def test_only_student_and_autoencoder_are_trained(fitted):
    model, _, trainer = fitted
    [group] = trainer.optimizers[0].param_groups
    expected = [*model.model.student.parameters(), *model.model.autoencoder.parameters()]
    assert list(map(id, group["params"])) == list(map(id, expected))
