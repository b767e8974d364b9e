"""One backbone of an ensemble, as plain data, so that a checkpoint holds nothing else."""

# No `from __future__ import annotations`: the parser of recipes needs the types themselves.

from typing import TypedDict


class Member(TypedDict):
    """A timm name, and modules of it as timm's feature_info names them."""

    backbone: str
    layers: list[str]
