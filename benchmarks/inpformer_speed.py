"""How fast INP-Former is beside its reference and behind OpenVINO, and what tiles cost in memory.

    python benchmarks/inpformer_speed.py step --reference DIR   # a clone of luow23/INP-Former
    python benchmarks/inpformer_speed.py openvino
    python benchmarks/inpformer_speed.py memory

Both sides run in one process, in turns, and processor seconds are compared, so that a busy machine
changes little. Weights are random: they do not matter here. Rows go to
`results/inpformer_speed.csv`; a row of the same comparison is replaced.

`step` is a whole training step (frozen encoder, loss, backward, clipping, optimizer) of ViT-S/14.
`memory` is the peak of the process while one image of 2448 x 2048 pixels goes through the recipe
inpformer/highres, images and libraries included.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import types
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from anomalib.models.image.dinomaly.components.optimizer import StableAdamW
from in_turns import compared, keep
from torch import nn
from zoo_plugins.inpformer import ZooInpFormer
from zoo_plugins.inpformer.torch_model import InpFormerModel

from zoo.predict.openvino_core import openvino_core
from zoo.utils.process import quiet
from zoo.utils.timing import PeakMemory

RESULTS = Path(__file__).parents[1] / "results" / "inpformer_speed.csv"
LITE = ("tf_efficientnet_lite0", "embedded")
SMALL = "vit_small_patch14_reg4_dinov2"
OPTIMIZER = {"lr": 1e-3, "betas": (0.9, 0.999), "weight_decay": 1e-4, "amsgrad": True, "eps": 1e-10}
MOST_MB = 3000


def main() -> None:
    """Make one comparison and write its rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=COMPARISONS)
    parser.add_argument("--reference", type=Path, metavar="DIR")
    parser.add_argument("--batch", type=int, default=4, metavar="N")
    parser.add_argument("--side", type=int, default=392, metavar="PX", help="of `step`")
    parser.add_argument("--passes", type=int, default=5, metavar="N")
    parser.add_argument("--threads", type=int, default=1, metavar="N")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="CSV")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    quiet()
    keep(COMPARISONS[args.what](args), args.out)


def step(args: argparse.Namespace) -> list[dict]:
    """Compare a training step with the reference's, on the same images."""
    if args.reference is None:
        raise SystemExit("step needs --reference, the folder of a clone of luow23/INP-Former")
    images = torch.randn(args.batch, 3, args.side, args.side)
    model = InpFormerModel(SMALL, "random").train()
    trained = [value for value in model.parameters() if value.requires_grad]
    optimizer = StableAdamW(trained, **OPTIMIZER)

    def ours() -> None:
        loss = model.training_loss(model.encode(images))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 0.1)
        optimizer.step()

    reference = _reference_step(args.reference, images)
    what = f"step, ViT-S/14, {args.side} px, batch {args.batch}"
    return [compared(what, ours, reference, args.passes, bar=1.05)]


def _reference_step(folder: Path, images: torch.Tensor) -> Callable[[], None]:
    """Return one step of the reference's training loop, with its own networks and losses."""
    sys.path[:0] = [str(folder)]
    # Its utilities import an evaluator for CUDA at once, which no step uses.
    sys.modules.setdefault("adeval", types.SimpleNamespace(EvalAccumulatorCuda=None))
    from dinov2.models.vision_transformer import vit_small
    from models.uad import INP_Former
    from models.vision_transformer import Aggregation_Block, Mlp, Prototype_Block
    from optimizers import StableAdamW as ReferenceOptimizer
    from utils import global_cosine_hm_adaptive

    width, n_heads, groups = 384, 6, [[0, 1, 2, 3], [4, 5, 6, 7]]
    options = {"num_heads": n_heads, "mlp_ratio": 4.0, "qkv_bias": True}
    options["norm_layer"] = partial(nn.LayerNorm, eps=1e-8)
    bottleneck = nn.ModuleList([Mlp(width, width * 4, width, drop=0.0)])
    prototypes = nn.ParameterList([nn.Parameter(torch.randn(6, width))])
    extractor = nn.ModuleList([Aggregation_Block(dim=width, **options)])
    decoder = nn.ModuleList(Prototype_Block(dim=width, **options) for _ in range(8))
    model = INP_Former(
        encoder=vit_small(
            patch_size=14,
            img_size=518,
            block_chunks=0,
            init_values=1e-8,
            num_register_tokens=4,
            interpolate_antialias=False,
            interpolate_offset=0.1,
        ),
        bottleneck=bottleneck,
        aggregation=extractor,
        decoder=decoder,
        target_layers=list(range(2, 10)),
        remove_class_token=True,
        fuse_layer_encoder=groups,
        fuse_layer_decoder=groups,
        prototype_token=prototypes,
    )
    trained = nn.ModuleList([bottleneck, decoder, extractor, prototypes])
    for module in trained.modules():  # as its training script; zeros would make no gradient
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.01, a=-0.03, b=0.03)
    optimizer = ReferenceOptimizer([{"params": trained.parameters()}], **OPTIMIZER)

    def one() -> None:
        encoded, decoded, coherence = model(images)
        loss = global_cosine_hm_adaptive(encoded, decoded, y=3) + 0.2 * coherence
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trained.parameters(), max_norm=0.1)
        optimizer.step()

    return one


def openvino(args: argparse.Namespace) -> list[dict]:
    """Compare the exported graph, in float32, with torch on the CPU, batch 1."""
    models = {
        "embedded, 256 px": (ZooInpFormer(*LITE, image_size=256, decoder_depth=4), 256),
        "ViT-S/14, 280 px": (ZooInpFormer(SMALL, "random", image_size=280), 280),
    }
    settings = {"INFERENCE_NUM_THREADS": args.threads, "INFERENCE_PRECISION_HINT": "f32"}
    rows = []
    for name, (model, side) in models.items():
        model.eval()
        with tempfile.TemporaryDirectory() as folder:
            path = model.to_openvino(
                folder, input_size=(side, side), onnx_kwargs={"opset_version": 18}
            )
            graph = openvino_core().compile_model(path, "CPU", settings)
        images = torch.rand(1, 3, side, side)

        def in_torch(model: ZooInpFormer = model, images: torch.Tensor = images) -> np.ndarray:
            with torch.inference_mode():
                return model(images).anomaly_map.numpy()

        def in_openvino(graph: object = graph, images: torch.Tensor = images) -> np.ndarray:
            return graph(images.numpy())["anomaly_map"]

        difference = float(np.abs(in_openvino() - in_torch()).max())
        what = f"OpenVINO beside torch, {name}"
        row = compared(what, in_openvino, in_torch, 4 * args.passes, bar=1 / 1.5)
        rows.append({**row, "largest_difference": f"{difference:.1e}"})
    return rows


def memory(args: argparse.Namespace) -> list[dict]:
    """Score one large image in tiles, with the network of the recipe inpformer/highres."""
    from zoo.data.tiling.recipe import tiled
    from zoo.postprocess.calibration import Calibration
    from zoo.predict.torch_predictor import TorchPredictor

    backbone = "vit_base_patch14_reg4_dinov2.lvd142m"
    pixels = np.random.default_rng(0).integers(0, 256, (2048, 2448, 3), dtype=np.uint8)
    with PeakMemory() as peak:
        model = ZooInpFormer(backbone, "random", image_size=518)
        tiling = {"window": 1024, "overlap": 0.1, "multiple": 14, "tiles_per_step": 2}
        detector = TorchPredictor(tiled(model, tiling), Calibration(threshold=1.0))
        done = detector.predict(pixels)
    return [
        {
            "comparison": "peak memory, ViT-B/14, 2448 x 2048 in windows of 1024",
            "peak_mb": round(peak.peak_mb),
            "bar": MOST_MB,
            "met": done.mask.shape == (2048, 2448) and peak.peak_mb < MOST_MB,
            "passes": 1,
        }
    ]


COMPARISONS: dict[str, Callable[[argparse.Namespace], list[dict]]] = {
    "step": step,
    "openvino": openvino,
    "memory": memory,
}


if __name__ == "__main__":
    main()
