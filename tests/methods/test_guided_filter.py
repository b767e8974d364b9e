"""The guided filter: kornia's inside, linear in the map, and the same in exported graphs."""

import numpy as np
import pytest
import torch
from anomalib.data import InferenceBatch
from anomalib.pre_processing import PreProcessor
from kornia.filters import guided_blur
from torch import nn
from torchvision.transforms.v2 import Compose, Normalize, Resize

import zoo
from zoo.methods.guided_filter import GuidedFilter, filtered
from zoo.utils.errors import ZooError

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def _draw(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("height", "width", "share"), [(60, 80, 0.05), (64, 64, 0.1)])
def test_it_is_kornias_filter_away_from_the_borders(height, width, share):
    score_map, image = 30 + _draw(1, 1, height, width), _draw(1, 3, height, width, seed=1)
    found = GuidedFilter(share, 0.01)(score_map, image)
    radius = round(share * min(height, width))
    guide, side = image.mean(1, keepdim=True), 2 * radius + 1
    expected = guided_blur(guide, score_map, (side, side), 0.01, separable=True)
    inside = (..., *[slice(2 * radius, -2 * radius)] * 2)
    torch.testing.assert_close(found[inside], expected[inside], rtol=0, atol=1e-4)


def test_edges_of_the_map_follow_edges_of_the_image():
    image = torch.zeros(1, 3, 64, 64)
    image[..., 32:] = 0.8
    step = torch.sigmoid((torch.arange(64) - 32.0) / 4).expand(1, 1, 64, 64)  # a blurred edge
    found = GuidedFilter(0.1, 0.001)(step, image)[0, 0, 32]
    jump = (found[33] - found[31]).item()
    assert jump > 3 * (step[0, 0, 32, 33] - step[0, 0, 32, 31]).item()


def test_it_is_linear_in_the_map_and_each_image_is_by_itself():
    maps, images = _draw(3, 1, 40, 50), _draw(3, 3, 40, 50, seed=2)
    both = GuidedFilter()(maps, images)
    torch.testing.assert_close(
        GuidedFilter()(7 * maps + 100, images), 7 * both + 100, rtol=1e-5, atol=1e-4
    )
    torch.testing.assert_close(GuidedFilter()(maps[1:2], images[1:2]), both[1:2])


def test_a_flat_image_gives_means_and_a_map_of_another_size_keeps_it():
    maps = _draw(1, 1, 20, 30)
    found = GuidedFilter(0.1)(maps, torch.full((1, 3, 80, 120), 0.5))
    assert found.shape == maps.shape
    assert found.std() < maps.std() / 3
    assert found.mean().item() == pytest.approx(maps.mean().item(), abs=0.02)


@pytest.mark.parametrize("numbers", [{"radius": 0}, {"radius": 0.6}, {"eps": 0}])
def test_numbers_out_of_range_are_refused(numbers):
    with pytest.raises(ZooError, match=str(next(iter(numbers.values())))):
        GuidedFilter(**numbers)


class _Network(nn.Module):
    """Gives the red channel as the map."""

    def forward(self, images):
        return InferenceBatch(anomaly_map=images[:, :1], pred_score=images.amax((1, 2, 3)))


class _Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = _Network()
        self.pre_processor = PreProcessor(Compose([Resize((32, 32)), Normalize(MEAN, STD)]))

    def forward(self, images):
        return self.model(images)


def test_a_model_is_filtered_by_its_images_before_they_were_normalised():
    images = _draw(2, 3, 32, 32)
    normalised = Normalize(MEAN, STD)(images)
    model = filtered(_Model().eval(), {"radius": 0.1})
    found = model(normalised)
    expected = GuidedFilter(0.1)(normalised[:, :1], images)
    torch.testing.assert_close(found.anomaly_map, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.pred_score, normalised.amax((1, 2, 3)))
    torch.testing.assert_close(model.train()(normalised).anomaly_map, normalised[:, :1])


def test_without_the_section_a_model_stays_as_it_is():
    images = _draw(1, 3, 32, 32)
    assert torch.equal(filtered(_Model().eval(), None)(images).anomaly_map, images[:, :1])


@pytest.mark.slow
def test_runs_their_models_and_their_graphs_are_filtered(mini, recipe, tmp_path):
    plain = recipe.read_text("utf-8")
    scores = {}
    for name, section in (("plain", ""), ("filtered", "guided_filter: {radius: 0.1}\n")):
        path = tmp_path / f"{name}.yaml"
        path.write_text(plain + section, "utf-8")
        [run] = zoo.bench([str(path)], mini, out=tmp_path / "runs", splits=["test_public"])
        predictor = zoo.load(run.folder)
        image = next((mini / "part").glob("test_public/bad/*.png"))
        scores[name] = predictor.score(image)[0]
        if section:
            [file] = run.export(out=tmp_path / "graphs")
            graph = zoo.load(file)
            np.testing.assert_allclose(graph.score(image)[0], scores[name], atol=1e-3)
    assert not np.allclose(scores["plain"], scores["filtered"], atol=1e-2)
