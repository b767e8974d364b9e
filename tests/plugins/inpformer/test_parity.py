"""The numbers of the reference, luow23/INP-Former at 17d2653, from the same drawn weights.

`fill` draws every weight; the reference was run once on the same weights, renamed, and
expected.json holds what it gave: single values, spread over a tensor. The numbers of a training are
float64, for which the reference's cast of its position table to float32 was left out.
"""

import json
from pathlib import Path

import pytest
import torch
from anomalib.models.image.dinomaly.components.optimizer import StableAdamW
from zoo_plugins.inpformer.torch_model import InpFormerModel, coherence_loss

BACKBONE = "vit_small_patch14_reg4_dinov2.lvd142m"
EXPECTED = json.loads((Path(__file__).parent / "expected.json").read_text())
SIDE = 196  # 14 x 14 patches, so that positions are resampled
TRAINED = ("prototypes", "extractor.attn.kv.weight", "bottleneck.fc1.bias", "decoder.3.attn.q.bias")


def fill(model, seed=0):
    """Draw all weights, each from a generator of its own, so that no order matters."""
    with torch.no_grad():
        for index, (name, value) in enumerate(sorted(model.named_parameters())):
            drawn = torch.randn(value.shape, generator=torch.Generator().manual_seed(seed + index))
            if name.endswith("gamma"):  # LayerScale as of a trained network
                value.copy_(0.5 + 0.1 * drawn)
            elif "norm" in name and name.endswith("weight"):
                value.copy_(1 + 0.1 * drawn)
            elif value.ndim > 1 and not name.endswith(("token", "pos_embed", "prototypes")):
                value.copy_(drawn / value[0].numel() ** 0.5)
            else:
                value.copy_(0.2 * drawn)
    return model


def images(count=2):
    return torch.randn(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(99))


def values(tensor):
    """Return 64 values spread over a tensor."""
    flat = tensor.detach().flatten().double()
    return flat[torch.linspace(0, len(flat) - 1, min(64, len(flat))).long()]


def assert_close(tensor, key, tolerance):
    expected = torch.tensor(EXPECTED[key], dtype=torch.float64)
    torch.testing.assert_close(values(tensor), expected, rtol=0, atol=tolerance)


@pytest.fixture(scope="module")
def model():
    return fill(InpFormerModel(BACKBONE, "random", output_size=256, blur_padding="zeros")).eval()


def test_encoder_groups(model):
    for index, group in enumerate(model.encode(images())):
        # Values reach 8.
        assert_close(group, f"encoder_{index}", 2e-5)


def test_the_raw_map(model):
    raw = InpFormerModel(BACKBONE, "random", blur_padding="zeros")
    raw.load_state_dict(model.state_dict())
    raw.blur = torch.nn.Identity()
    with torch.no_grad():
        assert_close(raw.eval()(images()).anomaly_map, "raw_map", 1e-6)


def test_the_map_of_256_pixels_and_the_score(model):
    with torch.no_grad():
        done = model(images())
    assert done.anomaly_map.shape == (2, 1, 256, 256)
    assert_close(done.anomaly_map, "map_256", 1e-6)
    assert_close(done.anomaly_map[:, :, :2], "map_256_border", 1e-6)
    assert_close(done.pred_score, "score", 1e-6)


@pytest.fixture
def float64():
    """Draw, build and compute in float64; the sum of anomalib's loss starts in the default type."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.slow
@pytest.mark.usefixtures("float64")
def test_losses_gradients_and_steps_of_the_optimizer():
    # In float32 a token comes as near to two prototypes as rounding can tell after the first step;
    # which of them gets its gradient, and so the next weights, was up to the processor's kernels.
    model = fill(InpFormerModel(BACKBONE, "random"))
    targets = model.encode(images())
    _, _, tokens, prototypes = model.rebuild(targets)
    assert_close(coherence_loss(tokens, prototypes), "coherence", 1e-10)
    trained = {n: v for n, v in model.named_parameters() if v.requires_grad}
    optimizer = StableAdamW(trained.values(), lr=1e-3, weight_decay=1e-4, amsgrad=True, eps=1e-10)
    for step in range(3):
        loss = model.training_loss(targets)
        assert_close(loss, f"loss_{step}", 1e-10)
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            for name in TRAINED:
                largest = EXPECTED[f"largest_gradient_{name}"]
                assert_close(trained[name].grad / largest, f"gradient_{name}", 1e-10)
        torch.nn.utils.clip_grad_norm_(trained.values(), 0.1)
        optimizer.step()
    for name in TRAINED:
        assert_close(trained[name], f"trained_{name}", 1e-10)


def test_parameter_counts_are_the_references(model):
    counts = sum(value.numel() for value in model.parameters() if value.requires_grad)
    assert counts == 17_154_096
