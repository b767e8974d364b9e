"""How fast are RD, RD++ and EfficientAD beside their references, and behind OpenVINO?

    python benchmarks/distillation_speed.py rdpp-step --reference DIR   # a clone of the reference
    python benchmarks/distillation_speed.py efficientad-inference
    python benchmarks/distillation_speed.py openvino

Each comparison runs both sides in one process, in turns, and compares processor seconds, so that a
busy machine changes little. Weights are random: they do not matter here. Rows go to
`results/distillation_speed.csv`; a row of the same comparison is replaced.

`rdpp-step` needs `pip install geomloss`, as the reference does, and with the reference's batch of
16 some 14 GB; `--batch 2` takes 4 GB.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from in_turns import compared, keep

from zoo.predict.openvino_core import openvino_core

RESULTS = Path(__file__).parents[1] / "results" / "distillation_speed.csv"
WIDE = ("wide_resnet50_2.tv_in1k", "random", ("layer1", "layer2", "layer3"))
LITE = ("tf_efficientnet_lite0", "embedded", ("blocks.1", "blocks.2", "blocks.4"))


def main() -> None:
    """Make one comparison and write its rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=COMPARISONS)
    parser.add_argument("--reference", type=Path, metavar="DIR")
    parser.add_argument("--batch", type=int, default=16, metavar="N")
    parser.add_argument("--passes", type=int, default=5, metavar="N")
    parser.add_argument("--threads", type=int, default=1, metavar="N")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="CSV")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    keep(COMPARISONS[args.what](args), args.out)


def rdpp_step(args: argparse.Namespace) -> list[dict]:
    """Compare a training step: both sides take images and noisy images, and step."""
    from zoo_plugins._distillation.torch_model import distillation_loss
    from zoo_plugins.rdpp.torch_model import ProjectedDistillationModel, projection_losses

    clean, noisy = torch.rand(2, args.batch, 3, 256, 256)
    model = ProjectedDistillationModel(*WIDE).train()
    groups = [
        {"params": [*model.bottleneck.parameters(), *model.decoder.parameters()], "lr": 0.005},
        {"params": model.projections.parameters(), "lr": 0.001},
    ]
    optimizer = torch.optim.Adam(groups, betas=(0.5, 0.999))

    def ours() -> None:
        both = model.teacher(torch.cat([clean, noisy]))
        features, features_noisy = zip(*(layer.chunk(2) for layer in both), strict=True)
        projected, projected_noisy = zip(
            *(layer.chunk(2) for layer in model.project(both)), strict=True
        )
        losses = projection_losses(features_noisy, projected_noisy, projected)
        rebuilt = model.decoder(model.bottleneck(projected))
        (distillation_loss(features, rebuilt) + 0.2 * losses["projection"]).backward()
        optimizer.step()
        optimizer.zero_grad()

    reference = _reference_step(args.reference, clean, noisy)
    return [compared(f"RD++ step, batch {args.batch}", ours, reference, args.passes, bar=1.0)]


def _reference_step(folder: Path, clean: torch.Tensor, noisy: torch.Tensor) -> Callable[[], None]:
    """Return one step of the reference's training loop, with its own networks and losses."""
    # Its modules fetch weights by torch.hub and put targets on CUDA; neither matters for time.
    sys.path[:0] = [str(folder)]
    import geomloss  # noqa: F401 - says at once that it is missing
    from model import de_resnet, resnet
    from utils import utils_train

    teacher, bottleneck = resnet.wide_resnet50_2(pretrained=False)
    decoder, projections = de_resnet.de_wide_resnet50_2(), utils_train.MultiProjectionLayer(64)
    loss_of = utils_train.Revisit_RDLoss()
    teacher.eval()
    betas = (0.5, 0.999)
    first = torch.optim.Adam(projections.parameters(), lr=0.001, betas=betas)
    trained = [*decoder.parameters(), *bottleneck.parameters()]
    second = torch.optim.Adam(trained, lr=0.005, betas=betas)
    real = torch.Tensor.to

    def to(self: torch.Tensor, *args: object, **options: object) -> torch.Tensor:
        return self if args[:1] == ("cuda",) else real(self, *args, **options)

    def step() -> None:
        torch.Tensor.to = to
        features, features_noisy = teacher(clean), teacher(noisy)
        projected_noisy, projected = projections(features, features_noise=features_noisy)
        loss = loss_of(features_noisy, projected_noisy, projected)
        rebuilt = decoder(bottleneck(projected))
        (utils_train.loss_fucntion(features, rebuilt) + 0.2 * loss).backward()
        for optimizer in (first, second):
            optimizer.step()
            optimizer.zero_grad()
        teacher.zero_grad()
        torch.Tensor.to = real

    return step


def efficientad_inference(args: argparse.Namespace) -> list[dict]:
    """Compare a forward pass with anomalib's networks alone: no maps, no post-processing."""
    from zoo_plugins.efficientad.torch_model import EfficientAdNetworks

    rows = []
    for size in ("small", "medium"):
        model = EfficientAdNetworks(size).eval()
        images = torch.rand(1, 3, 256, 256)

        def networks(model: EfficientAdNetworks = model, images: torch.Tensor = images) -> None:
            model.teacher(images), model.student(images), model.autoencoder(images, (256, 256))

        def ours(model: EfficientAdNetworks = model, images: torch.Tensor = images) -> None:
            model(images)

        with torch.inference_mode():
            what = f"EfficientAD {size}, inference"
            rows.append(compared(what, ours, networks, 4 * args.passes, bar=1.05))
    return rows


def openvino(args: argparse.Namespace) -> list[dict]:
    """Compare each method's network behind OpenVINO with torch on the CPU, batch 1."""
    import openvino as ov
    from zoo_plugins._distillation.torch_model import ReverseDistillationModel
    from zoo_plugins.efficientad.torch_model import EfficientAdNetworks
    from zoo_plugins.rdpp.torch_model import ProjectedDistillationModel

    models = {
        "RD embedded": ReverseDistillationModel(*LITE),
        "RD++ embedded": ProjectedDistillationModel(*LITE),
        "EfficientAD small, 128 channels": EfficientAdNetworks("small", 128),
    }
    rows, images = [], torch.rand(1, 3, 256, 256)
    array = images.numpy()
    for name, model in models.items():
        model.eval()
        plain = _Outputs(model)
        converted = ov.convert_model(plain, example_input=images, input=[1, 3, 256, 256])
        hints = {"INFERENCE_NUM_THREADS": args.threads, "INFERENCE_PRECISION_HINT": "f32"}
        compiled = openvino_core().compile_model(converted, "CPU", hints)
        with torch.inference_mode():
            expected = plain(images).numpy()
            difference = float(np.abs(compiled(array)[0] - expected).max())
            row = compared(
                f"{name}, OpenVINO",
                lambda compiled=compiled: compiled(array),
                lambda plain=plain: plain(images),
                4 * args.passes,
                bar=1 / 1.2,
            )
        rows.append({**row, "largest_difference": difference})
    return rows


class _Outputs(torch.nn.Module):
    """A network that returns its map alone."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.model(images).anomaly_map


COMPARISONS: dict[str, Callable[[argparse.Namespace], list[dict]]] = {
    "rdpp-step": rdpp_step,
    "efficientad-inference": efficientad_inference,
    "openvino": openvino,
}


if __name__ == "__main__":
    main()
