"""INP-Former: prototypes of an image, a decoder that knows nothing else, a map."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, NamedTuple, get_args

import torch
from anomalib.data import InferenceBatch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, normalize, pad

from zoo.data.anomalib_internals import (
    AggregationBlock,
    DinomalyMLP,
    GlobalCosineHmAdaptiveLoss,
    PrototypeBlock,
)
from zoo.utils.errors import ZooError, nearest
from zoo_plugins.inpformer.encoder import create_encoder

BlurPadding = Literal["zeros", "reflect"]

_BLUR_SIDE, _BLUR_SIGMA = 5, 4.0  # nearly a box
_NORM: Any = partial(nn.LayerNorm, eps=1e-8)  # anomalib's annotation is not what it takes
_INIT_STD, _INIT_BOUND = 0.01, 0.03
_TOP_SHARE = 0.01  # of the pixels, whose mean is the image's score


class Rebuilt(NamedTuple):
    """What the decoder made of the encoder's maps.

    Attributes:
        targets: One map (B, C, h, w) per group of layers, of the frozen encoder.
        maps: The same, rebuilt.
        tokens: Mean of the targets as tokens, (B, N, C).
        prototypes: (B, M, C).
    """

    targets: list[Tensor]
    maps: list[Tensor]
    tokens: Tensor
    prototypes: Tensor


class Blur(nn.Module):
    """A Gaussian of 5 x 5 pixels over a map (B, 1, h, w).

    Args:
        padding: What stands beyond the border.
    """

    kernel: Tensor

    def __init__(self, padding: BlurPadding) -> None:
        super().__init__()
        if padding not in get_args(BlurPadding):
            near = nearest(padding, get_args(BlurPadding))
            raise ZooError(f"unknown blur_padding '{padding}'{near}")
        self.mode = {"zeros": "constant", "reflect": "reflect"}[padding]
        distance = torch.arange(_BLUR_SIDE) - _BLUR_SIDE // 2
        line = (-(distance**2) / (2 * _BLUR_SIGMA**2)).exp()
        kernel = torch.outer(line, line)
        self.register_buffer("kernel", (kernel / kernel.sum())[None, None], persistent=False)

    def forward(self, score_map: Tensor) -> Tensor:
        """Return the blurred map, of the same size."""
        return conv2d(pad(score_map, (_BLUR_SIDE // 2,) * 4, mode=self.mode), self.kernel)


class InpFormerModel(nn.Module):
    """The network, its loss, and the score map.

    The arguments are those of `ZooInpFormer`.

    Raises:
        ZooError: An option that does not fit.
    """

    def __init__(
        self,
        backbone: str,
        weights: str,
        layers: Sequence[int] | Sequence[str] | None = None,
        n_groups: int = 2,
        n_prototypes: int = 6,
        decoder_depth: int | None = None,
        biases: bool = True,
        output_size: int | tuple[int, int] | None = None,
        blur_padding: BlurPadding = "reflect",
        token_width: int = 128,
        token_stride: int = 8,
    ) -> None:
        super().__init__()
        self.encoder = create_encoder(
            backbone, weights, layers, n_groups, token_width, token_stride
        )
        width, n_heads = self.encoder.width, self.encoder.n_heads
        decoder_depth = self.encoder.n_layers if decoder_depth is None else decoder_depth
        if n_prototypes < 1 or decoder_depth < 1 or decoder_depth % n_groups:
            raise ZooError(
                f"{n_prototypes} prototypes and {decoder_depth} decoder blocks in {n_groups} "
                "groups: use 1 or more of each, and groups of one size"
            )
        self.prototypes = nn.Parameter(torch.randn(n_prototypes, width))
        self.extractor = ExtractorBlock(width, n_heads, biases)
        self.bottleneck = perceptron(width, biases=True)
        self.decoder = nn.ModuleList(
            DecoderBlock(width, n_heads, biases) for _ in range(decoder_depth)
        )
        for part in (self.bottleneck, self.decoder, self.extractor):
            initialise(part)
        self.loss = GlobalCosineHmAdaptiveLoss()
        self.output_size = (output_size,) * 2 if isinstance(output_size, int) else output_size
        self.blur = Blur(blur_padding)

    def encode(self, images: Tensor) -> list[Tensor]:
        """Return the frozen maps (B, C, h, w) of images (B, 3, H, W), padded to whole patches."""
        missing = [-side % self.encoder.multiple for side in images.shape[-2:]]
        if any(missing):
            images = pad(images, (0, missing[1], 0, missing[0]), mode="replicate")
        return self.encoder(images)

    def rebuild(self, targets: list[Tensor]) -> Rebuilt:
        """Rebuild the encoder's maps (B, C, h, w) from the prototypes of each image."""
        grid = targets[0].shape[-2:]
        tokens = torch.stack(targets).mean(0).flatten(2).transpose(1, 2)  # (B, N, C)
        prototypes = self.extractor(self.prototypes.expand(tokens.shape[0], -1, -1), tokens)
        rebuilt, outputs = self.bottleneck(tokens), []
        for block in self.decoder:
            rebuilt = block(rebuilt, prototypes)
            outputs.append(rebuilt)
        outputs.reverse()  # the last blocks rebuild the shallow layers
        size = len(outputs) // len(targets)
        maps = []
        for start in range(0, len(outputs), size):
            mean = torch.stack(outputs[start : start + size]).mean(0)
            # The loss hangs its weights on this very tensor; half precision would lose them.
            maps.append(_single_at_least(mean.transpose(1, 2).unflatten(2, grid)))
        return Rebuilt([_single_at_least(each) for each in targets], maps, tokens, prototypes)

    def training_loss(self, targets: list[Tensor]) -> Tensor:
        """Return soft-mining loss (anomalib's port) plus 0.2 times coherence loss."""
        targets, maps, tokens, prototypes = self.rebuild(targets)
        return self.loss(targets, maps, coherence_loss(tokens, prototypes))

    def forward(self, images: Tensor) -> InferenceBatch:
        """Score normalised images (B, 3, H, W): raw map (B, 1, h, w) and score (B,), float32."""
        targets, maps, _, _ = self.rebuild(self.encode(images))
        multiple, size = self.encoder.multiple, tuple(images.shape[-2:])
        padded = [-(-side // multiple) * multiple for side in size]
        pairs = zip(targets, maps, strict=True)
        distances = torch.stack([cosine_distance(*pair) for pair in pairs], 1)  # (B, groups, h, w)
        score_map = interpolate(distances, padded, mode="bilinear", align_corners=True)
        score_map = score_map.mean(1, keepdim=True)[..., : size[0], : size[1]]
        if self.output_size is not None:
            score_map = interpolate(score_map, self.output_size, mode="bilinear")
        score_map = self.blur(score_map)
        pixels = score_map.flatten(1)
        n_top = max(1, int(pixels.shape[1] * _TOP_SHARE))
        score = pixels.topk(n_top, sorted=False).values.mean(1)
        return InferenceBatch(anomaly_map=score_map, pred_score=score)


def cosine_distance(one: Tensor, other: Tensor) -> Tensor:
    """Return 1 - cosine of the channels of two maps (B, C, h, w) at each place, (B, h, w)."""
    return 1 - (normalize(one) * normalize(other)).sum(1)


def coherence_loss(tokens: Tensor, prototypes: Tensor) -> Tensor:
    """Return the mean cosine distance of tokens (B, N, C) to their nearest prototype (B, M, C)."""
    tokens = normalize(_single_at_least(tokens), dim=-1)
    prototypes = normalize(_single_at_least(prototypes), dim=-1)
    return 1 - (tokens @ prototypes.transpose(1, 2)).amax(-1).mean()


def _single_at_least(tensor: Tensor) -> Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def perceptron(width: int, biases: bool) -> DinomalyMLP:
    """Return C -> 4C -> C."""
    return DinomalyMLP(width, 4 * width, width, act_layer=nn.GELU, bias=biases)


class ExtractorBlock(AggregationBlock):
    """Prototypes (B, M, C) gather from tokens (B, N, C) by attention, with both residuals."""

    def __init__(self, width: int, n_heads: int, biases: bool) -> None:
        super().__init__(width, n_heads, qkv_bias=True, norm_layer=_NORM)
        self.mlp = perceptron(width, biases)


class DecoderBlock(PrototypeBlock):
    """Tokens (B, N, C) become combinations of prototypes (B, M, C); no residual around that."""

    def __init__(self, width: int, n_heads: int, biases: bool) -> None:
        super().__init__(width, n_heads, qkv_bias=True, norm_layer=_NORM)
        self.mlp = perceptron(width, biases)


def initialise(module: nn.Module) -> None:
    """Draw the weights of linear layers as the reference does."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.trunc_normal_(part.weight, std=_INIT_STD, a=-_INIT_BOUND, b=_INIT_BOUND)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
