"""PatchCore against the reference repository, SciPy and anomalib."""

import numpy as np
import pytest
import timm
import torch
from anomalib.models.image.patchcore.torch_model import PatchcoreModel as AnomalibModel
from scipy.ndimage import gaussian_filter
from torch.nn import functional
from zoo_plugins.patchcore import ZooPatchcore
from zoo_plugins.patchcore.score_map import smooth_map
from zoo_plugins.patchcore.torch_model import BankSettings, PatchcoreModel

from zoo.methods.memory_bank.coreset import greedy_coreset
from zoo.methods.memory_bank.neighbours import affinity_bias

# amazon-science/patchcore-inspection at fcaa92f1, run once with the weights and images below: no
# subsampling, layers 2 and 3, 1024 numbers, one neighbour. The network was put into evaluation mode
# first: left as it is, the reference lets an image of ones move its batch statistics.
AMAZON_SCORE = 1596.2427
AMAZON_COLUMN = [38.4741364, 54.4151726, 68.7642593, 1310.0400391]
AMAZON_COLUMN += [1586.1705322, 233.1257477, 58.8340263]  # [::32, 100] of the map
AMAZON_ROW = [39.4293823, 42.5605621, 41.6731567, 38.7532616]
AMAZON_ROW += [48.0954628, 37.7429199, 39.3965111]  # [0, ::32]
AMAZON_EMBEDDING = [0.7960604, 1.198559, 2.4241276, 0, 0, 0.5796755, 0.1206345, 0]  # [400, ::128]
# Its sampler on 2,000 x 128 numbers, which it does not project, and the start that it drew.
AMAZON_START = [405, 1190, 1132, 731, 1754, 1178, 1533, 1303, 1857, 18]
AMAZON_PICKS = [755, 492, 314, 1164, 1038, 184, 1796, 737, 569, 1839, 1339, 1769, 118, 282, 104]
AMAZON_PICKS += [801, 1481, 1689, 1948, 930, 852, 1776, 1183, 1743, 684, 1551, 1545, 909, 65, 867]
AMAZON_PICKS += [243, 1175, 1580, 589, 1830, 1710, 558, 1573, 1292, 1004]


def _seeded_state(network):
    """Weights that are the same everywhere: normal filters, everything else as it is built."""
    generator = torch.Generator().manual_seed(0)
    state = network.state_dict()
    for name, tensor in state.items():
        if tensor.is_floating_point() and tensor.ndim > 1:
            deviation = (2 / tensor[0].numel()) ** 0.5
            state[name] = torch.randn(tensor.shape, generator=generator) * deviation
    return state


def _images(seed, count):
    return torch.randn(count, 3, 224, 224, generator=torch.Generator().manual_seed(seed))


def test_end_to_end_it_is_the_reference(tmp_path):
    path = tmp_path / "seeded.pth"
    torch.save(_seeded_state(timm.create_model("wide_resnet50_2", pretrained=False)), path)
    model = ZooPatchcore(
        "wide_resnet50_2",
        str(path),
        ("layer2", "layer3"),
        image_size=224,
        coreset_sampling_ratio=1.0,
        embedding_dim=1024,
        squared=True,
        pre_processor=False,
    )
    model.model.collect(_images(1, 2))
    model.model.collect(_images(2, 2))
    model.fit()
    image = _images(3, 1)
    image[:, :, 80:150, 60:130] = 2.0
    [member] = model.eval().model.members
    with torch.no_grad():
        result = model.model(image)
        embedding = member.embed(image)[0].flatten(1).T[400, ::128]
    score_map, largest = result.anomaly_map[0, 0], max(AMAZON_COLUMN)
    np.testing.assert_allclose(embedding, AMAZON_EMBEDDING, atol=1e-5)
    assert float(result.pred_score) == pytest.approx(AMAZON_SCORE, rel=1e-4)
    np.testing.assert_allclose(score_map[::32, 100], AMAZON_COLUMN, atol=1e-4 * largest)
    np.testing.assert_allclose(score_map[0, ::32], AMAZON_ROW, atol=1e-4 * largest)


def test_the_coreset_is_the_references():
    features = torch.randn(2000, 128, generator=torch.Generator().manual_seed(4))
    assert greedy_coreset(features, 40, AMAZON_START).tolist() == AMAZON_PICKS


@pytest.mark.parametrize(
    ("patches", "size", "sigma"),
    [((28, 28), (224, 224), 4), ((5, 9), (37, 80), 4), ((6, 4), (11, 9), 4), ((8, 8), (64, 64), 0)],
)
def test_the_map_is_that_of_torch_and_scipy(patches, size, sigma):
    scores = torch.rand(2, *patches, generator=torch.Generator().manual_seed(0))
    upsampled = functional.interpolate(scores[:, None], size=size, mode="bilinear")[:, 0].numpy()
    expected = [gaussian_filter(each, sigma) if sigma else each for each in upsampled]
    np.testing.assert_allclose(smooth_map(scores, size, sigma)[:, 0], expected, atol=1e-5)


@pytest.fixture(scope="module")
def pair():
    """Ours and anomalib's model with one network and one bank."""
    anomalibs = AnomalibModel(("layer2", "layer3"), "resnet18", pre_trained=False, num_neighbors=9)
    bank = torch.randn(300, 128 + 256, generator=torch.Generator().manual_seed(1)).abs()

    class SameNetwork(torch.nn.Module):
        channels = (128, 256)

        def forward(self, images):
            return list(anomalibs.feature_extractor(images).values())

    def ours(num_neighbors):
        model = PatchcoreModel(SameNetwork(), BankSettings(), weight_neighbors=num_neighbors)
        model.memory_bank, model.bank_bias = bank, affinity_bias(bank)
        return model.eval()

    anomalibs.memory_bank = bank
    return ours, anomalibs.eval()


@pytest.mark.parametrize("num_neighbors", [1, 2, 9, 1000])
def test_re_weighted_scores_are_anomalibs(pair, num_neighbors):
    ours, anomalibs = pair
    anomalibs.num_neighbors = num_neighbors
    images = _images(5, 3)[:, :, :96, :64]
    with torch.no_grad():
        scores, _ = ours(num_neighbors)(images)
        expected = anomalibs(images).pred_score
    torch.testing.assert_close(scores, expected, rtol=1e-4, atol=1e-5)


def test_patch_distances_are_anomalibs(pair):
    ours, anomalibs = pair
    images = _images(6, 2)[:, :, :96, :64]
    model = ours(1)
    model.sigma = 0
    with torch.no_grad():
        features = anomalibs.feature_extractor(images)
        pooled = {name: anomalibs.feature_pooler(each) for name, each in features.items()}
        rows = anomalibs.reshape_embedding(anomalibs.generate_embedding(pooled))
        expected, _ = anomalibs.nearest_neighbors(rows, n_neighbors=1)
        expected = functional.interpolate(
            expected.reshape(2, 1, 12, 8), size=(96, 64), mode="bilinear"
        )
        _, score_map = model(images)
    torch.testing.assert_close(score_map, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("num_neighbors", [1, 3, 5, 1000])
def test_scores_are_means_over_the_nearest_neighbours_as_in_the_reference(
    pair, num_neighbors, squared
):
    """Its index returns squared distances; a patch's score is NumPy's mean over them."""
    ours, _ = pair
    model = ours(1)
    model.num_neighbors, model.squared, model.sigma = num_neighbors, squared, 0
    images = _images(7, 2)[:, :, :96, :64]
    with torch.no_grad():
        scores, maps = model(images)
        rows = model.embed(images).permute(0, 2, 3, 1).flatten(0, 2).double()
        distances = torch.cdist(rows, model.memory_bank.double()).sort(dim=1).values
        nearest = distances[:, :num_neighbors] ** (2 if squared else 1)
        expected = nearest.mean(dim=1).reshape(2, 12, 8).float()
    torch.testing.assert_close(scores, expected.amax((1, 2)), rtol=1e-4, atol=1e-4)
    whole = functional.interpolate(expected[:, None], (96, 64), mode="bilinear")
    torch.testing.assert_close(maps, whole, rtol=1e-4, atol=1e-4)
