"""The blocks of INP-Former: anomalib's, with the biases of the reference as a choice.

Pre-norm, no dropout, LayerNorm with eps 1e-8, exact GELU (paper, section 3).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import nn

from zoo.data.anomalib_internals import AggregationBlock, DinomalyMLP, PrototypeBlock

_NORM: Any = partial(nn.LayerNorm, eps=1e-8)  # anomalib's annotation is not what it takes
_INIT_STD, _INIT_BOUND = 0.01, 0.03


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
